//! What happens to an agent's memory of a session.

use serde::{Deserialize, Serialize};

use crate::agent_run::AgentRunEvent;
use crate::event::Event;
use crate::ids::{AgentRunId, Slug};

/// What was asked in a run, and what was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// The run.
    pub run: AgentRunId,
    /// What was asked.
    pub asked: String,
    /// What was answered.
    pub answered: String,
}

/// A fact about one memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AgentMemoryEvent {
    /// An exchange came in.
    AgentExchangeRemembered {
        /// Whose memory it is.
        agent: Slug,
        /// The session.
        session: String,
        /// The exchange.
        exchange: Exchange,
        /// How many are kept; the oldest beyond are forgotten.
        exchanges_max: u32,
    },
    /// Everything was forgotten.
    AgentMemoryCleared {},
}

impl Event for AgentMemoryEvent {
    const CATEGORY: &'static str = "agent-memory";
    const TYPES: &'static [(&'static str, u16)] = &[("AgentExchangeRemembered", 1), ("AgentMemoryCleared", 1)];

    /// The run whose exchange it is.
    fn subject_stream(&self) -> Option<(&'static str, String)> {
        match self {
            Self::AgentExchangeRemembered { exchange, .. } => Some((AgentRunEvent::CATEGORY, exchange.run.to_string())),
            Self::AgentMemoryCleared {} => None,
        }
    }

    fn event_type(&self) -> &'static str {
        match self {
            Self::AgentExchangeRemembered { .. } => "AgentExchangeRemembered",
            Self::AgentMemoryCleared {} => "AgentMemoryCleared",
        }
    }
}
