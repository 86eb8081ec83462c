//! What changes of the gateway take, and what they answer.

use async_graphql::{InputObject, Object, Result};
use timeloom_commands::{CommandError, Outcome};
use timeloom_domain::gateway as domain;
use timeloom_domain::ids::Slug;
use timeloom_domain::money::Money;
use uuid::Uuid;

use super::words::{
    GatewayBalance, GatewayCacheUse, GatewayContent, GatewayHolder, GatewayLimitOf, GatewayProtocol, ModelCallProblem,
};
use crate::schema::payloads::{UserError, Written, settle};
use crate::schema::scalars::PositionScalar;

/// How long answers are kept where nothing is said: a day, in milliseconds.
const CACHE_AGE_MS: u64 = 24 * 60 * 60 * 1000;

/// A provider of language models.
#[derive(Debug, InputObject)]
pub(crate) struct SetGatewayProviderInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the set-up is at this revision.
    pub expected_revision: Option<u64>,
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub protocol: GatewayProtocol,
    /// Where it is, such as `https://api.openai.com/v1`; absent for `LOCAL`.
    pub base_url: Option<String>,
    /// Type of the credential that holds its key, such as `openAiApi`.
    pub credential_type: Option<String>,
    /// Name of the credential that holds its key.
    pub credential_name: Option<String>,
    /// Whether the most tokens of an answer are called `max_tokens`, as engines of others know them.
    #[graphql(default)]
    pub max_tokens_field: bool,
    /// Whether thoughts of earlier answers are sent back.
    #[graphql(default)]
    pub sends_thinking: bool,
    /// Whether a stream may be asked to end with the tokens that it took.
    #[graphql(default = true)]
    pub stream_usage: bool,
    /// How long it may take to be connected to, in milliseconds; absent = 5,000.
    pub connect_ms: Option<u64>,
    /// How long it may take to answer as a whole, in milliseconds; absent = 120,000.
    pub total_ms: Option<u64>,
    /// How long it may take to begin to answer piece by piece, in milliseconds; absent = 60,000.
    pub first_token_ms: Option<u64>,
    /// How long it may take to answer piece by piece, in milliseconds; absent = 600,000.
    pub stream_ms: Option<u64>,
    /// Most bytes of an answer; absent = 64 MiB.
    pub answer_bytes_max: Option<u64>,
    /// Certificates of the authorities that are trusted, as PEM; those that browsers trust when absent.
    pub authorities_pem: Option<String>,
}

impl SetGatewayProviderInput {
    pub(super) fn read(self) -> std::result::Result<domain::GatewayProvider, String> {
        let usual = domain::ProviderTimes::default();
        let credential = match (self.credential_type, self.credential_name) {
            (None, None) => None,
            (Some(credential_type), Some(name)) => Some(domain::CredentialName { credential_type, name }),
            _ => return Err("name the credential with both its type and its name".to_owned()),
        };
        let fresh = domain::GatewayProvider::new(self.protocol.into(), self.base_url);
        Ok(domain::GatewayProvider {
            credential,
            dialect: domain::ProviderDialect {
                max_tokens: self.max_tokens_field,
                thinking: self.sends_thinking,
                stream_usage: self.stream_usage,
            },
            times: domain::ProviderTimes {
                connect_ms: self.connect_ms.unwrap_or(usual.connect_ms),
                total_ms: self.total_ms.unwrap_or(usual.total_ms),
                first_token_ms: self.first_token_ms.unwrap_or(usual.first_token_ms),
                stream_ms: self.stream_ms.unwrap_or(usual.stream_ms),
            },
            answer_bytes_max: self.answer_bytes_max.unwrap_or(fresh.answer_bytes_max),
            authorities_pem: self.authorities_pem,
            ..fresh
        })
    }
}

/// Something of the gateway to remove.
#[derive(Debug, InputObject)]
pub(crate) struct RemoveGatewayInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the set-up is at this revision.
    pub expected_revision: Option<u64>,
    /// Its name.
    pub name: String,
}

