//! What may be asked of an execution.

use super::{Continuation, ExecutionEvent, StartFacts};

/// A request to one execution.
#[derive(Debug, Clone, PartialEq)]
pub enum ExecutionCommand {
    /// Begin.
    Start(Box<StartFacts>),
    /// Go on where another stream ended. Only the engine sends this.
    Continue(Box<Continuation>),
    /// Stop as soon as possible.
    Cancel {
        /// Why, in the person's words.
        reason: String,
    },
    /// Take down what the engine did. Only the engine sends this.
    Record(Box<ExecutionEvent>),
}
