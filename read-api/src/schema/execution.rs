//! Executions as the read models have them, with the data that flowed from the log.

use async_graphql::{Context, ID, Object, Result};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent as Facts;
use timeloom_domain::execution::TriggerKind;
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::trace::{ExecutionTrace, TraceId};
use timeloom_projections::{AsOf, ExecutionFilter, ExecutionRow, InferenceFilter, NodeRunRange};
use timeloom_store::{Filter, RecordedEvent, StreamKey};
use uuid::Uuid;

use super::batch::Loads;
use super::event::{Event, EventList, Origins};
use super::execution_facts::{Breakpoint, ExecutionTrigger, Pause, Response, SavedFact, Source, Wait};
use super::inference::{Inference, InferenceList};
use super::node_run::NodeRun;
use super::paging::{Pages, Paging, page_cost};
use super::reading::{rows, state};
use super::rows::{page, row_pages};
use super::scalars::{Direction, ExecutionMode, ExecutionStatus, PositionScalar};
use super::time::ForkPoint;
use super::workflow::Workflow;
use crate::state::ApiState;

/// Which executions to list.
pub(crate) struct ExecutionList {
    pub paging: Paging,
    pub filter: ExecutionFilter,
    pub as_of: AsOf,
}

impl ExecutionList {
    /// Reads one page, newest first, with all others of the request that are asked for at the same moment.
    pub(crate) async fn read(self, context: &Context<'_>) -> Result<Pages<Execution>> {
        let (page, as_of) = (page(&self.paging)?, self.as_of);
        let found = Loads::of(context).execution_page(state(context)?, as_of, page, self.filter).await?;
        Ok(row_pages(found, |row| (row.created_position, Execution { row, as_of })))
    }
}

/// One execution as of a moment.
pub(crate) async fn execution(state: &ApiState, id: ExecutionId, as_of: AsOf) -> Result<Option<Execution>> {
    let row = rows(state.read_models().execution(state.tenant(), id, as_of).await)?;
    Ok(row.map(|row| Execution { row, as_of }))
}

pub(super) fn stream(state: &ApiState, id: ExecutionId) -> StreamKey {
    StreamKey::new(state.tenant(), Facts::CATEGORY, id.to_string())
}

pub(super) fn time(milliseconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(milliseconds)
}

/// The trace of an execution whose stream begins with `first`.
fn trace(id: ExecutionId, first: &RecordedEvent) -> TraceId {
    #[derive(Deserialize)]
    struct Chained {
        root: ExecutionId,
    }

    let chained = serde_json::from_str(first.payload.get());
    let root = chained.map_or(id, |Chained { root }| root);
    ExecutionTrace::of(root, first.metadata.traceparent()).trace()
}

/// One run of a workflow.
#[derive(Debug, Clone)]
pub(crate) struct Execution {
    row: ExecutionRow,
    /// As of when it was read; its parts are read as of the same moment.
    as_of: AsOf,
}

impl Execution {
    /// The execution of a row that was read as of a moment.
    pub(crate) fn of(row: ExecutionRow, as_of: AsOf) -> Self {
        Self { row, as_of }
    }

    fn source(&self) -> Source {
        Source { id: self.row.id, as_of: self.as_of }
    }
}

#[Object]
impl Execution {
    /// Its id.
    pub(crate) async fn id(&self) -> ID {
        self.row.id.0.into()
    }

    /// Id of the workflow that it runs.
    async fn workflow_id(&self) -> Uuid {
        self.row.workflow_id.0
    }

    /// The workflow that it runs, as of the same moment.
    #[graphql(complexity = "child_complexity + 5")]
    async fn workflow(&self, context: &Context<'_>) -> Result<Option<Workflow>> {
        let row = Loads::of(context).workflow(state(context)?, self.row.workflow_id, self.as_of).await?;
        Ok(row.map(|row| Workflow { row, as_of: self.as_of }))
    }

    /// The published version that it runs; absent = the draft of `workflowRevision`.
    async fn workflow_version(&self) -> Option<u32> {
        self.row.workflow_version
    }

    /// Revision of the workflow that it runs.
    async fn workflow_revision(&self) -> u64 {
        self.row.workflow_revision
    }

    /// Why it was started.
    async fn mode(&self) -> ExecutionMode {
        self.row.mode.into()
    }

    /// What started it; absent for a person.
    async fn trigger(&self) -> Option<ExecutionTrigger> {
        self.row.trigger.map(Into::into)
    }

    /// Id of the execution because of which it runs: of which it is a part, whose failure it is about, or that it retries.
    async fn caused_by(&self) -> Option<Uuid> {
        self.row.caused_by.map(|id| id.0)
    }

    /// Id of the execution that it tries again.
    async fn retry_of(&self) -> Option<Uuid> {
        self.row.caused_by.filter(|_| self.row.trigger == Some(TriggerKind::Retry)).map(|id| id.0)
    }

    /// Id of the newest execution that tries it again.
    async fn retried_as(&self) -> Option<Uuid> {
        self.row.retried_as.map(|id| id.0)
    }

    /// From which event of which execution it goes on; absent when it is no fork.
    async fn forked_from(&self) -> Option<ForkPoint> {
        ForkPoint::of(&self.row)
    }

