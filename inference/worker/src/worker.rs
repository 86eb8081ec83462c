//! The life of a worker: it begins, has versions of models in memory, and ends; each of it is written down.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use timeloom_commands::{Clock as WallClock, Commands, Ids};
use timeloom_domain::ids::{Actor, FIRST_TENANT, InferenceWorkerId, Slug, TenantId};
use timeloom_domain::inference::{InferenceEvent, InferenceWorkerEvent, Provider, Signature};
use timeloom_domain::model::{Model, ModelReference, ModelRefusal};
use timeloom_inference::onnx::Runtime;
use timeloom_inference::pool::{Clock, Counts, Policy};
use timeloom_store::{BlobStore, EventLog};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::afterwards::Afterwards;
use crate::ask::NotInferred;
use crate::loads::{Loads, ModelFiles};
use crate::machine::Machine;
use crate::recorder::{Cause, NotRecorded, Recorder};
use crate::windows::Windows;

/// Most copies of questions that are computed for comparison at a time; others are left out.
const COPIES_MAX: usize = 64;

/// What a worker is made of.
pub struct Parts {
    /// Which one it is: that of its process, so that it can be told whether it is there still.
    pub id: InferenceWorkerId,
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Where tensors go that are too large for events.
    pub blobs: Arc<dyn BlobStore>,
    /// All models at a glance.
    pub commands: Commands,
    /// The time of day.
    pub clock: Arc<dyn WallClock>,
    /// The time that passes.
    pub ticks: Arc<dyn Clock>,
    /// Where ids come from.
    pub ids: Arc<dyn Ids>,
    /// ONNX Runtime, or why there is none.
    pub runtime: Result<Runtime, String>,
    /// Where the files of models are.
    pub files: Arc<dyn ModelFiles>,
    /// Settings of the environment that change what is computed, such as `NVIDIA_TF32_OVERRIDE=1`.
    pub overrides: Vec<String>,
}

/// What is known of a version that answers.
#[derive(Debug, Clone)]
pub struct Described {
    /// The version.
    pub version: u32,
    /// What goes in and comes out.
    pub signature: Arc<Signature>,
    /// How its requests are gathered.
    pub policy: Policy,
    /// Who computes, as it was seen.
    pub provider: Provider,
    /// Whether it can compute now.
    pub ready: bool,
    /// Its file on this machine, with those that lie beside it.
    pub file: Option<(PathBuf, Vec<String>)>,
}

/// Takes questions to models. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub id: InferenceWorkerId,
    pub blobs: Arc<dyn BlobStore>,
    pub commands: Commands,
    pub clock: Arc<dyn WallClock>,
    pub ticks: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub loads: Loads,
    pub inferences: Recorder<InferenceEvent>,
    pub workers: Recorder<InferenceWorkerEvent>,
    pub windows: Windows,
    pub afterwards: Afterwards,
    pub draining: CancellationToken,
    /// Copies of questions that are computed for comparison.
    pub copies: Arc<Semaphore>,
    pub tasks: TaskTracker,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Worker").field("id", &self.inner.id).finish_non_exhaustive()
    }
}

/// The worker itself as the cause of something in a tenant.
pub(crate) fn itself(tenant: TenantId) -> Cause {
    Cause { tenant, actor: Actor::System("inference".to_owned()), causation: None, correlation: None }
}

