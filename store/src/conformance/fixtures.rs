//! Events and appends for the suite. Every id is made once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::value::RawValue;
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use uuid::Uuid;

use crate::envelope::{Metadata, NewEvent, Payload, Position, RecordedEvent, StreamKey};
use crate::log::{
    Append, Appended, Direction, EventLog, Expected, Filter, READ_EVENTS_MAX, Subscription, SubscriptionMessage,
    TenantScope,
};

/// Far longer than anything takes that is going to happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub(super) const TENANT: TenantId = TenantId(1);

pub(super) fn new_id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u128(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)) | 0x0199_0000_0000_7000_8000_0000_0000_0000)
}

pub(super) fn stream(id: &str) -> StreamKey {
    StreamKey::new(TENANT, "order", id)
}

pub(super) fn raw(json: &str) -> Payload {
    Arc::from(RawValue::from_string(json.to_owned()).unwrap())
}

pub(super) fn metadata(command_id: CommandId) -> Arc<Metadata> {
    Arc::new(Metadata {
        actor: Actor::Local("tester".to_owned()),
        command_id,
        causation_id: None,
        correlation_id: None,
        request: None,
    })
}

pub(super) fn event_of(event_type: &str, payload: &str, metadata: &Arc<Metadata>) -> NewEvent {
    NewEvent {
        id: EventId(new_id()),
        event_type: event_type.into(),
        event_version: 1,
        payload: raw(payload),
        metadata: Arc::clone(metadata),
    }
}

/// An append of `count` events of the type `Happened`.
pub(super) fn append_to(stream: &StreamKey, expected: Expected, count: usize) -> Append {
    append_typed(stream, expected, count, "Happened")
}

pub(super) fn append_typed(stream: &StreamKey, expected: Expected, count: usize, event_type: &str) -> Append {
    let command_id = CommandId(new_id());
    let metadata = metadata(command_id);
    let events = (0..count).map(|number| event_of(event_type, &format!(r#"{{"n":{number}}}"#), &metadata)).collect();
    Append::new(stream.clone(), expected, events, command_id)
}

pub(super) async fn add(log: &dyn EventLog, stream: &StreamKey, count: usize) -> Appended {
    log.append(append_to(stream, Expected::Any, count)).await.unwrap()
}

pub(super) fn positions(events: &[Arc<RecordedEvent>]) -> Vec<u64> {
    events.iter().map(|event| event.position.0).collect()
}

pub(super) fn revisions(events: &[Arc<RecordedEvent>]) -> Vec<u64> {
    events.iter().map(|event| event.revision.0).collect()
}

pub(super) fn everything(log: &dyn EventLog, after: Position, capacity: usize) -> Subscription {
    log.subscribe(TenantScope::All, after, Filter::default(), capacity)
}

/// The next message; fails the test when none comes.
pub(super) async fn next(subscription: &mut Subscription) -> SubscriptionMessage {
    match tokio::time::timeout(PATIENCE, subscription.next()).await {
        Ok(Some(message)) => message,
        Ok(None) => panic!("the subscription ended"),
        Err(_) => panic!("nothing came"),
    }
}

/// The next event, past anything else.
pub(super) async fn next_event(subscription: &mut Subscription) -> Arc<RecordedEvent> {
    loop {
        match next(subscription).await {
            SubscriptionMessage::Event(event) => return event,
            SubscriptionMessage::Checkpoint(_) | SubscriptionMessage::CaughtUp(_) => {}
            other => panic!("an event was expected, not {other:?}"),
        }
    }
}

/// Everything that passes, page by page.
pub(super) async fn read_everything(
    log: &dyn EventLog,
    scope: TenantScope,
    filter: &Filter,
) -> Vec<Arc<RecordedEvent>> {
    let mut all: Vec<Arc<RecordedEvent>> = Vec::new();
    loop {
        let after = all.last().map_or(Position::START, |event| event.position);
        let page = log.read_all(scope, after, Direction::Forward, filter, READ_EVENTS_MAX).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}
