//! Drives one execution from where it is to its end, through as many streams as it takes.

mod effects;
mod error;
mod seam;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use timeloom_domain::definition::WorkflowDurability;
use timeloom_domain::execution::{ExecutionEvent, ExecutionStatus, StartFacts};
use timeloom_domain::ids::{ExecutionId, TenantId};
use timeloom_domain::item::JsonObject;
use timeloom_domain::trace::ExecutionTrace;
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{AskedDurability, Direction, LogError, RecordedEvent, Revision, StreamKey, codec};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::error::DriveError;
use crate::attempt::Surroundings;
use crate::burst::{EffectTask, Pause, Worker};
use crate::chain::place_of;
use crate::fetch::LogOutputs;
use crate::flight::Flight;
use crate::machine::Machine;
use crate::open::{Outcome, Reins};
use crate::places::{self, Place};
use crate::restore;
use crate::runner::{Age, Engine, Inner};
use crate::shards::Ownership;
use crate::writer::{ExecutionWriter, WriteError};

/// How often an execution is taken up again after a failure of the log before it is left for the next start.
const FAULT_RETRIES_MAX: u32 = 5;
/// Pause after a failure of the log; it doubles each time.
const FAULT_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause before a log that cannot be read is tried again.
const OUTAGE_PAUSE_MAX: Duration = Duration::from_secs(5);
/// Longest wait for which an execution stays in memory, in milliseconds.
const KEPT_WAIT_MAX_MS: i64 = 10_000;
/// Longest pause before another attempt, in milliseconds, whatever the clock does meanwhile.
const RETRY_WAIT_MAX_MS: u64 = 5_000;

/// What the steps of an execution survive, as its workflow says.
fn asked(machine: &Machine) -> AskedDurability {
    match machine.plan().definition.settings.durability {
        None => AskedDurability::OfTheLog,
        Some(WorkflowDurability::Strict) => AskedDurability::Strict,
        Some(WorkflowDurability::Relaxed) => AskedDurability::Relaxed,
    }
}

/// What every attempt of an execution shares.
pub(crate) fn surroundings(
    inner: &Inner,
    tenant: TenantId,
    execution_id: &str,
    machine: &Machine,
    traceparent: Option<&str>,
) -> Surroundings {
    let options = &inner.options;
    let root = execution_id.parse().unwrap_or(ExecutionId(uuid::Uuid::nil()));
    Surroundings {
        tenant,
        root,
        resume_url: resume_url(&options.public_url, tenant, execution_id, machine.start()),
        execution_id: execution_id.to_owned(),
        vars: variables(&options.vars, machine),
        env: Arc::clone(&options.env),
        services: Arc::clone(&inner.parts.services),
        code_limits: options.code_limits,
        trace: ExecutionTrace::of(root, traceparent),
    }
}

/// Where a request makes an execution go on: what a node appends to it is the node's own.
fn resume_url(public_url: &str, tenant: TenantId, execution_id: &str, start: &StartFacts) -> String {
    let path = execution_id.parse().map(|id| start.resume_path(id)).unwrap_or_default();
    format!("{public_url}{}{path}", tenant.path())
}

/// `$vars`: the deployment's, with those that are other in a fork.
fn variables(own: &Arc<JsonObject>, machine: &Machine) -> Arc<JsonObject> {
    let changed = machine.stubs().map(|stubs| stubs.variables()).unwrap_or_default();
    if changed.is_empty() {
        return Arc::clone(own);
    }
    let mut variables = JsonObject::clone(own);
    variables.extend(changed.iter().cloned());
    Arc::new(variables)
}

/// Where an attempt at driving an execution ended.
enum Turn {
    /// There.
    Over(Outcome),
    /// In a stream that has begun: it is to be read.
    NextStream,
    /// Somebody else wrote into the stream: it is to be read again.
    Again,
}

/// One execution under way.
pub(crate) struct Drive {
    inner: Arc<Inner>,
    /// The first event of the stream in which it is.
    started: Arc<RecordedEvent>,
    /// The stream by which it is known as open: it is the next one already while that has not begun.
    open_as: StreamKey,
    ownership: Ownership,
    /// The execution was cancelled, or its shard is lost.
    cancelled: CancellationToken,
    nudged: Arc<Notify>,
    /// Its place among the executions under way; given up while it only waits.
    place: Option<Place>,
    /// Root and number of the stream in its chain; `None` for the first.
    chained: Option<(ExecutionId, u32)>,
    /// The revision at which its stream is long enough to go on in another.
    seam_at: u64,
    /// When this began, in milliseconds since 1970.
    began_ms: i64,
}

