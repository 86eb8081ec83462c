//! What the database keeps of events whose rows are in the archive, and how rows go and come back.
//!
//! Of each archived event its id, position and kind stay, of each append its place in its stream and its command: what appends
//! are checked by, and what reads find positions by. So nothing that is appended ever waits for the archive.
//!
//! Invariants: archived is the beginning of the log; what goes and what stays, or comes back, is one transaction, under the
//! lock of the head, so that no append meets it half done; triggers refuse to delete any other row.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use deadpool_postgres::{Object, Transaction};
use timeloom_store::archive::{Archivable, Archived, DROP_EVENTS_MAX, Segment, Turn, check_restored};
use timeloom_store::{LogError, Position, StoredEvent};
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_util::task::TaskTracker;

use crate::columns::{INSERT_EVENTS, Rows};
use crate::error::{log_error, pool_error};
use crate::log::PostgresLog;
use crate::recorded::{signed, unsigned};
use crate::schema::{KNOWS_ARCHIVE, ensure_known};

/// What [`segment`] reads, in its order.
pub(crate) const SEGMENT: &str = "first, last, place, name, bytes, sha256, index_sha256, last_us";
/// Longest time that is waited for the server to see that the last run has ended.
const TURN_WAIT_MAX: Duration = Duration::from_secs(2);
/// Pause before it is asked again.
const TURN_PAUSE: Duration = Duration::from_millis(50);
/// Longest time that the lock of the head is waited for, in milliseconds.
const LOCK_WAIT_MS_MAX: u32 = 15_000;

const ARCHIVED: &str = "SELECT coalesce((SELECT max(last) FROM log_segments), 0), dropped, restoring FROM log_archive";

/// What moves the rows behind `$1` and up to `$2`.
const MOVE: [&str; 4] = [
    "INSERT INTO archived_kinds (tenant_id, aggregate_type, event_type) \
     SELECT DISTINCT tenant_id, aggregate_type, event_type FROM events AS event \
     WHERE position > $1 AND position <= $2 AND NOT EXISTS (SELECT FROM archived_kinds AS kind \
         WHERE kind.tenant_id = event.tenant_id AND kind.aggregate_type = event.aggregate_type \
             AND kind.event_type = event.event_type)",
    "INSERT INTO archived_events (position, event_id, kind) \
     SELECT position, event_id, kind FROM events JOIN archived_kinds USING (tenant_id, aggregate_type, event_type) \
     WHERE position > $1 AND position <= $2",
    "INSERT INTO archived_appends (position, aggregate_type, aggregate_id, tenant_id, sequence, append_events, command_id) \
     SELECT position, aggregate_type, aggregate_id, tenant_id, sequence, append_events, command_id FROM events \
     WHERE position > $1 AND position <= $2 AND append_events IS NOT NULL",
    "DELETE FROM events WHERE position > $1 AND position <= $2",
];

/// What deletes what stayed of the rows behind `$1` and up to `$2`, which are back.
const MOVE_BACK: [&str; 2] = [
    "DELETE FROM archived_events WHERE position > $1 AND position <= $2",
    "DELETE FROM archived_appends WHERE position > $1 AND position <= $2",
];

/// How far a log is archived, and where the segment begins that is being brought back.
struct State {
    archived: Archived,
    restoring: Option<Position>,
}

impl State {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let archived =
            Archived { registered: Position(unsigned(row.try_get(0)?)), dropped: Position(unsigned(row.try_get(1)?)) };
        let restoring: Option<i64> = row.try_get(2)?;
        Ok(Self { archived, restoring: restoring.map(|first| Position(unsigned(first))) })
    }
}

pub(crate) fn segment(row: &Row) -> Result<Segment, LogError> {
    let number = |index: usize| row.try_get(index).map(unsigned);
    let digest =
        |index: usize| row.try_get::<_, &[u8]>(index).map(|bytes| <[u8; 32]>::try_from(bytes).unwrap_or_default());
    let read = || -> Result<Segment, tokio_postgres::Error> {
        Ok(Segment {
            first: Position(number(0)?),
            last: Position(number(1)?),
            place: row.try_get(2)?,
            name: row.try_get(3)?,
            bytes: number(4)?,
            // One of another length is the hash of nothing: the segment is refused.
            sha256: digest(5)?,
            index_sha256: digest(6)?,
            last_us: row.try_get(7)?,
        })
    };
    read().map_err(log_error)
}

#[async_trait]
impl Archivable for PostgresLog {
    async fn archived(&self) -> Result<Archived, LogError> {
        Ok(self.archive_state().await?.archived)
    }

