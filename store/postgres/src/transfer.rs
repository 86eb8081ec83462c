//! Rows as they are stored, out of a database and into one: its side of copies, backups and checks.
//!
//! A log that is in use gives its rows through its readers while appends go on, in this process and others. A target is
//! written under the lock of the head, as every append is.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::DateTime;
use timeloom_domain::ids::{CommandId, EventId, TenantId};
use timeloom_store::archive::{NoSegments, Segments};
use timeloom_store::stored::{EXPORT_BYTES_MAX, EXPORT_EVENTS_MAX, check_page};
use timeloom_store::{
    Begun, ImportError, LogError, LogIdentity, LogImport, LogTransfer, Position, Revision, StoredAppend, StoredEvent,
    StoredLeaf, StreamKey,
};
use tokio::sync::Mutex;
use tokio_postgres::{Client, Row};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::blobs::PostgresBlobs;
use crate::cold::{LOOKS_MAX, restless};
use crate::columns::{INSERT_EVENTS, Rows};
use crate::connect::Address;
use crate::error::{OpenError, PostgresError, log_error};
use crate::log::PostgresLog;
use crate::readers::{self, Range, Readers};
use crate::recorded::{JsonText, signed, unsigned};
use crate::schema::{self, ARCHIVE_VERSION, COPY_VERIFIED, UNFINISHED_COPY};

const EXPORT: &str = "SELECT position, tenant_id, aggregate_type, aggregate_id, sequence, event_id, event_type, \
     event_version, payload, metadata, recorded_at, leaf, append_events, command_id \
     FROM events WHERE position > $1 ORDER BY position LIMIT $2";

#[async_trait]
impl LogTransfer for PostgresLog {
    async fn identity(&self) -> Result<LogIdentity, LogError> {
        Ok(LogIdentity { log_id: self.log_id(), head: self.readers().head().await? })
    }

    async fn export(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, LogError> {
        self.readers().export(after, limit).await
    }

    async fn leaves(&self, after: Position, limit: usize) -> Result<Vec<StoredLeaf>, LogError> {
        self.readers().leaves(after, limit).await
    }
}

/// A log in a database, to read from. Nothing is written into the database, and it may be in use.
#[derive(Debug)]
pub struct PostgresSource {
    log_id: Uuid,
    readers: Readers,
}

impl PostgresSource {
    pub(crate) fn readers(&self) -> &Readers {
        &self.readers
    }

    /// Opens the log and blobs at `address`.
    ///
    /// # Errors
    /// [`OpenError`] when there is no log, it is a copy that was not finished, or it cannot be read.
    pub async fn open(address: &Address) -> Result<(Arc<Self>, Arc<PostgresBlobs>), OpenError> {
        Self::open_with(address, Arc::new(NoSegments)).await
    }

    /// The same with what has the rows that were dropped.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(
        address: &Address,
        segments: Arc<dyn Segments>,
    ) -> Result<(Arc<Self>, Arc<PostgresBlobs>), OpenError> {
        let failed = |error: PostgresError| OpenError::Database { address: address.to_string(), error };
        let tasks = TaskTracker::new();
        let mut client = address.connect(&tasks).await.map_err(|error| failed(error.into()))?.client;
        let meta = schema::find(&mut client, address).await?;
        let meta = meta.ok_or_else(|| OpenError::NoLog { address: address.to_string() })?;
        if meta.unfinished {
            return Err(OpenError::UnfinishedCopy { address: address.to_string() });
        }
        let pool = address.pool().map_err(|error| failed(PostgresError::Other(error.to_string())))?;
        let readers = Readers::new(pool, segments, meta.version >= ARCHIVE_VERSION);
        let blobs = Arc::new(readers.blobs().clone());
        Ok((Arc::new(Self { log_id: meta.log_id, readers }), blobs))
    }
}

#[async_trait]
impl LogTransfer for PostgresSource {
    async fn identity(&self) -> Result<LogIdentity, LogError> {
        Ok(LogIdentity { log_id: self.log_id, head: self.readers.head().await? })
    }

