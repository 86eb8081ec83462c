//! Node runs: which node ran when, how it ended, how many items it gave. The items are in the event whose place a row
//! names.
//!
//! Invariant: a row gets a new version only when its status changes; a pure node has exactly one.

use rusqlite::{Connection, Row, params};
use serde::Deserialize;
use serde_json::Value;
use timeloom_domain::event::Event;
use timeloom_domain::execution::{ExecutionEvent, NodeRunStatus};
use timeloom_domain::ids::{ExecutionId, TenantId};
use timeloom_store::{Position, RecordedEvent, Revision};

use crate::error::FoldError;
use crate::listing::{bound, from_json, stored, to_json, word};
use crate::page::AsOf;
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
    error: Value,
    #[serde(default)]
    outputs: Option<Vec<Count>>,
}

#[derive(Deserialize)]
struct Retried {
    run: Run,
    attempt: u32,
    error: Value,
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

impl ReadModel for NodeRuns {
    const NAME: &'static str = "node_runs";
    const VERSION: u32 = 1;
    const CATEGORY: &'static str = ExecutionEvent::CATEGORY;
    const TABLES: &'static [&'static str] = &["node_runs"];
    const SCHEMA: &'static str = "
        CREATE TABLE node_runs (
            tenant          INTEGER NOT NULL,
            execution_id    BLOB    NOT NULL,
            execution_index INTEGER NOT NULL,
            from_position   INTEGER NOT NULL,
            to_position     INTEGER,
            node            TEXT    NOT NULL,
            run_index       INTEGER NOT NULL,
            status          TEXT    NOT NULL,
            attempts        INTEGER NOT NULL,
            started_at_ms   INTEGER,
            duration_us     INTEGER,
            item_counts     TEXT,
            error           TEXT,
            pinned          INTEGER NOT NULL,
            event_revision  INTEGER NOT NULL,
            PRIMARY KEY (tenant, execution_id, execution_index, from_position)
        ) STRICT, WITHOUT ROWID;";
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

    fn load(connection: &Connection, (tenant, id, index): &Self::Key) -> rusqlite::Result<Option<NodeRunRow>> {
        let sql = "SELECT execution_index, node, run_index, status, attempts, started_at_ms, duration_us, item_counts, \
                   error, pinned, event_revision, from_position FROM node_runs WHERE tenant = ?1 AND execution_id = ?2 \
                   AND execution_index = ?3 ORDER BY from_position DESC LIMIT 1";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query((tenant.0, id.0.as_bytes(), index))?;
        rows.next()?.map(|row| read_row(row, *id)).transpose()
    }

    fn insert(
        connection: &Connection,
        (tenant, id, index): &Self::Key,
        row: &NodeRunRow,
        to: Option<Position>,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO node_runs (tenant, execution_id, execution_index, from_position, to_position, node, \
                   run_index, status, attempts, started_at_ms, duration_us, item_counts, error, pinned, \
                   event_revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
        connection.prepare_cached(sql)?.execute(params![
            tenant.0,
            id.0.as_bytes(),
            index,
            row.event_position.0,
            to.map(|to| to.0),
            row.node,
            row.run_index,
            status_word(row.status),
            row.attempts,
            row.started_at_ms,
            // Longer than SQLite can count is as long as it can count.
            row.duration_us.map(stored),
            row.item_counts.as_ref().map(to_json).transpose()?,
            row.error,
            row.pinned,
            row.event_revision.0,
        ])?;
        Ok(())
    }

    fn close(
        connection: &Connection,
        (tenant, id, index): &Self::Key,
        from: Position,
        to: Position,
    ) -> rusqlite::Result<()> {
        let sql = "UPDATE node_runs SET to_position = ?5 WHERE tenant = ?1 AND execution_id = ?2 \
                   AND execution_index = ?3 AND from_position = ?4";
        connection.prepare_cached(sql)?.execute((tenant.0, id.0.as_bytes(), index, from.0, to.0))?;
        Ok(())
    }
}

/// Node runs of one execution as they were at `as_of`, in the order of execution, from `first_index` on; at most `limit`.
pub(crate) fn of_execution(
    connection: &Connection,
    tenant: TenantId,
    id: ExecutionId,
    as_of: AsOf,
    (first_index, limit): (u64, usize),
) -> rusqlite::Result<Vec<NodeRunRow>> {
    let sql = "SELECT execution_index, node, run_index, status, attempts, started_at_ms, duration_us, item_counts, \
               error, pinned, event_revision, from_position FROM node_runs WHERE tenant = ?1 AND execution_id = ?2 \
               AND execution_index >= ?3 AND from_position <= ?4 AND (to_position IS NULL OR to_position > ?4) \
               ORDER BY execution_index LIMIT ?5";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = limit.min(NODE_RUNS_MAX);
    let parameters = (tenant.0, id.0.as_bytes(), stored(first_index), bound(as_of), stored(limit as u64));
    statement.query_map(parameters, |row| read_row(row, id))?.collect()
}

/// The words that the table holds for statuses.
const STATUSES: [(NodeRunStatus, &str); 5] = [
    (NodeRunStatus::Scheduled, "scheduled"),
    (NodeRunStatus::Running, "running"),
    (NodeRunStatus::Retrying, "retrying"),
    (NodeRunStatus::Completed, "completed"),
    (NodeRunStatus::Failed, "failed"),
];

fn status_word(status: NodeRunStatus) -> &'static str {
    match status {
        NodeRunStatus::Scheduled => "scheduled",
        NodeRunStatus::Running => "running",
        NodeRunStatus::Retrying => "retrying",
        NodeRunStatus::Completed => "completed",
        NodeRunStatus::Failed => "failed",
    }
}

fn read_row(row: &Row<'_>, execution_id: ExecutionId) -> rusqlite::Result<NodeRunRow> {
    let counted = row.get_ref(7)? != rusqlite::types::ValueRef::Null;
    Ok(NodeRunRow {
        execution_id,
        execution_index: row.get(0)?,
        node: row.get(1)?,
        run_index: row.get(2)?,
        status: word(row, 3, &STATUSES)?,
        attempts: row.get(4)?,
        started_at_ms: row.get(5)?,
        duration_us: row.get(6)?,
        item_counts: if counted { Some(from_json(row, 7)?) } else { None },
        error: row.get(8)?,
        pinned: row.get(9)?,
        event_revision: Revision(row.get(10)?),
        event_position: Position(row.get(11)?),
    })
}
