//! Drives one execution from where it is to its end, through as many streams as it takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use timeloom_domain::execution::{ExecutionEvent, ExecutionStatus, StartFacts};
use timeloom_domain::ids::ExecutionId;
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{AppendError, Direction, LogError, RecordedEvent, Revision, StreamKey, codec};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio_util::sync::CancellationToken;

use crate::attempt::Surroundings;
use crate::burst::{EffectTask, Pause, Worker};
use crate::chain::{ChainError, ContinueAsNew, place_after, place_of, stream_of};
use crate::fetch::LogOutputs;
use crate::machine::Machine;
use crate::open::Hold;
use crate::restore::{self, RestoreError};
use crate::runner::{Age, Engine, Inner};
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

/// Where a request makes an execution go on: what a node appends to it is the node's own.
fn resume_url(public_url: &str, execution_id: &str, start: &StartFacts) -> String {
    let token = execution_id.parse().map(|id| start.resume_token(id)).unwrap_or_default();
    format!("{public_url}/webhook-waiting/{execution_id}.{token}")
}

/// Where an attempt at driving an execution ended.
enum Turn {
    /// At its end; false when it rests unfinished.
    Ended(bool),
    /// In a stream that has begun: it is to be read.
    NextStream,
    /// Somebody else wrote into the stream: it is to be read again.
    Again,
    /// It stands still, and whoever wakes it up begins anew.
    Rests,
}

/// One execution under way.
pub(crate) struct Drive {
    inner: Arc<Inner>,
    /// The first event of the stream in which it is.
    started: Arc<RecordedEvent>,
    /// The stream by which it is known as open: it is the next one already while that has not begun.
    open_as: StreamKey,
    cancelled: CancellationToken,
    nudged: Arc<Notify>,
    /// Its place among the executions under way; given up while it only waits.
    place: Option<OwnedSemaphorePermit>,
    /// Root and number of the stream in its chain; `None` for the first.
    chained: Option<(ExecutionId, u32)>,
    /// The revision at which its stream is long enough to go on in another.
    seam_at: u64,
    /// When this began, in milliseconds since 1970.
    began_ms: i64,
}

impl Drive {
    pub(crate) fn new(engine: &Engine, started: Arc<RecordedEvent>, hold: Hold) -> Self {
        let Hold { cancelled, nudged } = hold;
        let (inner, open_as) = (Arc::clone(&engine.inner), started.stream.clone());
        let seam_at = inner.options.continue_as_new.next_look(Revision::default());
        let began_ms = inner.parts.clock.now_ms();
        Self { inner, started, open_as, cancelled, nudged, place: None, chained: None, seam_at, began_ms }
    }

    /// Drives it to its end, and answers the stream in which that is. `None` when it rests unfinished: the next start
    /// takes it up again.
    pub(crate) async fn run(mut self, age: Age) -> Option<StreamKey> {
        let ended = self.drive(age).await;
        ended.then_some(self.open_as)
    }