impl Worker {
    /// Begins a worker's life: writes down what it runs on. Must be called within a runtime.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub async fn start(parts: Parts) -> Result<Self, NotRecorded> {
        let id = parts.id;
        let inferences = Recorder::new(Arc::clone(&parts.log), Arc::clone(&parts.ids), id);
        let workers = Recorder::new(parts.log, Arc::clone(&parts.ids), id);
        let (machine, told) = Machine::here(&parts.runtime, parts.overrides);
        workers
            .record(itself(FIRST_TENANT), &[InferenceWorkerEvent::InferenceWorkerStarted { machine: Box::new(told) }])
            .await?;
        let loads = Loads::new(
            parts.runtime,
            parts.files,
            Arc::clone(&parts.ticks),
            Arc::clone(&parts.ids),
            workers.clone(),
            machine,
        );
        let inner = Inner {
            id,
            blobs: parts.blobs,
            commands: parts.commands,
            clock: parts.clock,
            ticks: parts.ticks,
            ids: parts.ids,
            loads,
            inferences,
            workers,
            windows: Windows::default(),
            afterwards: Afterwards::default(),
            draining: CancellationToken::new(),
            copies: Arc::new(Semaphore::new(COPIES_MAX)),
            tasks: TaskTracker::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Its id: that of the streams into which it writes.
    pub fn id(&self) -> InferenceWorkerId {
        self.inner.id
    }

    /// Takes no more questions, answers those that it has, puts all models away and writes down that it ended.
    pub async fn close(&self) {
        let inner = &self.inner;
        inner.draining.cancel();
        inner.tasks.close();
        inner.tasks.wait().await;
        let draining = InferenceWorkerEvent::InferenceWorkerDraining {};
        let mut told = inner.workers.record(itself(FIRST_TENANT), &[draining]).await;
        for (tenant, name, version, _) in inner.loads.held() {
            inner.loads.unload(&itself(tenant), &name, version, "stopping").await;
        }
        self.close_windows(true);
        inner.inferences.close().await;
        told = told
            .and(inner.workers.record(itself(FIRST_TENANT), &[InferenceWorkerEvent::InferenceWorkerStopped {}]).await);
        if let Err(error) = told {
            tracing::warn!(%error, "that an inference worker ended could not be written down");
        }
        inner.workers.close().await;
    }

    /// Writes down the sums of those windows whose time is up, and puts away what was not asked for `idle` and need not be
    /// kept, or may not answer any more. To be called now and then.
    pub async fn tidy(&self, idle: Duration) {
        self.close_windows(false);
        let models = self.inner.commands.models().now();
        for (tenant, name, version, held) in self.inner.loads.held() {
            let model = models.model(tenant, &name);
            let answers = model.filter(|model| !model.disabled && !model.retired);
            let known = answers.and_then(|model| model.version(version)).is_some_and(|known| known.withdrawn.is_none());
            let kept = model.is_some_and(|model| model.kept_loaded.contains(&version));
            let why = if !known {
                "withdrawn"
            } else if !kept && held.idle_for(self.inner.ticks.now()) >= idle {
                "idle"
            } else {
                continue;
            };
            self.inner.loads.unload(&itself(tenant), &name, version, why).await;
        }
    }

    fn close_windows(&self, all: bool) {
        for (tenant, window) in self.inner.windows.take(self.inner.clock.now_ms(), all) {
            self.note(&itself(tenant), InferenceEvent::InferenceWindowClosed(Box::new(window)));
        }
    }

    /// What is known of the version that answers, which is loaded if it is not.
    ///
    /// # Errors
    /// When no version answers, or it cannot be loaded.
    pub async fn describe(&self, cause: &Cause, reference: &ModelReference) -> Result<Described, NotInferred> {
        let model = self.model(cause, &reference.name).await?;
        let version = model.resolve(&reference.version, None)?;
        let held = self.inner.loads.get(cause, &reference.name, version, &model.settings).await;
        let held = held.map_err(|why| why.told(&reference.name, version.version))?;
        Ok(Described {
            version: version.version,
            signature: Arc::clone(&held.signature),
            policy: held.pool.spec().policy.clone(),
            provider: held.provider,
            ready: held.pool.is_ready(),
            file: self.inner.loads.file(version),
        })
    }

    /// The versions of a tenant that are in memory, with what they counted.
    pub fn held_of(&self, tenant: TenantId) -> Vec<(Slug, u32, Counts)> {
        let held = self.inner.loads.held().into_iter().filter(|(of, ..)| *of == tenant);
        held.map(|(_, name, version, held)| (name, version, held.pool.counts())).collect()
    }

    /// The numbers of every version that is in memory, whoever's it is.
    pub fn all_held(&self) -> Vec<(TenantId, Slug, u32, Counts)> {
        let held = self.inner.loads.held().into_iter();
        held.map(|(tenant, name, version, held)| (tenant, name, version, held.pool.counts())).collect()
    }

    /// Puts a version away until it is asked for again.
    pub async fn unload(&self, cause: &Cause, model: &Slug, version: u32) {
        self.inner.loads.unload(cause, model, version, "asked").await;
    }

    /// A model as it is now.
    pub(crate) async fn model(&self, cause: &Cause, name: &Slug) -> Result<Arc<Model>, NotInferred> {
        let models = self.inner.commands.models();
        let listing = if models.is_caught_up() { Ok(models.now()) } else { models.caught_up().await };
        let listing = listing.map_err(|_| NotInferred::Draining)?;
        Ok(Arc::clone(listing.model(cause.tenant, name).ok_or_else(|| ModelRefusal::NoModel(name.clone()))?))
    }

    pub(crate) fn note(&self, cause: &Cause, event: InferenceEvent) {
        if let Err(error) = self.inner.inferences.note(cause.clone(), &[event]) {
            tracing::warn!(%error, "something of an inference will not be written down");
        }
    }
}
