//! The questions about executions: one, and lists by workflow and status, as of any position.
//!
//! Every list costs the same at a thousand rows and at millions:
//! - now: one walk over the index of newest versions that fits the filter;
//! - as of a position, by an ended status: the same walk, since such versions never close; it passes over those that ended
//!   after the position, which all ran at it;
//! - as of a position, running or waiting: versions that held then are looked up by the class of their length, so that at
//!   most about twice as many are read as ran at that position;
//! - as of a position, any status: a walk by creation, each row's version by the primary key.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use timeloom_domain::execution::ExecutionStatus;
use timeloom_domain::ids::{ExecutionId, TenantId};
use timeloom_store::Position;

use super::table::{TABLE, read_row};
use super::{ExecutionFilter, ExecutionRow};
use crate::listing::{Rows, stored};
use crate::page::{AsOf, Page, PageOf};

/// One execution as it was at `as_of`.
pub(crate) fn one(
    connection: &Connection,
    tenant: TenantId,
    id: ExecutionId,
    as_of: AsOf,
) -> rusqlite::Result<Option<ExecutionRow>> {
    TABLE.one(connection, (tenant, id.0.as_bytes()), as_of, read_row)
}

/// Executions as they were at `as_of`, newest first.
pub(crate) fn page(
    connection: &Connection,
    tenant: TenantId,
    as_of: AsOf,
    page: &Page,
    filter: ExecutionFilter,
) -> rusqlite::Result<PageOf<ExecutionRow>> {
    let rows = match (as_of, filter.status) {
        (Some(position), Some(status)) if !status.has_ended() => {
            open_at(connection, tenant, position, page, filter, status)?
        }
        _ => walk(connection, tenant, as_of, page, filter)?,
    };
    Ok(PageOf::cut(rows, page, |row| row.created_position))
}

fn walk(
    connection: &Connection,
    tenant: TenantId,
    as_of: AsOf,
    page: &Page,
    filter: ExecutionFilter,
) -> rusqlite::Result<Vec<ExecutionRow>> {
    let mut conditions = Vec::new();
    if let Some(workflow) = filter.workflow_id {
        conditions.push(("newest.workflow_id = ?", Value::Blob(workflow.0.as_bytes().to_vec())));
    }
    let mut row_as_of = as_of;
    if let Some(status) = filter.status {
        conditions.push(("newest.status = ?", Value::Text(status.name().to_owned())));
        if let Some(position) = as_of {
            // The newest version is the one that held, or the execution had not ended then.
            row_as_of = None;
            conditions.push(("newest.from_position <= ?", Value::Integer(stored(position.0))));
        }
    }
    let index = match (filter.workflow_id, filter.status) {
        (None, None) => "executions_created",
        (Some(_), None) => "executions_workflow",
        (None, Some(_)) => "executions_status",
        (Some(_), Some(_)) => "executions_workflow_status",
    };
    let rows = Rows { tenant, as_of: row_as_of, newest: page.newest(as_of), limit: page.rows() + 1, index, conditions };
    TABLE.page(connection, rows, read_row)
}

/// Executions that had this status at `position` and not for ever.
fn open_at(
    connection: &Connection,
    tenant: TenantId,
    position: Position,
    page: &Page,
    filter: ExecutionFilter,
    status: ExecutionStatus,
) -> rusqlite::Result<Vec<ExecutionRow>> {
    // A version that closed holds at the position if it began at or before it and ended after it. Of class c it is
    // shorter than 2^(c+1), so it began less than that before the position.
    let workflow = if filter.workflow_id.is_some() { "AND version.workflow_id = ?5" } else { "" };
    let columns = TABLE.selected();
    let sql = format!(
        "WITH RECURSIVE classes (class) AS (SELECT 0 UNION ALL SELECT class + 1 FROM classes WHERE class < 61)
         SELECT {columns} FROM executions AS version INDEXED BY executions_status
         WHERE version.tenant = ?1 AND version.status = ?2 AND version.to_position IS NULL
             AND version.created_position <= ?4 AND version.from_position <= ?3 {workflow}
         UNION ALL
         SELECT {columns} FROM classes CROSS JOIN executions AS version INDEXED BY executions_closed
         WHERE version.tenant = ?1 AND version.status = ?2 AND version.span_class = classes.class
             AND version.from_position <= ?3 AND version.from_position > ?3 - (2 << classes.class)
             AND version.to_position > ?3 AND version.created_position <= ?4 {workflow}
         ORDER BY created_position DESC LIMIT {}",
        page.rows() + 1,
    );
    let mut parameters = vec![
        Value::Integer(tenant.0.into()),
        Value::Text(status.name().to_owned()),
        Value::Integer(stored(position.0)),
        Value::Integer(stored(page.newest(Some(position)))),
    ];
    parameters.extend(filter.workflow_id.map(|workflow| Value::Blob(workflow.0.as_bytes().to_vec())));
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_map(params_from_iter(parameters), read_row)?.collect()
}
