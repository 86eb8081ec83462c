//! From the log back to a machine: the plan of a workflow as it was, and everything that an execution's events say.
//!
//! Invariant: what is made here depends on the log alone.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use timeloom_domain::definition::WorkflowDefinition;
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::execution::{ExecutionEvent, ForkFacts, RetryFacts, StartFacts};
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::workflow::{Workflow, WorkflowEvent};
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{Direction, EventLog, LogError, Revision, StreamKey, codec};

use crate::chain::{ChainError, earlier_data, stream_of};
use crate::machine::{Machine, RunData};
use crate::plan::{Plan, PlanError};
use crate::runner::Inner;
use crate::stub::{Recording, RecordingError, Stubs};

/// Most executions, each a retry of the one before, through which the data of a run are looked up.
const RETRIES_DEEP_MAX: usize = 64;

/// Why an execution cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("the workflow of the execution is not in the log at revision {0}")]
    NoWorkflow(u64),
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("the execution from which it goes on is not in the log: {0}")]
    NoSource(StreamKey),
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[error("the execution goes on from others, more than {RETRIES_DEEP_MAX} times over: start a new one")]
    TooDeep,
}

/// The machine after all events of a stream; `None` without a beginning.
pub(crate) async fn machine(
    inner: &Inner,
    stream: &StreamKey,
    events: &[ExecutionEvent],
) -> Result<Option<Machine>, RestoreError> {
    machine_within(inner, stream, events, RETRIES_DEEP_MAX).await
}

fn machine_within<'a>(
    inner: &'a Inner,
    stream: &'a StreamKey,
    events: &'a [ExecutionEvent],
    deep: usize,
) -> BoxFuture<'a, Result<Option<Machine>, RestoreError>> {
    async move {
        let mut machine = match events.first() {
            Some(ExecutionEvent::ExecutionStarted(start)) => {
                Machine::new(plan(inner, stream, start).await?, Arc::clone(start))
            }
            Some(ExecutionEvent::ExecutionContinued(continuation)) => {
                let start = Arc::new(continuation.start.clone());
                let mut stubs = None;
                let (plan, before) = match origin(inner, stream, continuation.root).await? {
                    Some(Origin::Retried(retry)) => {
                        let plan = plan(inner, stream, &continuation.start).await?;
                        let source = source(inner, stream, (retry.of, retry.revision), deep).await?;
                        (Arc::clone(&plan), source.machine.into_data().moved(&plan, &start))
                    }
                    Some(Origin::Forked(fork)) => {
                        let plan = fork_plan(inner, stream, &fork).await?;
                        let source = source(inner, stream, (fork.of, fork.revision), deep).await?;
                        stubs = Some(self::stubs(inner, &fork, &source).await?);
                        (Arc::clone(&plan), source.machine.into_data().moved(&plan, &start))
                    }
                    None => {
                        let plan = plan(inner, stream, &continuation.start).await?;
                        (Arc::clone(&plan), RunData::new(plan, start))
                    }
                };
                let data = earlier_data(&inner.parts.log, stream, before, continuation).await?;
                let mut machine = Machine::continued(plan, continuation, data);
                stubs.into_iter().for_each(|stubs| machine.follow(stubs));
                machine
            }
            Some(ExecutionEvent::ExecutionRetried(retry)) => {
                let plan = plan(inner, stream, &retry.start).await?;
                let source = source(inner, stream, (retry.of, retry.revision), deep).await?;
                source.machine.retried(plan, &retry.start, retry.earlier_runs)
            }
            Some(ExecutionEvent::ExecutionForked(fork)) => {
                let plan = fork_plan(inner, stream, fork).await?;
                let source = source(inner, stream, (fork.of, fork.revision), deep).await?;
                let stubs = self::stubs(inner, fork, &source).await?;
                let mut machine = source.machine.retried(plan, &fork.start, fork.earlier_runs);
                machine.follow(stubs);
                machine
            }
            _ => return Ok(None),
        };
        events.iter().for_each(|event| machine.apply(event));
        Ok(Some(machine))
    }
    .boxed()
}

/// An execution from which another one goes on, as it stood there.
struct Source {
    machine: Machine,
    stream: StreamKey,
    events: Vec<ExecutionEvent>,
}

