//! A log with streams of every kind, made of the golden payloads.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::value::RawValue;
use timeloom_domain::event::Event;
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_store::{
    Append, EventLog, Expected, MemoryLog, Metadata, NewEvent, RecordedEvent, StreamKey, SystemClock,
};
use uuid::Uuid;

pub(crate) const TENANT: TenantId = TenantId(3);

pub(crate) fn log() -> Arc<MemoryLog> {
    MemoryLog::new(Arc::new(SystemClock))
}

pub(crate) fn stream(category: &str, id: &str) -> StreamKey {
    StreamKey::new(TENANT, category, id)
}

fn new_id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u128(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Appends one event, whatever it is.
pub(crate) async fn add(
    log: &MemoryLog,
    stream: &StreamKey,
    event_type: &str,
    event_version: u16,
    payload: &str,
) -> Arc<RecordedEvent> {
    let command_id = CommandId(new_id());
    let metadata = Metadata {
        actor: Actor::System("test".to_owned()),
        command_id,
        causation_id: None,
        correlation_id: None,
        request: None,
    };
    let event = NewEvent {
        id: EventId(new_id()),
        event_type: event_type.into(),
        event_version,
        payload: Arc::from(RawValue::from_string(payload.to_owned()).unwrap()),
        metadata: Arc::new(metadata),
    };
    let append = Append::new(stream.clone(), Expected::Any, vec![event], command_id);
    log.append(append).await.unwrap().events[0].clone()
}

/// Appends the golden payload of every event type of `E`, in their order, each with an event of another stream before it.
pub(crate) async fn golden<E: Event>(log: &MemoryLog, id: &str) -> (StreamKey, Vec<Arc<RecordedEvent>>) {
    let stream = stream(E::CATEGORY, id);
    let mut events = Vec::new();
    for (event_type, version) in E::TYPES {
        add(log, &self::stream("order", "noise"), "OrderPlaced", 1, "{}").await;
        let file = format!("../domain/tests/golden/{event_type}.v{version}.json");
        let payload = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        events.push(add(log, &stream, event_type, *version, payload.trim()).await);
    }
    (stream, events)
}

/// Appends one event as this build writes it.
pub(crate) async fn tell<E: Event + serde::Serialize>(
    log: &MemoryLog,
    stream: &StreamKey,
    event: &E,
) -> Arc<RecordedEvent> {
    add(log, stream, event.event_type(), event.event_version(), &serde_json::to_string(event).unwrap()).await
}