impl Drive {
    pub(crate) fn new(engine: &Engine, started: Arc<RecordedEvent>, ownership: Ownership, reins: Reins) -> Self {
        let Reins { cancelled, nudged } = reins;
        let (inner, open_as) = (Arc::clone(&engine.inner), started.stream.clone());
        let seam_at = inner.options.continue_as_new.next_look(Revision::default());
        let began_ms = inner.parts.clock.now_ms();
        let (place, chained) = (None, None);
        Self { inner, started, open_as, ownership, cancelled, nudged, place, chained, seam_at, began_ms }
    }

    /// Drives it as far as this process does, and answers the stream in which it is then.
    pub(crate) async fn run(mut self, age: Age) -> (StreamKey, Outcome) {
        let outcome = self.drive(age).await;
        (self.open_as, outcome)
    }

    async fn drive(&mut self, mut age: Age) -> Outcome {
        self.place_again().await;
        if self.place.is_none() {
            return self.stopped();
        }
        let (mut faults, mut pause) = (0, FAULT_PAUSE);
        while faults < FAULT_RETRIES_MAX {
            let result = self.attempt(age).await;
            age = Age::Old;
            match result {
                Ok(Turn::Over(outcome)) => return outcome,
                // Somebody else wrote: a cancellation, a pause, a newer owner. The log says what when it is read again.
                Ok(Turn::NextStream | Turn::Again) | Err(DriveError::Write(WriteError::Overtaken)) => {
                    if self.ownership.is_over() {
                        return Outcome::Rests;
                    }
                    (faults, pause) = (0, FAULT_PAUSE);
                    self.place_again().await;
                    continue;
                }
                Err(error) if error.is_final() => return self.fail(&error.to_string()).await,
                // Out of reach is not broken: the execution waits as long as the log does.
                Err(error) if error.is_outage() => {
                    tracing::warn!(execution = %self.started.stream, %error, "the log is out of reach; trying again");
                    self.ownership.leaving().run_until_cancelled(tokio::time::sleep(pause)).await;
                    pause = (2 * pause).min(OUTAGE_PAUSE_MAX);
                    if self.ownership.is_over() {
                        return Outcome::Rests;
                    }
                    continue;
                }
                Err(error) => {
                    tracing::error!(execution = %self.started.stream, %error, "the execution pauses");
                    self.sleep(pause).await;
                    pause *= 2;
                }
            }
            faults += 1;
            if self.ownership.is_over() {
                return Outcome::Rests;
            }
        }
        self.fail("the execution could not be carried on: see the server's log").await
    }

    /// How it stands when its driving was stopped from outside: cancelled, which is in the log, or to be driven by others.
    fn stopped(&self) -> Outcome {
        if self.ownership.is_over() { Outcome::Rests } else { Outcome::Ended }
    }

    /// Takes down that the execution cannot go on.
    async fn fail(&self, message: &str) -> Outcome {
        let result = async {
            let (mut writer, _) = self.read(Age::Old).await?;
            let status = writer.state().status;
            if status.has_ended() {
                // The next stream has not begun: whoever starts next begins it.
                return Ok(status != ExecutionStatus::Continued);
            }
            let at_ms = self.inner.parts.clock.now_ms();
            let error = json!({"name": "Error", "message": message});
            writer.record(&[ExecutionEvent::ExecutionFailed { node: None, error, at_ms }]).await?;
            Ok::<bool, DriveError>(true)
        };
        let ended = result.await.unwrap_or_else(|error| {
            tracing::error!(execution = %self.started.stream, %error, "the end of the execution was not taken down");
            false
        });
        if !ended {
            tracing::error!(execution = %self.started.stream, "the execution rests until the next start");
        }
        if ended { Outcome::Ended } else { Outcome::Rests }
    }

    async fn attempt(&mut self, age: Age) -> Result<Turn, DriveError> {
        self.inner.lock_open().listen(&self.open_as);
        let (mut writer, events) = self.read(age).await?;
        let left_for = match events.last() {
            Some(ExecutionEvent::ExecutionContinuedAsNew { next, at_ms }) => Some((*next, *at_ms)),
            _ => None,
        };
        if writer.state().status.has_ended() && left_for.is_none() {
            return Ok(Turn::Over(Outcome::Ended));
        }
        if self.ownership.is_kept_out(&events) {
            return Ok(Turn::Over(Outcome::Rests));
        }
        let restored = restore::machine(&self.inner, &self.started.stream, &events).await?;
        let Some(machine) = restored else { return Ok(Turn::Over(Outcome::Ended)) };
        self.chained = place_of(events.first());
        writer.ask(asked(&machine));
        if let Some(left_for) = left_for {
            return self.begin_left(&writer, &machine, left_for).await;
        }
        if let Some(ExecutionEvent::NodeRetried { retry_at_ms, .. }) = events.last() {
            self.sleep_until(*retry_at_ms).await;
        }
        drop(events);
        let mut worker = self.worker(machine);
        worker.machine.fetch_from(LogOutputs::new(&self.inner));
        worker.machine.written(writer.take_written());
        self.go_on(worker, writer).await
    }

