//! One tenant's gateway, kept as its set-up says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use timeloom_commands::Finder;
use timeloom_domain::gateway::{ContentRecording, GatewayConfiguration, GatewayProvider};
use timeloom_domain::ids::{Slug, TenantId};
use timeloom_gateway::limits::Limits;
use timeloom_gateway::upstream::Upstream;
use timeloom_gateway::{Gateway, Setup};
use timeloom_store::Position;

use super::ask::NotSaid;
use super::places::Keys;
use super::{Inner, setup, taken};

/// Most bytes of answers that are kept for a tenant, to be given again.
const CACHE_BYTES_MAX: usize = 32 << 20;

/// One tenant's gateway.
pub(super) struct Tenant {
    pub id: TenantId,
    pub gateway: Gateway,
    pub limits: Arc<Limits>,
    /// Up to where what others took was charged when it began.
    pub charged_to: Position,
    keys: Arc<Keys>,
    seen: Mutex<Seen>,
    secrets: tokio::sync::Mutex<Option<(Position, Option<Arc<Finder>>)>>,
}

/// By which set-up it works.
#[derive(Default)]
struct Seen {
    configuration: Option<Arc<GatewayConfiguration>>,
    /// Names of models of this machine.
    local: Arc<BTreeSet<String>>,
    /// What answers, kept with its connections while its provider stays as it is.
    upstreams: BTreeMap<Slug, (GatewayProvider, Arc<dyn Upstream>)>,
}

impl Tenant {
    /// A tenant's gateway, charged with what was taken before.
    pub async fn begin(
        inner: &Inner,
        id: TenantId,
        configuration: Option<&Arc<GatewayConfiguration>>,
    ) -> Result<Arc<Self>, NotSaid> {
        let limits = Arc::new(Limits::default());
        let keys = Arc::new(Keys::new(id, inner.commands.clone(), inner.credentials.clone()));
        let (clock, chance) = (Arc::clone(&inner.clock), Arc::clone(&inner.chance));
        let tenant = Self {
            id,
            gateway: Gateway::new(Arc::clone(&limits), CACHE_BYTES_MAX, clock, chance),
            limits,
            charged_to: inner.log.head(),
            keys,
            seen: Mutex::default(),
            secrets: tokio::sync::Mutex::default(),
        };
        tenant.follow(inner);
        if let Some(configuration) = configuration {
            taken::charge_again(inner, &tenant, configuration).await?;
        }
        Ok(Arc::new(tenant))
    }

    /// Works by the set-up of this moment from now on. Calls under way go on as they began.
    pub fn follow(&self, inner: &Inner) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked up under the lock: whoever comes later never brings an older one.
        let local = inner.local.as_ref().map(|local| local.names(self.id)).unwrap_or_default();
        let listing = inner.commands.gateway().now();
        let configuration = listing.configuration(self.id);
        let is_known = match (&seen.configuration, configuration) {
            (Some(known), Some(now)) => Arc::ptr_eq(known, now) || known == now,
            (known, now) => known.is_none() && now.is_none(),
        };
        if is_known && (Arc::ptr_eq(&seen.local, &local) || seen.local == local) {
            return;
        }
        let empty = Arc::default();
        let now = configuration.unwrap_or(&empty);
        let before = std::mem::take(&mut seen.upstreams);
        for (name, provider) in &now.providers {
            let kept =
                before.get(name).filter(|(known, _)| known == provider).map(|(_, upstream)| Arc::clone(upstream));
            let made = || setup::upstream(inner, self.id, (name, provider), &self.keys);
            seen.upstreams.insert(name.clone(), (provider.clone(), kept.unwrap_or_else(made)));
        }
        let providers = seen.upstreams.iter().map(|(name, (_, upstream))| (name.to_string(), Arc::clone(upstream)));
        let mut made = Setup {
            providers: providers.collect(),
            routes: now.routes.iter().map(setup::route).collect(),
            prices: setup::prices(now),
        };
        setup::add_local(inner, self.id, (&local, now), &mut made);
        let configured = self.gateway.configure(made);
        if let Err(error) = configured {
            tracing::error!(tenant = self.id.0, %error, "the set-up of a gateway cannot be worked by: the last one stays");
        }
        let limits = now.limits.values().map(|limit| setup::limit(self.id, limit)).collect();
        if let Err(error) = self.limits.replace(limits) {
            tracing::error!(tenant = self.id.0, %error, "the limits of a gateway cannot be kept: the last ones stay");
        }
        seen.configuration = configuration.cloned();
        seen.local = local;
    }

    /// Whether what is asked and answered by a route is written down.
    pub fn content_of(&self, route: &str) -> ContentRecording {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.configuration.as_ref().and_then(|configuration| configuration.routes.get(route));
        known.map(|route| route.content).unwrap_or_default()
    }

    /// What prices are in, where there are any.
    pub fn currency(&self) -> Option<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let prices = seen.configuration.as_ref().map(|configuration| &configuration.prices);
        prices.filter(|prices| !prices.models.is_empty()).map(|prices| prices.currency.clone())
    }

    /// Whether anything is limited.
    pub fn has_limits(&self) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.configuration.as_ref().is_some_and(|configuration| !configuration.limits.is_empty())
    }

    /// What finds the secrets of the tenant's credentials as they are now.
    pub async fn finder(&self, inner: &Inner) -> Result<Option<Arc<Finder>>, NotSaid> {
        let changed = inner.commands.gateway().now().credentials_changed(self.id);
        let mut secrets = self.secrets.lock().await;
        if let Some((at, finder)) = secrets.as_ref().filter(|(at, _)| *at == changed) {
            let _ = at;
            return Ok(finder.clone());
        }
        let texts = inner.credentials.secret_texts(self.id).await;
        let finder = texts.map_err(|error| NotSaid::Fault(error.to_string()))?.finder();
        *secrets = Some((changed, finder.clone()));
        Ok(finder)
    }
}
