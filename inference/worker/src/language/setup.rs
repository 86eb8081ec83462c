//! What the gateway works with, made of the set-up as it is written down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::{BoxFuture, ready};
use timeloom_domain::chat::{EmbedRequest, ErrorClass};
use timeloom_domain::gateway::{
    GatewayConfiguration, GatewayLimit, GatewayProvider, GatewayRoute, HolderKind as WrittenHolder, LimitMost,
    ProviderProtocol, RouteBalance, RouteCache,
};
use timeloom_domain::ids::{Slug, TenantId};
use timeloom_gateway::Setup;
use timeloom_gateway::cache::CacheUse;
use timeloom_gateway::cost::{Price, Prices};
use timeloom_gateway::error::CallError;
use timeloom_gateway::limits::{HolderKind, Limit, Most};
use timeloom_gateway::openai::{Dialect, OutputTokens};
use timeloom_gateway::provider::{Protocol, Provider, ProviderConfig, Timeouts};
use timeloom_gateway::route::{Balance, BreakerConfig, Retry, RouteConfig, Target, Tier};
use timeloom_gateway::upstream::{Answered, Embedded, Prompt, Streamed, Upstream};

use super::Inner;
use super::places::{Keys, ProviderPlace};

/// What answers for a provider.
pub(super) fn upstream(
    inner: &Inner,
    tenant: TenantId,
    (name, provider): (&Slug, &GatewayProvider),
    keys: &Arc<Keys>,
) -> Arc<dyn Upstream> {
    let dialect = Dialect {
        output_tokens: if provider.dialect.max_tokens {
            OutputTokens::MaxTokens
        } else {
            OutputTokens::MaxCompletionTokens
        },
        thinking: provider.dialect.thinking,
        stream_usage: provider.dialect.stream_usage,
    };
    let protocol = match provider.protocol {
        ProviderProtocol::OpenAi => Protocol::OpenAi(dialect),
        ProviderProtocol::Anthropic => Protocol::Anthropic,
        ProviderProtocol::Ollama => Protocol::Ollama,
        ProviderProtocol::OllamaText => Protocol::OllamaText,
        ProviderProtocol::Local => {
            let local = inner.local.as_ref().map(|local| local.upstream(tenant));
            return local.unwrap_or_else(|| silent("this process computes no language models: ask a server that does"));
        }
    };
    let times = provider.times;
    let mut config = ProviderConfig::new(name.as_str(), protocol);
    config.timeouts = Timeouts {
        connect_ms: times.connect_ms,
        total_ms: times.total_ms,
        first_token_ms: times.first_token_ms,
        stream_ms: times.stream_ms,
    };
    config.answer_bytes_max = usize::try_from(provider.answer_bytes_max).unwrap_or(usize::MAX);
    config.authorities_pem = provider.authorities_pem.clone();
    config.may_reach = provider.base_url.as_deref().and_then(|url| inner.reaching.of(url));
    let place = ProviderPlace { keys: Arc::clone(keys), provider: provider.clone() };
    match Provider::try_new(config, Arc::new(place), Arc::clone(&inner.clock)) {
        Ok(provider) => Arc::new(provider),
        Err(error) => silent(&error.to_string()),
    }
}

/// The provider that is there without being set up, and which has the models of this machine.
const LOCAL: &str = "local";

/// Adds a route for each model of this machine, where the set-up says nothing else of its name.
pub(super) fn add_local(
    inner: &Inner,
    tenant: TenantId,
    (names, configuration): (&BTreeSet<String>, &GatewayConfiguration),
    setup: &mut Setup,
) {
    let Some(local) = inner.local.as_ref().filter(|_| !names.is_empty()) else { return };
    let taken = configuration.providers.iter().find(|(name, _)| name.as_str() == LOCAL);
    match taken.map(|(_, provider)| provider.protocol) {
        None => {
            setup.providers.insert(LOCAL.to_owned(), local.upstream(tenant));
        }
        Some(ProviderProtocol::Local) => {}
        // The name stands for something else.
        Some(_) => return,
    }
    let known: BTreeSet<String> = setup.routes.iter().map(|route| route.name.clone()).collect();
    let new = names.iter().filter(|name| !known.contains(*name)).map(|name| {
        let target = Target { provider: LOCAL.to_owned(), model: name.clone(), weight: 1 };
        RouteConfig::new(name.clone(), vec![Tier { balance: Balance::Load, targets: vec![target] }])
    });
    setup.routes.extend(new.collect::<Vec<_>>());
}

