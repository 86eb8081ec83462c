//! Reads of events whose rows are in the archive: positions are found in the log's file, rows in segments. Never writes.
//!
//! A read sees in one snapshot how far the archive goes. By the time that it looks there, rows may have come back: each step
//! looks again, in a snapshot of its own, and reads those from the file. A segment is read whether the log still knows it or not.

use std::sync::Arc;

use rusqlite::{Connection, ToSql};
use timeloom_store::archive::{Segment, newest_at, passes, pick, scan};
use timeloom_store::stored::{EXPORT_BYTES_MAX, EXPORT_EVENTS_MAX};
use timeloom_store::{
    APPEND_EVENTS_MAX, Direction, Filter, LogError, Position, READ_EVENTS_MAX, RecordedEvent, Revision, StoredEvent,
    StoredLeaf, TenantScope,
};

use crate::archive::{dropped, segment_at, segments, segments_before};
use crate::error::log_error;
use crate::export::{OfDamaged, export, leaves};
use crate::kinds::{Selection, indexed_up_to};
use crate::readers::{Range, Readers, stream_no};
use crate::recorded::{signed, unsigned};
use crate::selective::is_selective;

/// Segments that one step looks into.
const STEP_SEGMENTS: usize = 16;
/// Rows of one part of an exported page.
const EXPORT_PART_EVENTS: usize = 256;

/// The next step of a read of the archive.
struct Step {
    /// The segments that it needs, at most [`STEP_SEGMENTS`].
    segments: Vec<Segment>,
    /// Where it looks.
    range: Range,
    found: Found,
}

/// What a step knows of the events where it looks.
enum Found {
    /// Those that can pass, in the order of the read.
    Named(Vec<Position>),
    /// Nothing: each is looked at.
    Nothing,
    /// All of them, in the order of the read: their rows came back.
    Rows(Vec<StoredEvent>),
}

