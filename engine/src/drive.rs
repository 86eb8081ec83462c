//! Drives one execution from where it is to its end, through as many streams as it takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use timeloom_domain::definition::WorkflowDurability;
use timeloom_domain::execution::{ExecutionEvent, ExecutionStatus, StartFacts};
use timeloom_domain::ids::ExecutionId;
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{AppendError, AskedDurability, Direction, LogError, RecordedEvent, Revision, StreamKey, codec};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::attempt::Surroundings;
use crate::burst::{EffectTask, Pause, Worker};
use crate::chain::{ChainError, ContinueAsNew, place_after, place_of, stream_of};
use crate::fetch::LogOutputs;
use crate::flight::{Flight, Landed, LandedEffect};
use crate::machine::{Machine, Task};
use crate::open::{Outcome, Reins};
use crate::places::{self, Place};
use crate::restore::{self, RestoreError};
use crate::runner::{Age, Engine, Inner};
use crate::shards::Ownership;
use crate::writer::{ExecutionWriter, FirstEvent, WriteError};

/// How often an execution is taken up again after a failure of the log before it is left for the next start.
const FAULT_RETRIES_MAX: u32 = 5;
/// Pause after a failure of the log; it doubles each time.
const FAULT_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause before a log that cannot be read is tried again.
const OUTAGE_PAUSE_MAX: Duration = Duration::from_secs(5);
/// Longest wait for which an execution stays in memory, in milliseconds.
const KEPT_WAIT_MAX_MS: i64 = 10_000;
/// How often somebody else may write into a stream while the end of one effect is taken down.
const FOREIGN_WRITES_MAX: usize = 100;
/// Longest pause before another attempt, in milliseconds, whatever the clock does meanwhile.
const RETRY_WAIT_MAX_MS: u64 = 5_000;

/// Why an execution cannot be driven on.
#[derive(Debug, thiserror::Error)]
enum DriveError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error("the id of the execution is not one: {0}")]
    Id(StreamKey),
    #[error("the computation was torn down: {0}")]
    Torn(#[from] tokio::task::JoinError),
}

impl DriveError {
    /// Whether the same would happen again.
    fn is_final(&self) -> bool {
        match self {
            Self::Restore(error) => match error {
                RestoreError::Log(_) | RestoreError::Chain(ChainError::Log(_)) => false,
                RestoreError::Chain(ChainError::Broken(_)) => true,
                RestoreError::Plan(_)
                | RestoreError::NoWorkflow(_)
                | RestoreError::NoSource(_)
                | RestoreError::TooDeep => true,
            },
            Self::Write(WriteError::Append(AppendError::TooLarge { .. })) => true,
            Self::Log(_) | Self::Write(_) | Self::Id(_) | Self::Torn(_) => false,
        }
    }

    /// Whether the log is out of reach, and may be back at any time.
    fn is_outage(&self) -> bool {
        let error = match self {
            Self::Log(error)
            | Self::Restore(RestoreError::Log(error) | RestoreError::Chain(ChainError::Log(error)))
            | Self::Write(WriteError::Log(error) | WriteError::Append(AppendError::Log(error))) => error,
            _ => return false,
        };
        matches!(error, LogError::Storage(_))
    }
}

/// Whether an event only says that the execution is to be held up, or is not any more.
fn holds_up(event: &ExecutionEvent) -> bool {
    matches!(
        event,
        ExecutionEvent::ExecutionPaused { .. }
            | ExecutionEvent::ExecutionUnpaused { .. }
            | ExecutionEvent::ExecutionBreakpointsChanged { .. }
    )
}

/// What the steps of an execution survive, as its workflow says.
fn asked(machine: &Machine) -> AskedDurability {
    match machine.plan().definition.settings.durability {
        None => AskedDurability::OfTheLog,
        Some(WorkflowDurability::Strict) => AskedDurability::Strict,
        Some(WorkflowDurability::Relaxed) => AskedDurability::Relaxed,
    }
}

