//! How an execution begins that goes on from an event of another one, with something changed or nothing.
//!
//! What the nodes gave until then is not repeated: it is read where it was recorded.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StartFacts;
use crate::definition::WorkflowDefinition;
use crate::ids::ExecutionId;
use crate::item::Outputs;

/// How an execution begins that goes on from an event of another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForkFacts {
    /// The execution whose event it is: the link of its chain that has the event.
    pub of: ExecutionId,
    /// The first link of that chain: the id by which the execution was started.
    pub origin: ExecutionId,
    /// Up to where that one counts: a revision of its stream.
    pub revision: u64,
    /// Place of that event in the log.
    pub position: u64,
    /// Why, in the person's words.
    pub reason: String,
    /// How this one began: the workflow that it runs, and what was asked for. It has no items of its own.
    pub start: StartFacts,
    /// Node runs before: the next one has this place in the order of all.
    pub earlier_runs: usize,
    /// What is other than it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ForkChange>,
    /// Which effects may happen.
    pub effects: ForkEffects,
}

/// Something in a fork that is other than it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ForkChange {
    /// A node run gives this: the node does not run.
    Output {
        /// Name of the node.
        node: String,
        /// 0 for the node's first run.
        run_index: usize,
        /// Items by output index.
        outputs: Outputs,
    },
    /// A parameter of a node.
    Parameter {
        /// Name of the node.
        node: String,
        /// Where in its parameters, as a JSON pointer.
        path: String,
        /// What is there now; an expression begins with `=`.
        value: Value,
    },
    /// A variable of the deployment, for this execution alone.
    Variable {
        /// Its name in `$vars`.
        name: String,
        /// What it says now.
        value: Value,
    },
}

/// Which effects of a fork may happen. The others are answered from the log of the execution that it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "policy", rename_all = "snake_case")]
pub enum ForkEffects {
    /// None.
    Stub,
    /// All.
    Live,
    /// Those of some nodes.
    PerNode {
        /// Names of the nodes.
        live: Vec<String>,
    },
}

impl ForkEffects {
    /// Whether the effects of a node may happen.
    pub fn is_live(&self, node: &str) -> bool {
        match self {
            Self::Stub => false,
            Self::Live => true,
            Self::PerNode { live } => live.iter().any(|name| name == node),
        }
    }
}

/// From where a fork goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkPoint {
    /// The execution, by the id with which it was started.
    pub origin: ExecutionId,
    /// The link of its chain that has the event.
    pub of: ExecutionId,
    /// Revision of the stream up to which it counts.
    pub revision: u64,
    /// Place of the event in the log.
    pub position: u64,
    /// Why, in the person's words.
    pub reason: String,
}

impl ForkFacts {
    /// `definition` with the parameters that are other; `None` when none is.
    pub fn changed(&self, definition: &WorkflowDefinition) -> Option<WorkflowDefinition> {
        let mut changed = None;
        for change in &self.changes {
            let ForkChange::Parameter { node, path, value } = change else { continue };
            let definition = changed.get_or_insert_with(|| definition.clone());
            if let Some(node) = definition.nodes.iter_mut().find(|candidate| candidate.name == *node) {
                set_parameter(&mut node.parameters, path, value.clone());
            }
        }
        changed
    }

    /// From where it goes on.
    pub fn point(&self) -> ForkPoint {
        let Self { of, origin, revision, position, reason, .. } = self;
        ForkPoint { origin: *origin, of: *of, revision: *revision, position: *position, reason: reason.clone() }
    }
}

/// Sets what is at a JSON pointer; false when there is nothing that it could be put into.
pub fn set_parameter(parameters: &mut Value, path: &str, value: Value) -> bool {
    if let Some(there) = parameters.pointer_mut(path) {
        *there = value;
        return true;
    }
    let Some((parent, key)) = path.rsplit_once('/') else { return false };
    let Some(Value::Object(fields)) = parameters.pointer_mut(parent) else { return false };
    fields.insert(key.replace("~1", "/").replace("~0", "~"), value);
    true
}
