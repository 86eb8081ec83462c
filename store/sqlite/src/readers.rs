//! A small pool of connections that can only read, used on blocking threads. Never writes, never checkpoints.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, ToSql};
use timeloom_domain::ids::CommandId;
use timeloom_store::archive::{Segment, Segments, pick};
use timeloom_store::spill::restored_bytes;
use timeloom_store::tail::{History, HistoryPage};
use timeloom_store::{
    APPEND_EVENTS_MAX, Direction, Filter, LogError, Position, READ_EVENTS_MAX, RecordedEvent, Revision, StreamKey,
    TenantScope, Wanted,
};
use tokio::sync::Semaphore;

use crate::archive::dropped;
use crate::blobs::BlobFiles;
use crate::cold::{of_revisions, recorded, segments_of};
use crate::connections::LogFile;
use crate::error::log_error;
use crate::payloads::{any_reference, restore};
use crate::recorded::{COLUMNS, RowReader, signed, unsigned};
use crate::selective::{page_end, read_selected};

/// Reads that run at the same time.
const CONNECTIONS_MAX: usize = 4;
/// Positions that one page of history looks at.
const PAGE_LOOKED_AT: u64 = 10_000;
/// Bytes of payload after which a page of history ends.
const PAGE_BYTES: usize = 16 << 20;

/// Connections that read.
struct Pool {
    file: LogFile,
    /// What has the rows that were dropped.
    segments: Arc<dyn Segments>,
    blobs: Arc<BlobFiles>,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

/// Reads of the log; a copy is another handle to the same connections.
#[derive(Clone)]
pub(crate) struct Readers(Arc<Pool>);

impl fmt::Debug for Readers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Readers").field(&self.0.file).finish()
    }
}

impl Readers {
    pub(crate) fn new(file: LogFile, blobs: Arc<BlobFiles>, segments: Arc<dyn Segments>) -> Self {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Self(Arc::new(Pool { file, segments, blobs, idle: Mutex::new(Vec::new()), permits }))
    }

    pub(crate) fn segments(&self) -> &dyn Segments {
        &*self.0.segments
    }

