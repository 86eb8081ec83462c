//! Models in this process: their files, what checks them, and the worker that computes them.
//!
//! The worker begins when a model is first asked, or at once where versions are to be kept loaded: a server that nobody asks
//! for models writes nothing about them.

mod cards;
mod collecting;
mod drifting;
mod evaluating;
mod files;
mod guarding;
mod keepers;
mod local;
mod manager;
mod numbers;
mod port;
mod refusals;
mod registered;
mod serving;
mod speaking;
mod uploading;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::ServiceConfig;
use clap::Args;
use timeloom_commands::{Commands, SystemIds};
use timeloom_domain::ids::{Actor, InferenceWorkerId, Slug, TenantId};
use timeloom_domain::model::{ModelReference, VersionReference};
use timeloom_inference::onnx::{self, Library, Runtime};
use timeloom_inference::pool::MachineClock as Ticks;
use timeloom_inference_front::{anthropic, mlflow, ollama, openai, uploads, v2};
use timeloom_inference_worker::language::{LanguageModels, LanguageParts, Reaching};
use timeloom_inference_worker::{Cause, NotRecorded, OVERRIDES, Parts, Worker};
use timeloom_read_api::Beside;
use timeloom_store::{BlobStore, EventLog};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::drifting::Drifting;
pub use self::evaluating::Evaluating;
pub use self::files::Files;
use self::guarding::Guarding;
pub use self::keepers::Keepers;
use self::local::LocalLanguage;
pub use self::manager::{AddModelFile, Manager, NotAdded};
pub use self::port::Port;
use self::registered::RegisteredModels;
use self::serving::Served;
use self::speaking::Spoken;
use self::uploading::Uploads;
use crate::app::App;
use crate::clock::MachineClock;
use crate::config::Config;

/// The verb with which this program is started again to load a model on trial.
pub const TRIAL_VERB: &str = "model-trial";
/// How often is looked after what nobody asks any more, and after the sums of sampled inferences.
const TIDY_EVERY: Duration = Duration::from_secs(10);
/// A version that nobody asked for so long is put away, unless it is to be kept.
const IDLE: Duration = Duration::from_secs(900);

/// Where models and what computes them are found.
#[derive(Debug, Clone, Args)]
pub struct ModelConfig {
    /// Folder of the files of models; `models` in the data folder when absent. Processes that share a database may share
    /// it, or have a copy each.
    #[arg(long, global = true, env = "TIMELOOM_MODELS", value_name = "FOLDER", help_heading = "Settings")]
    pub models: Option<PathBuf>,
    /// The library of ONNX Runtime, or the folder that has it; absent = where set-up put it.
    #[arg(long, global = true, env = "TIMELOOM_ONNXRUNTIME", value_name = "PATH", help_heading = "Settings")]
    pub onnxruntime: Option<PathBuf>,
    /// The folder of caches of whoever runs this.
    #[arg(long, global = true, env = "XDG_CACHE_HOME", hide = true)]
    pub cache_home: Option<PathBuf>,
    /// The home of whoever runs this.
    #[arg(long, global = true, env = "HOME", hide = true)]
    pub home: Option<PathBuf>,
    /// Where pip looks for packages: models in packages are looked for there too.
    #[arg(long, global = true, env = "PIP_INDEX_URL", hide = true, hide_env_values = true)]
    pub pip_index_url: Option<String>,
    /// Certificates that pip trusts.
    #[arg(long, global = true, env = "PIP_CERT", hide = true)]
    pub pip_cert: Option<PathBuf>,
    /// The file of pip's configuration.
    #[arg(long, global = true, env = "PIP_CONFIG_FILE", hide = true)]
    pub pip_config_file: Option<PathBuf>,
    /// What the environment says of the precision of NVIDIA's libraries: it is part of what answers are known by.
    #[arg(long, global = true, env = OVERRIDES[0], hide = true)]
    pub nvidia_tf32: Option<String>,
    /// Which GPUs the environment lets this process see.
    #[arg(long, global = true, env = OVERRIDES[1], hide = true)]
    pub cuda_devices: Option<String>,
}

impl ModelConfig {
    /// The library's file.
    ///
    /// # Errors
    /// When it is at none of the places, in words that say what to do.
    pub fn library(&self) -> Result<PathBuf, String> {
        let places = Library { explicit: self.onnxruntime.clone(), configured: None, cache: self.cache() };
        onnx::find(&places).map_err(|error| error.to_string())
    }

    /// The folder of caches, where that is known.
    pub fn cache(&self) -> Option<PathBuf> {
        self.cache_home.clone().or_else(|| self.home.as_ref().map(|home| home.join(".cache")))
    }

    fn overrides(&self) -> Vec<String> {
        let values = [&self.nvidia_tf32, &self.cuda_devices];
        let set = OVERRIDES.iter().zip(values);
        set.filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={value}"))).collect()
    }
}

