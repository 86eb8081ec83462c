//! How the gateway is set up, as it is shown.

use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};
use timeloom_domain::gateway as domain;
use timeloom_domain::ids::Slug;
use timeloom_domain::money::Money;

use super::words::{
    GatewayBalance, GatewayCacheUse, GatewayContent, GatewayHolder, GatewayLimitOf, GatewayProtocol, ModelCallProblem,
};
use crate::state::LimitTaken;

/// A provider of language models. Its key is in the credential, and nowhere else.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct GatewayProvider {
    /// Its name.
    name: String,
    /// What it speaks.
    protocol: GatewayProtocol,
    /// Where it is; absent for models of the server itself.
    base_url: Option<String>,
    /// Type of the credential that holds its key.
    credential_type: Option<String>,
    /// Name of the credential that holds its key.
    credential_name: Option<String>,
    /// Whether the most tokens of an answer are called `max_tokens`.
    max_tokens_field: bool,
    /// Whether thoughts of earlier answers are sent back.
    sends_thinking: bool,
    /// Whether a stream may be asked to end with the tokens that it took.
    stream_usage: bool,
    /// How long it may take to be connected to, in milliseconds.
    connect_ms: u64,
    /// How long it may take to answer as a whole, in milliseconds.
    total_ms: u64,
    /// How long it may take to begin to answer piece by piece, in milliseconds.
    first_token_ms: u64,
    /// How long it may take to answer piece by piece, in milliseconds.
    stream_ms: u64,
    /// Most bytes of an answer.
    answer_bytes_max: u64,
    /// Certificates of the authorities that are trusted, as PEM; those that browsers trust when absent.
    authorities_pem: Option<String>,
}

impl From<(Slug, domain::GatewayProvider)> for GatewayProvider {
    fn from((name, provider): (Slug, domain::GatewayProvider)) -> Self {
        let (credential_type, credential_name) =
            provider.credential.map(|credential| (credential.credential_type, credential.name)).unzip();
        Self {
            name: name.into(),
            protocol: provider.protocol.into(),
            base_url: provider.base_url,
            credential_type,
            credential_name,
            max_tokens_field: provider.dialect.max_tokens,
            sends_thinking: provider.dialect.thinking,
            stream_usage: provider.dialect.stream_usage,
            connect_ms: provider.times.connect_ms,
            total_ms: provider.times.total_ms,
            first_token_ms: provider.times.first_token_ms,
            stream_ms: provider.times.stream_ms,
            answer_bytes_max: provider.answer_bytes_max,
            authorities_pem: provider.authorities_pem,
        }
    }
}

/// A model at a provider.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct GatewayTarget {
    /// The provider.
    provider: String,
    /// Its name for the model.
    model: String,
    /// How much it can bear beside the others of its tier; in a split, how much of the calls it gets.
    weight: u32,
}

/// Targets among which one is chosen.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct GatewayTier {
    /// How.
    balance: GatewayBalance,
    /// The targets.
    targets: Vec<GatewayTarget>,
}

/// A route to language models that can stand in for each other.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct GatewayRoute {
    /// Its name, which callers give as the model.
    name: String,
    /// Groups of targets, in the order in which they are asked.
    tiers: Vec<GatewayTier>,
    /// Most attempts of a call, at all targets together.
    attempts_max: u32,
    /// Most times that a target is asked again in a call.
    retries_max: u32,
    /// Times that targets are asked again, for a hundred calls of the route.
    retry_budget_percent: u32,
    /// After which failures another target is asked.
    fall_back_on: Vec<ModelCallProblem>,
    /// After how many failures in a row a target is left alone.
    failures_in_a_row_max: u32,
    /// For how long, in milliseconds, at first.
    left_alone_ms: u64,
    /// Which answers are kept, to be given again.
    cache: GatewayCacheUse,
    /// For how long, in milliseconds.
    cache_age_ms_max: Option<u64>,
    /// Whether a model is told when its answer does not fit the schema, and asked once more.
    repair: bool,
    /// Whether what is asked and answered is written down.
    content: GatewayContent,
}