    async fn segments(&self, after: Position, limit: usize) -> Result<Vec<Segment>, LogError> {
        let sql = format!("SELECT {SEGMENT} FROM log_segments WHERE last > $1 ORDER BY first LIMIT $2");
        let rows = self.readers().query(&sql, &vec![&signed(after.0), &signed(limit as u64)]).await?;
        rows.iter().map(segment).collect()
    }

    async fn register(&self, segment: Segment) -> Result<(), LogError> {
        let mut client = self.pool().get().await.map_err(pool_error)?;
        ensure_known(&mut client).await.map_err(log_error)?;
        let (transaction, state) = begin(&mut client).await.map_err(log_error)?;
        check_next(&transaction, &state, &segment).await?;
        let sql = format!("INSERT INTO log_segments ({SEGMENT}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
        let (sha256, index_sha256) = (&segment.sha256[..], &segment.index_sha256[..]);
        let (first, last, bytes) = (signed(segment.first.0), signed(segment.last.0), signed(segment.bytes));
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 8] =
            [&first, &last, &segment.place, &segment.name, &bytes, &sha256, &index_sha256, &segment.last_us];
        transaction.execute(&sql, &values).await.map_err(log_error)?;
        transaction.commit().await.map_err(log_error)
    }

    async fn drop_some(&self) -> Result<Archived, LogError> {
        let mut client = self.pool().get().await.map_err(pool_error)?;
        let (transaction, State { archived, restoring }) = begin(&mut client).await.map_err(log_error)?;
        if restoring.is_some() {
            return Ok(archived);
        }
        let moved = async {
            let reach = archived.registered.0.min(archived.dropped.0 + DROP_EVENTS_MAX as u64);
            let sql = "SELECT position FROM events WHERE position > $1 AND position <= $2 AND append_events IS NOT NULL \
                       ORDER BY position DESC LIMIT 1";
            let last = transaction.query_opt(sql, &[&signed(archived.dropped.0), &signed(reach)]).await?;
            let Some(last) = last else { return Ok(archived) };
            let last: i64 = last.try_get(0)?;
            for statement in MOVE {
                transaction.execute(statement, &[&signed(archived.dropped.0), &last]).await?;
            }
            transaction.execute("UPDATE log_archive SET dropped = $1", &[&last]).await?;
            transaction.commit().await?;
            Ok(Archived { dropped: Position(unsigned(last)), ..archived })
        };
        moved.await.map_err(|error: tokio_postgres::Error| log_error(error))
    }

    async fn restoring(&self) -> Result<Option<Segment>, LogError> {
        let sql = format!("SELECT {SEGMENT} FROM log_segments WHERE first = (SELECT restoring FROM log_archive)");
        self.readers().query(&sql, &Vec::new()).await?.first().map(segment).transpose()
    }

    async fn restore_some(&self, rows: Vec<StoredEvent>) -> Result<Archived, LogError> {
        let mut client = self.pool().get().await.map_err(pool_error)?;
        let (transaction, State { archived, .. }) = begin(&mut client).await.map_err(log_error)?;
        let wrong = |detail: &str| LogError::Corrupt { position: archived.dropped, detail: detail.to_owned() };
        let sql = format!("SELECT {SEGMENT} FROM log_segments ORDER BY first DESC LIMIT 1");
        let last = transaction.query_opt(&sql, &[]).await.map_err(log_error)?;
        let last = last.ok_or_else(|| wrong("nothing is archived that could be brought back"))?;
        let last = segment(&last)?;
        check_restored(archived, &last, &rows)?;
        let dropped = Position(rows.first().map_or(0, |first| first.position.0.saturating_sub(1)));
        let sql = "SELECT FROM archived_appends WHERE position = $1";
        let ends = transaction.query_opt(sql, &[&signed(dropped.0)]).await.map_err(log_error)?;
        if dropped.0 + 1 != last.first.0 && ends.is_none() {
            return Err(wrong("the rows do not begin where an append begins"));
        }
        insert(&transaction, &rows).await?;
        let back = async {
            for statement in MOVE_BACK {
                transaction.execute(statement, &[&signed(dropped.0), &signed(archived.dropped.0)]).await?;
            }
            let sql = "UPDATE log_archive SET dropped = $1, restoring = $2";
            transaction.execute(sql, &[&signed(dropped.0), &signed(last.first.0)]).await?;
            transaction.commit().await
        };
        back.await.map_err(log_error)?;
        Ok(Archived { dropped, ..archived })
    }

