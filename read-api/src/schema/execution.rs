//! Executions as the read models have them, with the data that flowed from the log.

use async_graphql::{Context, Object, Result};
use chrono::{DateTime, Utc};
use serde_json::Value;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent as Facts;
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_projections::{AsOf, ExecutionFilter, ExecutionRow, NodeRunRow};
use timeloom_store::{self as store, Filter, RecordedEvent, Revision, StreamKey, codec};
use uuid::Uuid;

use super::budget::PayloadBudget;
use super::event::{Event, EventList};
use super::faults::fault;
use super::paging::{PAGE_DEFAULT, Pages, number_cursor, page_cost, page_size, pages};
use super::query::workflow;
use super::reading::{rows, state};
use super::rows::{page, row_pages};
use super::scalars::{Direction, ExecutionMode, ExecutionStatus, NodeRunStatus, PositionScalar};
use super::workflow::Workflow;
use crate::state::ApiState;

/// Which executions to list.
pub(crate) struct ExecutionList {
    pub first: i32,
    pub after: Option<String>,
    pub workflow_id: Option<Uuid>,
    pub status: Option<ExecutionStatus>,
    pub as_of: AsOf,
}

impl ExecutionList {
    /// Reads one page, newest first.
    pub(crate) async fn read(self, state: &ApiState) -> Result<Pages<Execution>> {
        let page = page(self.first, self.after.as_deref())?;
        let filter = ExecutionFilter {
            workflow_id: self.workflow_id.map(WorkflowId),
            status: self.status.map(Into::into),
            ..ExecutionFilter::default()
        };
        let found = rows(state.read_models().executions(state.tenant(), self.as_of, &page, &filter).await)?;
        let as_of = self.as_of;
        Ok(row_pages(&page, found, |row| (row.created_position, Execution { row, as_of })))
    }
}

/// One execution as of a moment.
pub(crate) async fn execution(state: &ApiState, id: ExecutionId, as_of: AsOf) -> Result<Option<Execution>> {
    let row = rows(state.read_models().execution(state.tenant(), id, as_of).await)?;
    Ok(row.map(|row| Execution { row, as_of }))
}

fn stream(state: &ApiState, id: ExecutionId) -> StreamKey {
    StreamKey::new(state.tenant(), Facts::CATEGORY, id.to_string())
}

fn time(milliseconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(milliseconds)
}

/// One run of a workflow.
#[derive(Debug, Clone)]
pub(crate) struct Execution {
    row: ExecutionRow,
    /// As of when it was read; its parts are read as of the same moment.
    as_of: AsOf,
}

#[Object]
impl Execution {
    /// Its id.
    async fn id(&self) -> Uuid {
        self.row.id.0
    }

    /// Id of the workflow that it runs.
    async fn workflow_id(&self) -> Uuid {
        self.row.workflow_id.0
    }

    /// The workflow that it runs, as of the same moment.
    #[graphql(complexity = "child_complexity + 5")]
    async fn workflow(&self, context: &Context<'_>) -> Result<Option<Workflow>> {
        workflow(state(context)?, self.row.workflow_id, self.as_of).await
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

    /// Until when it sleeps.
    async fn waiting_until(&self) -> Option<DateTime<Utc>> {
        self.row.waiting_until_ms.and_then(time)
    }

    /// What went wrong, in words, when it failed.
    async fn error_message(&self) -> Option<&str> {
        self.row.error.as_deref()
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

    /// Position of the event that changed its status last.
    async fn updated_position(&self) -> PositionScalar {
        PositionScalar(self.row.updated_position)
    }

    /// Revision of that event.
    async fn revision(&self) -> u64 {
        self.row.revision.0
    }

    /// The runs of its nodes, in the order of execution.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    async fn node_runs(
        &self,
        context: &Context<'_>,
        #[graphql(default_with = "PAGE_DEFAULT")] first: i32,
        after: Option<String>,
    ) -> Result<Pages<NodeRun>> {
        let state = state(context)?;
        let size = page_size(first)?;
        let after = number_cursor(after.as_deref())?;
        let from = after.map_or(0, |after| after.saturating_add(1));
        let read = state.read_models().node_runs_from(state.tenant(), self.row.id, self.as_of, from, size + 1);
        let mut runs = rows(read.await)?;
        let has_next = runs.len() > size;
        runs.truncate(size);
        let nodes = runs.into_iter().map(|row| (row.execution_index.to_string(), NodeRun(row)));
        Ok(pages(after.is_some(), has_next, nodes))
    }

    /// Its events, oldest first.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    async fn events(
        &self,
        context: &Context<'_>,
        #[graphql(default_with = "PAGE_DEFAULT")] first: i32,
        after: Option<String>,
    ) -> Result<Pages<Event>> {
        let state = state(context)?;
        let filter = Filter { stream: Some(stream(state, self.row.id)), ..Filter::default() };
        EventList { filter, direction: Direction::Forward, first, after, as_of: self.as_of }.read(state).await
    }
}

