//! Versions of models in memory: loaded when they are first asked for, or as soon as somebody wants them kept.
//!
//! Invariant: a version of a tenant's model is loaded at most once at a time, and every load, failed load and fall-back is
//! told to the log before anything is answered from it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use timeloom_commands::Ids;
use timeloom_domain::ids::{ModelLoadId, Slug, TenantId};
use timeloom_domain::inference::{InferenceWorkerEvent, ModelLoad, Provider, Signature};
use timeloom_domain::model::{ExternalFile, ModelSettings, ModelVersion};
use timeloom_inference::onnx::{LoadError, Loaded, Model, Options, Runtime, Session};
use timeloom_inference::pool::{Clock, Factory, Policy, Pool, Room, Spec, tune, zeros};
use timeloom_inference::{Instance, RunError};
use tokio::sync::OnceCell;

use crate::ask::NotInferred;
use crate::machine::Machine;
use crate::recorder::{Cause, NotRecorded, Recorder};

/// Rows of a batch where the model does not say and nothing was measured.
const ROWS_MAX_DEFAULT: usize = 32;
/// From so many instances on it pays that they share the model's weights.
const SHARED_FROM: usize = 3;
/// How long may be measured how a version is computed fastest.
const TUNING: Duration = Duration::from_secs(2);
/// How long a version that could not be loaded is not tried again.
const FAILED_FOR: Duration = Duration::from_secs(5);
/// How long those who are computed may take when a version is unloaded.
const DRAIN: Duration = Duration::from_secs(30);

/// Where the files of models are.
pub trait ModelFiles: Send + Sync + 'static {
    /// The file of that digest, with these beside it; `None` when this machine does not have it.
    fn path(&self, digest: &str, beside: &[ExternalFile]) -> Option<PathBuf>;
}

/// A version of a model in memory.
#[derive(Debug)]
pub(crate) struct InMemory {
    pub load: ModelLoadId,
    pub pool: Pool,
    pub signature: Arc<Signature>,
    pub settings: ModelSettings,
    pub options: String,
    pub machine: String,
    pub runtime: String,
    pub provider: Provider,
    /// When it was asked last, in milliseconds of the worker's clock.
    used_ms: AtomicU64,
}

impl InMemory {
    /// It is asked now.
    pub fn used(&self, now: Duration) {
        self.used_ms.store(millis(now), Ordering::Relaxed);
    }

    /// How long nobody asked it.
    pub fn idle_for(&self, now: Duration) -> Duration {
        now.saturating_sub(Duration::from_millis(self.used_ms.load(Ordering::Relaxed)))
    }
}

/// Why a version is not in memory.
#[derive(Debug, Clone)]
pub(crate) enum NotInMemory {
    Failed { code: &'static str, reason: String },
    NotRecorded(NotRecorded),
}

impl NotInMemory {
    /// The same, as who asked is told.
    pub fn told(self, model: &Slug, version: u32) -> NotInferred {
        match self {
            Self::Failed { code, reason } => NotInferred::NotLoaded { model: model.clone(), version, code, reason },
            Self::NotRecorded(why) => why.into(),
        }
    }
}

type Key = (TenantId, Slug, u32);
type Slot = Arc<OnceCell<Result<Arc<InMemory>, (Duration, NotInMemory)>>>;

/// All versions that this worker has in memory.
pub(crate) struct Loads {
    runtime: Result<Runtime, String>,
    files: Arc<dyn ModelFiles>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    recorder: Recorder<InferenceWorkerEvent>,
    machine: Machine,
    slots: Mutex<HashMap<Key, Slot>>,
}

impl Loads {
    /// The file of a version on this machine, and the paths of those beside it.
    pub(crate) fn file(&self, version: &ModelVersion) -> Option<(PathBuf, Vec<String>)> {
        let path = self.files.path(&version.digest, beside(version))?;
        Some((path, beside(version).iter().map(|file| file.path.clone()).collect()))
    }