/// The machine of the execution from which another one goes on, as it stood right after a revision of its stream.
async fn source(
    inner: &Inner,
    like: &StreamKey,
    (of, revision): (ExecutionId, u64),
    deep: usize,
) -> Result<Source, RestoreError> {
    let deep = deep.checked_sub(1).ok_or(RestoreError::TooDeep)?;
    let stream = stream_of(like, of);
    let events = read(&inner.parts.log, &stream, Revision(revision)).await?;
    let machine = machine_within(inner, &stream, &events, deep).await?;
    let machine = machine.ok_or_else(|| RestoreError::NoSource(stream.clone()))?;
    Ok(Source { machine, stream, events })
}

/// What stands in for the effects of a fork, whose source stands where it goes on.
async fn stubs(inner: &Inner, fork: &ForkFacts, source: &Source) -> Result<Stubs, RestoreError> {
    let Source { machine, stream, events } = source;
    let recording = Recording::read(&inner.parts.log, stream, events, machine).await?;
    Ok(Stubs::new(Arc::new(recording), &fork.changes, fork.effects.clone()))
}

/// From what the first stream of a chain goes on.
enum Origin {
    Retried(Box<RetryFacts>),
    Forked(Box<ForkFacts>),
}

/// From what the first stream of a chain goes on; `None` when it began by itself.
async fn origin(inner: &Inner, like: &StreamKey, root: ExecutionId) -> Result<Option<Origin>, RestoreError> {
    let first = read(&inner.parts.log, &stream_of(like, root), Revision(1)).await?;
    Ok(match first.into_iter().next() {
        Some(ExecutionEvent::ExecutionRetried(retry)) => Some(Origin::Retried(retry)),
        Some(ExecutionEvent::ExecutionForked(fork)) => Some(Origin::Forked(fork)),
        _ => None,
    })
}

/// The events of a stream up to a revision.
async fn read(log: &Arc<dyn EventLog>, stream: &StreamKey, to: Revision) -> Result<Vec<ExecutionEvent>, LogError> {
    let (mut events, mut after) = (Vec::new(), Revision::default());
    while after < to {
        let limit = usize::try_from(to.0 - after.0).unwrap_or(READ_EVENTS_MAX).min(READ_EVENTS_MAX);
        let read = log.read_stream(stream, after, Direction::Forward, limit).await?;
        let Some(last) = read.last() else { break };
        after = last.revision;
        for recorded in &read {
            events.push(codec::decode::<ExecutionEvent>(recorded)?);
        }
    }
    Ok(events)
}

/// The plan of a fork, with the parameters that are other in it.
async fn fork_plan(inner: &Inner, like: &StreamKey, fork: &ForkFacts) -> Result<Arc<Plan>, RestoreError> {
    let plan = plan(inner, like, &fork.start).await?;
    let Some(changed) = fork.changed(&plan.definition) else { return Ok(plan) };
    let (registry, timezone) = (&inner.parts.registry, inner.options.timezone);
    Ok(Arc::new(Plan::try_new(fork.start.workflow_id, Arc::new(changed), registry, timezone)?))
}

/// The plan of the workflow as it was when the execution began.
pub(crate) async fn plan(inner: &Inner, like: &StreamKey, start: &StartFacts) -> Result<Arc<Plan>, RestoreError> {
    let stream = StreamKey::new(like.tenant, WorkflowEvent::CATEGORY, start.workflow_id.to_string());
    let revision = start.workflow_revision;
    let key = (stream.clone(), revision, start.workflow_version, start.workflow_id);
    if let Some(plan) = inner.known_plan(&key) {
        return Ok(plan);
    }
    let definition = definition(inner, &stream, revision, start.workflow_version).await?;
    let (registry, timezone) = (&inner.parts.registry, inner.options.timezone);
    let plan = Arc::new(Plan::try_new(start.workflow_id, definition, registry, timezone)?);
    inner.keep_plan(key, &plan);
    Ok(plan)
}

/// A definition of a workflow as it was at a revision: a published version, or the draft.
pub(crate) async fn definition(
    inner: &Inner,
    stream: &StreamKey,
    revision: u64,
    version: Option<u32>,
) -> Result<Arc<WorkflowDefinition>, RestoreError> {
    let mut workflow = Workflow::default();
    let mut after = Revision::default();
    while after.0 < revision {
        let limit = usize::try_from(revision - after.0).unwrap_or(READ_EVENTS_MAX).min(READ_EVENTS_MAX);
        let read = inner.parts.log.read_stream(stream, after, Direction::Forward, limit).await?;
        let Some(last) = read.last() else { return Err(RestoreError::NoWorkflow(revision)) };
        after = last.revision;
        for recorded in &read {
            workflow.apply(&codec::decode::<WorkflowEvent>(recorded)?);
        }
    }
    workflow.definition(version).cloned().ok_or(RestoreError::NoWorkflow(revision))
}
