//! Inference workers: what each runs on, what it has in memory, whether it ended.
//!
//! A worker writes what it does for a tenant into a stream of that tenant: what it runs on is told in the first tenant's.

use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::ids::{InferenceWorkerId, TenantId};
use timeloom_domain::inference::{InferenceWorker, InferenceWorkerEvent};
use timeloom_store::{Position, RecordedEvent};

use crate::database::{Cells, Index, Named, Query, Rows, StorageError, Table, Value, blob, integer, text};
use crate::error::FoldError;
use crate::page::{AsOf, Page};
use crate::payload::{read_payload, shorten, stream_uuid};
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};

/// One inference worker.
#[derive(Debug, Clone, PartialEq)]
pub struct InferenceWorkerRow {
    /// Its id.
    pub id: InferenceWorkerId,
    /// What its events come to, by the aggregate's own fold.
    pub worker: InferenceWorker,
    /// What it could not load last: the model, the version, the code and the words.
    pub load_failed: Option<LoadFailure>,
    /// Which events made it.
    pub provenance: Provenance,
}

/// A version of a model that a worker could not load.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LoadFailure {
    /// The model.
    pub model: String,
    /// The version.
    pub version: u32,
    /// What is in the way, as a word.
    pub code: String,
    /// Why, in words that say what to do.
    pub reason: String,
    /// Position of the event that says so.
    pub position: Position,
}

/// Which workers to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct InferenceWorkerFilter {
    /// Only those that ended, or only the others.
    pub stopped: Option<bool>,
}

/// The read model.
pub(crate) struct InferenceWorkers;

static TABLE: Table = Table {
    name: "inference_workers",
    key: &[blob("id")],
    classed: false,
    columns: &[
        text("worker"),
        text("load_failed").optional(),
        // For questions.
        integer("stopped"),
        Provenance::COLUMNS[0],
        Provenance::COLUMNS[1],
        Provenance::COLUMNS[2],
        Provenance::COLUMNS[3],
    ],
    indexes: &[Index { name: "inference_workers_created", columns: &["created_position"], closed: false }],
    kept: None,
};

impl ReadModel for InferenceWorkers {
    const NAME: &'static str = "inference_workers";
    const VERSION: u32 = 1;
    const CATEGORY: &'static str = InferenceWorkerEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, InferenceWorkerId);
    type Row = InferenceWorkerRow;
    type Fact = (InferenceWorkerId, InferenceWorkerEvent);

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, Self::Fact)>, FoldError> {
        let id = InferenceWorkerId(stream_uuid(event)?);
        let fact = read_payload::<InferenceWorkerEvent, InferenceWorkerEvent>(event)?;
        Ok(Some(((event.stream.tenant, id), (id, fact))))
    }

    fn fold(
        current: Option<&InferenceWorkerRow>,
        (id, fact): Self::Fact,
        event: &RecordedEvent,
    ) -> Folded<InferenceWorkerRow> {
        let mut row = match current {
            Some(current) => InferenceWorkerRow { provenance: current.provenance.updated_by(event), ..current.clone() },
            None => InferenceWorkerRow {
                id,
                worker: InferenceWorker::default(),
                load_failed: None,
                provenance: Provenance::created_by(event),
            },
        };
        row.worker.apply(&fact);
        if let InferenceWorkerEvent::ModelLoadFailed { model, version, code, reason, .. } = fact {
            let (model, reason, position) = (model.to_string(), shorten(reason), event.position);
            row.load_failed = Some(LoadFailure { model, version, code, reason, position });
        }
        Folded::Version(row)
    }

    fn from(row: &InferenceWorkerRow) -> Position {
        row.provenance.updated_position
    }

    fn key<'a>((tenant, id): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), (&id.0).into()]);
    }

    fn values<'a>(row: &'a InferenceWorkerRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        values.extend([
            Value::json(&row.worker)?,
            row.load_failed.as_ref().map(Value::json).transpose()?.unwrap_or(Value::Null),
            row.worker.stopped.into(),
        ]);
        values.extend(row.provenance.values());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<InferenceWorkerRow, StorageError> {
        read_row(cells)
    }
}

/// One worker as it was at `as_of`.
pub(super) fn one(named: &Named, tenant: TenantId, id: InferenceWorkerId, as_of: AsOf) -> Query {
    named.one(tenant, id.0.into(), as_of)
}

/// Workers as they were at `as_of`, newest first.
pub(super) fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page, filter: InferenceWorkerFilter) -> Query {
    let conditions = filter.stopped.map(|stopped| ("version.stopped = ?", stopped.into()));
    let conditions = conditions.into_iter().collect();
    named.page(Rows { tenant, as_of, page: *page, index: "inference_workers_created", conditions })
}

/// A row from its cells.
pub(super) fn read_row(cells: &mut Cells<'_>) -> Result<InferenceWorkerRow, StorageError> {
    let id = InferenceWorkerId(cells.take()?);
    let from = cells.take()?;
    let (worker, load_failed) = (cells.take_json()?, cells.take_optional_json()?);
    let _: bool = cells.take()?;
    Ok(InferenceWorkerRow { id, worker, load_failed, provenance: Provenance::take(cells, from)? })
}
