//! What may be asked of an execution.

use std::sync::Arc;

use super::{Breakpoint, Continuation, ExecutionEvent, ForkFacts, ResumeCause, RetryFacts, StartFacts};
use crate::ids::ExecutionId;
use crate::item::Item;

/// A request to one execution.
#[derive(Debug, Clone, PartialEq)]
pub enum ExecutionCommand {
    /// Begin.
    Start(Arc<StartFacts>),
    /// Go on where another stream ended. Only the engine sends this.
    Continue(Box<Continuation>),
    /// Begin where another execution failed.
    Retry(Box<RetryFacts>),
    /// Begin at an event of another execution.
    Fork(Box<ForkFacts>),
    /// Stand still before the next node.
    Pause {
        /// Why, in the person's words.
        reason: String,
        /// Now, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Go on after a pause.
    Unpause {
        /// Whether it pauses again before the node after the next.
        step: bool,
    },
    /// Change where it pauses.
    ChangeBreakpoints {
        /// All that count from now on.
        breakpoints: Vec<Breakpoint>,
    },
    /// End the wait of a node.
    Resume {
        /// What ends it.
        cause: ResumeCause,
        /// What the node gives; `None` passes its input on.
        items: Option<Vec<Item>>,
    },
    /// Take down that another execution tries this failed one again.
    NoteRetry {
        /// The other one.
        execution: ExecutionId,
    },
    /// Take down that a failure needs no attention any more.
    Dismiss {
        /// Why, in the person's words.
        reason: String,
    },
    /// Stop as soon as possible.
    Cancel {
        /// Why, in the person's words.
        reason: String,
    },
    /// Take down what the engine did. Only the engine sends this.
    Record(Box<ExecutionEvent>),
}
