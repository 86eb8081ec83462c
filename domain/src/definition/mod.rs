//! A workflow as it is written down: nodes, connections, settings, pinned data. The shape is that of n8n's
//! export files, so that a file which people own is a definition here.
//!
//! Parsing is lenient in what it ignores and strict in what it uses. What a draft must have to be kept says
//! [`check_structure`]; what it lacks to be run, published or active say [`draft_problems`].

mod gaps;
mod graph;
mod helpers;
mod problems;
mod references;
mod settings;
mod subject;
pub mod template;
mod validate;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::item::{Item, JsonObject};

pub use gaps::{Gap, GapService, gaps, replace_service_nodes};
pub use graph::{Graph, Helper, Target, TriggerError};
pub use helpers::{helper_name, helper_problems, works_like_with_helpers};
pub use problems::{DraftProblem, PROBLEMS_MAX, Severity, Step, draft_problems, run_problems};
pub use references::{Reference, References, WhichItem};
pub use settings::{CONCURRENCY_MAX, PRIORITY_MAX, PRIORITY_MIN, parse_settings, validate_settings};
pub use subject::{NoSubject, SubjectSource};
pub use validate::{DefinitionError, Problem, check_structure, parse, validate};

/// Most nodes that one workflow may have.
pub const NODES_MAX: usize = 2_000;
/// Most connections that one workflow may have.
pub const CONNECTIONS_MAX: usize = 20_000;
/// Largest workflow file, in bytes.
pub const DEFINITION_BYTES_MAX: usize = 16 << 20;
/// Deepest nesting of JSON in a workflow file.
pub const DEFINITION_DEPTH_MAX: usize = 100;

/// Where the outputs of a node lead, by output; `None` for an output that leads nowhere.
pub type OutputConnections = Vec<Option<Vec<Connection>>>;

/// A workflow's definition.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowDefinition {
    /// Id that the workflow has in the file: other files of the same owner name it by this.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub id: Option<String>,
    /// Name that people gave it.
    #[serde(default)]
    pub name: String,
    /// Nodes in file order, which decides between several triggers.
    pub nodes: Vec<Node>,
    /// Connections by name of the node they leave, then by kind (`main`, `ai_tool`, …).
    #[serde(default)]
    pub connections: BTreeMap<String, BTreeMap<String, OutputConnections>>,
    /// Settings of the workflow.
    #[serde(default)]
    pub settings: Settings,
    /// Items that stand in for a node's output in manual runs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "pins")]
    pub pin_data: BTreeMap<String, Vec<Item>>,
}

impl WorkflowDefinition {
    /// Puts nodes in the place of those of the same names.
    pub fn replace_nodes<'n>(&mut self, nodes: impl IntoIterator<Item = &'n Node>) {
        for new in nodes {
            if let Some(node) = self.nodes.iter_mut().find(|node| node.name == new.name) {
                *node = new.clone();
            }
        }
    }
}

/// One node of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Id within the file.
    #[serde(default)]
    pub id: String,
    /// Name: connections and expressions refer to it.
    pub name: String,
    /// Type, for example `n8n-nodes-base.set`.
    #[serde(rename = "type")]
    pub node_type: String,
    /// Version of the type.
    #[serde(default = "one")]
    pub type_version: f64,
    /// Canvas position `[x, y]`; it decides the order of branches in execution order v1.
    #[serde(default)]
    pub position: [f64; 2],
    /// Parameters; strings that begin with `=` are expressions.
    #[serde(default = "empty_object")]
    pub parameters: Value,
    /// A disabled node passes its first input on.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disabled: bool,
    /// What to do when the node fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_error: Option<OnError>,
    /// The older form of `onError: continueRegularOutput`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub continue_on_fail: bool,
    /// Try again when the node fails.
    #[serde(default, skip_serializing_if = "is_false")]
    pub retry_on_fail: bool,
    /// Attempts in all, 2 to 5; 3 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tries: Option<f64>,
    /// Pause between attempts in milliseconds, 0 to 5,000; 1,000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_between_tries: Option<f64>,
    /// Seconds after which an attempt at the node is stopped, more than 0; absent for the deployment's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// Use only the first item of each input.
    #[serde(default, skip_serializing_if = "is_false")]
    pub execute_once: bool,
    /// Give one empty item when there would be none.
    #[serde(default, skip_serializing_if = "is_false")]
    pub always_output_data: bool,
    /// Credentials by type: references only, never secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Value>,
    /// A note of the author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Id under which a webhook trigger listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<String>,
}

impl Node {
    /// What to do when the node fails, whichever form the file uses.
    pub fn error_policy(&self) -> OnError {
        match self.on_error {
            Some(policy) => policy,
            None if self.continue_on_fail => OnError::ContinueRegularOutput,
            None => OnError::StopWorkflow,
        }
    }

    /// Whether another node does the same with the same input: all that only people look at is left out.
    pub fn works_like(&self, other: &Self) -> bool {
        let works = |node: &Self| {
            (
                node.error_policy(),
                node.attempts_max(),
                node.timeout_seconds,
                node.disabled,
                node.execute_once,
                node.always_output_data,
            )
        };
        self.node_type == other.node_type
            && self.type_version == other.type_version
            && works(self) == works(other)
            && self.parameters == other.parameters
            && self.credentials == other.credentials
    }

