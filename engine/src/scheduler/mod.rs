//! The scheduler: starts an execution when a schedule of an active workflow is due.
//!
//! Any number of processes may run one over the same log, without a lock: the id of an execution follows from workflow,
//! node and time, so of all that start it exactly one appends. It never decides what is active: the command looks once
//! more. Invariant: the mark is saved only after everything due up to it has begun or was refused.

mod agenda;
mod timer;

use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use futures::StreamExt as _;
use timeloom_commands::directory::{Listing, TriggerKind, TriggerNode, WorkflowEntry};
use timeloom_commands::{CommandContext, CommandError, Commands, Directory, StartExecution};
use timeloom_domain::execution::TriggerFacts;
use timeloom_domain::ids::{Actor, CommandId, ExecutionId, WorkflowId};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_store::LogError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use agenda::{ActiveSchedule, Agenda, Firing, LATE_MS_MAX, MADE_UP_MAX, ScheduleKey};
pub use timer::{ClockTimer, Timer};

use crate::schedule::{SCHEDULE_TRIGGER, Schedule, firing_item};
use timeloom_store::mark::Mark;

/// Firings that are begun at the same time.
const FIRINGS_AT_ONCE: usize = 64;
/// Pause before a firing is begun again after the log failed; it doubles each time.
const FAULT_PAUSE: Duration = Duration::from_millis(200);
/// Longest such pause.
const FAULT_PAUSE_MAX: Duration = Duration::from_secs(5);
/// How often the mark is saved at most, in milliseconds.
const MARK_INTERVAL_MS: i64 = 2_000;

/// What the scheduler is made of.
pub struct SchedulerParts {
    /// The way in for executions.
    pub commands: Commands,
    /// What is active.
    pub directory: Directory,
    /// Waits for a time.
    pub timer: Arc<dyn Timer>,
    /// Remembers up to when everything due has begun, in milliseconds since 1970.
    pub mark: Arc<dyn Mark>,
    /// Zone of workflows that name none.
    pub timezone: Tz,
}

/// The scheduler of one process. Cheap to clone.
#[derive(Clone)]
pub struct Scheduler {
    parts: Arc<SchedulerParts>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// The id of the execution that a schedule starts: the same in every process.
pub fn firing_id(workflow_id: WorkflowId, node: &str, due_at_ms: i64) -> ExecutionId {
    ExecutionId(Uuid::new_v5(&workflow_id.0, format!("schedule/{due_at_ms}/{node}").as_bytes()))
}

impl Scheduler {
    /// A scheduler that does nothing until [`Scheduler::start`].
    pub fn new(parts: SchedulerParts) -> Self {
        Self { parts: Arc::new(parts), tasks: TaskTracker::new(), stopping: CancellationToken::new() }
    }

    /// Begins to start executions.
    pub fn start(&self) {
        let scheduler = self.clone();
        self.tasks.spawn(async move {
            if let Err(error) = scheduler.run().await {
                tracing::error!(%error, "the schedules stand still until the next start");
            }
        });
    }

    /// Stops, and saves the mark.
    pub async fn stop(&self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn run(&self) -> Result<(), LogError> {
        let SchedulerParts { commands, directory, timer, .. } = &*self.parts;
        let Some(mut mark) = self.load_mark().await else { return Ok(()) };
        let mut changes = directory.changes();
        tokio::select! {
            caught_up = directory.caught_up() => { caught_up?; }
            () = self.stopping.cancelled() => return Ok(()),
        }
        let listing = Arc::clone(&changes.borrow_and_update());
        let (mut agenda, mut activations) = (Agenda::default(), listing.activations());
        let now_ms = commands.clock().now_ms();
        // The first start of all: what is due from now on can be missed.
        let done_ms = mark.done_ms.unwrap_or_else(|| mark.done(now_ms));
        agenda.replace(self.active(&listing), now_ms, Some(done_ms));
        loop {
            let now_ms = commands.clock().now_ms();
            let firings = agenda.take_due(now_ms);
            if !firings.is_empty() {
                if !self.begin_all(firings).await {
                    return Ok(());
                }
                mark.done(now_ms);
            }
            self.save(&mut mark, now_ms, MARK_INTERVAL_MS).await;
            let wake_ms = agenda.next_at().into_iter().chain(mark.due_at(MARK_INTERVAL_MS)).min();
            tokio::select! {
                () = self.stopping.cancelled() => break,
                changed = changes.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let listing = Arc::clone(&changes.borrow_and_update());
                    if listing.activations() != activations {
                        activations = listing.activations();
                        agenda.replace(self.active(&listing), commands.clock().now_ms(), None);
                    }
                }
                () = wait(timer.as_ref(), wake_ms) => {}
            }
        }
        self.save(&mut mark, commands.clock().now_ms(), i64::MIN).await;
        Ok(())
    }