    pub fn new(
        runtime: Result<Runtime, String>,
        files: Arc<dyn ModelFiles>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        recorder: Recorder<InferenceWorkerEvent>,
        machine: Machine,
    ) -> Self {
        Self { runtime, files, clock, ids, recorder, machine, slots: Mutex::default() }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Key, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version in memory, loaded now if it is not.
    pub async fn get(
        &self,
        cause: &Cause,
        name: &Slug,
        version: &ModelVersion,
        settings: &ModelSettings,
    ) -> Result<Arc<InMemory>, NotInMemory> {
        let key = (cause.tenant, name.clone(), version.version);
        let slot = self.slot(&key);
        let found = slot.get_or_init(|| async {
            let loaded = self.load(cause, name, version, settings).await;
            loaded.map(Arc::new).map_err(|why| (self.clock.now(), why))
        });
        found.await.clone().map_err(|(_, why)| why)
    }

    /// The slot of a version; a new one where the last try failed long enough ago.
    fn slot(&self, key: &Key) -> Slot {
        let mut slots = self.slots();
        let is_over = |slot: &Slot| match slot.get() {
            Some(Err((at, _))) => self.clock.now().saturating_sub(*at) >= FAILED_FOR,
            _ => false,
        };
        if slots.get(key).is_some_and(is_over) {
            slots.remove(key);
        }
        Arc::clone(slots.entry(key.clone()).or_default())
    }

    /// Puts a version away: it takes nothing new and answers those who are there.
    pub async fn unload(&self, cause: &Cause, name: &Slug, version: u32, why: &str) {
        let Some(slot) = self.slots().remove(&(cause.tenant, name.clone(), version)) else { return };
        let Some(Ok(held)) = slot.get() else { return };
        held.pool.close(DRAIN).await;
        let (load, model, reason) = (held.load, name.clone(), why.to_owned());
        let unloaded = InferenceWorkerEvent::ModelUnloaded { load, model, version, reason };
        if let Err(error) = self.recorder.record(cause.clone(), &[unloaded]).await {
            tracing::warn!(%error, model = %name, version, "that a model was unloaded could not be written down");
        }
    }

    /// Every version in memory, with whose it is.
    pub fn held(&self) -> Vec<(TenantId, Slug, u32, Arc<InMemory>)> {
        let slots = self.slots();
        let held = slots.iter().filter_map(|((tenant, name, version), slot)| {
            let held = slot.get()?.as_ref().ok()?;
            Some((*tenant, name.clone(), *version, Arc::clone(held)))
        });
        held.collect()
    }

    async fn load(
        &self,
        cause: &Cause,
        name: &Slug,
        version: &ModelVersion,
        settings: &ModelSettings,
    ) -> Result<InMemory, NotInMemory> {
        let outcome = self.try_load(name, version, settings).await;
        let events = match &outcome {
            Ok((held, told)) => {
                let mut events =
                    vec![InferenceWorkerEvent::ModelLoaded(Box::new(self.told_of(name, version, held, told)))];
                events.extend(told.loaded.fell_back.as_ref().map(|back| InferenceWorkerEvent::ProviderFellBack {
                    load: held.load,
                    model: name.clone(),
                    version: version.version,
                    wanted: back.wanted,
                    got: back.got,
                    reason: back.reason.to_string(),
                }));
                events
            }
            Err(Why(code, reason)) => vec![InferenceWorkerEvent::ModelLoadFailed {
                model: name.clone(),
                version: version.version,
                digest: version.digest.clone(),
                code: (*code).to_owned(),
                reason: reason.clone(),
            }],
        };
        self.recorder.record(cause.clone(), &events).await.map_err(NotInMemory::NotRecorded)?;
        outcome.map(|(held, _)| held).map_err(|Why(code, reason)| NotInMemory::Failed { code, reason })
    }

    async fn try_load(
        &self,
        name: &Slug,
        version: &ModelVersion,
        settings: &ModelSettings,
    ) -> Result<(InMemory, Told), Why> {
        let runtime = self.runtime.as_ref().map_err(|why| Why("NO_RUNTIME", why.clone()))?.clone();
        let path = self.files.path(&version.digest, beside(version)).ok_or_else(|| {
            Why("NO_FILE", format!("this machine does not have the file {}: upload it again", version.digest))
        })?;
        let maker = Arc::new(Maker::new(runtime, path, options(settings)));
        let began = self.clock.now();
        let (of, clock, wanted) = (Arc::clone(&maker), Arc::clone(&self.clock), settings.clone());
        let found = tokio::task::spawn_blocking(move || find_out(&of, &wanted, &*clock)).await;
        let Found { signature, policy, loaded, load } =
            found.map_err(|error| Why("NOT_READY", format!("the thread that loads it ended: {error}")))??;
        let options = maker.options(policy.intra_threads).canonical();
        let spec = Spec {
            name: name.to_string(),
            warm_up: zeros(&signature, 1).into_iter().collect(),
            signature: signature.clone(),
            factory: maker,
            policy,
        };
        let pool = Pool::load(spec, Arc::clone(&self.clock)).await;
        let pool = pool.map_err(|error| Why("NOT_READY", error.to_string()))?;
        let warm_up = self.clock.now().saturating_sub(began).saturating_sub(load);
        let provider = loaded.provider;
        let held = InMemory {
            load: ModelLoadId(self.ids.uuid()),
            pool,
            signature: Arc::new(signature),
            settings: settings.clone(),
            options,
            machine: self.machine.of(provider),
            runtime: self.machine.runtime.clone(),
            provider,
            used_ms: AtomicU64::new(millis(self.clock.now())),
        };
        Ok((held, Told { loaded, load, warm_up }))
    }

    fn told_of(&self, name: &Slug, version: &ModelVersion, held: &InMemory, told: &Told) -> ModelLoad {
        let placement = &told.loaded.placement;
        let policy = &held.pool.spec().policy;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        ModelLoad {
            load: held.load,
            model: name.clone(),
            version: version.version,
            digest: version.digest.clone(),
            gpu: held.settings.gpu,
            provider: held.provider,
            nodes: placement.nodes.iter().map(|(name, nodes)| (name.clone(), *nodes as u64)).collect(),
            on_cpu: if held.provider == Provider::Cuda {
                placement.on_cpu.iter().cloned().collect()
            } else {
                Vec::new()
            },
            options: held.options.clone(),
            runtime: held.runtime.clone(),
            machine: held.machine.clone(),
            instances: count(policy.instances_max),
            threads: count(policy.intra_threads),
            rows_max: count(policy.batch_rows_max),
            load_ms: millis(told.load),
            warm_up_ms: millis(told.warm_up),
        }
    }
}

/// What is in the way, as a word and in words.
struct Why(&'static str, String);

impl From<LoadError> for Why {
    fn from(error: LoadError) -> Self {
        let code = match &error {
            LoadError::Unreadable { .. } => "NO_FILE",
            LoadError::Options(_) => "INVALID_OPTIONS",
            LoadError::Rejected(_) | LoadError::Signature { .. } => "BROKEN_FILE",
            LoadError::Gpu(_) => "NO_GPU",
            LoadError::NotAllOnGpu(_) => "NOT_ALL_ON_GPU",
            LoadError::OutOfMemory(_) => "OUT_OF_MEMORY",
        };
        Self(code, error.to_string())
    }
}

/// What is told of a load.
struct Told {
    loaded: Loaded,
    load: Duration,
    warm_up: Duration,
}

/// What was found out of a version before its pool was made.
struct Found {
    signature: Signature,
    policy: Policy,
    loaded: Loaded,
    load: Duration,
}

/// Loads a version once, and measures what its settings leave open.
fn find_out(maker: &Maker, settings: &ModelSettings, clock: &dyn Clock) -> Result<Found, Why> {
    let began = clock.now();
    let first = maker.session(maker.options.intra_threads)?;
    let (signature, loaded, rows) = (first.signature().clone(), first.loaded().clone(), first.facts().rows_max);
    drop(first);
    let load = clock.now().saturating_sub(began);
    let rows_max = settings.rows_max.map_or(ROWS_MAX_DEFAULT, |rows| rows as usize).min(rows).max(1);
    let mut policy = policy(settings, rows_max);
    let is_open = settings.threads.is_none() || settings.instances_max.is_none();
    if is_open && loaded.provider == Provider::Cpu {
        let cores = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        let instances_max = settings.instances_max.and_then(|most| NonZero::new(most as usize)).unwrap_or(cores);
        let rows_max = NonZero::new(rows_max).unwrap_or(NonZero::<usize>::MIN);
        let room = Room { cores, instances_max, rows_max, budget: TUNING };
        let tuned = tune(maker, &|rows| zeros(&signature, rows), &room, clock);
        let best = tuned.map_err(|error| Why("NOT_READY", error.to_string()))?.best;
        policy.intra_threads = settings.threads.map_or(best.intra_threads, |threads| threads as usize);
        policy.instances_max = settings.instances_max.map_or(best.instances, |most| most as usize);
        policy.instances_max = policy.instances_max.max(policy.instances_min);
        maker.forget_but(policy.intra_threads);
    }
    Ok(Found { signature, policy, loaded, load })
}

/// Makes sessions of one file. Those with as many threads share the weights that the processor lays out anew.
struct Maker {
    runtime: Runtime,
    path: PathBuf,
    options: Options,
    models: Mutex<HashMap<usize, Arc<Model>>>,
}

impl Maker {
    fn new(runtime: Runtime, path: PathBuf, options: Options) -> Self {
        Self { runtime, path, options, models: Mutex::default() }
    }

    fn options(&self, intra_threads: usize) -> Options {
        Options { intra_threads, ..self.options.clone() }
    }

    /// Keeps the file open for sessions with that many threads alone: others were only measured.
    fn forget_but(&self, intra_threads: usize) {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        models.retain(|threads, _| *threads == intra_threads);
    }

    fn session(&self, intra_threads: usize) -> Result<Session, LoadError> {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        let model = match models.entry(intra_threads) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(new) => {
                let model = Model::open(&self.runtime, &self.path, self.options(intra_threads))?;
                Arc::clone(new.insert(Arc::new(model)))
            }
        };
        drop(models);
        model.session()
    }
}

impl Factory for Maker {
    fn make(&self, intra_threads: usize) -> Result<Box<dyn Instance>, RunError> {
        let session = self.session(intra_threads).map_err(|error| RunError::Failed(error.to_string()))?;
        Ok(Box::new(session))
    }
}

/// The files beside a version's own.
fn beside(version: &ModelVersion) -> &[ExternalFile] {
    version.file.as_ref().map_or(&[], |file| &file.external)
}

fn options(settings: &ModelSettings) -> Options {
    Options {
        gpu: settings.gpu,
        intra_threads: settings.threads.map_or(1, |threads| threads as usize),
        tf32: settings.tf32,
        finite_only: settings.finite_only,
        shared: settings.instances_max.is_some_and(|most| most as usize >= SHARED_FROM),
        ..Options::default()
    }
}

fn policy(settings: &ModelSettings, rows_max: usize) -> Policy {
    let instances_min = settings.instances_min as usize;
    Policy {
        batch_rows_max: rows_max,
        queue_delay_max: Duration::from_micros(settings.queue_delay_us),
        queue_requests_max: settings.queue_max as usize,
        wait_max: Duration::from_millis(settings.timeout_ms),
        instances_min,
        instances_max: settings.instances_max.map_or(instances_min, |most| most as usize),
        intra_threads: settings.threads.map_or(1, |threads| threads as usize),
        ..Policy::default()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
