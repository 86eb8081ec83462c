//! What the log's file keeps of events whose rows are in the archive, and how rows go and come back: the writer's side of
//! archiving.
//!
//! Of each archived event its id and position stay, of each append its place in its stream and its command: what appends are
//! checked by, and what reads find positions by. So nothing that is appended ever waits for the archive.
//!
//! Invariants: archived is the beginning of the log, up to the position under [`DROPPED`] in `meta`; a row is deleted in the
//! transaction that writes what stays of it, what stays of it in the one that writes the row, and the file refuses to delete
//! any other.

use rusqlite::{Connection, OptionalExtension, Row, params};
use timeloom_store::archive::{Archived, DROP_EVENTS_MAX, Segment, check_restored};
use timeloom_store::heads::Heads;
use timeloom_store::{LogError, Position, StoredEvent};

use crate::error::log_error;
use crate::packed::Packer;
use crate::recorded::{signed, unsigned};
use crate::transfer::write_rows;

/// In `meta`: up to which position rows were dropped.
const DROPPED: &str = "archived";
/// In `meta` while rows of the last segment are being brought back: where it begins.
const RESTORING: &str = "restoring";

/// The fourth step of the schema.
pub(crate) const TABLES: &str = "
CREATE TABLE segments (
    first          INTEGER PRIMARY KEY, -- position of its first event
    last           INTEGER NOT NULL,    -- of its last one
    place          TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    bytes          INTEGER NOT NULL,
    sha256         BLOB    NOT NULL,
    index_sha256   BLOB    NOT NULL,
    last_us        INTEGER NOT NULL     -- when the log took its last event, microseconds since 1970
) STRICT;

CREATE TABLE archived_ids (
    event_id       BLOB    PRIMARY KEY,
    position       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE archived_appends (
    position       INTEGER PRIMARY KEY, -- of the last event of the append
    stream_no      INTEGER NOT NULL,
    sequence       INTEGER NOT NULL,
    append_events  INTEGER NOT NULL,
    command_id     BLOB    NOT NULL
) STRICT;

CREATE UNIQUE INDEX archived_by_stream  ON archived_appends (stream_no, sequence);
CREATE UNIQUE INDEX archived_by_command ON archived_appends (command_id, stream_no);

-- Events whose rows went before the index of kinds had them.
CREATE TABLE unindexed (
    position       INTEGER PRIMARY KEY,
    tenant_id      INTEGER NOT NULL,
    aggregate_type TEXT    NOT NULL,
    event_type     TEXT    NOT NULL
) STRICT;

DROP TRIGGER IF EXISTS events_no_delete;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
WHEN NOT EXISTS (SELECT 1 FROM archived_ids WHERE event_id = old.event_id AND position = old.position)
BEGIN SELECT RAISE(ABORT, 'the event log only ever grows'); END;

CREATE TRIGGER segments_no_update BEFORE UPDATE ON segments
BEGIN SELECT RAISE(ABORT, 'the event log only ever grows'); END;
CREATE TRIGGER segments_no_delete BEFORE DELETE ON segments
BEGIN SELECT RAISE(ABORT, 'the event log only ever grows'); END;
CREATE TRIGGER archived_ids_no_update BEFORE UPDATE ON archived_ids
BEGIN SELECT RAISE(ABORT, 'the event log only ever grows'); END;
CREATE TRIGGER archived_ids_no_delete BEFORE DELETE ON archived_ids
BEGIN SELECT RAISE(ABORT, 'the event log only ever grows'); END;
CREATE TRIGGER archived_appends_no_update BEFORE UPDATE ON archived_appends
BEGIN SELECT RAISE(ABORT, 'the event log only ever grows'); END;
CREATE TRIGGER archived_appends_no_delete BEFORE DELETE ON archived_appends
BEGIN SELECT RAISE(ABORT, 'the event log only ever grows'); END;
";

/// The fifth step of the schema: what stays of a row may go once the row is back, and a segment once all its rows are.
pub(crate) const RESTORING_TRIGGERS: &str = "
DROP TRIGGER IF EXISTS segments_no_delete;
CREATE TRIGGER segments_no_delete BEFORE DELETE ON segments
WHEN EXISTS (SELECT 1 FROM archived_appends WHERE position BETWEEN old.first AND old.last)
    OR NOT EXISTS (SELECT 1 FROM events WHERE position = old.last)
BEGIN SELECT RAISE(ABORT, 'the event log only ever grows'); END;
DROP TRIGGER IF EXISTS archived_ids_no_delete;
CREATE TRIGGER archived_ids_no_delete BEFORE DELETE ON archived_ids
WHEN NOT EXISTS (SELECT 1 FROM events WHERE position = old.position AND event_id = old.event_id)
BEGIN SELECT RAISE(ABORT, 'the event log only ever grows'); END;
DROP TRIGGER IF EXISTS archived_appends_no_delete;
CREATE TRIGGER archived_appends_no_delete BEFORE DELETE ON archived_appends
WHEN NOT EXISTS (SELECT 1 FROM events WHERE position = old.position AND stream_no = old.stream_no
    AND sequence = old.sequence AND append_events = old.append_events AND command_id = old.command_id)
BEGIN SELECT RAISE(ABORT, 'the event log only ever grows'); END;
";

/// What [`segment`] reads, in its order.
const COLUMNS: &str = "first, last, place, name, bytes, sha256, index_sha256, last_us";

/// Up to which position rows were dropped.
pub(crate) fn dropped(connection: &Connection) -> Result<Position, rusqlite::Error> {
    Ok(noted(connection, DROPPED)?.unwrap_or_default())
}

fn noted(connection: &Connection, name: &str) -> Result<Option<Position>, rusqlite::Error> {
    let value: Option<String> = connection
        .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(value.and_then(|value| value.parse().ok()).map(Position))
}

fn note(connection: &Connection, name: &str, position: Position) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?
        .execute((name, position.0.to_string()))
        .map(drop)
}

