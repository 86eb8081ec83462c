//! The questions about who has access.

use timeloom_domain::ids::{AccountId, SessionId, TenantId};

use super::accounts::{self, AccountFilter, AccountRow, Accounts};
use super::keys::{self, ApiKeyFilter, ApiKeyRow, ApiKeys};
use super::sessions::{self, SessionFilter, SessionRow, Sessions};
use super::tenants::{self, TenantRow, Tenants};
use crate::database::Named;
use crate::error::ProjectionError;
use crate::page::{AsOf, Page, PageOf};
use crate::read_models::ReadModels;
use crate::together::cut_each;

/// The questions.
impl ReadModels {
    /// The accounts with these ids, in their order; those that are not there are left out.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn accounts_by_id(
        &self,
        tenant: TenantId,
        ids: &[AccountId],
        as_of: AsOf,
    ) -> Result<Vec<AccountRow>, ProjectionError> {
        let one = |named: &_, id: &AccountId| accounts::one(named, tenant, *id, as_of);
        let found = self.ask_all(&Accounts, as_of, ids, one, accounts::read_row).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Accounts, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn accounts(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        page: &Page,
        filter: AccountFilter,
    ) -> Result<PageOf<AccountRow>, ProjectionError> {
        let question = |named: &Named| accounts::page(named, tenant, as_of, page, filter);
        let found = self.ask(&Accounts, as_of, question, accounts::read_row).await?;
        Ok(PageOf::cut(found, page, |row| row.provenance.created_position))
    }

    /// The keys with these names, each of an account, in their order; those that are not there are left out.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn api_keys_by_id(
        &self,
        tenant: TenantId,
        ids: &[(AccountId, String)],
        as_of: AsOf,
    ) -> Result<Vec<ApiKeyRow>, ProjectionError> {
        let one = |named: &_, (account, key): &(AccountId, String)| keys::one(named, tenant, *account, key, as_of);
        let found = self.ask_all(&ApiKeys, as_of, ids, one, keys::read_row).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Many pages of keys, newest first, such as one of each account.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn api_key_pages(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        pages: &[(Page, ApiKeyFilter)],
    ) -> Result<Vec<PageOf<ApiKeyRow>>, ProjectionError> {
        let question =
            |named: &_, (page, filter): &(Page, ApiKeyFilter)| keys::page(named, tenant, as_of, page, *filter);
        let found = self.ask_all(&ApiKeys, as_of, pages, question, keys::read_row).await?;
        Ok(cut_each(found, pages.iter().map(|(page, _)| page), |row| row.provenance.created_position))
    }

    /// The sessions with these ids, in their order; those that are not there are left out.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn sessions_by_id(
        &self,
        tenant: TenantId,
        ids: &[SessionId],
        as_of: AsOf,
    ) -> Result<Vec<SessionRow>, ProjectionError> {
        let one = |named: &_, id: &SessionId| sessions::one(named, tenant, *id, as_of);
        let found = self.ask_all(&Sessions, as_of, ids, one, sessions::read_row).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Many pages of sessions, newest first, such as one of each account.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn session_pages(
        &self,
        tenant: TenantId,
        as_of: AsOf,
        pages: &[(Page, SessionFilter)],
    ) -> Result<Vec<PageOf<SessionRow>>, ProjectionError> {
        let question =
            |named: &_, (page, filter): &(Page, SessionFilter)| sessions::page(named, tenant, as_of, page, *filter);
        let found = self.ask_all(&Sessions, as_of, pages, question, sessions::read_row).await?;
        Ok(cut_each(found, pages.iter().map(|(page, _)| page), |row| row.provenance.created_position))
    }

    /// A tenant beside the first one.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn tenant_row(&self, number: TenantId, as_of: AsOf) -> Result<Option<TenantRow>, ProjectionError> {
        let found = self.ask(&Tenants, as_of, |named| tenants::one(named, number, as_of), tenants::read_row);
        Ok(found.await?.into_iter().next())
    }

    /// Tenants beside the first one, newest first.
    ///
    /// # Errors
    /// [`ProjectionError`], like every question.
    pub async fn tenants(&self, as_of: AsOf, page: &Page) -> Result<PageOf<TenantRow>, ProjectionError> {
        let found = self.ask(&Tenants, as_of, |named| tenants::page(named, as_of, page), tenants::read_row);
        Ok(PageOf::cut(found.await?, page, |row| row.provenance.created_position))
    }
}
