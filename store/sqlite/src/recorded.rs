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

/// The columns that [`RowReader`] reads, in its order.
pub(crate) const COLUMNS: &str = "e.position, e.tenant_id, e.aggregate_type, e.aggregate_id, e.sequence, e.event_id, \
     e.event_type, e.event_version, e.payload, e.metadata, e.recorded_at";

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
#[derive(Debug, Default)]
pub(crate) struct RowReader {
    shared: Shared,
}

impl RowReader {
    /// All rows of a query over [`COLUMNS`].
    pub(crate) fn read_all(
        statement: &mut CachedStatement<'_>,
        parameters: &[&dyn ToSql],
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let mut reader = Self::default();
        let mut rows = statement.query(parameters).map_err(log_error)?;
        let mut events = Vec::new();
        while let Some(row) = rows.next().map_err(log_error)? {
            events.push(Arc::new(reader.read(row)?));
        }
        Ok(events)
    }

    /// The events at `positions`, in their order.
    pub(crate) fn read_at(
        connection: &Connection,
        positions: &[Position],
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let mut reader = Self::default();
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
        self.columns(row, position).map_err(|detail| LogError::Corrupt { position, detail })
    }

    fn columns(&mut self, row: &Row<'_>, position: Position) -> Result<RecordedEvent, String> {
        let number = |index| value(row, index)?.as_i64().map_err(|error| error.to_string());
        let tenant = u32::try_from(number(1)?).map_err(|_| "the tenant is out of range".to_owned())?;
        let stream = self.shared.stream(TenantId(tenant), text(row, 2)?, text(row, 3)?);
        let id = value(row, 5)?.as_blob().map_err(|error| error.to_string())?;
        let id = Uuid::from_slice(id).map_err(|error| error.to_string())?;
        let payload = RawValue::from_string(text(row, 8)?.to_owned())
            .map_err(|error| format!("the payload is not JSON: {error}"))?;
        Ok(RecordedEvent {
            position,
            stream,
            revision: Revision(unsigned(number(4)?)),
            id: EventId(id),
            event_type: self.shared.event_type(text(row, 6)?),
            event_version: read_version(text(row, 7)?),
            payload: Arc::from(payload),
            metadata: self.shared.metadata(text(row, 9)?, EventId(id))?,
            recorded_at: DateTime::from_timestamp_micros(number(10)?)
                .ok_or_else(|| "the time is out of range".to_owned())?,
        })
    }
}

fn value<'row>(row: &'row Row<'_>, index: usize) -> Result<ValueRef<'row>, String> {
    row.get_ref(index).map_err(|error| error.to_string())
}

fn text<'row>(row: &'row Row<'_>, index: usize) -> Result<&'row str, String> {
    value(row, index)?.as_str().map_err(|error| error.to_string())
}