/// What takes files of models into `folder`.
///
/// # Errors
/// When the folder cannot be used.
pub fn manager(config: &Config, folder: &Path, commands: &Commands) -> anyhow::Result<Manager> {
    let files = Arc::new(Files::open(folder)?);
    Ok(Manager::new(files, commands.clone(), config.model.library()))
}

/// Models in this process. Cheap to clone.
#[derive(Clone)]
pub struct Models {
    inner: Arc<Inner>,
}

struct Inner {
    /// That of the process.
    id: InferenceWorkerId,
    manager: Manager,
    commands: Commands,
    log: Arc<dyn EventLog>,
    blobs: Arc<dyn BlobStore>,
    overrides: Vec<String>,
    worker: OnceCell<Worker>,
    language: LanguageModels,
    local: Arc<LocalLanguage>,
    /// Where the worker lives: threads that answer requests have runtimes of their own, which end before it.
    home: Handle,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl std::fmt::Debug for Models {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Models").finish_non_exhaustive()
    }
}

impl Models {
    /// The models of `app`, with their files in `folder`. Must be called within the runtime that lives longest.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(config: &Config, folder: &Path, app: &App) -> anyhow::Result<Self> {
        // The listing lives where this is called as well.
        app.commands.models();
        let manager = manager(config, folder, &app.commands)?;
        let local = Arc::new(LocalLanguage::new(&manager, app.commands.clone()));
        let language = LanguageModels::start(language_parts(config, app, Arc::clone(&local)));
        let inner = Arc::new(Inner {
            id: InferenceWorkerId(app.store.leases.worker().0),
            manager,
            local,
            commands: app.commands.clone(),
            log: Arc::clone(&app.log),
            blobs: Arc::clone(&app.store.blobs),
            overrides: config.model.overrides(),
            worker: OnceCell::new(),
            language,
            home: Handle::current(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        inner.local.open(&inner);
        Ok(Self { inner })
    }

    /// Keeps loaded what is to be kept loaded, until it is closed. Must be called within a runtime.
    pub fn start(&self) {
        self.inner.tasks.spawn(keep_loaded(self.clone()));
        self.inner.tasks.spawn(tidy(self.clone()));
    }

    /// The routes at which models are asked and their files are sent.
    pub fn routes(&self) -> Vec<Beside> {
        let served = Arc::new(Served::new(self.clone()));
        let uploads = Arc::new(Uploads::new(self.inner.manager.clone()));
        let registered = Arc::new(RegisteredModels::new(self.clone()));
        let mut routes = self.speaking_routes();
        // The protocol lies below the path of another one, so that it comes first.
        routes.insert(
            0,
            Beside {
                prefix: mlflow::PREFIX,
                configure: Arc::new(move |config| mlflow::routes(Arc::clone(&registered))(config)),
                refusals: Some(|_, status, message| mlflow::error_body(status, message)),
            },
        );
        routes.extend([
            Beside {
                prefix: "/v2",
                configure: Arc::new(move |config| v2::routes(Arc::clone(&served))(config)),
                refusals: None,
            },
            Beside {
                prefix: "/models/uploads",
                configure: Arc::new(move |config| uploads::routes(Arc::clone(&uploads))(config)),
                refusals: None,
            },
        ]);
        routes
    }

    /// The routes at which language models are asked, by each of the protocols.
    fn speaking_routes(&self) -> Vec<Beside> {
        let spoken = Arc::new(Spoken::new(self.clone()));
        let also = Arc::clone(&spoken);
        let both = move |config: &mut ServiceConfig| {
            anthropic::routes(Arc::clone(&spoken))(config);
            openai::routes(Arc::clone(&spoken))(config);
        };
        vec![
            Beside {
                prefix: "/v1",
                configure: Arc::new(both),
                refusals: Some(|asked, status, message| {
                    let is_anthropic = anthropic::is_meant(asked);
                    if is_anthropic {
                        anthropic::error_body(status, message)
                    } else {
                        openai::error_body(status, message)
                    }
                }),
            },
            Beside {
                // The page of the API explorer is at `/api`.
                prefix: "/api/",
                configure: Arc::new(move |config| ollama::routes(Arc::clone(&also))(config)),
                refusals: Some(|_, status, message| ollama::error_body(status, message)),
            },
        ]
    }

    /// Whether models can be computed here at all.
    pub fn has_runtime(&self) -> bool {
        self.inner.manager.library().is_ok()
    }

    /// What asks language models.
    pub(crate) fn language(&self) -> &LanguageModels {
        &self.inner.language
    }

    /// What takes files in.
    pub(crate) fn manager(&self) -> &Manager {
        &self.inner.manager
    }

    /// The commands on models.
    pub(crate) fn commands(&self) -> &Commands {
        &self.inner.commands
    }

    /// The worker, which begins now if it has not.
    pub(crate) async fn worker(&self) -> Result<&Worker, NotRecorded> {
        let inner = &self.inner;
        let start = || async {
            let library = inner.manager.library().clone();
            let opened = tokio::task::spawn_blocking(move || {
                library.and_then(|path| Runtime::open(&path).map_err(|error| error.to_string()))
            });
            let runtime = opened.await.unwrap_or_else(|error| Err(error.to_string()));
            if let Err(reason) = &runtime {
                tracing::warn!(reason, "models cannot be computed here");
            }
            let parts = Parts {
                id: inner.id,
                log: Arc::clone(&inner.log),
                blobs: Arc::clone(&inner.blobs),
                commands: inner.commands.clone(),
                clock: Arc::new(MachineClock),
                ticks: Arc::new(Ticks::default()),
                ids: Arc::new(SystemIds),
                runtime,
                files: Arc::clone(inner.manager.files()) as _,
                overrides: inner.overrides.clone(),
            };
            let started = inner.tasks.spawn_on(Worker::start(parts), &inner.home).await;
            started.unwrap_or(Err(NotRecorded::Closed))
        };
        inner.worker.get_or_try_init(start).await
    }

    /// The worker, where it has begun.
    pub(crate) fn started(&self) -> Option<&Worker> {
        self.inner.worker.get()
    }

    /// Takes nothing more, answers those who wait, and writes down that the worker ended.
    pub async fn close(&self) {
        self.inner.closing.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.local.close().await;
        if let Some(worker) = self.started() {
            worker.close().await;
        }
        self.inner.language.close().await;
    }
}

/// What language models are asked with.
fn language_parts(config: &Config, app: &App, local: Arc<LocalLanguage>) -> LanguageParts {
    let outbound = config.outbound();
    LanguageParts {
        log: Arc::clone(&app.log),
        blobs: Arc::clone(&app.store.blobs),
        commands: app.commands.clone(),
        credentials: app.credentials.clone(),
        clock: Arc::new(MachineClock),
        ticks: Arc::new(Ticks::default()),
        ids: Arc::new(SystemIds),
        local: Some(local),
        reaching: Reaching {
            allow_private: outbound.allow_private,
            allowed_hosts: outbound.allowed_hosts,
            is_public: timeloom_egress::is_public,
        },
    }
}

/// The process itself as the cause of a load.
fn itself(tenant: TenantId) -> Cause {
    Cause { tenant, actor: Actor::System("inference".to_owned()), causation: None, correlation: None }
}

/// Loads what is to be kept loaded as soon as it is, and puts away what is not any more.
async fn keep_loaded(models: Models) {
    let mut changes = models.commands().models().changes();
    let mut kept: BTreeSet<(TenantId, Slug, u32)> = BTreeSet::new();
    loop {
        let listing = Arc::clone(&changes.borrow_and_update());
        let all = listing.models().filter(|(.., model)| !model.disabled && !model.retired);
        let wanted: BTreeSet<_> = all
            .flat_map(|(tenant, name, model)| model.kept_loaded.iter().map(move |at| (tenant, name.clone(), *at)))
            .collect();
        for (tenant, name, version) in wanted.difference(&kept) {
            load(&models, *tenant, name, *version).await;
        }
        for (tenant, name, version) in kept.difference(&wanted) {
            if let Some(worker) = models.started() {
                worker.unload(&itself(*tenant), name, *version).await;
            }
        }
        kept = wanted;
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = models.inner.closing.cancelled() => return,
        }
    }
}

async fn load(models: &Models, tenant: TenantId, name: &Slug, version: u32) {
    let reference = ModelReference { name: name.clone(), version: VersionReference::Number(version) };
    let loaded = match models.worker().await {
        Ok(worker) => worker.describe(&itself(tenant), &reference).await.map(|_| ()).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = loaded {
        tracing::error!(error, model = %reference, "a model that is to be kept loaded is not");
    }
}

/// Puts away what nobody asks any more, and writes down the sums of sampled inferences when their time is up.
async fn tidy(models: Models) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(TIDY_EVERY) => {}
            () = models.inner.closing.cancelled() => return,
        }
        if let Some(worker) = models.started() {
            worker.tidy(IDLE).await;
        }
        let files = Arc::clone(models.manager().files());
        let expired = tokio::task::spawn_blocking(move || files.uploads.expire(now_ms())).await;
        if let Ok(Err(error)) = expired {
            tracing::warn!(%error, "uploads that nobody goes on with cannot be put away");
        }
        collect(&models).await;
    }
}

/// Puts away files of which nothing became.
async fn collect(models: &Models) {
    // What another process added is known here before it is old enough to be looked at.
    let listing = models.commands().models();
    if !listing.is_caught_up() {
        return;
    }
    let (files, listing) = (Arc::clone(models.manager().files()), listing.now());
    let collected = tokio::task::spawn_blocking(move || collecting::collect(&files.store, &listing, now_ms())).await;
    match collected {
        Ok(Ok(gone)) if !gone.is_empty() => {
            tracing::info!(count = gone.len(), "files of models that nobody uses were put away")
        }
        Ok(Err(error)) => tracing::warn!(%error, "files of models that nobody uses cannot be put away"),
        _ => {}
    }
}

/// Now, in milliseconds since 1970.
fn now_ms() -> u64 {
    u64::try_from(timeloom_commands::Clock::now_ms(&MachineClock)).unwrap_or(0)
}
