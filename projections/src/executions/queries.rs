//! The questions about executions: one, and lists by workflow, status, trigger and saved facts, as of any position.
//!
//! Every list costs the same at a thousand rows and at millions:
//! - now: one walk over the index of newest versions that fits the filter;
//! - as of a position, by an ended status: the same walk, since such a status never changes; it passes over those that ended
//!   after the position, which all ran at it;
//! - as of a position, by what does not last (running, waiting, paused, unresolved): versions that held then are looked up
//!   by the class of their length, so that at most about twice as many are read as held at that position;
//! - as of a position, any status: a walk by creation, each row's version by the primary key.
//!
//! A filter by several things at once walks the narrowest index that there is and passes over what does not meet the rest.

use timeloom_domain::execution::ExecutionStatus;
use timeloom_domain::ids::{ExecutionId, TenantId};
use timeloom_store::Position;

use super::{ExecutionFilter, SavedFact};
use crate::database::{Dialect, Named, Query, Rows, Value, order};
use crate::page::{AsOf, Page};
use crate::payload::shorten;

type Condition = (&'static str, Value<'static>);

/// All but what is unresolved. Unlike what is, it never narrows a walk: what is passed over are the failures that nobody
/// has looked after.
const RESOLVED: Condition = ("version.unresolved IS DISTINCT FROM ?", Value::Integer(1));

/// One execution as it was at `as_of`.
pub(crate) fn one(named: &Named, tenant: TenantId, id: ExecutionId, as_of: AsOf) -> Query {
    named.one(tenant, id.0.into(), as_of)
}

/// Executions as they were at `as_of`, newest first.
pub(crate) fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page, filter: &ExecutionFilter) -> Query {
    let passing = match filter.status {
        _ if filter.unresolved == Some(true) => Some(ExecutionStatus::Failed),
        status => status.filter(|status| !status.has_ended()),
    };
    let page = &filter.within(page);
    match (as_of, passing) {
        (Some(position), Some(status)) => held_at(named, tenant, position, page, filter, status),
        _ => walk(named, tenant, as_of, page, filter),
    }
}

fn walk(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page, filter: &ExecutionFilter) -> Query {
    let mut conditions: Vec<Condition> = Vec::new();
    if let Some(workflow) = filter.workflow_id {
        conditions.push(("newest.workflow_id = ?", workflow.0.into()));
    }
    if let Some(trigger) = filter.trigger {
        conditions.push(("newest.trigger_kind = ?", trigger.name().into()));
    }
    match filter.unresolved {
        Some(true) => conditions.push(("newest.unresolved = ?", true.into())),
        Some(false) => conditions.push(RESOLVED),
        None => {}
    }
    if let Some(origin) = filter.forked_from {
        conditions.push(("newest.forked_from = ?", origin.0.into()));
    }
    if let Some(status) = filter.status {
        conditions.push(("newest.status = ?", status.name().into()));
        if let Some(position) = as_of {
            // The newest version has the status that held, or the execution had not ended then.
            conditions.push(("newest.ended_position <= ?", position.into()));
        }
    }
    if let Some(fingerprint) = &filter.error_fingerprint {
        conditions.push(("newest.error_fingerprint = ?", fingerprint.clone().into()));
        if let Some(position) = as_of {
            // It failed by then, or had none.
            conditions.push(("newest.ended_position <= ?", position.into()));
        }
    }
    if let Some(saved) = &filter.saved {
        conditions.push(("newest.has_saved_data = ?", true.into()));
        conditions.push(holds(named, saved));
    }
    let index = match (filter.workflow_id, filter.status) {
        _ if filter.unresolved == Some(true) => "executions_unresolved",
        _ if filter.forked_from.is_some() => "executions_forks",
        _ if filter.error_fingerprint.is_some() => "executions_fingerprint",
        _ if filter.saved.is_some() => "executions_saved",
        (Some(_), None) => "executions_workflow",
        (Some(_), Some(_)) => "executions_workflow_status",
        (None, _) if filter.trigger.is_some() => "executions_trigger",
        (None, None) => "executions_created",
        (None, Some(_)) => "executions_status",
    };
    named.page(Rows { tenant, as_of, page: *page, index, conditions })
}

