//! Inferences: what models answered, from which bytes, computed how and where, and who computes.
//!
//! Rows tell what is listed; tensors are read from the events, and those that are large are downloaded. Never computes
//! anything. Invariant: an answer leads to the bytes of the model and of its inputs in one query.

mod answered;
mod batches;
mod load;
mod resolve;
mod tensor;
mod window;
mod words;
mod worker;

use async_graphql::{Context, InputObject, Object, Result};
use timeloom_domain::ids::{ExecutionId, InferenceId, Slug};
use timeloom_domain::model::ModelEvent;
use timeloom_projections::{InferenceFilter, InferenceWindowFilter, InferenceWorkerFilter};
use uuid::Uuid;

pub(crate) use self::answered::{Inference, InferenceList};
pub(crate) use self::batches::InferenceLoads;
pub(crate) use self::load::{ModelLoad, ModelLoadList};
use self::resolve::{ResolvedModel, resolve};
pub(crate) use self::window::InferenceWindow;
use self::words::InferenceStatus;
pub(crate) use self::worker::InferenceWorker;
use super::faults::bad_input;
use super::paging::{Pages, Paging, page_cost};
use super::reading::{Moment, rows, state};
use super::rows::{page, row_pages};
use super::scalars::{AsOf, PositionScalar};

/// Which inferences to list.
#[derive(Debug, Default, InputObject)]
pub(crate) struct InferenceFilterInput {
    /// Only those of this model.
    model: Option<String>,
    /// Only those of a version with this number.
    version: Option<u32>,
    /// Only those that are so far.
    status: Option<InferenceStatus>,
    /// Only those for which this execution asked.
    execution: Option<Uuid>,
    /// Only those with this fingerprint: computed from the same bytes in the same way.
    fingerprint: Option<String>,
}

/// A model's name in a filter.
fn model_name(name: Option<String>) -> Result<Option<Slug>> {
    name.map(|name| Slug::try_new(name).map_err(|error| bad_input(error.to_string()))).transpose()
}

/// The reads of inferences and of who computes them.
#[derive(Debug, Default)]
pub struct InferenceQuery;

#[Object]
impl InferenceQuery {
    /// An inference: one model's answer to one request; null when there is none, or it was not written down by itself.
    #[graphql(complexity = "child_complexity + 1")]
    async fn inference(
        &self,
        context: &Context<'_>,
        id: Uuid,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<Inference>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        let found = rows(state.read_models().inferences_by_id(state.tenant(), &[InferenceId(id)], as_of).await)?;
        Ok(found.into_iter().next().map(|row| Inference { row, as_of }))
    }

    /// Inferences, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn inferences(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(default)] filter: InferenceFilterInput,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<Inference>> {
        let state = state(context)?;
        let filter = InferenceFilter {
            model: model_name(filter.model)?,
            version: filter.version,
            status: filter.status.map(Into::into),
            execution: filter.execution.map(ExecutionId),
            fingerprint: filter.fingerprint,
        };
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        InferenceList { paging: Paging::new(first, after, last, before), filter, as_of }.read(context).await
    }

    /// Sums over inferences that were not written down one by one, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn inference_windows(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Only those of this model.")] model: Option<String>,
        #[graphql(desc = "Only those of a version with this number.")] version: Option<u32>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<InferenceWindow>> {
        let state = state(context)?;
        let filter = InferenceWindowFilter { model: model_name(model)?, version };
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        let page = page(&Paging::new(first, after, last, before))?;
        let found = rows(state.read_models().inference_windows(state.tenant(), as_of, &page, &filter).await)?;
        Ok(row_pages(found, |row| (row.provenance.created_position, InferenceWindow { row, as_of })))
    }

    /// Inference workers, newest first: each is one life of one process that computes models.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn inference_workers(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Only those that ended, or only the others; one that was killed never said that it ended.")]
        stopped: Option<bool>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<InferenceWorker>> {
        let state = state(context)?;
        let filter = InferenceWorkerFilter { stopped };
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        let page = page(&Paging::new(first, after, last, before))?;
        let found = rows(state.read_models().inference_workers(state.tenant(), as_of, &page, filter).await)?;
        Ok(row_pages(found, |row| (row.provenance.created_position, InferenceWorker { row, as_of })))
    }

    /// Which version a model's name means, or meant at a moment: `mood`, `mood@prod`, `mood@3`. Null when there is no such
    /// model.
    #[graphql(complexity = "child_complexity + 1")]
    async fn resolve_model(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The model, with an alias or a version's number behind an @, or without.")] reference: String,
        #[graphql(desc = "What a caller sends as its key: during a trial it says on which side the request falls. \
                          Without one the trial is left aside.")]
        key: Option<String>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<ResolvedModel>> {
        let state = state(context)?;
        let reference = resolve::read(&reference)?;
        let moment = Moment::new(as_of, wait_for).of_stream::<ModelEvent>(state, reference.name.as_str());
        let as_of = moment.of_rows(state).await?;
        resolve(state, reference, key.as_deref(), as_of).await
    }
}
