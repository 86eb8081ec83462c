//! Reads, on a small pool of connections. Never writes.
//!
//! A read whose connection is lost is made once more on a new one: reading twice does no harm.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use deadpool_postgres::{Object, Pool};
use timeloom_store::archive::Segments;
use timeloom_store::spill::restored_bytes;
use timeloom_store::tail::{History, HistoryPage};
use timeloom_store::{
    Direction, Filter, LogError, Position, READ_EVENTS_MAX, RecordedEvent, Revision, StreamKey, TenantScope, Wanted,
};
use tokio_postgres::types::ToSql;
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::blobs::PostgresBlobs;
use crate::cold::{LOOKS_MAX, Step, answered, recorded, restless, with_dropped, with_nothing_dropped};
use crate::error::{Kind, kind, log_error, pool_error};
use crate::payloads::restore;
use crate::recorded::{COLUMNS, RowReader, signed, unsigned};

/// Positions that one page of history looks at.
const PAGE_LOOKED_AT: u64 = 10_000;
/// Bytes of payload after which a page of history ends.
const PAGE_BYTES: usize = 16 << 20;

pub(crate) type Parameters<'query> = Vec<&'query (dyn ToSql + Sync)>;

/// Reads of the log; a copy is another handle to the same connections.
#[derive(Clone)]
pub(crate) struct Readers {
    pool: Pool,
    blobs: PostgresBlobs,
    /// What has the rows that were dropped.
    segments: Arc<dyn Segments>,
    /// Whether the tables know of an archive: not in a database of an older build that was opened only to read.
    has_archive: bool,
    /// Up to where rows were dropped when it was asked last: where a read begins to look, and nothing more.
    dropped: Arc<AtomicU64>,
}

impl fmt::Debug for Readers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Readers").field("has_archive", &self.has_archive).finish_non_exhaustive()
    }
}

impl Readers {
    pub(crate) fn new(pool: Pool, segments: Arc<dyn Segments>, has_archive: bool) -> Self {
        let blobs = PostgresBlobs::new(pool.clone());
        Self { pool, blobs, segments, has_archive, dropped: Arc::default() }
    }

    pub(crate) fn blobs(&self) -> &PostgresBlobs {
        &self.blobs
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn has_archive(&self) -> bool {
        self.has_archive
    }

    pub(crate) fn segments(&self) -> &dyn Segments {
        &*self.segments
    }

    /// Refuses reads from now on.
    pub(crate) fn close(&self) {
        self.pool.close();
    }

    /// The rows of one statement.
    pub(crate) async fn query(&self, sql: &str, parameters: &Parameters<'_>) -> Result<Vec<Row>, LogError> {
        query(&self.pool, sql, parameters).await
    }

    /// The rows of a statement that has a limit, and up to where rows were dropped when it was made.
    pub(crate) async fn hot(&self, sql: &str, parameters: &Parameters<'_>) -> Result<(Vec<Row>, Position), LogError> {
        let sql = if self.has_archive { with_dropped(sql) } else { with_nothing_dropped(sql) };
        let (rows, dropped) = answered(self.query(&sql, parameters).await?)?;
        self.dropped.store(dropped.0, Ordering::Relaxed);
        Ok((rows, dropped))
    }

    async fn hot_events(
        &self,
        sql: &str,
        parameters: &Parameters<'_>,
    ) -> Result<(Vec<Arc<RecordedEvent>>, Position), LogError> {
        let (rows, dropped) = self.hot(sql, parameters).await?;
        Ok((RowReader::read_all(&rows)?, dropped))
    }

    /// Up to where a read has to look into the archive first, as far as is known; it may be less by now.
    pub(crate) fn dropped_lately(&self) -> Position {
        Position(self.dropped.load(Ordering::Relaxed))
    }

    /// Nothing is believed of how far rows are dropped before it is asked again.
    pub(crate) fn forget_dropped(&self) {
        self.dropped.store(0, Ordering::Relaxed);
    }

    pub(crate) async fn stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        for _ in 0..LOOKS_MAX {
            let (hot, dropped) = self.hot_of_stream(stream, after, direction, limit).await?;
            let whole = dropped == Position::START
                || match direction {
                    Direction::Forward => hot.first().is_some_and(|first| first.revision.0 == after.0 + 1),
                    Direction::Backward => hot.len() == limit || hot.last().is_some_and(|last| last.revision.0 == 1),
                };
            if whole {
                return restore(&self.blobs, hot).await;
            }
            let Some((cold, then)) = self.cold_of_stream(stream, after, direction, limit).await? else { continue };
            let mut events = recorded(cold)?;
            events.extend(hot);
            // What was dropped between the two statements is in both.
            events.sort_by_key(|event| event.revision);
            events.dedup_by_key(|event| event.revision);
            if direction == Direction::Backward {
                events.reverse();
            }
            // Forward, a full answer from the archive need not reach the rows.
            events.truncate(limit);
            let mut neighbours = events.iter().zip(events.iter().skip(1));
            let gap = neighbours.any(|(one, next)| one.revision.0.abs_diff(next.revision.0) != 1);
            if then < dropped || gap {
                continue;
            }
            return restore(&self.blobs, events).await;
        }
        Err(restless())
    }

