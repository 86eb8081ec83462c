//! Who could do what at a moment, and why: the answer that an access review needs.
//!
//! All of it follows from the rows of that moment, so the same question about the same moment always has the same answer.

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use timeloom_domain::access::{Permission as DomainPermission, Permissions};
use timeloom_domain::ids::AccountId;
use timeloom_projections::{AccountFilter, AccountRow, ApiKeyFilter, Cursor, PAGE_ROWS_MAX, Page, Side};
use timeloom_store::Position;

use super::account::{Account, RoleGrant, may_do, only};
use super::api_key::ApiKey;
use super::tenant;
use super::then::Then;
use super::words::{Permission, listed};
use crate::schema::batch::Loads;
use crate::schema::paging::{Pages, Paging, pages};
use crate::schema::reading::{rows, state};
use crate::state::ApiState;

/// Most pages of accounts that are looked through for one page of a review.
const PAGES_MAX: usize = 50;

/// Why an account could do nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum KeptOut {
    /// It was disabled.
    Disabled,
    /// It has no role.
    NoRole,
    /// It is an agent's, and whom it acts for could do nothing of what its roles give.
    Principal,
    /// Nobody of its tenant was let in.
    TenantSuspended,
}

/// A key that let in, and what it could be used for.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ReviewedKey {
    /// The key.
    pub api_key: ApiKey,
    /// What it could do: its scopes, as far as its account could.
    pub permissions: Vec<Permission>,
}

/// What one account could do at a moment, and why.
#[derive(Debug, Clone)]
pub(crate) struct AccessReviewEntry {
    row: AccountRow,
    principal: Option<AccountRow>,
    permissions: Permissions,
    /// What was asked about.
    asked: Option<DomainPermission>,
    is_suspended: bool,
    then: Then,
}

#[Object]
impl AccessReviewEntry {
    /// The account, as it was.
    async fn account(&self) -> Account {
        Account { row: self.row.clone(), then: self.then }
    }

    /// What it could do.
    async fn permissions(&self) -> Vec<Permission> {
        listed(self.permissions)
    }

    /// Because of what: the roles that it had, each with who gave it when and why; where the review is about one permission,
    /// only those that give it.
    async fn grants(&self) -> Vec<RoleGrant> {
        let gives = |grant: &&timeloom_projections::RoleGrant| {
            self.asked.is_none_or(|asked| grant.role.permissions().has(asked))
        };
        self.row.roles.iter().filter(gives).map(RoleGrant::from).collect()
    }

    /// For whom an agent acts: it could do no more than they.
    async fn limited_by(&self) -> Option<Account> {
        self.principal.clone().map(|row| Account { row, then: self.then })
    }

    /// Why it could do nothing; absent when it could do something.
    async fn kept_out(&self) -> Option<KeptOut> {
        match () {
            () if self.is_suspended => Some(KeptOut::TenantSuspended),
            () if !self.permissions.is_empty() => None,
            () if self.row.disabled => Some(KeptOut::Disabled),
            () if self.row.permissions().is_empty() => Some(KeptOut::NoRole),
            () => Some(KeptOut::Principal),
        }
    }

    /// Its keys that let in, neither revoked nor expired, newest first; where the review is about one permission, only those
    /// that could be used for it.
    #[graphql(complexity = "10 * child_complexity + 10")]
    async fn keys(&self, context: &Context<'_>) -> Result<Vec<ReviewedKey>> {
        let state = state(context)?;
        let filter = ApiKeyFilter { account: Some(self.row.id), lets_in: Some((true, self.then.now_ms)) };
        let page = Page::first(PAGE_ROWS_MAX);
        let found = Loads::of(context).access.key_page(state, self.then.as_of, page, filter).await?;
        let reviewed = found.rows.into_iter().map(|row| {
            let permissions = row.permissions(self.permissions);
            (permissions, ApiKey { row, then: self.then })
        });
        let counts = |permissions: Permissions| match self.asked {
            Some(asked) => permissions.has(asked),
            None => true,
        };
        Ok(reviewed
            .filter(|(permissions, _)| counts(*permissions))
            .map(|(permissions, api_key)| ReviewedKey { api_key, permissions: listed(permissions) })
            .collect())
    }
}

