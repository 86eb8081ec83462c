//! What happens to a run of an agent.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::facts::{AgentForkFacts, AgentRunFacts};
use crate::agent::ListedTool;
use crate::agent_memory::Exchange;
use crate::chat::{FinishReason, Part, Usage};
use crate::event::Event;
use crate::execution::ExecutionEvent;
use crate::ids::ModelCallId;
use crate::item::JsonObject;
use crate::money::Money;

/// A fact about one run of an agent. Calls of tools are named by their turn and their place in it, such as `2.0`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AgentRunEvent {
    /// It began.
    AgentRunStarted(Box<AgentRunFacts>),
    /// It began at a turn of another run.
    AgentRunForked(Box<AgentForkFacts>),
    /// What was said in earlier runs of the session was looked up.
    AgentMemoryRead {
        /// What was said, oldest first.
        exchanges: Vec<Exchange>,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// A server of the Model Context Protocol said which tools it has. The run keeps to that list.
    AgentToolsListed {
        /// The grant that names the server.
        tool: String,
        /// The server's address, or the name of a command.
        server: String,
        /// What the server calls itself.
        name: String,
        /// Which version of itself it says that it is.
        version: String,
        /// The revision of the protocol that it speaks.
        protocol: String,
        /// SHA-256 of the tools that were granted, hexadecimal.
        digest: String,
        /// The tools that were granted, as it describes them.
        tools: Vec<ListedTool>,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// The model is being asked.
    AgentModelAsked {
        /// Which question; 1 is the first.
        turn: u32,
        /// Which try at it; 1 is the first.
        attempt: u32,
        /// SHA-256 of everything that it is asked, hexadecimal.
        request_digest: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// The model answered.
    AgentModelAnswered {
        /// Which question.
        turn: u32,
        /// What it answered.
        answer: Box<ModelTurn>,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// The model did not answer.
    AgentModelFailed {
        /// Which question.
        turn: u32,
        /// Why, as a word.
        code: String,
        /// Why.
        message: String,
        /// When it is asked again, in milliseconds since 1970; absent = it is not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at_ms: Option<i64>,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// The model's answer was sent back: it is not what the run is to give.
    AgentOutputRejected {
        /// Which question.
        turn: u32,
        /// What is wrong with it.
        message: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// The model wanted a tool called, and that was not let happen.
    AgentToolRefused {
        /// The call.
        call: String,
        /// The tool that it named.
        tool: String,
        /// Why, as a word: `NOT_GRANTED`, `INVALID_ARGUMENTS`, `CALLS_MAX`.
        code: String,
        /// Why, as the model is told.
        message: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Somebody is asked whether a call may happen.
    AgentApprovalRequested {
        /// The call.
        call: String,
        /// The tool.
        tool: String,
        /// All of its arguments.
        arguments: JsonObject,
        /// Why somebody is asked.
        reason: ApprovalReason,
        /// Until when that is waited for, in milliseconds since 1970.
        expires_at_ms: i64,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Somebody let a call happen.
    AgentApprovalGiven {
        /// The call.
        call: String,
        /// What they said of it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Somebody did not let a call happen.
    AgentApprovalDenied {
        /// The call.
        call: String,
        /// Why, as the model is told.
        reason: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// A tool is being called.
    AgentToolCalled {
        /// The call.
        call: String,
        /// The tool.
        tool: String,
        /// All of its arguments.
        arguments: JsonObject,
        /// The same in every attempt at this call, after a crash too.
        idempotency_key: String,
        /// Which attempt; 1 is the first.
        attempt: u32,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// A tool answered.
    AgentToolAnswered {
        /// The call.
        call: String,
        /// What it gave, with marks in place of secrets.
        content: String,
        /// How many bytes that had before it was cut off; absent = it was not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cut_off_from_bytes: Option<u64>,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// A call failed.
    AgentToolFailed {
        /// The call.
        call: String,
        /// Why, as a word.
        code: String,
        /// Why, as the model is told.
        message: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// What was asked and answered is remembered for later runs of the session.
    AgentMemoryWritten {
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// It stands still until somebody says so.
    AgentRunPaused {
        /// Why.
        reason: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// It goes on.
    AgentRunResumed {
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Somebody ended it.
    AgentRunCancelled {
        /// Why.
        reason: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// It came to its answer.
    AgentRunCompleted {
        /// The answer.
        output: Value,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// It came to no answer.
    AgentRunFailed {
        /// Why, as a word, such as `TURNS_EXHAUSTED`.
        code: String,
        /// Why, and what to do.
        message: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
}

/// What a model answered in one turn.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelTurn {
    /// The call by which the gateway knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<ModelCallId>,
    /// The provider that answered; absent where the answer was there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model that answered, as the provider says.
    pub model: String,
    /// What it said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Why it ended there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<FinishReason>,
    /// Tokens that it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What it cost, where the price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
}

/// Why somebody is asked whether a call may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalReason {
    /// The agent's record says so.
    Granted,
    /// The call was begun, nobody knows whether it happened, and it may not be made again by itself.
    Interrupted,
    /// A server lists other tools than those for which the grant was made. Nothing is called: this is about its tools.
    ToolsChanged,
}

impl AgentRunEvent {
    /// When it happened, in milliseconds since 1970.
    pub fn at_ms(&self) -> i64 {
        match self {
            Self::AgentRunStarted(facts) => facts.at_ms,
            Self::AgentRunForked(fork) => fork.facts.at_ms,
            Self::AgentMemoryRead { at_ms, .. }
            | Self::AgentToolsListed { at_ms, .. }
            | Self::AgentModelAsked { at_ms, .. }
            | Self::AgentModelAnswered { at_ms, .. }
            | Self::AgentModelFailed { at_ms, .. }
            | Self::AgentOutputRejected { at_ms, .. }
            | Self::AgentToolRefused { at_ms, .. }
            | Self::AgentApprovalRequested { at_ms, .. }
            | Self::AgentApprovalGiven { at_ms, .. }
            | Self::AgentApprovalDenied { at_ms, .. }
            | Self::AgentToolCalled { at_ms, .. }
            | Self::AgentToolAnswered { at_ms, .. }
            | Self::AgentToolFailed { at_ms, .. }
            | Self::AgentMemoryWritten { at_ms }
            | Self::AgentRunPaused { at_ms, .. }
            | Self::AgentRunResumed { at_ms }
            | Self::AgentRunCancelled { at_ms, .. }
            | Self::AgentRunCompleted { at_ms, .. }
            | Self::AgentRunFailed { at_ms, .. } => *at_ms,
        }
    }
}

impl Event for AgentRunEvent {
    const CATEGORY: &'static str = "agent-run";
    const TYPES: &'static [(&'static str, u16)] = &[
        ("AgentRunStarted", 1),
        ("AgentRunForked", 1),
        ("AgentMemoryRead", 1),
        ("AgentToolsListed", 1),
        ("AgentModelAsked", 1),
        ("AgentModelAnswered", 1),
        ("AgentModelFailed", 1),
        ("AgentOutputRejected", 1),
        ("AgentToolRefused", 1),
        ("AgentApprovalRequested", 1),
        ("AgentApprovalGiven", 1),
        ("AgentApprovalDenied", 1),
        ("AgentToolCalled", 1),
        ("AgentToolAnswered", 1),
        ("AgentToolFailed", 1),
        ("AgentMemoryWritten", 1),
        ("AgentRunPaused", 1),
        ("AgentRunResumed", 1),
        ("AgentRunCancelled", 1),
        ("AgentRunCompleted", 1),
        ("AgentRunFailed", 1),
    ];

    /// The execution that asked for it, or the run that it goes on from.
    fn subject_stream(&self) -> Option<(&'static str, String)> {
        match self {
            Self::AgentRunStarted(facts) => {
                facts.caller.as_ref().map(|caller| (ExecutionEvent::CATEGORY, caller.execution.to_string()))
            }
            Self::AgentRunForked(fork) => Some((Self::CATEGORY, fork.of.to_string())),
            _ => None,
        }
    }

    fn event_type(&self) -> &'static str {
        match self {
            Self::AgentRunStarted(_) => "AgentRunStarted",
            Self::AgentRunForked(_) => "AgentRunForked",
            Self::AgentMemoryRead { .. } => "AgentMemoryRead",
            Self::AgentToolsListed { .. } => "AgentToolsListed",
            Self::AgentModelAsked { .. } => "AgentModelAsked",
            Self::AgentModelAnswered { .. } => "AgentModelAnswered",
            Self::AgentModelFailed { .. } => "AgentModelFailed",
            Self::AgentOutputRejected { .. } => "AgentOutputRejected",
            Self::AgentToolRefused { .. } => "AgentToolRefused",
            Self::AgentApprovalRequested { .. } => "AgentApprovalRequested",
            Self::AgentApprovalGiven { .. } => "AgentApprovalGiven",
            Self::AgentApprovalDenied { .. } => "AgentApprovalDenied",
            Self::AgentToolCalled { .. } => "AgentToolCalled",
            Self::AgentToolAnswered { .. } => "AgentToolAnswered",
            Self::AgentToolFailed { .. } => "AgentToolFailed",
            Self::AgentMemoryWritten { .. } => "AgentMemoryWritten",
            Self::AgentRunPaused { .. } => "AgentRunPaused",
            Self::AgentRunResumed { .. } => "AgentRunResumed",
            Self::AgentRunCancelled { .. } => "AgentRunCancelled",
            Self::AgentRunCompleted { .. } => "AgentRunCompleted",
            Self::AgentRunFailed { .. } => "AgentRunFailed",
        }
    }
}
