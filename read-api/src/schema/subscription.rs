//! Live events: what a subscriber missed first, then what happens, without a gap or a double.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_graphql::{Context, Object, Result, Subscription as GraphqlSubscription};
use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use serde_json::Value;
use timeloom_domain::access::Permission;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent as Facts;
use timeloom_domain::ids::{AgentRunId, ExecutionId};
use timeloom_store::{
    Direction, EventLog, Filter, Position, RecordedEvent, StreamKey, Subscription as LogSubscription,
    SubscriptionMessage, TenantScope,
};
use uuid::Uuid;

use super::access::look_at_events;
use super::agents::{AGENT_RUN_ENDS, agent_run_stream};
use super::event::{Event, EventFilter};
use super::execution::{Execution, execution};
use super::faults::{fault, fell_behind, let_out};
use super::permitted::check;
use super::reading::{state, wait_for_rows};
use super::scalars::{ExecutionStatus, PositionScalar, STATUS_EVENT_TYPES};
use crate::state::{ApiState, LetOut};

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

    /// The position up to which everything was given out.
    pub(crate) fn position(&self) -> Option<Position> {
        Some(self.position.load(Ordering::Acquire)).filter(|position| *position > 0).map(Position)
    }

    /// After which position a subscription begins: the later of what its arguments and its transport say.
    fn begin(&self, resume_from: Option<PositionScalar>, otherwise: Position) -> Position {
        let told = resume_from.map(|PositionScalar(position)| position);
        let carried = Some(Position(self.resume_after)).filter(|position| position.0 > 0);
        let after = told.max(carried).unwrap_or(otherwise);
        self.reached(after);
        after
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
    /// Its place in the log: give it as `resumeFrom` to go on after it.
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

/// A change of how far an execution is.
#[derive(Debug, Clone)]
pub(crate) struct ExecutionChange {
    event: Arc<RecordedEvent>,
    status: ExecutionStatus,
}

#[Object]
impl ExecutionChange {
    /// Place of the change in the log: give it as `resumeFrom` to go on after it.
    async fn position(&self) -> PositionScalar {
        PositionScalar(self.event.position)
    }

    /// Id of the execution.
    async fn execution_id(&self) -> Option<Uuid> {
        self.event.stream.id.parse().ok()
    }

    /// How far it was right after the change.
    async fn status(&self) -> ExecutionStatus {
        self.status
    }

    /// When the log took it.
    async fn recorded_at(&self) -> DateTime<Utc> {
        self.event.recorded_at
    }

    /// The execution right after the change, from the read models.
    #[graphql(complexity = "child_complexity + 5")]
    async fn execution(&self, context: &Context<'_>) -> Result<Option<Execution>> {
        let Ok(id) = self.event.stream.id.parse() else { return Ok(None) };
        let state = state(context)?;
        wait_for_rows(state, self.event.position).await?;
        execution(state, ExecutionId(id), Some(self.event.position)).await
    }
}

/// The root of everything live. Every subscription takes `resumeFrom` and gives each answer's position: whoever gives the
/// last position that they had goes on after it, without a gap or a double.
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
        #[graphql(desc = "Only events after this position; absent = from its first.")] resume_from: Option<
            PositionScalar,
        >,
        #[graphql(
            desc = "The same as `resumeFrom`.",
            deprecation = "give `resumeFrom`; goes in 0.3.0 at the earliest"
        )]
        after: Option<PositionScalar>,
    ) -> Result<BoxStream<'static, Result<ExecutionEvent>>> {
        let state = state(context)?;
        check(state, Permission::ExecutionRead)?;
        let progress = progress(context);
        let after = progress.begin(resume_from.max(after), Position::START);
        let stream = StreamKey::new(state.tenant(), Facts::CATEGORY, id.to_string());
        let mut status = status_at(state, &stream, after).await?;
        if status.has_ended() {
            return Ok(stream::empty().boxed());
        }
        let filter = Filter { stream: Some(stream), ..Filter::default() };
        Ok(follow(state, after, filter, progress, move |event| {
            status = ExecutionStatus::after(&event.event_type).unwrap_or(status);
            Shown { last: status.has_ended(), value: Some(ExecutionEvent { event, status }) }
        }))
    }

    /// The events of a run of an agent after a position, and then each as it happens; ends after the run's end.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn agent_run(
        &self,
        context: &Context<'_>,
        id: Uuid,
        #[graphql(desc = "Only events after this position; absent = from its first.")] resume_from: Option<
            PositionScalar,
        >,
    ) -> Result<BoxStream<'static, Result<Event>>> {
        let state = state(context)?;
        check(state, Permission::ExecutionRead)?;
        let progress = progress(context);
        let after = progress.begin(resume_from, Position::START);
        let filter = Filter { stream: Some(agent_run_stream(state, AgentRunId(id))), ..Filter::default() };
        Ok(follow(state, after, filter, progress, move |event| Shown {
            last: AGENT_RUN_ENDS.contains(&&*event.event_type),
            value: Some(Event(event)),
        }))
    }

    /// The events of the log that pass the filter, each as it happens.
    async fn events(
        &self,
        context: &Context<'_>,
        #[graphql(default)] filter: EventFilter,
        #[graphql(desc = "First the events after this position; absent = only what happens from now on.")]
        resume_from: Option<PositionScalar>,
    ) -> Result<BoxStream<'static, Result<Event>>> {
        let state = state(context)?;
        let (origins, filter) = (filter.origins()?, filter.into_store(state)?);
        look_at_events(context, state, "events as they happen", &filter).await?;
        let progress = progress(context);
        let after = progress.begin(resume_from, state.log().head());
        Ok(follow(state, after, filter, progress, move |event| Shown {
            last: false,
            value: origins.has(&event).then_some(Event(event)),
        }))
    }

    /// Changes of how far executions are: begun, waiting, paused, going on, ended.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn executions_changed(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only changes to this status.")] status: Option<ExecutionStatus>,
        #[graphql(desc = "First the changes after this position; absent = only what happens from now on.")]
        resume_from: Option<PositionScalar>,
    ) -> Result<BoxStream<'static, Result<ExecutionChange>>> {
        let state = state(context)?;
        check(state, Permission::ExecutionRead)?;
        let progress = progress(context);
        let after = progress.begin(resume_from, state.log().head());
        let event_types = STATUS_EVENT_TYPES.map(Arc::from).to_vec();
        let filter = Filter { categories: vec![Arc::from(Facts::CATEGORY)], event_types, stream: None };
        Ok(follow(state, after, filter, progress, move |event| {
            let changed = ExecutionStatus::after(&event.event_type);
            let wanted = changed.filter(|changed| status.is_none_or(|status| status == *changed));
            Shown { last: false, value: wanted.map(|status| ExecutionChange { event, status }) }
        }))
    }
}

