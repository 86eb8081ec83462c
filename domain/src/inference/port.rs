//! How nodes and agents ask models: the one seam between those who ask and what computes.
//!
//! Whoever implements it writes an answer down before it gives it. A replay never asks: it has what was recorded.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{Tensor, TensorSpec};
use crate::chat::{ChatAnswer, ChatRequest, EmbedAnswer, EmbedRequest, ErrorClass};
use crate::ids::{Actor, AgentRunId, EventId, ExecutionId, InferenceId, ModelCallId, Slug, TenantId, WorkflowId};
use crate::model::ModelReference;
use crate::money::Money;

/// What is there later.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, NotAnswered>> + Send + 'a>>;

/// Asks models. Dropping what it gives back cancels the question.
pub trait InferencePort: Send + Sync + fmt::Debug {
    /// What the model wants and gives.
    fn describe<'a>(&'a self, asker: &'a Asker, model: &'a ModelReference) -> Answering<'a, Described>;

    /// Asks a model of the model manager with tensors.
    fn infer<'a>(&'a self, asker: &'a Asker, ask: ModelAsk) -> Answering<'a, ModelAnswer>;

    /// Asks a language model by a route of the gateway, which the request names as its model, for a whole answer.
    fn chat<'a>(&'a self, asker: &'a Asker, request: ChatRequest) -> Answering<'a, Chatted>;

    /// Embeds texts by a route of the gateway.
    fn embed<'a>(&'a self, asker: &'a Asker, request: EmbedRequest) -> Answering<'a, Embedded>;
}

/// For whom a model is asked, and from where. It is written down with the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Asker {
    /// Whose it is.
    pub tenant: TenantId,
    /// Who asks.
    pub actor: Actor,
    /// The event that led to it.
    pub causation: Option<EventId>,
    /// The event that everything of its story goes back to.
    pub correlation: Option<EventId>,
    /// The workflow that asks.
    pub workflow: Option<WorkflowId>,
    /// The execution that asks.
    pub execution: Option<ExecutionId>,
    /// The node of it that asks.
    pub node: Option<String>,
    /// The agent that asks.
    pub agent: Option<Slug>,
    /// The run of the agent that asks.
    pub agent_run: Option<AgentRunId>,
    /// The same for the same question asked again: it decides which version or target answers where several are tried.
    pub key: Option<String>,
}

impl Asker {
    /// Somebody of that tenant, from nowhere in particular.
    pub fn new(tenant: TenantId, actor: Actor) -> Self {
        Self {
            tenant,
            actor,
            causation: None,
            correlation: None,
            workflow: None,
            execution: None,
            node: None,
            agent: None,
            agent_run: None,
            key: None,
        }
    }
}

/// What a model wants and gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// The model.
    pub model: Slug,
    /// The version that answers now.
    pub version: u32,
    /// Its inputs.
    pub inputs: Vec<TensorSpec>,
    /// Its outputs.
    pub outputs: Vec<TensorSpec>,
    /// What its file says of itself, such as `character` or `labels`, and small text files beside it by their names.
    pub about: BTreeMap<String, String>,
}

/// What a model of the model manager is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelAsk {
    /// The model.
    pub model: ModelReference,
    /// Its inputs by their names, in any order.
    pub inputs: Vec<(String, Tensor)>,
    /// Within which time the answer is of use; absent = what the model's settings say.
    pub within: Option<Duration>,
}

/// What a model of the model manager answered.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelAnswer {
    /// By which the answer is found.
    pub inference: InferenceId,
    /// The model.
    pub model: Slug,
    /// The version that answered.
    pub version: u32,
    /// The outputs by their names, in the order of the model's signature.
    pub outputs: Vec<(String, Tensor)>,
}

impl ModelAnswer {
    /// The output of that name.
    pub fn output(&self, name: &str) -> Option<&Tensor> {
        self.outputs.iter().find(|(of, _)| of == name).map(|(_, tensor)| tensor)
    }
}

/// What a language model answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Chatted {
    /// By which the call is found.
    pub call: ModelCallId,
    /// The provider that answered; absent where the answer was there already.
    pub provider: Option<String>,
    /// The answer.
    pub answer: ChatAnswer,
    /// What it cost, where the price is known.
    pub cost: Option<Money>,
}

/// The vectors of texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// By which the call is found.
    pub call: ModelCallId,
    /// The vectors.
    pub answer: EmbedAnswer,
    /// What they cost, where the price is known.
    pub cost: Option<Money>,
}

/// Why there is no answer. The words say what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnswered {
    /// What is asked cannot be answered, however often it is asked: there is no such model, or the input does not fit it.
    #[error("{message}")]
    Refused {
        /// The reason as a word, such as `MODEL_NOT_FOUND`.
        code: &'static str,
        /// The reason, and what to do.
        message: String,
    },
    /// There is no room now: a limit, a budget or a queue is full.
    #[error("{message}")]
    Held {
        /// The reason as a word, such as `LIMIT_REACHED`.
        code: &'static str,
        /// The reason, and what to do.
        message: String,
        /// After how many milliseconds to ask again, where that is known.
        retry_after_ms: Option<u64>,
    },
    /// What was asked failed.
    #[error("{message}")]
    Failed {
        /// What kind of failure it was.
        class: ErrorClass,
        /// What happened, and what to do.
        message: String,
        /// The call, where it is recorded.
        call: Option<ModelCallId>,
    },
}

impl NotAnswered {
    /// The reason as a word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { code, .. } | Self::Held { code, .. } => code,
            Self::Failed { class, .. } => class.name(),
        }
    }

    /// Whether the same question may do better a little later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Refused { .. } => false,
            Self::Held { .. } => true,
            Self::Failed { class, .. } => class.may_pass() || *class == ErrorClass::Timeout,
        }
    }
}

/// There are no models here.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoModels;

impl NoModels {
    fn refuse<T: Send + 'static>() -> Answering<'static, T> {
        let message = "no models can be asked here: this process has none".to_owned();
        Box::pin(std::future::ready(Err(NotAnswered::Refused { code: "NO_MODELS", message })))
    }
}

impl InferencePort for NoModels {
    fn describe<'a>(&'a self, _: &'a Asker, _: &'a ModelReference) -> Answering<'a, Described> {
        Self::refuse()
    }

    fn infer<'a>(&'a self, _: &'a Asker, _: ModelAsk) -> Answering<'a, ModelAnswer> {
        Self::refuse()
    }

    fn chat<'a>(&'a self, _: &'a Asker, _: ChatRequest) -> Answering<'a, Chatted> {
        Self::refuse()
    }

    fn embed<'a>(&'a self, _: &'a Asker, _: EmbedRequest) -> Answering<'a, Embedded> {
        Self::refuse()
    }
}

/// The port behind a pointer.
pub type SharedInference = Arc<dyn InferencePort>;
