//! The AgentRun aggregate: one task of an agent, from what it was given to what it answered, event by event.
//!
//! [`AgentRun::next`] says what is to be done next, from the state alone; who carries it out writes down what came of it, and
//! [`AgentRun::admits`] lets nothing else in. Invariant: whoever folds the same events does the same next, asks the model
//! with the same words, and asks nobody what was answered before.

mod action;
mod admit;
mod apply;
mod asked;
mod command;
mod event;
mod facts;
mod fork;
mod listed;
mod refusal;
mod replay;
mod request;
mod state;

pub use action::{AgentAction, AskWhy, TOOL_ATTEMPTS_MAX};
pub use asked::asked_id;
pub use command::AgentRunCommand;
pub use event::{AgentRunEvent, ApprovalReason, ModelTurn};
pub use facts::{
    AgentCaller, AgentCarried, AgentForkChanges, AgentForkFacts, AgentPlan, AgentRunFacts, ToolResultChange,
};
pub use fork::InvalidFork;
pub use refusal::AgentRunRefusal;
pub use replay::{AgentReplay, Deviation, replayed};
pub use state::{AgentLineage, AgentRun, AgentRunStatus, CallState, Spent, ToolCall};

/// How often a question is asked again that was not answered.
pub const MODEL_TRIES_MAX: u32 = 4;
/// How often an answer that is not as it should be is sent back.
pub const REPAIRS_MAX: u32 = 2;
/// Most calls of tools that one answer of a model may ask for.
pub const CALLS_PER_TURN_MAX: usize = 32;
/// Most bytes of everything that was said in a run.
pub const TRANSCRIPT_BYTES_MAX: usize = 8 << 20;
/// Most bytes of one answer of a model.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Most bytes of what a run is given, as JSON.
pub const INPUT_BYTES_MAX: usize = 1 << 20;
