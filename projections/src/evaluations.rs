//! Evaluations: what was tried on what, and what came of it.

use timeloom_domain::evaluation::{Evaluation, EvaluationCases, EvaluationEvent, EvaluationStatus, EvaluationSubject};
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::ids::{Slug, TenantId};
use timeloom_store::{Position, RecordedEvent};
use uuid::Uuid;

use crate::database::{Cells, Index, Named, Query, Rows, StorageError, Table, Value, blob, text};
use crate::error::{FoldError, ProjectionError};
use crate::page::{AsOf, Page, PageOf};
use crate::payload::{read_payload, stream_uuid};
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};
use crate::read_models::ReadModels;

/// One evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationRow {
    /// Its id.
    pub id: Uuid,
    /// What its events come to, by the aggregate's own fold.
    pub evaluation: Evaluation,
    /// Which events made it.
    pub provenance: Provenance,
}

/// Which evaluations to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct EvaluationFilter {
    /// Only those of a version of this model.
    pub model: Option<Slug>,
    /// Only those of a version of this set.
    pub set: Option<Slug>,
    /// Only those that are so far.
    pub status: Option<EvaluationStatus>,
}

/// The read model.
pub(crate) struct Evaluations;

static TABLE: Table = Table {
    name: "evaluations",
    key: &[blob("id")],
    classed: false,
    columns: &[
        text("evaluation"),
        // For questions.
        text("model").optional(),
        text("evaluation_set").optional(),
        text("status"),
        Provenance::COLUMNS[0],
        Provenance::COLUMNS[1],
        Provenance::COLUMNS[2],
        Provenance::COLUMNS[3],
    ],
    indexes: &[
        Index { name: "evaluations_created", columns: &["created_position"], closed: false },
        Index { name: "evaluations_model", columns: &["model", "created_position"], closed: false },
        Index { name: "evaluations_set", columns: &["evaluation_set", "created_position"], closed: false },
    ],
    kept: None,
};

impl EvaluationRow {
    /// The model of which a version is tried.
    fn model(&self) -> Option<&str> {
        match &self.evaluation.request.as_ref()?.subject {
            EvaluationSubject::ModelVersion { model, .. } => Some(model.as_str()),
            EvaluationSubject::WorkflowVersion { .. } | EvaluationSubject::AgentVersion { .. } => None,
        }
    }

    /// The set on whose cases something is tried.
    fn set(&self) -> Option<&str> {
        match &self.evaluation.request.as_ref()?.cases {
            EvaluationCases::Set { set, .. } => Some(set.as_str()),
            EvaluationCases::Inferences(_) => None,
        }
    }
}

impl ReadModel for Evaluations {
    const NAME: &'static str = "evaluations";
    const VERSION: u32 = 2;
    const CATEGORY: &'static str = EvaluationEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, Uuid);
    type Row = EvaluationRow;
    type Fact = (Uuid, EvaluationEvent);

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, Self::Fact)>, FoldError> {
        let id = stream_uuid(event)?;
        let fact = read_payload::<EvaluationEvent, EvaluationEvent>(event)?;
        Ok(Some(((event.stream.tenant, id), (id, fact))))
    }

    fn fold(current: Option<&EvaluationRow>, (id, fact): Self::Fact, event: &RecordedEvent) -> Folded<EvaluationRow> {
        let mut row = match (current, &fact) {
            (Some(current), _) => EvaluationRow { provenance: current.provenance.updated_by(event), ..current.clone() },
            (None, EvaluationEvent::EvaluationRequested(_)) => {
                EvaluationRow { id, evaluation: Evaluation::default(), provenance: Provenance::created_by(event) }
            }
            (None, _) => return Folded::Nothing,
        };
        row.evaluation.apply(&fact);
        Folded::Version(row)
    }

    fn from(row: &EvaluationRow) -> Position {
        row.provenance.updated_position
    }

    fn key<'a>((tenant, id): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), id.into()]);
    }

    fn values<'a>(row: &'a EvaluationRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        values.extend([Value::json(&row.evaluation)?, row.model().into(), row.set().into()]);
        values.push(row.evaluation.status.name().into());
        values.extend(row.provenance.values());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<EvaluationRow, StorageError> {
        read_row(cells)
    }
}

/// Evaluations as they were at `as_of`, newest first.
fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page, filter: &EvaluationFilter) -> Query {
    let mut conditions: Vec<(&'static str, Value<'static>)> = Vec::new();
    if let Some(status) = filter.status {
        conditions.push(("version.status = ?", status.name().to_owned().into()));
    }
    if let Some(model) = &filter.model {
        conditions.push(("newest.model = ?", model.as_str().to_owned().into()));
    }
    if let Some(set) = &filter.set {
        conditions.push(("newest.evaluation_set = ?", set.as_str().to_owned().into()));
    }
    let index = match (&filter.model, &filter.set) {
        (Some(_), _) => "evaluations_model",
        (None, Some(_)) => "evaluations_set",
        (None, None) => "evaluations_created",
    };
    named.page(Rows { tenant, as_of, page: *page, index, conditions })
}

/// A row from its cells.
fn read_row(cells: &mut Cells<'_>) -> Result<EvaluationRow, StorageError> {
    let id = cells.take()?;
    let from = cells.take()?;
    let evaluation = cells.take_json()?;
    let (_, _, _): (Option<String>, Option<String>, String) = (cells.take()?, cells.take()?, cells.take()?);
    Ok(EvaluationRow { id, evaluation, provenance: Provenance::take(cells, from)? })
}

/// The questions.
impl ReadModels {
    /// One evaluation.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn evaluation(
        &self,
        tenant: TenantId,
        id: Uuid,
        as_of: AsOf,
    ) -> Result<Option<EvaluationRow>, ProjectionError> {
        let question = |named: &Named| named.one(tenant, id.into(), as_of);
        Ok(self.ask(&Evaluations, as_of, question, read_row).await?.pop())
    }

    /// Evaluations, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn evaluations(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        asked: &Page,
        filter: &EvaluationFilter,
    ) -> Result<PageOf<EvaluationRow>, ProjectionError> {
        let question = |named: &Named| page(named, tenant, as_of, asked, filter);
        let found = self.ask(&Evaluations, as_of, question, read_row).await?;
        Ok(PageOf::cut(found, asked, |row| row.provenance.created_position))
    }
}
