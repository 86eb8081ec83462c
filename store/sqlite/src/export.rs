//! Rows as they are stored, with their texts, of logs of this and of older builds. Only reads.

use rusqlite::{Connection, Row};
use timeloom_domain::ids::{CommandId, EventId, TenantId};
use timeloom_store::stored::{EXPORT_BYTES_MAX, EXPORT_EVENTS_MAX};
use timeloom_store::{LogError, Position, Revision, StoredAppend, StoredEvent, StoredLeaf, StreamKey};
use uuid::Uuid;

use crate::error::log_error;
use crate::packed::{Texts, Unpacker};
use crate::recorded::{signed, unsigned};

/// What is given of an event whose texts cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfDamaged {
    /// Nothing: the page is refused.
    Nothing,
    /// Its row with empty texts, whose hash is not its leaf: for who looks for every fault.
    Row,
}

/// Rows after `after`, as [`LogTransfer::export`](timeloom_store::LogTransfer::export) has them.
pub(crate) fn export(
    connection: &Connection,
    after: Position,
    limit: usize,
    of_damaged: OfDamaged,
) -> Result<Vec<StoredEvent>, LogError> {
    let limit = signed(limit.min(EXPORT_EVENTS_MAX) as u64);
    let sql = format!(
        "SELECT position, tenant_id, aggregate_type, aggregate_id, sequence, event_id, event_type, event_version, \
         payload, metadata, recorded_at, leaf, append_events, command_id, {} \
         FROM events WHERE position > ?1 ORDER BY position LIMIT ?2",
        if can_have_packed(connection)? { "packed" } else { "NULL" }
    );
    let mut statement = connection.prepare_cached(&sql).map_err(log_error)?;
    let mut rows = statement.query([signed(after.0), limit]).map_err(log_error)?;
    let mut unpacker = Unpacker::default();
    let (mut events, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next().map_err(log_error)? {
        let position = Position(unsigned(row.get(0).map_err(log_error)?));
        let unreadable =
            |error: rusqlite::Error| LogError::Corrupt { position, detail: format!("its row cannot be read: {error}") };
        let (stored, packed) = texts(row).map_err(unreadable)?;
        let texts = match unpacker.texts(connection, position, stored, packed) {
            Err(LogError::Corrupt { .. }) if of_damaged == OfDamaged::Row => stored,
            texts => texts?,
        };
        let event = event(row, position, texts).map_err(unreadable)?;
        bytes += event.text_bytes();
        events.push(event);
        if bytes >= EXPORT_BYTES_MAX {
            break;
        }
    }
    Ok(events)
}

/// Leaves after `after`, as [`LogTransfer::leaves`](timeloom_store::LogTransfer::leaves) has them.
pub(crate) fn leaves(connection: &Connection, after: Position, limit: usize) -> Result<Vec<StoredLeaf>, LogError> {
    let limit = signed(limit.min(EXPORT_EVENTS_MAX) as u64);
    let sql = "SELECT position, recorded_at, leaf FROM events WHERE position > ?1 ORDER BY position LIMIT ?2";
    let mut statement = connection.prepare_cached(sql).map_err(log_error)?;
    let leaf = |row: &Row<'_>| {
        Ok(StoredLeaf { position: Position(unsigned(row.get(0)?)), recorded_at_us: row.get(1)?, leaf: row.get(2)? })
    };
    let rows = statement.query_map([signed(after.0), limit], leaf).map_err(log_error)?;
    rows.map(|row| row.map_err(log_error)).collect()
}

/// Whether rows can have the texts of others: not in the file of an older build that was opened only to read.
fn can_have_packed(connection: &Connection) -> Result<bool, LogError> {
    connection
        .prepare_cached("SELECT 1 FROM pragma_table_info('events') WHERE name = 'packed'")
        .and_then(|mut column| column.exists([]))
        .map_err(log_error)
}

fn texts<'row>(row: &'row Row<'_>) -> Result<(Texts<'row>, Option<&'row [u8]>), rusqlite::Error> {
    let stored = Texts { payload: row.get_ref(8)?.as_str()?, metadata: row.get_ref(9)?.as_str()? };
    Ok((stored, row.get_ref(14)?.as_blob_or_null()?))
}

fn event(row: &Row<'_>, position: Position, texts: Texts<'_>) -> Result<StoredEvent, rusqlite::Error> {
    let category: String = row.get(2)?;
    let id: String = row.get(3)?;
    let event_type: String = row.get(6)?;
    let append_events: Option<u32> = row.get(12)?;
    let command_id: Option<[u8; 16]> = row.get(13)?;
    let append = append_events.zip(command_id);
    Ok(StoredEvent {
        position,
        stream: StreamKey::new(TenantId(row.get(1)?), category, id),
        revision: Revision(unsigned(row.get(4)?)),
        id: EventId(Uuid::from_bytes(row.get(5)?)),
        event_type: event_type.into(),
        event_version: row.get(7)?,
        payload: texts.payload.to_owned(),
        metadata: texts.metadata.to_owned(),
        recorded_at_us: row.get(10)?,
        leaf: row.get(11)?,
        append: append.map(|(events, id)| StoredAppend { events, command_id: CommandId(Uuid::from_bytes(id)) }),
    })
}
