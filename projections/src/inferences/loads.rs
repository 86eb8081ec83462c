//! Loads: a version of a model in a worker's memory, from when it came to when it was put away. They stay to be asked about,
//! since every answer names the load that computed it.

use timeloom_domain::event::Event;
use timeloom_domain::ids::{InferenceWorkerId, ModelLoadId, Slug, TenantId};
use timeloom_domain::inference::{InferenceWorkerEvent, ModelLoad};
use timeloom_store::{Position, RecordedEvent};

use crate::database::{Cells, Index, Named, Query, Rows, StorageError, Table, Value, blob, integer, text};
use crate::error::FoldError;
use crate::page::{AsOf, Page};
use crate::payload::{read_payload, shorten, stream_uuid};
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};

/// A version of a model in a worker's memory.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelLoadRow {
    /// Whose memory it is.
    pub worker: InferenceWorkerId,
    /// How it was loaded; most rows of a batch as they are now.
    pub load: ModelLoad,
    /// Why another one computes than was wanted; absent where it is who was wanted.
    pub fell_back: Option<String>,
    /// Why it takes smaller batches than at first, while it does.
    pub degraded: Option<String>,
    /// Why it was put away, as a word; absent while it is in memory.
    pub unloaded: Option<String>,
    /// Which events made it.
    pub provenance: Provenance,
}

/// Which loads to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ModelLoadFilter {
    /// Only those of this model.
    pub model: Option<Slug>,
    /// Only those of this worker.
    pub worker: Option<InferenceWorkerId>,
    /// Only those in memory, or only those that were put away.
    pub in_memory: Option<bool>,
}

/// The read model.
pub(crate) struct ModelLoads;

static TABLE: Table = Table {
    name: "model_loads",
    key: &[blob("id")],
    classed: false,
    columns: &[
        blob("worker"),
        text("model"),
        text("load"),
        text("fell_back").optional(),
        text("degraded").optional(),
        text("unloaded").optional(),
        // For questions.
        integer("in_memory"),
        Provenance::COLUMNS[0],
        Provenance::COLUMNS[1],
        Provenance::COLUMNS[2],
        Provenance::COLUMNS[3],
    ],
    indexes: &[
        Index { name: "model_loads_created", columns: &["created_position"], closed: false },
        Index { name: "model_loads_model", columns: &["model", "created_position"], closed: false },
        Index { name: "model_loads_worker", columns: &["worker", "created_position"], closed: false },
    ],
    kept: None,
};

/// The load that an event is about.
fn load_of(event: &InferenceWorkerEvent) -> Option<ModelLoadId> {
    match event {
        InferenceWorkerEvent::ModelLoaded(load) => Some(load.load),
        InferenceWorkerEvent::ProviderFellBack { load, .. }
        | InferenceWorkerEvent::ModelDegraded { load, .. }
        | InferenceWorkerEvent::ModelRecovered { load, .. }
        | InferenceWorkerEvent::ModelUnloaded { load, .. } => Some(*load),
        InferenceWorkerEvent::InferenceWorkerStarted { .. }
        | InferenceWorkerEvent::ModelLoadFailed { .. }
        | InferenceWorkerEvent::InferenceWorkerDraining {}
        | InferenceWorkerEvent::InferenceWorkerStopped {} => None,
    }
}

impl ReadModel for ModelLoads {
    const NAME: &'static str = "model_loads";
    const VERSION: u32 = 1;
    const CATEGORY: &'static str = InferenceWorkerEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, ModelLoadId);
    type Row = ModelLoadRow;
    type Fact = (InferenceWorkerId, InferenceWorkerEvent);

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, Self::Fact)>, FoldError> {
        let worker = InferenceWorkerId(stream_uuid(event)?);
        let fact = read_payload::<InferenceWorkerEvent, InferenceWorkerEvent>(event)?;
        Ok(load_of(&fact).map(|load| ((event.stream.tenant, load), (worker, fact))))
    }

    fn fold(current: Option<&ModelLoadRow>, (worker, fact): Self::Fact, event: &RecordedEvent) -> Folded<ModelLoadRow> {
        let mut row = match (current, &fact) {
            // Another worker has it: a row is of one stream alone.
            (Some(current), _) if current.worker != worker => return Folded::Nothing,
            (Some(current), _) => ModelLoadRow { provenance: current.provenance.updated_by(event), ..current.clone() },
            (None, InferenceWorkerEvent::ModelLoaded(load)) => ModelLoadRow {
                worker,
                load: (**load).clone(),
                fell_back: None,
                degraded: None,
                unloaded: None,
                provenance: Provenance::created_by(event),
            },
            (None, _) => return Folded::Nothing,
        };
        match fact {
            InferenceWorkerEvent::ProviderFellBack { reason, .. } => row.fell_back = Some(shorten(reason)),
            InferenceWorkerEvent::ModelDegraded { rows_max, reason, .. } => {
                row.load.rows_max = rows_max;
                row.degraded = Some(shorten(reason));
            }
            InferenceWorkerEvent::ModelRecovered { rows_max, .. } => {
                row.load.rows_max = rows_max;
                row.degraded = None;
            }
            InferenceWorkerEvent::ModelUnloaded { reason, .. } => row.unloaded = Some(shorten(reason)),
            _ => {}
        }
        Folded::Version(row)
    }

    fn from(row: &ModelLoadRow) -> Position {
        row.provenance.updated_position
    }

    fn key<'a>((tenant, id): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), (&id.0).into()]);
    }

    fn values<'a>(row: &'a ModelLoadRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        values.extend([
            (&row.worker.0).into(),
            row.load.model.as_str().into(),
            Value::json(&row.load)?,
            row.fell_back.as_ref().into(),
            row.degraded.as_ref().into(),
            row.unloaded.as_ref().into(),
            row.unloaded.is_none().into(),
        ]);
        values.extend(row.provenance.values());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<ModelLoadRow, StorageError> {
        read_row(cells)
    }
}

/// One load as it was at `as_of`.
pub(super) fn one(named: &Named, tenant: TenantId, id: ModelLoadId, as_of: AsOf) -> Query {
    named.one(tenant, id.0.into(), as_of)
}

/// Loads as they were at `as_of`, newest first.
pub(super) fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page, filter: &ModelLoadFilter) -> Query {
    let mut conditions: Vec<(&'static str, Value<'static>)> = Vec::new();
    if let Some(model) = &filter.model {
        conditions.push(("newest.model = ?", model.as_str().to_owned().into()));
    }
    if let Some(worker) = filter.worker {
        conditions.push(("newest.worker = ?", worker.0.into()));
    }
    if let Some(in_memory) = filter.in_memory {
        conditions.push(("version.in_memory = ?", in_memory.into()));
    }
    let index = match (&filter.model, filter.worker) {
        (Some(_), _) => "model_loads_model",
        (None, Some(_)) => "model_loads_worker",
        (None, None) => "model_loads_created",
    };
    named.page(Rows { tenant, as_of, page: *page, index, conditions })
}

/// A row from its cells.
pub(super) fn read_row(cells: &mut Cells<'_>) -> Result<ModelLoadRow, StorageError> {
    let _: uuid::Uuid = cells.take()?;
    let from = cells.take()?;
    let worker = InferenceWorkerId(cells.take()?);
    let _: String = cells.take()?;
    let (load, fell_back, degraded, unloaded) = (cells.take_json()?, cells.take()?, cells.take()?, cells.take()?);
    let _: bool = cells.take()?;
    Ok(ModelLoadRow { worker, load, fell_back, degraded, unloaded, provenance: Provenance::take(cells, from)? })
}
