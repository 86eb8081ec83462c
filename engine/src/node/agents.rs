//! The port by which a node runs an agent.

use std::fmt;

use async_trait::async_trait;
use serde_json::Value;
use timeloom_domain::agent::AgentRecord;
use timeloom_domain::ids::AgentRunId;

use super::{Caller, NodeError};

/// A run of an agent that a node asks for.
#[derive(Debug, Clone)]
pub struct AgentAsk {
    /// Name of the node.
    pub node: String,
    /// The agent.
    pub agent: String,
    /// Its version; `None` takes the newest.
    pub version: Option<u32>,
    /// What the agent is, where the node brings it along.
    pub record: Option<Box<AgentRecord>>,
    /// What it is given.
    pub input: Value,
    /// The session whose earlier runs are remembered.
    pub session: Option<String>,
    /// Which of the node run's runs this is; 0 is the first. The same again is the same run.
    pub number: usize,
}

/// What a run of an agent came to.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentAnswer {
    /// The run.
    pub run: AgentRunId,
    /// Its answer.
    pub output: Value,
    /// The calls of tools that led to it.
    pub steps: Vec<AgentStep>,
}

/// A call of a tool in a run of an agent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AgentStep {
    /// How the provider calls it.
    pub id: String,
    /// The tool.
    pub tool: String,
    /// What the model filled in, as it wrote it.
    pub arguments: String,
    /// What the model was told of it.
    pub observation: String,
}

/// Runs agents for nodes.
#[async_trait]
pub trait Agents: Send + Sync + fmt::Debug {
    /// Begins a run, or finds the one that this node run began before, and waits for its end. Dropping the wait lets the run go
    /// on.
    ///
    /// # Errors
    /// [`NodeError`] when it cannot begin, failed or was cancelled.
    async fn run(&self, caller: &Caller, ask: AgentAsk) -> Result<AgentAnswer, NodeError>;
}

/// For places where no agent can be run.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAgents;

#[async_trait]
impl Agents for NoAgents {
    async fn run(&self, _caller: &Caller, _ask: AgentAsk) -> Result<AgentAnswer, NodeError> {
        Err(NodeError::operation("agents cannot be run here").described("run the workflow on a server"))
    }
}
