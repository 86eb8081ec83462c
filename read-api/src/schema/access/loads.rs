//! Loads of accounts, keys and sessions that come up at the same moment, made as one.

use std::collections::HashMap;

use async_graphql::Result;
use timeloom_domain::ids::AccountId;
use timeloom_projections::{AccountRow, ApiKeyFilter, ApiKeyRow, AsOf, Page, PageOf, SessionFilter, SessionRow};

use crate::schema::batch::{Batch, by_moment, unanswered};
use crate::schema::reading::rows;
use crate::state::ApiState;

/// The loads of one request that are about access.
#[derive(Debug, Default)]
pub(crate) struct AccessLoads {
    accounts: Batch<(AccountId, AsOf), AccountRow>,
    key_pages: Batch<(AsOf, Page, ApiKeyFilter), PageOf<ApiKeyRow>>,
    session_pages: Batch<(AsOf, Page, SessionFilter), PageOf<SessionRow>>,
}

impl AccessLoads {
    /// An account.
    pub(crate) async fn account(&self, state: &ApiState, id: AccountId, as_of: AsOf) -> Result<Option<AccountRow>> {
        let load = |keys: Vec<(AccountId, AsOf)>| async move {
            let mut found = HashMap::with_capacity(keys.len());
            for (as_of, keys) in by_moment(keys, |(_, as_of)| *as_of) {
                let ids: Vec<AccountId> = keys.iter().map(|(id, _)| *id).collect();
                let loaded = rows(state.read_models().accounts_by_id(state.tenant(), &ids, as_of).await)?;
                found.extend(loaded.into_iter().map(|row| ((row.id, as_of), row)));
            }
            Ok(found)
        };
        self.accounts.load((id, as_of), load).await
    }

    /// A page of keys.
    pub(crate) async fn key_page(
        &self,
        state: &ApiState,
        as_of: AsOf,
        page: Page,
        filter: ApiKeyFilter,
    ) -> Result<PageOf<ApiKeyRow>> {
        let load = |keys: Vec<(AsOf, Page, ApiKeyFilter)>| async move {
            let mut found = HashMap::with_capacity(keys.len());
            for (as_of, keys) in by_moment(keys, |(as_of, ..)| *as_of) {
                let pages: Vec<_> = keys.iter().map(|(_, page, filter)| (*page, *filter)).collect();
                let loaded = rows(state.read_models().api_key_pages(state.tenant(), as_of, &pages).await)?;
                found.extend(keys.into_iter().zip(loaded));
            }
            Ok(found)
        };
        self.key_pages.load((as_of, page, filter), load).await?.ok_or_else(unanswered)
    }

    /// A page of sessions.
    pub(crate) async fn session_page(
        &self,
        state: &ApiState,
        as_of: AsOf,
        page: Page,
        filter: SessionFilter,
    ) -> Result<PageOf<SessionRow>> {
        let load = |keys: Vec<(AsOf, Page, SessionFilter)>| async move {
            let mut found = HashMap::with_capacity(keys.len());
            for (as_of, keys) in by_moment(keys, |(as_of, ..)| *as_of) {
                let pages: Vec<_> = keys.iter().map(|(_, page, filter)| (*page, *filter)).collect();
                let loaded = rows(state.read_models().session_pages(state.tenant(), as_of, &pages).await)?;
                found.extend(keys.into_iter().zip(loaded));
            }
            Ok(found)
        };
        self.session_pages.load((as_of, page, filter), load).await?.ok_or_else(unanswered)
    }
}