impl Readers {
    /// Events in `range`, which is archived, that pass; at most `limit`, as they are stored.
    pub(crate) async fn cold(
        &self,
        scope: TenantScope,
        range: Range,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, LogError> {
        let mut found = Vec::new();
        let mut range = range;
        while range.after < range.up_to && found.len() < limit {
            let (wanted, left) = (filter.clone(), (limit - found.len()).min(READ_EVENTS_MAX));
            let step = self.read(move |connection| next_step(connection, scope, range, direction, &wanted, left));
            let mut step = step.await?;
            let passes = |event: &StoredEvent| passes(scope, filter, event);
            match step.found {
                Found::Rows(rows) => found.extend(rows.into_iter().filter(passes)),
                Found::Named(positions) => {
                    let rows = pick(self.segments(), &step.segments, &positions).await?;
                    found.extend(rows.into_iter().filter(passes));
                }
                Found::Nothing => {
                    let within = (step.range.after, step.range.up_to);
                    let (rows, looked) = scan(self.segments(), &step.segments, within, direction, left, passes).await?;
                    found.extend(rows);
                    match direction {
                        Direction::Forward => step.range.up_to = looked,
                        Direction::Backward => step.range.after = looked,
                    }
                }
            }
            match direction {
                Direction::Forward => range.after = step.range.up_to,
                Direction::Backward => range.up_to = step.range.after,
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// The archived events at these positions, which are in order, as they are stored.
    pub(crate) async fn cold_at(&self, positions: Vec<Position>) -> Result<Vec<StoredEvent>, LogError> {
        let (segments, positions, back) = self
            .read(move |connection| {
                let snapshot = connection.unchecked_transaction().map_err(log_error)?;
                let dropped = dropped(&snapshot).map_err(log_error)?;
                let mut positions = positions;
                let back = positions.split_off(positions.partition_point(|position| *position <= dropped));
                let back = back.iter().map(|position| row_at(&snapshot, *position)).collect::<Result<Vec<_>, _>>()?;
                Ok((segments_of(&snapshot, &positions)?, positions, back))
            })
            .await?;
        let mut rows = pick(self.segments(), &segments, &positions).await?;
        rows.extend(back);
        Ok(rows)
    }

    /// Rows after `after`, as [`LogTransfer::export`](timeloom_store::LogTransfer::export) has them.
    pub(crate) async fn export(
        &self,
        after: Position,
        limit: usize,
        of_damaged: OfDamaged,
    ) -> Result<Vec<StoredEvent>, LogError> {
        let (mut rows, mut after) = (Vec::new(), after);
        loop {
            let left = limit.min(EXPORT_EVENTS_MAX) - rows.len();
            let (found, dropped) = self
                .read(move |connection| {
                    let snapshot = connection.unchecked_transaction().map_err(log_error)?;
                    let dropped = dropped(&snapshot).map_err(log_error)?;
                    let found = if after < dropped { Vec::new() } else { export(&snapshot, after, left, of_damaged)? };
                    Ok((found, dropped))
                })
                .await?;
            if after >= dropped {
                rows.extend(found);
                return Ok(rows);
            }
            rows.extend(self.cold_export(Range { after, up_to: dropped }, left).await?);
            after = rows.last().map_or(after, |last: &StoredEvent| last.position);
            let bytes: usize = rows.iter().map(StoredEvent::text_bytes).sum();
            if after < dropped || rows.len() >= limit.min(EXPORT_EVENTS_MAX) || bytes >= EXPORT_BYTES_MAX {
                return Ok(rows);
            }
        }
    }

    /// Leaves after `after`, as [`LogTransfer::leaves`](timeloom_store::LogTransfer::leaves) has them: of archived rows as
    /// they follow from what the segments hold.
    pub(crate) async fn leaves(&self, after: Position, limit: usize) -> Result<Vec<StoredLeaf>, LogError> {
        let found = self
            .read(move |connection| {
                let snapshot = connection.unchecked_transaction().map_err(log_error)?;
                let dropped = dropped(&snapshot).map_err(log_error)?;
                if after < dropped { Ok(None) } else { leaves(&snapshot, after, limit).map(Some) }
            })
            .await?;
        if let Some(leaves) = found {
            return Ok(leaves);
        }
        let rows = self.export(after, limit, OfDamaged::Nothing).await?;
        Ok(rows.iter().map(StoredLeaf::from).collect())
    }

    /// Archived rows in `range`, at most `limit` and not many more bytes than a page has.
    async fn cold_export(&self, mut range: Range, limit: usize) -> Result<Vec<StoredEvent>, LogError> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while range.after < range.up_to && rows.len() < limit && bytes < EXPORT_BYTES_MAX {
            // A part at a time: large rows are not in memory before it is known that they are wanted.
            let part = (limit - rows.len()).min(EXPORT_PART_EVENTS);
            let found = self.cold(TenantScope::All, range, Direction::Forward, &Filter::default(), part).await?;
            let Some(last) = found.last() else { break };
            range.after = last.position;
            for row in found {
                if bytes < EXPORT_BYTES_MAX {
                    bytes += row.text_bytes();
                    rows.push(row);
                }
            }
        }
        Ok(rows)
    }

    /// The position of the newest archived event at or before a time; `None` when that of the newest archived one is before
    /// it too, so that it may be among the rows.
    pub(crate) async fn cold_position_at(&self, time_us: i64) -> Result<Option<Position>, LogError> {
        let segment = self.read(move |connection| segment_at(connection, time_us));
        match segment.await? {
            Some(segment) => newest_at(self.segments(), &segment, time_us).await.map(Some),
            None => Ok(None),
        }
    }
}

/// The archived events as readers get them; payloads in blobs are still references.
pub(crate) fn recorded(rows: Vec<StoredEvent>) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
    rows.into_iter().map(|row| row.into_recorded().map(Arc::new)).collect()
}

fn next_step(
    connection: &Connection,
    scope: TenantScope,
    range: Range,
    direction: Direction,
    filter: &Filter,
    limit: usize,
) -> Result<Step, LogError> {
    let snapshot = connection.unchecked_transaction().map_err(log_error)?;
    let connection = &*snapshot;
    let mut range = range;
    let dropped = dropped(connection).map_err(log_error)?;
    if dropped < range.up_to {
        if direction == Direction::Backward || dropped <= range.after {
            return rows_step(connection, Range { after: range.after.max(dropped), ..range }, direction);
        }
        range.up_to = dropped;
    }
    let named = |positions: Vec<Position>, range: Range| {
        // What is named is all there is up to the last one of a full answer.
        let end = positions.last().copied().filter(|_| positions.len() >= limit);
        let range = match direction {
            Direction::Forward => Range { up_to: end.unwrap_or(range.up_to), ..range },
            Direction::Backward => Range { after: end.map_or(range.after, |end| Position(end.0 - 1)), ..range },
        };
        Ok(Step { segments: segments_of(connection, &positions)?, range, found: Found::Named(positions) })
    };
    if let Some(stream) = &filter.stream {
        let positions = match stream_no(connection, stream)? {
            Some(stream_no) => of_stream(connection, stream_no, range, direction, limit)?,
            None => Vec::new(),
        };
        return named(positions, range);
    }
    let indexed =
        if is_selective(scope, filter) { indexed_up_to(connection).map_err(log_error)? } else { Position::START };
    let by_index = match direction {
        Direction::Forward => indexed > range.after,
        Direction::Backward => indexed >= range.up_to,
    };
    if by_index && let Some(selection) = Selection::read(connection, scope, filter)? {
        let range = Range { up_to: range.up_to.min(indexed), ..range };
        let positions = selection.positions(connection, (range.after, range.up_to), direction, limit)?;
        return named(positions, range);
    }
    all_of(connection, range, direction, indexed)
}

/// A step over rows that came back.
fn rows_step(connection: &Connection, range: Range, direction: Direction) -> Result<Step, LogError> {
    let mut part = EXPORT_PART_EVENTS as u64;
    loop {
        let after = match direction {
            Direction::Forward => range.after,
            Direction::Backward => Position(range.up_to.0.saturating_sub(part)).max(range.after),
        };
        let limit = (range.up_to.0 - after.0).min(part);
        let mut rows = export(connection, after, usize::try_from(limit).unwrap_or(1), OfDamaged::Nothing)?;
        rows.retain(|row| row.position <= range.up_to);
        let last = rows.last().map(|last| last.position).ok_or_else(|| missing(after))?;
        // Backward all of them are needed: fewer are asked for when they are too large to come at once.
        if direction == Direction::Backward && last < range.up_to {
            if part == 1 {
                return Err(missing(range.up_to));
            }
            part /= 2;
            continue;
        }
        let range = match direction {
            Direction::Forward => Range { up_to: last, ..range },
            Direction::Backward => Range { after, ..range },
        };
        if direction == Direction::Backward {
            rows.reverse();
        }
        return Ok(Step { segments: Vec::new(), range, found: Found::Rows(rows) });
    }
}

fn row_at(connection: &Connection, position: Position) -> Result<StoredEvent, LogError> {
    let rows = export(connection, Position(position.0.saturating_sub(1)), 1, OfDamaged::Nothing)?;
    rows.into_iter().next().filter(|row| row.position == position).ok_or_else(|| missing(position))
}

fn missing(position: Position) -> LogError {
    LogError::Corrupt { position, detail: "there is no event".to_owned() }
}

/// A step that looks at every event of some segments.
fn all_of(connection: &Connection, range: Range, direction: Direction, indexed: Position) -> Result<Step, LogError> {
    match direction {
        Direction::Forward => {
            let segments = segments(connection, range.after, STEP_SEGMENTS)?;
            let up_to = segments.last().map_or(range.up_to, |last| last.last.min(range.up_to));
            Ok(Step { segments, range: Range { up_to, ..range }, found: Found::Nothing })
        }
        Direction::Backward => {
            let segments = segments_before(connection, range.up_to, STEP_SEGMENTS)?;
            let first = segments.last().map_or(range.after, |first| Position(first.first.0 - 1));
            // From there on the index knows.
            let known = if indexed < range.up_to { indexed } else { Position::START };
            Ok(Step {
                segments,
                range: Range { after: first.max(range.after).max(known), ..range },
                found: Found::Nothing,
            })
        }
    }
}

/// The segments that have these positions, which are in order.
pub(crate) fn segments_of(connection: &Connection, positions: &[Position]) -> Result<Vec<Segment>, LogError> {
    let mut found: Vec<Segment> = Vec::new();
    for position in positions {
        if found.last().is_none_or(|segment| !segment.has(*position)) {
            found.extend(segments_before(connection, *position, 1)?);
        }
    }
    Ok(found)
}

/// The positions of an append's events, which ends at `position` with the revision `sequence`, that are wanted.
fn of_append(
    (position, sequence, events): (u64, u64, u64),
    wanted: impl Fn(Position, Revision) -> bool,
) -> impl DoubleEndedIterator<Item = Position> {
    let places =
        (0..events).rev().map(move |before| (position.saturating_sub(before), sequence.saturating_sub(before)));
    places
        .filter(move |(position, revision)| wanted(Position(*position), Revision(*revision)))
        .map(|(at, _)| Position(at))
}

fn of_stream(
    connection: &Connection,
    stream_no: i64,
    range: Range,
    direction: Direction,
    limit: usize,
) -> Result<Vec<Position>, LogError> {
    let parameters: [&dyn ToSql; 4] =
        [&stream_no, &signed(range.after.0), &signed(range.up_to.0), &signed(limit as u64)];
    let order = if direction == Direction::Backward { " DESC" } else { "" };
    let sql = format!(
        "SELECT position, sequence, append_events FROM archived_appends \
         WHERE stream_no = ?1 AND position > ?2 AND position - append_events < ?3 ORDER BY sequence{order} LIMIT ?4"
    );
    positions(connection, &sql, &parameters, direction, limit, |position, _| {
        position > range.after && position <= range.up_to
    })
}

/// The archived events of a stream with revision greater than `after` (forward) or up to and with it (backward).
pub(crate) fn of_revisions(
    connection: &Connection,
    stream_no: i64,
    after: Revision,
    direction: Direction,
    limit: usize,
) -> Result<Vec<Position>, LogError> {
    // Far beyond any revision, but not so far that adding to it overflows.
    let bound = signed(after.0).min(i64::MAX / 2);
    let parameters: [&dyn ToSql; 3] = [&stream_no, &bound, &signed(limit as u64)];
    let columns = "SELECT position, sequence, append_events FROM archived_appends WHERE stream_no = ?1";
    let sql = match direction {
        Direction::Forward => format!("{columns} AND sequence > ?2 ORDER BY sequence LIMIT ?3"),
        Direction::Backward => {
            format!(
                "{columns} AND sequence < ?2 + {APPEND_EVENTS_MAX} AND sequence - append_events < ?2 \
                 ORDER BY sequence DESC LIMIT ?3"
            )
        }
    };
    positions(connection, &sql, &parameters, direction, limit, |_, revision| match direction {
        Direction::Forward => revision > after,
        Direction::Backward => revision <= after,
    })
}

fn positions(
    connection: &Connection,
    sql: &str,
    parameters: &[&dyn ToSql],
    direction: Direction,
    limit: usize,
    wanted: impl Fn(Position, Revision) -> bool,
) -> Result<Vec<Position>, LogError> {
    let limit = limit.min(READ_EVENTS_MAX);
    let mut statement = connection.prepare_cached(sql).map_err(log_error)?;
    let mut rows = statement.query(parameters).map_err(log_error)?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next().map_err(log_error)?
    {
        let number = |index| row.get(index).map(unsigned).map_err(log_error);
        let append = of_append((number(0)?, number(1)?, number(2)?), &wanted);
        match direction {
            Direction::Forward => found.extend(append),
            Direction::Backward => found.extend(append.rev()),
        }
    }
    found.truncate(limit);
    Ok(found)
}
