//! The Execution aggregate: one run of a workflow, node by node.
//!
//! Its events carry the items that nodes gave, so that any moment of a run can be looked at again. A very long run is a
//! chain of streams, each an aggregate of its own.

mod command;
mod continuation;
mod event;
mod frequent;
mod refusal;
mod state;

pub use command::ExecutionCommand;
pub use continuation::{ChainPlace, Continuation, DueNode, WaitingNode};
pub use event::{ExecutionEvent, ExecutionMode, NodeFacts, StartFacts};
pub use refusal::ExecutionRefusal;
pub use state::{Execution, ExecutionStatus, NodeRunState, NodeRunStatus};
