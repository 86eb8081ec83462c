//! Who has access: accounts, keys, sessions and tenants as the rows have them, reviews of who could do what, and the
//! changes to them.
//!
//! Everybody sees themselves; who looks at others needs a permission, and leaves an event. Never answers a secret but the
//! one that a change has just made.

mod account;
mod api_key;
mod audit;
mod changes;
mod guard;
mod inputs;
mod loads;
mod review;
mod session;
mod tenant;
mod then;
mod viewer;
mod words;

use async_graphql::{Context, Object, Result};
use timeloom_domain::access::Permission as DomainPermission;
use timeloom_domain::account::AccountEvent;
use timeloom_domain::ids::{AccountId, TenantId};
use timeloom_projections::{AccountFilter, AsOf as RowsAsOf};
use uuid::Uuid;

pub(crate) use self::account::Account;
use self::account::{KeyList, SessionList};
pub(crate) use self::api_key::ApiKey;
pub(crate) use self::audit::{WrittenDown, look, look_at_events, look_at_stream};
pub use self::changes::AccessMutation;
pub(crate) use self::changes::because;
pub(crate) use self::guard::is_own;
pub(crate) use self::loads::AccessLoads;
use self::review::{AccessReviewEntry, Review};
pub(crate) use self::session::Session;
pub(crate) use self::tenant::Tenant;
pub(crate) use self::then::Then;
use self::viewer::Viewer;
use self::words::{AccountKind, Permission, Role};
use super::batch::Loads;
use super::paging::{Pages, Paging, page_cost};
use super::permitted::check;
use super::reading::{Moment, rows, state};
use super::rows::{page, row_pages};
use super::scalars::{AsOf, PositionScalar};
use crate::state::ApiState;

/// A tenant, if whoever asks may see it: everybody their own, and who may make tenants all.
pub(crate) async fn seen_tenant(state: &ApiState, number: TenantId, as_of: RowsAsOf) -> Result<Option<Tenant>> {
    let may_see_others = state.tenant() == TenantId(0) && state.require(DomainPermission::TenantWrite).is_ok();
    if number == state.tenant() {
        let found = tenant::tenant(state, number, as_of).await?;
        return Ok(Some(found.unwrap_or_else(|| Tenant::unwritten(number))));
    }
    if may_see_others { tenant::tenant(state, number, as_of).await } else { Ok(None) }
}

/// The reads of who has access.
#[derive(Debug, Default)]
pub struct AccessQuery;

#[Object]
impl AccessQuery {
    /// Whoever asks: who they are, and what they may do.
    #[graphql(complexity = "child_complexity + 1")]
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn viewer(&self, context: &Context<'_>) -> Result<Viewer> {
        Ok(Viewer(state(context)?.principal().clone()))
    }

    /// An account; null when there is none. Everybody sees their own; that of another needs `account:read`.
    #[graphql(complexity = "child_complexity + 1")]
    async fn account(
        &self,
        context: &Context<'_>,
        id: Uuid,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<Account>> {
        let (state, account) = (state(context)?, AccountId(id));
        let moment = Moment::new(as_of, wait_for).of_stream::<AccountEvent>(state, id);
        if !is_own(state, account) {
            check(state, DomainPermission::AccountRead)?;
            look(context, state, "account", Some(id.to_string())).await?;
        }
        let then = Then::of(moment, state).await?;
        let row = Loads::of(context).access.account(state, account, then.as_of).await?;
        Ok(row.map(|row| Account { row, then }))
    }

    /// Accounts, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    pub(crate) async fn accounts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only those of this kind.")] kind: Option<AccountKind>,
        #[graphql(desc = "Only those that have this role.")] role: Option<Role>,
        #[graphql(desc = "Only those that let nobody in, or only those that do.")] disabled: Option<bool>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<Account>> {
        let state = state(context)?;
        check(state, DomainPermission::AccountRead)?;
        let page = page(&Paging::new(first, after, last, before))?;
        look(context, state, "accounts", None).await?;
        let then = Then::of(Moment::new(as_of, wait_for), state).await?;
        let filter = AccountFilter { kind: kind.map(Into::into), role: role.map(Into::into), disabled };
        let found = rows(state.read_models().accounts(state.tenant(), then.as_of, &page, filter).await)?;
        Ok(row_pages(found, |row| (row.provenance.created_position, Account { row, then })))
    }

    /// Keys of accounts, newest first. What lets in is never answered.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn api_keys(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only those of this account; those of others need `account:read`.")] account: Option<Uuid>,
        #[graphql(desc = "Only those that let in, or only those that do no more.")] active: Option<bool>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<ApiKey>> {
        let (state, account) = (state(context)?, account.map(AccountId));
        look_at_others(context, state, "keys", account).await?;
        let then = Then::of(Moment::new(as_of, wait_for), state).await?;
        KeyList { account, active, then }.read(context, state, &Paging::new(first, after, last, before)).await
    }

    /// Sessions, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn sessions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only those of this account; those of others need `account:read`.")] account: Option<Uuid>,
        #[graphql(desc = "Only those that let in, or only those that do no more.")] active: Option<bool>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<Session>> {
        let (state, account) = (state(context)?, account.map(AccountId));
        look_at_others(context, state, "sessions", account).await?;
        let then = Then::of(Moment::new(as_of, wait_for), state).await?;
        SessionList { account, active, then }.read(context, state, &Paging::new(first, after, last, before)).await
    }

    /// A tenant; null when there is none, or whoever asks may not see it. Everybody sees their own.
    #[graphql(complexity = "child_complexity + 1")]
    async fn tenant(
        &self,
        context: &Context<'_>,
        number: u32,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<Tenant>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        seen_tenant(state, TenantId(number), as_of).await
    }

    /// Tenants, newest first: for who may make them.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn tenants(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<Tenant>> {
        let state = state(context)?;
        check(state, DomainPermission::TenantWrite)?;
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        tenant::tenants(state, &Paging::new(first, after, last, before), as_of).await
    }

    /// Who could do what at a moment, and why. Newest accounts first; needs `audit:read`.
    #[graphql(complexity = "page_cost(first, last, child_complexity) + 50")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn access_review(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only who could do this; absent = everybody, also who could do nothing.")] permission: Option<
            Permission,
        >,
        #[graphql(desc = "Only this account.")] account: Option<Uuid>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<AccessReviewEntry>> {
        let state = state(context)?;
        check(state, DomainPermission::AuditRead)?;
        let permission = permission.map(DomainPermission::from);
        let paging = Paging::new(first, after, last, before);
        paging.window()?;
        let about = permission.map(|permission| permission.to_string()).into_iter();
        let about: Vec<String> = about.chain(account.map(|account| account.to_string())).collect();
        look(context, state, "access review", (!about.is_empty()).then(|| about.join(", "))).await?;
        let then = Then::of(Moment::new(as_of, wait_for), state).await?;
        Review { permission, account: account.map(AccountId), then }.read(state, &paging).await
    }
}

/// Refuses who may not look at others, and writes down that they do.
async fn look_at_others(
    context: &Context<'_>,
    state: &ApiState,
    what: &'static str,
    account: Option<AccountId>,
) -> Result<()> {
    if account.is_some_and(|account| is_own(state, account)) {
        return Ok(());
    }
    check(state, DomainPermission::AccountRead)?;
    look(context, state, what, account.map(|account| account.to_string())).await
}
