//! Live events of one execution: its history first, then what happens, without a gap or a double.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_graphql::{Context, Object, Result, Subscription as GraphqlSubscription};
use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream, StreamExt};
use serde_json::Value;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent as Facts;
use timeloom_store::{
    Direction, EventLog, Filter, Position, RecordedEvent, StreamKey, Subscription as LogSubscription,
    SubscriptionMessage, TenantScope,
};
use uuid::Uuid;

use super::faults::{fault, fell_behind};
use super::reading::state;
use super::scalars::{ExecutionStatus, PositionScalar, STATUS_EVENT_TYPES};
use crate::state::ApiState;

/// Events that may queue up for one subscriber; one that is slower is let go.
const QUEUE_EVENTS_MAX: usize = 256;

/// How far a subscription is: what a transport needs to say where to resume. One is put into each request's data.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Where the client says it was, when the transport carries that outside of the arguments.
    resume_after: u64,
    position: AtomicU64,
}

impl Progress {
    /// For a client that has everything up to `position`.
    pub(crate) fn resuming_after(position: Option<Position>) -> Arc<Self> {
        Arc::new(Self { resume_after: position.map_or(0, |position| position.0), position: AtomicU64::new(0) })
    }

    /// Position of the last event that was given out.
    pub(crate) fn position(&self) -> Option<Position> {
        Some(self.position.load(Ordering::Acquire)).filter(|position| *position > 0).map(Position)
    }

    fn reached(&self, position: Position) {
        self.position.store(position.0, Ordering::Release);
    }
}

/// An event of an execution, and what the execution was like right after it.
#[derive(Debug, Clone)]
pub(crate) struct ExecutionEvent {
    event: Arc<RecordedEvent>,
    status: ExecutionStatus,
}

#[Object]
impl ExecutionEvent {
    /// Its place in the log: give it as `after` to resume.
    async fn position(&self) -> PositionScalar {
        PositionScalar(self.event.position)
    }

    /// Its place among the events of the execution; 1 is the first.
    async fn revision(&self) -> u64 {
        self.event.revision.0
    }

    /// Its type, for example `NodeCompleted`.
    #[graphql(name = "type")]
    async fn event_type(&self) -> &str {
        &self.event.event_type
    }

    /// When the log took it.
    async fn recorded_at(&self) -> DateTime<Utc> {
        self.event.recorded_at
    }

    /// How far the execution was right after it.
    async fn status(&self) -> ExecutionStatus {
        self.status
    }

    /// What happened, as it was written down.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn payload(&self) -> Result<Value> {
        serde_json::from_str(self.event.payload.get()).map_err(|error| fault(&error))
    }
}

/// The root of everything live.
#[derive(Debug)]
pub struct Subscription;

#[GraphqlSubscription]
impl Subscription {
    /// The events of an execution after a position, and then each as it happens; ends after the execution's end.
    /// An execution that does not exist yet is waited for.
    async fn execution(
        &self,
        context: &Context<'_>,
        id: Uuid,
        #[graphql(desc = "Only events after this position; absent = from its first.")] after: Option<PositionScalar>,
    ) -> Result<BoxStream<'static, Result<ExecutionEvent>>> {
        let state = state(context)?;
        let progress = context.data_opt::<Arc<Progress>>().cloned().unwrap_or_default();
        let after = after.map_or(0, |after| after.0.0).max(progress.resume_after);
        let stream = StreamKey::new(state.tenant(), Facts::CATEGORY, id.to_string());
        let status = status_at(state, &stream, Position(after)).await?;
        if status.has_ended() {
            return Ok(stream::empty().boxed());
        }
        let filter = Filter { stream: Some(stream), ..Filter::default() };
        let scope = TenantScope::One(state.tenant());
        let events = state.log().subscribe(scope, Position(after), filter, QUEUE_EVENTS_MAX);
        let following = Following { events, status, progress, ended: false };
        let closing = state.closing().clone().cancelled_owned();
        Ok(stream::unfold(following, Following::next).take_until(closing).boxed())
    }
}

/// How far the execution was at `position`.
async fn status_at(state: &ApiState, stream: &StreamKey, position: Position) -> Result<ExecutionStatus> {
    if position == Position::START {
        return Ok(ExecutionStatus::New);
    }
    let log: &dyn EventLog = state.log();
    let event_types = STATUS_EVENT_TYPES.map(Arc::from).to_vec();
    let filter = Filter { event_types, stream: Some(stream.clone()), ..Filter::default() };
    let newest = log
        .read_all(TenantScope::One(state.tenant()), position, Direction::Backward, &filter, 1)
        .await
        .map_err(|error| fault(&error))?;
    let status = newest.first().and_then(|event| ExecutionStatus::after(&event.event_type));
    Ok(status.unwrap_or(ExecutionStatus::New))
}

struct Following {
    events: LogSubscription,
    status: ExecutionStatus,
    progress: Arc<Progress>,
    ended: bool,
}

impl Following {
    async fn next(mut self) -> Option<(Result<ExecutionEvent>, Self)> {
        if self.ended {
            return None;
        }
        loop {
            match self.events.next().await? {
                SubscriptionMessage::Event(event) => {
                    self.status = ExecutionStatus::after(&event.event_type).unwrap_or(self.status);
                    self.ended = self.status.has_ended();
                    self.progress.reached(event.position);
                    return Some((Ok(ExecutionEvent { event, status: self.status }), self));
                }
                SubscriptionMessage::Checkpoint(_) | SubscriptionMessage::CaughtUp(_) => {}
                SubscriptionMessage::FellBehind(last) => {
                    self.ended = true;
                    return Some((Err(fell_behind(last)), self));
                }
                SubscriptionMessage::Failed(error) => {
                    self.ended = true;
                    return Some((Err(fault(&error)), self));
                }
            }
        }
    }
}
