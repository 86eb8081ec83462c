//! Node runs: which node ran when, how it ended, how many items it gave. The items are in the event whose place a row
//! names.
//!
//! Invariant: a row gets a new version only when its status changes; a pure node has exactly one.

use serde::Deserialize;
use serde_json::Value as Json;
use timeloom_domain::event::Event;
use timeloom_domain::execution::{ExecutionEvent, NodeRunStatus};
use timeloom_domain::ids::{ExecutionId, TenantId};
use timeloom_store::{Position, RecordedEvent, Revision};

use crate::database::{Cells, Named, Query, StorageError, Table, Value, blob, bound, integer, text};
use crate::error::FoldError;
use crate::page::{AsOf, Side};
use crate::payload::{Count, check_type, error_message, read_payload, stream_uuid};
use crate::read_model::{Folded, ReadModel};

/// Most node runs that one question gives.
pub const NODE_RUNS_MAX: usize = 10_000;

/// One run of one node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRunRow {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Place in the order of all node runs of the execution; 0 is the first.
    pub execution_index: u64,
    /// Name of the node.
    pub node: String,
    /// 0 for the node's first run in this execution.
    pub run_index: u64,
    /// How far it is.
    pub status: NodeRunStatus,
    /// Attempts so far.
    pub attempts: u32,
    /// When it began, in milliseconds since 1970.
    pub started_at_ms: Option<i64>,
    /// How long it took, in microseconds.
    pub duration_us: Option<u64>,
    /// How many items it gave, by output index; `None` when it gave no output.
    pub item_counts: Option<Vec<u64>>,
    /// The newest error; the whole of it is in the log.
    pub error: Option<String>,
    /// Whether pinned items stood in for the node.
    pub pinned: bool,
    /// Revision, in the execution's stream, of the event that says all this and holds the data.
    pub event_revision: Revision,
    /// Position of that event.
    pub event_position: Position,
}

/// The read model.
pub(crate) struct NodeRuns;

/// Which run, and what an event says about it.
#[derive(Debug)]
pub(crate) struct NodeRunFact {
    id: ExecutionId,
    run: Run,
    what: What,
}

#[derive(Debug)]
enum What {
    Scheduled,
    Started { attempt: u32, at_ms: i64 },
    Completed { started_at_ms: i64, duration_us: u64, outputs: Vec<Count>, pinned: bool },
    Failed { started_at_ms: i64, duration_us: u64, error: String, outputs: Option<Vec<Count>> },
    Retried { attempt: u32, error: String },
    Waiting,
}

#[derive(Debug, Deserialize)]
struct Run {
    node: String,
    run_index: u64,
    execution_index: u64,
}

#[derive(Deserialize)]
struct Scheduled {
    run: Run,
}

#[derive(Deserialize)]
struct Started {
    run: Run,
    attempt: u32,
    at_ms: i64,
}

#[derive(Deserialize)]
struct Completed {
    run: Run,
    started_at_ms: i64,
    duration_us: u64,
    outputs: Vec<Count>,
    #[serde(default)]
    pinned: bool,
}

#[derive(Deserialize)]
struct Failed {
    run: Run,
    started_at_ms: i64,
    duration_us: u64,
    error: Json,
    #[serde(default)]
    outputs: Option<Vec<Count>>,
}

#[derive(Deserialize)]
struct Waiting {
    #[serde(default)]
    run: Option<Run>,
}

#[derive(Deserialize)]
struct Retried {
    run: Run,
    attempt: u32,
    error: Json,
}

