//! Reads of events whose rows are in the archive: positions are found in the database, rows in segments. Never writes.
//!
//! Each statement is a snapshot of its own, and says how far rows were dropped when it was made. Other processes may drop rows
//! or bring some back between two of them: whoever finds that what it looks for has moved looks again, a bounded number of
//! times. A segment that was found is read, whether the database still knows it or not.

use std::fmt::Write;
use std::sync::Arc;

use timeloom_store::archive::{Segment, newest_at, passes, pick, scan};
use timeloom_store::stored::{EXPORT_BYTES_MAX, EXPORT_EVENTS_MAX};
use timeloom_store::{
    APPEND_EVENTS_MAX, Direction, Filter, LogError, Position, READ_EVENTS_MAX, RecordedEvent, Revision, StoredEvent,
    StreamKey, TenantScope,
};
use tokio_postgres::Row;

use crate::archive::{SEGMENT, no_row, segment};
use crate::error::log_error;
use crate::readers::{Parameters, Range, Readers, names};
use crate::recorded::{signed, unsigned};

/// Segments that one step looks into.
const STEP_SEGMENTS: i64 = 16;
/// Rows of one part of an exported page.
const EXPORT_PART_EVENTS: usize = 256;
/// How often a read looks again because rows moved meanwhile.
pub(crate) const LOOKS_MAX: usize = 100;

/// What came of a step of a read of the archive.
pub(crate) enum Step {
    /// What passes, and how far it looked: forward up to and with that position, backward down to but without it.
    Looked(Vec<StoredEvent>, Position),
    /// Rows came back meanwhile: they are in the database.
    Moved,
}

