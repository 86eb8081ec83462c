//! The gateway to language models: how it is set up, the calls that were made, and what they took.
//!
//! The set-up is folded from its stream, calls are rows. Nothing is asked of a model here, and no secret is in any answer.

mod call;
mod content;
mod inputs;
mod setup;
mod spend;
mod words;

use std::collections::BTreeMap;

use async_graphql::{Context, Object, Result};
use timeloom_domain::event::Event as _;
use timeloom_domain::gateway::{self as domain, GATEWAY_STREAM, GatewayCommand, GatewayConfiguration, GatewayEvent};
use timeloom_domain::ids::{AgentRunId, ExecutionId, ModelCallId, Slug, WorkflowId};
use timeloom_history::{self as history, HistoryError};
use timeloom_projections::ModelCallFilter;
use timeloom_store::StreamKey;
use uuid::Uuid;

pub(crate) use self::call::ModelCall;
use self::call::ModelCallFilterInput;
use self::inputs::{
    GatewayPayload, RemoveGatewayInput, SetGatewayLimitInput, SetGatewayPricesInput, SetGatewayProviderInput,
    SetGatewayRouteInput,
};
pub(crate) use self::setup::GatewayRoute;
use self::setup::{GatewayLimit, GatewayPrices, GatewayProvider};
use self::spend::{ModelSpend, ModelSpendFilterInput};
use self::words::ModelSpendBy;
use super::faults::{bad_input, fault};
use super::paging::{Pages, Paging, page_cost};
use super::payloads::refused;
use super::reading::{Moment, not_there, rows, state};
use super::rows::{page, row_pages};
use super::scalars::{AsOf, PositionScalar};
use crate::state::{ApiState, LimitTaken};

/// The reads of the gateway.
#[derive(Debug, Default)]
pub struct GatewayQuery;

/// The set-up as it was at a moment.
async fn configuration(
    context: &Context<'_>,
    as_of: Option<AsOf>,
    wait_for: Option<PositionScalar>,
) -> Result<GatewayConfiguration> {
    let state = state(context)?;
    let moment = Moment::new(as_of, wait_for);
    moment.wait(state).await?;
    let stream = StreamKey::new(state.tenant(), GatewayEvent::CATEGORY, GATEWAY_STREAM);
    let _turn = state.turn_to_fold().await;
    match history::look_at(state.past(), &stream, moment.as_of()).await {
        Ok(look) => {
            let folded = look.state().map_err(|error| not_there(&error))?;
            serde_json::from_value(folded).map_err(|error| fault(&error))
        }
        Err(HistoryError::UnknownStream(_) | HistoryError::NotYet { .. }) => Ok(GatewayConfiguration::default()),
        Err(error) => Err(not_there(&error)),
    }
}

/// The fields of limits that are counted.
const TAKEN_FIELDS: [&str; 4] = ["used", "left", "usedBy", "resetsAt"];

/// What is taken of limits now, in their order; nothing where nobody counts.
async fn taken(context: &Context<'_>, limits: &BTreeMap<Slug, domain::GatewayLimit>) -> Result<Vec<LimitTaken>> {
    let state = state(context)?;
    let limits: Vec<domain::GatewayLimit> = limits.values().cloned().collect();
    let counted = state.limits().taken(state.tenant(), &limits).await;
    Ok(counted.map_err(|error| fault(&error))?.unwrap_or_default())
}

#[Object]
impl GatewayQuery {
    /// The providers of language models, by their names.
    #[graphql(complexity = "20 * child_complexity + 5")]
    async fn gateway_providers(
        &self,
        context: &Context<'_>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Vec<GatewayProvider>> {
        let found = configuration(context, as_of, wait_for).await?;
        Ok(found.providers.into_iter().map(GatewayProvider::from).collect())
    }

    /// The routes to language models, by their names.
    #[graphql(complexity = "20 * child_complexity + 5")]
    pub(crate) async fn gateway_routes(
        &self,
        context: &Context<'_>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Vec<GatewayRoute>> {
        let found = configuration(context, as_of, wait_for).await?;
        Ok(found.routes.into_iter().map(GatewayRoute::from).collect())
    }

    /// How much may be asked for, by whom.
    #[graphql(complexity = "20 * child_complexity + 5")]
    async fn gateway_limits(
        &self,
        context: &Context<'_>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Vec<GatewayLimit>> {
        let is_now = as_of.is_none();
        let limits = configuration(context, as_of, wait_for).await?.limits;
        let is_asked = TAKEN_FIELDS.iter().any(|field| context.look_ahead().field(field).exists());
        let taken = if is_now && is_asked { taken(context, &limits).await? } else { Vec::new() };
        let taken = taken.into_iter().map(Some).chain(std::iter::repeat(None));
        Ok(limits.into_iter().zip(taken).map(|((name, limit), taken)| GatewayLimit::new(name, limit, taken)).collect())
    }

    /// What language models cost.
    #[graphql(complexity = "20 * child_complexity + 5")]
    async fn gateway_prices(
        &self,
        context: &Context<'_>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<GatewayPrices> {
        Ok(configuration(context, as_of, wait_for).await?.prices.into())
    }

    /// A call to a language model, with all its attempts; null when there is none.
    #[graphql(complexity = "child_complexity + 1")]
    async fn model_call(
        &self,
        context: &Context<'_>,
        id: Uuid,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<ModelCall>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        let found = rows(state.read_models().model_calls_by_id(state.tenant(), &[ModelCallId(id)], as_of).await)?;
        Ok(found.into_iter().next().map(ModelCall))
    }