fn read_what(event: &RecordedEvent) -> Result<Option<(Run, What)>, FoldError> {
    Ok(Some(match &*event.event_type {
        "NodeScheduled" => {
            let Scheduled { run } = read_payload::<ExecutionEvent, _>(event)?;
            (run, What::Scheduled)
        }
        "NodeStarted" => {
            let Started { run, attempt, at_ms } = read_payload::<ExecutionEvent, _>(event)?;
            (run, What::Started { attempt, at_ms })
        }
        "NodeCompleted" => {
            let Completed { run, started_at_ms, duration_us, outputs, pinned } =
                read_payload::<ExecutionEvent, _>(event)?;
            (run, What::Completed { started_at_ms, duration_us, outputs, pinned })
        }
        "NodeFailed" => {
            let Failed { run, started_at_ms, duration_us, error, outputs } = read_payload::<ExecutionEvent, _>(event)?;
            (run, What::Failed { started_at_ms, duration_us, error: error_message(&error), outputs })
        }
        "NodeRetried" => {
            let Retried { run, attempt, error } = read_payload::<ExecutionEvent, _>(event)?;
            (run, What::Retried { attempt, error: error_message(&error) })
        }
        "ExecutionWaiting" => {
            let Waiting { run } = read_payload::<ExecutionEvent, _>(event)?;
            let Some(run) = run else { return Ok(None) };
            (run, What::Waiting)
        }
        // A skipped node has no run; the other events are about the execution.
        _ => {
            check_type::<ExecutionEvent>(event)?;
            return Ok(None);
        }
    }))
}

fn begin(fact: &NodeRunFact, event: &RecordedEvent) -> NodeRunRow {
    NodeRunRow {
        execution_id: fact.id,
        execution_index: fact.run.execution_index,
        node: fact.run.node.clone(),
        run_index: fact.run.run_index,
        status: NodeRunStatus::Scheduled,
        attempts: 0,
        started_at_ms: None,
        duration_us: None,
        item_counts: None,
        error: None,
        pinned: false,
        event_revision: event.revision,
        event_position: event.position,
    }
}

/// Pure nodes record no start of an attempt, so the end of one after a retry is one more.
fn count_last_attempt(row: &mut NodeRunRow) {
    let unrecorded = u32::from(row.status == NodeRunStatus::Retrying);
    row.attempts = row.attempts.saturating_add(unrecorded).max(1);
}

fn counts(outputs: &[Count]) -> Vec<u64> {
    outputs.iter().map(|count| count.0).collect()
}

static TABLE: Table = Table {
    name: "node_runs",
    key: &[blob("execution_id"), integer("execution_index")],
    classed: false,
    columns: &[
        text("node"),
        integer("run_index"),
        text("status"),
        integer("attempts"),
        integer("started_at_ms").optional(),
        integer("duration_us").optional(),
        text("item_counts").optional(),
        text("error").optional(),
        integer("pinned"),
        integer("event_revision"),
    ],
    indexes: &[],
    kept: None,
};

impl ReadModel for NodeRuns {
    const NAME: &'static str = "node_runs";
    const VERSION: u32 = 3;
    const CATEGORY: &'static str = ExecutionEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, ExecutionId, u64);
    type Row = NodeRunRow;
    type Fact = NodeRunFact;

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, NodeRunFact)>, FoldError> {
        let id = ExecutionId(stream_uuid(event)?);
        let Some((run, what)) = read_what(event)? else { return Ok(None) };
        Ok(Some(((event.stream.tenant, id, run.execution_index), NodeRunFact { id, run, what })))
    }

    fn fold(current: Option<&NodeRunRow>, fact: NodeRunFact, event: &RecordedEvent) -> Folded<NodeRunRow> {
        let mut row = current.cloned().unwrap_or_else(|| begin(&fact, event));
        row.event_revision = event.revision;
        row.event_position = event.position;
        match fact.what {
            // It is due already.
            What::Scheduled if current.is_some() => return Folded::Nothing,
            What::Scheduled => {}
            What::Started { attempt, at_ms } => {
                row.status = NodeRunStatus::Running;
                row.attempts = attempt;
                row.started_at_ms.get_or_insert(at_ms);
            }
            What::Completed { started_at_ms, duration_us, outputs, pinned } => {
                count_last_attempt(&mut row);
                row.status = NodeRunStatus::Completed;
                row.started_at_ms.get_or_insert(started_at_ms);
                row.duration_us = Some(duration_us);
                row.item_counts = Some(counts(&outputs));
                row.error = None;
                row.pinned = pinned;
            }
            What::Failed { started_at_ms, duration_us, error, outputs } => {
                count_last_attempt(&mut row);
                row.status = NodeRunStatus::Failed;
                row.started_at_ms.get_or_insert(started_at_ms);
                row.duration_us = Some(duration_us);
                row.error = Some(error);
                row.item_counts = outputs.as_deref().map(counts);
            }
            What::Waiting => row.status = NodeRunStatus::Waiting,
            What::Retried { attempt, error } => {
                row.status = NodeRunStatus::Retrying;
                row.attempts = attempt;
                row.error = Some(error);
            }
        }
        Folded::Version(row)
    }

    fn from(row: &NodeRunRow) -> Position {
        row.event_position
    }

    fn key<'a>((tenant, id, index): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), (&id.0).into(), (*index).into()]);
    }

    fn values<'a>(row: &'a NodeRunRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        values.extend([
            (&row.node).into(),
            row.run_index.into(),
            status_word(row.status).into(),
            row.attempts.into(),
            row.started_at_ms.into(),
            row.duration_us.into(),
            row.item_counts.as_ref().map(Value::json).transpose()?.unwrap_or(Value::Null),
            row.error.as_ref().into(),
            row.pinned.into(),
            row.event_revision.into(),
        ]);
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<NodeRunRow, StorageError> {
        read_row(cells)
    }
}

