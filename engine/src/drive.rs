//! Drives one execution from where it is to its end, through as many streams as it takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::execution::{Execution, ExecutionEvent, ExecutionStatus, StartFacts};
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::workflow::{Workflow, WorkflowEvent};
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{AppendError, Direction, LogError, RecordedEvent, Revision, StreamKey, codec};
use tokio_util::sync::CancellationToken;

use crate::admission::PlaceRequest;
use crate::attempt::Surroundings;
use crate::burst::{EffectTask, Pause, Worker};
use crate::chain::{ChainError, ContinueAsNew, earlier_data, place_after, place_of, stream_of};
use crate::lane::Lane;
use crate::machine::Machine;
use crate::open::Outcome;
use crate::places::Place;
use crate::plan::{Plan, PlanError};
use crate::runner::{Age, Engine, Inner};
use crate::shards::Hold;
use crate::writer::{ExecutionWriter, FirstEvent, WriteError};

/// How often an execution is taken up again after a failure of the log before it is left for the next start.
const FAULT_RETRIES_MAX: u32 = 5;
/// Pause after a failure of the log; it doubles each time.
const FAULT_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause before a log that cannot be read is tried again.
const OUTAGE_PAUSE_MAX: Duration = Duration::from_secs(5);
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
    Plan(#[from] PlanError),
    #[error("the workflow of the execution is not in the log at revision {0}")]
    NoWorkflow(u64),
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("the id of the execution is not one: {0}")]
    Id(StreamKey),
    #[error("the computation was torn down: {0}")]
    Torn(#[from] tokio::task::JoinError),
}

/// Where an attempt at driving an execution ended.
enum Turn {
    /// There.
    Over(Outcome),
    /// In a stream that has begun: it is to be read.
    NextStream,
}

/// By what right this process drives an execution.
pub(crate) struct Ownership {
    /// The execution's shard.
    pub(crate) hold: Arc<Hold>,
    /// Whether another may have driven it before, which is to be kept out.
    pub(crate) takes_over: bool,
    /// Ends the driving: the execution was cancelled, or the shard is lost.
    pub(crate) cancelled: CancellationToken,
}

/// One execution under way.
pub(crate) struct Drive {
    inner: Arc<Inner>,
    /// The first event of the stream in which it is.
    started: Arc<RecordedEvent>,
    /// The stream by which it is known as open: it is the next one already while that has not begun.
    open_as: StreamKey,
    hold: Arc<Hold>,
    takes_over: bool,
    cancelled: CancellationToken,
    /// Its place among the executions under way; given up while it only waits.
    place: Option<Place>,
    /// Root and number of the stream in its chain; `None` for the first.
    chained: Option<(ExecutionId, u32)>,
    /// The revision at which its stream is long enough to go on in another.
    seam_at: u64,
}

impl Drive {
    pub(crate) fn new(engine: &Engine, started: Arc<RecordedEvent>, ownership: Ownership) -> Self {
        let (inner, open_as) = (Arc::clone(&engine.inner), started.stream.clone());
        let seam_at = inner.options.continue_as_new.next_look(Revision::default());
        let Ownership { hold, takes_over, cancelled } = ownership;
        Self { inner, started, open_as, hold, takes_over, cancelled, place: None, chained: None, seam_at }
    }

    /// Drives it as far as this process does, and answers the stream in which it is then.
    pub(crate) async fn run(mut self, age: Age) -> (StreamKey, Outcome) {
        let outcome = self.drive(age).await;
        (self.open_as, outcome)
    }

