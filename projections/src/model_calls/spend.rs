//! What calls took, in sums by who or what took it.
//!
//! Invariant: a sum as of a position is over the calls that were written down by then, whatever came later.

use timeloom_domain::ids::{TenantId, WorkflowId};
use timeloom_domain::money::Money;

use super::table::DAY_MS;
use crate::database::{Cells, Named, Query, StorageError, Value, bound};
use crate::page::AsOf;

/// Most sums of one answer; those with the highest cost are given.
pub const SPEND_GROUPS_MAX: u64 = 1_000;

/// By what calls are summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpendBy {
    /// The route.
    Route,
    /// The provider that was asked last.
    Provider,
    /// The model that was asked last.
    Model,
    /// The API key.
    Key,
    /// The workflow.
    Workflow,
    /// The agent.
    Agent,
    /// The day, UTC.
    Day,
}

impl SpendBy {
    fn column(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Key => "api_key",
            Self::Workflow => "workflow",
            Self::Agent => "agent",
            Self::Day => "day",
        }
    }
}

/// Which calls are summed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpendFilter {
    /// Only those that came in on the day of this time or later, in milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// Only those that came in on the day of this time or earlier, in milliseconds since 1970.
    pub until_ms: Option<i64>,
    /// Only those by this route.
    pub route: Option<String>,
    /// Only those by this API key.
    pub key: Option<String>,
    /// Only those of this workflow.
    pub workflow: Option<WorkflowId>,
    /// Only those of this agent.
    pub agent: Option<String>,
}

/// Of whom or what a sum is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpendKey {
    /// A route, provider, model, key or agent.
    Name(String),
    /// A workflow.
    Workflow(WorkflowId),
    /// The beginning of a day, UTC, in milliseconds since 1970.
    Day(i64),
    /// Those of which none is known.
    Nothing,
}

/// What calls took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSpendRow {
    /// Of whom or what.
    pub of: SpendKey,
    /// How many calls there were.
    pub calls: u64,
    /// How many of them were answered.
    pub completed: u64,
    /// How many of these were there already.
    pub cached: u64,
    /// Tokens that were read.
    pub input_tokens: u64,
    /// Tokens that were written.
    pub output_tokens: u64,
    /// What they cost, in billionths of the currency, as far as prices are known.
    pub cost: Option<Money>,
    /// The currency.
    pub currency: Option<String>,
}

/// The sums as they were at `as_of`.
pub(super) fn sums(named: &Named, tenant: TenantId, as_of: AsOf, by: SpendBy, filter: &SpendFilter) -> Query {
    let day = |time: Option<i64>, otherwise: i64| time.map_or(otherwise, |time| time.div_euclid(DAY_MS));
    let mut values: Vec<Value<'static>> = vec![
        tenant.into(),
        bound(as_of).into(),
        day(filter.from_ms, 0).into(),
        day(filter.until_ms, i64::from(u32::MAX)).into(),
        SPEND_GROUPS_MAX.into(),
    ];
    let mut more = String::new();
    let mut only = |column: &str, wanted: Option<Value<'static>>| {
        if let Some(wanted) = wanted {
            values.push(wanted);
            more.push_str(&format!(" AND version.{column} = ?{}", values.len()));
        }
    };
    only("route", filter.route.clone().map(Into::into));
    only("api_key", filter.key.clone().map(Into::into));
    only("workflow", filter.workflow.map(|id| id.0.into()));
    only("agent", filter.agent.clone().map(Into::into));
    let (build, index, column) = (named.build(), named.indexed_by("model_calls_day"), by.column());
    let sum = |of: &str| format!("CAST(coalesce(sum({of}), 0) AS BIGINT)");
    let count = |condition: &str| sum(&format!("CASE WHEN {condition} THEN 1 ELSE 0 END"));
    let sql = format!(
        "SELECT version.{column}, count(*), {}, {}, {}, {}, CAST(sum(version.cost) AS BIGINT) AS cost, \
         version.currency FROM {build} AS version {index} WHERE version.tenant = ?1 AND version.to_position IS NULL \
         AND version.from_position <= ?2 AND version.day >= ?3 AND version.day <= ?4{more} \
         GROUP BY version.{column}, version.currency ORDER BY 7 DESC NULLS LAST, 2 DESC, 1 LIMIT ?5",
        count("version.status = 'completed'"),
        count("version.cached_from IS NOT NULL"),
        sum("version.input_tokens"),
        sum("version.output_tokens"),
    );
    Query::new(named.dialect, sql, values)
}

/// A sum from its cells.
pub(super) fn read(by: SpendBy, cells: &mut Cells<'_>) -> Result<ModelSpendRow, StorageError> {
    let of = match by {
        SpendBy::Workflow => cells.take::<Option<_>>()?.map(|id| SpendKey::Workflow(WorkflowId(id))),
        SpendBy::Day => cells.take::<Option<i64>>()?.map(|day| SpendKey::Day(day.saturating_mul(DAY_MS))),
        _ => cells.take::<Option<String>>()?.map(SpendKey::Name),
    };
    let (calls, completed, cached) = (cells.take()?, cells.take()?, cells.take()?);
    let (input_tokens, output_tokens) = (cells.take()?, cells.take()?);
    let cost = cells.take::<Option<_>>()?.map(Money);
    let of = of.unwrap_or(SpendKey::Nothing);
    Ok(ModelSpendRow { of, calls, completed, cached, input_tokens, output_tokens, cost, currency: cells.take()? })
}
