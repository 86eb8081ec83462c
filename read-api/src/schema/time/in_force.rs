//! The whole of a tenant at one moment. Every part is the read that there is of it anyway, as of the same place of the log.

use async_graphql::{Context, Object, Result};
use chrono::{DateTime, Utc};
use timeloom_store::{Direction, Filter, Position, TenantScope};

use crate::schema::access::{AccessQuery, Account};
use crate::schema::agents::{Agent, AgentQuery};
use crate::schema::credentials::Credential;
use crate::schema::faults::fault;
use crate::schema::feature_flags::{FeatureFlag, FeatureFlagQuery};
use crate::schema::gateway::{GatewayQuery, GatewayRoute};
use crate::schema::models::Model;
use crate::schema::paging::{Pages, page_cost};
use crate::schema::query::Query;
use crate::schema::reading::{Moment, wait_for_rows};
use crate::schema::scalars::{AsOf, PositionScalar};
use crate::schema::workflow::Workflow;
use crate::state::ApiState;

/// What was in force at a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InForce {
    position: Position,
    recorded_at: Option<DateTime<Utc>>,
}

impl InForce {
    /// At a moment, once the rows show it.
    pub(super) async fn at(state: &ApiState, moment: Moment) -> Result<Self> {
        let position = moment.of_log(state).await?.unwrap_or_else(|| state.log().head());
        wait_for_rows(state, position).await?;
        let newest = state.log().read_all(TenantScope::All, position, Direction::Backward, &Filter::default(), 1).await;
        let recorded_at = newest.map_err(|error| fault(&error))?.first().map(|event| event.recorded_at);
        Ok(Self { position, recorded_at })
    }

    fn moment(self) -> Option<AsOf> {
        Some(AsOf::Position(PositionScalar(self.position)))
    }
}

#[Object]
impl InForce {
    /// The place of the log.
    async fn position(&self) -> PositionScalar {
        PositionScalar(self.position)
    }

    /// When the event there was recorded; absent before the first.
    async fn recorded_at(&self) -> Option<DateTime<Utc>> {
        self.recorded_at
    }

    /// Workflows that were not put away, newest first; their `activeVersion` took calls and schedules.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn workflows(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Pages<Workflow>> {
        let (last, before, name, folder) = (None, None, None, None);
        Query.workflows(context, first, after, last, before, Some(false), name, folder, self.moment(), None).await
    }

    /// Models, newest first, with their versions and aliases.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn models(&self, context: &Context<'_>, first: Option<i32>, after: Option<String>) -> Result<Pages<Model>> {
        Query.models(context, first, after, None, None, self.moment(), None).await
    }

    /// Agents, newest first.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn agents(&self, context: &Context<'_>, first: Option<i32>, after: Option<String>) -> Result<Pages<Agent>> {
        AgentQuery.agents(context, first, after, None, None, self.moment(), None).await
    }

    /// Routes to language models.
    #[graphql(complexity = "20 * child_complexity + 5")]
    async fn gateway_routes(&self, context: &Context<'_>) -> Result<Vec<GatewayRoute>> {
        GatewayQuery.gateway_routes(context, self.moment(), None).await
    }

    /// Flags of features.
    #[graphql(complexity = "20 * child_complexity + 5")]
    async fn feature_flags(&self, context: &Context<'_>) -> Result<Vec<FeatureFlag>> {
        FeatureFlagQuery.feature_flags(context, self.moment(), None).await
    }

    /// Credentials by name, newest first; never what is in them.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn credentials(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Pages<Credential>> {
        Query.credentials(context, first, after, None, None, self.moment(), None).await
    }

    /// Accounts that let somebody in, newest first, with their roles.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn accounts(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Pages<Account>> {
        let (kind, role, last, before) = (None, None, None, None);
        AccessQuery.accounts(context, kind, role, Some(false), first, after, last, before, self.moment(), None).await
    }
}