/// How far the log is archived; nothing of it in the file of an older build that was opened only to read.
pub(crate) fn archived(connection: &Connection) -> Result<Archived, LogError> {
    let mut last = match connection.prepare_cached("SELECT coalesce(max(last), 0) FROM segments") {
        Ok(statement) => statement,
        Err(rusqlite::Error::SqlInputError { .. }) => return Ok(Archived::default()),
        Err(error) => return Err(log_error(error)),
    };
    let registered = last.query_row([], |row| row.get(0)).map_err(log_error)?;
    Ok(Archived { registered: Position(unsigned(registered)), dropped: dropped(connection).map_err(log_error)? })
}

/// At most `limit` segments that end after `after`, in order.
pub(crate) fn segments(connection: &Connection, after: Position, limit: usize) -> Result<Vec<Segment>, LogError> {
    if archived(connection)?.registered <= after {
        return Ok(Vec::new());
    }
    // The one that begins last of those that begin at or before the next position has it, as there are no gaps.
    let sql = format!(
        "SELECT {COLUMNS} FROM segments \
         WHERE first >= (SELECT max(first) FROM segments WHERE first <= ?1 + 1) ORDER BY first LIMIT ?2"
    );
    read(connection, &sql, (signed(after.0), signed(limit as u64)))
}

/// At most `limit` segments that begin at or before `up_to`, the last ones.
pub(crate) fn segments_before(
    connection: &Connection,
    up_to: Position,
    limit: usize,
) -> Result<Vec<Segment>, LogError> {
    let sql = format!("SELECT {COLUMNS} FROM segments WHERE first <= ?1 ORDER BY first DESC LIMIT ?2");
    read(connection, &sql, (signed(up_to.0), signed(limit as u64)))
}

/// The first segment whose last event is later than a time.
pub(crate) fn segment_at(connection: &Connection, time_us: i64) -> Result<Option<Segment>, LogError> {
    // Times grow with positions: halving finds it without an index. Segments may be forgotten meanwhile.
    let snapshot = connection.unchecked_transaction().map_err(log_error)?;
    let connection = &*snapshot;
    let (mut before, mut found) = (0, None);
    let mut last = archived(connection)?.registered.0;
    while before < last {
        let middle = before + (last - before).div_ceil(2);
        let Some(segment) = segments_before(connection, Position(middle), 1)?.pop() else { break };
        if segment.last_us > time_us {
            last = segment.first.0 - 1;
            found = Some(segment);
        } else {
            before = segment.last.0;
        }
    }
    Ok(found)
}

