//! Wiring: the parts of Timeloom put together over one log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use timeloom_commands::{Commands, Ids as _, Keeping, SystemIds};
use timeloom_domain::catalogue::NodeCatalogue;
use timeloom_domain::ids::{Actor, TenantId};
use timeloom_engine::node::{Binaries, NodeRegistry, Services};
use timeloom_engine::{ContinueAsNew, Engine, EngineOptions, EngineParts};
use timeloom_expressions::evaluator::Evaluator;
use timeloom_expressions::port::Limits;
use timeloom_projections::ReadModels;
use timeloom_read_api::{ApiState, Wiring};
use timeloom_sandbox::SandboxEngine;
use timeloom_store::EventLog;

use crate::clock::MachineClock;
use crate::config::Config;
use crate::store::Store;

/// Executions under way at once.
const EXECUTIONS_MAX: usize = 4_096;
/// Computations at once for each thread: more than one, so that a slow script does not hold up the rest.
const BURSTS_PER_THREAD: usize = 8;
/// Longest wait for the read models of a folder that was just opened.
const CATCH_UP_TIME_MAX: Duration = Duration::from_secs(60);

/// Timeloom over one log.
pub struct App {
    /// The way in for changes.
    pub commands: Commands,
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// What drives executions; it does nothing until it is started.
    pub engine: Engine,
    /// The API's state.
    pub api: ApiState,
    read_models: Arc<ReadModels>,
    /// Where everything is kept.
    pub store: Store,
}

/// The one tenant until sign-in exists.
pub const TENANT: TenantId = TenantId(0);

/// Who sends commands until sign-in exists.
pub fn actor() -> Actor {
    Actor::Local("owner".to_owned())
}

impl App {
    /// Opens the data folder or database of `config`.
    ///
    /// # Errors
    /// When it is in use, cannot be written, or was written by a newer version; the message says what to do.
    pub async fn open(config: &Config, registry: NodeRegistry) -> anyhow::Result<Self> {
        Self::over(Store::open(config).await?, config, registry)
    }

    /// Timeloom in memory, with read models in `folder`: for measurements against the embedded store.
    ///
    /// # Errors
    /// When the read models cannot be opened.
    pub fn in_memory(config: &Config, folder: &Path, registry: NodeRegistry) -> anyhow::Result<Self> {
        Self::over(Store::in_memory(folder), config, registry)
    }

    fn over(store: Store, config: &Config, registry: NodeRegistry) -> anyhow::Result<Self> {
        let log = Arc::clone(&store.log);
        let read_models = ReadModels::open(store.read_models.clone(), Arc::clone(&log));
        let read_models = read_models.context("the read models cannot be opened")?;
        let catalogue: Arc<NodeCatalogue> = Arc::new(registry.catalogue());
        let (clock, ids) = (Arc::new(MachineClock), Arc::new(SystemIds));
        let keeping = Keeping { snapshots: store.snapshots.clone(), ..Keeping::default() };
        let commands = Commands::keeping(Arc::clone(&log), Arc::clone(&catalogue), clock.clone(), ids.clone(), keeping);
        let sandbox = SandboxEngine::new(SystemIds.seed()).context("the JavaScript sandbox cannot be opened")?;
        let parts = EngineParts {
            log: Arc::clone(&log),
            registry: Arc::new(registry),
            evaluator: Evaluator::new(Some(Arc::new(sandbox))),
            clock,
            ids,
            services: Arc::new(Services {
                outbound: config.outbound(),
                binaries: Binaries::new(Arc::clone(&store.blobs)),
            }),
            checkpoints: Arc::clone(&store.checkpoints),
        };
        let options = EngineOptions {
            timezone: config.timezone,
            vars: Arc::default(),
            env: Arc::new(config.expression_environment()),
            executions_max: EXECUTIONS_MAX,
            bursts_max: config.worker_threads() * BURSTS_PER_THREAD,
            code_limits: Limits::CODE,
            continue_as_new: ContinueAsNew::default(),
            public_url: Arc::from(config.public_url()),
        };
        let api = ApiState::new(Wiring {
            commands: commands.clone(),
            read_models: Arc::clone(&read_models),
            log: Arc::clone(&log),
            catalogue,
            stored: store.stored.clone(),
            tenant: TENANT,
            actor: actor(),
        });
        Ok(Self { commands, log, engine: Engine::new(parts, options), api, read_models, store })
    }

    /// Lets the read models follow the log.
    ///
    /// # Errors
    /// When they cannot.
    pub fn start_read_models(&self) -> anyhow::Result<()> {
        Ok(self.read_models.start()?)
    }

    /// Lets the read models follow the log, and waits until they show all that it holds.
    ///
    /// # Errors
    /// When they cannot, or do not within a minute.
    pub async fn catch_up(&self) -> anyhow::Result<()> {
        self.start_read_models()?;
        let caught_up = self.read_models.wait_for(self.log.head(), CATCH_UP_TIME_MAX).await;
        caught_up.context("the read models do not keep up: try `timeloom projections rebuild`")
    }

    /// Stops everything in order: no new work, then the engine, the snapshots, the read models, the log.
    pub async fn close(self) {
        self.api.close().await;
        self.engine.stop().await;
        self.commands.close().await;
        if let Err(error) = self.read_models.close().await {
            tracing::warn!(%error, "the read models did not close cleanly; they are checked at the next start");
        }
        self.store.close().await;
    }
}