/// Where a request makes an execution go on: what a node appends to it is the node's own.
fn resume_url(public_url: &str, execution_id: &str, start: &StartFacts) -> String {
    let path = execution_id.parse().map(|id| start.resume_path(id)).unwrap_or_default();
    format!("{public_url}{path}")
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

    /// Ends the stream and begins the next. Where the summary is too large, the execution goes on where it is, and the
    /// next look is a stream's length away.
    async fn go_on_in_next(&mut self, writer: &mut ExecutionWriter, machine: &Machine) -> Result<(), DriveError> {
        let (next, at_ms) = (ExecutionId(self.inner.parts.ids.uuid()), self.inner.parts.clock.now_ms());
        let summary = self.summary(machine, at_ms)?;
        let ContinueAsNew { summary_bytes_max, .. } = self.inner.options.continue_as_new;
        if summary.bytes() > summary_bytes_max {
            let (bytes, execution) = (summary.bytes(), &self.started.stream);
            tracing::warn!(%execution, bytes, "the execution stays in its stream: what it is in the middle of is large");
            self.seam_at = self.inner.options.continue_as_new.next_look(writer.revision());
            return Ok(());
        }
        self.take_over(writer).await?;
        writer.record(&[ExecutionEvent::ExecutionContinuedAsNew { next, at_ms }]).await?;
        // Somebody who began it in the moment since has it now: the log says so when it is read again.
        let next = self.begin_next(writer, next, &summary).await?;
        *writer = next.ok_or(WriteError::Overtaken)?;
        Ok(())
    }

    /// A process ended between the two appends of a seam: the second one is made here.
    async fn begin_left(
        &mut self,
        writer: &ExecutionWriter,
        machine: &Machine,
        (next, at_ms): (ExecutionId, i64),
    ) -> Result<Turn, DriveError> {
        let summary = self.summary(machine, at_ms)?;
        let begun = self.begin_next(writer, next, &summary).await?;
        Ok(if begun.is_some() { Turn::NextStream } else { Turn::Over(Outcome::Ended) })
    }

    fn summary(&self, machine: &Machine, at_ms: i64) -> Result<FirstEvent, DriveError> {
        let stream = &self.started.stream;
        let link = stream.id.parse().map_err(|_| DriveError::Id(stream.clone()))?;
        Ok(FirstEvent::try_new(machine.continuation(place_after(link, self.chained), at_ms))?)
    }

    /// Begins the next stream, or finds that it has begun; `None` when somebody else is in it.
    async fn begin_next(
        &mut self,
        left: &ExecutionWriter,
        next: ExecutionId,
        summary: &FirstEvent,
    ) -> Result<Option<ExecutionWriter>, DriveError> {
        let stream = stream_of(&self.started.stream, next);
        // Before it begins: who follows the log must find that it is driven already.
        if !self.inner.lock_open().hand_over(&self.open_as, &stream) {
            return Ok(None);
        }
        self.open_as = stream.clone();
        let parts = &self.inner.parts;
        let mut writer = ExecutionWriter::new(Arc::clone(&parts.log), Arc::clone(&parts.ids), stream.clone())
            .until(self.ownership.lost().clone());
        writer.ask(left.asked());
        let appended = writer.begin(summary, left).await?;
        let Some(recorded) = appended.events.into_iter().next() else { return Ok(None) };
        self.inner.lock_open().moved(&stream, recorded.position);
        self.started = recorded;
        self.chained = place_of(Some(summary.event()));
        self.seam_at = self.inner.options.continue_as_new.next_look(Revision::default());
        Ok(Some(writer))
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

    /// After a restart: effects that were under way at the same time are begun again.
    async fn begin_those_under_way(
        &self,
        worker: &mut Worker,
        writer: &mut ExecutionWriter,
        flight: &mut Flight,
    ) -> Result<(), DriveError> {
        let tasks: Vec<Task> = worker.machine.in_flight().collect();
        for task in tasks {
            self.begin_again(task, worker, writer, flight).await?;
        }
        Ok(())
    }

    async fn begin_again(
        &self,
        task: Task,
        worker: &mut Worker,
        writer: &mut ExecutionWriter,
        flight: &mut Flight,
    ) -> Result<(), DriveError> {
        let (events, pause) = worker.begin_again(task);
        self.record_effect(worker, writer, &events).await?;
        if let Pause::Effect(task) = pause {
            self.take_off(*task, worker, flight);
        }
        Ok(())
    }

    /// Lets an announced effect run beside others.
    fn take_off(&self, task: EffectTask, worker: &Worker, flight: &mut Flight) {
        let limit = worker.time_left(&task);
        flight.begin(task, self.inner.parts.evaluator.session(), limit);
    }

    /// Waits for one of the effects under way, and takes down what came of it.
    async fn land(
        &mut self,
        worker: &mut Worker,
        writer: &mut ExecutionWriter,
        flight: &mut Flight,
    ) -> Result<(), DriveError> {
        if flight.only_waits() {
            self.place = None;
        }
        let landed = tokio::select! {
            () = self.cancelled.cancelled() => return Ok(()),
            landed = flight.land() => landed,
        };
        self.place_again().await;
        match landed.transpose()? {
            Some(Landed::Effect(landed)) => {
                let LandedEffect { task, took, result, limit } = *landed;
                let execution_index = task.facts.execution_index;
                if result.is_none() && task.attempt.waits_for_others() {
                    self.inner.parts.services.sub_workflows.abandon(&task.attempt.caller()).await;
                }
                let result = result.unwrap_or_else(|| Err(worker.timed_out(limit)));
                let (events, pause) = worker.conclude_effect(task, took, result);
                self.record_effect(worker, writer, &events).await?;
                if worker.machine.in_flight_at(execution_index).is_some() {
                    let at_ms = if let Some(Pause::Retry(at_ms)) = pause { at_ms } else { 0 };
                    let pause_ms = at_ms.saturating_sub(self.inner.parts.clock.now_ms());
                    let pause_ms = u64::try_from(pause_ms).unwrap_or(0).min(RETRY_WAIT_MAX_MS);
                    flight.begin_pause(execution_index, Duration::from_millis(pause_ms));
                }
            }
            Some(Landed::RetryDue(execution_index)) => {
                if let Some(task) = worker.machine.in_flight_at(execution_index) {
                    self.begin_again(task, worker, writer, flight).await?;
                }
            }
            // Nothing is under way that the events say is: they are begun again when the stream is read anew.
            None => return Err(WriteError::Overtaken.into()),
        }
        Ok(())
    }

    /// Takes down what came of an effect. Somebody who paused the execution meanwhile, or changed its breakpoints, does not
    /// make the effect happen again.
    async fn record_effect(
        &self,
        worker: &mut Worker,
        writer: &mut ExecutionWriter,
        events: &[ExecutionEvent],
    ) -> Result<(), DriveError> {
        for _ in 0..FOREIGN_WRITES_MAX {
            let known = usize::try_from(writer.revision().0).unwrap_or(usize::MAX);
            match writer.record(events).await {
                Err(WriteError::Overtaken) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    worker.machine.written(writer.take_written());
                    return Ok(());
                }
            }
            let (mut fresh, all) = self.read(Age::Old).await?;
            fresh.ask(writer.asked());
            let foreign = all.get(known..).unwrap_or_default();
            if fresh.state().status.has_ended() || !foreign.iter().all(holds_up) {
                return Err(WriteError::Overtaken.into());
            }
            foreign.iter().for_each(|event| worker.machine.apply(event));
            *writer = fresh;
        }
        Err(WriteError::Overtaken.into())
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
        let options = &self.inner.options;
        let timeout_s = machine.plan().definition.settings.execution_timeout.filter(|seconds| *seconds > 0.0);
        // What it waits for takes as long as it takes: the time counts from when it was taken up again.
        let from_ms = if machine.has_waited() { self.began_ms } else { machine.start().at_ms };
        let deadline_ms = timeout_s.map(|seconds| from_ms.saturating_add((seconds * 1_000.0) as i64));
        // In every stream of the chain it is the one execution that was started.
        let execution_id =
            self.chained.map_or_else(|| self.started.stream.id.to_string(), |(root, _)| root.to_string());
        let surroundings = Surroundings {
            tenant: self.started.stream.tenant,
            root: execution_id.parse().unwrap_or(ExecutionId(uuid::Uuid::nil())),
            resume_url: resume_url(&options.public_url, &execution_id, machine.start()),
            execution_id,
            vars: Arc::clone(&options.vars),
            env: Arc::clone(&options.env),
            services: Arc::clone(&self.inner.parts.services),
            code_limits: options.code_limits,
        };
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