fn read(connection: &Connection, sql: &str, parameters: (i64, i64)) -> Result<Vec<Segment>, LogError> {
    let mut statement = connection.prepare_cached(sql).map_err(log_error)?;
    let segments = statement.query_map(parameters, segment).map_err(log_error)?;
    segments.map(|segment| segment.map_err(log_error)).collect()
}

fn segment(row: &Row<'_>) -> Result<Segment, rusqlite::Error> {
    let number = |index| row.get(index).map(unsigned);
    Ok(Segment {
        first: Position(number(0)?),
        last: Position(number(1)?),
        place: row.get(2)?,
        name: row.get(3)?,
        bytes: number(4)?,
        sha256: row.get(5)?,
        index_sha256: row.get(6)?,
        last_us: row.get(7)?,
    })
}

/// Takes note of a segment, after it was seen to follow the others and to end where an append ends.
pub(crate) fn register(connection: &Connection, segment: &Segment) -> Result<(), LogError> {
    let registered = archived(connection)?.registered;
    let wrong = |detail: &str| LogError::Corrupt { position: segment.first, detail: detail.to_owned() };
    if segment.first.0 != registered.0 + 1 || segment.last < segment.first {
        return Err(wrong("the segment does not follow those that are registered"));
    }
    let ends: Option<i64> = connection
        .prepare_cached(
            "SELECT recorded_at FROM events WHERE position = ?1 AND append_events IS NOT NULL \
             AND EXISTS (SELECT 1 FROM events WHERE position = ?1 + 1)",
        )
        .and_then(|mut statement| statement.query_row([signed(segment.last.0)], |row| row.get(0)).optional())
        .map_err(log_error)?;
    if ends != Some(segment.last_us) {
        return Err(wrong("the segment does not end with an append that the log has before its newest event"));
    }
    connection
        .prepare_cached(&format!("INSERT INTO segments ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"))
        .and_then(|mut insert| {
            insert.execute(params![
                signed(segment.first.0),
                signed(segment.last.0),
                segment.place,
                segment.name,
                signed(segment.bytes),
                segment.sha256,
                segment.index_sha256,
                segment.last_us,
            ])
        })
        .map_err(log_error)?;
    Ok(())
}

/// Drops the next rows that are registered, whole appends, in one transaction. `indexed` is how far the index of kinds goes.
pub(crate) fn drop_some(connection: &Connection, indexed: Position) -> Result<Archived, LogError> {
    let archived = archived(connection)?;
    if restoring(connection)?.is_some() {
        return Ok(archived);
    }
    let after = archived.dropped;
    let reach = archived.registered.0.min(after.0 + DROP_EVENTS_MAX as u64);
    let transaction = connection.unchecked_transaction().map_err(log_error)?;
    let last = move_rows(&transaction, after, reach, indexed).map_err(log_error)?;
    let Some(last) = last else { return Ok(archived) };
    transaction.commit().map_err(log_error)?;
    Ok(Archived { dropped: last, ..archived })
}

fn move_rows(
    connection: &Connection,
    after: Position,
    reach: u64,
    indexed: Position,
) -> Result<Option<Position>, rusqlite::Error> {
    let range = (signed(after.0), signed(reach));
    let last: Option<i64> = connection
        .prepare_cached(
            "SELECT position FROM events WHERE position > ?1 AND position <= ?2 AND append_events IS NOT NULL \
             ORDER BY position DESC LIMIT 1",
        )?
        .query_row(range, |row| row.get(0))
        .optional()?;
    let Some(last) = last else { return Ok(None) };
    let range = (signed(after.0), last);
    for statement in [
        "INSERT INTO archived_ids (event_id, position) \
         SELECT event_id, position FROM events WHERE position > ?1 AND position <= ?2 ORDER BY position",
        "INSERT INTO archived_appends (position, stream_no, sequence, append_events, command_id) \
         SELECT position, stream_no, sequence, append_events, command_id FROM events \
         WHERE position > ?1 AND position <= ?2 AND append_events IS NOT NULL ORDER BY position",
    ] {
        connection.prepare_cached(statement)?.execute(range)?;
    }
    connection
        .prepare_cached(
            "INSERT INTO unindexed (position, tenant_id, aggregate_type, event_type) \
             SELECT position, tenant_id, aggregate_type, event_type FROM events WHERE position > ?1 AND position <= ?2",
        )?
        .execute((signed(after.0.max(indexed.0)), last))?;
    connection.prepare_cached("DELETE FROM events WHERE position > ?1 AND position <= ?2")?.execute(range)?;
    let last = Position(unsigned(last));
    note(connection, DROPPED, last)?;
    Ok(Some(last))
}

