//! From the log back to a machine: the plan of a workflow as it was, and everything that an execution's events say.
//!
//! Invariant: what is made here depends on the log alone.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::execution::{ExecutionEvent, RetryFacts, StartFacts};
use timeloom_domain::workflow::{Workflow, WorkflowEvent};
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{Direction, EventLog, LogError, Revision, StreamKey, codec};

use crate::chain::{ChainError, earlier_data, stream_of};
use crate::machine::{Machine, RunData};
use crate::plan::{Plan, PlanError};
use crate::runner::Inner;

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
    #[error("the execution that is tried again is not in the log: {0}")]
    NoSource(StreamKey),
    #[error("the execution is a retry of a retry, more than {RETRIES_DEEP_MAX} times over: start a new one")]
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
                let plan = plan(inner, stream, &continuation.start).await?;
                let start = Arc::new(continuation.start.clone());
                let retried = root_retry(inner, stream, continuation.root).await?;
                let before = match retried {
                    Some(retry) => source(inner, stream, &retry, deep).await?.into_data().moved(&plan, &start),
                    None => RunData::new(Arc::clone(&plan), start),
                };
                let data = earlier_data(&inner.parts.log, stream, before, continuation).await?;
                Machine::continued(plan, continuation, data)
            }
            Some(ExecutionEvent::ExecutionRetried(retry)) => {
                let plan = plan(inner, stream, &retry.start).await?;
                source(inner, stream, retry, deep).await?.retried(plan, &retry.start, retry.earlier_runs)
            }
            _ => return Ok(None),
        };
        events.iter().for_each(|event| machine.apply(event));
        Ok(Some(machine))
    }
    .boxed()
}

/// The machine of the execution that is tried again, as it stood at its end.
async fn source(inner: &Inner, like: &StreamKey, retry: &RetryFacts, deep: usize) -> Result<Machine, RestoreError> {
    let deep = deep.checked_sub(1).ok_or(RestoreError::TooDeep)?;
    let stream = stream_of(like, retry.of);
    let events = read(&inner.parts.log, &stream, Revision(retry.revision)).await?;
    let machine = machine_within(inner, &stream, &events, deep).await?;
    machine.ok_or(RestoreError::NoSource(stream))
}

/// What the first stream of a chain begins with, where that is a retry.
async fn root_retry(
    inner: &Inner,
    like: &StreamKey,
    root: timeloom_domain::ids::ExecutionId,
) -> Result<Option<RetryFacts>, RestoreError> {
    let first = read(&inner.parts.log, &stream_of(like, root), Revision(1)).await?;
    Ok(match first.into_iter().next() {
        Some(ExecutionEvent::ExecutionRetried(retry)) => Some(*retry),
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

/// The plan of the workflow as it was when the execution began.
pub(crate) async fn plan(inner: &Inner, like: &StreamKey, start: &StartFacts) -> Result<Arc<Plan>, RestoreError> {
    let stream = StreamKey::new(like.tenant, WorkflowEvent::CATEGORY, start.workflow_id.to_string());
    let revision = start.workflow_revision;
    let key = (stream.clone(), revision, start.workflow_version, start.workflow_id);
    if let Some(plan) = inner.known_plan(&key) {
        return Ok(plan);
    }
    let mut workflow = Workflow::default();
    let mut after = Revision::default();
    while after.0 < revision {
        let limit = usize::try_from(revision - after.0).unwrap_or(READ_EVENTS_MAX).min(READ_EVENTS_MAX);
        let read = inner.parts.log.read_stream(&stream, after, Direction::Forward, limit).await?;
        let Some(last) = read.last() else { return Err(RestoreError::NoWorkflow(revision)) };
        after = last.revision;
        for recorded in &read {
            workflow.apply(&codec::decode::<WorkflowEvent>(recorded)?);
        }
    }
    let definition = workflow.definition(start.workflow_version).ok_or(RestoreError::NoWorkflow(revision))?;
    let (registry, timezone) = (&inner.parts.registry, inner.options.timezone);
    let plan = Arc::new(Plan::try_new(start.workflow_id, Arc::clone(definition), registry, timezone)?);
    inner.keep_plan(key, &plan);
    Ok(plan)
}