    /// Its forks, newest first. Those of a long execution are of its first link.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn forks(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Pages<Execution>> {
        let filter = ExecutionFilter { forked_from: Some(self.row.id), ..ExecutionFilter::default() };
        let paging = Paging::new(first, after, last, before);
        ExecutionList { paging, filter, as_of: self.as_of }.read(context).await
    }

    /// Why its failure needs no attention any more; absent when nobody said so.
    async fn dismissed(&self) -> Option<&str> {
        self.row.dismissed.as_deref()
    }

    /// Whether it is a dead letter: a failure of a production run that was neither retried nor dismissed.
    async fn unresolved(&self) -> bool {
        self.row.is_unresolved()
    }

    /// Of those that wait for a place, the one with the highest priority is next.
    async fn priority(&self) -> i32 {
        self.row.priority
    }

    /// How far it is.
    async fn status(&self) -> ExecutionStatus {
        self.row.status.into()
    }

    /// Name of the node with which it began.
    async fn start_node(&self) -> &str {
        &self.row.start_node
    }

    /// When it began.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        time(self.row.started_at_ms)
    }

    /// When it ended.
    async fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.row.ended_at_ms.and_then(time)
    }

    /// Until when it waits at the longest.
    async fn waiting_until(&self) -> Option<DateTime<Utc>> {
        self.row.waiting_until_ms.and_then(time)
    }

    /// For what it waits; absent when it does not.
    async fn waiting(&self) -> Option<Wait> {
        let node = self.row.waiting_node.clone()?;
        Some(Wait { node, until: self.row.waiting_until_ms.and_then(time), source: self.source() })
    }

    /// Why it stands still; absent when it does not.
    async fn paused(&self) -> Option<Pause> {
        self.row.paused.clone().map(Pause::from)
    }

    /// Before which nodes it pauses.
    #[graphql(complexity = "child_complexity + 10")]
    async fn breakpoints(&self, context: &Context<'_>) -> Result<Vec<Breakpoint>> {
        self.source().breakpoints(context).await
    }

    /// What it answered to the request that started it.
    #[graphql(complexity = "child_complexity + 5")]
    async fn response(&self, context: &Context<'_>) -> Result<Option<Response>> {
        self.source().response(context).await
    }

    /// The process that took it over last; absent when the one that began it has it still.
    #[graphql(complexity = 5)]
    async fn worker(&self, context: &Context<'_>) -> Result<Option<String>> {
        self.source().worker(context).await
    }

    /// The trace to which its spans belong: under this id a collector has them, where traces are sent.
    #[graphql(complexity = 5)]
    async fn trace_id(&self, context: &Context<'_>) -> Result<Option<String>> {
        let first = Loads::of(context).event(state(context)?, self.row.created_position).await?;
        Ok(first.map(|first| trace(self.row.id, &first).to_string()))
    }

    /// Facts that nodes saved about it: the first hundred by name.
    async fn saved_data(&self) -> Vec<SavedFact> {
        let facts = self.row.saved_data.iter();
        facts.map(|(name, value)| SavedFact { name: name.clone(), value: value.clone() }).collect()
    }

    /// What went wrong, in words, when it failed.
    async fn error_message(&self) -> Option<&str> {
        self.row.error.as_deref()
    }

    /// What its error has in common with others, when it failed: failures of one cause have the same.
    async fn error_fingerprint(&self) -> Option<&str> {
        self.row.error_fingerprint.as_deref()
    }

    /// Name of the node to blame, when it failed.
    async fn error_node(&self) -> Option<&str> {
        self.row.error_node.as_deref()
    }

    /// Why it was cancelled.
    async fn cancel_reason(&self) -> Option<&str> {
        self.row.cancel_reason.as_deref()
    }

    /// Node runs that gave their output; known once it ended.
    async fn nodes_completed(&self) -> Option<u64> {
        self.row.nodes_completed
    }

    /// Node runs that failed for good; known once it ended.
    async fn nodes_failed(&self) -> Option<u64> {
        self.row.nodes_failed
    }

    /// Id of the execution from which it goes on: a very long execution is a chain of them.
    async fn continued_from(&self) -> Option<Uuid> {
        self.row.continued_from.map(|id| id.0)
    }

    /// Id of the execution as which it goes on.
    async fn continued_as(&self) -> Option<Uuid> {
        self.row.continued_as.map(|id| id.0)
    }

    /// Position of its first event.
    async fn created_position(&self) -> PositionScalar {
        PositionScalar(self.row.created_position)
    }

    /// Position of the event that changed last what is told of it, its nodes apart.
    async fn updated_position(&self) -> PositionScalar {
        PositionScalar(self.row.updated_position)
    }

    /// Revision of that event.
    async fn revision(&self) -> u64 {
        self.row.revision.0
    }

    /// The runs of its nodes, in the order of execution.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn node_runs(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Pages<NodeRun>> {
        let state = state(context)?;
        let window = Paging::new(first, after, last, before).window()?;
        let range = NodeRunRange {
            from: window.after.map_or(0, |after| after.saturating_add(1)),
            to: window.before.unwrap_or(u64::MAX),
            limit: window.size + 1,
            side: window.side,
        };
        let runs = Loads::of(context).node_runs(state, self.as_of, self.row.id, range).await?;
        Ok(window.pages(runs.into_iter().map(|row| (row.execution_index, NodeRun(row))).collect()))
    }

    /// What models answered to it, newest first. Those of a long execution are of the link that asked.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn inferences(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Pages<Inference>> {
        let filter = InferenceFilter { execution: Some(self.row.id), ..InferenceFilter::default() };
        InferenceList { paging: Paging::new(first, after, last, before), filter, as_of: self.as_of }.read(context).await
    }

    /// Its events, oldest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn events(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Pages<Event>> {
        let state = state(context)?;
        let filter = Filter { stream: Some(stream(state, self.row.id)), ..Filter::default() };
        EventList {
            origins: Origins::default(),
            filter,
            from: None,
            direction: Direction::Forward,
            paging: Paging::new(first, after, last, before),
            as_of: self.as_of,
        }
        .read(state)
        .await
    }
}
