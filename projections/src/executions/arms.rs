//! How executions of one version of a workflow ended, beside which another one is tried out.
//!
//! Invariant: a question looks at the newest [`ARM_EXECUTIONS_MAX`] executions of the version and no more, however many there
//! are. Forks do not count, which somebody made for a look, and neither do manual runs.

use timeloom_domain::execution::{ExecutionStatus, TriggerKind};
use timeloom_domain::ids::{TenantId, WorkflowId};
use timeloom_store::Position;

use super::table::STATUSES;
use crate::database::{Cells, Named, Query, StorageError, Value, bound};
use crate::page::AsOf;

/// Most executions of a version that are counted.
pub const ARM_EXECUTIONS_MAX: usize = 10_000;

/// Which executions to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArmFilter {
    /// Of this workflow.
    pub workflow_id: WorkflowId,
    /// Of this version.
    pub version: u32,
    /// Only those that began after the event at this position.
    pub since: Position,
    /// Only those that ended then or later, in milliseconds since 1970.
    pub ended_from_ms: Option<i64>,
}

/// How many completed and how many failed, as of a position.
pub(crate) fn count(named: &Named, tenant: TenantId, as_of: AsOf, filter: ArmFilter) -> Query {
    let mut values: Vec<Value<'static>> = vec![
        tenant.into(),
        filter.workflow_id.0.into(),
        filter.since.into(),
        Some(filter.version).into(),
        ExecutionStatus::Completed.name().into(),
        ExecutionStatus::Failed.name().into(),
        TriggerKind::Fork.name().into(),
        bound(as_of).into(),
        (ARM_EXECUTIONS_MAX as u64).into(),
    ];
    let mut more = String::new();
    if let Some(ended_from_ms) = filter.ended_from_ms {
        values.push(ended_from_ms.into());
        more.push_str(&format!(" AND version.ended_at_ms >= ?{}", values.len()));
    }
    // An end never changes: the newest version has it, and says when it was.
    let sql = format!(
        "SELECT finished.status, count(*) FROM (SELECT version.status FROM {} AS version {} \
         WHERE version.tenant = ?1 AND version.workflow_id = ?2 AND version.created_position > ?3 \
         AND version.to_position IS NULL AND version.workflow_version = ?4 AND version.mode = 'production' \
         AND version.status IN (?5, ?6) AND version.trigger_kind IS DISTINCT FROM ?7 \
         AND version.ended_position <= ?8{more} ORDER BY version.created_position DESC LIMIT ?9) AS finished \
         GROUP BY finished.status",
        named.build(),
        named.indexed_by("executions_workflow"),
    );
    Query::new(named.dialect, sql, values)
}

/// A status and how many have it.
pub(crate) fn read(cells: &mut Cells<'_>) -> Result<(ExecutionStatus, u64), StorageError> {
    Ok((cells.take_word(&STATUSES)?, cells.take()?))
}
