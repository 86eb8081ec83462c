//! Waiting for the answer of an execution on the log's live tail.
//!
//! Invariant: the subscription is there before the execution begins, so no answer can be missed. Nothing here reads a read
//! model, and an answer's JSON goes out as it is in the log. A caller that goes away ends the waiting, never the execution.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures::stream;
use serde_json::json;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::ids::ExecutionId;
use timeloom_store::{
    BlobStore, Filter, Position, RecordedEvent, StreamKey, Subscription, SubscriptionMessage, TenantScope, codec,
};
use tokio::time::{Instant, timeout_at};

use super::refusal::Refusal;
use super::response::{JSON, Responded, TEXT, head, respond};
use super::settings::{AnswerMode, Settings};
use crate::state::ApiState;

/// Events of one execution that may queue up for a caller.
const QUEUE_EVENTS_MAX: usize = 64;
/// The events that answer, end or move an execution.
const FOLLOWED_TYPES: [&str; 5] =
    ["ExecutionResponded", "ExecutionCompleted", "ExecutionFailed", "ExecutionCancelled", "ExecutionContinuedAsNew"];

/// What a caller hears of an execution.
enum Told {
    /// An answer, or a part of one.
    Answer(Arc<RecordedEvent>),
    /// It ended; whether it completed.
    Ended(bool),
}

/// The answers of one execution, as they come.
pub(super) struct Answers {
    state: ApiState,
    execution: ExecutionId,
    /// The link of its chain that is followed.
    link: ExecutionId,
    events: Subscription,
    mode: AnswerMode,
    until: Instant,
    /// The settings of a node that waited, where the end is answered by what the last node gave.
    resumed: Option<Settings>,
    /// The newest event in which a node gave something, where that is wanted.
    last: Option<Arc<RecordedEvent>>,
}

impl Answers {
    /// The answers of an execution that are given after a position.
    pub(super) fn of(state: &ApiState, execution: ExecutionId, after: Position, mode: AnswerMode) -> Self {
        let events = subscribe(state, execution, after, false);
        let until = Instant::now() + state.webhooks().answer_time_max;
        Self { state: state.clone(), execution, link: execution, events, mode, until, resumed: None, last: None }
    }

    /// The same for a request that ends a wait: where the end is the answer, it is what the last node gave.
    pub(super) fn with_last_items(self, settings: &Settings) -> Self {
        if self.mode != AnswerMode::LastNode {
            return self;
        }
        let events = subscribe(&self.state, self.execution, self.state.log().head(), true);
        Self { events, resumed: Some(settings.clone()), ..self }
    }

    /// The same from its first event on: it had begun before.
    pub(super) fn since_start(self) -> Self {
        Self { events: subscribe(&self.state, self.execution, Position::START, self.resumed.is_some()), ..self }
    }

