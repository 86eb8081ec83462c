//! Why a run says no.

use super::fork::InvalidFork;
use super::state::AgentRunStatus;
use crate::agent::REASON_CHARACTERS_MAX;

/// Why a run says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentRunRefusal {
    /// There is one already.
    #[error("a run with this id exists already: use a new id")]
    AlreadyExists,
    /// There is none.
    #[error("there is no run of an agent with this id")]
    NotFound,
    /// It is over.
    #[error("the run is over, it is {}: fork it to go on", .0.name())]
    Over(AgentRunStatus),
    /// Nobody is asked for approval.
    #[error("the run waits for nobody's approval{}", .0.as_ref().map(|call| format!(" of call {call}")).unwrap_or_default())]
    NothingToApprove(Option<String>),
    /// Nobody answered in time.
    #[error("nobody said in time whether the call may happen: fork the run to ask again")]
    ApprovalExpired,
    /// It is not paused.
    #[error("the run is not paused")]
    NotPaused,
    /// A text is too long or missing.
    #[error("give a reason of 1 to {REASON_CHARACTERS_MAX} characters")]
    InvalidReason,
    /// What was done is not what was next.
    #[error("the run has gone on: what was done is not what is next")]
    OutOfTurn,
    /// It cannot be forked so.
    #[error(transparent)]
    Fork(#[from] InvalidFork),
}
