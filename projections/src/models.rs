//! Models: their versions and which one answers requests.

use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::ids::{Slug, TenantId};
use timeloom_domain::model::{Model, ModelEvent};
use timeloom_store::{Position, RecordedEvent};

use crate::database::{Cells, Index, Named, Query, Rows, StorageError, Table, Value, damaged, text};
use crate::error::FoldError;
use crate::page::{AsOf, Page};
use crate::payload::{read_payload, shorten, stream_name};
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};

/// One model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRow {
    /// Its name.
    pub name: Slug,
    /// What its events come to, by the aggregate's own fold.
    pub model: Model,
    /// Why it was disabled, while it is.
    pub disabled_reason: Option<String>,
    /// Which events made it.
    pub provenance: Provenance,
}

/// The read model.
pub(crate) struct Models;

static TABLE: Table = Table {
    name: "models",
    key: &[text("name")],
    classed: false,
    columns: &[
        text("model"),
        text("disabled_reason").optional(),
        Provenance::COLUMNS[0],
        Provenance::COLUMNS[1],
        Provenance::COLUMNS[2],
        Provenance::COLUMNS[3],
    ],
    indexes: &[Index { name: "models_created", columns: &["created_position"], closed: false }],
    kept: None,
};

impl ReadModel for Models {
    const NAME: &'static str = "models";
    const VERSION: u32 = 3;
    const CATEGORY: &'static str = ModelEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, Slug);
    type Row = ModelRow;
    type Fact = ModelEvent;

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, ModelEvent)>, FoldError> {
        let key = (event.stream.tenant, stream_name(event)?);
        Ok(Some((key, read_payload::<ModelEvent, ModelEvent>(event)?)))
    }

    fn fold(current: Option<&ModelRow>, fact: ModelEvent, event: &RecordedEvent) -> Folded<ModelRow> {
        let mut row = match (current, &fact) {
            (Some(current), _) => ModelRow { provenance: current.provenance.updated_by(event), ..current.clone() },
            (None, ModelEvent::ModelRegistered { name, .. }) => ModelRow {
                name: name.clone(),
                model: Model::default(),
                disabled_reason: None,
                provenance: Provenance::created_by(event),
            },
            (None, _) => return Folded::Nothing,
        };
        row.model.apply(&fact);
        match fact {
            ModelEvent::ModelEnabled {} => row.disabled_reason = None,
            ModelEvent::ModelDisabled { reason } => row.disabled_reason = Some(shorten(reason)),
            _ => {}
        }
        Folded::Version(row)
    }

    fn from(row: &ModelRow) -> Position {
        row.provenance.updated_position
    }

    fn key<'a>((tenant, name): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), name.as_str().into()]);
    }

    fn values<'a>(row: &'a ModelRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        values.extend([Value::json(&row.model)?, row.disabled_reason.as_ref().into()]);
        values.extend(row.provenance.values());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<ModelRow, StorageError> {
        read_row(cells)
    }
}

/// One model as it was at `as_of`.
pub(crate) fn one(named: &Named, tenant: TenantId, name: &Slug, as_of: AsOf) -> Query {
    named.one(tenant, name.as_str().to_owned().into(), as_of)
}

/// Models as they were at `as_of`, newest first.
pub(crate) fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page) -> Query {
    named.page(Rows { tenant, as_of, page: *page, index: "models_created", conditions: Vec::new() })
}

/// A row from its cells.
pub(crate) fn read_row(cells: &mut Cells<'_>) -> Result<ModelRow, StorageError> {
    let name = Slug::try_new(cells.take::<String>()?).map_err(damaged)?;
    let from = cells.take()?;
    Ok(ModelRow {
        name,
        model: cells.take_json()?,
        disabled_reason: cells.take()?,
        provenance: Provenance::take(cells, from)?,
    })
}