    async fn drive(&mut self, mut age: Age) -> Outcome {
        self.take_place().await;
        if self.place.is_none() {
            return self.stopped();
        }
        let (mut faults, mut pause) = (0, FAULT_PAUSE);
        while faults < FAULT_RETRIES_MAX {
            let result = self.attempt(age).await;
            age = Age::Old;
            match result {
                Ok(Turn::Over(outcome)) => return outcome,
                Ok(Turn::NextStream) => {
                    (faults, pause) = (0, FAULT_PAUSE);
                    continue;
                }
                // A cancellation, or a newer owner: the log says which when it is read again.
                Err(DriveError::Write(WriteError::Overtaken)) => {}
                // The same would happen again.
                Err(
                    error @ (DriveError::Plan(_)
                    | DriveError::NoWorkflow(_)
                    | DriveError::Chain(ChainError::Broken(_))
                    | DriveError::Write(WriteError::Append(AppendError::TooLarge { .. }))),
                ) => {
                    return self.fail(&error.to_string()).await;
                }
                // Out of reach is not broken: the execution waits as long as the log does.
                Err(DriveError::Log(LogError::Storage(error)))
                | Err(DriveError::Chain(ChainError::Log(LogError::Storage(error)))) => {
                    tracing::warn!(execution = %self.started.stream, %error, "the log cannot be read; trying again");
                    self.hold.leaving.run_until_cancelled(tokio::time::sleep(pause)).await;
                    pause = (2 * pause).min(OUTAGE_PAUSE_MAX);
                    if self.hold.is_over() {
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
            if self.hold.is_over() {
                return Outcome::Rests;
            }
        }
        self.fail("the execution could not be carried on: see the server's log").await
    }

    /// How it stands when its driving was stopped from outside: cancelled, which is in the log, or to be driven by others.
    fn stopped(&self) -> Outcome {
        if self.hold.is_over() { Outcome::Rests } else { Outcome::Ended }
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
        let (mut writer, events) = self.read(age).await?;
        let left_for = match events.last() {
            Some(ExecutionEvent::ExecutionContinuedAsNew { next, at_ms }) => Some((*next, *at_ms)),
            _ => None,
        };
        if writer.state().status.has_ended() && left_for.is_none() {
            return Ok(Turn::Over(Outcome::Ended));
        }
        if !self.may_drive(&events) {
            return Ok(Turn::Over(Outcome::Rests));
        }
        if let Some(until_ms) = self.holds_still(writer.state()) {
            return Ok(Turn::Over(Outcome::Waits(until_ms)));
        }
        if left_for.is_none() {
            self.take_over(&events, &mut writer).await?;
        }
        let Some(machine) = self.machine(&events).await? else { return Ok(Turn::Over(Outcome::Ended)) };
        self.chained = place_of(events.first());
        if let Some(left_for) = left_for {
            return self.begin_left(&writer, &machine, left_for).await;
        }
        if let Some(ExecutionEvent::NodeRetried { retry_at_ms, .. }) = events.last() {
            self.sleep_until(*retry_at_ms).await;
        }
        drop(events);
        let mut worker = self.worker(machine);
        loop {
            if self.cancelled.is_cancelled() || self.hold.is_over() {
                return Ok(Turn::Over(self.stopped()));
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
            match pause {
                Pause::Flush => {}
                Pause::Ended => return Ok(Turn::Over(self.stopped())),
                Pause::Retry(at_ms) => self.sleep_until(at_ms).await,
                Pause::Effect(task) => {
                    if let Some(Pause::Retry(at_ms)) = self.carry_out(*task, &mut worker, &mut writer).await? {
                        self.sleep_until(at_ms).await;
                    }
                }
            }
        }
    }

    /// Whether no newer owner of the execution's shard has taken it over.
    fn may_drive(&self, events: &[ExecutionEvent]) -> bool {
        self.hold.is_valid() && owner_epoch(events).is_none_or(|epoch| epoch <= self.hold.lease.epoch.0)
    }

    /// Keeps whoever drove the execution before from taking anything down: what it appends next expects a revision that has
    /// passed.
    async fn take_over(&self, events: &[ExecutionEvent], writer: &mut ExecutionWriter) -> Result<(), DriveError> {
        let epoch = self.hold.lease.epoch.0;
        // Where only one process can have the log there is nobody to keep out.
        if !self.takes_over || epoch == 0 || owner_epoch(events) == Some(epoch) {
            return Ok(());
        }
        let (worker, at_ms) = (self.inner.parts.leases.worker().to_string(), self.inner.parts.clock.now_ms());
        Ok(writer.record(&[ExecutionEvent::ExecutionTakenOver { worker, epoch, at_ms }]).await?)
    }

    /// Until when an execution is held up, as its events say; `None` when it goes on.
    fn holds_still(&self, state: &Execution) -> Option<Option<i64>> {
        if state.paused.is_some() {
            return Some(None);
        }
        let wait = state.waiting.as_ref()?;
        let is_over = wait.until_ms.is_some_and(|until_ms| until_ms <= self.inner.parts.clock.now_ms());
        (!is_over).then_some(wait.until_ms)
    }

    /// Waits for a place among the executions under way; there is none when the driving ends before.
    async fn take_place(&mut self) {
        let request = self.place_request().await;
        self.place = tokio::select! {
            biased;
            () = self.cancelled.cancelled() => None,
            () = self.hold.leaving.cancelled() => None,
            place = self.inner.places.take(request) => Some(place),
        };
    }

    async fn place_request(&self) -> PlaceRequest {
        let Lane { name, priority, .. } = Lane::of(&self.started);
        let (tenant, order) = (self.started.stream.tenant, self.started.position.0);
        let lane = match name {
            Some(name) => self.concurrency_max().await.map(|limit| (name, limit)),
            None => None,
        };
        PlaceRequest { tenant, lane, priority, order }
    }

    /// How many executions of the workflow may run at once. A plan that cannot be made is a failure that comes up later.
    async fn concurrency_max(&self) -> Option<usize> {
        let event = codec::decode::<ExecutionEvent>(&self.started).ok()?;
        let start = match &event {
            ExecutionEvent::ExecutionStarted(start) => start,
            ExecutionEvent::ExecutionContinued(continuation) => &continuation.start,
            ExecutionEvent::ExecutionRetried(retry) => &retry.start,
            _ => return None,
        };
        let limit = self.plan(start).await.ok()?.definition.settings.concurrency?;
        // A limit of none would be for ever.
        Some(usize::try_from(limit).unwrap_or(usize::MAX).max(1))
    }

    /// The machine after all events of its stream; `None` without a beginning.
    async fn machine(&self, events: &[ExecutionEvent]) -> Result<Option<Machine>, DriveError> {
        let mut machine = match events.first() {
            Some(ExecutionEvent::ExecutionStarted(start)) => {
                Machine::new(self.plan(start).await?, Arc::new((**start).clone()))
            }
            Some(ExecutionEvent::ExecutionContinued(continuation)) => {
                let plan = self.plan(&continuation.start).await?;
                let log = &self.inner.parts.log;
                let data = earlier_data(log, &self.started.stream, &plan, continuation).await?;
                Machine::continued(plan, continuation, data)
            }
            _ => return Ok(None),
        };
        events.iter().for_each(|event| machine.apply(event));
        Ok(Some(machine))
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
            .until(self.hold.lost.clone());
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
        if !self.hold.is_valid() {
            return Ok(None);
        }
        let began = Instant::now();
        let result = tokio::select! {
            () = self.cancelled.cancelled() => return Ok(None),
            result = task.attempt.run_effect(&mut worker.session) => result,
        };
        let (events, pause) = worker.conclude_effect(task, began.elapsed(), result);
        writer.record(&events).await?;
        Ok(pause)
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
            self.take_place().await;
        }
    }

    async fn sleep(&self, time: Duration) {
        tokio::select! {
            () = self.cancelled.cancelled() => {}
            () = self.hold.leaving.cancelled() => {}
            () = tokio::time::sleep(time) => {}
        }
    }

    fn worker(&self, machine: Machine) -> Worker {
        let options = &self.inner.options;
        let timeout_s = machine.plan().definition.settings.execution_timeout.filter(|seconds| *seconds > 0.0);
        let deadline_ms = timeout_s.map(|seconds| machine.start().at_ms + (seconds * 1_000.0) as i64);
        let surroundings = Surroundings {
            // In every stream of the chain it is the one execution that was started.
            execution_id: self.chained.map_or_else(|| self.started.stream.id.to_string(), |(root, _)| root.to_string()),
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
        let mut writer =
            ExecutionWriter::new(Arc::clone(&parts.log), Arc::clone(&parts.ids), stream).until(self.hold.lost.clone());
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

    /// The plan of the workflow as it was when the execution began.
    async fn plan(&self, start: &StartFacts) -> Result<Arc<Plan>, DriveError> {
        let tenant = self.started.stream.tenant;
        let stream = StreamKey::new(tenant, WorkflowEvent::CATEGORY, start.workflow_id.to_string());
        let revision = start.workflow_revision;
        let key = (stream.clone(), revision, start.workflow_version, start.workflow_id);
        if let Some(plan) = self.inner.known_plan(&key) {
            return Ok(plan);
        }
        let mut workflow = Workflow::default();
        let mut after = Revision::default();
        while after.0 < revision {
            let limit = usize::try_from(revision - after.0).unwrap_or(READ_EVENTS_MAX).min(READ_EVENTS_MAX);
            let read = self.inner.parts.log.read_stream(&stream, after, Direction::Forward, limit).await?;
            let Some(last) = read.last() else { return Err(DriveError::NoWorkflow(revision)) };
            after = last.revision;
            for recorded in &read {
                workflow.apply(&codec::decode::<WorkflowEvent>(recorded)?);
            }
        }
        let definition = workflow.definition(start.workflow_version).ok_or(DriveError::NoWorkflow(revision))?;
        let (registry, timezone) = (&self.inner.parts.registry, self.inner.options.timezone);
        let plan = Arc::new(Plan::try_new(start.workflow_id, Arc::clone(definition), registry, timezone)?);
        self.inner.keep_plan(key, &plan);
        Ok(plan)
    }
}

/// The newest epoch in which a process took the execution over in its present stream.
fn owner_epoch(events: &[ExecutionEvent]) -> Option<u64> {
    events.iter().rev().find_map(|event| match event {
        ExecutionEvent::ExecutionTakenOver { epoch, .. } => Some(*epoch),
        _ => None,
    })
}
