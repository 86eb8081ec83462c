//! The Execution aggregate: one run of a workflow, node by node.
//!
//! Its events carry the items that nodes gave, so that any moment of a run can be looked at again.

mod command;
mod event;
mod refusal;
mod state;

pub use command::ExecutionCommand;
pub use event::{ExecutionEvent, ExecutionMode, NodeFacts, StartFacts};
pub use refusal::ExecutionRefusal;
pub use state::{Execution, ExecutionStatus, NodeRunState, NodeRunStatus};
