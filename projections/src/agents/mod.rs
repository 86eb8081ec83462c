//! Agents and their runs. What was said and done in a run is read from its events.

mod agent;
mod questions;
mod run;

pub use agent::AgentRow;
pub(crate) use agent::Agents;
pub(crate) use run::AgentRuns;
pub use run::{AgentRunFilter, AgentRunRow, AgentRunSummary};
