//! Drives runs of agents: does what is next, writes down what came of it, and begins anew.
//!
//! What is next is decided in [`timeloom_domain::agent_run`]; here it is only carried out. A question is written down before
//! it is asked and an answer before it is used, so that a run goes on after a crash from its last event and asks nobody what
//! was answered. Any number of processes may follow the log: who has the lease of a run's shard drives it, and where two do
//! for a moment, the first word stands. Never reads a projection.

mod ask;
mod calls;
mod conclude;
mod drive;
mod follow;
mod look_back;
mod mcp;
mod open;
mod runs;
mod tools;

pub use calls::AgentCalls;
pub use runs::{AgentRuns, AgentRunsParts, Drives};

/// Who sends the commands of runs.
pub const AGENTS_ACTOR: &str = "agents";
