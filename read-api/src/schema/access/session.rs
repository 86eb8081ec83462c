//! Sessions of users. What a browser shows is never here.

use async_graphql::{Context, ID, Object, Result};
use chrono::{DateTime, Utc};
use timeloom_domain::ids::SessionId;
use timeloom_projections::{AsOf, SessionRow};

use super::account::{Account, DoneBy};
use super::then::{Then, time};
use super::words::{SessionEnd, SignInMethod};
use crate::schema::batch::Loads;
use crate::schema::history::History;
use crate::schema::reading::{rows, state};
use crate::state::ApiState;

/// A session: a browser whose user signed in.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub row: SessionRow,
    pub then: Then,
}

#[Object]
impl Session {
    /// Its id.
    pub(crate) async fn id(&self) -> ID {
        self.row.id.0.into()
    }

    /// Whose it is.
    #[graphql(complexity = "child_complexity + 5")]
    async fn account(&self, context: &Context<'_>) -> Result<Option<Account>> {
        let row = Loads::of(context).access.account(state(context)?, self.row.account, self.then.as_of).await?;
        Ok(row.map(|row| Account { row, then: self.then }))
    }

    /// How its user showed who they are.
    async fn method(&self) -> SignInMethod {
        self.row.method.into()
    }

    /// From which address, where that is known.
    async fn address(&self) -> Option<&str> {
        self.row.address.as_deref()
    }

    /// What the browser says it is.
    async fn user_agent(&self) -> Option<&str> {
        self.row.user_agent.as_deref()
    }

    /// When it began.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        time(self.row.started_at_ms)
    }

    /// When it last let in, to five minutes.
    async fn last_used_at(&self) -> Option<DateTime<Utc>> {
        time(self.row.used_at_ms)
    }

    /// Until when it lets in at most.
    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        time(self.row.expires_at_ms)
    }

    /// Until when it lets in unless it is used again; absent once it ended.
    async fn lets_in_until(&self) -> Option<DateTime<Utc>> {
        self.row.lets_in_until_ms().and_then(time)
    }

    /// Whether it lets in.
    async fn active(&self) -> bool {
        self.row.lets_in_until_ms().is_some_and(|until| until > self.then.now_ms)
    }

    /// Why it ended before its time.
    async fn end(&self) -> Option<SessionEnd> {
        self.row.ended.map(SessionEnd::from)
    }

    /// Who ended it.
    async fn ended(&self) -> Option<DoneBy> {
        self.row.ended_by.as_ref().map(DoneBy::from)
    }

    /// Which events made it what it is.
    async fn history(&self) -> History {
        self.row.provenance.into()
    }
}

/// One session as of a moment.
pub(crate) async fn session(state: &ApiState, id: SessionId, as_of: AsOf) -> Result<Option<Session>> {
    let then = Then::at(state, as_of).await?;
    let found = rows(state.read_models().sessions_by_id(state.tenant(), &[id], as_of).await)?;
    Ok(found.into_iter().next().map(|row| Session { row, then }))
}
