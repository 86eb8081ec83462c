//! Which events made a row, and when.

use chrono::{DateTime, Utc};
use timeloom_store::{Position, RecordedEvent, Revision};

use crate::database::{Cells, Column, StorageError, Value, damaged, integer};

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

    /// The columns of a table that hold it, beside `from_position`.
    pub(crate) const COLUMNS: [Column; 4] =
        [integer("created_position"), integer("created_at"), integer("updated_at"), integer("revision")];

    /// As values of these columns.
    pub(crate) fn values(&self) -> [Value<'static>; 4] {
        [
            self.created_position.into(),
            self.created_at.timestamp_micros().into(),
            self.updated_at.timestamp_micros().into(),
            self.revision.into(),
        ]
    }

    /// From the cells of these columns, for a version that holds from `updated_position`.
    pub(crate) fn take(cells: &mut Cells<'_>, updated_position: Position) -> Result<Self, StorageError> {
        Ok(Self {
            created_position: cells.take()?,
            created_at: time(cells)?,
            updated_position,
            updated_at: time(cells)?,
            revision: cells.take()?,
        })
    }
}

fn time(cells: &mut Cells<'_>) -> Result<DateTime<Utc>, StorageError> {
    DateTime::from_timestamp_micros(cells.take()?).ok_or_else(|| damaged("a time is out of range"))
}
