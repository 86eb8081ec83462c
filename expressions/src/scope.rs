//! What an expression or a Code node may read. The engine fills a [`Scope`] for one run of one node.

use std::sync::Arc;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use timeloom_domain::item::{Item, Items, JsonObject};

/// Everything that expressions of one node run can see. Cheap to clone: the data is shared.
#[derive(Clone)]
pub struct Scope {
    /// `$input.all()`: the items of the input that expressions read.
    pub items: Items,
    /// All inputs of the node, by index (`$input` reads one of them; Merge-like nodes read the rest).
    pub inputs: Arc<Vec<Items>>,
    /// `$runIndex`.
    pub run_index: usize,
    /// `$now`, in milliseconds since 1970: fixed for the whole node run.
    pub now_ms: i64,
    /// The workflow's time zone: `$now`, `$today` and DateTime functions use it.
    pub timezone: Tz,
    /// The node that is running.
    pub node: NodeInfo,
    /// `$prevNode`.
    pub previous: Option<PreviousNode>,
    /// `$workflow`.
    pub workflow: WorkflowInfo,
    /// `$execution`.
    pub execution: ExecutionInfo,
    /// `$vars`: the deployment's variables.
    pub vars: Arc<JsonObject>,
    /// `$env`: only the environment names that the configuration allows.
    pub env: Arc<JsonObject>,
    /// Variables that the node itself gives its expressions: `$response`, `$request` and `$pageCount` of a request that
    /// turns pages. Mostly empty.
    pub additional: Arc<JsonObject>,
    /// The other nodes of the run.
    pub nodes: Arc<dyn NodeLookup>,
}

impl Scope {
    /// What expressions see where nothing runs: no items, no other nodes, the beginning of 1970.
    pub fn nowhere() -> Self {
        Self {
            items: Items::default(),
            inputs: Arc::default(),
            run_index: 0,
            now_ms: 0,
            timezone: Tz::UTC,
            node: NodeInfo::default(),
            previous: None,
            workflow: WorkflowInfo::default(),
            execution: ExecutionInfo::default(),
            vars: Arc::default(),
            env: Arc::default(),
            additional: Arc::default(),
            nodes: Arc::new(NoNodes),
        }
    }

    /// Lets go of everything that nodes gave: expressions find no items and no other nodes any more.
    pub fn forget_items(&mut self) {
        self.items = Items::default();
        self.inputs = Arc::default();
        self.nodes = Arc::new(NoNodes);
    }

    /// All of it; what stays behind has forgotten the items.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let taken = self.clone();
        self.forget_items();
        taken
    }
}

/// The node whose parameters are evaluated.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeInfo {
    /// Name of the node.
    pub name: String,
    /// Id of the node in its workflow file.
    pub id: String,
    /// `$nodeVersion`.
    pub type_version: f64,
    /// `$parameter`: raw parameters of the node (expressions unevaluated).
    pub parameters: Value,
    /// `$webhookId`, for trigger nodes.
    pub webhook_id: Option<String>,
}

/// The node that gave the input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviousNode {
    /// Its name.
    pub name: String,
    /// Index of its output.
    pub output_index: usize,
    /// Index of its run.
    pub run_index: usize,
}

/// `$workflow`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkflowInfo {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Whether a published version is active.
    pub active: bool,
}

/// `$execution`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionInfo {
    /// Id.
    pub id: String,
    /// `test` for manual runs, `production` otherwise.
    pub mode: String,
    /// Where a waiting execution is resumed.
    pub resume_url: String,
}

/// A question about another node of the run; asked only when an expression needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Lookup {
    /// All items of one run and output. `run`: absent = the run that the current node follows, or the last.
    Items {
        /// Name of the node.
        node: String,
        /// Output index; absent = the output that leads to the current node, or the first.
        output: Option<usize>,
        /// Run index.
        run: Option<usize>,
    },
    /// The item of `node` that item `item_index` of the current input was made from.
    PairedItem {
        /// Name of the node.
        node: String,
        /// Index in the current input.
        item_index: usize,
    },
    /// Whether the node has run. Answer: a boolean.
    IsExecuted {
        /// Name of the node.
        node: String,
    },
    /// Raw parameters of the node. Answer: an object.
    Parameters {
        /// Name of the node.
        node: String,
    },
    /// Memory of the node in this execution, such as a loop's. Answer: an object.
    Context {
        /// Name of the node.
        node: String,
    },
}

/// An answer to a [`Lookup`].
#[derive(Debug, Clone)]
pub enum Found {
    /// Items of a run.
    Items(Items),
    /// One item.
    Item(Box<Item>),
    /// Anything else.
    Value(Value),
}

/// Why a [`Lookup`] has no answer. The message is shown to the workflow's author.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LookupError {
    /// No node of that name in the workflow.
    #[error("referenced node doesn't exist: '{0}'")]
    UnknownNode(String),
    /// The node has not run (yet).
    #[error("node '{0}' hasn't been executed")]
    NotExecuted(String),
    /// The node ran, but the wanted item cannot be told.
    #[error("{0}")]
    NoPairedItem(String),
    /// The node ran, but what it gave cannot be read from where it is kept.
    #[error("what node '{node}' gave cannot be read: {reason}")]
    Unreadable {
        /// Name of the node.
        node: String,
        /// Why.
        reason: String,
    },
}

/// Access to the other nodes of a run.
pub trait NodeLookup: Send + Sync {
    /// Answers one question.
    ///
    /// # Errors
    /// [`LookupError`] when the node or the item is not there.
    fn look_up(&self, lookup: &Lookup) -> Result<Found, LookupError>;
}

/// A [`NodeLookup`] with no other nodes: for expressions that are evaluated outside a run.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoNodes;

impl NodeLookup for NoNodes {
    fn look_up(&self, lookup: &Lookup) -> Result<Found, LookupError> {
        let (Lookup::Items { node, .. }
        | Lookup::PairedItem { node, .. }
        | Lookup::IsExecuted { node }
        | Lookup::Parameters { node }
        | Lookup::Context { node }) = lookup;
        Err(LookupError::UnknownNode(node.clone()))
    }
}