    /// Attempts in all: 1 when the node does not retry.
    pub fn attempts_max(&self) -> u32 {
        if self.retry_on_fail { self.max_tries.unwrap_or(3.0).clamp(2.0, 5.0) as u32 } else { 1 }
    }

    /// Pause between attempts, in milliseconds.
    pub fn retry_wait_ms(&self) -> u64 {
        self.wait_between_tries.unwrap_or(1_000.0).clamp(0.0, 5_000.0) as u64
    }
}

/// What happens when a node fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnError {
    /// The execution fails.
    StopWorkflow,
    /// The input goes on through output 0.
    ContinueRegularOutput,
    /// Failed items go to an extra last output.
    ContinueErrorOutput,
}

/// Where one output leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Name of the target node.
    pub node: String,
    /// Kind of the target's input: `main` for items.
    #[serde(rename = "type", default = "main_kind")]
    pub kind: String,
    /// Index of the target's input.
    #[serde(default)]
    pub index: usize,
}

/// Settings of a workflow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// `v1`: depth first; absent or `v0`: breadth first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_order: Option<String>,
    /// IANA time zone; the deployment's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Seconds after which an execution is stopped; negative or absent means the deployment's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_timeout: Option<f64>,
    /// Workflow to start when an execution fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_workflow: Option<String>,
    /// Most executions of this workflow at once, 1 to [`CONCURRENCY_MAX`]; more wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Of those that wait for a place, the one with the highest priority is next: [`PRIORITY_MIN`] to [`PRIORITY_MAX`], 0
    /// when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Whether branches run at the same time; otherwise one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel_branches: Option<bool>,
    /// What a step of this workflow survives before the next begins: `strict` (the loss of power) or `relaxed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durability: Option<WorkflowDurability>,
    /// What becomes of the times at which a schedule was due while nothing ran; they are left out when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misfire: Option<MisfirePolicy>,
    /// Whom the data of executions is about: a name, or a field of the items with which one begins, as
    /// `{{ $json.customerId }}`. It can be erased then, see [`SubjectSource`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Settings that we keep for the file's owner and do not use.
    #[serde(flatten)]
    pub extra: JsonObject,
}

impl Settings {
    /// The order in which branches run.
    pub fn order(&self) -> ExecutionOrder {
        if self.execution_order.as_deref() == Some("v1") { ExecutionOrder::V1 } else { ExecutionOrder::V0 }
    }
}

/// What an acknowledged step of a workflow survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowDurability {
    /// The loss of power.
    Strict,
    /// The end of the process; of the loss of power all but the last moments.
    Relaxed,
}

/// What becomes of the times at which a schedule was due while nothing ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MisfirePolicy {
    /// Nothing.
    #[default]
    Skip,
    /// One execution stands for all of them: the one of the newest.
    Once,
    /// Each gets its execution, up to a bound: the newest.
    All,
}

/// The order in which branches run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionOrder {
    /// Breadth first, in order of connection.
    V0,
    /// Depth first, by canvas position.
    V1,
}

impl Node {
    /// A node that says nothing but that it is there: what is not known of a node is taken from here.
    pub fn blank() -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            node_type: String::new(),
            type_version: one(),
            position: [0.0; 2],
            parameters: empty_object(),
            disabled: false,
            on_error: None,
            continue_on_fail: false,
            retry_on_fail: false,
            max_tries: None,
            wait_between_tries: None,
            timeout_seconds: None,
            execute_once: false,
            always_output_data: false,
            credentials: None,
            notes: None,
            webhook_id: None,
        }
    }
}

fn one() -> f64 {
    1.0
}

fn empty_object() -> Value {
    Value::Object(JsonObject::new())
}

fn is_false(value: &bool) -> bool {
    !value
}

fn main_kind() -> String {
    "main".to_owned()
}

/// Files name a workflow by text or by number.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Option::<Value>::deserialize(deserializer)? {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    })
}

/// Pinned items may be written bare (`{"a": 1}`) or wrapped (`{"json": {"a": 1}}`).
mod pins {
    use super::{BTreeMap, Item, Value};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(pins: &BTreeMap<String, Vec<Item>>, serializer: S) -> Result<S::Ok, S::Error> {
        pins.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Vec<Item>>, D::Error> {
        let raw = Option::<BTreeMap<String, Vec<Value>>>::deserialize(deserializer)?.unwrap_or_default();
        raw.into_iter()
            .map(|(node, items)| {
                let items = items.into_iter().map(super::wrap_item).collect::<Result<_, _>>();
                items.map(|items| (node, items)).map_err(serde::de::Error::custom)
            })
            .collect()
    }
}

/// An item from a value that may lack the `json` wrapper.
///
/// # Errors
/// When a wrapped item has the wrong shape.
pub fn wrap_item(value: Value) -> Result<Item, serde_json::Error> {
    match value {
        Value::Object(fields) if fields.get("json").is_some_and(Value::is_object) => {
            serde_json::from_value(Value::Object(fields))
        }
        Value::Object(fields) => Ok(Item::new(fields)),
        other => Ok(Item::new(JsonObject::from_iter([("value".to_owned(), other)]))),
    }
}
