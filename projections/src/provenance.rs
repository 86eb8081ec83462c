//! Which events made a row, and when.

use chrono::{DateTime, Utc};
use rusqlite::Row;
use timeloom_store::{Position, RecordedEvent, Revision};

/// Which events made a row, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provenance {
    /// Position of the first event.
    pub created_position: Position,
    /// When the log took the first event.
    pub created_at: DateTime<Utc>,
    /// Position of the event that gave the row its present form.
    pub updated_position: Position,
    /// When the log took that event.
    pub updated_at: DateTime<Utc>,
    /// Revision of that event in its stream.
    pub revision: Revision,
}

impl Provenance {
    pub(crate) fn created_by(event: &RecordedEvent) -> Self {
        Self {
            created_position: event.position,
            created_at: event.recorded_at,
            updated_position: event.position,
            updated_at: event.recorded_at,
            revision: event.revision,
        }
    }

    pub(crate) fn updated_by(self, event: &RecordedEvent) -> Self {
        Self { created_position: self.created_position, created_at: self.created_at, ..Self::created_by(event) }
    }

    /// From the five columns at `first`: created position and time, updated position and time, revision.
    pub(crate) fn from_columns(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            created_position: Position(row.get(first)?),
            created_at: time(row, first + 1)?,
            updated_position: Position(row.get(first + 2)?),
            updated_at: time(row, first + 3)?,
            revision: Revision(row.get(first + 4)?),
        })
    }
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<DateTime<Utc>> {
    let microseconds = row.get::<_, i64>(column)?;
    DateTime::from_timestamp_micros(microseconds).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, microseconds))
}