    /// Waits for the answer and gives it as HTTP.
    ///
    /// # Errors
    /// A refusal that names the execution.
    pub(super) async fn respond(mut self) -> Result<HttpResponse, Refusal> {
        match self.next().await? {
            Told::Answer(event) => {
                let responded = read(&event)?;
                let mut head = responded.response.head().map_err(|refusal| refusal.of(self.execution))?;
                let body = responded.response.body(self.blobs()).await?;
                if !responded.more {
                    return Ok(head.body(body));
                }
                let first = part(body);
                Ok(head.streaming(self.parts(first)))
            }
            Told::Ended(true) if self.resumed.is_some() => self.last_items().await,
            Told::Ended(true) if self.mode == AnswerMode::Streaming => Ok(HttpResponse::Ok().finish()),
            Told::Ended(true) => Ok(HttpResponse::Ok().json(json!({ "message": "Workflow executed successfully" }))),
            Told::Ended(false) => {
                Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "Error in workflow").of(self.execution))
            }
        }
    }

    /// What the last node gave, as the node that waited wants it answered.
    async fn last_items(&self) -> Result<HttpResponse, Refusal> {
        let given = match self.last.as_deref().map(codec::decode::<ExecutionEvent>) {
            Some(Ok(ExecutionEvent::NodeCompleted { outputs, .. })) => outputs,
            Some(Err(error)) => return Err(Refusal::fault(&error)),
            _ => Vec::new(),
        };
        let items = given.iter().find(|items| !items.is_empty()).map(|items| items.as_slice()).unwrap_or_default();
        let answer = self.resumed.as_ref().map(Settings::answer).unwrap_or_default().answer(items);
        respond(&answer, self.blobs()).await.map_err(|refusal: Refusal| refusal.of(self.execution))
    }

    /// The parts of an answer as they become durable. What breaks off before its end is seen to have broken off.
    fn parts(self, first: Bytes) -> impl stream::Stream<Item = Result<Bytes, std::io::Error>> {
        let broken = |_: Refusal| std::io::Error::other("the answer broke off");
        stream::unfold((Some(self), Some(first)), move |(answers, first)| async move {
            let mut answers = answers?;
            if let Some(first) = first {
                return Some((Ok(first), (Some(answers), None)));
            }
            let told = match answers.next().await {
                Ok(Told::Answer(event)) => event,
                Ok(Told::Ended(true)) => return None,
                Ok(Told::Ended(false)) => {
                    return Some((Err(std::io::Error::other("the workflow failed")), (None, None)));
                }
                Err(refusal) => return Some((Err(broken(refusal)), (None, None))),
            };
            let read = async {
                let responded = read(&told)?;
                Ok((part(responded.response.body(answers.blobs()).await?), responded.more))
            };
            match read.await {
                Ok((body, more)) => Some((Ok(body), (more.then_some(answers), None))),
                Err(refusal) => Some((Err(broken(refusal)), (None, None))),
            }
        })
    }

    fn blobs(&self) -> Option<&dyn BlobStore> {
        self.state.stored().map(|stored| &*stored.blobs)
    }

    async fn next(&mut self) -> Result<Told, Refusal> {
        let (until, execution, state) = (self.until, self.execution, self.state.clone());
        tokio::select! {
            told = timeout_at(until, self.followed()) => told.unwrap_or_else(|_| {
                let message = "the workflow did not answer in time: it goes on";
                Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, message))
            }),
            () = state.closing().cancelled() => Err(stops()),
        }
        .map_err(|refusal| refusal.of(execution))
    }

    async fn followed(&mut self) -> Result<Told, Refusal> {
        loop {
            match self.events.next().await {
                Some(SubscriptionMessage::Event(event)) => match &*event.event_type {
                    "ExecutionResponded" if self.is_meant(&event)? => return Ok(Told::Answer(event)),
                    "NodeCompleted" => self.last = Some(event),
                    "ExecutionCompleted" => return Ok(Told::Ended(true)),
                    "ExecutionFailed" | "ExecutionCancelled" => return Ok(Told::Ended(false)),
                    "ExecutionContinuedAsNew" => {
                        // The events of the next stream come after this one, however soon: none is missed.
                        self.link = next_link(&event)?;
                        self.events = self.subscribed(event.position);
                    }
                    _ => {}
                },
                Some(SubscriptionMessage::Checkpoint(_) | SubscriptionMessage::CaughtUp(_)) => {}
                // A long burst came at once: it is read from where the queue was full.
                Some(SubscriptionMessage::FellBehind(position)) => self.events = self.subscribed(position),
                Some(SubscriptionMessage::Failed(error)) => return Err(Refusal::fault(&error)),
                None => return Err(stops()),
            }
        }
    }

    fn subscribed(&self, after: Position) -> Subscription {
        subscribe(&self.state, self.link, after, self.resumed.is_some())
    }

    /// Whether an answer is the one that the caller waits for: that of the end, or that of a node. Who ended a wait is
    /// answered by what the last node gave.
    fn is_meant(&self, event: &RecordedEvent) -> Result<bool, Refusal> {
        if self.resumed.is_some() {
            return Ok(false);
        }
        let of_node = read(event)?.node.is_some();
        Ok(of_node != (self.mode == AnswerMode::LastNode))
    }
}

/// The answer that is given as soon as the execution's first event is durable.
///
/// # Errors
/// A refusal when a header cannot be sent.
pub(super) fn at_once(settings: &Settings) -> Result<HttpResponse, Refusal> {
    let answer = settings.answer();
    let (status, headers) = (answer.status(), answer.headers());
    if settings.answers_without_body() {
        return Ok(head(status, &headers, None)?.finish());
    }
    match settings.text_at_once() {
        None => Ok(head(status, &headers, Some(JSON))?.body(json!({ "message": "Workflow was started" }).to_string())),
        Some(serde_json::Value::String(text)) => Ok(head(status, &headers, Some(TEXT))?.body(text.clone())),
        Some(value) => Ok(head(status, &headers, Some(JSON))?.body(value.to_string())),
    }
}

fn subscribe(state: &ApiState, execution: ExecutionId, after: Position, with_items: bool) -> Subscription {
    let stream = StreamKey::new(state.tenant(), ExecutionEvent::CATEGORY, execution.to_string());
    let mut event_types = FOLLOWED_TYPES.map(Arc::from).to_vec();
    if with_items {
        event_types.push(Arc::from("NodeCompleted"));
    }
    let filter = Filter { categories: Vec::new(), event_types, stream: Some(stream) };
    state.log().subscribe(TenantScope::One(state.tenant()), after, filter, QUEUE_EVENTS_MAX)
}

fn read(event: &RecordedEvent) -> Result<Responded<'_>, Refusal> {
    let is_current = ExecutionEvent::current_version(&event.event_type) == Some(event.event_version);
    if !is_current && !ExecutionEvent::reads_as_current(&event.event_type, event.event_version) {
        return Err(Refusal::fault(&"an answer is of a version that this build does not know"));
    }
    serde_json::from_str(event.payload.get()).map_err(|error| Refusal::fault(&error))
}

fn next_link(event: &RecordedEvent) -> Result<ExecutionId, Refusal> {
    match codec::decode::<ExecutionEvent>(event) {
        Ok(ExecutionEvent::ExecutionContinuedAsNew { next, .. }) => Ok(next),
        Ok(_) => Err(Refusal::fault(&"an execution goes on and does not say where")),
        Err(error) => Err(Refusal::fault(&error)),
    }
}

fn stops() -> Refusal {
    Refusal::not_ready("the server stops: the execution goes on when it is started again", None)
}

/// A part of an answer, on a line of its own.
fn part(body: Bytes) -> Bytes {
    if body.is_empty() || body.ends_with(b"\n") {
        return body;
    }
    let mut line = BytesMut::with_capacity(body.len() + 1);
    line.put(body);
    line.put_u8(b'\n');
    line.freeze()
}
