//! The state of a stream at a moment.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use timeloom_domain::credential::Credential;
use timeloom_domain::execution::Execution;
use timeloom_domain::model::Model;
use timeloom_domain::plugin::Plugin;
use timeloom_domain::replay::ReplayCheck;
use timeloom_domain::workflow::Workflow;
use timeloom_store::{
    Direction, EventLog, Filter, LogError, Position, RecordedEvent, Revision, StreamKey, TenantScope,
};

use crate::error::HistoryError;
use crate::fold::{FOLD_BYTES_MAX, Fold, UnknownEvents};
use crate::kind::{Kind, Shown};
use crate::moment::{Moment, absent, position_of};

/// Most events that stand for the state of a stream of an unknown category: the newest ones.
pub const RAW_EVENTS_MAX: usize = 100;
/// Bytes of payloads after which no more of these are given.
const RAW_BYTES_MAX: usize = 4 << 20;
/// These events are read so many at a time, as each may have a large payload.
const RAW_PAGE_EVENTS: usize = 10;

/// A stream as it was at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct StateAt {
    /// The stream.
    pub stream: StreamKey,
    /// What it folds to; `None` when this build has no aggregate for its category.
    pub kind: Option<Kind>,
    /// Place of its last event in the log.
    pub position: Position,
    /// Place of that event in the stream: how many events it had.
    pub revision: Revision,
    /// When that event was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Type of that event.
    pub last_event_type: Arc<str>,
    /// In one word how it is; `None` when nothing was folded.
    pub status: Option<&'static str>,
    /// Everything about it. Without an aggregate: `events`, the newest ones as they were written, oldest first, and
    /// `omitted`, how many came before them.
    pub state: Value,
    /// What was not folded, because this build does not know it.
    pub unknown: UnknownEvents,
}

/// The state of `stream` at a moment.
///
/// # Errors
/// [`HistoryError`], whose message says what to ask instead.
pub async fn state_at(log: &dyn EventLog, stream: &StreamKey, moment: Moment) -> Result<StateAt, HistoryError> {
    let position = position_of(log, Some(stream), moment).await?;
    let found = match Kind::of_category(&stream.category) {
        None => raw(log, stream, position).await?,
        Some(Kind::Workflow) => folded::<Workflow>(log, stream, position).await?,
        Some(Kind::Execution) => folded::<Execution>(log, stream, position).await?,
        Some(Kind::Plugin) => folded::<Plugin>(log, stream, position).await?,
        Some(Kind::Model) => folded::<Model>(log, stream, position).await?,
        Some(Kind::Credential) => folded::<Credential>(log, stream, position).await?,
        Some(Kind::ReplayCheck) => folded::<ReplayCheck>(log, stream, position).await?,
    };
    match found {
        Some(state) => Ok(state),
        None => Err(absent(log, stream).await?),
    }
}

async fn folded<A>(log: &dyn EventLog, stream: &StreamKey, position: Position) -> Result<Option<StateAt>, HistoryError>
where
    A: Shown + Send,
    A::Event: DeserializeOwned,
{
    let mut fold = new_fold::<A>();
    fold.advance(log, stream, position, |_, _, _| {}).await?;
    let Some(newest) = &fold.newest else { return Ok(None) };
    Ok(Some(StateAt {
        kind: Kind::of_category(&stream.category),
        status: Some(fold.aggregate.status()),
        state: as_json(&fold.aggregate)?,
        unknown: fold.unknown.clone(),
        ..about(newest)
    }))
}

/// A fold that is bounded as its aggregate needs it.
pub(crate) fn new_fold<A>() -> Fold<A>
where
    A: Shown,
    A::Event: DeserializeOwned,
{
    Fold::new(if A::KEEPS_DATA { FOLD_BYTES_MAX } else { usize::MAX })
}

pub(crate) fn as_json<A: serde::Serialize>(aggregate: &A) -> Result<Value, HistoryError> {
    serde_json::to_value(aggregate).map_err(|error| LogError::storage(error).into())
}

fn about(newest: &RecordedEvent) -> StateAt {
    StateAt {
        stream: newest.stream.clone(),
        kind: None,
        position: newest.position,
        revision: newest.revision,
        recorded_at: newest.recorded_at,
        last_event_type: Arc::clone(&newest.event_type),
        status: None,
        state: Value::Null,
        unknown: UnknownEvents::default(),
    }
}

/// The newest events up to a position in place of a state.
pub(crate) async fn raw(
    log: &dyn EventLog,
    stream: &StreamKey,
    position: Position,
) -> Result<Option<StateAt>, HistoryError> {
    let filter = Filter { stream: Some(stream.clone()), ..Filter::default() };
    let mut events: Vec<Arc<RecordedEvent>> = Vec::new();
    let mut bytes = 0;
    while events.len() < RAW_EVENTS_MAX && bytes < RAW_BYTES_MAX {
        let from = events.last().map_or(position, |oldest| Position(oldest.position.0 - 1));
        let scope = TenantScope::One(stream.tenant);
        let page = log.read_all(scope, from, Direction::Backward, &filter, RAW_PAGE_EVENTS).await?;
        if page.is_empty() {
            break;
        }
        bytes += page.iter().map(|event| event.payload.get().len()).sum::<usize>();
        events.extend(page);
    }
    let (Some(newest), Some(oldest)) = (events.first().cloned(), events.last().cloned()) else { return Ok(None) };
    let shown: Result<Vec<Value>, HistoryError> = events.iter().rev().map(|event| event_json(event)).collect();
    let unknown = UnknownEvents { count: newest.revision.0, first: Vec::new() };
    let state = json!({ "events": shown?, "omitted": oldest.revision.0.saturating_sub(1) });
    Ok(Some(StateAt { state, unknown, ..about(&newest) }))
}

fn event_json(event: &RecordedEvent) -> Result<Value, HistoryError> {
    let payload: Value = serde_json::from_str(event.payload.get()).map_err(|error| LogError::Corrupt {
        position: event.position,
        detail: format!("the payload is not JSON: {error}"),
    })?;
    Ok(json!({
        "position": event.position,
        "revision": event.revision,
        "type": &*event.event_type,
        "version": event.event_version,
        "recordedAt": event.recorded_at,
        "payload": payload,
    }))
}
