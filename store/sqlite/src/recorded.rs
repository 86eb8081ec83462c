//! Rows of `events` to recorded events and back. Payload bytes go through unchanged.

use std::sync::Arc;

use chrono::DateTime;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, Row, ToSql};
use serde_json::value::RawValue;
use timeloom_domain::ids::{EventId, TenantId};
use timeloom_store::shared::Shared;
use timeloom_store::stored::read_version;
use timeloom_store::{LogError, Position, RecordedEvent, Revision};
use uuid::Uuid;

use crate::error::log_error;
use crate::packed::{Texts, Unpacker};

/// The columns that [`RowReader`] reads, in its order.
pub(crate) const COLUMNS: &str = "e.position, e.tenant_id, e.aggregate_type, e.aggregate_id, e.sequence, e.event_id, \
     e.event_type, e.event_version, e.payload, e.metadata, e.recorded_at, e.packed";

/// Where a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) stream_no: i64,
    pub(crate) revision: Revision,
}

/// A position or revision as SQLite has it.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of SQLite as a position or revision.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Reads rows; what neighbours have in common is shared.
#[derive(Debug)]
pub(crate) struct RowReader<'connection> {
    connection: &'connection Connection,
    shared: Shared,
    unpacker: Unpacker,
}

impl<'connection> RowReader<'connection> {
    fn new(connection: &'connection Connection) -> Self {
        Self { connection, shared: Shared::default(), unpacker: Unpacker::default() }
    }

    /// All rows of a query over [`COLUMNS`].
    pub(crate) fn read_all(
        connection: &'connection Connection,
        statement: &mut CachedStatement<'_>,
        parameters: &[&dyn ToSql],
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let mut reader = Self::new(connection);
        let mut rows = statement.query(parameters).map_err(log_error)?;
        let mut events = Vec::new();
        while let Some(row) = rows.next().map_err(log_error)? {
            events.push(Arc::new(reader.read(row)?));
        }
        Ok(events)
    }

    /// The events at `positions`, in their order.
    pub(crate) fn read_at(
        connection: &'connection Connection,
        positions: &[Position],
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let mut reader = Self::new(connection);
        let sql = format!("SELECT {COLUMNS} FROM events e WHERE e.position = ?1");
        let mut statement = connection.prepare_cached(&sql).map_err(log_error)?;
        let event = |position: &Position| {
            let mut rows = statement.query([signed(position.0)]).map_err(log_error)?;
            match rows.next().map_err(log_error)? {
                Some(row) => Ok(Arc::new(reader.read(row)?)),
                None => Err(LogError::Corrupt { position: *position, detail: "there is no event".to_owned() }),
            }
        };
        positions.iter().map(event).collect()
    }

    fn read(&mut self, row: &Row<'_>) -> Result<RecordedEvent, LogError> {
        let position = Position(unsigned(row.get(0).map_err(log_error)?));
        let corrupt = |detail| LogError::Corrupt { position, detail };
        let (stored, packed) = texts(row).map_err(corrupt)?;
        let texts = self.unpacker.texts(self.connection, position, stored, packed)?;
        columns(&mut self.shared, row, position, texts).map_err(corrupt)
    }
}

/// The texts in a row of [`COLUMNS`], and those that it has for the events behind it.
fn texts<'row>(row: &'row Row<'_>) -> Result<(Texts<'row>, Option<&'row [u8]>), String> {
    let packed = value(row, 11)?.as_blob_or_null().map_err(|error| error.to_string())?;
    Ok((Texts { payload: text(row, 8)?, metadata: text(row, 9)? }, packed))
}

fn columns(shared: &mut Shared, row: &Row<'_>, position: Position, texts: Texts<'_>) -> Result<RecordedEvent, String> {
    let number = |index| value(row, index)?.as_i64().map_err(|error| error.to_string());
    let tenant = u32::try_from(number(1)?).map_err(|_| "the tenant is out of range".to_owned())?;
    let stream = shared.stream(TenantId(tenant), text(row, 2)?, text(row, 3)?);
    let id = value(row, 5)?.as_blob().map_err(|error| error.to_string())?;
    let id = Uuid::from_slice(id).map_err(|error| error.to_string())?;
    let payload =
        RawValue::from_string(texts.payload.to_owned()).map_err(|error| format!("the payload is not JSON: {error}"))?;
    Ok(RecordedEvent {
        position,
        stream,
        revision: Revision(unsigned(number(4)?)),
        id: EventId(id),
        event_type: shared.event_type(text(row, 6)?),
        event_version: read_version(text(row, 7)?),
        payload: Arc::from(payload),
        metadata: shared.metadata(texts.metadata, EventId(id))?,
        recorded_at: DateTime::from_timestamp_micros(number(10)?)
            .ok_or_else(|| "the time is out of range".to_owned())?,
    })
}

fn value<'row>(row: &'row Row<'_>, index: usize) -> Result<ValueRef<'row>, String> {
    row.get_ref(index).map_err(|error| error.to_string())
}

fn text<'row>(row: &'row Row<'_>, index: usize) -> Result<&'row str, String> {
    value(row, index)?.as_str().map_err(|error| error.to_string())
}