/// How far the request's subscription is.
fn progress(context: &Context<'_>) -> Arc<Progress> {
    context.data_opt::<Arc<Progress>>().cloned().unwrap_or_default()
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

/// What a subscriber sees of an event.
struct Shown<T> {
    /// Nothing, where it is not for them.
    value: Option<T>,
    /// Whether nothing comes after it.
    last: bool,
}

/// The events after a position and then live ones, each as `show` makes it.
fn follow<T: Send + 'static>(
    state: &ApiState,
    after: Position,
    filter: Filter,
    progress: Arc<Progress>,
    show: impl FnMut(Arc<RecordedEvent>) -> Shown<T> + Send + 'static,
) -> BoxStream<'static, Result<T>> {
    let events = state.log().subscribe(TenantScope::One(state.tenant()), after, filter, QUEUE_EVENTS_MAX);
    let following = Following { events, let_out: state.clone().let_out().boxed(), show, progress, ended: false };
    let closing = state.closing().clone().cancelled_owned();
    stream::unfold(following, Following::next).take_until(closing).boxed()
}

struct Following<F> {
    events: LogSubscription,
    /// Resolves once the subscriber may follow no more.
    let_out: BoxFuture<'static, LetOut>,
    show: F,
    progress: Arc<Progress>,
    ended: bool,
}

impl<F> Following<F> {
    async fn next<T>(mut self) -> Option<(Result<T>, Self)>
    where
        F: FnMut(Arc<RecordedEvent>) -> Shown<T>,
    {
        if self.ended {
            return None;
        }
        loop {
            let message = tokio::select! {
                biased;
                why = &mut self.let_out => {
                    self.ended = true;
                    return Some((Err(let_out(why)), self));
                }
                message = self.events.next() => message?,
            };
            match message {
                SubscriptionMessage::Event(event) => {
                    let position = event.position;
                    let shown = (self.show)(event);
                    self.progress.reached(position);
                    self.ended = shown.last;
                    if let Some(value) = shown.value {
                        return Some((Ok(value), self));
                    }
                }
                SubscriptionMessage::Checkpoint(position) | SubscriptionMessage::CaughtUp(position) => {
                    self.progress.reached(position);
                }
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
