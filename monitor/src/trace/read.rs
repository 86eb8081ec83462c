//! The parts of events that spans are made of. Never keeps what nodes gave: of items it is only counted how many there are.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use timeloom_domain::execution::{ExecutionMode, ResumeCause, TriggerFacts};
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_store::RecordedEvent;

/// What an execution's event says. What an event does not have is absent.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Facts {
    pub(super) run: Option<Run>,
    pub(super) node: Option<String>,
    pub(super) attempt: Option<u32>,
    pub(super) at_ms: Option<i64>,
    pub(super) started_at_ms: Option<i64>,
    pub(super) duration_us: u64,
    outputs: Option<Vec<Vec<IgnoredAny>>>,
    pub(super) pinned: bool,
    error: Value,
    pub(super) cause: Option<ResumeCause>,
    pub(super) worker: Option<String>,
    /// The execution that another one goes on from.
    pub(super) of: Option<ExecutionId>,
    pub(super) previous: Option<ExecutionId>,
    pub(super) root: Option<ExecutionId>,
    /// How an execution began that goes on from another, or in another stream.
    start: Option<Start>,
    workflow_id: Option<WorkflowId>,
    workflow_version: Option<u32>,
    mode: Option<ExecutionMode>,
    trigger: Option<TriggerFacts>,
}

/// Which node run an event is about.
#[derive(Debug, Deserialize)]
pub(super) struct Run {
    pub(super) node: String,
    pub(super) run_index: u64,
    pub(super) execution_index: usize,
}

/// How an execution began.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Start {
    pub(super) workflow_id: WorkflowId,
    #[serde(default)]
    pub(super) workflow_version: Option<u32>,
    pub(super) mode: ExecutionMode,
    pub(super) at_ms: i64,
    #[serde(default)]
    pub(super) trigger: Option<TriggerFacts>,
}

impl Facts {
    /// What the event says; `None` when it cannot be read, which is told where it matters.
    pub(super) fn of(event: &RecordedEvent) -> Option<Self> {
        let read = serde_json::from_str(event.payload.get());
        read.inspect_err(|error| tracing::debug!(position = event.position.0, %error, "an event is no part of traces"))
            .ok()
    }

    /// How the execution began, where this is the first event of one of its streams.
    pub(super) fn start(&self) -> Option<Start> {
        if let Some(start) = &self.start {
            return Some(start.clone());
        }
        Some(Start {
            workflow_id: self.workflow_id?,
            workflow_version: self.workflow_version,
            mode: self.mode?,
            at_ms: self.at_ms?,
            trigger: self.trigger.clone(),
        })
    }

    /// How many items a node gave, where it gave any output.
    pub(super) fn items(&self) -> Option<u64> {
        self.outputs.as_ref().map(|outputs| outputs.iter().map(|items| items.len() as u64).sum())
    }

    /// What went wrong: its kind, and a message.
    pub(super) fn error(&self) -> (&str, &str) {
        let text = |name: &str, otherwise| self.error.get(name).and_then(Value::as_str).unwrap_or(otherwise);
        (text("name", "Error"), text("message", ""))
    }
}