/// That a version holds a saved fact. The facts are JSON text, in which a quotation mark after a comma begins a name.
fn holds(named: &Named, saved: &SavedFact) -> Condition {
    let text = |text: &str| serde_json::Value::from(shorten(text.to_owned())).to_string();
    let wanted = format!(",{}:{}", text(&saved.name), text(&saved.value));
    let condition = match named.dialect {
        Dialect::Sqlite => "instr(',' || substr(version.saved_data, 2), ?) > 0",
        Dialect::Postgres => "strpos(',' || substr(version.saved_data, 2), ?) > 0",
    };
    (condition, wanted.into())
}

/// Executions that had this status at `position` and not for ever.
fn held_at(
    named: &Named,
    tenant: TenantId,
    position: Position,
    page: &Page,
    filter: &ExecutionFilter,
    status: ExecutionStatus,
) -> Query {
    let mut values = vec![
        tenant.into(),
        status.name().into(),
        position.into(),
        page.newest(Some(position)).into(),
        page.oldest().into(),
    ];
    let mut more = String::new();
    for (condition, value) in narrowing(named, filter, status) {
        values.push(value);
        more.push_str(&format!(" AND {}", condition.replace('?', &format!("?{}", values.len()))));
    }
    // A version that closed holds at the position if it began at or before it and ended after it. Of class c it is
    // shorter than 2^(c+1), so it began less than that before the position.
    let closed = format!(
        "version.tenant = ?1 AND version.status = ?2 AND version.span_class = classes.class \
         AND version.to_position IS NOT NULL AND version.from_position <= ?3 \
         AND version.from_position > ?3 - (CAST(2 AS bigint) << classes.class) \
         AND version.to_position > ?3 AND version.created_position <= ?4 AND version.created_position >= ?5{more}"
    );
    let (limit, order) = (page.limit(), order(page));
    let index = if filter.unresolved == Some(true) { "executions_unresolved" } else { "executions_status" };
    let sql = format!(
        "WITH RECURSIVE classes (class) AS (SELECT 0 UNION ALL SELECT class + 1 FROM classes WHERE class < 61) \
         SELECT * FROM (SELECT {} FROM {} AS version {} WHERE version.tenant = ?1 AND version.status = ?2 \
         AND version.to_position IS NULL AND version.created_position <= ?4 AND version.created_position >= ?5 \
         AND version.from_position <= ?3{more} ORDER BY version.created_position {order} LIMIT {limit}) AS newest \
         UNION ALL {} ORDER BY created_position {order} LIMIT {limit}",
        named.selected(),
        named.build(),
        named.indexed_by(index),
        named.looked_up_for("classes", "executions_closed", &closed),
    );
    Query::new(named.dialect, sql, values)
}

/// What a version must meet besides its status.
fn narrowing(named: &Named, filter: &ExecutionFilter, status: ExecutionStatus) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = Vec::new();
    if let Some(workflow) = filter.workflow_id {
        conditions.push(("version.workflow_id = ?", workflow.0.into()));
    }
    if let Some(trigger) = filter.trigger {
        conditions.push(("version.trigger_kind = ?", trigger.name().into()));
    }
    match filter.unresolved {
        Some(true) => conditions.push(("version.unresolved = ?", true.into())),
        Some(false) => conditions.push(RESOLVED),
        None => {}
    }
    if let Some(other) = filter.status.filter(|other| *other != status) {
        // Nothing meets both.
        conditions.push(("version.status = ?", other.name().into()));
    }
    if let Some(origin) = filter.forked_from {
        conditions.push(("version.forked_from = ?", origin.0.into()));
    }
    if let Some(fingerprint) = &filter.error_fingerprint {
        conditions.push(("version.error_fingerprint = ?", fingerprint.clone().into()));
    }
    conditions.extend(filter.saved.as_ref().map(|saved| holds(named, saved)));
    conditions
}
