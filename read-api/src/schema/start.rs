//! Starting an execution, and waiting for its end on the log's live tail: the path that must be fast.
//!
//! Invariant: the subscription is there before the command is sent, so no end can be missed; the answer comes from the
//! end's own event, without a read model and without reading the log again.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, Enum, InputObject, Object, Result};
use serde_json::Value;
use timeloom_commands::{Outcome, StartExecution};
use timeloom_domain::definition::wrap_item;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::{ExecutionEvent, ExecutionMode as DomainMode, RunOptions};
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_domain::item::Item;
use timeloom_store::{
    Direction, Filter, Position, RecordedEvent, Revision, StreamKey, Subscription, SubscriptionMessage, TenantScope,
    codec,
};
use uuid::Uuid;

use super::execution::{Execution, execution};
use super::execution_facts::Breakpoint;
use super::faults::{coded, fault, fell_behind};
use super::payloads::{UserError, Written, refused, settle};
use super::reading::state;
use super::scalars::{ExecutionMode, ExecutionStatus, PositionScalar, STATUS_EVENT_TYPES};
use crate::state::ApiState;

/// How long a caller waits for the end when nothing else is said, in milliseconds.
const TIMEOUT_DEFAULT_MS: u64 = 30_000;
/// Longest time that a caller may wait, in milliseconds.
const TIMEOUT_MAX_MS: u64 = 300_000;
/// Status events of one execution that may queue up for a caller.
const QUEUE_EVENTS_MAX: usize = 64;

/// What to wait for before answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum WaitFor {
    /// Its first event is safe in the log.
    Started,
    /// It ended, or the time is up.
    Completed,
}

/// A run to begin.
#[derive(Debug, InputObject)]
pub(crate) struct StartExecutionInput {
    /// Makes this the same command as an earlier one with this id; it is the execution's id, too.
    pub command_id: Option<Uuid>,
    /// The workflow.
    pub workflow_id: Uuid,
    /// The published version; absent = the draft in manual mode, and in production the active version, or the one that is
    /// rolled out beside it, for its part.
    pub version: Option<u32>,
    /// Why it is started.
    #[graphql(default_with = "ExecutionMode::Manual")]
    pub mode: ExecutionMode,
    /// Name of the node with which it begins; absent = the workflow's trigger.
    pub start_node: Option<String>,
    /// Items for that node: a list of objects, wrapped as `{"json": …}` or bare. Absent = one empty item.
    pub items: Option<Value>,
    /// Before which nodes it pauses, at most 200.
    #[graphql(default)]
    pub breakpoints: Vec<Breakpoint>,
    /// Of those that wait for a place, the one with the highest priority is next, -1,000 to 1,000. 0 = the workflow's.
    #[graphql(default)]
    pub priority: i32,
    /// Whom the data of the execution is about, by which it can be erased; absent = what the workflow's setting says.
    pub subject: Option<String>,
    /// What to wait for before answering.
    #[graphql(default_with = "WaitFor::Started")]
    pub wait_for: WaitFor,
    /// How long to wait for the end, in milliseconds; at most 300,000.
    #[graphql(default_with = "TIMEOUT_DEFAULT_MS")]
    pub timeout_ms: u64,
}

/// What starting an execution came to.
#[derive(Debug)]
pub(crate) struct StartExecutionPayload {
    id: Option<ExecutionId>,
    /// The execution as which it went on last: what is told below is of that one.
    last: Option<ExecutionId>,
    status: Option<ExecutionStatus>,
    ended_by: Option<Arc<RecordedEvent>>,
    timed_out: bool,
    written: Written,
}

impl StartExecutionPayload {
    fn refused(error: UserError) -> Self {
        let written = Written { errors: vec![error], ..Written::default() };
        Self { id: None, last: None, status: None, ended_by: None, timed_out: false, written }
    }
}