    /// Calls to language models, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn model_calls(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(default)] filter: ModelCallFilterInput,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<ModelCall>> {
        let state = state(context)?;
        let agent = filter.agent.map(|name| Slug::try_new(name).map_err(|error| bad_input(error.to_string())));
        let filter = ModelCallFilter {
            route: filter.route,
            status: filter.status.map(Into::into),
            provider: filter.provider,
            workflow: filter.workflow.map(WorkflowId),
            execution: filter.execution.map(ExecutionId),
            agent: agent.transpose()?,
            agent_run: filter.agent_run.map(AgentRunId),
            key: filter.key,
        };
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        let page = page(&Paging::new(first, after, last, before))?;
        let found = rows(state.read_models().model_calls(state.tenant(), as_of, &page, &filter).await)?;
        Ok(row_pages(found, |row| (row.provenance.created_position, ModelCall(row))))
    }

    /// What calls to language models took, in sums, the dearest first; at most 1,000.
    #[graphql(complexity = "20 * child_complexity + 20")]
    async fn model_spend(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "By what calls are summed.")] by: ModelSpendBy,
        #[graphql(default)] filter: ModelSpendFilterInput,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Vec<ModelSpend>> {
        let state = state(context)?;
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        let found = state.read_models().model_spend(state.tenant(), as_of, by.into(), &filter.into()).await;
        Ok(rows(found)?.into_iter().map(ModelSpend).collect())
    }
}

/// The changes of the gateway.
#[derive(Debug, Default)]
pub struct GatewayMutation;

async fn change(
    state: &ApiState,
    (command_id, expected_revision): (Option<Uuid>, Option<u64>),
    name: String,
    command: GatewayCommand,
) -> Result<GatewayPayload> {
    let context = state.context_at(command_id, expected_revision);
    GatewayPayload::of(name, state.commands().change_gateway(&context, command).await)
}

/// A name as the domain takes it, or the payload that says why not.
macro_rules! slug {
    ($name:expr) => {
        match Slug::try_new($name) {
            Ok(name) => name,
            Err(error) => return Ok(GatewayPayload::from(refused("INVALID_NAME", error.to_string()))),
        }
    };
}

/// Something as the domain takes it, or the payload that says why not.
macro_rules! read {
    ($code:literal, $input:expr) => {
        match $input {
            Ok(read) => read,
            Err(why) => return Ok(GatewayPayload::from(refused($code, why))),
        }
    };
}

#[Object]
impl GatewayMutation {
    /// Takes a provider of language models in, or another one in its place.
    async fn set_gateway_provider(
        &self,
        context: &Context<'_>,
        input: SetGatewayProviderInput,
    ) -> Result<GatewayPayload> {
        let (name, at) = (slug!(input.name.as_str()), (input.command_id, input.expected_revision));
        let provider = Box::new(read!("INVALID_PROVIDER", input.read()));
        change(state(context)?, at, name.to_string(), GatewayCommand::SetProvider { name, provider }).await
    }

    /// Asks a provider no more. One to which a route leads is refused.
    async fn remove_gateway_provider(
        &self,
        context: &Context<'_>,
        input: RemoveGatewayInput,
    ) -> Result<GatewayPayload> {
        let name = slug!(input.name);
        let at = (input.command_id, input.expected_revision);
        change(state(context)?, at, name.to_string(), GatewayCommand::RemoveProvider { name }).await
    }

    /// Takes a route to language models in, or lets it lead elsewhere. Callers give its name as the model.
    async fn set_gateway_route(&self, context: &Context<'_>, input: SetGatewayRouteInput) -> Result<GatewayPayload> {
        let (name, at) = (input.name.clone(), (input.command_id, input.expected_revision));
        let route = Box::new(read!("INVALID_ROUTE", input.read()));
        change(state(context)?, at, name.clone(), GatewayCommand::SetRoute { name, route }).await
    }

    /// Lets a route lead nowhere any more.
    async fn remove_gateway_route(&self, context: &Context<'_>, input: RemoveGatewayInput) -> Result<GatewayPayload> {
        let (name, at) = (input.name, (input.command_id, input.expected_revision));
        change(state(context)?, at, name.clone(), GatewayCommand::RemoveRoute { name }).await
    }

    /// Limits how much may be asked for, or in another way than before.
    async fn set_gateway_limit(&self, context: &Context<'_>, input: SetGatewayLimitInput) -> Result<GatewayPayload> {
        let (name, at) = (slug!(input.name.as_str()), (input.command_id, input.expected_revision));
        let limit = read!("INVALID_LIMIT", input.read());
        change(state(context)?, at, name.to_string(), GatewayCommand::SetLimit { name, limit }).await
    }

    /// Lets a limit hold no more.
    async fn remove_gateway_limit(&self, context: &Context<'_>, input: RemoveGatewayInput) -> Result<GatewayPayload> {
        let name = slug!(input.name);
        let at = (input.command_id, input.expected_revision);
        change(state(context)?, at, name.to_string(), GatewayCommand::RemoveLimit { name }).await
    }

    /// Says what language models cost from now on: these prices take the place of all others.
    async fn set_gateway_prices(&self, context: &Context<'_>, input: SetGatewayPricesInput) -> Result<GatewayPayload> {
        let at = (input.command_id, input.expected_revision);
        let prices = Box::new(read!("INVALID_PRICES", input.read()));
        change(state(context)?, at, prices.currency.clone(), GatewayCommand::SetPrices { prices }).await
    }
}
