//! A log as a busy deployment writes it: executions of ten nodes, 64 under way at a time, each event an append of its own,
//! and now and then a change of a workflow, a plugin or a model.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use timeloom_domain::definition::WorkflowDefinition;
use timeloom_domain::event::Event;
use timeloom_domain::execution::{ExecutionEvent, ExecutionMode, NodeFacts, RunOptions, StartFacts};
use timeloom_domain::ids::{Actor, CommandId, EventId, ExecutionId, Slug, TenantId, WorkflowId};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_domain::model::ModelEvent;
use timeloom_domain::plugin::PluginEvent;
use timeloom_domain::workflow::WorkflowEvent;
use timeloom_store::codec::encode;
use timeloom_store::{Append, EventLog, Expected, Metadata, NewEvent, StreamKey, SystemClock};
use timeloom_store_sqlite::{SqliteLog, SqliteOptions};
use tokio::task::JoinSet;
use uuid::Uuid;

pub const TENANT: TenantId = TenantId(1);
/// Executions that run at the same time.
const CONCURRENT: u128 = 64;
const NODES: usize = 10;
/// Executions between two changes of something else.
const EXECUTIONS_PER_CHANGE: u128 = 20;
const WORKFLOWS: u128 = 100;
const PLUGINS: u128 = 20;

/// A log of at least so many events in `folder`.
pub async fn log_in(folder: &Path, events: u64) -> Arc<SqliteLog> {
    let (log, _blobs) = SqliteLog::open(folder, SqliteOptions::new(Uuid::from_u128(1), Arc::new(SystemClock))).unwrap();
    let mut tasks = JoinSet::new();
    for first in 0..CONCURRENT {
        let log = Arc::clone(&log);
        tasks.spawn(async move {
            let mut number = first;
            while log.head().0 < events {
                if number.is_multiple_of(EXECUTIONS_PER_CHANGE) {
                    change(&log, number / EXECUTIONS_PER_CHANGE).await;
                }
                execute(&log, number).await;
                number += CONCURRENT;
            }
        });
    }
    tasks.join_all().await;
    log
}

/// One execution, from its start to its end.
pub async fn execute(log: &SqliteLog, number: u128) {
    let id = execution_id(number);
    for event in execution(number) {
        append(log, id, &event).await;
    }
}

/// Ordered by creation, as version 7 ids are.
pub fn execution_id(number: u128) -> ExecutionId {
    ExecutionId(Uuid::from_u128((number << 64) + number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % (1 << 60)))
}

fn execution(number: u128) -> Vec<ExecutionEvent> {
    let workflow_id = WorkflowId(Uuid::from_u128((7 << 100) + number % WORKFLOWS));
    let mut events = vec![ExecutionEvent::ExecutionStarted(Arc::new(StartFacts {
        workflow_id,
        workflow_revision: 3,
        workflow_version: Some(1),
        mode: ExecutionMode::Production,
        start_node: "Webhook".to_owned(),
        items: items(1),
        pins: BTreeMap::new(),
        seed: 7,
        at_ms: 1_700_000_000_000,
        trigger: None,
        options: RunOptions::default(),
        subject: None,
    }))];
    events.extend((0..NODES).map(|index| ExecutionEvent::NodeCompleted {
        run: NodeFacts { node: format!("Edit Fields {index}"), run_index: 0, execution_index: index, sources: vec![] },
        started_at_ms: 1_700_000_000_000,
        duration_us: 84,
        outputs: vec![Arc::new(items(1))],
        memory: None,
        hints: vec![],
        pinned: false,
    }));
    let at_ms = 1_700_000_001_000;
    events.push(if number % 20 == 7 {
        let error = json!({"name": "NodeError", "message": "no such host"});
        ExecutionEvent::ExecutionFailed { node: Some("Edit Fields 1".to_owned()), error, at_ms }
    } else {
        ExecutionEvent::ExecutionCompleted { at_ms }
    });
    events
}

fn items(count: usize) -> Vec<Item> {
    let item = json!({
        "id": 17, "name": "Ada Lovelace", "email": "ada@example.org", "country": "GB", "amount": 12.5,
        "tags": ["a", "b"], "note": "one item of about two hundred bytes, as a webhook brings it in",
    });
    let object: JsonObject = serde_json::from_value(item).unwrap();
    vec![Item::new(object); count]
}

async fn change(log: &SqliteLog, number: u128) {
    let name = Slug::try_new(format!("thing-{}", number % PLUGINS)).unwrap();
    let description = "what it is for".to_owned();
    match number % 3 {
        0 => {
            let id = WorkflowId(Uuid::from_u128((7 << 100) + number % WORKFLOWS));
            append(log, id, &WorkflowEvent::WorkflowCreated { definition: definition() }).await;
        }
        1 => append(log, name.clone(), &PluginEvent::PluginRegistered { name, description }).await,
        _ => append(log, name.clone(), &ModelEvent::ModelRegistered { name, description }).await,
    }
}

fn definition() -> Arc<WorkflowDefinition> {
    let nodes: Vec<_> =
        (0..NODES).map(|node| json!({"name": format!("Edit Fields {node}"), "type": "n8n-nodes-base.set"})).collect();
    Arc::new(serde_json::from_value(json!({"name": "Customers", "nodes": nodes})).unwrap())
}

async fn append<E: Event + Serialize>(log: &SqliteLog, id: impl ToString, event: &E) {
    let encoded = encode(event).unwrap();
    let command_id = CommandId(Uuid::now_v7());
    let event = NewEvent {
        id: EventId(Uuid::now_v7()),
        event_type: encoded.event_type.into(),
        event_version: encoded.event_version,
        payload: encoded.payload,
        metadata: Arc::new(Metadata {
            actor: Actor::System("bench".to_owned()),
            command_id,
            causation_id: None,
            correlation_id: None,
            request: None,
        }),
    };
    let stream = StreamKey::new(TENANT, E::CATEGORY, id.to_string());
    log.append(Append::new(stream, Expected::Any, vec![event], command_id)).await.unwrap();
}
