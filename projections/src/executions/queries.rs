//! The questions about executions: one, and lists by workflow and status, as of any position.
//!
//! Every list costs the same at a thousand rows and at millions:
//! - now: one walk over the index of newest versions that fits the filter;
//! - as of a position, by an ended status: the same walk, since such versions never close; it passes over those that ended
//!   after the position, which all ran at it;
//! - as of a position, running or waiting: versions that held then are looked up by the class of their length, so that at
//!   most about twice as many are read as ran at that position;
//! - as of a position, any status: a walk by creation, each row's version by the primary key.

use timeloom_domain::execution::ExecutionStatus;
use timeloom_domain::ids::{ExecutionId, TenantId};
use timeloom_store::Position;

use super::ExecutionFilter;
use crate::database::{Named, Query, Rows, Value};
use crate::page::{AsOf, Page};

/// One execution as it was at `as_of`.
pub(crate) fn one(named: &Named, tenant: TenantId, id: ExecutionId, as_of: AsOf) -> Query {
    named.one(tenant, id.0.into(), as_of)
}

/// Executions as they were at `as_of`, newest first.
pub(crate) fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page, filter: ExecutionFilter) -> Query {
    match (as_of, filter.status) {
        (Some(position), Some(status)) if !status.has_ended() => open_at(named, tenant, position, page, filter, status),
        _ => walk(named, tenant, as_of, page, filter),
    }
}

fn walk(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page, filter: ExecutionFilter) -> Query {
    let mut conditions: Vec<(&str, Value<'_>)> = Vec::new();
    if let Some(workflow) = filter.workflow_id {
        conditions.push(("newest.workflow_id = ?", workflow.0.into()));
    }
    let mut row_as_of = as_of;
    if let Some(status) = filter.status {
        conditions.push(("newest.status = ?", status.name().into()));
        if let Some(position) = as_of {
            // The newest version is the one that held, or the execution had not ended then.
            row_as_of = None;
            conditions.push(("newest.from_position <= ?", position.into()));
        }
    }
    let index = match (filter.workflow_id, filter.status) {
        (None, None) => "executions_created",
        (Some(_), None) => "executions_workflow",
        (None, Some(_)) => "executions_status",
        (Some(_), Some(_)) => "executions_workflow_status",
    };
    named.page(Rows { tenant, as_of: row_as_of, newest: page.newest(as_of), limit: page.rows() + 1, index, conditions })
}

/// Executions that had this status at `position` and not for ever.
fn open_at(
    named: &Named,
    tenant: TenantId,
    position: Position,
    page: &Page,
    filter: ExecutionFilter,
    status: ExecutionStatus,
) -> Query {
    // A version that closed holds at the position if it began at or before it and ended after it. Of class c it is
    // shorter than 2^(c+1), so it began less than that before the position.
    let workflow = if filter.workflow_id.is_some() { "AND version.workflow_id = ?5" } else { "" };
    let newest = named.indexed_by("executions_status");
    let closed = format!(
        "version.tenant = ?1 AND version.status = ?2 AND version.span_class = classes.class \
         AND version.to_position IS NOT NULL AND version.from_position <= ?3 \
         AND version.from_position > ?3 - (CAST(2 AS bigint) << classes.class) \
         AND version.to_position > ?3 AND version.created_position <= ?4 {workflow}"
    );
    let sql = format!(
        "WITH RECURSIVE classes (class) AS (SELECT 0 UNION ALL SELECT class + 1 FROM classes WHERE class < 61) \
         SELECT {} FROM {} AS version {newest} WHERE version.tenant = ?1 AND version.status = ?2 \
         AND version.to_position IS NULL AND version.created_position <= ?4 AND version.from_position <= ?3 {workflow} \
         UNION ALL {} ORDER BY created_position DESC LIMIT {}",
        named.selected(),
        named.build(),
        named.looked_up_for("classes", "executions_closed", &closed),
        page.rows() + 1,
    );
    let mut values = vec![tenant.into(), status.name().into(), position.into(), page.newest(Some(position)).into()];
    values.extend(filter.workflow_id.map(|workflow| Value::from(workflow.0)));
    Query::new(named.dialect, sql, values)
}
