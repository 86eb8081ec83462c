//! Accounts, and what they may do.

use async_graphql::connection::Connection;
use async_graphql::{Context, ID, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_domain::access::{Permission as DomainPermission, Permissions};
use timeloom_domain::ids::{AccountId, TenantId};
use timeloom_projections::{AccountRow, ApiKeyFilter, AsOf, By, SessionFilter};

use super::api_key::ApiKey;
use super::guard::is_own;
use super::session::Session;
use super::then::Then;
use super::words::{AccountKind, Permission, Role, listed};
use crate::schema::batch::Loads;
use crate::schema::event::Actor;
use crate::schema::history::History;
use crate::schema::paging::{Pages, Paging, page_cost};
use crate::schema::permitted::check;
use crate::schema::reading::{rows, state};
use crate::schema::rows::{page, row_pages};
use crate::schema::scalars::PositionScalar;
use crate::state::ApiState;

/// Who did something, when and why.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct DoneBy {
    /// Who.
    pub actor: Actor,
    /// For whom an agent did it.
    pub on_behalf_of: Option<Actor>,
    /// Why, in their words.
    pub reason: Option<String>,
    /// Position of the event that says so.
    pub position: PositionScalar,
    /// When it was recorded.
    pub at: DateTime<Utc>,
}

impl From<&By> for DoneBy {
    fn from(by: &By) -> Self {
        Self {
            actor: (&by.actor).into(),
            on_behalf_of: by.on_behalf_of.as_ref().map(Actor::from),
            reason: by.reason.clone(),
            position: PositionScalar(by.position),
            at: by.at,
        }
    }
}

/// A role that an account has.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct RoleGrant {
    /// The role.
    pub role: Role,
    /// What it gives.
    pub permissions: Vec<Permission>,
    /// Who gave it, when and why.
    pub granted: DoneBy,
}

impl From<&timeloom_projections::RoleGrant> for RoleGrant {
    fn from(grant: &timeloom_projections::RoleGrant) -> Self {
        let (permissions, granted) = (listed(grant.role.permissions()), (&grant.by).into());
        Self { role: grant.role.into(), permissions, granted }
    }
}

/// A name that an identity provider gives to somebody.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Identity {
    /// The provider's address.
    pub issuer: String,
    /// The name there.
    pub subject: String,
}

/// An account: of a user, a service or an agent.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub row: AccountRow,
    pub then: Then,
}

#[Object]
impl Account {
    /// Its id.
    pub(crate) async fn id(&self) -> ID {
        self.row.id.0.into()
    }

    /// Whose it is.
    async fn kind(&self) -> AccountKind {
        self.row.kind.into()
    }

    /// What it is called.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// Where its user gets mail, which is also the name to sign in with.
    async fn email(&self) -> Option<&str> {
        self.row.email.as_deref()
    }

    /// Whether it lets nobody in.
    async fn disabled(&self) -> bool {
        self.row.disabled
    }

    /// Whether a password lets in.
    async fn has_password(&self) -> bool {
        self.row.has_password
    }

    /// What it is, each role with who gave it.
    async fn roles(&self) -> Vec<RoleGrant> {
        self.row.roles.iter().map(RoleGrant::from).collect()
    }

    /// What it may do: what its roles give, nothing while it is disabled, and of an agent no more than whom it acts for may.
    #[graphql(complexity = 5)]
    async fn permissions(&self, context: &Context<'_>) -> Result<Vec<Permission>> {
        Ok(listed(permissions(context, state(context)?, &self.row, self.then.as_of).await?))
    }

    /// Under which names identity providers know its user.
    async fn identities(&self) -> Vec<Identity> {
        let view = |known: &timeloom_domain::account::Identity| Identity {
            issuer: known.issuer.clone(),
            subject: known.subject.clone(),
        };
        self.row.identities.iter().map(view).collect()
    }

    /// For whom an agent acts.
    #[graphql(complexity = "child_complexity + 5")]
    async fn on_behalf_of(&self, context: &Context<'_>) -> Result<Option<Self>> {
        let Some(id) = self.row.on_behalf_of else { return Ok(None) };
        let row = Loads::of(context).access.account(state(context)?, id, self.then.as_of).await?;
        Ok(row.map(|row| Self { row, then: self.then }))
    }