#[Object]
impl StartExecutionPayload {
    /// The execution that was started; absent when none was.
    async fn execution_id(&self) -> Option<Uuid> {
        self.id.map(|id| id.0)
    }

    /// The published version that it runs, which is one of two while one is rolled out; absent for the draft.
    async fn workflow_version(&self, context: &Context<'_>) -> Result<Option<u32>> {
        let (state, Some(id)) = (state(context)?, self.id) else { return Ok(None) };
        let stream = StreamKey::new(state.tenant(), ExecutionEvent::CATEGORY, id.to_string());
        let first = state.log().read_stream(&stream, Revision::default(), Direction::Forward, 1).await;
        let first = first.map_err(|error| fault(&error))?;
        let Some(first) = first.first() else { return Ok(None) };
        match codec::decode::<ExecutionEvent>(first).map_err(|error| fault(&error))? {
            ExecutionEvent::ExecutionStarted(start) => Ok(start.workflow_version),
            _ => Ok(None),
        }
    }

    /// How far it is at `position`.
    async fn status(&self) -> Option<ExecutionStatus> {
        self.status
    }

    /// Whether the time was up before it ended: it goes on.
    async fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// What went wrong, when it failed.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn failure(&self) -> Result<Option<Value>> {
        let Some(event) = self.ended_by.as_ref().filter(|_| self.status == Some(ExecutionStatus::Failed)) else {
            return Ok(None);
        };
        match codec::decode::<ExecutionEvent>(event).map_err(|error| fault(&error))? {
            ExecutionEvent::ExecutionFailed { error, .. } => Ok(Some(error)),
            _ => Ok(None),
        }
    }

    /// The execution, from the read models: asking for it waits until they show `position`. Of a long one that went on as
    /// other executions meanwhile: the last of them.
    #[graphql(complexity = "child_complexity + 5")]
    async fn execution(&self, context: &Context<'_>) -> Result<Option<Execution>> {
        let Some(id) = self.last else { return Ok(None) };
        let state = state(context)?;
        self.written.visible(state).await?;
        execution(state, id, None).await
    }

    /// The position of the event that `status` is from: give it as `waitFor`.
    async fn position(&self) -> Option<PositionScalar> {
        self.written.position()
    }

    /// How many events it had had by then.
    async fn revision(&self) -> Option<u64> {
        self.written.revision()
    }

    /// Whether this command had been carried out before.
    async fn repeated(&self) -> bool {
        self.written.repeated
    }

    /// Why it was not started; empty when it was.
    async fn errors(&self) -> &[UserError] {
        &self.written.errors
    }
}

/// Starts, and waits as asked.
pub(crate) async fn start(state: &ApiState, input: StartExecutionInput) -> Result<StartExecutionPayload> {
    if input.timeout_ms > TIMEOUT_MAX_MS {
        let message = format!("timeoutMs is {}, at most {TIMEOUT_MAX_MS} are allowed", input.timeout_ms);
        return Ok(StartExecutionPayload::refused(refused("TIMEOUT_TOO_LONG", message)));
    }
    let items = match input.items.map(items).transpose() {
        Ok(items) => items,
        Err(error) => return Ok(StartExecutionPayload::refused(error)),
    };
    let context = state.context(input.command_id);
    let id = ExecutionId(context.command_id.0);
    let wait = (input.wait_for == WaitFor::Completed).then(|| Duration::from_millis(input.timeout_ms));
    // Before the command: what comes of it cannot come before we listen.
    let listening = wait.map(|wait| (subscribe(state, id, state.log().head()), wait));
    let breakpoints = input.breakpoints.into_iter().map(Into::into).collect();
    let start = StartExecution {
        execution_id: Some(id),
        version: input.version,
        mode: DomainMode::from(input.mode),
        start_node: input.start_node,
        items,
        subject: input.subject,
        options: RunOptions { priority: input.priority, breakpoints, lane: None },
        ..StartExecution::by_hand(WorkflowId(input.workflow_id))
    };
    let outcome = match settle(state.commands().start_execution(&context, start).await)? {
        Ok(outcome) => outcome,
        Err(error) => return Ok(StartExecutionPayload::refused(error)),
    };
    let Some((subscription, wait)) = listening else { return Ok(running(&outcome)) };
    // A repeated command may have ended before we listened: its history has the end.
    let subscription = if outcome.repeated { subscribe(state, id, Position::START) } else { subscription };
    await_end(state, subscription, &outcome, wait).await
}

