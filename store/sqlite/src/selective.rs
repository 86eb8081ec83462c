//! Reads of events of some kinds: by the index of kinds as far as it goes, by looking at rows for the rest. Never writes.

use std::sync::Arc;

use rusqlite::Connection;
use timeloom_store::{Direction, Filter, LogError, Position, RecordedEvent, TenantScope};

use crate::error::log_error;
use crate::kinds::{Selection, indexed_up_to};
use crate::readers::{Range, read_range};
use crate::recorded::RowReader;

/// Positions that one page of history looks at by the index.
const PAGE_INDEXED: u64 = 1 << 20;

/// Whether the index can help to find what passes.
pub(crate) fn is_selective(scope: TenantScope, filter: &Filter) -> bool {
    filter.stream.is_none()
        && (scope != TenantScope::All || !filter.categories.is_empty() || !filter.event_types.is_empty())
}

/// Events in `range` that pass, at most `limit`.
pub(crate) fn read_selected(
    connection: &Connection,
    scope: TenantScope,
    range: Range,
    direction: Direction,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
    let rows = |range, limit| read_range(connection, scope, range, direction, filter, limit);
    if !is_selective(scope, filter) {
        return rows(range, limit);
    }
    // Read before the kinds: blocks that come later may have kinds that are not selected.
    let indexed = indexed_up_to(connection).map_err(log_error)?;
    if indexed <= range.after {
        return rows(range, limit);
    }
    let Some(selection) = Selection::read(connection, scope, filter)? else { return rows(range, limit) };
    let by_index = |limit| {
        let range = (range.after, range.up_to.min(indexed));
        let positions = selection.positions(connection, range, direction, limit)?;
        let events = RowReader::read_at(connection, &positions)?;
        match events.iter().find(|event| !filter.matches(scope, event)) {
            Some(event) => Err(LogError::Corrupt {
                position: event.position,
                detail: "the index of kinds has it as another kind: restore the log from a backup".to_owned(),
            }),
            None => Ok(events),
        }
    };
    let behind = Range { after: range.after.max(indexed), up_to: range.up_to };
    let mut events = match direction {
        Direction::Forward => by_index(limit)?,
        Direction::Backward => rows(behind, limit)?,
    };
    let left = limit - events.len().min(limit);
    if left > 0 {
        events.extend(match direction {
            Direction::Forward => rows(behind, left)?,
            Direction::Backward => by_index(left)?,
        });
    }
    Ok(events)
}

/// Up to where a page of history after `after` looks that looks at `looked_at` rows at most: further by the index.
pub(crate) fn page_end(
    connection: &Connection,
    scope: TenantScope,
    after: Position,
    filter: &Filter,
    looked_at: u64,
) -> Result<Position, LogError> {
    let by_rows = after.0.saturating_add(looked_at);
    if !is_selective(scope, filter) {
        return Ok(Position(by_rows));
    }
    let indexed = indexed_up_to(connection).map_err(log_error)?;
    let by_index = indexed.0.min(after.0.saturating_add(PAGE_INDEXED));
    Ok(Position(by_rows.max(by_index)))
}