    /// Its keys, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn api_keys(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only those that let in, or only those that do no more.")] active: Option<bool>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Pages<ApiKey>> {
        let list = KeyList { account: Some(self.row.id), active, then: self.then };
        list.read(context, state(context)?, &Paging::new(first, after, last, before)).await
    }

    /// Its sessions, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn sessions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only those that let in, or only those that do no more.")] active: Option<bool>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Pages<Session>> {
        let list = SessionList { account: Some(self.row.id), active, then: self.then };
        list.read(context, state(context)?, &Paging::new(first, after, last, before)).await
    }

    /// Which events made it what it is. Those of its keys count as well.
    async fn history(&self) -> History {
        self.row.provenance.into()
    }
}

/// What an account may do: by its roles, an agent no more than whom it acts for, and what runs the installation only in the
/// tenant that does.
pub(crate) fn may_do(tenant: TenantId, row: &AccountRow, principal: Option<&AccountRow>) -> Permissions {
    let mut permissions = row.permissions();
    if row.on_behalf_of.is_some() {
        permissions = permissions.and(principal.map_or(Permissions::NONE, AccountRow::permissions));
    }
    permissions.in_tenant(tenant)
}

/// The same, with whom an agent acts for looked up.
pub(crate) async fn permissions(
    context: &Context<'_>,
    state: &ApiState,
    row: &AccountRow,
    as_of: AsOf,
) -> Result<Permissions> {
    let principal = match row.on_behalf_of {
        Some(id) => Loads::of(context).access.account(state, id, as_of).await?,
        None => None,
    };
    Ok(may_do(state.tenant(), row, principal.as_ref()))
}

/// One account as of a moment.
pub(crate) async fn account(state: &ApiState, id: AccountId, as_of: AsOf) -> Result<Option<Account>> {
    let then = Then::at(state, as_of).await?;
    let found = rows(state.read_models().accounts_by_id(state.tenant(), &[id], as_of).await)?;
    Ok(found.into_iter().next().map(|row| Account { row, then }))
}

/// Which keys are listed.
pub(crate) struct KeyList {
    pub account: Option<AccountId>,
    pub active: Option<bool>,
    pub then: Then,
}

impl KeyList {
    /// Reads one page.
    pub(crate) async fn read(&self, context: &Context<'_>, state: &ApiState, paging: &Paging) -> Result<Pages<ApiKey>> {
        let Self { account, active, then } = *self;
        if !account.is_some_and(|account| is_own(state, account)) {
            check(state, DomainPermission::AccountRead)?;
        }
        let filter = ApiKeyFilter { account, lets_in: active.map(|active| (active, then.now_ms)) };
        let found = Loads::of(context).access.key_page(state, then.as_of, page(paging)?, filter).await?;
        Ok(row_pages(found, |row| (row.provenance.created_position, ApiKey { row, then })))
    }
}

/// Which sessions are listed.
pub(crate) struct SessionList {
    pub account: Option<AccountId>,
    pub active: Option<bool>,
    pub then: Then,
}

impl SessionList {
    /// Reads one page.
    pub(crate) async fn read(
        &self,
        context: &Context<'_>,
        state: &ApiState,
        paging: &Paging,
    ) -> Result<Pages<Session>> {
        let Self { account, active, then } = *self;
        if !account.is_some_and(|account| is_own(state, account)) {
            check(state, DomainPermission::AccountRead)?;
        }
        let filter = SessionFilter { account, lets_in: active.map(|active| (active, then.now_ms)) };
        let found = Loads::of(context).access.session_page(state, then.as_of, page(paging)?, filter).await?;
        Ok(row_pages(found, |row| (row.provenance.created_position, Session { row, then })))
    }
}

/// A connection of one entry or none.
pub(crate) fn only<T: async_graphql::OutputType>(entry: Option<(u64, T)>) -> Pages<T> {
    entry.map_or_else(|| Connection::new(false, false), |entry| crate::schema::paging::pages(false, false, [entry]))
}
