//! Failed executions by what their errors have in common, those with the newest failure first.
//!
//! Invariant: a question looks at the newest [`FAILURES_MAX`] failures and no more, however many there are.

use timeloom_domain::execution::ExecutionStatus;
use timeloom_domain::ids::{ExecutionId, TenantId, WorkflowId};
use timeloom_store::Position;

use crate::database::{Cells, Named, Query, StorageError, Value, bound, order};
use crate::page::{AsOf, Page};

/// Most failures that are looked at for groups.
pub const FAILURES_MAX: usize = 10_000;

/// Failures with one fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureGroup {
    /// What their errors have in common.
    pub fingerprint: String,
    /// How many there are.
    pub executions: u64,
    /// Of how many workflows.
    pub workflows: u64,
    /// Position of the first event of the oldest of them.
    pub oldest_position: Position,
    /// Position of the first event of the newest of them.
    pub newest_position: Position,
    /// The newest of them.
    pub newest: ExecutionId,
    /// What went wrong with it.
    pub error: Option<String>,
    /// The node to blame for it.
    pub error_node: Option<String>,
}

/// Which failures to group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FailureFilter {
    /// Of this workflow only.
    pub workflow_id: Option<WorkflowId>,
    /// Only failures of production runs that were neither retried nor dismissed.
    pub unresolved: bool,
}

/// A page of groups as they were at `as_of`.
pub(crate) fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page, filter: FailureFilter) -> Query {
    let failed = ExecutionStatus::Failed.name();
    let mut values: Vec<Value<'static>> = vec![
        tenant.into(),
        failed.into(),
        bound(as_of).into(),
        page.newest(None).into(),
        page.oldest().into(),
        (page.limit() as u64).into(),
        (FAILURES_MAX as u64).into(),
    ];
    let mut more = String::new();
    if let Some(workflow) = filter.workflow_id {
        values.push(workflow.0.into());
        more.push_str(&format!(" AND version.workflow_id = ?{}", values.len()));
    }
    if filter.unresolved {
        more.push_str(" AND version.unresolved = 1");
    }
    let (build, order) = (named.build(), order(page));
    let columns = "version.id, version.workflow_id, version.created_position, version.error, version.error_node, \
                   version.error_fingerprint";
    let of_status = format!("version.tenant = ?1 AND version.status = ?2 AND version.from_position <= ?3{more}");
    let newest = format!(
        "SELECT {columns} FROM {build} AS version {} WHERE {of_status} AND version.to_position IS NULL \
         ORDER BY version.created_position DESC LIMIT ?7",
        named.indexed_by("executions_status"),
    );
    // A failure that was looked after since has a version that ended by then.
    let ended = format!(
        "SELECT {columns} FROM {build} AS version {} WHERE {of_status} AND version.to_position IS NOT NULL \
         AND version.to_position > ?3 ORDER BY version.created_position DESC LIMIT ?7",
        named.indexed_by("executions_closed"),
    );
    let failures = match as_of {
        None => newest,
        Some(_) => format!(
            "SELECT * FROM (SELECT * FROM ({newest}) AS newest UNION ALL SELECT * FROM ({ended}) AS ended) AS found \
             ORDER BY created_position DESC LIMIT ?7"
        ),
    };
    let sql = format!(
        "WITH failures AS ({failures}), \
         grouped AS (SELECT error_fingerprint, count(*) AS executions, count(DISTINCT workflow_id) AS workflows, \
         min(created_position) AS oldest, max(created_position) AS newest FROM failures \
         WHERE error_fingerprint IS NOT NULL GROUP BY error_fingerprint) \
         SELECT grouped.error_fingerprint, grouped.executions, grouped.workflows, grouped.oldest, grouped.newest, \
         failures.id, failures.error, failures.error_node FROM grouped \
         JOIN failures ON failures.created_position = grouped.newest \
         WHERE grouped.newest <= ?4 AND grouped.newest >= ?5 ORDER BY grouped.newest {order} LIMIT ?6"
    );
    Query::new(named.dialect, sql, values)
}

/// A group from its cells.
pub(crate) fn read(cells: &mut Cells<'_>) -> Result<FailureGroup, StorageError> {
    Ok(FailureGroup {
        fingerprint: cells.take()?,
        executions: cells.take()?,
        workflows: cells.take()?,
        oldest_position: cells.take()?,
        newest_position: cells.take()?,
        newest: ExecutionId(cells.take()?),
        error: cells.take()?,
        error_node: cells.take()?,
    })
}
