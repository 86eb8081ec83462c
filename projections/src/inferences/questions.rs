//! The questions about inferences and their workers.

use timeloom_domain::ids::{InferenceId, InferenceWorkerId, ModelLoadId, TenantId};
use timeloom_store::Position;

use super::inference::{InferenceFilter, InferenceRow};
use super::loads::{self, ModelLoadFilter, ModelLoadRow, ModelLoads};
use super::table::{self, Inferences};
use super::windows::{self, InferenceWindowFilter, InferenceWindowRow, InferenceWindows};
use super::workers::{self, InferenceWorkerFilter, InferenceWorkerRow, InferenceWorkers};
use crate::database::Named;
use crate::error::ProjectionError;
use crate::page::{AsOf, Page, PageOf};
use crate::read_models::ReadModels;
use crate::together::cut_each;

/// The questions.
impl ReadModels {
    /// The inferences with these ids, in their order; those that are not there are left out.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn inferences_by_id(
        &self,
        tenant: TenantId,
        ids: &[InferenceId],
        as_of: AsOf,
    ) -> Result<Vec<InferenceRow>, ProjectionError> {
        let one = |named: &_, id: &InferenceId| table::one(named, tenant, *id, as_of);
        let found = self.ask_all(&Inferences, as_of, ids, one, table::read_row).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Inferences, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn inferences(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
        filter: &InferenceFilter,
    ) -> Result<PageOf<InferenceRow>, ProjectionError> {
        let question = |named: &Named| table::page(named, tenant, as_of, page, filter);
        let found = self.ask(&Inferences, as_of, question, table::read_row).await?;
        Ok(PageOf::cut(found, page, |row| row.provenance.created_position))
    }

    /// Many pages of inferences, newest first, such as one of each execution.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn inference_pages(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        pages: &[(Page, InferenceFilter)],
    ) -> Result<Vec<PageOf<InferenceRow>>, ProjectionError> {
        let question =
            |named: &_, (page, filter): &(Page, InferenceFilter)| table::page(named, tenant, as_of, page, filter);
        let found = self.ask_all(&Inferences, as_of, pages, question, table::read_row).await?;
        Ok(cut_each(found, pages.iter().map(|(page, _)| page), |row| row.provenance.created_position))
    }

    /// The window of the event at a position.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn inference_window(
        &self,
        tenant: TenantId,
        position: Position,
        as_of: AsOf,
    ) -> Result<Option<InferenceWindowRow>, ProjectionError> {
        let question = |named: &Named| windows::one(named, tenant, position, as_of);
        Ok(self.ask(&InferenceWindows, as_of, question, windows::read_row).await?.pop())
    }

    /// Sums over inferences that were not written down one by one, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn inference_windows(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
        filter: &InferenceWindowFilter,
    ) -> Result<PageOf<InferenceWindowRow>, ProjectionError> {
        let question = |named: &Named| windows::page(named, tenant, as_of, page, filter);
        let found = self.ask(&InferenceWindows, as_of, question, windows::read_row).await?;
        Ok(PageOf::cut(found, page, |row| row.provenance.created_position))
    }

    /// The inference workers with these ids, in their order; those that are not there are left out.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn inference_workers_by_id(
        &self,
        tenant: TenantId,
        ids: &[InferenceWorkerId],
        as_of: AsOf,
    ) -> Result<Vec<InferenceWorkerRow>, ProjectionError> {
        let one = |named: &_, id: &InferenceWorkerId| workers::one(named, tenant, *id, as_of);
        let found = self.ask_all(&InferenceWorkers, as_of, ids, one, workers::read_row).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Inference workers, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn inference_workers(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
        filter: InferenceWorkerFilter,
    ) -> Result<PageOf<InferenceWorkerRow>, ProjectionError> {
        let question = |named: &Named| workers::page(named, tenant, as_of, page, filter);
        let found = self.ask(&InferenceWorkers, as_of, question, workers::read_row).await?;
        Ok(PageOf::cut(found, page, |row| row.provenance.created_position))
    }

    /// The loads with these ids, in their order; those that are not there are left out.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn model_loads_by_id(
        &self,
        tenant: TenantId,
        ids: &[ModelLoadId],
        as_of: AsOf,
    ) -> Result<Vec<ModelLoadRow>, ProjectionError> {
        let one = |named: &_, id: &ModelLoadId| loads::one(named, tenant, *id, as_of);
        let found = self.ask_all(&ModelLoads, as_of, ids, one, loads::read_row).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Many pages of loads, newest first, such as one of each model.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn model_load_pages(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        pages: &[(Page, ModelLoadFilter)],
    ) -> Result<Vec<PageOf<ModelLoadRow>>, ProjectionError> {
        let question =
            |named: &_, (page, filter): &(Page, ModelLoadFilter)| loads::page(named, tenant, as_of, page, filter);
        let found = self.ask_all(&ModelLoads, as_of, pages, question, loads::read_row).await?;
        Ok(cut_each(found, pages.iter().map(|(page, _)| page), |row| row.provenance.created_position))
    }
}
