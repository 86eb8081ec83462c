//! Why an execution says no.

use crate::ids::ExecutionId;

/// A refused command, in words for the person who sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecutionRefusal {
    /// There is one already.
    #[error("an execution with this id exists already: use a new id")]
    AlreadyExists,
    /// There is none.
    #[error("there is no execution with this id: list the executions to find it")]
    NotFound,
    /// It ended.
    #[error("the execution has ended as {0}: start a new one")]
    Ended(&'static str),
    /// It goes on in another stream.
    #[error("the execution goes on as {0}: use that id")]
    Continued(ExecutionId),
    /// It waits for nothing.
    #[error("the execution does not wait at this moment: look at its state")]
    NotWaiting,
    /// It did not fail.
    #[error("the execution is {0}: only one that failed or was cancelled can be retried or dismissed")]
    NotFailed(&'static str),
    /// A breakpoint names no node.
    #[error("a breakpoint needs the name of a node")]
    EmptyBreakpoint,
    /// The engine recorded something that cannot follow.
    #[error("'{event}' of node '{node}' cannot follow: {detail}")]
    OutOfOrder {
        /// The event.
        event: &'static str,
        /// The node.
        node: String,
        /// Why not.
        detail: String,
    },
}
