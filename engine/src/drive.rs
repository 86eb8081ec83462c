//! Drives one execution from where it is to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::execution::{ExecutionEvent, StartFacts};
use timeloom_domain::workflow::{Workflow, WorkflowEvent};
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{AppendError, Direction, LogError, RecordedEvent, Revision, StreamKey, codec};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use crate::attempt::Surroundings;
use crate::burst::{EffectTask, Pause, Worker};
use crate::machine::Machine;
use crate::plan::{Plan, PlanError};
use crate::runner::{Age, Engine, Inner};
use crate::writer::{ExecutionWriter, WriteError};

/// How often an execution is taken up again after a failure of the log before it is left for the next start.
const FAULT_RETRIES_MAX: u32 = 5;
/// Pause after a failure of the log; it doubles each time.
const FAULT_PAUSE: Duration = Duration::from_millis(200);
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
    #[error("the computation was torn down: {0}")]
    Torn(#[from] tokio::task::JoinError),
}

/// One execution under way.
pub(crate) struct Drive {
    inner: Arc<Inner>,
    started: Arc<RecordedEvent>,
    cancelled: CancellationToken,
    /// Its place among the executions under way; given up while it only waits.
    place: Option<OwnedSemaphorePermit>,
}

impl Drive {
    pub(crate) fn new(engine: &Engine, started: Arc<RecordedEvent>, cancelled: CancellationToken) -> Self {
        Self { inner: Arc::clone(&engine.inner), started, cancelled, place: None }
    }

    /// Drives it to its end. False when it rests unfinished: the next start takes it up again.
    pub(crate) async fn run(mut self, mut age: Age) -> bool {
        self.place = self.inner.place(&self.cancelled).await;
        if self.place.is_none() {
            return !self.inner.is_stopping();
        }
        let mut pause = FAULT_PAUSE;
        for _ in 0..FAULT_RETRIES_MAX {
            let result = self.attempt(age).await;
            age = Age::Old;
            match result {
                Ok(ended) => return ended,
                // A cancellation, or a newer owner: the log says which when it is read again.
                Err(DriveError::Write(WriteError::Overtaken)) => {}
                // The same would happen again.
                Err(
                    error @ (DriveError::Plan(_)
                    | DriveError::NoWorkflow(_)
                    | DriveError::Write(WriteError::Append(AppendError::TooLarge { .. }))),
                ) => {
                    return self.fail(&error.to_string()).await;
                }
                Err(error) => {
                    tracing::error!(execution = %self.started.stream, %error, "the execution pauses");
                    self.sleep(pause).await;
                    pause *= 2;
                }
            }
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
            if writer.state().status.has_ended() {
                return Ok(());
            }
            let at_ms = self.inner.parts.clock.now_ms();
            let error = json!({"name": "Error", "message": message});
            writer.record(&[ExecutionEvent::ExecutionFailed { node: None, error, at_ms }]).await?;
            Ok::<(), DriveError>(())
        };
        match result.await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(execution = %self.started.stream, %error, "the execution rests until the next start");
                false
            }
        }
    }

    async fn attempt(&mut self, age: Age) -> Result<bool, DriveError> {
        let (mut writer, events) = self.read(age).await?;
        if writer.state().status.has_ended() {
            return Ok(true);
        }
        let Some(start) = writer.state().start.clone() else { return Ok(true) };
        let plan = self.plan(&start).await?;
        let mut machine = Machine::new(plan, Arc::new(*start));
        events.iter().for_each(|event| machine.apply(event));
        if let Some(ExecutionEvent::NodeRetried { retry_at_ms, .. }) = events.last() {
            self.sleep_until(*retry_at_ms).await;
        }
        drop(events);
        let mut worker = self.worker(machine);
        loop {
            if self.cancelled.is_cancelled() {
                return Ok(!self.inner.is_stopping());
            }
            let (returned, events, pause) = self.compute(worker).await?;
            worker = returned;
            if !events.is_empty() {
                writer.record(&events).await?;
            }
            match pause {
                Pause::Flush => {}
                Pause::Ended => return Ok(!self.inner.is_stopping()),
                Pause::Retry(at_ms) => self.sleep_until(at_ms).await,
                Pause::Effect(task) => {
                    if let Some(Pause::Retry(at_ms)) = self.carry_out(*task, &mut worker, &mut writer).await? {
                        self.sleep_until(at_ms).await;
                    }
                }
            }
        }
    }

    /// Runs an effect and takes its end down. A cancellation drops the request under way.
    async fn carry_out(
        &self,
        mut task: EffectTask,
        worker: &mut Worker,
        writer: &mut ExecutionWriter,
    ) -> Result<Option<Pause>, DriveError> {
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
    async fn compute(&self, mut worker: Worker) -> Result<(Worker, Vec<ExecutionEvent>, Pause), DriveError> {
        let _permit = self.inner.bursts.acquire().await;
        let computed = tokio::task::spawn_blocking(move || {
            let (events, pause) = worker.run_burst();
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
        let deadline_ms = timeout_s.map(|seconds| machine.start().at_ms + (seconds * 1_000.0) as i64);
        let surroundings = Surroundings {
            execution_id: self.started.stream.id.to_string(),
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
        let mut writer = ExecutionWriter::new(Arc::clone(&parts.log), Arc::clone(&parts.ids), stream);
        let mut events = Vec::new();
        let mut fold = |recorded: &RecordedEvent, writer: &mut ExecutionWriter| {
            let event = codec::decode::<ExecutionEvent>(recorded)?;
            writer.fold(&event, recorded.id, recorded.revision);
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
