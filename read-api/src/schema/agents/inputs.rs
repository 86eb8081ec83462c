//! What changes of agents and their runs take.

use async_graphql::InputObject;
use serde_json::Value;
use uuid::Uuid;

use crate::schema::start::WaitFor;

/// A name for an agent.
#[derive(Debug, InputObject)]
pub(crate) struct RegisterAgentInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// What it is for.
    #[graphql(default)]
    pub description: String,
    /// Who answers for it; absent = whoever registers it.
    pub owner: Option<String>,
}

/// A version of an agent to publish; it gets the next number.
#[derive(Debug, InputObject)]
pub(crate) struct PublishAgentVersionInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the agent is at this revision.
    pub expected_revision: Option<u64>,
    /// The agent.
    pub name: String,
    /// What it is: see docs/agents.md.
    pub record: Value,
}

/// A configuration with which runs begin.
#[derive(Debug, InputObject)]
pub(crate) struct ConfigureAgentInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the agent is at this revision.
    pub expected_revision: Option<u64>,
    /// The agent.
    pub name: String,
    /// All of the configuration: an object.
    pub config: Value,
}

/// An agent that should not be used any more.
#[derive(Debug, InputObject)]
pub(crate) struct DeprecateAgentInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the agent is at this revision.
    pub expected_revision: Option<u64>,
    /// The agent.
    pub name: String,
    /// Why: 1 to 1,000 characters.
    pub reason: String,
    /// The agent to use instead.
    pub replacement: Option<String>,
}

/// An agent to put away for good.
#[derive(Debug, InputObject)]
pub(crate) struct RetireAgentInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the agent is at this revision.
    pub expected_revision: Option<u64>,
    /// The agent.
    pub name: String,
}

/// A run of an agent to begin.
#[derive(Debug, InputObject)]
pub(crate) struct StartAgentRunInput {
    /// Makes this the same command as an earlier one with this id; it is the run's id, too.
    pub command_id: Option<Uuid>,
    /// The agent.
    pub agent: String,
    /// Its version; absent = the newest.
    pub version: Option<u32>,
    /// What it is given.
    pub input: Value,
    /// The session whose earlier runs are remembered, where the agent remembers.
    pub session: Option<String>,
    /// What to wait for before answering.
    #[graphql(default_with = "WaitFor::Started")]
    pub wait_for: WaitFor,
    /// How long to wait, in milliseconds: at most 300,000. The run goes on after that.
    #[graphql(default = 30_000)]
    pub timeout_ms: u64,
}

/// What is other in a fork, and where it begins.
#[derive(Debug, InputObject)]
pub(crate) struct ForkAgentRunInput {
    /// Makes this the same command as an earlier one with this id; it is the new run's id, too.
    pub command_id: Option<Uuid>,
    /// The run from which it goes on.
    pub run_id: Uuid,
    /// The turn that it begins with; absent = the one after the calls whose results are changed, else the first.
    pub turn: Option<u32>,
    /// What the model is told to be and do.
    pub prompt: Option<String>,
    /// The route by which the model is asked.
    pub model: Option<String>,
    /// How far it may go: the limits of an agent's record.
    pub limits: Option<Value>,
    /// What tools are to have given in the turn before.
    #[graphql(default)]
    pub tool_results: Vec<ToolResultInput>,
    /// Why, for those who read its history.
    #[graphql(default)]
    pub reason: String,
    /// What to wait for before answering.
    #[graphql(default_with = "WaitFor::Started")]
    pub wait_for: WaitFor,
    /// How long to wait, in milliseconds: at most 300,000. The run goes on after that.
    #[graphql(default = 30_000)]
    pub timeout_ms: u64,
}

/// What a tool is to have given.
#[derive(Debug, InputObject)]
pub(crate) struct ToolResultInput {
    /// The call: its turn and its place in it, such as `1.0`.
    pub call: String,
    /// What it gave.
    pub content: String,
}

/// Whether a call may happen.
#[derive(Debug, InputObject)]
pub(crate) struct GiveApprovalInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// The run.
    pub run_id: Uuid,
    /// The call that is meant; absent = the one that waits.
    pub call: Option<String>,
    /// Whether it may happen.
    pub approves: bool,
    /// What is said of it. Why, where it may not: the model is told.
    #[graphql(default)]
    pub note: String,
}

/// A run, and why something is done to it.
#[derive(Debug, InputObject)]
pub(crate) struct AgentRunReasonInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// The run.
    pub run_id: Uuid,
    /// Why: 1 to 1,000 characters.
    pub reason: String,
}

/// A paused run that goes on.
#[derive(Debug, InputObject)]
pub(crate) struct ResumeAgentRunInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// The run.
    pub run_id: Uuid,
}

/// A session that an agent is to forget.
#[derive(Debug, InputObject)]
pub(crate) struct ClearAgentMemoryInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// The agent.
    pub name: String,
    /// The session.
    pub session: String,
}
