//! Executions: what ran, how it stands, how it ended. What flowed through the nodes is read from the log.
//!
//! Invariant: a row gets a new version only when its status changes. Versions of ended executions never close, and no
//! execution has two newest versions: lists rely on both.

mod queries;
mod table;

use serde::Deserialize;
use serde_json::Value;
use timeloom_domain::event::Event;
use timeloom_domain::execution::{ExecutionEvent, ExecutionMode, ExecutionStatus};
use timeloom_domain::ids::{ExecutionId, TenantId, WorkflowId};
use timeloom_store::{Position, RecordedEvent, Revision};

use crate::error::FoldError;
use crate::payload::{check_type, error_message, read_payload, shorten, stream_uuid};
use crate::read_model::Folded;

pub(crate) use queries::{one, page};
pub(crate) use table::read_row;

/// One execution.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutionRow {
    /// Its id.
    pub id: ExecutionId,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// Revision of the workflow's stream that it runs.
    pub workflow_revision: u64,
    /// The published version that it runs; `None` = the draft of that revision.
    pub workflow_version: Option<u32>,
    /// Why it was started.
    pub mode: ExecutionMode,
    /// How far it is.
    pub status: ExecutionStatus,
    /// Name of the node with which it began.
    pub start_node: String,
    /// When it began, in milliseconds since 1970.
    pub started_at_ms: i64,
    /// When it ended, in milliseconds since 1970.
    pub ended_at_ms: Option<i64>,
    /// Until when it sleeps, in milliseconds since 1970.
    pub waiting_until_ms: Option<i64>,
    /// What went wrong, when it failed; the whole error is in the log.
    pub error: Option<String>,
    /// The node to blame, when it failed.
    pub error_node: Option<String>,
    /// Why it was cancelled, in the person's words.
    pub cancel_reason: Option<String>,
    /// Node runs that gave their output; known once it ended.
    pub nodes_completed: Option<u64>,
    /// Node runs that failed for good; known once it ended.
    pub nodes_failed: Option<u64>,
    /// The execution from which it goes on, when it is a later link of a chain.
    pub continued_from: Option<ExecutionId>,
    /// The execution as which it goes on.
    pub continued_as: Option<ExecutionId>,
    /// Position of its first event.
    pub created_position: Position,
    /// Position of the event that changed its status last.
    pub updated_position: Position,
    /// Revision of that event in its stream.
    pub revision: Revision,
}

/// Which executions to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExecutionFilter {
    /// Of this workflow only.
    pub workflow_id: Option<WorkflowId>,
    /// With this status only.
    pub status: Option<ExecutionStatus>,
}

/// The read model.
pub(crate) struct Executions;

/// A row, and what is counted while it runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExecutionRecord {
    row: ExecutionRow,
    completed: u64,
    failed: u64,
    waits: bool,
    paused: bool,
}

impl ExecutionRecord {
    /// What the status is while it has not ended.
    fn open_status(&self) -> ExecutionStatus {
        match (self.paused, self.waits) {
            (true, _) => ExecutionStatus::Paused,
            (false, true) => ExecutionStatus::Waiting,
            (false, false) => ExecutionStatus::Running,
        }
    }
}

/// What an event says about an execution.
#[derive(Debug)]
pub(crate) enum ExecutionFact {
    Started { id: ExecutionId, start: Box<Start>, from: Option<ExecutionId> },
    NodeCompleted,
    NodeFailed,
    Waiting { until_ms: Option<i64> },
    Resumed,
    Paused,
    Unpaused,
    Cancelled { reason: String },
    Completed { at_ms: i64 },
    Failed { node: Option<String>, error: String, at_ms: i64 },
    ContinuedAsNew { next: ExecutionId, at_ms: i64 },
}

/// What a row needs of the start facts: not the items, not the pins.
#[derive(Debug, Deserialize)]
pub(crate) struct Start {
    workflow_id: WorkflowId,
    workflow_revision: u64,
    #[serde(default)]
    workflow_version: Option<u32>,
    mode: ExecutionMode,
    start_node: String,
    at_ms: i64,
}

#[derive(Deserialize)]
struct Continued {
    previous: ExecutionId,
    start: Start,
}

#[derive(Deserialize)]
struct Retried {
    start: Start,
}

#[derive(Deserialize)]
struct ContinuedAsNew {
    next: ExecutionId,
    at_ms: i64,
}

#[derive(Deserialize)]
struct Waiting {
    #[serde(default)]
    until_ms: Option<i64>,
}

#[derive(Deserialize)]
struct Cancelled {
    reason: String,
}

#[derive(Deserialize)]
struct Completed {
    at_ms: i64,
}

#[derive(Deserialize)]
struct Failed {
    node: Option<String>,
    error: Value,
    at_ms: i64,
}

type Key = (TenantId, ExecutionId);

