//! Whoever asks, as they are known here.

use async_graphql::{Context, Object, Result};
use timeloom_domain::access::Principal;

use super::account::Account;
use super::tenant::{Tenant, tenant};
use super::then::Then;
use super::words::{Permission, Role, listed};
use crate::schema::batch::Loads;
use crate::schema::event::Actor;
use crate::schema::reading::state;

/// Whoever asks.
#[derive(Debug, Clone)]
pub(crate) struct Viewer(pub Principal);

#[Object]
impl Viewer {
    /// Who they are, as events record it.
    async fn actor(&self) -> Actor {
        (&self.0.actor).into()
    }

    /// Their account; absent of who has the machine.
    #[graphql(complexity = "child_complexity + 5")]
    async fn account(&self, context: &Context<'_>) -> Result<Option<Account>> {
        let (state, Some(id)) = (state(context)?, self.0.account) else { return Ok(None) };
        let row = Loads::of(context).access.account(state, id, None).await?;
        Ok(row.map(|row| Account { row, then: Then::now(state) }))
    }

    /// For whom an agent acts.
    async fn on_behalf_of(&self) -> Option<Actor> {
        self.0.on_behalf_of.as_ref().map(Actor::from)
    }

    /// Whose data they see.
    #[graphql(complexity = "child_complexity + 5")]
    async fn tenant(&self, context: &Context<'_>) -> Result<Tenant> {
        let state = state(context)?;
        match tenant(state, self.0.tenant, None).await? {
            Some(tenant) => Ok(tenant),
            None => Ok(Tenant::unwritten(self.0.tenant)),
        }
    }

    /// What they are.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn roles(&self, context: &Context<'_>) -> Result<Vec<Role>> {
        let state = state(context)?;
        let Some(id) = self.0.account else { return Ok(Vec::new()) };
        let listing = state.access().directory().now();
        let roles = listing.account(self.0.tenant, id).map(|entry| entry.account.roles.clone()).unwrap_or_default();
        Ok(roles.into_iter().map(Role::from).collect())
    }

    /// What they may do with what let them in: a key may do less than its account.
    async fn permissions(&self) -> Vec<Permission> {
        listed(self.0.permissions)
    }

    /// What let them in: `session:ID` or `key:ID`; absent of who has the machine.
    async fn via(&self) -> Option<&str> {
        self.0.via.as_deref()
    }
}
