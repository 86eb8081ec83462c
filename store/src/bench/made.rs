//! Appends as servers make them.

use std::sync::Arc;

use serde_json::value::RawValue;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use uuid::Uuid;

use crate::codec::encode;
use crate::envelope::{Metadata, NewEvent, Payload, Revision, StreamKey};
use crate::log::{Append, EventLog, Expected};

/// Bytes of a payload where its content does not matter.
pub const PAYLOAD_BYTES: usize = 300;
/// Appends to a stream before its writer begins another, as executions do.
const APPENDS_PER_STREAM: u64 = 20;
/// Nodes of an execution that is replayed.
const NODES: usize = 10;
/// Executions in one append when a log is filled.
const EXECUTIONS_PER_BATCH: usize = 64;

/// Makes the appends of one task.
pub struct Maker {
    task: u64,
    events: usize,
    appends: u64,
    revision: u64,
    stream: StreamKey,
    event_type: Arc<str>,
    payload: Payload,
}

/// Ids as a server makes them: the time in front, then chance.
#[expect(clippy::disallowed_methods, reason = "a benchmark needs no repeatable ids")]
fn id() -> Uuid {
    Uuid::now_v7()
}

fn metadata(command_id: CommandId, task: u64) -> Arc<Metadata> {
    let actor = Actor::System(format!("engine-{task}"));
    Arc::new(Metadata { actor, command_id, causation_id: None, correlation_id: None, request: None })
}

impl Maker {
    /// Appends of `events` events each.
    pub fn new(task: u64, events: usize) -> Self {
        let payload = format!("{{\"filling\":\"{}\"}}", "x".repeat(PAYLOAD_BYTES - 14));
        Self {
            task,
            events,
            appends: 0,
            revision: 0,
            stream: StreamKey::new(TenantId(1), "execution", ""),
            event_type: "NodeCompleted".into(),
            payload: Arc::from(RawValue::from_string(payload).unwrap()),
        }
    }

    /// The next one.
    #[expect(clippy::should_implement_trait, reason = "it never ends, and an iterator's adapters are of no use here")]
    pub fn next(&mut self) -> Append {
        if self.appends.is_multiple_of(APPENDS_PER_STREAM) {
            self.stream.id = id().to_string().into();
            self.revision = 0;
        }
        self.appends += 1;
        let command_id = CommandId(id());
        let metadata = metadata(command_id, self.task);
        let event = |_| NewEvent {
            id: EventId(id()),
            event_type: Arc::clone(&self.event_type),
            event_version: 1,
            payload: Arc::clone(&self.payload),
            metadata: Arc::clone(&metadata),
        };
        let events: Vec<NewEvent> = (0..self.events).map(event).collect();
        let expected = Expected::Exact(Revision(self.revision));
        self.revision += self.events as u64;
        Append::new(self.stream.clone(), expected, events, command_id)
    }
}

/// The events of an execution of ten nodes, each of which gives one item.
fn execution(number: u64) -> Vec<ExecutionEvent> {
    let at_ms = 1_760_000_000_000 + number.cast_signed();
    let mut texts = vec![format!(
        r#"{{"type":"execution_started","workflow_id":"{}","workflow_revision":3,"workflow_version":2,"mode":"production",
            "start_node":"Webhook","items":[{{"json":{{"order":{number},"customer":"Zoë"}}}}],"seed":{number},"at_ms":{at_ms}}}"#,
        Uuid::from_u128(7),
    )];
    texts.extend((0..NODES).map(|node| {
        format!(
            r#"{{"type":"node_completed","run":{{"node":"Node {node}","run_index":0,"execution_index":{node},
                "sources":[{{"previousNode":"Node {}"}}]}},"started_at_ms":{at_ms},"duration_us":1250,
                "outputs":[[{{"json":{{"order":{number},"customer":"Zoë","total":12.5,"paid":true}},"pairedItem":{{"item":0}}}}]]}}"#,
            node.saturating_sub(1),
        )
    }));
    texts.push(format!(r#"{{"type":"execution_completed","at_ms":{at_ms}}}"#));
    texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

/// Fills `log` with whole executions, `events` events at least, and gives the number of events.
pub async fn fill_with_executions(log: &dyn EventLog, events: u64) -> u64 {
    let mut appended = 0;
    let mut number = 0;
    while appended < events {
        let appends = (0..EXECUTIONS_PER_BATCH).map(|_| {
            number += 1;
            execution_append(number)
        });
        let answers = futures::future::join_all(appends.map(|append| log.append(append))).await;
        appended += answers.into_iter().map(|answer| answer.unwrap().events.len() as u64).sum::<u64>();
    }
    appended
}

fn execution_append(number: u64) -> Append {
    let command_id = CommandId(id());
    let metadata = metadata(command_id, 0);
    let event = |event: ExecutionEvent| {
        let encoded = encode(&event).unwrap();
        NewEvent {
            id: EventId(id()),
            event_type: encoded.event_type.into(),
            event_version: encoded.event_version,
            payload: encoded.payload,
            metadata: Arc::clone(&metadata),
        }
    };
    let stream = StreamKey::new(TenantId(1), "execution", id().to_string());
    let events = execution(number).into_iter().map(event).collect();
    Append::new(stream, Expected::NoStream, events, command_id)
}
