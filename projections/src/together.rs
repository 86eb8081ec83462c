//! The questions that read models answer many of at once: a list whose entries each ask for more takes one statement for
//! all of them, not one for each.

use std::cmp::Reverse;

use timeloom_domain::ids::{CredentialId, ExecutionId, Slug, TenantId, WorkflowId};
use timeloom_store::Position;

use crate::credentials::{self, CredentialRow, Credentials};
use crate::error::ProjectionError;
use crate::executions::{self, ExecutionFilter, ExecutionRow, Executions};
use crate::models::{self, ModelRow, Models};
use crate::node_runs::{self, NodeRunRange, NodeRunRow, NodeRuns};
use crate::page::{AsOf, Page, PageOf, Side};
use crate::read_models::ReadModels;
use crate::workflows::{self, WorkflowRow, Workflows};

/// The questions.
impl ReadModels {
    /// The workflows with these ids, in their order; those that are not there are left out.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn workflows_by_id(
        &self,
        tenant: TenantId,
        ids: &[WorkflowId],
        as_of: AsOf,
    ) -> Result<Vec<WorkflowRow>, ProjectionError> {
        let one = |named: &_, id: &WorkflowId| workflows::one(named, tenant, *id, as_of);
        let found = self.ask_all(&Workflows, as_of, ids, one, workflows::read_row).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The same of executions.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn executions_by_id(
        &self,
        tenant: TenantId,
        ids: &[ExecutionId],
        as_of: AsOf,
    ) -> Result<Vec<ExecutionRow>, ProjectionError> {
        let one = |named: &_, id: &ExecutionId| executions::one(named, tenant, *id, as_of);
        let found = self.ask_all(&Executions, as_of, ids, one, executions::read_row).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The same of credentials, deleted ones too.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn credentials_by_id(
        &self,
        tenant: TenantId,
        ids: &[CredentialId],
        as_of: AsOf,
    ) -> Result<Vec<CredentialRow>, ProjectionError> {
        let one = |named: &_, id: &CredentialId| credentials::one(named, tenant, *id, as_of);
        let found = self.ask_all(&Credentials, as_of, ids, one, credentials::read_row).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The models with these names, in their order; those that are not there are left out.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn models_by_name(
        &self,
        tenant: TenantId,
        names: &[Slug],
        as_of: AsOf,
    ) -> Result<Vec<ModelRow>, ProjectionError> {
        let one = |named: &_, name: &Slug| models::one(named, tenant, name, as_of);
        let found = self.ask_all(&Models, as_of, names, one, models::read_row).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Many pages of executions, such as one of each workflow.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn execution_pages(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        pages: &[(Page, ExecutionFilter)],
    ) -> Result<Vec<PageOf<ExecutionRow>>, ProjectionError> {
        let question =
            |named: &_, (page, filter): &(Page, ExecutionFilter)| executions::page(named, tenant, as_of, page, filter);
        let found = self.ask_all(&Executions, as_of, pages, question, executions::read_row).await?;
        Ok(cut_each(found, pages.iter().map(|(page, _)| page), |row| row.created_position))
    }

    /// The node runs of many executions, each in a range; those from the end in the other order.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn node_runs_of_each(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        ranges: &[(ExecutionId, NodeRunRange)],
    ) -> Result<Vec<Vec<NodeRunRow>>, ProjectionError> {
        let question = |named: &_, (id, range): &(ExecutionId, NodeRunRange)| {
            node_runs::of_execution(named, tenant, *id, as_of, *range)
        };
        let mut found = self.ask_all(&NodeRuns, as_of, ranges, question, node_runs::read_row).await?;
        for (runs, (_, range)) in found.iter_mut().zip(ranges) {
            match range.side {
                Side::First => runs.sort_by_key(|run| run.execution_index),
                Side::Last => runs.sort_by_key(|run| Reverse(run.execution_index)),
            }
        }
        Ok(found)
    }
}

/// Pages that one statement found: of many statements in one, the order of each answer is not promised.
pub(crate) fn cut_each<'a, Row>(
    found: Vec<Vec<Row>>,
    pages: impl Iterator<Item = &'a Page>,
    position: impl Fn(&Row) -> Position,
) -> Vec<PageOf<Row>> {
    let cut = |(mut rows, page): (Vec<Row>, &Page)| {
        match page.side {
            Side::First => rows.sort_by_key(|row| Reverse(position(row))),
            Side::Last => rows.sort_by_key(|row| position(row)),
        }
        PageOf::cut(rows, page, &position)
    };
    found.into_iter().zip(pages).map(cut).collect()
}
