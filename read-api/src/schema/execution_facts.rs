//! What is told of an execution besides its row: why it stands still, what it waits for, what it answered. Read from its
//! first event and from the newest event of a type, never from a fold of all.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::Value;
use timeloom_domain::access::Permission;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::{
    Breakpoint as DomainBreakpoint, ExecutionEvent as Facts, PauseReason, Response as DomainResponse, ResponseBody,
    ResumeKind, StartFacts,
};
use timeloom_domain::ids::ExecutionId;
use timeloom_projections::{AsOf, SavedFact as SavedFactRow};
use timeloom_store::{Direction, Filter, RecordedEvent, Revision, StreamKey, TenantScope, codec};

use super::budget::PayloadBudget;
use super::faults::fault;
use super::reading::state;
use crate::state::ApiState;

/// What started an execution, where that was not a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "timeloom_domain::execution::TriggerKind")]
pub(crate) enum ExecutionTrigger {
    /// A request to a webhook.
    Webhook,
    /// A schedule.
    Schedule,
    /// A message that a trigger listened for.
    Message,
    /// A node of another execution.
    SubWorkflow,
    /// The failure of another execution.
    Failure,
    /// An execution that ended and is tried again.
    Retry,
    /// An event of another execution, from which it goes on.
    Fork,
}

/// A fact that a node saved about an execution, by which it can be found.
#[derive(Debug, Clone, SimpleObject, InputObject)]
#[graphql(input_name = "SavedFactInput")]
pub(crate) struct SavedFact {
    /// Its name.
    pub name: String,
    /// What it says.
    pub value: String,
}

impl From<SavedFact> for SavedFactRow {
    fn from(fact: SavedFact) -> Self {
        Self { name: fact.name, value: fact.value }
    }
}

/// A node before which an execution pauses.
#[derive(Debug, Clone, SimpleObject, InputObject)]
#[graphql(input_name = "BreakpointInput")]
pub(crate) struct Breakpoint {
    /// Name of the node.
    pub node: String,
    /// An expression over the node's first item: it pauses where that is true. Absent: always.
    pub condition: Option<String>,
}

impl From<Breakpoint> for DomainBreakpoint {
    fn from(breakpoint: Breakpoint) -> Self {
        Self { node: breakpoint.node, condition: breakpoint.condition }
    }
}

impl From<DomainBreakpoint> for Breakpoint {
    fn from(breakpoint: DomainBreakpoint) -> Self {
        Self { node: breakpoint.node, condition: breakpoint.condition }
    }
}

/// What made an execution stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum PauseKind {
    /// Somebody asked for it.
    Requested,
    /// A node with a breakpoint is next.
    Breakpoint,
    /// It was let go for one node, and that one has run.
    Step,
}

/// Why an execution stands still.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Pause {
    /// What made it.
    pub kind: PauseKind,
    /// Name of the node that is next, where it paused because of that.
    pub node: Option<String>,
    /// Why, in the words of the person who asked for it.
    pub reason: Option<String>,
}

impl From<PauseReason> for Pause {
    fn from(reason: PauseReason) -> Self {
        match reason {
            PauseReason::Requested { reason } => Self {
                kind: PauseKind::Requested,
                node: None,
                reason: Some(reason).filter(|reason| !reason.is_empty()),
            },
            PauseReason::Breakpoint { node } => Self { kind: PauseKind::Breakpoint, node: Some(node), reason: None },
            PauseReason::Step { node } => Self { kind: PauseKind::Step, node: Some(node), reason: None },
        }
    }
}

/// For what an execution waits.
#[derive(Debug, Clone)]
pub(crate) struct Wait {
    pub node: String,
    pub until: Option<DateTime<Utc>>,
    pub source: Source,
}

#[Object(name = "ExecutionWait")]
impl Wait {
    /// Name of the node that waits.
    async fn node(&self) -> &str {
        &self.node
    }

    /// Until when at the longest; absent for as long as it takes.
    async fn until(&self) -> Option<DateTime<Utc>> {
        self.until
    }

    /// Where a request makes it go on, if the node waits for one. Whoever knows it may.
    #[graphql(complexity = 10)]
    async fn resume_url(&self, context: &Context<'_>) -> Result<Option<String>> {
        let state = state(context)?;
        // Whoever has the address makes the execution go on.
        if state.require(Permission::ExecutionRun).is_err() {
            return Ok(None);
        }
        let waiting = self.source.newest(context, "ExecutionWaiting").await?;
        let Some(Facts::ExecutionWaiting { resume: Some(rule), .. }) = waiting else { return Ok(None) };
        let Some((root, start)) = self.source.start(context).await? else { return Ok(None) };
        let suffix = rule.suffix.map(|suffix| format!("/{suffix}")).unwrap_or_default();
        let base = state.callers_url();
        let path = match rule.kind {
            ResumeKind::Webhook => start.resume_path(root),
            ResumeKind::Form => start.form_path(root),
        };
        Ok(Some(format!("{base}{path}{suffix}")))
    }
}

