//! What calls to language models took, in sums.

use async_graphql::{InputObject, Object};
use chrono::{DateTime, Utc};
use timeloom_domain::ids::WorkflowId;
use timeloom_projections::{ModelSpendRow, SpendFilter, SpendKey};
use uuid::Uuid;

use crate::schema::execution::time;

/// Which calls are summed.
#[derive(Debug, Default, InputObject)]
pub(crate) struct ModelSpendFilterInput {
    /// Only those that came in on the day of this time, UTC, or later.
    from: Option<DateTime<Utc>>,
    /// Only those that came in on the day of this time, UTC, or earlier.
    until: Option<DateTime<Utc>>,
    /// Only those by this route.
    route: Option<String>,
    /// Only those by the API key of this id.
    key: Option<String>,
    /// Only those of this workflow.
    workflow: Option<Uuid>,
    /// Only those of this agent.
    agent: Option<String>,
}

impl From<ModelSpendFilterInput> for SpendFilter {
    fn from(filter: ModelSpendFilterInput) -> Self {
        Self {
            from_ms: filter.from.map(|time| time.timestamp_millis()),
            until_ms: filter.until.map(|time| time.timestamp_millis()),
            route: filter.route,
            key: filter.key,
            workflow: filter.workflow.map(WorkflowId),
            agent: filter.agent,
        }
    }
}

/// What calls to language models took together.
#[derive(Debug, Clone)]
pub(crate) struct ModelSpend(pub ModelSpendRow);

#[Object]
impl ModelSpend {
    /// Of whom or what it is: a name, an id, or a day such as `2026-03-14`; absent for calls of which none is known.
    async fn of(&self) -> Option<String> {
        match &self.0.of {
            SpendKey::Name(name) => Some(name.clone()),
            SpendKey::Workflow(id) => Some(id.to_string()),
            SpendKey::Day(at_ms) => time(*at_ms).map(|day| day.format("%Y-%m-%d").to_string()),
            SpendKey::Nothing => None,
        }
    }

    /// How many calls there were.
    async fn calls(&self) -> u64 {
        self.0.calls
    }

    /// How many of them were answered.
    async fn completed(&self) -> u64 {
        self.0.completed
    }

    /// How many answers were there already.
    async fn cached(&self) -> u64 {
        self.0.cached
    }

    /// Tokens that were read.
    async fn input_tokens(&self) -> u64 {
        self.0.input_tokens
    }

    /// Tokens that were written.
    async fn output_tokens(&self) -> u64 {
        self.0.output_tokens
    }

    /// What they cost, as a decimal number; absent where no price was known.
    async fn cost(&self) -> Option<String> {
        self.0.cost.map(|cost| cost.to_string())
    }

    /// The currency. Calls in another one have a sum of their own.
    async fn currency(&self) -> Option<&str> {
        self.0.currency.as_deref()
    }
}
