//! Providers, routes and prices at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ask::GatewayError;
use crate::cost::{Money, Prices};
use crate::route::{Health, InvalidRoute, Route, RouteConfig};
use crate::upstream::Upstream;

/// Most routes.
pub const ROUTES_MAX: usize = 10_000;
/// Most providers.
pub const PROVIDERS_MAX: usize = 1_000;

/// What a gateway is to work with.
#[derive(Default)]
pub struct Setup {
    /// What answers, by the names that routes use.
    pub providers: BTreeMap<String, Arc<dyn Upstream>>,
    /// Routes.
    pub routes: Vec<RouteConfig>,
    /// Prices.
    pub prices: Prices,
}

/// Why a gateway cannot work with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSetup {
    /// A route is wrong.
    #[error(transparent)]
    Route(#[from] InvalidRoute),
    /// Two routes have the same name.
    #[error("there are two routes '{0}': rename one")]
    Twice(String),
    /// There are too many routes.
    #[error("there are {0} routes: {ROUTES_MAX} is the most")]
    TooManyRoutes(usize),
    /// There are too many providers.
    #[error("there are {0} providers: {PROVIDERS_MAX} is the most")]
    TooManyProviders(usize),
}

#[derive(Default)]
pub(super) struct Table {
    providers: BTreeMap<String, Arc<dyn Upstream>>,
    routes: BTreeMap<String, Arc<Route>>,
    pub(super) prices: Arc<Prices>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Table").field("routes", &self.routes).finish_non_exhaustive()
    }
}

impl Table {
    /// Routes that are as they were go on with what they have saved up.
    pub(super) fn try_new(setup: Setup, before: &Self, health: &Health) -> Result<Self, InvalidSetup> {
        let Setup { providers, routes: configs, prices } = setup;
        if configs.len() > ROUTES_MAX {
            return Err(InvalidSetup::TooManyRoutes(configs.len()));
        }
        if providers.len() > PROVIDERS_MAX {
            return Err(InvalidSetup::TooManyProviders(providers.len()));
        }
        let mut names = BTreeSet::new();
        for config in &configs {
            config.check()?;
            if let Some(target) = config.targets().find(|target| !providers.contains_key(&target.provider)) {
                let (route, provider) = (config.name.clone(), target.provider.clone());
                return Err(InvalidRoute::NoProvider { route, provider }.into());
            }
            if !names.insert(&config.name) {
                return Err(InvalidSetup::Twice(config.name.clone()));
            }
        }
        let route = |config: RouteConfig| {
            let name = config.name.clone();
            let same = before.routes.get(&name).filter(|known| *known.config() == config).cloned();
            (name, same.unwrap_or_else(|| Arc::new(Route::new(config, health))))
        };
        Ok(Self { routes: configs.into_iter().map(route).collect(), providers, prices: Arc::new(prices) })
    }

    pub(super) fn route(&self, name: &str) -> Result<Arc<Route>, GatewayError> {
        let found = self.routes.get(name).cloned();
        found.ok_or_else(|| GatewayError::NoRoute(name.chars().take(200).collect()))
    }

    pub(super) fn route_names(&self) -> Vec<String> {
        self.routes.keys().cloned().collect()
    }

    pub(super) fn find(&self, provider: &str) -> Option<Arc<dyn Upstream>> {
        self.providers.get(provider).cloned()
    }

    /// The dearest that so many tokens can cost by a route; nothing when one of its targets has no price.
    pub(super) fn dearest(&self, route: &Route, input_tokens: u64, output_tokens: u64) -> Option<Money> {
        let price =
            |provider: &str, model: &str| Some(self.prices.find(provider, model)?.most(input_tokens, output_tokens));
        let all: Option<Vec<Money>> =
            route.config().targets().map(|target| price(&target.provider, &target.model)).collect();
        all?.into_iter().max()
    }
}
