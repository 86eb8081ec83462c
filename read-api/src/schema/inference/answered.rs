//! One inference, with the edges that trace its answer.

use async_graphql::{Context, ID, Object, Result};
use chrono::{DateTime, Utc};
use timeloom_domain::inference::{InferenceEvent, InferenceRequest};
use timeloom_projections::{AsOf, InferenceFilter, InferenceRow};
use timeloom_store::{Position, codec};
use uuid::Uuid;

use super::load::ModelLoad;
use super::tensor::{Side, Tensor};
use super::words::{InferenceProblem, InferenceStatus, OutputComparison, Provider, RolloutArm};
use super::worker::InferenceWorker;
use crate::schema::batch::Loads;
use crate::schema::budget::PayloadBudget;
use crate::schema::execution::{Execution, time};
use crate::schema::faults::fault;
use crate::schema::history::History;
use crate::schema::models::{Model, ModelVersion};
use crate::schema::paging::{Pages, Paging};
use crate::schema::reading::state;
use crate::schema::rows::{page, row_pages};
use crate::schema::scalars::PositionScalar;

/// Which inferences to list.
pub(crate) struct InferenceList {
    pub paging: Paging,
    pub filter: InferenceFilter,
    pub as_of: AsOf,
}

impl InferenceList {
    /// Reads one page, newest first, with all others of the request that are asked for at the same moment.
    pub(crate) async fn read(self, context: &Context<'_>) -> Result<Pages<Inference>> {
        let (page, as_of) = (page(&self.paging)?, self.as_of);
        let found = Loads::of(context).inference.page(state(context)?, as_of, page, self.filter).await?;
        Ok(row_pages(found, |row| (row.provenance.created_position, Inference { row, as_of })))
    }
}

/// An inference: one model's answer to one request.
#[derive(Debug, Clone)]
pub(crate) struct Inference {
    pub row: InferenceRow,
    /// As of when it was read; its parts are read as of the same moment.
    pub as_of: AsOf,
}

impl Inference {
    /// The event at a position, in words.
    async fn event(&self, context: &Context<'_>, position: Position) -> Result<Option<InferenceEvent>> {
        let Some(event) = Loads::of(context).event(state(context)?, position).await? else { return Ok(None) };
        PayloadBudget::take(context, event.payload.get().len())?;
        codec::decode(&event).map(Some).map_err(|error| fault(&error))
    }

    /// What was asked, as the event says.
    async fn request(&self, context: &Context<'_>) -> Result<Option<Box<InferenceRequest>>> {
        Ok(match self.event(context, self.row.request_position).await? {
            Some(InferenceEvent::InferenceRequested { request, .. }) => Some(request),
            Some(
                InferenceEvent::InferenceCompleted { request, .. }
                | InferenceEvent::InferenceFailed { request, .. }
                | InferenceEvent::InferenceRejected { request, .. }
                | InferenceEvent::InferenceCancelled { request, .. },
            ) => request,
            Some(InferenceEvent::InferenceStarted { .. } | InferenceEvent::InferenceWindowClosed(_)) | None => None,
        })
    }
}

#[Object]
impl Inference {
    /// Its id.
    pub(crate) async fn id(&self) -> ID {
        self.row.id.0.into()
    }

    /// How far it is.
    async fn status(&self) -> InferenceStatus {
        self.row.status.into()
    }

    /// Why it was not answered, as a word.
    async fn problem(&self) -> Option<InferenceProblem> {
        self.row.unanswered.map(Into::into)
    }

    /// Why it was not answered, in words, where there are any.
    async fn reason(&self) -> Option<&str> {
        self.row.reason.as_deref()
    }

    /// When to ask again, in milliseconds, where that is known.
    async fn retry_after_ms(&self) -> Option<u64> {
        self.row.retry_after_ms
    }

    /// How the model was named: `mood@prod`.
    async fn asked(&self) -> &str {
        &self.row.asked
    }

    /// Name of the model.
    async fn model_name(&self) -> &str {
        self.row.model.as_str()
    }

    /// The version that the name meant at that moment.
    async fn version(&self) -> u32 {
        self.row.version
    }

    /// SHA-256 of that version's file, hexadecimal.
    async fn digest(&self) -> &str {
        &self.row.digest
    }

    /// The model, as of the moment of the read.
    #[graphql(complexity = "child_complexity + 5")]
    async fn model(&self, context: &Context<'_>) -> Result<Option<Model>> {
        let row = Loads::of(context).inference.model(state(context)?, &self.row.model, self.as_of).await?;
        Ok(row.map(|row| Model { row, as_of: self.as_of }))
    }

    /// The version, with what is known of its file.
    #[graphql(complexity = "child_complexity + 5")]
    async fn model_version(&self, context: &Context<'_>) -> Result<Option<ModelVersion>> {
        let row = Loads::of(context).inference.model(state(context)?, &self.row.model, self.as_of).await?;
        Ok(row.as_ref().and_then(|row| row.model.version(self.row.version)).map(ModelVersion::from))
    }

    /// When it came in.
    async fn asked_at(&self) -> Option<DateTime<Utc>> {
        time(self.row.asked_at_ms)
    }

    /// Until when it was wanted.
    async fn deadline(&self) -> Option<DateTime<Utc>> {
        time(self.row.deadline_ms)
    }

    /// How long it waited, in microseconds.
    async fn queue_us(&self) -> Option<u64> {
        self.row.queue_us
    }

