//! The id of a run that a node of an execution asks for.

use uuid::Uuid;

use crate::ids::{AgentRunId, ExecutionId};

/// The id of the run that an ask of a node run begins: `number` counts the asks of the node run, and `failures` those runs of the
/// same ask that failed before. `root` is the execution that asks, by its first link.
pub fn asked_id(root: ExecutionId, execution_index: usize, number: usize, failures: u32) -> AgentRunId {
    let name = format!("agent/{execution_index}/{number}/{failures}");
    AgentRunId(Uuid::new_v5(&root.0, name.as_bytes()))
}