    /// Refuses reads from now on and closes the connections that are idle.
    pub(crate) fn close(&self) {
        self.0.permits.close();
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Does `work` with a connection on a thread where it may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        self.work(move |pool| pool.with_connection(work)).await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Pool) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let permit = Arc::clone(&self.0.permits).acquire_owned().await.map_err(|_| LogError::Closed)?;
        let pool = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || {
            let result = work(&pool);
            drop(permit);
            result
        });
        done.await.map_err(LogError::storage)?
    }

    /// Restores the payloads of events that the writer read.
    pub(crate) async fn restore(&self, events: Vec<Arc<RecordedEvent>>) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        if !any_reference(&events) {
            return Ok(events);
        }
        self.work(move |pool| restore(&pool.blobs, events)).await
    }

    pub(crate) async fn stream(
        &self,
        stream: StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let (mut events, mut after) = (Vec::new(), after);
        loop {
            let (stream, left) = (stream.clone(), limit - events.len());
            let part = self.read(move |connection| of_stream(connection, &stream, after, direction, left)).await?;
            let (hot, done) = (part.hot, part.cold.is_empty());
            let cold = recorded(pick(self.segments(), &part.segments, &part.cold).await?)?;
            // Forward there is only one of them at a time: where a stream has archived events, those come first.
            events.extend(hot.into_iter().chain(cold));
            match (direction, events.last()) {
                (Direction::Forward, Some(last)) if !done && events.len() < limit => after = last.revision,
                _ => return self.restore(events).await,
            }
        }
    }

    pub(crate) async fn all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let (mut events, mut range) = (
            Vec::new(),
            match direction {
                Direction::Forward => Range { after, up_to: Position(u64::MAX) },
                Direction::Backward => Range { after: Position::START, up_to: after },
            },
        );
        loop {
            let (wanted, left) = (filter.clone(), limit - events.len());
            let hot = self.read(move |connection| of_range(connection, scope, range, direction, &wanted, left));
            let Hot { events: hot, dropped } = hot.await?;
            events.extend(hot);
            let cold = Range { up_to: range.up_to.min(dropped), ..range };
            if events.len() < limit && cold.after < cold.up_to {
                let left = limit - events.len();
                events.extend(recorded(self.cold(scope, cold, direction, &filter, left).await?)?);
                // Rows may have gone meanwhile: forward, what is behind the archive is read after it.
                if direction == Direction::Forward && events.len() < limit {
                    range.after = cold.up_to;
                    continue;
                }
            }
            return self.restore(events).await;
        }
    }

    /// What a command appended to a stream.
    pub(crate) async fn appended_by(
        &self,
        stream: StreamKey,
        command_id: CommandId,
    ) -> Result<Option<Vec<Arc<RecordedEvent>>>, LogError> {
        let events = self.read(move |connection| {
            let Some(stream_no) = stream_no(connection, &stream)? else { return Ok(Vec::new()) };
            let sql = "SELECT position, append_events FROM events \
                       WHERE command_id = ?1 AND stream_no = ?2 AND append_events IS NOT NULL";
            let mut statement = connection.prepare_cached(sql).map_err(log_error)?;
            let found: Option<(i64, i64)> = statement
                .query_row((command_id.0.as_bytes(), stream_no), |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
                .map_err(log_error)?;
            let Some((last, count)) = found else { return Ok(Vec::new()) };
            read_run(connection, last - count + 1, last)
        });
        let events = self.restore(events.await?).await?;
        Ok(Some(events).filter(|events| !events.is_empty()))
    }

    pub(crate) async fn look_up(
        &self,
        scope: TenantScope,
        wanted: &Wanted,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        // As JSON they are one value, and the statement is the same however many there are.
        let (condition, archived, listed) = match wanted {
            Wanted::Positions(positions) => {
                let positions = positions.iter().take(READ_EVENTS_MAX).map(|position| signed(position.0).to_string());
                (
                    "e.position IN (SELECT value FROM json_each(?1))",
                    "SELECT DISTINCT value FROM json_each(?1) WHERE value > 0 AND value <= ?2 ORDER BY value",
                    list(positions),
                )
            }
            Wanted::Ids(ids) => {
                let ids = ids.iter().take(READ_EVENTS_MAX).map(|id| format!("\"{}\"", id.0.simple()));
                (
                    "e.event_id IN (SELECT unhex(value) FROM json_each(?1))",
                    "SELECT position FROM archived_ids WHERE ?2 > 0 \
                     AND event_id IN (SELECT unhex(value) FROM json_each(?1)) ORDER BY position",
                    list(ids),
                )
            }
        };
        let (cold, hot) = self
            .read(move |connection| {
                let snapshot = connection.unchecked_transaction().map_err(log_error)?;
                let dropped = dropped(&snapshot).map_err(log_error)?;
                let cold = match dropped {
                    Position::START => Vec::new(),
                    dropped => named(&snapshot, archived, &listed, dropped).map_err(log_error)?,
                };
                let sql = format!("SELECT {COLUMNS} FROM events e WHERE {condition} ORDER BY e.position");
                let mut statement = snapshot.prepare_cached(&sql).map_err(log_error)?;
                let hot = RowReader::read_all(&snapshot, &mut statement, &[&listed])?;
                Ok((cold, hot))
            })
            .await?;
        let found = recorded(self.cold_at(cold).await?)?.into_iter().chain(hot);
        self.restore(found.filter(|event| Filter::default().matches(scope, event)).collect()).await
    }

    pub(crate) async fn position_at(&self, head: Position, time_us: i64) -> Result<Position, LogError> {
        if self.read(|connection| dropped(connection).map_err(log_error)).await? > Position::START
            && let Some(position) = self.cold_position_at(time_us).await?
        {
            return Ok(position);
        }
        self.read(move |connection| newest_at(connection, head, time_us)).await
    }
}