/// The segment whose rows are being brought back.
pub(crate) fn restoring(connection: &Connection) -> Result<Option<Segment>, LogError> {
    match noted(connection, RESTORING).map_err(log_error)? {
        Some(first) => Ok(segments_before(connection, first, 1)?.pop().filter(|segment| segment.first == first)),
        None => Ok(None),
    }
}

/// Brings back the newest rows that were dropped, in one transaction.
pub(crate) fn restore_some(connection: &Connection, rows: &[StoredEvent]) -> Result<Archived, LogError> {
    let archived = archived(connection)?;
    let wrong = |detail: &str| LogError::Corrupt { position: archived.dropped, detail: detail.to_owned() };
    let last = segments_before(connection, archived.registered, 1)?.pop();
    let last = last.ok_or_else(|| wrong("nothing is archived that could be brought back"))?;
    check_restored(archived, &last, rows)?;
    let dropped = Position(rows.first().map_or(0, |first| first.position.0.saturating_sub(1)));
    let transaction = connection.unchecked_transaction().map_err(log_error)?;
    let ends_append = dropped.0 + 1 == last.first.0
        || transaction
            .prepare_cached("SELECT 1 FROM archived_appends WHERE position = ?1")
            .and_then(|mut statement| statement.exists([signed(dropped.0)]))
            .map_err(log_error)?;
    if !ends_append {
        return Err(wrong("the rows do not begin where an append begins"));
    }
    write_rows(&transaction, &mut Heads::default(), &mut Packer::default(), rows)
        .and_then(|()| move_back(&transaction, dropped, archived.dropped, last.first))
        .and_then(|()| transaction.commit())
        .map_err(log_error)?;
    Ok(Archived { dropped, ..archived })
}

/// Deletes what stayed of rows behind `after` and up to `up_to`, which are back.
fn move_back(
    connection: &Connection,
    after: Position,
    up_to: Position,
    restoring: Position,
) -> Result<(), rusqlite::Error> {
    let range = (signed(after.0), signed(up_to.0));
    for statement in [
        "DELETE FROM archived_ids \
         WHERE event_id IN (SELECT event_id FROM events WHERE position > ?1 AND position <= ?2)",
        "DELETE FROM archived_appends WHERE position > ?1 AND position <= ?2",
        "DELETE FROM unindexed WHERE position > ?1 AND position <= ?2",
    ] {
        connection.prepare_cached(statement)?.execute(range)?;
    }
    note(connection, RESTORING, restoring)?;
    note(connection, DROPPED, after)
}

/// Forgets the segment whose rows all came back.
pub(crate) fn forget(connection: &Connection, segment: &Segment) -> Result<(), LogError> {
    let wrong = |detail: &str| LogError::Corrupt { position: segment.first, detail: detail.to_owned() };
    if restoring(connection)?.as_ref() != Some(segment) {
        return Err(wrong("this segment is not the one that is being brought back"));
    }
    if archived(connection)?.dropped >= segment.first {
        return Err(wrong("the segment still has rows that did not come back"));
    }
    let transaction = connection.unchecked_transaction().map_err(log_error)?;
    let forgotten = || {
        transaction.prepare_cached("DELETE FROM segments WHERE first = ?1")?.execute([signed(segment.first.0)])?;
        transaction.prepare_cached("DELETE FROM meta WHERE name = ?1")?.execute([RESTORING])
    };
    forgotten().and_then(|_| transaction.commit()).map_err(log_error)
}