    async fn export(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, LogError> {
        self.readers.export(after, limit).await
    }

    async fn leaves(&self, after: Position, limit: usize) -> Result<Vec<StoredLeaf>, LogError> {
        self.readers.leaves(after, limit).await
    }
}

/// A database that is being written from another log.
#[derive(Debug)]
pub struct PostgresImport {
    address: Address,
    client: Mutex<Client>,
    readers: Readers,
    // Owns what drives the connection.
    _tasks: TaskTracker,
}

impl PostgresImport {
    /// Opens the database at `address` to write the rows of another log into. Tables are made when the copy begins.
    ///
    /// # Errors
    /// [`OpenError`], whose message says what to do.
    pub async fn open(address: &Address) -> Result<(Arc<Self>, Arc<PostgresBlobs>), OpenError> {
        let failed = |error: PostgresError| OpenError::Database { address: address.to_string(), error };
        let tasks = TaskTracker::new();
        let mut client = address.connect(&tasks).await.map_err(|error| failed(error.into()))?.client;
        client.batch_execute(&schema::appending()).await.map_err(|error| failed(error.into()))?;
        schema::find(&mut client, address).await?;
        let pool = address.pool().map_err(|error| failed(PostgresError::Other(error.to_string())))?;
        let readers = Readers::new(pool, Arc::new(NoSegments), true);
        let blobs = Arc::new(readers.blobs().clone());
        let import = Self { address: address.clone(), client: Mutex::new(client), readers, _tasks: tasks };
        Ok((Arc::new(import), blobs))
    }
}

#[async_trait]
impl LogTransfer for PostgresImport {
    async fn identity(&self) -> Result<LogIdentity, LogError> {
        let meta = schema::find(&mut *self.client.lock().await, &self.address).await.map_err(LogError::storage)?;
        let no_log = || LogError::storage(OpenError::NoLog { address: self.address.to_string() });
        Ok(LogIdentity { log_id: meta.ok_or_else(no_log)?.log_id, head: self.readers.head().await? })
    }

    async fn export(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, LogError> {
        self.readers.export(after, limit).await
    }
}

#[async_trait]
impl LogImport for PostgresImport {
    async fn begin(&self, log_id: Uuid) -> Result<Begun, ImportError> {
        let mut client = self.client.lock().await;
        let meta = schema::prepare(&mut client, &self.address, log_id, true).await.map_err(LogError::storage)?;
        if meta.log_id != log_id {
            return Err(ImportError::OtherLog { found: meta.log_id, wanted: log_id });
        }
        let head = readers::head(&*client).await.map_err(log_error)?.0;
        Ok(Begun { head, verified: meta.verified.min(head) })
    }

    async fn import(&self, events: Vec<StoredEvent>) -> Result<(), ImportError> {
        let Some(last) = events.last() else { return Ok(()) };
        let mut client = self.client.lock().await;
        // Dropped before its end, the transaction is rolled back.
        let transaction = client.transaction().await.map_err(log_error)?;
        let locked = transaction.query_one("SELECT position FROM log_head FOR UPDATE", &[]).await.map_err(log_error)?;
        let head = Position(unsigned(locked.try_get(0).map_err(log_error)?));
        check_page(head, &events, &mut Vec::new())?;
        let mut rows = Rows::default();
        for event in &events {
            let recorded_at = DateTime::from_timestamp_micros(event.recorded_at_us).ok_or_else(|| {
                let detail = "the time is out of range".to_owned();
                LogError::Corrupt { position: event.position, detail }
            })?;
            rows.push_stored(event, recorded_at);
        }
        let leaves = rows.leaves();
        transaction.execute(INSERT_EVENTS, &rows.parameters(&leaves)).await.map_err(log_error)?;
        let sql = "UPDATE log_head SET position = $1, recorded_at_us = $2";
        transaction.execute(sql, &[&signed(last.position.0), &last.recorded_at_us]).await.map_err(log_error)?;
        transaction.commit().await.map_err(|error| ImportError::Log(log_error(error)))
    }

