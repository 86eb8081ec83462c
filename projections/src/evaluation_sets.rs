//! Sets of cases, without the cases: they are in the events of their versions.

use timeloom_domain::evaluation_set::{EvaluationSet, EvaluationSetEvent};
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::ids::{Slug, TenantId};
use timeloom_store::{Position, RecordedEvent};

use crate::database::{Cells, Index, Named, Rows, StorageError, Table, Value, damaged, text};
use crate::error::{FoldError, ProjectionError};
use crate::page::{AsOf, Page, PageOf};
use crate::payload::{read_payload, stream_name};
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};
use crate::read_models::ReadModels;

/// One set of cases.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationSetRow {
    /// Its name.
    pub name: Slug,
    /// What its events come to, by the aggregate's own fold.
    pub set: EvaluationSet,
    /// Which events made it.
    pub provenance: Provenance,
}

/// The read model.
pub(crate) struct EvaluationSets;

static TABLE: Table = Table {
    name: "evaluation_sets",
    key: &[text("name")],
    classed: false,
    columns: &[
        text("evaluation_set"),
        Provenance::COLUMNS[0],
        Provenance::COLUMNS[1],
        Provenance::COLUMNS[2],
        Provenance::COLUMNS[3],
    ],
    indexes: &[Index { name: "evaluation_sets_created", columns: &["created_position"], closed: false }],
    kept: None,
};

impl ReadModel for EvaluationSets {
    const NAME: &'static str = "evaluation_sets";
    const VERSION: u32 = 1;
    const CATEGORY: &'static str = EvaluationSetEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, Slug);
    type Row = EvaluationSetRow;
    type Fact = EvaluationSetEvent;

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, EvaluationSetEvent)>, FoldError> {
        let key = (event.stream.tenant, stream_name(event)?);
        Ok(Some((key, read_payload::<EvaluationSetEvent, EvaluationSetEvent>(event)?)))
    }

    fn fold(
        current: Option<&EvaluationSetRow>,
        fact: EvaluationSetEvent,
        event: &RecordedEvent,
    ) -> Folded<EvaluationSetRow> {
        let mut row = match (current, &fact) {
            (Some(current), _) => {
                EvaluationSetRow { provenance: current.provenance.updated_by(event), ..current.clone() }
            }
            (None, EvaluationSetEvent::EvaluationSetCreated { name, .. }) => EvaluationSetRow {
                name: name.clone(),
                set: EvaluationSet::default(),
                provenance: Provenance::created_by(event),
            },
            (None, _) => return Folded::Nothing,
        };
        row.set.apply(&fact);
        Folded::Version(row)
    }

    fn from(row: &EvaluationSetRow) -> Position {
        row.provenance.updated_position
    }

    fn key<'a>((tenant, name): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), name.as_str().into()]);
    }

    fn values<'a>(row: &'a EvaluationSetRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        values.push(Value::json(&row.set)?);
        values.extend(row.provenance.values());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<EvaluationSetRow, StorageError> {
        read_row(cells)
    }
}

/// A row from its cells.
fn read_row(cells: &mut Cells<'_>) -> Result<EvaluationSetRow, StorageError> {
    let name = Slug::try_new(cells.take::<String>()?).map_err(damaged)?;
    let from = cells.take()?;
    Ok(EvaluationSetRow { name, set: cells.take_json()?, provenance: Provenance::take(cells, from)? })
}

/// The questions.
impl ReadModels {
    /// One set of cases.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn evaluation_set(
        &self,
        tenant: TenantId,
        name: &Slug,
        as_of: AsOf,
    ) -> Result<Option<EvaluationSetRow>, ProjectionError> {
        let question = |named: &Named| named.one(tenant, name.as_str().to_owned().into(), as_of);
        Ok(self.ask(&EvaluationSets, as_of, question, read_row).await?.pop())
    }

    /// Sets of cases, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn evaluation_sets(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
    ) -> Result<PageOf<EvaluationSetRow>, ProjectionError> {
        let question = |named: &Named| {
            let index = "evaluation_sets_created";
            named.page(Rows { tenant, as_of, page: *page, index, conditions: Vec::new() })
        };
        let found = self.ask(&EvaluationSets, as_of, question, read_row).await?;
        Ok(PageOf::cut(found, page, |row| row.provenance.created_position))
    }
}
