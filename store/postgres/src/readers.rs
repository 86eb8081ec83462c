//! Reads, on a small pool of connections. Never writes.
//!
//! A read whose connection is lost is made once more on a new one: reading twice does no harm.

use std::fmt::Write;
use std::sync::Arc;

use async_trait::async_trait;
use deadpool_postgres::{Object, Pool};
use timeloom_store::spill::restored_bytes;
use timeloom_store::tail::{History, HistoryPage};
use timeloom_store::{
    Direction, Filter, LogError, Position, READ_EVENTS_MAX, RecordedEvent, Revision, StreamKey, TenantScope, Wanted,
};
use tokio_postgres::types::ToSql;
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::blobs::PostgresBlobs;
use crate::error::{Kind, kind, log_error, pool_error};
use crate::payloads::restore;
use crate::recorded::{COLUMNS, RowReader, signed, unsigned};

/// Positions that one page of history looks at.
const PAGE_LOOKED_AT: u64 = 10_000;
/// Bytes of payload after which a page of history ends.
const PAGE_BYTES: usize = 16 << 20;

pub(crate) type Parameters<'query> = Vec<&'query (dyn ToSql + Sync)>;

/// Reads of the log; a copy is another handle to the same connections.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    pool: Pool,
    blobs: PostgresBlobs,
}

impl Readers {
    pub(crate) fn new(pool: Pool) -> Self {
        Self { blobs: PostgresBlobs::new(pool.clone()), pool }
    }

    pub(crate) fn blobs(&self) -> &PostgresBlobs {
        &self.blobs
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Refuses reads from now on.
    pub(crate) fn close(&self) {
        self.pool.close();
    }

    /// The rows of one statement.
    pub(crate) async fn query(&self, sql: &str, parameters: &Parameters<'_>) -> Result<Vec<Row>, LogError> {
        query(&self.pool, sql, parameters).await
    }

    async fn events(&self, sql: &str, parameters: &Parameters<'_>) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        RowReader::read_all(&self.query(sql, parameters).await?)
    }

    pub(crate) async fn stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let (tenant, after, limit) = (i64::from(stream.tenant.0), signed(after.0), rows(limit));
        let (condition, order) = match direction {
            Direction::Forward => ("sequence > $4", ""),
            Direction::Backward => ("sequence <= $4", " DESC"),
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND tenant_id = $3 \
             AND {condition} ORDER BY sequence{order} LIMIT $5"
        );
        let events = self.events(&sql, &vec![&&*stream.category, &&*stream.id, &tenant, &after, &limit]).await?;
        restore(&self.blobs, events).await
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
                let positions: Vec<i64> =
                    positions.iter().take(READ_EVENTS_MAX).map(|position| signed(position.0)).collect();
                let sql = format!("SELECT {COLUMNS} FROM events WHERE position = ANY($1) ORDER BY position");
                self.events(&sql, &vec![&positions]).await?
            }
            Wanted::Ids(ids) => {
                let ids: Vec<Uuid> = ids.iter().take(READ_EVENTS_MAX).map(|id| id.0).collect();
                let sql = format!("SELECT {COLUMNS} FROM events WHERE event_id = ANY($1) ORDER BY position");
                self.events(&sql, &vec![&ids]).await?
            }
        };
        let found = found.into_iter().filter(|event| Filter::default().matches(scope, event)).collect();
        restore(&self.blobs, found).await
    }

    async fn range(
        &self,
        scope: TenantScope,
        range: Range,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let (after, up_to, limit) = (signed(range.after.0), signed(range.up_to.0), rows(limit));
        let tenant = match (scope, &filter.stream) {
            (TenantScope::One(tenant), Some(stream)) if stream.tenant != tenant => return Ok(Vec::new()),
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
        self.events(&sql, &parameters).await
    }

    /// Position of the newest event, whoever appended it.
    pub(crate) async fn head(&self) -> Result<Position, LogError> {
        let rows = self.query("SELECT position FROM log_head", &Vec::new()).await?;
        let position = rows.first().map(|row| row.try_get(0).map_err(log_error)).transpose()?;
        Ok(position.map_or(Position::START, |position| Position(unsigned(position))))
    }

    /// Times grow with positions, so that halving finds the last event at or before a time without an index.
    pub(crate) async fn position_at(&self, head: Position, time_us: i64) -> Result<Position, LogError> {
        let (mut at_or_before, mut later) = (0, head.0 + 1);
        while later - at_or_before > 1 {
            let middle = at_or_before + (later - at_or_before) / 2;
            let sql = "SELECT recorded_at FROM events WHERE position = $1";
            let found = self.query(sql, &vec![&signed(middle)]).await?;
            let recorded_at: chrono::DateTime<chrono::Utc> = match found.first() {
                Some(row) => row.try_get(0).map_err(log_error)?,
                None => {
                    let detail = "there is no event".to_owned();
                    return Err(LogError::Corrupt { position: Position(middle), detail });
                }
            };
            if recorded_at.timestamp_micros() <= time_us {
                at_or_before = middle;
            } else {
                later = middle;
            }
        }
        Ok(Position(at_or_before))
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
struct Range {
    after: Position,
    up_to: Position,
}

fn names(names: &[Arc<str>]) -> Vec<&str> {
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
