//! One call: what its event says about it, as a row.

use serde::Deserialize;
use serde::de::IgnoredAny;
use timeloom_domain::chat::{ErrorClass, Usage};
use timeloom_domain::ids::{AgentRunId, ExecutionId, InferenceWorkerId, ModelCallId, Slug, WorkflowId};
use timeloom_domain::model_call::{CallKind, ModelCallEvent};
use timeloom_domain::money::Money;
use timeloom_store::RecordedEvent;

use crate::error::FoldError;
use crate::payload::{check_type, read_payload, shorten};
use crate::provenance::Provenance;

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelCallRow {
    /// Its id.
    pub id: ModelCallId,
    /// Who asked: one life of one process.
    pub worker: InferenceWorkerId,
    /// What kind of answer was wanted.
    pub kind: CallKind,
    /// The route, as it was asked for.
    pub route: String,
    /// Whether the answer was wanted piece by piece.
    pub stream: bool,
    /// The workflow that asked.
    pub workflow: Option<WorkflowId>,
    /// The execution that asked.
    pub execution: Option<ExecutionId>,
    /// The node of it that asked.
    pub node: Option<String>,
    /// The agent that asked.
    pub agent: Option<String>,
    /// The run of the agent that asked.
    pub agent_run: Option<AgentRunId>,
    /// Id of the API key by which it was asked.
    pub key: Option<String>,
    /// SHA-256 over everything in the request that decides the answer, hexadecimal.
    pub digest: Option<String>,
    /// How it ended.
    pub status: ModelCallStatus,
    /// The provider that was asked last.
    pub provider: Option<String>,
    /// The model that was asked last, by the provider's name for it.
    pub model: Option<String>,
    /// Why the answer ended, as a word.
    pub finish: Option<String>,
    /// Why there is none: the class of the failure, or the reason of the refusal, as a word.
    pub problem: Option<String>,
    /// The same in words.
    pub reason: Option<String>,
    /// When to ask again, in milliseconds, where that is known.
    pub retry_after_ms: Option<u64>,
    /// How many targets were asked.
    pub attempts: u64,
    /// Tokens that all attempts took together, as far as providers say so.
    pub usage: Option<Usage>,
    /// What they cost, in billionths of the currency, where the price is known.
    pub cost: Option<Money>,
    /// The currency.
    pub currency: Option<String>,
    /// After which time the first piece of a stream came, in microseconds.
    pub first_token_us: Option<u64>,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// The call that the answer was first one to, where it was there already.
    pub cached_from: Option<ModelCallId>,
    /// When it came in, in milliseconds since 1970.
    pub at_ms: i64,
    /// Which event made it.
    pub provenance: Provenance,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelCallStatus {
    /// It was answered.
    Completed,
    /// It could not be answered.
    Failed,
    /// Nobody was asked.
    Refused,
    /// Nobody waited for its end.
    Cancelled,
}

/// Which calls to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ModelCallFilter {
    /// Only those by this route.
    pub route: Option<String>,
    /// Only those that ended so.
    pub status: Option<ModelCallStatus>,
    /// Only those of which this provider was asked last.
    pub provider: Option<String>,
    /// Only those of this workflow.
    pub workflow: Option<WorkflowId>,
    /// Only those of this execution.
    pub execution: Option<ExecutionId>,
    /// Only those of this agent.
    pub agent: Option<Slug>,
    /// Only those of this run of an agent.
    pub agent_run: Option<AgentRunId>,
    /// Only those by this API key.
    pub key: Option<String>,
}

/// What rows need of an event. What was said is passed over.
#[derive(Debug, Deserialize)]
pub(crate) struct Fact {
    call: Call,
    #[serde(default)]
    answer: Option<Answer>,
    #[serde(default)]
    class: Option<ErrorClass>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    retry_after_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Call {
    id: ModelCallId,
    request: Request,
    #[serde(default)]
    attempts: Vec<Attempt>,
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(default)]
    cost: Option<Money>,
    #[serde(default)]
    currency: Option<String>,
    took_us: u64,
}

#[derive(Debug, Deserialize)]
struct Request {
    kind: CallKind,
    route: String,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    workflow: Option<WorkflowId>,
    #[serde(default)]
    execution: Option<ExecutionId>,
    #[serde(default)]
    node: Option<String>,
    #[serde(default)]
    agent: Option<String>,
    #[serde(default)]
    agent_run: Option<AgentRunId>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    digest: Option<String>,
    #[serde(rename = "prompt")]
    _prompt: IgnoredAny,
    at_ms: i64,
}

#[derive(Debug, Deserialize)]
struct Attempt {
    provider: String,
    model: String,
    #[serde(default)]
    first_token_us: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    finish: Option<String>,
    #[serde(default)]
    cached_from: Option<ModelCallId>,
}

/// How a call ended, and what its event says of it.
pub(crate) type Ended = (ModelCallStatus, Fact);

/// What an event says about which call; `None` when it is about none.
pub(crate) fn read(event: &RecordedEvent) -> Result<Option<(ModelCallId, Ended)>, FoldError> {
    let status = match &*event.event_type {
        "ModelCallCompleted" => ModelCallStatus::Completed,
        "ModelCallFailed" => ModelCallStatus::Failed,
        "ModelCallRefused" => ModelCallStatus::Refused,
        "ModelCallCancelled" => ModelCallStatus::Cancelled,
        _ => {
            check_type::<ModelCallEvent>(event)?;
            return Ok(None);
        }
    };
    let fact: Fact = read_payload::<ModelCallEvent, _>(event)?;
    Ok(Some((fact.call.id, (status, fact))))
}

/// The row of a call.
pub(crate) fn row(worker: InferenceWorkerId, (status, fact): Ended, event: &RecordedEvent) -> ModelCallRow {
    let Fact { call, answer, class, code, reason, retry_after_ms } = fact;
    let Call { id, request, attempts, usage, cost, currency, took_us } = call;
    let last = attempts.last();
    let (finish, cached_from) = answer.map(|answer| (answer.finish, answer.cached_from)).unwrap_or_default();
    ModelCallRow {
        id,
        worker,
        kind: request.kind,
        route: request.route,
        stream: request.stream,
        workflow: request.workflow,
        execution: request.execution,
        node: request.node,
        agent: request.agent,
        agent_run: request.agent_run,
        key: request.key,
        digest: request.digest,
        status,
        provider: last.map(|last| last.provider.clone()),
        model: last.map(|last| last.model.clone()),
        finish,
        problem: class.map(|class| class.name().to_owned()).or(code),
        reason: reason.map(shorten),
        retry_after_ms,
        attempts: attempts.len() as u64,
        usage,
        cost,
        currency,
        first_token_us: last.and_then(|last| last.first_token_us),
        took_us,
        cached_from,
        at_ms: request.at_ms,
        provenance: Provenance::created_by(event),
    }
}