impl From<(String, domain::GatewayRoute)> for GatewayRoute {
    fn from((name, route): (String, domain::GatewayRoute)) -> Self {
        let target = |target: domain::RouteTarget| GatewayTarget {
            provider: target.provider.into(),
            model: target.model,
            weight: target.weight,
        };
        let tier = |tier: domain::RouteTier| GatewayTier {
            balance: tier.balance.into(),
            targets: tier.targets.into_iter().map(target).collect(),
        };
        let (cache, cache_age_ms_max) = match route.cache {
            domain::RouteCache::Never => (GatewayCacheUse::Never, None),
            domain::RouteCache::Deterministic { age_ms_max } => (GatewayCacheUse::Deterministic, Some(age_ms_max)),
            domain::RouteCache::Always { age_ms_max } => (GatewayCacheUse::Always, Some(age_ms_max)),
        };
        Self {
            name,
            tiers: route.tiers.into_iter().map(tier).collect(),
            attempts_max: route.attempts_max,
            retries_max: route.retry.retries_max,
            retry_budget_percent: route.retry.budget_percent,
            fall_back_on: route.fall_back_on.into_iter().map(Into::into).collect(),
            failures_in_a_row_max: route.breaker.failures_in_a_row_max,
            left_alone_ms: route.breaker.open_ms,
            cache,
            cache_age_ms_max,
            repair: route.repair,
            content: route.content.into(),
        }
    }
}

/// How much may be asked for, and by whom.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct GatewayLimit {
    /// Its name.
    name: String,
    /// For which kind of holder.
    holder: GatewayHolder,
    /// For which one; each of that kind by itself when absent.
    id: Option<String>,
    /// Of what.
    of: GatewayLimitOf,
    /// How many: of requests, tokens or calls.
    most: Option<u64>,
    /// How much money, as a decimal number in the currency of the prices.
    money: Option<String>,
    /// How long a window is, in milliseconds; windows are counted from 1970.
    window_ms: Option<u64>,
    /// How much of it is taken now, as a decimal number: of requests, tokens or calls, or of money in the currency of the
    /// prices. Where the limit is for each of its kind by itself, by the one that took most. It is what decides whether the
    /// next call is let through. Null as of an earlier moment, and where no gateway runs.
    used: Option<String>,
    /// How much of it is left, as a decimal number.
    left: Option<String>,
    /// Who took what is told as used, by its id; null while nothing is taken, and of the tenant.
    used_by: Option<String>,
    /// When all of it is there again, if nothing more is taken; null while nothing is taken, and of calls at once.
    resets_at: Option<DateTime<Utc>>,
}

impl GatewayLimit {
    /// A limit, with what is taken of it where that is known.
    pub(super) fn new(name: Slug, limit: domain::GatewayLimit, taken: Option<LimitTaken>) -> Self {
        let is_money = matches!(limit.most, domain::LimitMost::Money { .. });
        let amount = |amount: u64| if is_money { Money(amount).to_string() } else { amount.to_string() };
        let (of, most, money, window_ms) = match limit.most {
            domain::LimitMost::RequestsPerMinute { most } => {
                (GatewayLimitOf::RequestsPerMinute, Some(most), None, None)
            }
            domain::LimitMost::TokensPerMinute { most } => (GatewayLimitOf::TokensPerMinute, Some(most), None, None),
            domain::LimitMost::CallsAtOnce { most } => (GatewayLimitOf::CallsAtOnce, Some(most), None, None),
            domain::LimitMost::Money { most, window_ms } => {
                (GatewayLimitOf::Money, None, Some(most.to_string()), Some(window_ms))
            }
        };
        let (name, holder, id) = (name.into(), limit.holder.into(), limit.id);
        let (used, left) = taken.as_ref().map(|taken| (amount(taken.used), amount(taken.left))).unzip();
        let resets_at_ms = taken.as_ref().and_then(|taken| taken.resets_at_ms);
        let resets_at = resets_at_ms.and_then(DateTime::from_timestamp_millis);
        let used_by = taken.and_then(|taken| taken.by).filter(|_| holder != GatewayHolder::Tenant);
        Self { name, holder, id, of, most, money, window_ms, used, left, used_by, resets_at }
    }
}

/// What a million tokens of a model cost, as decimal numbers.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct GatewayPrice {
    /// The provider.
    provider: String,
    /// Its name for the model.
    model: String,
    /// That the model reads.
    input: String,
    /// That it reads from the provider's cache; as others when absent.
    cached_input: Option<String>,
    /// That it reads and the provider puts into its cache; as others when absent.
    cache_write: Option<String>,
    /// That it writes.
    output: String,
}

/// What language models cost.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct GatewayPrices {
    /// What amounts are in, such as `USD`; empty before there are any.
    currency: String,
    /// The prices.
    models: Vec<GatewayPrice>,
}

impl From<domain::GatewayPrices> for GatewayPrices {
    fn from(prices: domain::GatewayPrices) -> Self {
        let models = prices.models.into_iter().map(|price| GatewayPrice {
            provider: price.provider.into(),
            model: price.model,
            input: price.input.to_string(),
            cached_input: price.cached_input.map(|amount| amount.to_string()),
            cache_write: price.cache_write.map(|amount| amount.to_string()),
            output: price.output.to_string(),
        });
        Self { currency: prices.currency, models: models.collect() }
    }
}
