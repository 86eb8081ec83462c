//! The engine of one process: what it is made of, how it starts and stops, and what its executions share.
//!
//! One task an execution, and it alone writes the execution's stream. A crash loses nothing: the next process that has the
//! execution's shard goes on from its last event.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono_tz::Tz;
use timeloom_commands::{Clock, Ids};
use timeloom_domain::ids::WorkflowId;
use timeloom_domain::item::JsonObject;
use timeloom_expressions::evaluator::Evaluator;
use timeloom_expressions::port::Limits;
use timeloom_store::leases::Shard;
use timeloom_store::{EventLog, Leases, LogError, StreamKey};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission;
use crate::chain::ContinueAsNew;
use crate::checkpoint::{Checkpoint, CheckpointStore};
use crate::follow::Follower;
use crate::node::{NodeRegistry, Services};
use crate::open::OpenExecutions;
use crate::places::Places;
use crate::plan::Plan;
use crate::shards::Shards;

/// How often it is remembered where to begin after a restart.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(5);
/// Plans kept ready.
const PLANS_MAX: usize = 512;

/// What the engine is made of.
pub struct EngineParts {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The node types.
    pub registry: Arc<NodeRegistry>,
    /// Expressions and scripts.
    pub evaluator: Arc<Evaluator>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Arc<dyn Ids>,
    /// Clients for the outside world.
    pub services: Arc<Services>,
    /// Where to begin after a restart.
    pub checkpoints: Arc<dyn CheckpointStore>,
    /// Which executions this process drives.
    pub leases: Arc<dyn Leases>,
}

/// How the engine is set.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Zone of workflows that name none.
    pub timezone: Tz,
    /// `$vars`.
    pub vars: Arc<JsonObject>,
    /// `$env`: the names that the deployment allows.
    pub env: Arc<JsonObject>,
    /// Executions under way at once; more wait.
    pub executions_max: usize,
    /// Executions of one tenant under way at once; more wait.
    pub tenant_executions_max: usize,
    /// Computations at once.
    pub bursts_max: usize,
    /// Limits of one Code node run.
    pub code_limits: Limits,
    /// When a long execution goes on in another stream.
    pub continue_as_new: ContinueAsNew,
    /// Where this deployment is reached from outside, without a slash at the end.
    pub public_url: Arc<str>,
}

/// The engine of one process. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) parts: EngineParts,
    pub(crate) options: EngineOptions,
    pub(crate) bursts: Semaphore,
    pub(crate) places: Places,
    plans: Mutex<HashMap<PlanKey, Arc<Plan>>>,
    open: Mutex<OpenExecutions>,
    shards: Mutex<Shards>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stopping: CancellationToken,
}

/// Whether an execution may have events after its first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// It began this moment: what is in hand is all there is.
    New,
    /// It may have gone on: the log must be read.
    Old,
}

/// Which state of which workflow.
pub(crate) type PlanKey = (StreamKey, u64, Option<u32>, WorkflowId);

impl Engine {
    /// An engine that does nothing until [`Engine::start`].
    pub fn new(parts: EngineParts, options: EngineOptions) -> Self {
        let limits = admission::Limits { process: options.executions_max, tenant: options.tenant_executions_max };
        let inner = Inner {
            bursts: Semaphore::new(options.bursts_max),
            places: Places::new(limits),
            plans: Mutex::default(),
            open: Mutex::default(),
            shards: Mutex::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            parts,
            options,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Begins to drive executions: the open ones first, then new ones as they come.
    ///
    /// # Errors
    /// [`LogError`] when the place to begin cannot be read.
    pub async fn start(&self) -> Result<(), LogError> {
        let checkpoint = self.inner.parts.checkpoints.load().await?;
        let follower = Follower::new(self.clone());
        self.inner.tasks.spawn(follower.run(checkpoint));
        let engine = self.clone();
        self.inner.tasks.spawn(async move { engine.remember().await });
        Ok(())
    }

    /// Stops: executions rest at their last event and go on at the next start, or in another process. Leases are kept: it is
    /// for their owner to leave after this.
    pub async fn stop(&self) {
        self.inner.stopping.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        let checkpoint = self.inner.lock_open().checkpoint();
        if let Err(error) = self.inner.parts.checkpoints.save(&checkpoint).await {
            tracing::warn!(%error, "the engine's place in the log was not remembered; the next start takes longer");
        }
    }

    /// Whether this process has the lease by which things with that id are driven, at this moment.
    pub fn drives(&self, id: &str) -> bool {
        self.inner.lock_shards().hold(Shard::of(id)).is_some_and(|hold| hold.is_valid())
    }

    /// How many executions are open, in all processes, as far as this one knows.
    pub fn open_count(&self) -> usize {
        self.inner.lock_open().count()
    }

    /// How many executions this process drives.
    pub fn driven_count(&self) -> usize {
        self.inner.lock_open().driven_count()
    }

    /// How many executions of this process wait for a place.
    pub fn queued_count(&self) -> usize {
        self.inner.places.waiting_count()
    }

    async fn remember(self) {
        let mut remembered = Checkpoint::default();
        loop {
            tokio::select! {
                () = self.inner.stopping.cancelled() => return,
                () = tokio::time::sleep(CHECKPOINT_INTERVAL) => {}
            }
            let checkpoint = self.inner.lock_open().checkpoint();
            if checkpoint != remembered {
                match self.inner.parts.checkpoints.save(&checkpoint).await {
                    Ok(()) => remembered = checkpoint,
                    Err(error) => tracing::warn!(%error, "the engine's place in the log was not remembered"),
                }
            }
        }
    }
}

impl Inner {
    pub(crate) fn lock_open(&self) -> MutexGuard<'_, OpenExecutions> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shards of this process. Never to be locked by who holds them already; who holds the open executions may.
    pub(crate) fn lock_shards(&self) -> MutexGuard<'_, Shards> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A plan that was made before.
    pub(crate) fn known_plan(&self, key: &PlanKey) -> Option<Arc<Plan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Keeps a plan for the next execution.
    pub(crate) fn keep_plan(&self, key: PlanKey, plan: &Arc<Plan>) {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= PLANS_MAX {
            plans.clear();
        }
        plans.insert(key, Arc::clone(plan));
    }
}