    async fn hot_of_stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<(Vec<Arc<RecordedEvent>>, Position), LogError> {
        let (tenant, after, limit) = (i64::from(stream.tenant.0), signed(after.0), rows(limit));
        let (condition, order) = match direction {
            Direction::Forward => ("sequence > $4", ""),
            Direction::Backward => ("sequence <= $4", " DESC"),
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND tenant_id = $3 \
             AND {condition} ORDER BY sequence{order} LIMIT $5"
        );
        self.hot_events(&sql, &vec![&&*stream.category, &&*stream.id, &tenant, &after, &limit]).await
    }

    pub(crate) async fn all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let range = match direction {
            Direction::Forward => Range { after, up_to: Position(u64::MAX) },
            Direction::Backward => Range { after: Position::START, up_to: after },
        };
        let events = self.range(scope, range, direction, filter, limit).await?;
        restore(&self.blobs, events).await
    }

    pub(crate) async fn look_up(
        &self,
        scope: TenantScope,
        wanted: &Wanted,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let found = match wanted {
            Wanted::Positions(positions) => {
                let mut positions: Vec<Position> = positions.iter().take(READ_EVENTS_MAX).copied().collect();
                positions.sort_unstable();
                positions.dedup();
                self.at(&positions).await?
            }
            Wanted::Ids(ids) => {
                self.of_ids(&ids.iter().take(READ_EVENTS_MAX).map(|id| id.0).collect::<Vec<_>>()).await?
            }
        };
        let found = found.into_iter().filter(|event| Filter::default().matches(scope, event)).collect();
        restore(&self.blobs, found).await
    }

    /// The events at these positions that are among the rows, and up to where rows are dropped.
    pub(crate) async fn hot_at(&self, positions: &[Position]) -> Result<(Vec<Arc<RecordedEvent>>, Position), LogError> {
        let positions: Vec<i64> = positions.iter().map(|position| signed(position.0)).collect();
        let sql = format!("SELECT {COLUMNS} FROM events WHERE position = ANY($1) ORDER BY position");
        self.hot_events(&sql, &vec![&positions]).await
    }

    async fn of_ids(&self, ids: &[Uuid]) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let sql = format!("SELECT {COLUMNS} FROM events WHERE event_id = ANY($1) ORDER BY position");
        let (hot, dropped) = self.hot_events(&sql, &vec![&ids]).await?;
        if dropped == Position::START || hot.len() == ids.len() {
            return Ok(hot);
        }
        // By position they are found wherever they are by then.
        let archived = self.query("SELECT position FROM archived_events WHERE event_id = ANY($1)", &vec![&ids]).await?;
        let back = self.query("SELECT position FROM events WHERE event_id = ANY($1)", &vec![&ids]).await?;
        let positions = archived.iter().chain(&back).map(|row| row.try_get(0).map(unsigned).map(Position));
        let mut positions = positions.collect::<Result<Vec<_>, _>>().map_err(log_error)?;
        positions.extend(hot.iter().map(|event| event.position));
        positions.sort_unstable();
        positions.dedup();
        self.at(&positions).await
    }

    /// Events in `range` that pass, at most `limit`, wherever they are.
    async fn range(
        &self,
        scope: TenantScope,
        mut range: Range,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let (mut events, limit) = (Vec::new(), limit.min(READ_EVENTS_MAX));
        for _ in 0..LOOKS_MAX {
            let lately = self.dropped_lately();
            let dropped = if direction == Direction::Forward && range.after < lately {
                lately
            } else {
                let (hot, dropped) = self.hot_range(scope, range, direction, filter, limit - events.len()).await?;
                if direction == Direction::Backward || range.after >= dropped {
                    events.extend(hot);
                }
                if direction == Direction::Forward && range.after >= dropped {
                    return Ok(events);
                }
                dropped
            };
            // Backward, what is behind that was read by now.
            let mut cold = Range { up_to: range.up_to.min(dropped), ..range };
            while events.len() < limit && cold.after < cold.up_to {
                let left = limit - events.len();
                let Step::Looked(found, looked) = self.cold(scope, cold, direction, filter, left).await? else {
                    self.forget_dropped();
                    break;
                };
                events.extend(recorded(found)?);
                match direction {
                    Direction::Forward => cold.after = looked,
                    Direction::Backward => cold.up_to = looked,
                }
            }
            let ended = cold.after >= cold.up_to && (direction == Direction::Backward || cold.up_to == range.up_to);
            if events.len() >= limit || ended {
                return Ok(events);
            }
            match direction {
                Direction::Forward => range.after = cold.after,
                Direction::Backward => range.up_to = cold.up_to,
            }
        }
        Err(restless())
    }

    async fn hot_range(
        &self,
        scope: TenantScope,
        range: Range,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<(Vec<Arc<RecordedEvent>>, Position), LogError> {
        let (after, up_to, limit) = (signed(range.after.0), signed(range.up_to.0), rows(limit));
        let tenant = match (scope, &filter.stream) {
            // Nothing passes, wherever it is.
            (TenantScope::One(tenant), Some(stream)) if stream.tenant != tenant => {
                return Ok((Vec::new(), Position::START));
            }
            (TenantScope::One(tenant), _) => Some(i64::from(tenant.0)),
            (TenantScope::All, Some(stream)) => Some(i64::from(stream.tenant.0)),
            (TenantScope::All, None) => None,
        };
        let (category, id) = filter.stream.as_ref().map(|stream| (&*stream.category, &*stream.id)).unzip();
        let (categories, event_types) = (names(&filter.categories), names(&filter.event_types));
        let mut parameters: Parameters<'_> = vec![&after, &up_to, &limit];
        let mut sql = format!("SELECT {COLUMNS} FROM events WHERE position > $1 AND position <= $2");
        let mut condition = |text: &str, value| {
            parameters.push(value);
            let _ = write!(sql, " AND {}", text.replace('?', &format!("${}", parameters.len())));
        };
        if let Some(tenant) = &tenant {
            condition("tenant_id = ?", tenant);
        }
        if let (Some(category), Some(id)) = (&category, &id) {
            condition("aggregate_type = ?", category);
            condition("aggregate_id = ?", id);
        }
        if !categories.is_empty() {
            condition("aggregate_type = ANY(?)", &categories);
        }
        if !event_types.is_empty() {
            condition("event_type = ANY(?)", &event_types);
        }
        // Within a stream, its own index gives the order: positions and sequence numbers grow together.
        let order = if filter.stream.is_some() { "sequence" } else { "position" };
        let descending = if direction == Direction::Backward { " DESC" } else { "" };
        let _ = write!(sql, " ORDER BY {order}{descending} LIMIT $3");
        self.hot_events(&sql, &parameters).await
    }

    /// Position of the newest event, whoever appended it.
    pub(crate) async fn head(&self) -> Result<Position, LogError> {
        let rows = self.query("SELECT position FROM log_head", &Vec::new()).await?;
        let position = rows.first().map(|row| row.try_get(0).map_err(log_error)).transpose()?;
        Ok(position.map_or(Position::START, |position| Position(unsigned(position))))
    }

    pub(crate) async fn position_at(&self, head: Position, time_us: i64) -> Result<Position, LogError> {
        let mut before = None;
        for _ in 0..LOOKS_MAX {
            let dropped = match self.has_archive {
                true => match self.cold_position_at(time_us).await? {
                    Ok(position) => return Ok(position),
                    Err(dropped) => dropped,
                },
                false => Position::START,
            };
            match self.hot_position_at(dropped, head, time_us).await? {
                Ok(position) => return Ok(position),
                // It is missing, unless it was archived meanwhile.
                Err(position) if before == Some(dropped) => {
                    return Err(LogError::Corrupt { position, detail: "there is no event".to_owned() });
                }
                Err(_) => before = Some(dropped),
            }
        }
        Err(restless())
    }

    /// Times grow with positions, so that halving finds the last event at or before a time without an index; else a position
    /// that no row has.
    async fn hot_position_at(
        &self,
        dropped: Position,
        head: Position,
        time_us: i64,
    ) -> Result<Result<Position, Position>, LogError> {
        let (mut at_or_before, mut later) = (dropped.0, head.0.max(dropped.0) + 1);
        while later - at_or_before > 1 {
            let middle = at_or_before + (later - at_or_before) / 2;
            let sql = "SELECT recorded_at FROM events WHERE position = $1";
            let found = self.query(sql, &vec![&signed(middle)]).await?;
            let Some(row) = found.first() else { return Ok(Err(Position(middle))) };
            let recorded_at: chrono::DateTime<chrono::Utc> = row.try_get(0).map_err(log_error)?;
            if recorded_at.timestamp_micros() <= time_us {
                at_or_before = middle;
            } else {
                later = middle;
            }
        }
        Ok(Ok(Position(at_or_before)))
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
        // A stream is found by its own index; anything else looks at a bounded piece of the log at a time.
        let up_to = match &filter.stream {
            Some(_) => up_to,
            None => up_to.min(Position(after.0.saturating_add(PAGE_LOOKED_AT))),
        };
        let mut events = self.range(scope, Range { after, up_to }, Direction::Forward, filter, limit).await?;
        // Unlike a read, a page says how far it looked, so that it may end early.
        let mut bytes = 0usize;
        let within = events.iter().position(|event| {
            bytes = bytes.saturating_add(restored_bytes(event));
            bytes >= PAGE_BYTES
        });
        let within = within.map_or(events.len(), |last| last + 1);
        let ended_early = events.len() == limit || within < events.len();
        events.truncate(within);
        let looked_at = events.last().filter(|_| ended_early).map_or(up_to, |last| last.position);
        Ok(HistoryPage { events: restore(&self.blobs, events).await?, looked_at })
    }
}

