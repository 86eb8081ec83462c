//! What may be asked of a run.

use super::event::AgentRunEvent;
use super::facts::{AgentForkFacts, AgentRunFacts};

/// A request to one run.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentRunCommand {
    /// Begin.
    Start(Box<AgentRunFacts>),
    /// Begin at a turn of another run.
    Fork(Box<AgentForkFacts>),
    /// Take down what came of an action. Only who carries it out sends this.
    Take(Box<AgentRunEvent>),
    /// Let a call happen.
    Approve {
        /// The call; absent = the one that waits.
        call: Option<String>,
        /// What is said of it.
        note: String,
        /// Now, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Let a call not happen.
    Deny {
        /// The call; absent = the one that waits.
        call: Option<String>,
        /// Why.
        reason: String,
        /// Now, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Stand still.
    Pause {
        /// Why.
        reason: String,
        /// Now, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Go on.
    Resume {
        /// Now, in milliseconds since 1970.
        at_ms: i64,
    },
    /// End.
    Cancel {
        /// Why.
        reason: String,
        /// Now, in milliseconds since 1970.
        at_ms: i64,
    },
}