    async fn forget(&self, segment: Segment) -> Result<(), LogError> {
        let mut client = self.pool().get().await.map_err(pool_error)?;
        let (transaction, state) = begin(&mut client).await.map_err(log_error)?;
        let wrong = |detail: &str| LogError::Corrupt { position: segment.first, detail: detail.to_owned() };
        if state.restoring != Some(segment.first) || state.archived.registered != segment.last {
            return Err(wrong("this segment is not the one that is being brought back"));
        }
        if state.archived.dropped >= segment.first {
            return Err(wrong("the segment still has rows that did not come back"));
        }
        let forgotten = async {
            transaction.execute("DELETE FROM log_segments WHERE first = $1", &[&signed(segment.first.0)]).await?;
            transaction.execute("UPDATE log_archive SET restoring = NULL", &[]).await?;
            transaction.commit().await
        };
        forgotten.await.map_err(log_error)
    }

    async fn turn(&self) -> Result<Option<Turn>, LogError> {
        // A lock of a connection of its own: however this process ends, it ends with it.
        let tasks = TaskTracker::new();
        let client = self.address().connect(&tasks).await.map_err(log_error)?.client;
        let name = format!("{} archive", self.log_id());
        let began = Instant::now();
        loop {
            let sql = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))";
            let taken = client.query_one(sql, &[&name]).await.and_then(|row| row.try_get(0)).map_err(log_error)?;
            if taken {
                return Ok(Some(Turn::holding(client)));
            }
            if began.elapsed() >= TURN_WAIT_MAX {
                return Ok(None);
            }
            tokio::time::sleep(TURN_PAUSE).await;
        }
    }
}

impl PostgresLog {
    async fn archive_state(&self) -> Result<State, LogError> {
        let rows = self.readers().query(ARCHIVED, &Vec::new()).await?;
        let row = rows.first().ok_or_else(no_row)?;
        State::read(row).map_err(log_error)
    }
}

/// Begins a transaction that moves rows: no append is under way meanwhile, nor does another process move any.
async fn begin(client: &mut Object) -> Result<(Transaction<'_>, State), tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    let knows = KNOWS_ARCHIVE.replace("SET ", "SET LOCAL ");
    transaction.batch_execute(&format!("SET LOCAL lock_timeout = {LOCK_WAIT_MS_MAX}; {knows}")).await?;
    transaction.query_one("SELECT FROM log_head FOR UPDATE", &[]).await?;
    transaction.query_one("SELECT FROM log_archive FOR UPDATE", &[]).await?;
    let row = transaction.query_one(ARCHIVED, &[]).await?;
    let state = State::read(&row)?;
    Ok((transaction, state))
}

/// Whether a segment follows the others and ends where an append ends, before the newest event.
async fn check_next(transaction: &Transaction<'_>, state: &State, segment: &Segment) -> Result<(), LogError> {
    let wrong = |detail: &str| LogError::Corrupt { position: segment.first, detail: detail.to_owned() };
    if segment.first.0 != state.archived.registered.0 + 1 || segment.last < segment.first {
        return Err(wrong("the segment does not follow those that are registered"));
    }
    let sql = "SELECT recorded_at FROM events WHERE position = $1 AND append_events IS NOT NULL \
               AND EXISTS (SELECT FROM events WHERE position = $1 + 1)";
    let ends = transaction.query_opt(sql, &[&signed(segment.last.0)]).await.map_err(log_error)?;
    let ends: Option<DateTime<Utc>> = ends.map(|row| row.try_get(0)).transpose().map_err(log_error)?;
    if ends.map(|time| time.timestamp_micros()) != Some(segment.last_us) {
        return Err(wrong("the segment does not end with an append that the log has before its newest event"));
    }
    Ok(())
}

async fn insert(transaction: &Transaction<'_>, events: &[StoredEvent]) -> Result<(), LogError> {
    let mut rows = Rows::default();
    for event in events {
        let recorded_at = DateTime::from_timestamp_micros(event.recorded_at_us).ok_or_else(|| {
            let detail = "the time is out of range".to_owned();
            LogError::Corrupt { position: event.position, detail }
        })?;
        rows.push_stored(event, recorded_at);
    }
    let leaves = rows.leaves();
    transaction.execute(INSERT_EVENTS, &rows.parameters(&leaves)).await.map_err(log_error)?;
    Ok(())
}

pub(crate) fn no_row() -> LogError {
    let detail = "the table log_archive does not have its one row".to_owned();
    LogError::Corrupt { position: Position::START, detail }
}
