//! One call to a language model, with who was asked and what came of it.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_domain::chat::Usage;
use timeloom_domain::model_call::{CallAttempt, ModelCallEvent};
use timeloom_projections::ModelCallRow;
use timeloom_store::codec;
use uuid::Uuid;

use super::content::ModelCallContent;
use super::words::{ModelCallKind, ModelCallProblem, ModelCallStatus};
use crate::schema::batch::Loads;
use crate::schema::budget::PayloadBudget;
use crate::schema::execution::time;
use crate::schema::faults::fault;
use crate::schema::history::History;
use crate::schema::reading::state;
use crate::schema::scalars::PositionScalar;

/// Which calls to list.
#[derive(Debug, Default, InputObject)]
pub(crate) struct ModelCallFilterInput {
    /// Only those by this route.
    pub route: Option<String>,
    /// Only those that ended so.
    pub status: Option<ModelCallStatus>,
    /// Only those of which this provider was asked last.
    pub provider: Option<String>,
    /// Only those of this workflow.
    pub workflow: Option<Uuid>,
    /// Only those of this execution.
    pub execution: Option<Uuid>,
    /// Only those of this agent.
    pub agent: Option<String>,
    /// Only those of this run of an agent.
    pub agent_run: Option<Uuid>,
    /// Only those by the API key of this id.
    pub key: Option<String>,
}

/// Tokens that a call took.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ModelCallUsage {
    /// Those that were read, whether from a cache or not.
    input_tokens: u64,
    /// Those that were written, thoughts included.
    output_tokens: u64,
    /// Of the input: those that the provider had in its cache.
    cached_input_tokens: Option<u64>,
    /// Of the input: those that the provider put into its cache.
    cache_write_tokens: Option<u64>,
    /// Of the output: thoughts.
    thinking_tokens: Option<u64>,
}

impl From<Usage> for ModelCallUsage {
    fn from(usage: Usage) -> Self {
        let Usage { input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, thinking_tokens } = usage;
        Self { input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, thinking_tokens }
    }
}

/// One target that was asked once.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ModelCallAttempt {
    /// The provider.
    provider: String,
    /// Its name for the model.
    model: String,
    /// Why it was this one: `only`, `split`, `least_loaded`, `retry`, `fell_back` or `probe`.
    reason: String,
    /// What was asked and its protocol has no word for.
    left_out: Vec<String>,
    /// After which time the first piece came, in microseconds.
    first_token_us: Option<u64>,
    /// How long it took, in microseconds.
    took_us: u64,
    /// What kind of failure it was; absent where there was none.
    problem: Option<ModelCallProblem>,
    /// Status of the HTTP answer of a failure, if there was one.
    status: Option<u16>,
    /// After how many milliseconds the provider wanted to be asked again.
    retry_after_ms: Option<u64>,
    /// What went wrong, in words without secrets.
    message: Option<String>,
    /// Whether nobody waited for its end.
    cancelled: bool,
    /// The model that answered, as the provider says.
    answered_by: Option<String>,
    /// Why the answer ended, as a word.
    finish: Option<String>,
    /// Tokens that it took, if the provider says so.
    usage: Option<ModelCallUsage>,
    /// What it cost, as a decimal number, if the price is known.
    cost: Option<String>,
    /// The provider's name for the request.
    request_id: Option<String>,
    /// What the provider says of the software and settings that answered.
    system_fingerprint: Option<String>,
    /// In which ways the answer did not fit the schema.
    violations: Vec<String>,
}

impl From<CallAttempt> for ModelCallAttempt {
    fn from(attempt: CallAttempt) -> Self {
        let failure = attempt.failure;
        let failed = failure.as_ref();
        Self {
            provider: attempt.provider,
            model: attempt.model,
            reason: attempt.reason,
            left_out: attempt.left_out,
            first_token_us: attempt.first_token_us,
            took_us: attempt.took_us,
            problem: failed.and_then(|failure| failure.class).map(Into::into),
            status: failed.and_then(|failure| failure.status),
            retry_after_ms: failed.and_then(|failure| failure.retry_after_ms),
            cancelled: failed.is_some_and(|failure| failure.class.is_none()),
            message: failure.map(|failure| failure.message).filter(|message| !message.is_empty()),
            answered_by: attempt.answered_by,
            finish: attempt.finish,
            usage: attempt.usage.map(Into::into),
            cost: attempt.cost.map(|cost| cost.to_string()),
            request_id: attempt.request_id,
            system_fingerprint: attempt.system_fingerprint,
            violations: attempt.violations,
        }
    }
}

/// A call to a language model: one question, with all its attempts.
#[derive(Debug, Clone)]
pub(crate) struct ModelCall(pub ModelCallRow);

impl ModelCall {
    /// The event that tells all of it.
    async fn event(&self, context: &Context<'_>) -> Result<Option<ModelCallEvent>> {
        let position = self.0.provenance.created_position;
        let Some(event) = Loads::of(context).event(state(context)?, position).await? else { return Ok(None) };
        PayloadBudget::take(context, event.payload.get().len())?;
        codec::decode(&event).map(Some).map_err(|error| fault(&error))
    }
}

