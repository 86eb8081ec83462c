//! The folded run.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::event::ApprovalReason;
use super::facts::AgentRunFacts;
use crate::agent::{AgentTool, ToolAction};
use crate::agent_memory::Exchange;
use crate::chat::Message;
use crate::ids::AgentRunId;
use crate::money::Money;

/// With what the names of questions about tools begin: they come before the first turn.
pub(super) const ABOUT_TOOLS: &str = "0.";

/// A run as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentRun {
    /// With what it began; `None` before.
    pub facts: Option<Box<AgentRunFacts>>,
    /// The run that it goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<AgentLineage>,
    /// How far it is.
    pub status: AgentRunStatus,
    /// What was said in earlier runs; `None` before that was looked up.
    pub memory: Option<Vec<Exchange>>,
    /// Digests of the lists that servers gave, by the grants that name them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub listed: BTreeMap<String, String>,
    /// The tools on those lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<AgentTool>,
    /// What was said after the input.
    pub messages: Vec<Message>,
    /// The question that is asked, or is next; 1 is the first.
    pub turn: u32,
    /// The try at it that was begun and has not ended.
    pub asked: Option<u32>,
    /// Tries at it that failed.
    pub failures: u32,
    /// When it is asked again.
    pub retry_at_ms: Option<i64>,
    /// Why the question is not asked again: the model failed for good.
    pub failed_for_good: Option<(String, String)>,
    /// Calls that the newest answer asks for, until all are done.
    pub calls: Vec<ToolCall>,
    /// Those of the turn before, whose results are the newest messages.
    pub last_calls: Vec<ToolCall>,
    /// The text that is to be the answer.
    pub candidate: Option<String>,
    /// Answers that were sent back.
    pub repairs: u32,
    /// Tools whose first call somebody let happen.
    pub approved: BTreeSet<String>,
    /// Calls of each tool.
    pub calls_by_tool: BTreeMap<String, u32>,
    /// What it took so far.
    pub spent: Spent,
    /// Milliseconds that it waited for people.
    pub waited_ms: i64,
    /// When it was paused, or since when a pause counts beside the wait for an approval in it.
    pub paused_at_ms: Option<i64>,
    /// Whether what was asked and answered is remembered.
    pub remembered: bool,
    /// What it came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// Why it came to nothing: a word, and the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<(String, String)>,
    /// When it ended, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at_ms: Option<i64>,
}

/// The run that a fork goes on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentLineage {
    /// The run.
    pub of: AgentRunId,
    /// The run from which all of its line come.
    pub origin: AgentRunId,
    /// Revision of the last event that was taken over.
    pub revision: u64,
    /// The turn that it began with.
    pub turn: u32,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentRunStatus {
    /// There is none yet.
    #[default]
    New,
    /// It is under way.
    Running,
    /// It waits for somebody's approval.
    WaitingForApproval,
    /// It stands still until somebody says so.
    Paused,
    /// It came to its answer.
    Completed,
    /// It came to no answer.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

impl AgentRunStatus {
    /// The word for it, as events and APIs write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Running => "running",
            Self::WaitingForApproval => "waiting_for_approval",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing happens to it any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// What a run took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Answers of the model.
    pub turns: u32,
    /// Calls of tools.
    pub tool_calls: u32,
    /// Tokens that the model read.
    pub input_tokens: u64,
    /// Tokens that it wrote.
    pub output_tokens: u64,
    /// What the answers cost whose price is known.
    pub cost: Money,
}

impl Spent {
    /// All tokens.
    pub fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

/// A call of a tool that a model asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Its turn and its place in it, such as `2.0`.
    pub call: String,
    /// How the provider calls it.
    pub provider_call: String,
    /// The tool that the model named.
    pub tool: String,
    /// The arguments as the model wrote them.
    pub arguments: String,
    /// How far it is.
    pub state: CallState,
    /// Attempts that were begun.
    #[serde(default)]
    pub attempts: u32,
}

/// How far a call of a tool is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum CallState {
    /// Nothing was done about it.
    Due,
    /// Somebody is asked.
    Asked {
        /// Since when, in milliseconds since 1970.
        since_ms: i64,
        /// Until when, in milliseconds since 1970.
        expires_at_ms: i64,
        /// Why.
        reason: ApprovalReason,
    },
    /// Somebody let it happen.
    Approved,
    /// It was begun.
    Called,
    /// It is done, and this is what the model is told.
    Done {
        /// What.
        content: String,
        /// Whether it failed.
        failed: bool,
        /// Whether it is what a tool gave, and so nothing to be believed.
        from_tool: bool,
    },
}

impl ToolCall {
    /// Whether it is no call of a model's, but the question whether the tools that a server lists now may be used.
    pub fn is_about_tools(&self) -> bool {
        self.call.starts_with(ABOUT_TOOLS)
    }
}

impl AgentRun {
    /// The tools that the model may call: those of the plan, and those that servers listed.
    pub fn tools(&self) -> impl Iterator<Item = &AgentTool> {
        let planned = self.facts.as_deref().into_iter().flat_map(|facts| &facts.plan.tools);
        planned.filter(|tool| !matches!(tool.does, ToolAction::Mcp(_))).chain(&self.found)
    }

    /// The tool of that name, where the model may call it.
    pub fn tool(&self, name: &str) -> Option<&AgentTool> {
        self.tools().find(|tool| tool.name == name)
    }

    /// The call that is to be done next.
    pub fn open_call(&self) -> Option<&ToolCall> {
        self.calls.iter().find(|call| !matches!(call.state, CallState::Done { .. }))
    }

    /// The call of that name among those that are to be done.
    pub fn call(&self, name: &str) -> Option<&ToolCall> {
        self.calls.iter().find(|call| call.call == name)
    }

    /// When it must have ended, in milliseconds since 1970.
    pub fn deadline_ms(&self) -> Option<i64> {
        let facts = self.facts.as_deref()?;
        let time_ms = i64::try_from(facts.plan.limits.time_ms).unwrap_or(i64::MAX);
        Some(facts.at_ms.saturating_add(time_ms).saturating_add(self.waited_ms))
    }
}
