//! Asks language models for a process: a gateway for each tenant, set up as the log says and kept so. What came of a call
//! is written down first, then answered.
//!
//! Invariant: an answer that somebody got, and the last piece of a stream, is in the log with what it took. Whoever goes
//! away cancels the call, and that is written down too.

mod ask;
mod content;
mod flow;
mod numbers;
mod parts;
mod pending;
mod places;
mod setup;
mod story;
mod taken;
mod tenant;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use timeloom_commands::{Clock as WallClock, Commands, Credentials, Finder, Ids};
use timeloom_domain::feature_flag::Feature;
use timeloom_domain::gateway::{GatewayConfiguration, GatewayLimit};
use timeloom_domain::ids::{InferenceWorkerId, TenantId};
use timeloom_domain::model_call::ModelCallEvent;
use timeloom_gateway::limits::{Holder, Standing, Taken};
use timeloom_gateway::ports::{Chance, Clock};
use timeloom_gateway::route::TargetHealth;
use timeloom_store::{BlobStore, EventLog};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::ask::{CallReply, Called, EmbedCalled, NotSaid, Unanswered};
use self::numbers::Counting;
pub use self::numbers::{CallNumbers, RouteNumbers, TargetNumbers};
pub use self::parts::{LanguageAsker, LanguageParts, LocalModels, Reaching};
use self::parts::{Luck, Times};
use self::taken::Begun;
use self::tenant::Tenant;
use crate::recorder::Recorder;

/// Asks language models. Cheap to clone.
#[derive(Clone)]
pub struct LanguageModels {
    inner: Arc<Inner>,
}

struct Inner {
    id: InferenceWorkerId,
    log: Arc<dyn EventLog>,
    blobs: Arc<dyn BlobStore>,
    commands: Commands,
    credentials: Credentials,
    wall: Arc<dyn WallClock>,
    ids: Arc<dyn Ids>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    local: Option<Arc<dyn LocalModels>>,
    reaching: Reaching,
    calls: Recorder<ModelCallEvent>,
    numbers: Counting,
    tenants: Mutex<HashMap<TenantId, Arc<Begun>>>,
    draining: CancellationToken,
    home: Handle,
    tasks: TaskTracker,
}

impl std::fmt::Debug for LanguageModels {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LanguageModels").field("id", &self.inner.id).finish_non_exhaustive()
    }
}

impl LanguageModels {
    /// Begins. Must be called within the runtime that lives longest; nothing is written down before somebody asks.
    pub fn start(parts: LanguageParts) -> Self {
        let id = InferenceWorkerId(parts.ids.uuid());
        // It begins to follow the log now, so that nobody waits for it later.
        parts.commands.gateway();
        parts.commands.models();
        parts.commands.flags();
        let inner = Inner {
            id,
            calls: Recorder::new(Arc::clone(&parts.log), Arc::clone(&parts.ids), id),
            numbers: Counting::default(),
            clock: Arc::new(Times { wall: Arc::clone(&parts.clock), ticks: parts.ticks }),
            chance: Arc::new(Luck(Arc::clone(&parts.ids))),
            log: parts.log,
            blobs: parts.blobs,
            commands: parts.commands,
            credentials: parts.credentials,
            wall: parts.clock,
            ids: parts.ids,
            local: parts.local,
            reaching: parts.reaching,
            tenants: Mutex::default(),
            draining: CancellationToken::new(),
            home: Handle::current(),
            tasks: TaskTracker::new(),
        };
        let models = Self { inner: Arc::new(inner) };
        models.inner.tasks.spawn(taken::follow(models.clone()));
        models
    }

    /// The set-up of a tenant's gateway as it is now.
    ///
    /// # Errors
    /// [`NotSaid::Draining`] when it ends before it is known.
    pub async fn configuration(&self, tenant: TenantId) -> Result<Option<Arc<GatewayConfiguration>>, NotSaid> {
        let gateway = self.inner.commands.gateway();
        let listing = if gateway.is_caught_up() { Ok(gateway.now()) } else { gateway.caught_up().await };
        Ok(listing.map_err(|_| NotSaid::Draining)?.configuration(tenant).cloned())
    }