#[Object]
impl ModelCall {
    /// Its id.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.0.into()
    }

    /// What kind of answer was wanted.
    async fn kind(&self) -> ModelCallKind {
        self.0.kind.into()
    }

    /// How it ended.
    async fn status(&self) -> ModelCallStatus {
        self.0.status.into()
    }

    /// The route, as it was asked for.
    async fn route(&self) -> &str {
        &self.0.route
    }

    /// Whether the answer was wanted piece by piece.
    async fn stream(&self) -> bool {
        self.0.stream
    }

    /// When it came in.
    async fn asked_at(&self) -> Option<DateTime<Utc>> {
        time(self.0.at_ms)
    }

    /// How long it took from its coming in to its end, in microseconds.
    async fn took_us(&self) -> u64 {
        self.0.took_us
    }

    /// After which time the first piece of a stream came, in microseconds.
    async fn first_token_us(&self) -> Option<u64> {
        self.0.first_token_us
    }

    /// The provider that was asked last; absent where nobody was.
    async fn provider(&self) -> Option<&str> {
        self.0.provider.as_deref()
    }

    /// The model that was asked last, by the provider's name for it.
    async fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }

    /// Why the answer ended, as a word.
    async fn finish(&self) -> Option<&str> {
        self.0.finish.as_deref()
    }

    /// Why there is no answer: the class of the failure, or the reason of the refusal, as a word.
    async fn problem(&self) -> Option<&str> {
        self.0.problem.as_deref()
    }

    /// The same in words.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// When to ask again, in milliseconds, where that is known.
    async fn retry_after_ms(&self) -> Option<u64> {
        self.0.retry_after_ms
    }

    /// Tokens that all attempts took together, as far as providers say so.
    async fn usage(&self) -> Option<ModelCallUsage> {
        self.0.usage.map(Into::into)
    }

    /// What they cost, as a decimal number, where the price is known.
    async fn cost(&self) -> Option<String> {
        self.0.cost.map(|cost| cost.to_string())
    }

    /// The currency of what they cost.
    async fn currency(&self) -> Option<&str> {
        self.0.currency.as_deref()
    }

    /// Id of the call that the answer was first one to, where it was there already.
    async fn cached_from(&self) -> Option<Uuid> {
        self.0.cached_from.map(|id| id.0)
    }

    /// SHA-256 over everything in the request that decides the answer, hexadecimal: equal requests have equal ones.
    async fn digest(&self) -> Option<&str> {
        self.0.digest.as_deref()
    }

    /// Id of the workflow that asked.
    async fn workflow_id(&self) -> Option<Uuid> {
        self.0.workflow.map(|id| id.0)
    }

    /// Id of the execution that asked.
    async fn execution_id(&self) -> Option<Uuid> {
        self.0.execution.map(|id| id.0)
    }

    /// Name of the node that asked.
    async fn node(&self) -> Option<&str> {
        self.0.node.as_deref()
    }

    /// Name of the agent that asked.
    async fn agent(&self) -> Option<&str> {
        self.0.agent.as_deref()
    }

    /// Id of the run of the agent that asked.
    async fn agent_run_id(&self) -> Option<Uuid> {
        self.0.agent_run.map(|id| id.0)
    }

    /// Id of the API key by which it was asked.
    async fn key_id(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// Id of the process that asked.
    async fn worker_id(&self) -> Uuid {
        self.0.worker.0
    }

    /// How many targets were asked.
    async fn attempt_count(&self) -> u64 {
        self.0.attempts
    }

    /// Who was asked, in order; nobody where the answer was there already, or it was refused.
    #[graphql(complexity = "4 * child_complexity + 5")]
    async fn attempts(&self, context: &Context<'_>) -> Result<Vec<ModelCallAttempt>> {
        let event = self.event(context).await?;
        let call = event.as_ref().and_then(ModelCallEvent::call);
        Ok(call.map(|call| call.attempts.iter().cloned().map(Into::into).collect()).unwrap_or_default())
    }

    /// What was asked.
    #[graphql(complexity = "child_complexity + 5")]
    async fn prompt(&self, context: &Context<'_>) -> Result<Option<ModelCallContent>> {
        let event = self.event(context).await?;
        let call = event.as_ref().and_then(ModelCallEvent::call);
        Ok(call.map(|call| ModelCallContent(call.request.prompt.clone())))
    }

    /// What was answered.
    #[graphql(complexity = "child_complexity + 5")]
    async fn answer(&self, context: &Context<'_>) -> Result<Option<ModelCallContent>> {
        Ok(match self.event(context).await? {
            Some(ModelCallEvent::ModelCallCompleted { answer, .. }) => Some(ModelCallContent(answer.content)),
            _ => None,
        })
    }

    /// Position of its event.
    async fn position(&self) -> PositionScalar {
        PositionScalar(self.0.provenance.created_position)
    }

    /// Which events made it what it is.
    async fn history(&self) -> History {
        self.0.provenance.into()
    }
}