/// A model at a provider.
#[derive(Debug, InputObject)]
pub(crate) struct GatewayTargetInput {
    /// The provider.
    provider: String,
    /// Its name for the model.
    model: String,
    /// How much it can bear beside the others of its tier; in a split, how much of the calls it gets: 1 to 10,000.
    #[graphql(default = 1)]
    weight: u32,
}

/// Targets among which one is chosen.
#[derive(Debug, InputObject)]
pub(crate) struct GatewayTierInput {
    /// How; absent = `LOAD`.
    balance: Option<GatewayBalance>,
    /// The targets.
    targets: Vec<GatewayTargetInput>,
}

/// A route to language models. What is not named is as for a new route.
#[derive(Debug, InputObject)]
pub(crate) struct SetGatewayRouteInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the set-up is at this revision.
    pub expected_revision: Option<u64>,
    /// Its name, which callers give as the model.
    pub name: String,
    /// Groups of targets, in the order in which they are asked.
    tiers: Vec<GatewayTierInput>,
    /// Most attempts of a call, at all targets together; absent = 4.
    attempts_max: Option<u32>,
    /// Most times that a target is asked again in a call; absent = once.
    retries_max: Option<u32>,
    /// Times that targets are asked again, for a hundred calls of the route; absent = 20.
    retry_budget_percent: Option<u32>,
    /// After which failures another target is asked; absent = after all that another one may do better with.
    fall_back_on: Option<Vec<ModelCallProblem>>,
    /// After how many failures in a row a target is left alone; absent = 5.
    failures_in_a_row_max: Option<u32>,
    /// For how long, in milliseconds, at first; absent = 5,000.
    left_alone_ms: Option<u64>,
    /// Which answers are kept, to be given again; absent = none.
    cache: Option<GatewayCacheUse>,
    /// For how long, in milliseconds; absent = a day.
    cache_age_ms_max: Option<u64>,
    /// Whether a model is told when its answer does not fit the schema, and asked once more.
    #[graphql(default = true)]
    repair: bool,
    /// Whether what is asked and answered is written down; absent = it is.
    content: Option<GatewayContent>,
}

impl SetGatewayRouteInput {
    pub(super) fn read(self) -> std::result::Result<domain::GatewayRoute, String> {
        let target = |target: GatewayTargetInput| {
            let provider = Slug::try_new(target.provider).map_err(|error| error.to_string())?;
            Ok(domain::RouteTarget { provider, model: target.model, weight: target.weight })
        };
        let tier = |tier: GatewayTierInput| {
            let targets = tier.targets.into_iter().map(target).collect::<std::result::Result<_, String>>()?;
            let balance = tier.balance.map(Into::into).unwrap_or_default();
            Ok(domain::RouteTier { balance, targets })
        };
        let tiers = self.tiers.into_iter().map(tier).collect::<std::result::Result<_, String>>()?;
        let mut route = domain::GatewayRoute::new(tiers);
        let age_ms_max = self.cache_age_ms_max.unwrap_or(CACHE_AGE_MS);
        route.cache = match self.cache {
            None | Some(GatewayCacheUse::Never) => domain::RouteCache::Never,
            Some(GatewayCacheUse::Deterministic) => domain::RouteCache::Deterministic { age_ms_max },
            Some(GatewayCacheUse::Always) => domain::RouteCache::Always { age_ms_max },
        };
        route.attempts_max = self.attempts_max.unwrap_or(route.attempts_max);
        route.retry.retries_max = self.retries_max.unwrap_or(route.retry.retries_max);
        route.retry.budget_percent = self.retry_budget_percent.unwrap_or(route.retry.budget_percent);
        if let Some(classes) = self.fall_back_on {
            route.fall_back_on = classes.into_iter().map(Into::into).collect();
        }
        route.breaker.failures_in_a_row_max = self.failures_in_a_row_max.unwrap_or(route.breaker.failures_in_a_row_max);
        route.breaker.open_ms = self.left_alone_ms.unwrap_or(route.breaker.open_ms);
        route.breaker.open_ms_max = route.breaker.open_ms_max.max(route.breaker.open_ms);
        route.repair = self.repair;
        route.content = self.content.map(Into::into).unwrap_or_default();
        Ok(route)
    }
}

