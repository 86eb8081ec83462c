//! The table of executions, and how rows get into it and out.

use timeloom_domain::execution::{ExecutionMode, ExecutionStatus, TriggerKind};
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_store::{Position, RecordedEvent};

use super::facts::{self, ExecutionFact};
use super::{CATEGORY, ExecutionRecord, ExecutionRow, Executions, Key};
use crate::database::{Cells, Index, Kept, StorageError, Table, Value, blob, damaged, integer, text};
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
        text("trigger_kind").optional(),
        blob("caused_by").optional(),
        blob("forked_from").optional(),
        integer("forked_position").optional(),
        text("fork_reason").optional(),
        integer("priority"),
        text("status"),
        text("start_node"),
        integer("started_at_ms"),
        integer("ended_at_ms").optional(),
        text("waiting_node").optional(),
        integer("waiting_until_ms").optional(),
        text("paused").optional(),
        text("error").optional(),
        text("error_node").optional(),
        text("error_fingerprint").optional(),
        text("cancel_reason").optional(),
        blob("retried_as").optional(),
        text("dismissed").optional(),
        text("saved_data").optional(),
        integer("nodes_completed").optional(),
        integer("nodes_failed").optional(),
        blob("continued_from").optional(),
        blob("continued_as").optional(),
        integer("created_position"),
        integer("ended_position").optional(),
        integer("revision"),
        // For the indexes of what is rare: 1, or nothing.
        integer("unresolved").optional(),
        integer("has_saved_data").optional(),
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
        Index { name: "executions_trigger", columns: &["trigger_kind", "created_position"], closed: false },
        Index { name: "executions_unresolved", columns: &["unresolved", "created_position"], closed: false },
        Index { name: "executions_forks", columns: &["forked_from", "created_position"], closed: false },
        Index { name: "executions_fingerprint", columns: &["error_fingerprint", "created_position"], closed: false },
        Index { name: "executions_saved", columns: &["has_saved_data", "created_position"], closed: false },
        Index { name: "executions_closed", columns: &["status", "span_class", "from_position"], closed: true },
    ],
    // What is counted while an execution runs.
    kept: Some(Kept { name: "execution_progress", columns: &[integer("completed"), integer("failed")] }),
};

impl ReadModel for Executions {
    const NAME: &'static str = "executions";
    const VERSION: u32 = 7;
    const CATEGORY: &'static str = CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = Key;
    type Row = ExecutionRecord;
    type Fact = ExecutionFact;

