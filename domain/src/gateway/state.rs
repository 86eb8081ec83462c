//! What the events of a gateway's set-up fold to, and what it decides.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    GatewayCommand, GatewayEvent, GatewayLimit, GatewayPrices, GatewayProvider, GatewayRefusal, GatewayRoute,
    LIMITS_MAX, PROVIDERS_MAX, ROUTES_MAX,
};
use crate::event::Aggregate;
use crate::ids::Slug;

/// The set-up of a tenant's gateway as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GatewayConfiguration {
    /// Providers by their names.
    pub providers: BTreeMap<Slug, GatewayProvider>,
    /// Routes by their names.
    pub routes: BTreeMap<String, GatewayRoute>,
    /// Limits by their names.
    pub limits: BTreeMap<Slug, GatewayLimit>,
    /// What models cost.
    pub prices: GatewayPrices,
}

impl GatewayConfiguration {
    fn set_provider(&self, name: &Slug, provider: &GatewayProvider) -> Result<Vec<GatewayEvent>, GatewayRefusal> {
        provider.check()?;
        match self.providers.get(name) {
            Some(known) if known == provider => return Ok(Vec::new()),
            None if self.providers.len() >= PROVIDERS_MAX => return Err(GatewayRefusal::TooManyProviders),
            _ => {}
        }
        Ok(vec![GatewayEvent::GatewayProviderSet { name: name.clone(), provider: Box::new(provider.clone()) }])
    }

    fn remove_provider(&self, name: &Slug) -> Result<Vec<GatewayEvent>, GatewayRefusal> {
        if !self.providers.contains_key(name) {
            return Ok(Vec::new());
        }
        let leads = |route: &GatewayRoute| route.targets().any(|target| target.provider == *name);
        if let Some((route, _)) = self.routes.iter().find(|(_, route)| leads(route)) {
            return Err(GatewayRefusal::ProviderInUse { provider: name.clone(), route: route.clone() });
        }
        Ok(vec![GatewayEvent::GatewayProviderRemoved { name: name.clone() }])
    }

    fn set_route(&self, name: &str, route: &GatewayRoute) -> Result<Vec<GatewayEvent>, GatewayRefusal> {
        route.check(name)?;
        if let Some(target) = route.targets().find(|target| !self.providers.contains_key(&target.provider)) {
            return Err(GatewayRefusal::NoProvider(target.provider.clone()));
        }
        match self.routes.get(name) {
            Some(known) if known == route => return Ok(Vec::new()),
            None if self.routes.len() >= ROUTES_MAX => return Err(GatewayRefusal::TooManyRoutes),
            _ => {}
        }
        Ok(vec![GatewayEvent::GatewayRouteSet { name: name.to_owned(), route: Box::new(route.clone()) }])
    }

    fn set_limit(&self, name: &Slug, limit: &GatewayLimit) -> Result<Vec<GatewayEvent>, GatewayRefusal> {
        limit.check()?;
        match self.limits.get(name) {
            Some(known) if known == limit => return Ok(Vec::new()),
            None if self.limits.len() >= LIMITS_MAX => return Err(GatewayRefusal::TooManyLimits),
            _ => {}
        }
        Ok(vec![GatewayEvent::GatewayLimitSet { name: name.clone(), limit: limit.clone() }])
    }

    fn set_prices(&self, prices: &GatewayPrices) -> Result<Vec<GatewayEvent>, GatewayRefusal> {
        prices.check()?;
        if self.prices == *prices {
            return Ok(Vec::new());
        }
        Ok(vec![GatewayEvent::GatewayPricesSet { prices: Box::new(prices.clone()) }])
    }
}

impl Aggregate for GatewayConfiguration {
    const FOLD_VERSION: u32 = 1;

    type Event = GatewayEvent;
    type Command = GatewayCommand;
    type Refusal = GatewayRefusal;

    fn apply(&mut self, event: &GatewayEvent) {
        match event {
            GatewayEvent::GatewayProviderSet { name, provider } => {
                self.providers.insert(name.clone(), (**provider).clone());
            }
            GatewayEvent::GatewayProviderRemoved { name } => {
                self.providers.remove(name);
            }
            GatewayEvent::GatewayRouteSet { name, route } => {
                self.routes.insert(name.clone(), (**route).clone());
            }
            GatewayEvent::GatewayRouteRemoved { name } => {
                self.routes.remove(name);
            }
            GatewayEvent::GatewayLimitSet { name, limit } => {
                self.limits.insert(name.clone(), limit.clone());
            }
            GatewayEvent::GatewayLimitRemoved { name } => {
                self.limits.remove(name);
            }
            GatewayEvent::GatewayPricesSet { prices } => self.prices = (**prices).clone(),
        }
    }

    /// What is removed already is removed: that is no refusal.
    fn decide(&self, command: &GatewayCommand) -> Result<Vec<GatewayEvent>, GatewayRefusal> {
        match command {
            GatewayCommand::SetProvider { name, provider } => self.set_provider(name, provider),
            GatewayCommand::RemoveProvider { name } => self.remove_provider(name),
            GatewayCommand::SetRoute { name, route } => self.set_route(name, route),
            GatewayCommand::RemoveRoute { name } => Ok(self
                .routes
                .contains_key(name)
                .then(|| GatewayEvent::GatewayRouteRemoved { name: name.clone() })
                .into_iter()
                .collect()),
            GatewayCommand::SetLimit { name, limit } => self.set_limit(name, limit),
            GatewayCommand::RemoveLimit { name } => Ok(self
                .limits
                .contains_key(name)
                .then(|| GatewayEvent::GatewayLimitRemoved { name: name.clone() })
                .into_iter()
                .collect()),
            GatewayCommand::SetPrices { prices } => self.set_prices(prices),
        }
    }
}
