//! The table of executions, and how rows get into it.

use rusqlite::{Connection, OptionalExtension, Row, params};
use timeloom_domain::execution::ExecutionMode;
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_store::{Position, RecordedEvent, Revision};

use super::{CATEGORY, ExecutionFact, ExecutionRecord, ExecutionRow, Executions, Key, MODES, STATUSES};
use crate::error::FoldError;
use crate::listing::{Table, uuid, word};
use crate::read_model::{Folded, ReadModel};

pub(super) const TABLE: Table = Table {
    name: "executions",
    key: "id",
    columns: &[
        "id",
        "workflow_id",
        "workflow_revision",
        "workflow_version",
        "mode",
        "status",
        "start_node",
        "started_at_ms",
        "ended_at_ms",
        "waiting_until_ms",
        "error",
        "error_node",
        "cancel_reason",
        "nodes_completed",
        "nodes_failed",
        "created_position",
        "from_position",
        "revision",
    ],
};

/// How long a closed version held, as the logarithm of its number of positions: closed versions of one class that held
/// at a position all began shortly before it, so that they are found by an index range.
fn span_class(from: Position, to: Position) -> u32 {
    to.0.saturating_sub(from.0).max(1).ilog2()
}

impl ReadModel for Executions {
    const NAME: &'static str = "executions";
    const VERSION: u32 = 1;
    const CATEGORY: &'static str = CATEGORY;
    const TABLES: &'static [&'static str] = &["executions", "execution_progress"];
    const SCHEMA: &'static str = "
        CREATE TABLE executions (
            tenant            INTEGER NOT NULL,
            id                BLOB    NOT NULL,
            from_position     INTEGER NOT NULL,
            to_position       INTEGER,
            span_class        INTEGER,
            workflow_id       BLOB    NOT NULL,
            workflow_revision INTEGER NOT NULL,
            workflow_version  INTEGER,
            mode              TEXT    NOT NULL,
            status            TEXT    NOT NULL,
            start_node        TEXT    NOT NULL,
            started_at_ms     INTEGER NOT NULL,
            ended_at_ms       INTEGER,
            waiting_until_ms  INTEGER,
            error             TEXT,
            error_node        TEXT,
            cancel_reason     TEXT,
            nodes_completed   INTEGER,
            nodes_failed      INTEGER,
            created_position  INTEGER NOT NULL,
            revision          INTEGER NOT NULL,
            PRIMARY KEY (tenant, id, from_position)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX executions_created ON executions (tenant, created_position) WHERE to_position IS NULL;
        CREATE INDEX executions_workflow ON executions (tenant, workflow_id, created_position)
            WHERE to_position IS NULL;
        CREATE INDEX executions_status ON executions (tenant, status, created_position) WHERE to_position IS NULL;
        CREATE INDEX executions_workflow_status ON executions (tenant, workflow_id, status, created_position)
            WHERE to_position IS NULL;
        CREATE INDEX executions_closed ON executions (tenant, status, span_class, from_position)
            WHERE to_position IS NOT NULL;
        CREATE TABLE execution_progress (
            tenant    INTEGER NOT NULL,
            id        BLOB    NOT NULL,
            completed INTEGER NOT NULL,
            failed    INTEGER NOT NULL,
            PRIMARY KEY (tenant, id)
        ) STRICT, WITHOUT ROWID;";
    type Key = Key;
    type Row = ExecutionRecord;
    type Fact = ExecutionFact;

    fn read(event: &RecordedEvent) -> Result<Option<(Key, ExecutionFact)>, FoldError> {
        super::read(event)
    }

    fn fold(current: Option<&ExecutionRecord>, fact: ExecutionFact, event: &RecordedEvent) -> Folded<ExecutionRecord> {
        super::fold(current, fact, event)
    }

    fn from(record: &ExecutionRecord) -> Position {
        record.row.updated_position
    }

    fn load(connection: &Connection, (tenant, id): &Key) -> rusqlite::Result<Option<ExecutionRecord>> {
        let Some(row) = super::one(connection, *tenant, *id, None)? else { return Ok(None) };
        let sql = "SELECT completed, failed FROM execution_progress WHERE tenant = ?1 AND id = ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let progress = statement
            .query_row((tenant.0, id.0.as_bytes()), |progress| Ok((progress.get(0)?, progress.get(1)?)))
            .optional()?;
        let (completed, failed) = progress.unwrap_or_default();
        Ok(Some(ExecutionRecord { row, completed, failed }))
    }

    fn insert(
        connection: &Connection,
        (tenant, id): &Key,
        record: &ExecutionRecord,
        to: Option<Position>,
    ) -> rusqlite::Result<()> {
        let row = &record.row;
        let sql = "INSERT INTO executions (tenant, id, from_position, to_position, span_class, workflow_id, \
                   workflow_revision, workflow_version, mode, status, start_node, started_at_ms, ended_at_ms, \
                   waiting_until_ms, error, error_node, cancel_reason, nodes_completed, nodes_failed, \
                   created_position, revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, \
                   ?15, ?16, ?17, ?18, ?19, ?20, ?21)";
        connection.prepare_cached(sql)?.execute(params![
            tenant.0,
            id.0.as_bytes(),
            row.updated_position.0,
            to.map(|to| to.0),
            to.map(|to| span_class(row.updated_position, to)),
            row.workflow_id.0.as_bytes(),
            row.workflow_revision,
            row.workflow_version,
            mode_word(row.mode),
            row.status.name(),
            row.start_node,
            row.started_at_ms,
            row.ended_at_ms,
            row.waiting_until_ms,
            row.error,
            row.error_node,
            row.cancel_reason,
            row.nodes_completed,
            row.nodes_failed,
            row.created_position.0,
            row.revision.0,
        ])?;
        if row.status.has_ended() {
            let sql = "DELETE FROM execution_progress WHERE tenant = ?1 AND id = ?2";
            connection.prepare_cached(sql)?.execute((tenant.0, id.0.as_bytes()))?;
        } else {
            Self::keep(connection, &(*tenant, *id), record)?;
        }
        Ok(())
    }

    fn close(connection: &Connection, (tenant, id): &Key, from: Position, to: Position) -> rusqlite::Result<()> {
        let sql = "UPDATE executions SET to_position = ?4, span_class = ?5 \
                   WHERE tenant = ?1 AND id = ?2 AND from_position = ?3";
        connection.prepare_cached(sql)?.execute((tenant.0, id.0.as_bytes(), from.0, to.0, span_class(from, to)))?;
        Ok(())
    }

    fn keep(connection: &Connection, (tenant, id): &Key, record: &ExecutionRecord) -> rusqlite::Result<()> {
        // An execution without a finished node needs no row: most begin and end within one batch.
        if record.completed + record.failed == 0 {
            return Ok(());
        }
        let sql = "INSERT INTO execution_progress (tenant, id, completed, failed) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT (tenant, id) DO UPDATE SET completed = excluded.completed, failed = excluded.failed";
        let values = (tenant.0, id.0.as_bytes(), record.completed, record.failed);
        connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}

fn mode_word(mode: ExecutionMode) -> &'static str {
    match mode {
        ExecutionMode::Manual => "manual",
        ExecutionMode::Production => "production",
    }
}

pub(super) fn read_row(row: &Row<'_>) -> rusqlite::Result<ExecutionRow> {
    Ok(ExecutionRow {
        id: ExecutionId(uuid(row, 0)?),
        workflow_id: WorkflowId(uuid(row, 1)?),
        workflow_revision: row.get(2)?,
        workflow_version: row.get(3)?,
        mode: word(row, 4, &MODES)?,
        status: word(row, 5, &STATUSES)?,
        start_node: row.get(6)?,
        started_at_ms: row.get(7)?,
        ended_at_ms: row.get(8)?,
        waiting_until_ms: row.get(9)?,
        error: row.get(10)?,
        error_node: row.get(11)?,
        cancel_reason: row.get(12)?,
        nodes_completed: row.get(13)?,
        nodes_failed: row.get(14)?,
        created_position: Position(row.get(15)?),
        updated_position: Position(row.get(16)?),
        revision: Revision(row.get(17)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_class_holds_lengths_up_to_twice_its_shortest() {
        let class = |length: u64| span_class(Position(10), Position(10 + length));
        assert_eq!([1, 2, 3, 4, 7, 8].map(class), [0, 1, 1, 2, 2, 3]);
    }
}
