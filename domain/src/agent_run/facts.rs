//! With what a run begins.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::state::ToolCall;
use crate::agent::{AgentFallback, AgentKind, AgentLimits, AgentMemorySettings, AgentTool};
use crate::agent_memory::Exchange;
use crate::chat::{Message, Sampling};
use crate::ids::{AgentRunId, ExecutionId, Slug, WorkflowId};

/// Everything that decides what a run does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentRunFacts {
    /// The agent. One that a node of a workflow brings along has the workflow's name, `workflow/ID`.
    pub agent: Slug,
    /// Its version; 0 where a node brought it along.
    pub version: u32,
    /// Revision of the agent's stream at which that was looked up.
    pub agent_revision: u64,
    /// What of the version the run keeps to.
    pub plan: Box<AgentPlan>,
    /// What it is given.
    pub input: Value,
    /// The session whose earlier runs are remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What of a workflow asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<AgentCaller>,
    /// Seed of all chance in it.
    pub seed: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// What of an agent's version a run keeps to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentPlan {
    /// What kind of agent it is.
    pub kind: AgentKind,
    /// The route by which the model is asked.
    pub model: String,
    /// Who is asked in its place when it cannot answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Box<AgentFallback>>,
    /// What the model is told to be and do, with the values of the configuration.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prompt: String,
    /// SHA-256 of the prompt, hexadecimal.
    pub prompt_digest: String,
    /// How the model chooses words.
    #[serde(default)]
    pub sampling: Sampling,
    /// JSON Schema of what the run gives; absent = a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// What it may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<AgentTool>,
    /// What it remembers from run to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<AgentMemorySettings>,
    /// How far it may go.
    #[serde(default)]
    pub limits: AgentLimits,
}

/// What of a workflow asked for a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCaller {
    /// The workflow.
    pub workflow: WorkflowId,
    /// The execution.
    pub execution: ExecutionId,
    /// Name of the node.
    pub node: String,
    /// How many executions are above the run.
    pub depth: u32,
}

/// With what a run begins that goes on from a turn of another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentForkFacts {
    /// The run that it goes on from.
    pub of: AgentRunId,
    /// The run from which all of its line come.
    pub origin: AgentRunId,
    /// Revision of the last event that it takes over.
    pub revision: u64,
    /// The turn that it begins with.
    pub turn: u32,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What is other than there.
    pub changes: AgentForkChanges,
    /// Everything that decides what it does, changes included.
    pub facts: Box<AgentRunFacts>,
    /// What was said and done there.
    pub carried: Box<AgentCarried>,
}

/// What a fork changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentForkChanges {
    /// What the model is told to be and do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The route by which the model is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How far it may go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<AgentLimits>,
    /// What tools gave in the turn before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_results: Vec<ToolResultChange>,
}

/// What a tool is to have given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResultChange {
    /// The call: its turn and its place in it, such as `2.0`.
    pub call: String,
    /// What it gave.
    pub content: String,
}

/// What was said and done in a run before a turn.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentCarried {
    /// What was remembered of earlier runs; absent = that was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Vec<Exchange>>,
    /// What was said after the input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
    /// The calls of the turn before, whose results are the newest messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub last_calls: Vec<ToolCall>,
    /// Calls of each tool.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub calls_by_tool: BTreeMap<String, u32>,
    /// Tools whose first call somebody let happen.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub approved: BTreeSet<String>,
    /// Answers that were sent back.
    pub repairs: u32,
}