    async fn finish(&self, verified: Position) -> Result<(), ImportError> {
        let mut client = self.client.lock().await;
        let done = async {
            let transaction = client.transaction().await?;
            transaction.execute("DELETE FROM log_meta WHERE name = $1", &[&UNFINISHED_COPY]).await?;
            let sql = "INSERT INTO log_meta (name, value) VALUES ($1, $2) \
                       ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            transaction.execute(sql, &[&COPY_VERIFIED, &verified.to_string()]).await?;
            transaction.commit().await?;
            // What was loaded in bulk has no statistics yet.
            client.batch_execute("ANALYZE events").await
        };
        done.await.map_err(|error| ImportError::Log(log_error(error)))
    }
}

impl Readers {
    async fn leaves(&self, after: Position, limit: usize) -> Result<Vec<StoredLeaf>, LogError> {
        let rows_max = signed(limit.min(EXPORT_EVENTS_MAX) as u64);
        let sql = "SELECT position, recorded_at, leaf FROM events WHERE position > $1 ORDER BY position LIMIT $2";
        let (rows, dropped) = self.hot(sql, &vec![&signed(after.0), &rows_max]).await?;
        if after < dropped {
            // Of archived rows they follow from what the segments hold.
            return Ok(self.export(after, limit).await?.iter().map(StoredLeaf::from).collect());
        }
        let leaf = |row: &Row| {
            let position = Position(unsigned(row.try_get(0).map_err(log_error)?));
            let recorded_at: DateTime<chrono::Utc> = row.try_get(1).map_err(log_error)?;
            let leaf = row.try_get::<_, &[u8]>(2).map_err(log_error)?.try_into();
            let damaged = |_| LogError::Corrupt { position, detail: "its leaf is not 32 bytes".to_owned() };
            Ok(StoredLeaf { position, recorded_at_us: recorded_at.timestamp_micros(), leaf: leaf.map_err(damaged)? })
        };
        rows.iter().map(leaf).collect()
    }

    async fn export(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, LogError> {
        let limit = limit.min(EXPORT_EVENTS_MAX);
        let (mut rows, mut after) = (Vec::new(), after);
        for _ in 0..LOOKS_MAX {
            let left = limit - rows.len();
            let lately = self.dropped_lately();
            let dropped = if after < lately {
                lately
            } else {
                let (found, dropped) = self.hot(EXPORT, &vec![&signed(after.0), &signed(left as u64)]).await?;
                if after >= dropped {
                    rows.extend(page(&found)?);
                    return Ok(rows);
                }
                dropped
            };
            let cold = self.cold_export(Range { after, up_to: dropped }, left).await?;
            let Some(last) = cold.last().map(|last| last.position) else {
                self.forget_dropped();
                continue;
            };
            after = last;
            rows.extend(cold);
            let bytes: usize = rows.iter().map(StoredEvent::text_bytes).sum();
            if rows.len() >= limit || bytes >= EXPORT_BYTES_MAX {
                return Ok(rows);
            }
            if after < dropped {
                // The rest came back meanwhile: it is among the rows.
                self.forget_dropped();
            }
        }
        Err(restless())
    }
}

fn page(rows: &[Row]) -> Result<Vec<StoredEvent>, LogError> {
    let (mut events, mut bytes) = (Vec::with_capacity(rows.len()), 0);
    for row in rows {
        let position = Position(unsigned(row.try_get(0).map_err(log_error)?));
        let event = stored(row, position)
            .map_err(|error| LogError::Corrupt { position, detail: format!("its row cannot be read: {error}") })?;
        bytes += event.text_bytes();
        events.push(event);
        if bytes >= EXPORT_BYTES_MAX {
            break;
        }
    }
    Ok(events)
}

fn stored(row: &Row, position: Position) -> Result<StoredEvent, Box<dyn std::error::Error + Send + Sync>> {
    let tenant = u32::try_from(row.try_get::<_, i64>(1)?)?;
    let append: Option<(i32, Uuid)> = row.try_get::<_, Option<i32>>(12)?.zip(row.try_get(13)?);
    let append = append.map(|(events, id)| u32::try_from(events).map(|events| (events, id))).transpose()?;
    Ok(StoredEvent {
        position,
        stream: StreamKey::new(TenantId(tenant), row.try_get::<_, &str>(2)?, row.try_get::<_, &str>(3)?),
        revision: Revision(unsigned(row.try_get(4)?)),
        id: EventId(row.try_get(5)?),
        event_type: row.try_get::<_, &str>(6)?.into(),
        event_version: row.try_get(7)?,
        payload: row.try_get::<_, JsonText<'_>>(8)?.0.to_owned(),
        metadata: row.try_get::<_, JsonText<'_>>(9)?.0.to_owned(),
        recorded_at_us: row.try_get::<_, DateTime<chrono::Utc>>(10)?.timestamp_micros(),
        leaf: row.try_get::<_, &[u8]>(11)?.try_into()?,
        append: append.map(|(events, id)| StoredAppend { events, command_id: CommandId(id) }),
    })
}