    /// How long its batch was computed, in microseconds.
    async fn compute_us(&self) -> Option<u64> {
        self.row.answer.as_ref().map(|answer| answer.compute_us)
    }

    /// Rows of its batch, those of other callers too.
    async fn batch_rows(&self) -> Option<u32> {
        self.row.answer.as_ref().map(|answer| answer.batch_rows)
    }

    /// Rows that were computed, those that only filled the batch up too.
    async fn bucket(&self) -> Option<u32> {
        self.row.answer.as_ref().map(|answer| answer.bucket)
    }

    /// Who computed, as it was seen.
    async fn provider(&self) -> Option<Provider> {
        self.row.answer.as_ref().map(|answer| answer.provider.into())
    }

    /// Digest over everything that may change an answer's bits, hexadecimal. Two answers with the same were computed from
    /// the same bytes in the same way.
    async fn fingerprint(&self) -> Option<&str> {
        self.row.answer.as_ref().map(|answer| answer.fingerprint.as_str())
    }

    /// What was asked of the model, in the order of its signature.
    #[graphql(complexity = "5 * child_complexity + 5")]
    async fn inputs(&self, context: &Context<'_>) -> Result<Option<Vec<Tensor>>> {
        let request = self.request(context).await?;
        Ok(request.map(|request| Tensor::all(self.row.id, Side::Inputs, request.inputs)))
    }

    /// What it answered, in the order of its signature; absent while it has not, or when it could not.
    #[graphql(complexity = "5 * child_complexity + 5")]
    async fn outputs(&self, context: &Context<'_>) -> Result<Option<Vec<Tensor>>> {
        let (Some(_), Some(ended)) = (&self.row.answer, self.row.ended_position) else { return Ok(None) };
        Ok(match self.event(context, ended).await? {
            Some(InferenceEvent::InferenceCompleted { answer, .. }) => {
                Some(Tensor::all(self.row.id, Side::Outputs, answer.outputs))
            }
            _ => None,
        })
    }

    /// On which side of a trial of a version it was; absent where none was under way for that name.
    #[graphql(complexity = "child_complexity + 5")]
    async fn arm(&self, context: &Context<'_>) -> Result<Option<RolloutArm>> {
        Ok(self.request(context).await?.and_then(|request| request.arm).map(Into::into))
    }

    /// Id of the inference that it is a copy of: a version that is tried on copies computed it, and nobody got its answer.
    #[graphql(complexity = "child_complexity + 5")]
    async fn shadow_of(&self, context: &Context<'_>) -> Result<Option<Uuid>> {
        Ok(self.request(context).await?.and_then(|request| request.shadow_of).map(|of| of.0))
    }

    /// Of a copy: how its answer compares with the one that was given.
    #[graphql(complexity = "child_complexity + 5")]
    async fn comparison(&self, context: &Context<'_>) -> Result<Option<OutputComparison>> {
        let (Some(_), Some(ended)) = (&self.row.answer, self.row.ended_position) else { return Ok(None) };
        Ok(match self.event(context, ended).await? {
            Some(InferenceEvent::InferenceCompleted { answer, .. }) => answer.compared.map(Into::into),
            _ => None,
        })
    }

    /// Name of the agent that asked.
    #[graphql(complexity = "child_complexity + 5")]
    async fn agent_name(&self, context: &Context<'_>) -> Result<Option<String>> {
        Ok(self.request(context).await?.and_then(|request| request.agent).map(|agent| agent.to_string()))
    }

    /// The load of the model that computed: it tells the options, the machine and what computed which part.
    #[graphql(complexity = "child_complexity + 5")]
    async fn load(&self, context: &Context<'_>) -> Result<Option<ModelLoad>> {
        let Some(answer) = &self.row.answer else { return Ok(None) };
        let row = Loads::of(context).inference.load(state(context)?, answer.load, self.as_of).await?;
        Ok(row.map(|row| ModelLoad { row, as_of: self.as_of }))
    }

    /// Id of the worker that computed it, or was to.
    async fn worker_id(&self) -> Uuid {
        self.row.worker.0
    }

    /// The worker that computed it, or was to.
    #[graphql(complexity = "child_complexity + 5")]
    async fn worker(&self, context: &Context<'_>) -> Result<Option<InferenceWorker>> {
        let row = Loads::of(context).inference.worker(state(context)?, self.row.worker, self.as_of).await?;
        Ok(row.map(|row| InferenceWorker { row, as_of: self.as_of }))
    }

    /// Id of the execution that asked; absent when somebody else did.
    async fn execution_id(&self) -> Option<Uuid> {
        self.row.execution.map(|id| id.0)
    }

    /// The execution that asked.
    #[graphql(complexity = "child_complexity + 5")]
    async fn execution(&self, context: &Context<'_>) -> Result<Option<Execution>> {
        let Some(id) = self.row.execution else { return Ok(None) };
        let row = Loads::of(context).execution(state(context)?, id, self.as_of).await?;
        Ok(row.map(|row| Execution::of(row, self.as_of)))
    }

    /// Name of the node that asked.
    async fn node(&self) -> Option<&str> {
        self.row.node.as_deref()
    }

    /// Position of the event that says what was asked.
    async fn request_position(&self) -> PositionScalar {
        PositionScalar(self.row.request_position)
    }

    /// Position of the event that ended it.
    async fn ended_position(&self) -> Option<PositionScalar> {
        self.row.ended_position.map(PositionScalar)
    }

    /// Which events made it what it is.
    async fn history(&self) -> History {
        self.row.provenance.into()
    }
}