    /// Does one thing after the other until there is nothing to do, or it is for others.
    async fn go_on(&mut self, mut worker: Worker, mut writer: ExecutionWriter) -> Result<Turn, DriveError> {
        let mut flight = Flight::default();
        if worker.machine.in_flight().next().is_some() {
            self.take_over(&mut writer).await?;
            self.begin_those_under_way(&mut worker, &mut writer, &mut flight).await?;
        }
        loop {
            if self.cancelled.is_cancelled() || !self.ownership.is_valid() {
                return Ok(Turn::Over(self.stopped()));
            }
            if self.ownership.is_over() {
                // Others are to go on: what is under way is brought to its end, and nothing is begun.
                if flight.is_empty() {
                    return Ok(Turn::Over(Outcome::Rests));
                }
                self.land(&mut worker, &mut writer, &mut flight).await?;
                continue;
            }
            if writer.revision().0 >= self.seam_at && worker.machine.may_continue() {
                self.go_on_in_next(&mut writer, &worker.machine).await?;
            }
            let room = usize::try_from(self.seam_at.saturating_sub(writer.revision().0)).unwrap_or(usize::MAX);
            let (returned, events, pause) = self.compute(worker, room).await?;
            worker = returned;
            if !events.is_empty() {
                self.take_over(&mut writer).await?;
            }
            if !flight.is_empty() {
                self.record_effect(&mut worker, &mut writer, &events).await?;
            } else if !events.is_empty() {
                writer.record(&events).await?;
            }
            drop(events);
            worker.machine.written(writer.take_written());
            match pause {
                Pause::Flush => {}
                Pause::Ended => return Ok(Turn::Over(self.stopped())),
                Pause::Retry(at_ms) => self.sleep_until(at_ms).await,
                Pause::Await => self.land(&mut worker, &mut writer, &mut flight).await?,
                Pause::Rest(_) if !flight.is_empty() => self.land(&mut worker, &mut writer, &mut flight).await?,
                Pause::Rest(until_ms) => {
                    if let Some(turn) = self.rest(until_ms).await {
                        return Ok(turn);
                    }
                }
                Pause::Effect(task) if worker.machine.is_parallel() => {
                    self.take_off(*task, &worker, &mut flight);
                    while flight.is_full() && !self.cancelled.is_cancelled() {
                        self.land(&mut worker, &mut writer, &mut flight).await?;
                    }
                }
                Pause::Effect(task) => {
                    if let Some(Pause::Retry(at_ms)) = self.carry_out(*task, &mut worker, &mut writer).await? {
                        self.sleep_until(at_ms).await;
                    }
                }
            }
        }
    }

    /// Keeps whoever drove the execution before from taking anything down: what it appends next expects a revision that has
    /// passed. Done once, before anything else is taken down; an execution that stands still is not woken by it.
    async fn take_over(&mut self, writer: &mut ExecutionWriter) -> Result<(), DriveError> {
        if let Some(epoch) = self.ownership.to_take_over() {
            let (worker, at_ms) = (self.inner.parts.leases.worker().to_string(), self.inner.parts.clock.now_ms());
            writer.record(&[ExecutionEvent::ExecutionTakenOver { worker, epoch, at_ms }]).await?;
            self.ownership.taken_over();
        }
        Ok(())
    }

    /// Runs an effect and takes its end down. A cancellation drops the request under way.
    async fn carry_out(
        &mut self,
        mut task: EffectTask,
        worker: &mut Worker,
        writer: &mut ExecutionWriter,
    ) -> Result<Option<Pause>, DriveError> {
        // A process may have been asleep since it said that the effect begins.
        if !self.ownership.is_valid() {
            return Ok(None);
        }
        let began = Instant::now();
        let limit = worker.time_left(&task);
        let (caller, waits) = (task.attempt.caller(), task.attempt.waits_for_others());
        if waits {
            // Those it waits for need places, too.
            self.place = None;
        }
        let result = tokio::select! {
            () = self.cancelled.cancelled() => return Ok(None),
            result = task.attempt.run_effect(&mut worker.session) => Some(result),
            () = tokio::time::sleep(limit) => None,
        };
        if waits {
            if result.is_none() {
                self.inner.parts.services.sub_workflows.abandon(&caller).await;
            }
            self.place_again().await;
        }
        let result = result.unwrap_or_else(|| Err(worker.timed_out(limit)));
        let (events, pause) = worker.conclude_effect(task, began.elapsed(), result);
        self.record_effect(worker, writer, &events).await?;
        Ok(pause)
    }