fn subscribe(state: &ApiState, id: ExecutionId, after: Position) -> Subscription {
    let stream = StreamKey::new(state.tenant(), ExecutionEvent::CATEGORY, id.to_string());
    let event_types = STATUS_EVENT_TYPES.map(Arc::from).to_vec();
    let filter = Filter { categories: Vec::new(), event_types, stream: Some(stream) };
    state.log().subscribe(TenantScope::One(state.tenant()), after, filter, QUEUE_EVENTS_MAX)
}

fn running(outcome: &Outcome<ExecutionId>) -> StartExecutionPayload {
    let (id, written) = Written::of(Ok(*outcome));
    let status = Some(ExecutionStatus::Running);
    StartExecutionPayload { id, last: id, status, ended_by: None, timed_out: false, written }
}

async fn await_end(
    state: &ApiState,
    mut subscription: Subscription,
    outcome: &Outcome<ExecutionId>,
    wait: Duration,
) -> Result<StartExecutionPayload> {
    let mut payload = running(outcome);
    let until_end = async {
        loop {
            match subscription.next().await {
                Some(SubscriptionMessage::Event(event)) => {
                    let Some(status) = ExecutionStatus::after(&event.event_type) else { continue };
                    payload.status = Some(status);
                    payload.written.position = Some(event.position);
                    payload.written.revision = Some(event.revision);
                    if status == ExecutionStatus::Continued {
                        // The events of the next stream come after this one, however soon: none is missed.
                        let next = next_link(&event)?;
                        payload.last = Some(next);
                        payload.status = Some(ExecutionStatus::Running);
                        subscription = subscribe(state, next, event.position);
                    } else if status.has_ended() {
                        payload.ended_by = Some(event);
                        return Ok(());
                    }
                }
                Some(SubscriptionMessage::Checkpoint(_) | SubscriptionMessage::CaughtUp(_)) => {}
                Some(SubscriptionMessage::FellBehind(last)) => return Err(fell_behind(last)),
                Some(SubscriptionMessage::Failed(error)) => return Err(fault(&error)),
                None => {
                    return Err(coded("CLOSING", "the server is shutting down: the execution goes on after its start"));
                }
            }
        }
    };
    match tokio::time::timeout(wait, until_end).await {
        Ok(ended) => ended?,
        Err(_) => payload.timed_out = true,
    }
    Ok(payload)
}

/// The execution as which one goes on that ended with `event`.
fn next_link(event: &RecordedEvent) -> Result<ExecutionId> {
    match codec::decode::<ExecutionEvent>(event).map_err(|error| fault(&error))? {
        ExecutionEvent::ExecutionContinuedAsNew { next, .. } => Ok(next),
        _ => Err(coded("CONTINUED", "the execution goes on as another one: see its events")),
    }
}

/// Items as people write them: one object or a list, wrapped or bare.
pub(crate) fn items(value: Value) -> Result<Vec<Item>, UserError> {
    let list = match value {
        Value::Array(list) => list,
        one @ Value::Object(_) => vec![one],
        _ => return Err(refused("INVALID_ITEMS", "items must be a list of objects: write [{\"name\": \"value\"}]")),
    };
    let wrap = |(index, value): (usize, Value)| {
        wrap_item(value).map_err(|error| refused("INVALID_ITEMS", format!("item {index} has the wrong shape: {error}")))
    };
    list.into_iter().enumerate().map(wrap).collect()
}