/// What a stream has of a read.
struct OfStream {
    /// Among the rows; forward, none while something is in the archive.
    hot: Vec<Arc<RecordedEvent>>,
    /// In the archive; backward, what is older than all among the rows.
    cold: Vec<Position>,
    /// Where that is.
    segments: Vec<Segment>,
}

fn of_stream(
    connection: &Connection,
    stream: &StreamKey,
    after: Revision,
    direction: Direction,
    limit: usize,
) -> Result<OfStream, LogError> {
    let snapshot = connection.unchecked_transaction().map_err(log_error)?;
    let nothing = OfStream { hot: Vec::new(), cold: Vec::new(), segments: Vec::new() };
    let Some(stream_no) = stream_no(&snapshot, stream)? else { return Ok(nothing) };
    if dropped(&snapshot).map_err(log_error)? == Position::START {
        return Ok(OfStream { hot: read_stream(&snapshot, stream_no, after, direction, limit)?, ..nothing });
    }
    let (hot, cold) = match direction {
        Direction::Forward => {
            let cold = of_revisions(&snapshot, stream_no, after, direction, limit)?;
            let hot =
                if cold.is_empty() { read_stream(&snapshot, stream_no, after, direction, limit)? } else { Vec::new() };
            (hot, cold)
        }
        Direction::Backward => {
            let hot = read_stream(&snapshot, stream_no, after, direction, limit)?;
            let (older, left) = (hot.last().map_or(after, |last| Revision(last.revision.0 - 1)), limit - hot.len());
            let cold = if left > 0 { of_revisions(&snapshot, stream_no, older, direction, left)? } else { Vec::new() };
            (hot, cold)
        }
    };
    Ok(OfStream { segments: segments_of(&snapshot, &cold)?, hot, cold })
}

/// What the rows have of a read.
struct Hot {
    /// What passes; forward, none while there may be something before it in the archive.
    events: Vec<Arc<RecordedEvent>>,
    /// Up to where rows were dropped.
    dropped: Position,
}

fn of_range(
    connection: &Connection,
    scope: TenantScope,
    range: Range,
    direction: Direction,
    filter: &Filter,
    limit: usize,
) -> Result<Hot, LogError> {
    let snapshot = connection.unchecked_transaction().map_err(log_error)?;
    let dropped = dropped(&snapshot).map_err(log_error)?;
    if direction == Direction::Forward && range.after < dropped {
        return Ok(Hot { events: Vec::new(), dropped });
    }
    let rows = Range { after: range.after.max(dropped), ..range };
    Ok(Hot { events: read_selected(&snapshot, scope, rows, direction, filter, limit)?, dropped })
}

/// The positions that a statement over what stays of archived events gives.
fn named(
    connection: &Connection,
    sql: &str,
    listed: &str,
    dropped: Position,
) -> Result<Vec<Position>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let positions = statement.query_map((listed, signed(dropped.0)), |row| Ok(Position(unsigned(row.get(0)?))))?;
    positions.collect()
}

impl Pool {
    fn with_connection<T>(&self, work: impl FnOnce(&Connection) -> Result<T, LogError>) -> Result<T, LogError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.file.open_reader().map_err(log_error)?,
        };
        let result = work(&connection);
        // A connection that met a failure is not used again.
        if result.is_ok() && !self.permits.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        result
    }
}

#[async_trait]
impl History for Readers {
    async fn page(
        &self,
        scope: TenantScope,
        after: Position,
        up_to: Position,
        filter: &Filter,
        limit: usize,
    ) -> Result<HistoryPage, LogError> {
        let wanted = filter.clone();
        // A stream is found by its own index; anything else looks at a bounded piece of the log at a time.
        let (hot, up_to) = self
            .read(move |connection| {
                let up_to = match &wanted.stream {
                    Some(_) => up_to,
                    None => up_to.min(page_end(connection, scope, after, &wanted, PAGE_LOOKED_AT)?),
                };
                let range = Range { after, up_to };
                Ok((of_range(connection, scope, range, Direction::Forward, &wanted, limit)?, up_to))
            })
            .await?;
        let (mut events, mut up_to) = (hot.events, up_to);
        if after < hot.dropped {
            up_to = up_to.min(hot.dropped);
            events = recorded(self.cold(scope, Range { after, up_to }, Direction::Forward, filter, limit).await?)?;
        }
        // Unlike a read, a page says how far it looked, so that it may end early.
        let within = events_within(&events, PAGE_BYTES);
        let ended_early = events.len() == limit || within < events.len();
        events.truncate(within);
        let looked_at = events.last().filter(|_| ended_early).map_or(up_to, |last| last.position);
        Ok(HistoryPage { events: self.restore(events).await?, looked_at })
    }
}

