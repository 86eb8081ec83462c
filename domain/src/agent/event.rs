//! What happens to an agent.

use serde::{Deserialize, Serialize};

use super::AgentRecord;
use crate::event::Event;
use crate::ids::Slug;
use crate::item::JsonObject;

/// A fact about one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AgentEvent {
    /// Its name was taken.
    AgentRegistered {
        /// Its name.
        name: Slug,
        /// What it is for.
        description: String,
        /// Who answers for it.
        owner: String,
    },
    /// A version of it came out. Runs take it from then on.
    AgentVersionPublished {
        /// 1 for the first.
        version: u32,
        /// SHA-256 of the record as JSON, hexadecimal.
        digest: String,
        /// What it is.
        record: Box<AgentRecord>,
    },
    /// Its configuration is another one, for runs that begin from then on.
    AgentConfigChanged {
        /// All of it.
        config: JsonObject,
    },
    /// It should not be used any more.
    AgentDeprecated {
        /// Why.
        reason: String,
        /// The agent to use instead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replacement: Option<Slug>,
    },
    /// It was put away for good.
    AgentRetired {},
}

impl Event for AgentEvent {
    const CATEGORY: &'static str = "agent";
    const TYPES: &'static [(&'static str, u16)] = &[
        ("AgentRegistered", 1),
        ("AgentVersionPublished", 1),
        ("AgentConfigChanged", 1),
        ("AgentDeprecated", 1),
        ("AgentRetired", 1),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::AgentRegistered { .. } => "AgentRegistered",
            Self::AgentVersionPublished { .. } => "AgentVersionPublished",
            Self::AgentConfigChanged { .. } => "AgentConfigChanged",
            Self::AgentDeprecated { .. } => "AgentDeprecated",
            Self::AgentRetired {} => "AgentRetired",
        }
    }
}
