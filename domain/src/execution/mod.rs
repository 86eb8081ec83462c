//! The Execution aggregate: one run of a workflow, node by node.
//!
//! Its events carry the items that nodes gave, so that any moment of a run can be looked at again. A very long run is a
//! chain of streams, each an aggregate of its own.

mod answer;
mod command;
mod continuation;
mod decide;
mod event;
mod fork;
mod frequent;
mod origin;
mod refusal;
mod response;
mod state;

pub use answer::AnswerSettings;
pub use command::ExecutionCommand;
pub use continuation::{ChainPlace, Continuation, DueNode, RetryFacts, WaitingNode};
pub use event::{ExecutionEvent, ExecutionMode, NodeFacts, StartFacts};
pub use fork::{ForkChange, ForkEffects, ForkFacts, ForkPoint, set_parameter};
pub use origin::{
    Breakpoint, PauseReason, ResumeCause, ResumeKind, ResumeRule, RunOptions, TriggerFacts, TriggerKind, called_id,
};
pub use refusal::ExecutionRefusal;
pub use response::{Response, ResponseBody};
pub use state::{Execution, ExecutionStatus, NodeRunState, NodeRunStatus, Wait};