/// What a review is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Review {
    /// Only who could do this.
    pub permission: Option<DomainPermission>,
    /// Only this account.
    pub account: Option<AccountId>,
    pub then: Then,
}

impl Review {
    /// Reads one page, newest accounts first.
    pub(crate) async fn read(&self, state: &ApiState, paging: &Paging) -> Result<Pages<AccessReviewEntry>> {
        let window = paging.window()?;
        let is_suspended = !tenant::lets_in(state, state.tenant(), self.then.as_of).await?;
        if let Some(id) = self.account {
            let found = rows(state.read_models().accounts_by_id(state.tenant(), &[id], self.then.as_of).await)?;
            let entries = self.entries(state, found, is_suspended).await?;
            return Ok(only(entries.into_iter().next().map(|entry| (place(&entry), entry))));
        }
        let mut page = Page { size: PAGE_ROWS_MAX, ..Page::from(window) };
        let mut found: Vec<AccessReviewEntry> = Vec::new();
        let mut has_more = false;
        for looked in 0.. {
            let accounts = state.read_models().accounts(state.tenant(), self.then.as_of, &page, self.candidates());
            let mut accounts = rows(accounts.await)?;
            let goes_on = match page.side {
                Side::First => accounts.end_cursor.filter(|_| accounts.has_next && page.before.is_none()),
                Side::Last => {
                    let first = accounts.rows.first().map(|row| Cursor(row.provenance.created_position));
                    let goes_on = first.filter(|_| accounts.has_previous && page.after.is_none());
                    accounts.rows.reverse();
                    goes_on
                }
            };
            found.extend(self.entries(state, accounts.rows, is_suspended).await?);
            has_more = found.len() > window.size;
            let Some(cursor) = goes_on.filter(|_| !has_more) else { break };
            if looked == PAGES_MAX {
                has_more = true;
                break;
            }
            match page.side {
                Side::First => page.after = Some(cursor),
                Side::Last => page.before = Some(cursor),
            }
        }
        found.truncate(window.size);
        let (has_previous, has_next) = match window.side {
            Side::First => (window.after.is_some(), has_more || window.before.is_some()),
            Side::Last => {
                found.reverse();
                (has_more || window.after.is_some(), window.before.is_some())
            }
        };
        Ok(pages(has_previous, has_next, found.into_iter().map(|entry| (place(&entry), entry))))
    }

    /// Which accounts are looked at: who could do something was not disabled.
    fn candidates(&self) -> AccountFilter {
        AccountFilter { disabled: self.permission.map(|_| false), ..AccountFilter::default() }
    }

    /// What these accounts could do, without those that are not meant.
    async fn entries(
        &self,
        state: &ApiState,
        accounts: Vec<AccountRow>,
        is_suspended: bool,
    ) -> Result<Vec<AccessReviewEntry>> {
        let principals: Vec<AccountId> = accounts.iter().filter_map(|row| row.on_behalf_of).collect();
        let found = state.read_models().accounts_by_id(state.tenant(), &principals, self.then.as_of);
        let principals = rows(found.await)?;
        let entry = |row: AccountRow| {
            let principal = principals.iter().find(|known| Some(known.id) == row.on_behalf_of).cloned();
            let permissions = match is_suspended {
                true => Permissions::NONE,
                false => may_do(state.tenant(), &row, principal.as_ref()),
            };
            AccessReviewEntry { row, principal, permissions, asked: self.permission, is_suspended, then: self.then }
        };
        let is_meant = |entry: &AccessReviewEntry| self.permission.is_none_or(|asked| entry.permissions.has(asked));
        Ok(accounts.into_iter().map(entry).filter(is_meant).collect())
    }
}

fn place(entry: &AccessReviewEntry) -> u64 {
    let Position(position) = entry.row.provenance.created_position;
    position
}
