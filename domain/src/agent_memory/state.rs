//! The folded memory, and its decisions.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{AgentMemoryEvent, Exchange};
use crate::event::Aggregate;
use crate::ids::Slug;

/// Longest name of a session, in characters.
pub const SESSION_CHARACTERS_MAX: usize = 200;

/// A memory as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentMemory {
    /// The exchanges, oldest first.
    pub exchanges: VecDeque<Exchange>,
}

/// A request to one memory.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentMemoryCommand {
    /// Remember what a run came to.
    Remember {
        /// Whose memory it is.
        agent: Slug,
        /// The session.
        session: String,
        /// The exchange.
        exchange: Exchange,
        /// How many are kept.
        exchanges_max: u32,
    },
    /// Forget everything.
    Clear,
}

/// Why a memory says no: it never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AgentMemoryRefusal {}

/// The id of an agent's memory of a session.
pub fn memory_id(agent: &Slug, session: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{agent}\n{session}").as_bytes())
}

impl Aggregate for AgentMemory {
    const FOLD_VERSION: u32 = 1;

    type Event = AgentMemoryEvent;
    type Command = AgentMemoryCommand;
    type Refusal = AgentMemoryRefusal;

    fn apply(&mut self, event: &AgentMemoryEvent) {
        match event {
            AgentMemoryEvent::AgentExchangeRemembered { exchange, exchanges_max, .. } => {
                self.exchanges.push_back(exchange.clone());
                let surplus = self.exchanges.len().saturating_sub(*exchanges_max as usize);
                self.exchanges.drain(..surplus);
            }
            AgentMemoryEvent::AgentMemoryCleared {} => self.exchanges.clear(),
        }
    }

    fn decide(&self, command: &AgentMemoryCommand) -> Result<Vec<AgentMemoryEvent>, AgentMemoryRefusal> {
        Ok(match command {
            AgentMemoryCommand::Remember { exchange, .. }
                if self.exchanges.iter().any(|known| known.run == exchange.run) =>
            {
                Vec::new()
            }
            AgentMemoryCommand::Remember { agent, session, exchange, exchanges_max } => {
                let (agent, session, exchange) = (agent.clone(), session.clone(), exchange.clone());
                let exchanges_max = *exchanges_max;
                vec![AgentMemoryEvent::AgentExchangeRemembered { agent, session, exchange, exchanges_max }]
            }
            AgentMemoryCommand::Clear if self.exchanges.is_empty() => Vec::new(),
            AgentMemoryCommand::Clear => vec![AgentMemoryEvent::AgentMemoryCleared {}],
        })
    }
}