/// A JSON list.
fn list(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(","))
}

/// How many of `events` it takes to reach `bytes` of payload; all when they do not.
fn events_within(events: &[Arc<RecordedEvent>], bytes: usize) -> usize {
    let mut sum = 0usize;
    let reaches = |event: &Arc<RecordedEvent>| {
        sum = sum.saturating_add(restored_bytes(event));
        sum >= bytes
    };
    events.iter().position(reaches).map_or(events.len(), |last| last + 1)
}

/// Positions after `after` up to and with `up_to`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) after: Position,
    pub(crate) up_to: Position,
}

pub(crate) fn stream_no(connection: &Connection, stream: &StreamKey) -> Result<Option<i64>, LogError> {
    connection
        .prepare_cached(
            "SELECT stream_no FROM streams WHERE tenant_id = ?1 AND aggregate_type = ?2 AND aggregate_id = ?3",
        )
        .and_then(|mut statement| {
            statement.query_row((stream.tenant.0, &*stream.category, &*stream.id), |row| row.get(0)).optional()
        })
        .map_err(log_error)
}

/// Joins each append, which its last event stands for, with all of its events.
const STREAM_JOIN: &str = "FROM events a JOIN events e ON e.position BETWEEN a.position - a.append_events + 1 AND a.position \
     WHERE a.append_events IS NOT NULL AND a.stream_no = ?1";

fn read_stream(
    connection: &Connection,
    stream_no: i64,
    after: Revision,
    direction: Direction,
    limit: usize,
) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
    // Far beyond any revision, but not so far that adding to it overflows.
    let after = signed(after.0).min(i64::MAX / 2);
    let mut statement = connection.prepare_cached(&stream_sql(direction)).map_err(log_error)?;
    RowReader::read_all(connection, &mut statement, &[&stream_no, &after, &rows(limit)])
}

fn stream_sql(direction: Direction) -> String {
    match direction {
        Direction::Forward => format!(
            "SELECT {COLUMNS} {STREAM_JOIN} AND a.sequence > ?2 AND e.sequence > ?2 \
             ORDER BY a.sequence, e.position LIMIT ?3"
        ),
        Direction::Backward => format!(
            "SELECT {COLUMNS} {STREAM_JOIN} AND a.sequence < ?2 + {APPEND_EVENTS_MAX} AND e.sequence <= ?2 \
             ORDER BY a.sequence DESC, e.position DESC LIMIT ?3"
        ),
    }
}

/// Looks at every row, or at those of one stream.
pub(crate) fn read_range(
    connection: &Connection,
    scope: TenantScope,
    range: Range,
    direction: Direction,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
    let (after, up_to, limit) = (signed(range.after.0), signed(range.up_to.0), rows(limit));
    let stream_no = match &filter.stream {
        Some(stream) => match stream_no(connection, stream)? {
            Some(stream_no) => stream_no,
            None => return Ok(Vec::new()),
        },
        None => 0,
    };
    let mut parameters: Vec<&dyn ToSql> = vec![&stream_no, &after, &up_to, &limit];
    let tenant = match scope {
        TenantScope::All => None,
        TenantScope::One(tenant) => Some(tenant.0),
    };
    let descending = if direction == Direction::Backward { " DESC" } else { "" };
    let (source, order) = match &filter.stream {
        // The position of an append rules out most of them without a look at their events.
        Some(_) => (
            format!("{STREAM_JOIN} AND a.position > ?2 AND a.position - a.append_events < ?3 AND"),
            format!("a.sequence{descending}, e.position{descending}"),
        ),
        None => ("FROM events e WHERE ?1 = 0 AND".to_owned(), format!("e.position{descending}")),
    };
    let mut sql = format!("SELECT {COLUMNS} {source} e.position > ?2 AND e.position <= ?3");
    if let Some(tenant) = &tenant {
        parameters.push(tenant);
        let _ = write!(sql, " AND e.tenant_id = ?{}", parameters.len());
    }
    for (column, names) in [("aggregate_type", &filter.categories), ("event_type", &filter.event_types)] {
        add_names(&mut sql, &mut parameters, column, names);
    }
    let _ = write!(sql, " ORDER BY {order} LIMIT ?4");
    let mut statement = connection.prepare_cached(&sql).map_err(log_error)?;
    RowReader::read_all(connection, &mut statement, &parameters)
}