    /// Names of all routes of a tenant: those that are set up, and those of models of this machine.
    ///
    /// # Errors
    /// [`NotSaid::Draining`] when it ends before they are known.
    pub async fn route_names(&self, tenant: TenantId) -> Result<Vec<String>, NotSaid> {
        Ok(self.tenant(tenant).await?.gateway.routes())
    }

    /// How the targets of a tenant do in this process.
    pub fn health(&self, tenant: TenantId) -> Vec<TargetHealth> {
        self.known(tenant).map(|tenant| tenant.gateway.health()).unwrap_or_default()
    }

    /// Lets go of the answers that are kept for the same question, of all tenants: some of them may be about somebody who was
    /// erased.
    pub fn forget_answers(&self) {
        let tenants: Vec<Arc<Begun>> =
            self.inner.tenants.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for tenant in tenants.iter().filter_map(|begun| begun.tenant()) {
            tenant.gateway.forget_answers();
        }
    }

    /// What finds the secrets of a tenant's credentials, for whoever writes down what a model said; `None` where there are
    /// none.
    ///
    /// # Errors
    /// [`NotSaid`] when they cannot be looked up.
    pub async fn secrets(&self, tenant: TenantId) -> Result<Option<Arc<Finder>>, NotSaid> {
        self.tenant(tenant).await?.finder(&self.inner).await
    }

    /// What the calls of this process came to.
    pub fn numbers(&self) -> CallNumbers {
        self.inner.numbers.now()
    }

    /// How much is left of the limits of these holders, the tightest of each form.
    pub fn standing(&self, tenant: TenantId, holders: &[Holder]) -> Vec<Standing> {
        let known = self.known(tenant);
        known.map(|tenant| tenant.limits.standing(holders, self.inner.wall.now_ms())).unwrap_or_default()
    }

    /// What is taken of limits of a tenant now, in their order: by this process to the last call, by others as far as what they
    /// recorded has come here.
    ///
    /// # Errors
    /// [`NotSaid`] when the tenant's gateway cannot be made ready.
    pub async fn taken(&self, tenant: TenantId, limits: &[GatewayLimit]) -> Result<Vec<Taken>, NotSaid> {
        let found = self.tenant(tenant).await?;
        let limits: Vec<_> = limits.iter().map(|limit| setup::limit(tenant, limit)).collect();
        Ok(found.limits.taken(&limits, self.inner.wall.now_ms()))
    }

    /// Takes no more questions, and waits until all that ended is written down.
    pub async fn close(&self) {
        self.inner.draining.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.calls.close().await;
    }

    /// A tenant for whom somebody asked.
    fn known(&self, tenant: TenantId) -> Option<Arc<Tenant>> {
        self.begun(tenant)?.tenant().cloned()
    }

    /// A tenant for whom somebody asked, whether its gateway is there by now or not.
    fn begun(&self, tenant: TenantId) -> Option<Arc<Begun>> {
        self.inner.tenants.lock().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned()
    }

    /// A tenant, set up as the log says now.
    async fn tenant(&self, tenant: TenantId) -> Result<Arc<Tenant>, NotSaid> {
        if self.inner.draining.is_cancelled() {
            return Err(NotSaid::Draining);
        }
        let flags = self.inner.commands.flags();
        let listing = if flags.is_caught_up() { Ok(flags.now()) } else { flags.caught_up().await };
        if !listing.map_err(|_| NotSaid::Draining)?.is_on(&Feature::Gateway, tenant) {
            return Err(NotSaid::SwitchedOff);
        }
        let configuration = self.configuration(tenant).await?;
        let models = self.inner.commands.models();
        if self.inner.local.is_some() && !models.is_caught_up() {
            models.caught_up().await.map_err(|_| NotSaid::Draining)?;
        }
        let begun = {
            let mut tenants = self.inner.tenants.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tenants.entry(tenant).or_default())
        };
        let found = begun.begin(&self.inner, tenant, configuration.as_ref()).await?;
        found.follow(&self.inner);
        Ok(found)
    }
}
