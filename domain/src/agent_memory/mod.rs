//! The AgentMemory aggregate: what an agent and whoever speaks with it said in earlier runs of a session.
//!
//! Invariant: a run adds to it once, however often it is driven.

mod event;
mod state;

pub use event::{AgentMemoryEvent, Exchange};
pub use state::{AgentMemory, AgentMemoryCommand, AgentMemoryRefusal, SESSION_CHARACTERS_MAX, memory_id};
