//! The runner: finds executions in the log and drives each to its end.
//!
//! One task an execution, and it alone writes the execution's stream. A crash loses nothing: at the next start the
//! runner reads the open executions from the log and goes on from their last event.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono_tz::Tz;
use serde::Deserialize;
use timeloom_commands::{Clock, Ids};
use timeloom_domain::event::Event;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::ids::{Actor, ExecutionId, WorkflowId};
use timeloom_domain::item::JsonObject;
use timeloom_expressions::evaluator::Evaluator;
use timeloom_expressions::port::Limits;
use timeloom_store::{
    EventLog, Filter, LogError, Position, RecordedEvent, StreamKey, SubscriptionMessage, TenantScope,
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chain::{ContinueAsNew, stream_of};
use crate::checkpoint::CheckpointStore;
use crate::drive::Drive;
use crate::node::{NodeRegistry, Services};
use crate::open::{Hold, OpenExecutions};
use crate::plan::Plan;

/// Events that a runner may lag behind the log before it reads again from where it was.
const SUBSCRIPTION_EVENTS_MAX: usize = 65_536;
/// How often the settled position is remembered.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(5);
/// Pause before the log is followed again after it failed.
const FOLLOW_PAUSE: Duration = Duration::from_secs(1);
/// The events by which executions are found. One that was left by `ExecutionContinuedAsNew` stays open until the next
/// stream begins: if that never came, the engine that finds it has to begin it.
const FOLLOWED_TYPES: [&str; 10] = [
    "ExecutionStarted",
    "ExecutionContinued",
    "ExecutionRetried",
    "ExecutionCompleted",
    "ExecutionFailed",
    "ExecutionCancelled",
    "ExecutionResumed",
    "ExecutionPaused",
    "ExecutionUnpaused",
    "ExecutionBreakpointsChanged",
];
/// Longest sleep before it is looked again for executions whose time has come: the clock may have been set.
const ALARM_LOOK_INTERVAL: Duration = Duration::from_secs(30);
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
    executions: Arc<Semaphore>,
    plans: Mutex<HashMap<PlanKey, Arc<Plan>>>,
    open: Mutex<OpenExecutions>,
    /// Told when an execution rests until a time.
    pub(crate) alarm_set: Notify,
    tasks: TaskTracker,
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
        let inner = Inner {
            bursts: Semaphore::new(options.bursts_max),
            executions: Arc::new(Semaphore::new(options.executions_max)),
            plans: Mutex::default(),
            open: Mutex::default(),
            alarm_set: Notify::new(),
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
        let from = self.inner.parts.checkpoints.load().await?;
        self.inner.lock_open().resume_from(from);
        let engine = self.clone();
        self.inner.tasks.spawn(async move { engine.follow(from).await });
        let engine = self.clone();
        self.inner.tasks.spawn(async move { engine.remember_settled().await });
        let engine = self.clone();
        self.inner.tasks.spawn(async move { engine.take_up_due().await });
        Ok(())
    }

    /// Stops: executions rest at their last event and go on at the next start.
    pub async fn stop(&self) {
        self.inner.stopping.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        let settled = self.inner.lock_open().settled();
        if let Err(error) = self.inner.parts.checkpoints.save(settled).await {
            tracing::warn!(%error, "the engine's place in the log was not remembered; the next start takes longer");
        }
    }

    /// How many executions are under way.
    pub fn open_count(&self) -> usize {
        self.inner.lock_open().count()
    }

    /// Follows the log for executions that begin or are cancelled.
    async fn follow(self, mut from: Position) {
        let filter = Filter {
            categories: vec![Arc::from(ExecutionEvent::CATEGORY)],
            event_types: FOLLOWED_TYPES.map(Arc::from).to_vec(),
            stream: None,
        };
        loop {
            let log = &self.inner.parts.log;
            let mut subscription = log.subscribe(TenantScope::All, from, filter.clone(), SUBSCRIPTION_EVENTS_MAX);
            // Until history is behind, a started execution may be one that has ended: those are not begun.
            let mut history = Some(HashMap::new());
            loop {
                let message = tokio::select! {
                    () = self.inner.stopping.cancelled() => return,
                    message = subscription.next() => message,
                };
                match message {
                    Some(SubscriptionMessage::Event(event)) => {
                        from = event.position;
                        self.take(event, history.as_mut());
                    }
                    Some(SubscriptionMessage::Checkpoint(position)) => from = from.max(position),
                    Some(SubscriptionMessage::CaughtUp(_)) => self.begin_found(history.take()),
                    Some(SubscriptionMessage::FellBehind(position)) => {
                        self.begin_found(history.take());
                        from = from.min(position);
                        break;
                    }
                    Some(SubscriptionMessage::Failed(error)) => {
                        tracing::error!(%error, "the engine cannot follow the log");
                        // `from` has passed them: what was found so far is not found again.
                        self.begin_found(history.take());
                        tokio::select! {
                            () = self.inner.stopping.cancelled() => return,
                            () = tokio::time::sleep(FOLLOW_PAUSE) => {}
                        }
                        break;
                    }
                    None => return,
                }
            }
        }
    }

    /// Takes up what history left open, in the order in which it began.
    fn begin_found(&self, found: Option<HashMap<StreamKey, Arc<RecordedEvent>>>) {
        let mut found: Vec<_> = found.into_iter().flat_map(HashMap::into_values).collect();
        found.sort_unstable_by_key(|event| event.position);
        found.into_iter().for_each(|event| self.begin(event, Age::Old));
    }

    fn take(&self, event: Arc<RecordedEvent>, history: Option<&mut HashMap<StreamKey, Arc<RecordedEvent>>>) {
        let begins = matches!(&*event.event_type, "ExecutionStarted" | "ExecutionContinued" | "ExecutionRetried");
        let ends = matches!(&*event.event_type, "ExecutionCompleted" | "ExecutionFailed" | "ExecutionCancelled");
        if &*event.event_type == "ExecutionCancelled" {
            // While history is read again, after falling behind, executions of this process are under way.
            self.inner.lock_open().cancel(&event.stream);
        }
        if !begins && !ends {
            // What the engine did itself it knows.
            if !matches!(event.metadata.actor, Actor::System(_)) {
                self.nudge(&event.stream);
            }
            return;
        }
        match history {
            Some(open) if begins => {
                if let Some(left) = left_by(&event) {
                    open.remove(&left);
                }
                open.insert(event.stream.clone(), event);
            }
            Some(open) => {
                open.remove(&event.stream);
            }
            None if begins => self.begin(event, Age::New),
            None => {}
        }
    }

    /// Drives an execution in a task of its own.
    fn begin(&self, started: Arc<RecordedEvent>, age: Age) {
        let begun = self.inner.lock_open().begin(&started.stream, started.position, &self.inner.stopping);
        if let Some(hold) = begun {
            self.drive(started, hold, age);
        }
    }

    fn drive(&self, started: Arc<RecordedEvent>, hold: Hold, age: Age) {
        let engine = self.clone();
        self.inner.tasks.spawn(async move {
            if let Some(ended) = Drive::new(&engine, started, hold).run(age).await {
                engine.inner.lock_open().end(&ended);
            }
        });
    }

    /// Somebody else wrote into an execution's stream.
    fn nudge(&self, stream: &StreamKey) {
        let rested = self.inner.lock_open().nudge(stream);
        if let Some((started, hold)) = rested {
            self.drive(started, hold, Age::Old);
        }
    }

    /// Takes executions up whose time has come.
    async fn take_up_due(self) {
        loop {
            let now_ms = self.inner.parts.clock.now_ms();
            let (due, next_ms) = self.inner.lock_open().due(now_ms);
            for (started, hold) in due {
                self.drive(started, hold, Age::Old);
            }
            let wait = next_ms.map(|next_ms| u64::try_from(next_ms.saturating_sub(now_ms)).unwrap_or(0));
            let wait = wait.map_or(ALARM_LOOK_INTERVAL, Duration::from_millis).min(ALARM_LOOK_INTERVAL);
            tokio::select! {
                () = self.inner.stopping.cancelled() => return,
                () = self.inner.alarm_set.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn remember_settled(self) {
        let mut remembered = Position::START;
        loop {
            tokio::select! {
                () = self.inner.stopping.cancelled() => return,
                () = tokio::time::sleep(CHECKPOINT_INTERVAL) => {}
            }
            let settled = self.inner.lock_open().settled();
            if settled > remembered {
                match self.inner.parts.checkpoints.save(settled).await {
                    Ok(()) => remembered = settled,
                    Err(error) => tracing::warn!(%error, "the engine's place in the log was not remembered"),
                }
            }
        }
    }
}

/// The stream that an execution left when it went on in that of `event`.
fn left_by(event: &RecordedEvent) -> Option<StreamKey> {
    #[derive(Deserialize)]
    struct Previous {
        previous: ExecutionId,
    }

    if &*event.event_type != "ExecutionContinued" {
        return None;
    }
    let Previous { previous } = serde_json::from_str(event.payload.get()).ok()?;
    Some(stream_of(&event.stream, previous))
}

impl Inner {
    /// A place among the executions under way; `None` when `cancelled` comes first.
    pub(crate) async fn place(&self, cancelled: &CancellationToken) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            biased;
            () = cancelled.cancelled() => None,
            permit = Arc::clone(&self.executions).acquire_owned() => permit.ok(),
        }
    }

    pub(crate) fn lock_open(&self) -> MutexGuard<'_, OpenExecutions> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the engine was told to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
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