/// Which node runs of an execution: from one place in the order of execution to before another, at most so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeRunRange {
    /// The first place.
    pub from: u64,
    /// The place before which it ends.
    pub to: u64,
    /// At most so many.
    pub limit: usize,
    /// From which end.
    pub side: Side,
}

/// Node runs of one execution as they were at `as_of`, in the order of execution; those from the end in the other order.
pub(crate) fn of_execution(
    named: &Named,
    tenant: TenantId,
    id: ExecutionId,
    as_of: AsOf,
    range: NodeRunRange,
) -> Query {
    let order = match range.side {
        Side::First => "ASC",
        Side::Last => "DESC",
    };
    let sql = format!(
        "SELECT {} FROM {} AS version WHERE tenant = ?1 AND execution_id = ?2 AND execution_index >= ?3 \
         AND execution_index < ?6 AND from_position <= ?4 AND (to_position IS NULL OR to_position > ?4) \
         ORDER BY execution_index {order} LIMIT ?5",
        named.selected(),
        named.build(),
    );
    let limit = range.limit.min(NODE_RUNS_MAX) as u64;
    let to = range.to.min(i64::MAX.unsigned_abs());
    let values = vec![tenant.into(), id.0.into(), range.from.into(), bound(as_of).into(), limit.into(), to.into()];
    Query::new(named.dialect, sql, values)
}

/// The words that the table holds for statuses.
const STATUSES: [(NodeRunStatus, &str); 6] = [
    (NodeRunStatus::Scheduled, "scheduled"),
    (NodeRunStatus::Running, "running"),
    (NodeRunStatus::Waiting, "waiting"),
    (NodeRunStatus::Retrying, "retrying"),
    (NodeRunStatus::Completed, "completed"),
    (NodeRunStatus::Failed, "failed"),
];

fn status_word(status: NodeRunStatus) -> &'static str {
    match status {
        NodeRunStatus::Scheduled => "scheduled",
        NodeRunStatus::Running => "running",
        NodeRunStatus::Waiting => "waiting",
        NodeRunStatus::Retrying => "retrying",
        NodeRunStatus::Completed => "completed",
        NodeRunStatus::Failed => "failed",
    }
}

/// A row from its cells.
pub(crate) fn read_row(cells: &mut Cells<'_>) -> Result<NodeRunRow, StorageError> {
    let execution_id = ExecutionId(cells.take()?);
    let execution_index = cells.take()?;
    let event_position = cells.take()?;
    Ok(NodeRunRow {
        execution_id,
        execution_index,
        node: cells.take()?,
        run_index: cells.take()?,
        status: cells.take_word(&STATUSES)?,
        attempts: cells.take()?,
        started_at_ms: cells.take()?,
        duration_us: cells.take()?,
        item_counts: cells.take_optional_json()?,
        error: cells.take()?,
        pinned: cells.take()?,
        event_revision: cells.take()?,
        event_position,
    })
}