    /// The mark that was saved; `None` when the scheduler is to stop before the storage answers.
    async fn load_mark(&self) -> Option<Progress> {
        let mut pause = FAULT_PAUSE;
        loop {
            match self.parts.mark.load().await {
                Ok(done_ms) => {
                    let done_ms = done_ms.map(|done_ms| i64::try_from(done_ms).unwrap_or(i64::MAX));
                    return Some(Progress { done_ms, saved_at_ms: i64::MIN, is_saved: true });
                }
                Err(error) => {
                    tracing::warn!(%error, "the time up to which schedules were served cannot be read; trying again");
                    if !self.pause(&mut pause).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Saves the mark when it is due again. Losing it costs a second look at what has begun, never an execution.
    async fn save(&self, mark: &mut Progress, now_ms: i64, interval_ms: i64) {
        let Some(done_ms) = mark.done_ms.filter(|_| mark.due_at(interval_ms).is_some_and(|due| due <= now_ms)) else {
            return;
        };
        match self.parts.mark.save(u64::try_from(done_ms).unwrap_or(0)).await {
            Ok(()) => mark.is_saved = true,
            Err(error) => tracing::warn!(%error, "the time up to which schedules were served was not remembered"),
        }
        mark.saved_at_ms = now_ms;
    }

    /// The schedules of all active versions. One that says no time was refused when it was activated: it is only told.
    fn active(&self, listing: &Listing) -> Vec<ActiveSchedule> {
        let triggers = listing.active_triggers(TriggerKind::Schedule);
        triggers.filter_map(|(workflow, trigger)| self.schedule(workflow, trigger)).collect()
    }

    fn schedule(&self, workflow: &WorkflowEntry, trigger: &TriggerNode) -> Option<ActiveSchedule> {
        let active = workflow.active.as_ref()?;
        let (workflow_id, node) = (workflow.id, trigger.name.as_str());
        let settings = &active.facts.settings;
        let zone = match settings.timezone.as_deref() {
            None | Some("" | "DEFAULT") => self.parts.timezone,
            Some(name) => match name.parse() {
                Ok(zone) => zone,
                Err(_) => {
                    tracing::warn!(%workflow_id, zone = name, "a schedule has a time zone that is not known: it is never due");
                    return None;
                }
            },
        };
        match Schedule::parse(&trigger.node_type, &trigger.parameters) {
            Ok(schedule) => Some(ActiveSchedule {
                key: ScheduleKey { tenant: workflow.tenant, workflow_id, node: Arc::from(node) },
                version: active.version,
                since_ms: active.version_since_ms,
                timetable: schedule.timetable(active.since_ms, zone),
                zone,
                tells_time: trigger.node_type == SCHEDULE_TRIGGER,
                misfire: settings.misfire.unwrap_or_default(),
            }),
            Err(error) => {
                tracing::warn!(%workflow_id, node, %error, "a schedule says no time: it is never due");
                None
            }
        }
    }

    /// Begins the executions that are due; false when the scheduler was stopped before all had begun.
    async fn begin_all(&self, firings: Vec<Firing>) -> bool {
        let begun = futures::stream::iter(firings).map(|firing| async move { self.begin(&firing).await });
        begun.buffer_unordered(FIRINGS_AT_ONCE).fold(true, |all, begun| async move { all && begun }).await
    }

    /// Begins one execution, as often as it takes; false when the scheduler is to stop.
    async fn begin(&self, firing: &Firing) -> bool {
        let ActiveSchedule { key, version, zone, tells_time, .. } = &*firing.schedule;
        let id = firing_id(key.workflow_id, &key.node, firing.due_at_ms);
        // The same in every process: whoever comes second gets the first one's answer.
        let context = CommandContext::trusted(key.tenant, Actor::System("scheduler".to_owned()), CommandId(id.0));
        let json = if *tells_time { firing_item(firing.due_at_ms, *zone) } else { JsonObject::new() };
        let start = StartExecution {
            execution_id: Some(id),
            version: Some(*version),
            start_node: Some(key.node.to_string()),
            items: Some(vec![Item::new(json)]),
            ..StartExecution::by_trigger(key.workflow_id, TriggerFacts::Schedule { due_at_ms: firing.due_at_ms })
        };
        let mut pause = FAULT_PAUSE;
        loop {
            let (workflow_id, node) = (key.workflow_id, &key.node);
            match self.parts.commands.start_execution(&context, start.clone()).await {
                Ok(_) => return true,
                Err(CommandError::Refused(refusal)) => {
                    // Not active any more, or begun by a command of another kind: nothing is left to do.
                    tracing::info!(%workflow_id, %node, %refusal, "a schedule was due and starts nothing");
                    return true;
                }
                Err(error) => {
                    tracing::warn!(%workflow_id, %node, %error, "a schedule is due and cannot begin; trying again");
                    if !self.pause(&mut pause).await {
                        return false;
                    }
                }
            }
        }
    }

    /// Waits before another try, each time longer; false when the scheduler is to stop.
    async fn pause(&self, pause: &mut Duration) -> bool {
        let slept = self.stopping.run_until_cancelled(tokio::time::sleep(*pause)).await;
        *pause = (2 * *pause).min(FAULT_PAUSE_MAX);
        slept.is_some()
    }
}

/// Up to when everything due has begun, and whether that is saved.
struct Progress {
    done_ms: Option<i64>,
    saved_at_ms: i64,
    is_saved: bool,
}

impl Progress {
    fn done(&mut self, at_ms: i64) -> i64 {
        self.is_saved = false;
        *self.done_ms.insert(at_ms)
    }

    /// When it is to be saved next; `None` when it is.
    fn due_at(&self, interval_ms: i64) -> Option<i64> {
        (!self.is_saved).then(|| self.saved_at_ms.saturating_add(interval_ms))
    }
}

async fn wait(timer: &dyn Timer, until_ms: Option<i64>) {
    match until_ms {
        Some(until_ms) => timer.wait_until(until_ms).await,
        None => std::future::pending().await,
    }
}