/// What answers where nothing can: the provider's routes fall back to others.
fn silent(why: &str) -> Arc<dyn Upstream> {
    Arc::new(Silent(CallError::new(ErrorClass::Unsupported, why)))
}

struct Silent(CallError);

impl Upstream for Silent {
    fn chat<'a>(&'a self, _: &'a Prompt, _: &'a str) -> BoxFuture<'a, Result<Answered, CallError>> {
        Box::pin(ready(Err(self.0.clone())))
    }

    fn stream<'a>(&'a self, _: &'a Prompt, _: &'a str) -> BoxFuture<'a, Result<Streamed, CallError>> {
        Box::pin(ready(Err(self.0.clone())))
    }

    fn embed<'a>(&'a self, _: &'a EmbedRequest, _: &'a str) -> BoxFuture<'a, Result<Embedded, CallError>> {
        Box::pin(ready(Err(self.0.clone())))
    }
}

/// A route.
pub(super) fn route((name, route): (&String, &GatewayRoute)) -> RouteConfig {
    let tiers = route.tiers.iter().map(|tier| Tier {
        balance: match tier.balance {
            RouteBalance::Load => Balance::Load,
            RouteBalance::Split => Balance::Split,
        },
        targets: tier
            .targets
            .iter()
            .map(|target| Target {
                provider: target.provider.to_string(),
                model: target.model.clone(),
                weight: target.weight,
            })
            .collect(),
    });
    let (retry, breaker) = (route.retry, route.breaker);
    RouteConfig {
        name: name.clone(),
        tiers: tiers.collect(),
        attempts_max: route.attempts_max,
        retry: Retry {
            retries_max: retry.retries_max,
            backoff_ms: retry.backoff_ms,
            backoff_ms_max: retry.backoff_ms_max,
            wait_ms_max: retry.wait_ms_max,
            budget_percent: retry.budget_percent,
        },
        fall_back_on: route.fall_back_on.clone(),
        breaker: BreakerConfig {
            failures_in_a_row_max: breaker.failures_in_a_row_max,
            failures_percent_max: breaker.failures_percent_max,
            calls_min: breaker.calls_min,
            window_ms: breaker.window_ms,
            open_ms: breaker.open_ms,
            open_ms_max: breaker.open_ms_max,
        },
        cache: match route.cache {
            RouteCache::Never => CacheUse::Never,
            RouteCache::Deterministic { age_ms_max } => {
                CacheUse::Deterministic { age_ms_max: milliseconds(age_ms_max) }
            }
            RouteCache::Always { age_ms_max } => CacheUse::Always { age_ms_max: milliseconds(age_ms_max) },
        },
        repair: route.repair,
    }
}

/// A limit.
pub(super) fn limit(tenant: TenantId, limit: &GatewayLimit) -> Limit {
    let kind = match limit.holder {
        WrittenHolder::Key => HolderKind::Key,
        WrittenHolder::Tenant => HolderKind::Tenant,
        WrittenHolder::Workflow => HolderKind::Workflow,
        WrittenHolder::Agent => HolderKind::Agent,
    };
    let id = if kind == HolderKind::Tenant { Some(tenant.0.to_string()) } else { limit.id.clone() };
    let most = match limit.most {
        LimitMost::RequestsPerMinute { most } => Most::RequestsPerMinute(most),
        LimitMost::TokensPerMinute { most } => Most::TokensPerMinute(most),
        LimitMost::CallsAtOnce { most } => Most::CallsAtOnce(most),
        LimitMost::Money { most, window_ms } => Most::Money { amount: most, window_ms: milliseconds(window_ms) },
    };
    Limit { kind, id, most }
}

/// All prices.
pub(super) fn prices(configuration: &GatewayConfiguration) -> Prices {
    let rows = configuration.prices.models.iter().map(|price| {
        let of = Price {
            input: price.input,
            cached_input: price.cached_input.unwrap_or(price.input),
            cache_write: price.cache_write.unwrap_or(price.input),
            output: price.output,
        };
        ((price.provider.to_string(), price.model.clone()), of)
    });
    Prices::new(configuration.prices.currency.clone(), rows.collect::<BTreeMap<_, _>>())
}

fn milliseconds(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}
