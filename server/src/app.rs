//! Wiring: the parts of Timeloom put together over one log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use timeloom_commands::{Commands, Ids as _, Keeping, SystemIds};
use timeloom_domain::catalogue::NodeCatalogue;
use timeloom_domain::ids::{Actor, TenantId};
use timeloom_engine::checkpoint::{CheckpointStore, NoCheckpoint};
use timeloom_engine::node::{NodeRegistry, Services};
use timeloom_engine::{ContinueAsNew, Engine, EngineOptions, EngineParts};
use timeloom_expressions::evaluator::Evaluator;
use timeloom_expressions::port::Limits;
use timeloom_projections::ReadModels;
use timeloom_read_api::{ApiState, StoredLog, Wiring};
use timeloom_sandbox::SandboxEngine;
use timeloom_store::clock::SystemClock;
use timeloom_store::memory::MemoryLog;
use timeloom_store::{EventLog, LogError, LogTransfer, Position, SnapshotStore};
use timeloom_store_sqlite::{DataFolder, SqliteLog, SqliteOptions, SqliteSnapshots};

use crate::clock::MachineClock;
use crate::config::Config;

/// Executions under way at once.
const EXECUTIONS_MAX: usize = 4_096;
/// Computations at once for each thread: more than one, so that a slow script does not hold up the rest.
const BURSTS_PER_THREAD: usize = 8;
/// Longest wait for the read models of a folder that was just opened.
const CATCH_UP_TIME_MAX: Duration = Duration::from_secs(60);
/// Name of the file that remembers the engine's place in the log.
const CHECKPOINT_FILE: &str = "engine.checkpoint";

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
    sqlite: Option<Arc<SqliteLog>>,
}

/// The one tenant until sign-in exists.
pub const TENANT: TenantId = TenantId(0);

/// Who sends commands until sign-in exists.
pub fn actor() -> Actor {
    Actor::Local("owner".to_owned())
}

impl App {
    /// Opens the data folder of `config` for this process.
    ///
    /// # Errors
    /// When the folder is in use, cannot be written, or was written by a newer version; the message says what to do.
    pub fn open(config: &Config, registry: NodeRegistry) -> anyhow::Result<Self> {
        let folder = Arc::new(DataFolder::acquire(&config.data)?);
        let options = SqliteOptions::new(SystemIds.uuid(), Arc::new(SystemClock));
        let (log, blobs) = SqliteLog::open_in(Arc::clone(&folder), options)?;
        let checkpoints = FileCheckpoint { path: folder.path().join(CHECKPOINT_FILE) };
        let shared: Arc<dyn EventLog> = Arc::clone(&log) as Arc<dyn EventLog>;
        let stored = StoredLog { log: Arc::clone(&log) as Arc<dyn LogTransfer>, blobs };
        let snapshots = snapshots(&folder);
        let checkpoints = Arc::new(checkpoints);
        let mut app = Self::over(shared, Some(stored), folder.path(), snapshots, checkpoints, config, registry)?;
        app.sqlite = Some(log);
        Ok(app)
    }

    /// Timeloom in memory, with read models in `folder`: for measurements against the embedded store.
    ///
    /// # Errors
    /// When the read models cannot be opened.
    pub fn in_memory(config: &Config, folder: &Path, registry: NodeRegistry) -> anyhow::Result<Self> {
        let log = MemoryLog::new(Arc::new(SystemClock));
        Self::over(log, None, folder, None, Arc::new(NoCheckpoint), config, registry)
    }

    fn over(
        log: Arc<dyn EventLog>,
        stored: Option<StoredLog>,
        folder: &Path,
        snapshots: Option<Arc<dyn SnapshotStore>>,
        checkpoints: Arc<dyn CheckpointStore>,
        config: &Config,
        registry: NodeRegistry,
    ) -> anyhow::Result<Self> {
        let read_models = ReadModels::open(folder, Arc::clone(&log)).context("the read models cannot be opened")?;
        let catalogue: Arc<NodeCatalogue> = Arc::new(registry.catalogue());
        let (clock, ids) = (Arc::new(MachineClock), Arc::new(SystemIds));
        let keeping = Keeping { snapshots, ..Keeping::default() };
        let commands = Commands::keeping(Arc::clone(&log), Arc::clone(&catalogue), clock.clone(), ids.clone(), keeping);
        let sandbox = SandboxEngine::new(SystemIds.seed()).context("the JavaScript sandbox cannot be opened")?;
        let parts = EngineParts {
            log: Arc::clone(&log),
            registry: Arc::new(registry),
            evaluator: Evaluator::new(Some(Arc::new(sandbox))),
            clock,
            ids,
            services: Arc::new(Services { outbound: config.outbound() }),
            checkpoints,
        };
        let options = EngineOptions {
            timezone: config.timezone,
            vars: Arc::default(),
            env: Arc::new(config.expression_environment()),
            executions_max: EXECUTIONS_MAX,
            bursts_max: config.worker_threads() * BURSTS_PER_THREAD,
            code_limits: Limits::CODE,
            continue_as_new: ContinueAsNew::default(),
        };
        let api = ApiState::new(Wiring {
            commands: commands.clone(),
            read_models: Arc::clone(&read_models),
            log: Arc::clone(&log),
            catalogue,
            stored,
            tenant: TENANT,
            actor: actor(),
        });
        Ok(Self { commands, log, engine: Engine::new(parts, options), api, read_models, sqlite: None })
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

    /// Tells other processes where this one can be reached.
    ///
    /// # Errors
    /// When the folder's lock file cannot be written.
    pub fn announce(&self, url: &str) -> anyhow::Result<()> {
        match &self.sqlite {
            Some(log) => Ok(log.folder().set_owner_url(url)?),
            None => Ok(()),
        }
    }

    /// Stops everything in order: no new work, then the engine, the snapshots, the read models, the log.
    pub async fn close(self) {
        self.api.close().await;
        self.engine.stop().await;
        self.commands.close().await;
        if let Err(error) = self.read_models.close().await {
            tracing::warn!(%error, "the read models did not close cleanly; they are checked at the next start");
        }
        if let Some(log) = &self.sqlite {
            log.close().await;
        }
    }
}

/// The snapshots of a data folder. Without them everything is as it is with them, and some of it takes longer.
fn snapshots(folder: &Arc<DataFolder>) -> Option<Arc<dyn SnapshotStore>> {
    match SqliteSnapshots::open(Arc::clone(folder)) {
        Ok(snapshots) => Some(snapshots),
        Err(error) => {
            tracing::warn!(%error, "there are no snapshots in this run");
            None
        }
    }
}

/// The engine's place in the log, in a file of the data folder.
struct FileCheckpoint {
    path: std::path::PathBuf,
}

#[async_trait]
impl CheckpointStore for FileCheckpoint {
    async fn load(&self) -> Result<Position, LogError> {
        match tokio::fs::read_to_string(&self.path).await {
            // A damaged file only costs time: the log is read from its start.
            Ok(text) => Ok(text.trim().parse().map_or(Position::START, Position)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Position::START),
            Err(error) => Err(LogError::storage(error)),
        }
    }

    async fn save(&self, position: Position) -> Result<(), LogError> {
        let next = self.path.with_extension("next");
        tokio::fs::write(&next, position.to_string()).await.map_err(LogError::storage)?;
        tokio::fs::rename(&next, &self.path).await.map_err(LogError::storage)
    }
}
