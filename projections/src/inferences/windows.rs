//! Sums over inferences that were not written down one by one. Each is one event, which nothing changes later.

use timeloom_domain::event::Event;
use timeloom_domain::ids::{InferenceWorkerId, Slug, TenantId};
use timeloom_domain::inference::{InferenceEvent, InferenceWindow};
use timeloom_store::{Position, RecordedEvent};

use crate::database::{Cells, Index, Named, Query, Rows, StorageError, Table, Value, blob, integer, text};
use crate::error::FoldError;
use crate::page::{AsOf, Page};
use crate::payload::{check_type, read_payload, stream_uuid};
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};

/// Sums over inferences, found by the position of their event.
#[derive(Debug, Clone, PartialEq)]
pub struct InferenceWindowRow {
    /// Position of its event.
    pub position: Position,
    /// Who computed them.
    pub worker: InferenceWorkerId,
    /// The sums.
    pub window: InferenceWindow,
    /// Which event made it.
    pub provenance: Provenance,
}

/// Which windows to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct InferenceWindowFilter {
    /// Only those of this model.
    pub model: Option<Slug>,
    /// Only those of a version with this number.
    pub version: Option<u32>,
}

/// The read model.
pub(crate) struct InferenceWindows;

static TABLE: Table = Table {
    name: "inference_windows",
    key: &[integer("position")],
    classed: false,
    columns: &[
        blob("worker"),
        text("model"),
        integer("version"),
        text("sums"),
        Provenance::COLUMNS[0],
        Provenance::COLUMNS[1],
        Provenance::COLUMNS[2],
        Provenance::COLUMNS[3],
    ],
    indexes: &[
        Index { name: "inference_windows_created", columns: &["created_position"], closed: false },
        Index { name: "inference_windows_model", columns: &["model", "created_position"], closed: false },
    ],
    kept: None,
};

impl ReadModel for InferenceWindows {
    const NAME: &'static str = "inference_windows";
    const VERSION: u32 = 2;
    const CATEGORY: &'static str = InferenceEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, Position);
    type Row = InferenceWindowRow;
    type Fact = (InferenceWorkerId, Box<InferenceWindow>);

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, Self::Fact)>, FoldError> {
        if &*event.event_type != "InferenceWindowClosed" {
            check_type::<InferenceEvent>(event)?;
            return Ok(None);
        }
        let worker = InferenceWorkerId(stream_uuid(event)?);
        let window = read_payload::<InferenceEvent, Box<InferenceWindow>>(event)?;
        Ok(Some(((event.stream.tenant, event.position), (worker, window))))
    }

    fn fold(
        current: Option<&InferenceWindowRow>,
        (worker, window): Self::Fact,
        event: &RecordedEvent,
    ) -> Folded<InferenceWindowRow> {
        if current.is_some() {
            return Folded::Nothing;
        }
        let provenance = Provenance::created_by(event);
        Folded::Version(InferenceWindowRow { position: event.position, worker, window: *window, provenance })
    }

    fn from(row: &InferenceWindowRow) -> Position {
        row.provenance.updated_position
    }

    fn key<'a>((tenant, position): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), (*position).into()]);
    }

    fn values<'a>(row: &'a InferenceWindowRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        values.extend([
            (&row.worker.0).into(),
            row.window.model.as_str().into(),
            row.window.version.into(),
            Value::json(&row.window)?,
        ]);
        values.extend(row.provenance.values());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<InferenceWindowRow, StorageError> {
        read_row(cells)
    }
}

/// The window of the event at a position, as it was at `as_of`.
pub(super) fn one(named: &Named, tenant: TenantId, position: Position, as_of: AsOf) -> Query {
    named.one(tenant, position.into(), as_of)
}

/// Windows as they were at `as_of`, newest first.
pub(super) fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page, filter: &InferenceWindowFilter) -> Query {
    let mut conditions: Vec<(&'static str, Value<'static>)> = Vec::new();
    if let Some(model) = &filter.model {
        conditions.push(("newest.model = ?", model.as_str().to_owned().into()));
    }
    if let Some(version) = filter.version {
        conditions.push(("newest.version = ?", version.into()));
    }
    let index = if filter.model.is_some() { "inference_windows_model" } else { "inference_windows_created" };
    named.page(Rows { tenant, as_of, page: *page, index, conditions })
}

/// A row from its cells.
pub(super) fn read_row(cells: &mut Cells<'_>) -> Result<InferenceWindowRow, StorageError> {
    let position = cells.take()?;
    let from = cells.take()?;
    let worker = InferenceWorkerId(cells.take()?);
    let _: (String, u32) = (cells.take()?, cells.take()?);
    Ok(InferenceWindowRow { position, worker, window: cells.take_json()?, provenance: Provenance::take(cells, from)? })
}