fn read(event: &RecordedEvent) -> Result<Option<(Key, ExecutionFact)>, FoldError> {
    let key = (event.stream.tenant, ExecutionId(stream_uuid(event)?));
    check_type::<ExecutionEvent>(event)?;
    let fact = match &*event.event_type {
        "ExecutionStarted" => {
            let start = Box::new(read_payload::<ExecutionEvent, Start>(event)?);
            ExecutionFact::Started { id: key.1, start, from: None }
        }
        "ExecutionContinued" => {
            let Continued { previous, start } = read_payload::<ExecutionEvent, _>(event)?;
            ExecutionFact::Started { id: key.1, start: Box::new(start), from: Some(previous) }
        }
        "ExecutionRetried" => {
            let Retried { start } = read_payload::<ExecutionEvent, _>(event)?;
            ExecutionFact::Started { id: key.1, start: Box::new(start), from: None }
        }
        "ExecutionContinuedAsNew" => {
            let ContinuedAsNew { next, at_ms } = read_payload::<ExecutionEvent, _>(event)?;
            ExecutionFact::ContinuedAsNew { next, at_ms }
        }
        "NodeCompleted" => ExecutionFact::NodeCompleted,
        "NodeFailed" => ExecutionFact::NodeFailed,
        "ExecutionWaiting" => {
            let Waiting { until_ms } = read_payload::<ExecutionEvent, _>(event)?;
            ExecutionFact::Waiting { until_ms }
        }
        "ExecutionResumed" => ExecutionFact::Resumed,
        "ExecutionPaused" => ExecutionFact::Paused,
        "ExecutionUnpaused" => ExecutionFact::Unpaused,
        "ExecutionCancelled" => {
            let Cancelled { reason } = read_payload::<ExecutionEvent, _>(event)?;
            ExecutionFact::Cancelled { reason: shorten(reason) }
        }
        "ExecutionCompleted" => {
            let Completed { at_ms } = read_payload::<ExecutionEvent, _>(event)?;
            ExecutionFact::Completed { at_ms }
        }
        "ExecutionFailed" => {
            let Failed { node, error, at_ms } = read_payload::<ExecutionEvent, _>(event)?;
            ExecutionFact::Failed { node, error: error_message(&error), at_ms }
        }
        // The other events are about one node run each and change nothing here.
        _ => return Ok(None),
    };
    Ok(Some((key, fact)))
}

fn fold(current: Option<&ExecutionRecord>, fact: ExecutionFact, event: &RecordedEvent) -> Folded<ExecutionRecord> {
    if let ExecutionFact::Started { id, start, from } = fact {
        return if current.is_none() { Folded::Version(started(id, *start, from, event)) } else { Folded::Nothing };
    }
    // After its end nothing changes an execution: its last version stays open for ever.
    let Some(current) = current.filter(|current| !current.row.status.has_ended()) else { return Folded::Nothing };
    let mut record = current.clone();
    let status = match fact {
        ExecutionFact::NodeCompleted => {
            record.completed += 1;
            return Folded::Kept(record);
        }
        ExecutionFact::NodeFailed => {
            record.failed += 1;
            return Folded::Kept(record);
        }
        ExecutionFact::Started { .. } => return Folded::Nothing,
        ExecutionFact::Waiting { until_ms } => {
            record.row.waiting_until_ms = until_ms;
            record.waits = true;
            record.open_status()
        }
        ExecutionFact::Resumed => {
            record.row.waiting_until_ms = None;
            record.waits = false;
            record.open_status()
        }
        ExecutionFact::Paused => {
            record.paused = true;
            record.open_status()
        }
        ExecutionFact::Unpaused => {
            record.paused = false;
            record.open_status()
        }
        ExecutionFact::Cancelled { reason } => {
            record.row.cancel_reason = Some(reason);
            record.row.ended_at_ms = Some(event.recorded_at.timestamp_millis());
            ExecutionStatus::Cancelled
        }
        ExecutionFact::Completed { at_ms } => {
            record.row.ended_at_ms = Some(at_ms);
            ExecutionStatus::Completed
        }
        ExecutionFact::Failed { node, error, at_ms } => {
            record.row.error = Some(error);
            record.row.error_node = node;
            record.row.ended_at_ms = Some(at_ms);
            ExecutionStatus::Failed
        }
        ExecutionFact::ContinuedAsNew { next, at_ms } => {
            record.row.continued_as = Some(next);
            record.row.ended_at_ms = Some(at_ms);
            ExecutionStatus::Continued
        }
    };
    Folded::Version(change_status(record, status, event))
}

fn started(id: ExecutionId, start: Start, from: Option<ExecutionId>, event: &RecordedEvent) -> ExecutionRecord {
    let row = ExecutionRow {
        id,
        workflow_id: start.workflow_id,
        workflow_revision: start.workflow_revision,
        workflow_version: start.workflow_version,
        mode: start.mode,
        status: ExecutionStatus::Running,
        start_node: start.start_node,
        started_at_ms: start.at_ms,
        ended_at_ms: None,
        waiting_until_ms: None,
        error: None,
        error_node: None,
        cancel_reason: None,
        nodes_completed: None,
        nodes_failed: None,
        continued_from: from,
        continued_as: None,
        created_position: event.position,
        updated_position: event.position,
        revision: event.revision,
    };
    ExecutionRecord { row, completed: 0, failed: 0, waits: false, paused: false }
}

fn change_status(mut record: ExecutionRecord, status: ExecutionStatus, event: &RecordedEvent) -> ExecutionRecord {
    record.row.status = status;
    record.row.updated_position = event.position;
    record.row.revision = event.revision;
    if status.has_ended() {
        record.row.waiting_until_ms = None;
        record.row.nodes_completed = Some(record.completed);
        record.row.nodes_failed = Some(record.failed);
    }
    record
}

/// The words that the table holds for modes.
const MODES: [(ExecutionMode, &str); 2] =
    [(ExecutionMode::Manual, "manual"), (ExecutionMode::Production, "production")];

/// The words that the table holds for statuses.
const STATUSES: [(ExecutionStatus, &str); 7] = [
    (ExecutionStatus::Running, "running"),
    (ExecutionStatus::Waiting, "waiting"),
    (ExecutionStatus::Paused, "paused"),
    (ExecutionStatus::Completed, "completed"),
    (ExecutionStatus::Failed, "failed"),
    (ExecutionStatus::Cancelled, "cancelled"),
    (ExecutionStatus::Continued, "continued"),
];

const CATEGORY: &str = ExecutionEvent::CATEGORY;