    async fn drive(&mut self, mut age: Age) -> bool {
        self.place = self.inner.place(&self.cancelled).await;
        if self.place.is_none() {
            return !self.inner.is_stopping();
        }
        let (mut faults, mut pause) = (0, FAULT_PAUSE);
        while faults < FAULT_RETRIES_MAX {
            let result = self.attempt(age).await;
            age = Age::Old;
            match result {
                Ok(Turn::Ended(ended)) => return ended,
                Ok(Turn::Rests) => return false,
                // Somebody else wrote: a cancellation, a pause, a newer owner. The log says what when it is read again.
                Ok(Turn::NextStream | Turn::Again) | Err(DriveError::Write(WriteError::Overtaken)) => {
                    if self.inner.is_stopping() {
                        return false;
                    }
                    (faults, pause) = (0, FAULT_PAUSE);
                    self.place_again().await;
                    continue;
                }
                Err(error) if error.is_final() => return self.fail(&error.to_string()).await,
                // Out of reach is not broken: the execution waits as long as the log does.
                Err(error) if error.is_outage() => {
                    tracing::warn!(execution = %self.started.stream, %error, "the log is out of reach; trying again");
                    self.inner.stopping.run_until_cancelled(tokio::time::sleep(pause)).await;
                    pause = (2 * pause).min(OUTAGE_PAUSE_MAX);
                    if self.inner.is_stopping() {
                        return false;
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
            if self.inner.is_stopping() {
                return false;
            }
        }
        self.fail("the execution could not be carried on: see the server's log").await
    }

    /// Takes down that the execution cannot go on.
    async fn fail(&self, message: &str) -> bool {
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
        ended
    }

    async fn attempt(&mut self, age: Age) -> Result<Turn, DriveError> {
        let nudges = self.inner.lock_open().nudges(&self.open_as);
        let (mut writer, events) = self.read(age).await?;
        let left_for = match events.last() {
            Some(ExecutionEvent::ExecutionContinuedAsNew { next, at_ms }) => Some((*next, *at_ms)),
            _ => None,
        };
        if writer.state().status.has_ended() && left_for.is_none() {
            return Ok(Turn::Ended(true));
        }
        let restored = restore::machine(&self.inner, &self.started.stream, &events).await?;
        let Some(machine) = restored else { return Ok(Turn::Ended(true)) };
        self.chained = place_of(events.first());
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
        loop {
            if self.cancelled.is_cancelled() {
                return Ok(Turn::Ended(!self.inner.is_stopping()));
            }
            if writer.revision().0 >= self.seam_at && worker.machine.may_continue() {
                self.go_on_in_next(&mut writer, &worker.machine).await?;
            }
            let room = usize::try_from(self.seam_at.saturating_sub(writer.revision().0)).unwrap_or(usize::MAX);
            let (returned, events, pause) = self.compute(worker, room).await?;
            worker = returned;
            if !events.is_empty() {
                writer.record(&events).await?;
            }
            drop(events);
            worker.machine.written(writer.take_written());
            match pause {
                Pause::Flush => {}
                Pause::Ended => return Ok(Turn::Ended(!self.inner.is_stopping())),
                Pause::Retry(at_ms) => self.sleep_until(at_ms).await,
                Pause::Rest(until_ms) => {
                    if let Some(turn) = self.rest(until_ms, nudges).await {
                        return Ok(turn);
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
        Ok(if begun.is_some() { Turn::NextStream } else { Turn::Ended(true) })
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
            .until(self.inner.stopping.clone());
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
        &self,
        mut task: EffectTask,
        worker: &mut Worker,
        writer: &mut ExecutionWriter,
    ) -> Result<Option<Pause>, DriveError> {
        let began = Instant::now();
        let limit = worker.time_left(&task);
        let result = tokio::select! {
            () = self.cancelled.cancelled() => return Ok(None),
            result = task.attempt.run_effect(&mut worker.session) => Some(result),
            () = tokio::time::sleep(limit) => None,
        };
        let result = result.unwrap_or_else(|| Err(worker.timed_out(limit)));
        let (events, pause) = worker.conclude_effect(task, began.elapsed(), result);
        self.record_effect(worker, writer, &events).await?;
        Ok(pause)
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
            let (fresh, all) = self.read(Age::Old).await?;
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
    async fn rest(&mut self, until_ms: Option<i64>, nudges: u64) -> Option<Turn> {
        self.place = None;
        let wait_ms = until_ms.map(|until_ms| until_ms.saturating_sub(self.inner.parts.clock.now_ms()));
        let Some(wait_ms) = wait_ms.filter(|wait_ms| *wait_ms <= KEPT_WAIT_MAX_MS) else {
            let rests = self.inner.lock_open().rest(&self.open_as, &self.started, until_ms, nudges);
            self.inner.alarm_set.notify_one();
            return Some(if rests { Turn::Rests } else { Turn::Again });
        };
        tokio::select! {
            () = self.cancelled.cancelled() => Some(Turn::Ended(!self.inner.is_stopping())),
            () = self.nudged.notified() => Some(Turn::Again),
            () = tokio::time::sleep(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0))) => {
                self.place_again().await;
                None
            }
        }
    }

    /// Takes a place among the executions under way again, where it gave its own up.
    async fn place_again(&mut self) {
        if self.place.is_none() {
            self.place = self.inner.place(&self.cancelled).await;
        }
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
            self.place = self.inner.place(&self.cancelled).await;
        }
    }

    async fn sleep(&self, time: Duration) {
        tokio::select! {
            () = self.cancelled.cancelled() => {}
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
            .until(self.inner.stopping.clone());
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
