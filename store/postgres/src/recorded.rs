//! Rows of `events` to recorded events, and values that `json` columns take as they are. Bytes go through unchanged.

use std::error::Error;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use timeloom_domain::ids::{EventId, TenantId};
use timeloom_store::shared::Shared;
use timeloom_store::stored::read_version;
use timeloom_store::{LogError, Position, RecordedEvent, Revision};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// The columns that [`RowReader`] reads, in its order.
pub(crate) const COLUMNS: &str = "position, tenant_id, aggregate_type, aggregate_id, sequence, event_id, event_type, \
     event_version, payload, metadata, recorded_at";

/// A position or revision as PostgreSQL has it.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of PostgreSQL as a position or revision.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The text of a `json` value, in and out without a change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonText<'text>(pub(crate) &'text str);

impl<'row> FromSql<'row> for JsonText<'row> {
    fn from_sql(_: &Type, raw: &'row [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(std::str::from_utf8(raw)?))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::JSON
    }
}

impl ToSql for JsonText<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::JSON
    }

    to_sql_checked!();
}

/// Reads rows; what neighbours have in common is shared.
#[derive(Debug, Default)]
pub(crate) struct RowReader {
    shared: Shared,
}

impl RowReader {
    /// All rows of a query over [`COLUMNS`].
    pub(crate) fn read_all(rows: &[Row]) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let mut reader = Self::default();
        rows.iter().map(|row| reader.read(row).map(Arc::new)).collect()
    }

    fn read(&mut self, row: &Row) -> Result<RecordedEvent, LogError> {
        let position = Position(row.try_get(0).map_or(0, unsigned));
        self.columns(row, position).map_err(|detail| LogError::Corrupt { position, detail })
    }

    fn columns(&mut self, row: &Row, position: Position) -> Result<RecordedEvent, String> {
        let tenant = u32::try_from(column::<i64>(row, 1)?).map_err(|_| "the tenant is out of range".to_owned())?;
        let stream = self.shared.stream(TenantId(tenant), column(row, 2)?, column(row, 3)?);
        let id = EventId(column(row, 5)?);
        let payload = RawValue::from_string(column::<JsonText<'_>>(row, 8)?.0.to_owned())
            .map_err(|error| format!("the payload is not JSON: {error}"))?;
        Ok(RecordedEvent {
            position,
            stream,
            revision: Revision(unsigned(column(row, 4)?)),
            id,
            event_type: self.shared.event_type(column(row, 6)?),
            event_version: read_version(column(row, 7)?),
            payload: Arc::from(payload),
            metadata: self.shared.metadata(column::<JsonText<'_>>(row, 9)?.0, id)?,
            recorded_at: column::<DateTime<Utc>>(row, 10)?,
        })
    }
}

fn column<'row, T: FromSql<'row>>(row: &'row Row, index: usize) -> Result<T, String> {
    row.try_get(index).map_err(|error| error.to_string())
}
