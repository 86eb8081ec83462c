//! A small pool of connections that can only read, used on blocking threads. Never writes, never checkpoints.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, ToSql};
use timeloom_store::spill::restored_bytes;
use timeloom_store::tail::{History, HistoryPage};
use timeloom_store::{
    APPEND_EVENTS_MAX, Direction, Filter, LogError, Position, READ_EVENTS_MAX, RecordedEvent, Revision, StreamKey,
    TenantScope, Wanted,
};
use tokio::sync::Semaphore;

use crate::blobs::BlobFiles;
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
#[derive(Debug)]
struct Pool {
    file: LogFile,
    blobs: Arc<BlobFiles>,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

/// Reads of the log; a copy is another handle to the same connections.
#[derive(Debug, Clone)]
pub(crate) struct Readers(Arc<Pool>);

impl Readers {
    pub(crate) fn new(file: LogFile, blobs: Arc<BlobFiles>) -> Self {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Self(Arc::new(Pool { file, blobs, idle: Mutex::new(Vec::new()), permits }))
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

    /// Reads events and restores their payloads after the connection is free again.
    async fn read_events(
        &self,
        work: impl FnOnce(&Connection) -> Result<Vec<Arc<RecordedEvent>>, LogError> + Send + 'static,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.work(move |pool| pool.with_connection(work).and_then(|events| restore(&pool.blobs, events))).await
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
        self.read_events(move |connection| match stream_no(connection, &stream)? {
            Some(stream_no) => read_stream(connection, stream_no, after, direction, limit),
            None => Ok(Vec::new()),
        })
        .await
    }

    pub(crate) async fn all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.read_events(move |connection| {
            let range = match direction {
                Direction::Forward => Range { after, up_to: Position(u64::MAX) },
                Direction::Backward => Range { after: Position::START, up_to: after },
            };
            read_selected(connection, scope, range, direction, &filter, limit)
        })
        .await
    }

    pub(crate) async fn look_up(
        &self,
        scope: TenantScope,
        wanted: &Wanted,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        // As JSON they are one value, and the statement is the same however many there are.
        let (condition, listed) = match wanted {
            Wanted::Positions(positions) => {
                let positions = positions.iter().take(READ_EVENTS_MAX).map(|position| signed(position.0).to_string());
                ("e.position IN (SELECT value FROM json_each(?1))", list(positions))
            }
            Wanted::Ids(ids) => {
                let ids = ids.iter().take(READ_EVENTS_MAX).map(|id| format!("\"{}\"", id.0.simple()));
                ("e.event_id IN (SELECT unhex(value) FROM json_each(?1))", list(ids))
            }
        };
        let found = self
            .read_events(move |connection| {
                let sql = format!("SELECT {COLUMNS} FROM events e WHERE {condition} ORDER BY e.position");
                let mut statement = connection.prepare_cached(&sql).map_err(log_error)?;
                RowReader::read_all(connection, &mut statement, &[&listed])
            })
            .await?;
        Ok(found.into_iter().filter(|event| Filter::default().matches(scope, event)).collect())
    }

    pub(crate) async fn position_at(&self, head: Position, time_us: i64) -> Result<Position, LogError> {
        self.read(move |connection| newest_at(connection, head, time_us)).await
    }
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
        let filter = filter.clone();
        self.work(move |pool| {
            // A stream is found by its own index; anything else looks at a bounded piece of the log at a time.
            let (mut events, up_to) = pool.with_connection(|connection| {
                let up_to = match &filter.stream {
                    Some(_) => up_to,
                    None => up_to.min(page_end(connection, scope, after, &filter, PAGE_LOOKED_AT)?),
                };
                let range = Range { after, up_to };
                let events = read_selected(connection, scope, range, Direction::Forward, &filter, limit)?;
                Ok((events, up_to))
            })?;
            // Unlike a read, a page says how far it looked, so that it may end early.
            let within = events_within(&events, PAGE_BYTES);
            let ended_early = events.len() == limit || within < events.len();
            events.truncate(within);
            let looked_at = events.last().filter(|_| ended_early).map_or(up_to, |last| last.position);
            Ok(HistoryPage { events: restore(&pool.blobs, events)?, looked_at })
        })
        .await
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
    let (mut at_or_before, mut later) = (0, head.0 + 1);
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
