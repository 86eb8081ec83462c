//! What is written down of calls to language models.

use serde::{Deserialize, Serialize};

use crate::agent_run::AgentRunEvent;
use crate::chat::{ErrorClass, Usage};
use crate::event::Event;
use crate::execution::ExecutionEvent;
use crate::ids::{AgentRunId, ExecutionId, ModelCallId, Slug, WorkflowId};
use crate::item::JsonObject;
use crate::money::Money;

/// A fact about a call, or about how a target of calls does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ModelCallEvent {
    /// It was answered.
    ModelCallCompleted {
        /// The call.
        call: Box<ModelCall>,
        /// The answer.
        answer: Box<CallAnswer>,
    },
    /// It could not be answered.
    ModelCallFailed {
        /// The call.
        call: Box<ModelCall>,
        /// What kind of failure.
        class: ErrorClass,
        /// Why, in words.
        reason: String,
        /// When to ask again, in milliseconds, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// Nobody was asked: a limit held it back, or it could not be asked.
    ModelCallRefused {
        /// The call.
        call: Box<ModelCall>,
        /// Why, as a word.
        code: String,
        /// Why, in words.
        reason: String,
        /// When to ask again, in milliseconds, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// Nobody waited for its end.
    ModelCallCancelled {
        /// The call.
        call: Box<ModelCall>,
    },
    /// A target failed so often that it is left alone.
    CircuitOpened {
        /// The provider.
        provider: String,
        /// Its name for the model.
        model: String,
        /// For how long, in milliseconds.
        for_ms: u64,
    },
    /// One call is let through to it, to see.
    CircuitHalfOpened {
        /// The provider.
        provider: String,
        /// Its name for the model.
        model: String,
    },
    /// It is as good as any again.
    CircuitClosed {
        /// The provider.
        provider: String,
        /// Its name for the model.
        model: String,
    },
}

/// A call that ended, and what came of it on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCall {
    /// The call.
    pub id: ModelCallId,
    /// What was asked, and for whom.
    pub request: CallRequest,
    /// Who was asked, in order; nobody where the answer was there, or it was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<CallAttempt>,
    /// Tokens that all attempts took together, as far as providers say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What they cost, where the price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// The currency of what they cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Tokens that limits were charged with: where nobody says what was taken, what was reserved.
    pub charged_tokens: u64,
    /// Money that budgets were charged with, in billionths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charged_money: Option<Money>,
    /// How long it took from its coming in to its end, in microseconds.
    pub took_us: u64,
}

/// What was asked, and for whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRequest {
    /// What kind of answer was wanted.
    pub kind: CallKind,
    /// The route, as it was asked for.
    pub route: String,
    /// Whether the answer was wanted piece by piece.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stream: bool,
    /// The workflow that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowId>,
    /// The execution that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionId>,
    /// The node of it that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The agent that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Slug>,
    /// The run of the agent that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_run: Option<AgentRunId>,
    /// Id of the API key by which it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// SHA-256 of the key under which the same is asked again, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_key: Option<String>,
    /// How words were to be chosen.
    #[serde(default, skip_serializing_if = "JsonObject::is_empty")]
    pub parameters: JsonObject,
    /// SHA-256 over everything in the request that decides the answer, hexadecimal; absent where it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What was asked.
    pub prompt: CallContent,
    /// When it came in, in milliseconds since 1970.
    pub at_ms: i64,
}

/// What kind of answer was wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// One to a chat.
    Chat,
    /// Vectors of texts.
    Embed,
}

/// Something that was said, as it is written down: JSON in the words of `chat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallContent {
    /// It is here.
    Inline(String),
    /// It is a blob: `blob:` and its hash.
    Blob(String),
    /// Only its digest is known: the route says that it is not written down.
    Omitted {
        /// SHA-256, hexadecimal.
        digest: String,
        /// How many bytes it has.
        bytes: u64,
    },
    /// There is none.
    Nothing,
}

/// One target that was asked once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallAttempt {
    /// The provider.
    pub provider: String,
    /// Its name for the model.
    pub model: String,
    /// Why it was this one, as a word.
    pub reason: String,
    /// What was asked and its protocol has no word for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// After which time the first piece came, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_us: Option<u64>,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// Why it came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<CallFailure>,
    /// The model that answered, as the provider says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
    /// Why the answer ended, as a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<String>,
    /// Tokens that it took, if the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What it cost, if the price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// The provider's name for the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What the provider says of the software and settings that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_fingerprint: Option<String>,
    /// In which ways the answer did not fit the schema.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<String>,
}

/// Why an attempt came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFailure {
    /// What kind of failure; absent where nobody waited for its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ErrorClass>,
    /// Status of the HTTP answer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// After how many milliseconds the provider wants to be asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What happened, in words without secrets.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallAnswer {
    /// What was said; for vectors, only their digest is known.
    pub content: CallContent,
    /// The model that answered, as the provider says.
    pub model: String,
    /// Why it ended, as a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<String>,
    /// The call that it was first an answer to, where it was there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_from: Option<ModelCallId>,
}

impl ModelCallEvent {
    /// The call that ended; `None` where it is about a target.
    pub fn call(&self) -> Option<&ModelCall> {
        match self {
            Self::ModelCallCompleted { call, .. }
            | Self::ModelCallFailed { call, .. }
            | Self::ModelCallRefused { call, .. }
            | Self::ModelCallCancelled { call } => Some(call),
            Self::CircuitOpened { .. } | Self::CircuitHalfOpened { .. } | Self::CircuitClosed { .. } => None,
        }
    }
}

impl Event for ModelCallEvent {
    const CATEGORY: &'static str = "model-call";
    const TYPES: &'static [(&'static str, u16)] = &[
        ("ModelCallCompleted", 1),
        ("ModelCallFailed", 1),
        ("ModelCallRefused", 1),
        ("ModelCallCancelled", 1),
        ("CircuitOpened", 1),
        ("CircuitHalfOpened", 1),
        ("CircuitClosed", 1),
    ];

    /// The execution that asked, or the run of an agent.
    fn subject_stream(&self) -> Option<(&'static str, String)> {
        let request = &self.call()?.request;
        let execution = request.execution.map(|execution| (ExecutionEvent::CATEGORY, execution.to_string()));
        execution.or_else(|| request.agent_run.map(|run| (AgentRunEvent::CATEGORY, run.to_string())))
    }

    fn event_type(&self) -> &'static str {
        match self {
            Self::ModelCallCompleted { .. } => "ModelCallCompleted",
            Self::ModelCallFailed { .. } => "ModelCallFailed",
            Self::ModelCallRefused { .. } => "ModelCallRefused",
            Self::ModelCallCancelled { .. } => "ModelCallCancelled",
            Self::CircuitOpened { .. } => "CircuitOpened",
            Self::CircuitHalfOpened { .. } => "CircuitHalfOpened",
            Self::CircuitClosed { .. } => "CircuitClosed",
        }
    }
}
