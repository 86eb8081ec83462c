//! The questions about calls to language models.

use timeloom_domain::ids::{ModelCallId, TenantId};

use super::call::{ModelCallFilter, ModelCallRow};
use super::spend::{self, ModelSpendRow, SpendBy, SpendFilter};
use super::table::{self, ModelCalls};
use crate::database::{Cells, Named};
use crate::error::ProjectionError;
use crate::page::{AsOf, Page, PageOf};
use crate::read_models::ReadModels;

/// The questions.
impl ReadModels {
    /// The calls with these ids, in their order; those that are not there are left out.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn model_calls_by_id(
        &self,
        tenant: TenantId,
        ids: &[ModelCallId],
        as_of: AsOf,
    ) -> Result<Vec<ModelCallRow>, ProjectionError> {
        let one = |named: &_, id: &ModelCallId| table::one(named, tenant, *id, as_of);
        let found = self.ask_all(&ModelCalls, as_of, ids, one, table::read_row).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Calls, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn model_calls(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
        filter: &ModelCallFilter,
    ) -> Result<PageOf<ModelCallRow>, ProjectionError> {
        let question = |named: &Named| table::page(named, tenant, as_of, page, filter);
        let found = self.ask(&ModelCalls, as_of, question, table::read_row).await?;
        Ok(PageOf::cut(found, page, |row| row.provenance.created_position))
    }

    /// What calls took, the highest cost first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn model_spend(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        by: SpendBy,
        filter: &SpendFilter,
    ) -> Result<Vec<ModelSpendRow>, ProjectionError> {
        let question = |named: &Named| spend::sums(named, tenant, as_of, by, filter);
        self.ask(&ModelCalls, as_of, question, move |cells: &mut Cells<'_>| spend::read(by, cells)).await
    }
}