/// One run of one node.
#[derive(Debug, Clone)]
pub(crate) struct NodeRun(NodeRunRow);

impl NodeRun {
    /// The event that says how far it is and holds its data.
    async fn facts(&self, context: &Context<'_>) -> Result<Option<Facts>> {
        let state = state(context)?;
        let before = Revision(self.0.event_revision.0.saturating_sub(1));
        let found = state
            .log()
            .read_stream(&stream(state, self.0.execution_id), before, store::Direction::Forward, 1)
            .await
            .map_err(|error| fault(&error))?;
        let Some(event) = found.first() else { return Ok(None) };
        let event: &RecordedEvent = event;
        PayloadBudget::take(context, event.payload.get().len())?;
        codec::decode::<Facts>(event).map(Some).map_err(|error| fault(&error))
    }
}

#[Object]
impl NodeRun {
    /// Name of the node.
    async fn node(&self) -> &str {
        &self.0.node
    }

    /// 0 for the node's first run in this execution.
    async fn run_index(&self) -> u64 {
        self.0.run_index
    }

    /// Place in the order of all node runs of the execution; 0 is the first.
    async fn execution_index(&self) -> u64 {
        self.0.execution_index
    }

    /// How far it is.
    async fn status(&self) -> NodeRunStatus {
        self.0.status.into()
    }

    /// Attempts so far.
    async fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// When it began.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.0.started_at_ms.and_then(time)
    }

    /// How long it took, in milliseconds with microseconds behind the point.
    async fn duration_ms(&self) -> Option<f64> {
        self.0.duration_us.map(|microseconds| microseconds as f64 / 1_000.0)
    }

    /// How many items it gave, by output.
    async fn item_counts(&self) -> Option<&[u64]> {
        self.0.item_counts.as_deref()
    }

    /// What went wrong, in words.
    async fn error_message(&self) -> Option<&str> {
        self.0.error.as_deref()
    }

    /// Whether pinned items stood in for the node.
    async fn pinned(&self) -> bool {
        self.0.pinned
    }

    /// Position of the event that says all this.
    async fn position(&self) -> PositionScalar {
        PositionScalar(self.0.event_position)
    }

    /// The items that it gave: a list for each output.
    #[graphql(complexity = 5)]
    async fn output(&self, context: &Context<'_>) -> Result<Option<Value>> {
        if self.0.item_counts.is_none() {
            return Ok(None);
        }
        let outputs = match self.facts(context).await? {
            Some(Facts::NodeCompleted { outputs, .. }) => Some(outputs),
            Some(Facts::NodeFailed { outputs, .. }) => outputs,
            _ => None,
        };
        outputs.map(|outputs| serde_json::to_value(outputs).map_err(|error| fault(&error))).transpose()
    }

    /// Everything about what went wrong.
    #[graphql(complexity = 5)]
    async fn error(&self, context: &Context<'_>) -> Result<Option<Value>> {
        if self.0.error.is_none() {
            return Ok(None);
        }
        Ok(match self.facts(context).await? {
            Some(Facts::NodeFailed { error, .. } | Facts::NodeRetried { error, .. }) => Some(error),
            _ => None,
        })
    }

    /// Where its input came from: for each input the node, output and run, or null for an input without data.
    #[graphql(complexity = 5)]
    async fn sources(&self, context: &Context<'_>) -> Result<Option<Value>> {
        let run = match self.facts(context).await? {
            Some(
                Facts::NodeScheduled { run }
                | Facts::NodeStarted { run, .. }
                | Facts::NodeCompleted { run, .. }
                | Facts::NodeFailed { run, .. }
                | Facts::NodeRetried { run, .. },
            ) => run,
            _ => return Ok(None),
        };
        serde_json::to_value(run.sources).map(Some).map_err(|error| fault(&error))
    }
}