impl Readers {
    /// A step over events in `range`, which was archived a moment ago, that pass; at most `limit`, as they are stored.
    pub(crate) async fn cold(
        &self,
        scope: TenantScope,
        range: Range,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Step, LogError> {
        let limit = limit.min(READ_EVENTS_MAX);
        let named = if let Some(stream) = &filter.stream {
            self.archived_of_stream(stream, range, direction, limit).await?
        } else if scope != TenantScope::All || !filter.categories.is_empty() || !filter.event_types.is_empty() {
            self.archived_of_kinds(scope, range, direction, filter, limit).await?
        } else {
            return self.scanned(range, direction, limit).await;
        };
        let Some(positions) = named else { return Ok(Step::Moved) };
        let Some(rows) = self.rows_at(&positions).await? else { return Ok(Step::Moved) };
        // What is named is all there is up to the last one of a full answer.
        let end = positions.last().copied().filter(|_| positions.len() >= limit);
        let looked = match direction {
            Direction::Forward => end.unwrap_or(range.up_to),
            Direction::Backward => end.map_or(range.after, |end| Position(end.0 - 1)),
        };
        Ok(Step::Looked(rows.into_iter().filter(|event| passes(scope, filter, event)).collect(), looked))
    }

    /// The events at `positions`, in order, from their segments; `None` when a segment of one is not known any more.
    async fn rows_at(&self, positions: &[Position]) -> Result<Option<Vec<StoredEvent>>, LogError> {
        if positions.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let sql = format!(
            "SELECT DISTINCT found.* FROM unnest($1::bigint[]) AS wanted (position) CROSS JOIN LATERAL \
             (SELECT {SEGMENT} FROM log_segments WHERE first <= wanted.position ORDER BY first DESC LIMIT 1) AS found"
        );
        let wanted: Vec<i64> = positions.iter().map(|position| signed(position.0)).collect();
        let known = self.query(&sql, &vec![&wanted]).await?;
        let known = known.iter().map(segment).collect::<Result<Vec<Segment>, LogError>>()?;
        if !positions.iter().all(|position| known.iter().any(|segment| segment.has(*position))) {
            return Ok(None);
        }
        pick(self.segments(), &known, positions).await.map(Some)
    }

    /// A step that looks at every event of some segments.
    async fn scanned(&self, range: Range, direction: Direction, limit: usize) -> Result<Step, LogError> {
        let (condition, order, at) = match direction {
            Direction::Forward => ("last > $1", "", range.after),
            Direction::Backward => ("first <= $1", " DESC", range.up_to),
        };
        let sql = with_dropped(&format!(
            "SELECT {SEGMENT} FROM log_segments WHERE {condition} ORDER BY first{order} LIMIT $2"
        ));
        let (rows, dropped) = answered(self.query(&sql, &vec![&signed(at.0), &STEP_SEGMENTS]).await?)?;
        let mut known = rows.iter().map(segment).collect::<Result<Vec<Segment>, LogError>>()?;
        known.sort_by_key(|segment| segment.first);
        let (Some(first), Some(last)) = (known.first(), known.last()) else { return Ok(Step::Moved) };
        if dropped < range.up_to {
            return Ok(Step::Moved);
        }
        let within = match direction {
            Direction::Forward => (range.after, range.up_to.min(last.last)),
            Direction::Backward => (range.after.max(Position(first.first.0 - 1)), range.up_to),
        };
        let (rows, looked) = scan(self.segments(), &known, within, direction, limit, |_| true).await?;
        Ok(Step::Looked(rows, looked))
    }

    /// Positions of archived events of a stream in `range`; `None` when the range is not all archived any more.
    async fn archived_of_stream(
        &self,
        stream: &StreamKey,
        range: Range,
        direction: Direction,
        limit: usize,
    ) -> Result<Option<Vec<Position>>, LogError> {
        let descending = if direction == Direction::Backward { " DESC" } else { "" };
        let sql = with_dropped(&format!(
            "SELECT position, sequence, append_events FROM archived_appends \
             WHERE aggregate_type = $1 AND aggregate_id = $2 AND tenant_id = $3 \
             AND position > $4 AND position - append_events < $5 ORDER BY sequence{descending} LIMIT $6"
        ));
        let (tenant, limit_rows) = (i64::from(stream.tenant.0), signed(limit as u64));
        let (after, up_to) = (signed(range.after.0), signed(range.up_to.0));
        let (category, id) = (&*stream.category, &*stream.id);
        let parameters: Parameters<'_> = vec![&category, &id, &tenant, &after, &up_to, &limit_rows];
        let (rows, dropped) = answered(self.query(&sql, &parameters).await?)?;
        if dropped < range.up_to {
            return Ok(None);
        }
        let wanted = |position: Position, _: Revision| position > range.after && position <= range.up_to;
        positions_of(&rows, direction, limit, wanted).map(Some)
    }

    /// The same of some kinds.
    async fn archived_of_kinds(
        &self,
        scope: TenantScope,
        range: Range,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Option<Vec<Position>>, LogError> {
        let tenant = match scope {
            TenantScope::One(tenant) => Some(i64::from(tenant.0)),
            TenantScope::All => None,
        };
        let (categories, event_types) = (names(&filter.categories), names(&filter.event_types));
        let (after, up_to, limit) = (signed(range.after.0), signed(range.up_to.0), signed(limit as u64));
        let mut parameters: Parameters<'_> = vec![&after, &up_to, &limit];
        let mut kinds = String::from("SELECT kind FROM archived_kinds WHERE true");
        let mut condition = |text: &str, value| {
            parameters.push(value);
            let _ = write!(kinds, " AND {}", text.replace('?', &format!("${}", parameters.len())));
        };
        if let Some(tenant) = &tenant {
            condition("tenant_id = ?", tenant);
        }
        if !categories.is_empty() {
            condition("aggregate_type = ANY(?)", &categories);
        }
        if !event_types.is_empty() {
            condition("event_type = ANY(?)", &event_types);
        }
        let descending = if direction == Direction::Backward { " DESC" } else { "" };
        let sql = with_dropped(&format!(
            "SELECT position FROM archived_events WHERE kind = ANY(ARRAY({kinds})) \
             AND position > $1 AND position <= $2 ORDER BY position{descending} LIMIT $3"
        ));
        let (rows, dropped) = answered(self.query(&sql, &parameters).await?)?;
        if dropped < range.up_to {
            return Ok(None);
        }
        let mut positions = rows.iter().map(position).collect::<Result<Vec<_>, _>>()?;
        positions.sort_unstable();
        if direction == Direction::Backward {
            positions.reverse();
        }
        Ok(Some(positions))
    }

    /// The archived events of a stream with revision greater than `after` (forward) or up to and with it (backward), and how
    /// far rows were dropped.
    pub(crate) async fn cold_of_stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Option<(Vec<StoredEvent>, Position)>, LogError> {
        // Far beyond any revision, but not so far that adding to it overflows.
        let bound = signed(after.0).min(i64::MAX / 2);
        let condition = match direction {
            Direction::Forward => "sequence > $4 ORDER BY sequence LIMIT $5".to_owned(),
            Direction::Backward => format!(
                "sequence < $4::bigint + {APPEND_EVENTS_MAX} AND sequence - append_events < $4::bigint ORDER BY sequence DESC LIMIT $5"
            ),
        };
        let sql = with_dropped(&format!(
            "SELECT position, sequence, append_events FROM archived_appends \
             WHERE aggregate_type = $1 AND aggregate_id = $2 AND tenant_id = $3 AND {condition}"
        ));
        let (tenant, limit_rows) = (i64::from(stream.tenant.0), signed(limit as u64));
        let (category, id) = (&*stream.category, &*stream.id);
        let parameters: Parameters<'_> = vec![&category, &id, &tenant, &bound, &limit_rows];
        let (rows, dropped) = answered(self.query(&sql, &parameters).await?)?;
        let positions = positions_of(&rows, direction, limit, |_, revision| match direction {
            Direction::Forward => revision > after,
            Direction::Backward => revision <= after,
        })?;
        Ok(self.rows_at(&positions).await?.map(|rows| (rows, dropped)))
    }

    /// The events at these positions, which are in order, wherever they are; those that there are.
    pub(crate) async fn at(&self, positions: &[Position]) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        for _ in 0..LOOKS_MAX {
            let (hot, dropped) = self.hot_at(positions).await?;
            let archived = positions.iter().copied().filter(|position| *position <= dropped && position.0 > 0);
            let archived: Vec<Position> = archived.collect();
            if let Some(cold) = self.rows_at(&archived).await? {
                let mut events = recorded(cold)?;
                events.extend(hot);
                return Ok(events);
            }
        }
        Err(restless())
    }

    /// Archived rows in `range`, at most `limit` and not many more bytes than a page has; fewer when some came back.
    pub(crate) async fn cold_export(&self, mut range: Range, limit: usize) -> Result<Vec<StoredEvent>, LogError> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while range.after < range.up_to && rows.len() < limit && bytes < EXPORT_BYTES_MAX {
            // A part at a time: large rows are not in memory before it is known that they are wanted.
            let part = (limit - rows.len()).min(EXPORT_PART_EVENTS).min(EXPORT_EVENTS_MAX);
            let step = self.cold(TenantScope::All, range, Direction::Forward, &Filter::default(), part).await?;
            let Step::Looked(found, looked) = step else { break };
            range.after = looked;
            for row in found {
                if bytes < EXPORT_BYTES_MAX {
                    bytes += row.text_bytes();
                    rows.push(row);
                }
            }
        }
        Ok(rows)
    }