/// Narrows a query to rows whose `column` has one of `names`; no names mean all.
fn add_names<'name>(sql: &mut String, parameters: &mut Vec<&'name dyn ToSql>, column: &str, names: &'name [Arc<str>]) {
    if names.is_empty() {
        return;
    }
    let _ = write!(sql, " AND e.{column} IN (");
    for (index, name) in names.iter().enumerate() {
        parameters.push(name);
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(sql, "{comma}?{}", parameters.len());
    }
    sql.push(')');
}

fn rows(limit: usize) -> i64 {
    signed(limit.min(READ_EVENTS_MAX) as u64)
}

/// Times grow with positions, so that halving finds the last event at or before a time without an index.
fn newest_at(connection: &Connection, head: Position, time_us: i64) -> Result<Position, LogError> {
    let mut statement =
        connection.prepare_cached("SELECT recorded_at FROM events WHERE position = ?1").map_err(log_error)?;
    // What is archived is all before a time that no event of it is after.
    let (mut at_or_before, mut later) = (dropped(connection).map_err(log_error)?.0, head.0 + 1);
    while later - at_or_before > 1 {
        let middle = at_or_before + (later - at_or_before) / 2;
        let recorded_at: Option<i64> =
            statement.query_row([signed(middle)], |row| row.get(0)).optional().map_err(log_error)?;
        let recorded_at = recorded_at
            .ok_or_else(|| LogError::Corrupt { position: Position(middle), detail: "there is no event".to_owned() })?;
        if recorded_at <= time_us {
            at_or_before = middle;
        } else {
            later = middle;
        }
    }
    Ok(Position(at_or_before))
}

/// The events from `first` on, in their number, as they are stored: large payloads are references.
pub(crate) fn read_run(connection: &Connection, first: i64, last: i64) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
    let sql = format!("SELECT {COLUMNS} FROM events e WHERE e.position BETWEEN ?1 AND ?2 ORDER BY e.position");
    let mut statement = connection.prepare_cached(&sql).map_err(log_error)?;
    RowReader::read_all(connection, &mut statement, &[&first, &last])
}

/// Position and time of the newest event.
pub(crate) fn newest(connection: &Connection) -> Result<(Position, i64), rusqlite::Error> {
    connection
        .query_row("SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1", [], |row| {
            Ok((Position(unsigned(row.get(0)?)), row.get(1)?))
        })
        .optional()
        .map(|newest| newest.unwrap_or((Position::START, i64::MIN)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use uuid::Uuid;

    use super::*;
    use crate::schema;

    #[test]
    fn a_stream_is_read_by_its_index_without_sorting() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("log.db");
        let mut connection = LogFile::at(&file).open_writer().unwrap();
        schema::prepare(&mut connection, Path::new("."), &file, Uuid::from_u128(1)).unwrap();
        for direction in [Direction::Forward, Direction::Backward] {
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", stream_sql(direction))).unwrap();
            let plan: Vec<String> =
                explain.query_map([1, 1, 1], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
            let plan = plan.join("; ");
            assert!(plan.contains("SEARCH a USING") && plan.contains("appends_by_stream"), "{plan}");
            assert!(plan.contains("SEARCH e USING INTEGER PRIMARY KEY") && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
