//! What may be asked of an agent.

use super::AgentRecord;
use crate::ids::Slug;
use crate::item::JsonObject;

/// A request to change one agent.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentCommand {
    /// Take its name.
    Register {
        /// Its name.
        name: Slug,
        /// What it is for.
        description: String,
        /// Who answers for it.
        owner: String,
    },
    /// Let a version come out; it gets the next number.
    Publish {
        /// What it is.
        record: Box<AgentRecord>,
    },
    /// Let runs begin with another configuration.
    Configure {
        /// All of it.
        config: JsonObject,
    },
    /// Say that it should not be used any more.
    Deprecate {
        /// Why.
        reason: String,
        /// The agent to use instead.
        replacement: Option<Slug>,
    },
    /// Put it away for good.
    Retire,
}