/// How much may be asked for, and by whom.
#[derive(Debug, InputObject)]
pub(crate) struct SetGatewayLimitInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the set-up is at this revision.
    pub expected_revision: Option<u64>,
    /// Its name.
    pub name: String,
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
    /// How long a window is, in milliseconds; windows are counted from 1970, UTC.
    window_ms: Option<u64>,
}

impl SetGatewayLimitInput {
    pub(super) fn read(self) -> std::result::Result<domain::GatewayLimit, String> {
        let most = match (self.of, self.most, self.money, self.window_ms) {
            (GatewayLimitOf::RequestsPerMinute, Some(most), None, None) => {
                domain::LimitMost::RequestsPerMinute { most }
            }
            (GatewayLimitOf::TokensPerMinute, Some(most), None, None) => domain::LimitMost::TokensPerMinute { most },
            (GatewayLimitOf::CallsAtOnce, Some(most), None, None) => domain::LimitMost::CallsAtOnce { most },
            (GatewayLimitOf::Money, None, Some(money), Some(window_ms)) => {
                domain::LimitMost::Money { most: amount(&money)?, window_ms }
            }
            (GatewayLimitOf::Money, ..) => return Err("a limit of money takes money and windowMs".to_owned()),
            _ => {
                return Err(
                    "a limit of requests, tokens or calls takes most, and neither money nor windowMs".to_owned()
                );
            }
        };
        Ok(domain::GatewayLimit { holder: self.holder.into(), id: self.id, most })
    }
}

/// What a million tokens of a model cost, as decimal numbers of at most nine places.
#[derive(Debug, InputObject)]
pub(crate) struct GatewayPriceInput {
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

/// What language models cost: these prices take the place of all others.
#[derive(Debug, InputObject)]
pub(crate) struct SetGatewayPricesInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the set-up is at this revision.
    pub expected_revision: Option<u64>,
    /// What amounts are in, such as `USD`.
    currency: String,
    /// The prices.
    models: Vec<GatewayPriceInput>,
}

impl SetGatewayPricesInput {
    pub(super) fn read(self) -> std::result::Result<domain::GatewayPrices, String> {
        let price = |price: GatewayPriceInput| {
            Ok(domain::GatewayPrice {
                provider: Slug::try_new(price.provider).map_err(|error| error.to_string())?,
                model: price.model,
                input: amount(&price.input)?,
                cached_input: price.cached_input.as_deref().map(amount).transpose()?,
                cache_write: price.cache_write.as_deref().map(amount).transpose()?,
                output: amount(&price.output)?,
            })
        };
        let models = self.models.into_iter().map(price).collect::<std::result::Result<_, String>>()?;
        Ok(domain::GatewayPrices { currency: self.currency, models })
    }
}

fn amount(text: &str) -> std::result::Result<Money, String> {
    Money::parse(text).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        format!("'{shown}' is no amount: write a decimal number of at most nine places, such as 2.50")
    })
}

/// What a change of the gateway came to.
#[derive(Debug)]
pub(crate) struct GatewayPayload {
    name: Option<String>,
    written: Written,
}

impl GatewayPayload {
    pub(super) fn of(name: String, result: std::result::Result<Outcome<()>, CommandError>) -> Result<Self> {
        let (done, written) = Written::of(settle(result)?);
        Ok(Self { name: done.map(|()| name), written })
    }
}

impl From<UserError> for GatewayPayload {
    fn from(error: UserError) -> Self {
        let (_, written) = Written::of::<()>(Err(error));
        Self { name: None, written }
    }
}

#[Object]
impl GatewayPayload {
    /// What was changed; absent when nothing was.
    async fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The position from which reads show it: give it as `waitFor`.
    async fn position(&self) -> Option<PositionScalar> {
        self.written.position()
    }

    /// How many events the set-up has had.
    async fn revision(&self) -> Option<u64> {
        self.written.revision()
    }

    /// Whether this command had been carried out before.
    async fn repeated(&self) -> bool {
        self.written.repeated
    }

    /// Why the command was not carried out; empty when it was.
    async fn errors(&self) -> &[UserError] {
        &self.written.errors
    }
}
