//! Keys of accounts. What lets in is never here: it is told once, to who makes a key.

use async_graphql::{Context, ID, Object, Result};
use chrono::{DateTime, Utc};
use timeloom_domain::access::Permissions;
use timeloom_projections::ApiKeyRow;

use super::account::{Account, DoneBy, permissions};
use super::then::{Then, time};
use super::words::{Permission, listed};
use crate::schema::batch::Loads;
use crate::schema::history::History;
use crate::schema::node::api_key_id;
use crate::schema::reading::state;

/// A key of an account.
#[derive(Debug, Clone)]
pub(crate) struct ApiKey {
    pub row: ApiKeyRow,
    pub then: Then,
}

#[Object]
impl ApiKey {
    /// Its id among everything: its kind, its account and the part of it that may be seen.
    pub(crate) async fn id(&self) -> ID {
        api_key_id(self.row.account, &self.row.key)
    }

    /// The part of the key that may be seen, by which it is revoked.
    async fn key(&self) -> &str {
        &self.row.key
    }

    /// What it is for.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// Whose it is.
    #[graphql(complexity = "child_complexity + 5")]
    async fn account(&self, context: &Context<'_>) -> Result<Option<Account>> {
        let row = Loads::of(context).access.account(state(context)?, self.row.account, self.then.as_of).await?;
        Ok(row.map(|row| Account { row, then: self.then }))
    }

    /// What it may do, of what its account may; absent = all of it.
    async fn scopes(&self) -> Option<Vec<Permission>> {
        self.row.scopes.map(listed)
    }

    /// What it may really do: its scopes, as far as its account may; nothing once it lets in no more.
    #[graphql(complexity = 10)]
    async fn permissions(&self, context: &Context<'_>) -> Result<Vec<Permission>> {
        let state = state(context)?;
        if !self.row.lets_in_at(self.then.now_ms) {
            return Ok(listed(Permissions::NONE));
        }
        let account = Loads::of(context).access.account(state, self.row.account, self.then.as_of).await?;
        let Some(account) = account else { return Ok(Vec::new()) };
        let theirs = permissions(context, state, &account, self.then.as_of).await?;
        Ok(listed(self.row.permissions(theirs)))
    }

    /// Until when it lets in; absent = until it is revoked.
    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.row.expires_at_ms.and_then(time)
    }

    /// Whether it is neither revoked nor expired.
    async fn active(&self) -> bool {
        self.row.lets_in_at(self.then.now_ms)
    }

    /// When it last let in, to the day: a use is written down once a day.
    async fn last_used_at(&self) -> Option<DateTime<Utc>> {
        self.row.used_at_ms.and_then(time)
    }

    /// Who made it.
    async fn made(&self) -> DoneBy {
        (&self.row.made).into()
    }

    /// Who revoked it.
    async fn revoked(&self) -> Option<DoneBy> {
        self.row.revoked.as_ref().map(DoneBy::from)
    }

    /// Which events made it what it is.
    async fn history(&self) -> History {
        self.row.provenance.into()
    }
}
