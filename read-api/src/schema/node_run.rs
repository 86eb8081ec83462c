//! Runs of nodes as the read models have them, with the items that they gave from the log.

use async_graphql::{Context, ID, Object, Result};
use chrono::{DateTime, Utc};
use serde_json::Value;
use timeloom_domain::execution::ExecutionEvent as Facts;
use timeloom_projections::NodeRunRow;
use timeloom_store::codec;

use super::batch::Loads;
use super::budget::PayloadBudget;
use super::execution::time;
use super::faults::fault;
use super::node::node_run_id;
use super::reading::state;
use super::scalars::{NodeRunStatus, PositionScalar};

/// One run of one node.
#[derive(Debug, Clone)]
pub(crate) struct NodeRun(pub NodeRunRow);

impl NodeRun {
    /// The event that says how far it is and holds its data.
    async fn facts(&self, context: &Context<'_>) -> Result<Option<Facts>> {
        let state = state(context)?;
        let Some(event) = Loads::of(context).event(state, self.0.event_position).await? else { return Ok(None) };
        PayloadBudget::take(context, event.payload.get().len())?;
        codec::decode::<Facts>(&event).map(Some).map_err(|error| fault(&error))
    }
}

#[Object]
impl NodeRun {
    /// Its id among everything: its kind, its execution and its place.
    pub(crate) async fn id(&self) -> ID {
        node_run_id(self.0.execution_id, self.0.execution_index)
    }

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
