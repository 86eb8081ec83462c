//! The table of executions, and how rows get into it and out.

use timeloom_domain::execution::ExecutionMode;
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_store::{Position, RecordedEvent};

use super::{CATEGORY, ExecutionFact, ExecutionRecord, ExecutionRow, Executions, Key, MODES, STATUSES};
use crate::database::{Cells, Index, Kept, StorageError, Table, Value, blob, integer, text};
use crate::error::FoldError;
use crate::read_model::{Folded, ReadModel};

static TABLE: Table = Table {
    name: "executions",
    key: &[blob("id")],
    classed: true,
    columns: &[
        blob("workflow_id"),
        integer("workflow_revision"),
        integer("workflow_version").optional(),
        text("mode"),
        text("status"),
        text("start_node"),
        integer("started_at_ms"),
        integer("ended_at_ms").optional(),
        integer("waiting_until_ms").optional(),
        text("error").optional(),
        text("error_node").optional(),
        text("cancel_reason").optional(),
        integer("nodes_completed").optional(),
        integer("nodes_failed").optional(),
        blob("continued_from").optional(),
        blob("continued_as").optional(),
        integer("created_position"),
        integer("revision"),
    ],
    indexes: &[
        Index { name: "executions_created", columns: &["created_position"], closed: false },
        Index { name: "executions_workflow", columns: &["workflow_id", "created_position"], closed: false },
        Index { name: "executions_status", columns: &["status", "created_position"], closed: false },
        Index {
            name: "executions_workflow_status",
            columns: &["workflow_id", "status", "created_position"],
            closed: false,
        },
        Index { name: "executions_closed", columns: &["status", "span_class", "from_position"], closed: true },
    ],
    // What is counted while an execution runs.
    kept: Some(Kept {
        name: "execution_progress",
        columns: &[integer("completed"), integer("failed"), integer("waits"), integer("paused")],
    }),
};

impl ReadModel for Executions {
    const NAME: &'static str = "executions";
    const VERSION: u32 = 4;
    const CATEGORY: &'static str = CATEGORY;
    const TABLE: &'static Table = &TABLE;
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

    fn key<'a>((tenant, id): &'a Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), (&id.0).into()]);
    }

    fn values<'a>(record: &'a ExecutionRecord, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        let row = &record.row;
        values.extend([
            (&row.workflow_id.0).into(),
            row.workflow_revision.into(),
            row.workflow_version.into(),
            mode_word(row.mode).into(),
            row.status.name().into(),
            (&row.start_node).into(),
            row.started_at_ms.into(),
            row.ended_at_ms.into(),
            row.waiting_until_ms.into(),
            row.error.as_ref().into(),
            row.error_node.as_ref().into(),
            row.cancel_reason.as_ref().into(),
            row.nodes_completed.into(),
            row.nodes_failed.into(),
            row.continued_from.as_ref().map(|id| &id.0).into(),
            row.continued_as.as_ref().map(|id| &id.0).into(),
            row.created_position.into(),
            row.revision.into(),
        ]);
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<ExecutionRecord, StorageError> {
        let row = read_row(cells)?;
        let (completed, failed): (Option<u64>, Option<u64>) = (cells.take()?, cells.take()?);
        let (waits, paused): (Option<bool>, Option<bool>) = (cells.take()?, cells.take()?);
        Ok(ExecutionRecord {
            row,
            completed: completed.unwrap_or(0),
            failed: failed.unwrap_or(0),
            waits: waits.unwrap_or(false),
            paused: paused.unwrap_or(false),
        })
    }

    fn kept(record: &ExecutionRecord, values: &mut Vec<Value<'_>>) -> bool {
        values.extend([record.completed.into(), record.failed.into(), record.waits.into(), record.paused.into()]);
        // An execution without a finished node needs no row: most begin and end within one batch.
        let is_more_than_begun = record.completed + record.failed > 0 || record.waits || record.paused;
        !record.row.status.has_ended() && is_more_than_begun
    }
}

fn mode_word(mode: ExecutionMode) -> &'static str {
    match mode {
        ExecutionMode::Manual => "manual",
        ExecutionMode::Production => "production",
    }
}

/// A row from its cells.
pub(crate) fn read_row(cells: &mut Cells<'_>) -> Result<ExecutionRow, StorageError> {
    let id = ExecutionId(cells.take()?);
    let updated_position = cells.take()?;
    Ok(ExecutionRow {
        id,
        workflow_id: WorkflowId(cells.take()?),
        workflow_revision: cells.take()?,
        workflow_version: cells.take()?,
        mode: cells.take_word(&MODES)?,
        status: cells.take_word(&STATUSES)?,
        start_node: cells.take()?,
        started_at_ms: cells.take()?,
        ended_at_ms: cells.take()?,
        waiting_until_ms: cells.take()?,
        error: cells.take()?,
        error_node: cells.take()?,
        cancel_reason: cells.take()?,
        nodes_completed: cells.take()?,
        nodes_failed: cells.take()?,
        continued_from: cells.take::<Option<_>>()?.map(ExecutionId),
        continued_as: cells.take::<Option<_>>()?.map(ExecutionId),
        created_position: cells.take()?,
        updated_position,
        revision: cells.take()?,
    })
}