/// What kind of body an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum BodyKind {
    /// Nothing.
    Empty,
    /// JSON.
    Json,
    /// Text as it is.
    Text,
    /// Bytes.
    Binary,
    /// The last page of a form.
    Page,
}

/// A header of an answer.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What an execution answered to the request that started it.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name = "ExecutionResponse")]
pub(crate) struct Response {
    /// Name of the node that answered; absent where the answer followed from the end.
    pub node: Option<String>,
    /// HTTP status code.
    pub status: u16,
    /// Its headers, in order.
    pub headers: Vec<Header>,
    /// What kind of body it has.
    pub body_kind: BodyKind,
    /// The body: the JSON, the text, or what the bytes are and where; of an answer in parts the last one.
    pub body: Option<Value>,
    /// When it was given.
    pub at: Option<DateTime<Utc>>,
}

/// The stream of an execution as of a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    pub id: ExecutionId,
    pub as_of: AsOf,
}

impl Source {
    /// Before which nodes it pauses.
    pub(crate) async fn breakpoints(&self, context: &Context<'_>) -> Result<Vec<Breakpoint>> {
        let breakpoints = match self.newest(context, "ExecutionBreakpointsChanged").await? {
            Some(Facts::ExecutionBreakpointsChanged { breakpoints }) => breakpoints,
            _ => self.start(context).await?.map(|(_, start)| start.options.breakpoints).unwrap_or_default(),
        };
        Ok(breakpoints.into_iter().map(Breakpoint::from).collect())
    }

    /// What it answered.
    pub(crate) async fn response(&self, context: &Context<'_>) -> Result<Option<Response>> {
        match self.newest(context, "ExecutionResponded").await? {
            Some(Facts::ExecutionResponded { node, response, at_ms, .. }) => answered(node, response, at_ms).map(Some),
            _ => Ok(None),
        }
    }

    /// The process that took it over last.
    pub(crate) async fn worker(&self, context: &Context<'_>) -> Result<Option<String>> {
        Ok(match self.newest(context, "ExecutionTakenOver").await? {
            Some(Facts::ExecutionTakenOver { worker, .. }) => Some(worker),
            _ => None,
        })
    }

    /// How it began, and the id by which its nodes know it.
    async fn start(&self, context: &Context<'_>) -> Result<Option<(ExecutionId, StartFacts)>> {
        let state = state(context)?;
        let read = state.log().read_stream(&self.stream(state), Revision::default(), Direction::Forward, 1).await;
        let first = read.map_err(|error| fault(&error))?;
        let Some(event) = first.first() else { return Ok(None) };
        Ok(match decoded(context, event)? {
            Facts::ExecutionStarted(start) => Some((self.id, Arc::unwrap_or_clone(start))),
            Facts::ExecutionRetried(retry) => Some((self.id, retry.start)),
            Facts::ExecutionForked(fork) => Some((self.id, fork.start)),
            Facts::ExecutionContinued(continuation) => Some((continuation.root, continuation.start)),
            _ => None,
        })
    }

    /// The newest event of a type.
    async fn newest(&self, context: &Context<'_>, event_type: &str) -> Result<Option<Facts>> {
        let state = state(context)?;
        let filter =
            Filter { stream: Some(self.stream(state)), event_types: vec![event_type.into()], ..Filter::default() };
        let last = self.as_of.unwrap_or_else(|| state.log().head());
        let scope = TenantScope::One(state.tenant());
        let read = state.log().read_all(scope, last, Direction::Backward, &filter, 1).await;
        let found = read.map_err(|error| fault(&error))?;
        found.first().map(|event| decoded(context, event)).transpose()
    }

    fn stream(&self, state: &ApiState) -> StreamKey {
        StreamKey::new(state.tenant(), Facts::CATEGORY, self.id.to_string())
    }
}

fn decoded(context: &Context<'_>, event: &RecordedEvent) -> Result<Facts> {
    PayloadBudget::take(context, event.payload.get().len())?;
    codec::decode::<Facts>(event).map_err(|error| fault(&error))
}

fn answered(node: Option<String>, response: DomainResponse, at_ms: i64) -> Result<Response> {
    let (body_kind, body) = match response.body {
        ResponseBody::Empty => (BodyKind::Empty, None),
        ResponseBody::Json { value } => (BodyKind::Json, Some(value)),
        ResponseBody::Text { text } => (BodyKind::Text, Some(Value::String(text))),
        ResponseBody::Page { page } => {
            (BodyKind::Page, Some(serde_json::to_value(page).map_err(|error| fault(&error))?))
        }
        ResponseBody::Binary { binary } => {
            (BodyKind::Binary, Some(serde_json::to_value(binary).map_err(|error| fault(&error))?))
        }
    };
    let headers = response.headers.into_iter().map(|(name, value)| Header { name, value }).collect();
    let at = DateTime::from_timestamp_millis(at_ms);
    Ok(Response { node, status: response.status, headers, body_kind, body, at })
}