/// Positions after `after` up to and with `up_to`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) after: Position,
    pub(crate) up_to: Position,
}

pub(crate) fn names(names: &[Arc<str>]) -> Vec<&str> {
    names.iter().map(|name| &**name).collect()
}

fn rows(limit: usize) -> i64 {
    signed(limit.min(READ_EVENTS_MAX) as u64)
}

/// The rows of one statement that may be made twice.
pub(crate) async fn query(pool: &Pool, sql: &str, parameters: &Parameters<'_>) -> Result<Vec<Row>, LogError> {
    for last in [false, true] {
        let client: Object = pool.get().await.map_err(pool_error)?;
        let rows = async {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, parameters).await
        };
        match rows.await {
            Ok(rows) => return Ok(rows),
            Err(error) if kind(&error) == Kind::Connection && !last => {
                // The others of the pool were lost with it, as a rule.
                pool.retain(|client, _| !client.is_closed());
                drop(Object::take(client));
            }
            Err(error) => return Err(log_error(error)),
        }
    }
    Err(LogError::Closed)
}

/// Position and time of the newest event.
pub(crate) async fn head(client: &impl GenericClient) -> Result<(Position, i64), tokio_postgres::Error> {
    let row = client.query_one("SELECT position, recorded_at_us FROM log_head", &[]).await?;
    Ok((Position(unsigned(row.try_get(0)?)), row.try_get(1)?))
}