    /// The position of the newest archived event at or before a time; else how far rows are dropped, behind which it may be.
    pub(crate) async fn cold_position_at(&self, time_us: i64) -> Result<Result<Position, Position>, LogError> {
        let sql =
            with_dropped(&format!("SELECT {SEGMENT} FROM log_segments WHERE last_us > $1 ORDER BY first LIMIT 1"));
        let (rows, dropped) = answered(self.query(&sql, &vec![&time_us]).await?)?;
        match rows.first() {
            Some(row) => newest_at(self.segments(), &segment(row)?, time_us).await.map(Ok),
            None => Ok(Err(dropped)),
        }
    }
}

/// The statement that answers with the rows of `sql`, which has a limit, and as their last column how far rows are dropped: of
/// the same snapshot. Without any rows there is one that is all null before it.
pub(crate) fn with_dropped(sql: &str) -> String {
    with_dropped_of("log_archive", sql)
}

/// The same of a log whose tables know of no archive yet.
pub(crate) fn with_nothing_dropped(sql: &str) -> String {
    with_dropped_of("(SELECT 0::bigint AS dropped)", sql)
}

fn with_dropped_of(archive: &str, sql: &str) -> String {
    format!("SELECT found.*, archive.dropped FROM {archive} AS archive LEFT JOIN LATERAL ({sql}) AS found ON true")
}

/// What a statement of [`with_dropped`] answered.
pub(crate) fn answered(mut rows: Vec<Row>) -> Result<(Vec<Row>, Position), LogError> {
    let last = rows.last().ok_or_else(no_row)?;
    let dropped = last.try_get(last.len() - 1).map(|dropped| Position(unsigned(dropped))).map_err(log_error)?;
    // The first column of every such statement is a position, which no row is without.
    if last.try_get::<_, Option<i64>>(0).map_err(log_error)?.is_none() {
        rows.clear();
    }
    Ok((rows, dropped))
}

/// The archived events as readers get them; payloads in blobs are still references.
pub(crate) fn recorded(rows: Vec<StoredEvent>) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
    rows.into_iter().map(|row| row.into_recorded().map(Arc::new)).collect()
}

/// What a read says that never met rows at rest.
pub(crate) fn restless() -> LogError {
    LogError::storage(std::io::Error::other("events moved into the archive and back all the time: try again"))
}

fn position(row: &Row) -> Result<Position, LogError> {
    row.try_get(0).map(|position| Position(unsigned(position))).map_err(log_error)
}

/// The positions of the events of appends, which end at a position with a revision, that are wanted.
fn positions_of(
    rows: &[Row],
    direction: Direction,
    limit: usize,
    wanted: impl Fn(Position, Revision) -> bool,
) -> Result<Vec<Position>, LogError> {
    let mut found = Vec::new();
    for row in rows {
        let last = position(row)?;
        let revision = row.try_get(1).map(unsigned).map_err(log_error)?;
        let events = row.try_get::<_, i32>(2).map(|events| unsigned(i64::from(events))).map_err(log_error)?;
        found.extend((0..events).rev().filter_map(|before| {
            let position = Position(last.0.saturating_sub(before));
            wanted(position, Revision(revision.saturating_sub(before))).then_some(position)
        }));
    }
    found.sort_unstable();
    if direction == Direction::Backward {
        found.reverse();
    }
    found.truncate(limit);
    Ok(found)
}