    fn read(event: &RecordedEvent) -> Result<Option<(Key, ExecutionFact)>, FoldError> {
        facts::read(event)
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
        let id = |id: &'a Option<ExecutionId>| id.as_ref().map(|id| &id.0).into();
        values.extend([
            (&row.workflow_id.0).into(),
            row.workflow_revision.into(),
            row.workflow_version.into(),
            word(&MODES, row.mode).into(),
            row.trigger.map(TriggerKind::name).into(),
            id(&row.caused_by),
            id(&row.forked_from),
            row.forked_position.into(),
            row.fork_reason.as_ref().into(),
            i64::from(row.priority).into(),
            row.status.name().into(),
            (&row.start_node).into(),
            row.started_at_ms.into(),
            row.ended_at_ms.into(),
            row.waiting_node.as_ref().into(),
            row.waiting_until_ms.into(),
            row.paused.as_ref().map(Value::json).transpose()?.unwrap_or(Value::Null),
            row.error.as_ref().into(),
            row.error_node.as_ref().into(),
            row.error_fingerprint.as_ref().into(),
            row.cancel_reason.as_ref().into(),
            id(&row.retried_as),
            row.dismissed.as_ref().into(),
            if row.saved_data.is_empty() { Value::Null } else { Value::json(&row.saved_data)? },
            row.nodes_completed.into(),
            row.nodes_failed.into(),
            id(&row.continued_from),
            id(&row.continued_as),
            row.created_position.into(),
            row.ended_position.into(),
            row.revision.into(),
            row.is_unresolved().then_some(true).into(),
            (!row.saved_data.is_empty()).then_some(true).into(),
        ]);
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<ExecutionRecord, StorageError> {
        let row = read_row(cells)?;
        let (completed, failed): (Option<u64>, Option<u64>) = (cells.take()?, cells.take()?);
        Ok(ExecutionRecord { row, completed: completed.unwrap_or(0), failed: failed.unwrap_or(0) })
    }

    fn kept(record: &ExecutionRecord, values: &mut Vec<Value<'_>>) -> bool {
        values.extend([record.completed.into(), record.failed.into()]);
        // An execution without a finished node needs no row: most begin and end within one batch.
        !record.row.status.has_ended() && record.completed + record.failed > 0
    }
}

/// The words that the table holds for modes.
const MODES: [(ExecutionMode, &str); 2] =
    [(ExecutionMode::Manual, "manual"), (ExecutionMode::Production, "production")];

/// The words that the table holds for statuses.
pub(super) const STATUSES: [(ExecutionStatus, &str); 7] = [
    (ExecutionStatus::Running, "running"),
    (ExecutionStatus::Waiting, "waiting"),
    (ExecutionStatus::Paused, "paused"),
    (ExecutionStatus::Completed, "completed"),
    (ExecutionStatus::Failed, "failed"),
    (ExecutionStatus::Cancelled, "cancelled"),
    (ExecutionStatus::Continued, "continued"),
];

fn word<T: PartialEq>(words: &[(T, &'static str)], value: T) -> &'static str {
    words.iter().find(|(known, _)| *known == value).map_or("", |(_, word)| word)
}

fn trigger_of(word: Option<String>) -> Result<Option<TriggerKind>, StorageError> {
    let Some(word) = word else { return Ok(None) };
    let known = TriggerKind::ALL.into_iter().find(|kind| kind.name() == word);
    known.map(Some).ok_or_else(|| damaged(format!("unknown word '{word}'")))
}

/// A row from its cells.
pub(crate) fn read_row(cells: &mut Cells<'_>) -> Result<ExecutionRow, StorageError> {
    let id = ExecutionId(cells.take()?);
    let updated_position = cells.take()?;
    let row = ExecutionRow {
        id,
        workflow_id: WorkflowId(cells.take()?),
        workflow_revision: cells.take()?,
        workflow_version: cells.take()?,
        mode: cells.take_word(&MODES)?,
        trigger: trigger_of(cells.take()?)?,
        caused_by: cells.take::<Option<_>>()?.map(ExecutionId),
        forked_from: cells.take::<Option<_>>()?.map(ExecutionId),
        forked_position: cells.take()?,
        fork_reason: cells.take()?,
        priority: cells.take()?,
        status: cells.take_word(&STATUSES)?,
        start_node: cells.take()?,
        started_at_ms: cells.take()?,
        ended_at_ms: cells.take()?,
        waiting_node: cells.take()?,
        waiting_until_ms: cells.take()?,
        paused: cells.take_optional_json()?,
        error: cells.take()?,
        error_node: cells.take()?,
        error_fingerprint: cells.take()?,
        cancel_reason: cells.take()?,
        retried_as: cells.take::<Option<_>>()?.map(ExecutionId),
        dismissed: cells.take()?,
        saved_data: cells.take_optional_json()?.unwrap_or_default(),
        nodes_completed: cells.take()?,
        nodes_failed: cells.take()?,
        continued_from: cells.take::<Option<_>>()?.map(ExecutionId),
        continued_as: cells.take::<Option<_>>()?.map(ExecutionId),
        created_position: cells.take()?,
        ended_position: cells.take()?,
        updated_position,
        revision: cells.take()?,
    };
    // What only indexes need follows from the rest.
    let _: (Option<bool>, Option<bool>) = (cells.take()?, cells.take()?);
    Ok(row)
}
