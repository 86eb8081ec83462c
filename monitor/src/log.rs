//! A log that counts what goes into it. What it counts it knows from the appends themselves: it reads nothing again.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use timeloom_domain::drift::DriftWatchEvent;
use timeloom_domain::event::{Event as _, OWN_CATEGORIES};
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::ids::Actor;
use timeloom_domain::workflow::WorkflowEvent;
use timeloom_store::{
    Append, AppendError, Appended, Direction, EventLog, Filter, LogError, Position, RecordedEvent, Revision, StreamKey,
    Subscription, TenantScope, Wanted,
};

use crate::metrics::{self, Metrics};

/// The series of all categories but our own: foreign writers choose theirs.
const OTHER: &str = "other";

/// An [`EventLog`] around another.
pub struct MeasuredLog {
    inner: Arc<dyn EventLog>,
    metrics: Arc<Metrics>,
}

impl MeasuredLog {
    /// Counts in `metrics` what is appended to `inner` through this.
    pub fn new(inner: Arc<dyn EventLog>, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }

    fn count(&self, outcome: &Result<Appended, AppendError>) {
        let outcome = match outcome {
            Ok(appended) if appended.repeated => "repeated",
            Ok(appended) => {
                appended.events.iter().for_each(|event| self.count_event(event));
                "written"
            }
            Err(AppendError::Log(_)) => "failed",
            Err(_) => "refused",
        };
        self.metrics.appends.get_or_create(&metrics::Append { outcome }).inc();
    }

    fn count_event(&self, event: &RecordedEvent) {
        let category = OWN_CATEGORIES.into_iter().find(|known| **known == *event.stream.category).unwrap_or(OTHER);
        self.metrics.events.get_or_create(&metrics::Category { category }).inc();
        if category == WorkflowEvent::CATEGORY
            && let Some(change) = change_of_rollout(event)
        {
            self.metrics.rollouts.get_or_create(&metrics::Rollout { change }).inc();
        }
        if category == DriftWatchEvent::CATEGORY
            && let Some(change) = change_of_drift(&event.event_type)
        {
            self.metrics.drifts.get_or_create(&metrics::Drift { change }).inc();
        }
        if category != ExecutionEvent::CATEGORY {
            return;
        }
        if let Some(change) = change_of_execution(&event.event_type) {
            self.metrics.executions.get_or_create(&metrics::Execution { change }).inc();
        } else if let Some(change) = change_of_node_run(&event.event_type) {
            self.metrics.node_runs.get_or_create(&metrics::NodeRun { change }).inc();
        }
    }
}

fn change_of_rollout(event: &RecordedEvent) -> Option<&'static str> {
    Some(match (&*event.event_type, &event.metadata.actor) {
        ("WorkflowRolloutStarted", _) => "started",
        ("WorkflowRolloutChanged", _) => "changed",
        ("WorkflowRolloutPromoted", _) => "promoted",
        // Nobody but a guard sends it by itself.
        ("WorkflowRolloutRolledBack", Actor::System(_)) => "rolled_back_by_guard",
        ("WorkflowRolloutRolledBack", _) => "rolled_back",
        _ => return None,
    })
}

fn change_of_drift(event_type: &str) -> Option<&'static str> {
    Some(match event_type {
        "DriftWatchStarted" => "watch_started",
        "DriftWatchStopped" => "watch_stopped",
        "DriftWindowJudged" => "window_judged",
        "DriftDetected" => "detected",
        _ => return None,
    })
}

fn change_of_execution(event_type: &str) -> Option<&'static str> {
    Some(match event_type {
        "ExecutionStarted" => "started",
        "ExecutionRetried" => "retried",
        "ExecutionForked" => "forked",
        "ExecutionCompleted" => "completed",
        "ExecutionFailed" => "failed",
        "ExecutionCancelled" => "cancelled",
        "ExecutionWaiting" => "waiting",
        "ExecutionTakenOver" => "taken_over",
        _ => return None,
    })
}

fn change_of_node_run(event_type: &str) -> Option<&'static str> {
    Some(match event_type {
        "NodeCompleted" => "completed",
        "NodeFailed" => "failed",
        "NodeRetried" => "retried",
        "NodeSkipped" => "skipped",
        _ => return None,
    })
}

#[async_trait]
impl EventLog for MeasuredLog {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let began = Instant::now();
        let outcome = self.inner.append(append).await;
        self.metrics.append_seconds.observe(began.elapsed().as_secs_f64());
        self.count(&outcome);
        outcome
    }

    async fn read_stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.inner.read_stream(stream, after, direction, limit).await
    }

    async fn read_all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.inner.read_all(scope, after, direction, filter, limit).await
    }

    async fn look_up(&self, scope: TenantScope, wanted: &Wanted) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.inner.look_up(scope, wanted).await
    }

    fn subscribe(&self, scope: TenantScope, after: Position, filter: Filter, capacity: usize) -> Subscription {
        self.inner.subscribe(scope, after, filter, capacity)
    }

    fn head(&self) -> Position {
        self.inner.head()
    }

    fn newest_of(&self, category: &str) -> Option<Position> {
        self.inner.newest_of(category)
    }

    async fn wait_for(&self, position: Position) -> Result<(), LogError> {
        self.inner.wait_for(position).await
    }

    async fn position_at(&self, time_us: i64) -> Result<Position, LogError> {
        self.inner.position_at(time_us).await
    }
}