    /// Stands still until a time, or until somebody says so. `None` when the time has come and everything is as it was.
    async fn rest(&mut self, until_ms: Option<i64>) -> Option<Turn> {
        self.place = None;
        let wait_ms = until_ms.map(|until_ms| until_ms.saturating_sub(self.inner.parts.clock.now_ms()));
        let Some(wait_ms) = wait_ms.filter(|wait_ms| *wait_ms <= KEPT_WAIT_MAX_MS) else {
            return Some(Turn::Over(Outcome::Waits(until_ms)));
        };
        tokio::select! {
            () = self.cancelled.cancelled() => Some(Turn::Over(self.stopped())),
            () = self.ownership.leaving().cancelled() => Some(Turn::Over(Outcome::Rests)),
            () = self.nudged.notified() => Some(Turn::Again),
            () = tokio::time::sleep(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0))) => {
                self.place_again().await;
                None
            }
        }
    }

    /// Takes a place among the executions under way, where it has none. There is none when the driving ends before.
    async fn place_again(&mut self) {
        if self.place.is_some() {
            return;
        }
        let place = async {
            let request = places::request_of(&self.inner, &self.started).await;
            self.inner.places.take(request).await
        };
        self.place = tokio::select! {
            biased;
            () = self.cancelled.cancelled() => None,
            () = self.ownership.leaving().cancelled() => None,
            place = place => Some(place),
        };
    }

    /// Computes on a thread that may block, so that a slow script delays no other execution's waiting.
    async fn compute(
        &self,
        mut worker: Worker,
        room: usize,
    ) -> Result<(Worker, Vec<ExecutionEvent>, Pause), DriveError> {
        let _permit = self.inner.bursts.acquire().await;
        let computed = tokio::task::spawn_blocking(move || {
            let (events, pause) = worker.run_burst(room);
            (worker, events, pause)
        });
        Ok(computed.await?)
    }

    /// Waits without a place: others may run meanwhile. Without one again only when it is cancelled.
    async fn sleep_until(&mut self, at_ms: i64) {
        let wait_ms = at_ms.saturating_sub(self.inner.parts.clock.now_ms());
        let wait_ms = u64::try_from(wait_ms).unwrap_or(0).min(RETRY_WAIT_MAX_MS);
        if wait_ms > 0 {
            self.place = None;
            self.sleep(Duration::from_millis(wait_ms)).await;
            self.place_again().await;
        }
    }

    async fn sleep(&self, time: Duration) {
        tokio::select! {
            () = self.cancelled.cancelled() => {}
            () = self.ownership.leaving().cancelled() => {}
            () = tokio::time::sleep(time) => {}
        }
    }

    fn worker(&self, machine: Machine) -> Worker {
        let timeout_s = machine.plan().definition.settings.execution_timeout.filter(|seconds| *seconds > 0.0);
        // What it waits for takes as long as it takes: the time counts from when it was taken up again.
        let from_ms = if machine.has_waited() { self.began_ms } else { machine.start().at_ms };
        let deadline_ms = timeout_s.map(|seconds| from_ms.saturating_add((seconds * 1_000.0) as i64));
        // In every stream of the chain it is the one execution that was started.
        let execution_id =
            self.chained.map_or_else(|| self.started.stream.id.to_string(), |(root, _)| root.to_string());
        let (tenant, traceparent) = (self.started.stream.tenant, self.started.metadata.traceparent());
        let surroundings = surroundings(&self.inner, tenant, &execution_id, &machine, traceparent);
        Worker {
            machine,
            session: self.inner.parts.evaluator.session(),
            surroundings: Arc::new(surroundings),
            clock: Arc::clone(&self.inner.parts.clock),
            cancelled: self.cancelled.clone(),
            deadline_ms,
        }
    }

    /// The writer with everything folded in that the log holds, and the events themselves.
    async fn read(&self, age: Age) -> Result<(ExecutionWriter, Vec<ExecutionEvent>), DriveError> {
        let parts = &self.inner.parts;
        let stream = self.started.stream.clone();
        let mut writer = ExecutionWriter::new(Arc::clone(&parts.log), Arc::clone(&parts.ids), stream)
            .until(self.ownership.lost().clone());
        let mut events = Vec::new();
        let mut fold = |recorded: &RecordedEvent, writer: &mut ExecutionWriter| {
            let event = codec::decode::<ExecutionEvent>(recorded)?;
            writer.fold(&event, recorded);
            events.push(event);
            Ok::<(), LogError>(())
        };
        fold(&self.started, &mut writer)?;
        if age == Age::New {
            return Ok((writer, events));
        }
        loop {
            let after = writer.revision();
            let read = parts.log.read_stream(writer.stream(), after, Direction::Forward, READ_EVENTS_MAX).await?;
            for recorded in &read {
                fold(recorded, &mut writer)?;
            }
            if read.len() < READ_EVENTS_MAX {
                return Ok((writer, events));
            }
        }
    }
}
