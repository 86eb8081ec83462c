//! Executions as an engine would have recorded them, of a workflow of three nodes: Start, Make, Use.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::definition::WorkflowDefinition;
use timeloom_domain::execution::{ExecutionEvent, ExecutionMode, NodeFacts, RunOptions, StartFacts};
use timeloom_domain::ids::WorkflowId;
use timeloom_domain::item::{Item, Outputs, Source};
use timeloom_domain::workflow::WorkflowEvent;
use timeloom_store::{MemoryLog, StreamKey};
use uuid::Uuid;

use crate::world::{stream, tell};

pub(crate) const WORKFLOW: WorkflowId = WorkflowId(Uuid::from_u128(0xa));

/// A workflow whose `Make` computes a greeting and whose `Use` reads it, and an item of `Start`.
pub(crate) async fn workflow(log: &MemoryLog, make: &str) -> u64 {
    let set = |name: &str, assignments: Value| {
        json!({ "name": name, "type": "n8n-nodes-base.set", "typeVersion": 3.4,
            "parameters": { "assignments": { "assignments": assignments } } })
    };
    let definition: WorkflowDefinition = serde_json::from_value(json!({
        "name": "Greet",
        "nodes": [
            { "name": "Start", "type": "n8n-nodes-base.manualTrigger", "parameters": {} },
            set("Make", json!([{ "name": "greeting", "value": make }])),
            set("Use", json!([
                { "name": "text", "value": "={{ $json.greeting }} from {{ $('Start').item.json.from }}" },
                { "name": "sign", "value": "yours" },
            ])),
        ],
    }))
    .unwrap();
    let stream = stream("workflow", &WORKFLOW.to_string());
    let event = WorkflowEvent::WorkflowCreated { definition: Arc::new(definition) };
    tell(log, &stream, &event).await.revision.0
}

pub(crate) fn item(json: Value) -> Item {
    serde_json::from_value(json!({ "json": json, "pairedItem": { "item": 0 } })).unwrap()
}

pub(crate) fn facts(node: &str, run_index: usize, execution_index: usize, from: Option<&str>) -> NodeFacts {
    let source = |node: &str| Source { previous_node: node.to_owned(), previous_node_output: 0, previous_node_run: 0 };
    let sources = from.map(|from| Some(source(from))).into_iter().collect();
    NodeFacts { node: node.to_owned(), run_index, execution_index, sources }
}

pub(crate) fn completed(run: NodeFacts, items: Vec<Item>) -> ExecutionEvent {
    let outputs: Outputs = vec![Arc::new(items)];
    let (memory, hints, pinned) = (None, Vec::new(), false);
    ExecutionEvent::NodeCompleted { run, started_at_ms: 1_010, duration_us: 5, outputs, memory, hints, pinned }
}

pub(crate) fn start(revision: u64, items: Vec<Item>) -> StartFacts {
    StartFacts {
        workflow_id: WORKFLOW,
        workflow_revision: revision,
        workflow_version: None,
        mode: ExecutionMode::Manual,
        start_node: "Start".to_owned(),
        items,
        pins: std::collections::BTreeMap::new(),
        seed: 7,
        at_ms: 1_000,
        trigger: None,
        options: RunOptions::default(),
        subject: None,
    }
}

/// An execution of that workflow that came to its end.
pub(crate) async fn execution(log: &MemoryLog, number: u128, revision: u64, from: &str, greeting: &str) -> StreamKey {
    let stream = stream("execution", &Uuid::from_u128(number).to_string());
    let given = item(json!({ "from": from, "mail": "a@b.c" }));
    let text = format!("{greeting} from {from}");
    for event in [
        ExecutionEvent::ExecutionStarted(Arc::new(start(revision, vec![given.clone()]))),
        completed(facts("Start", 0, 0, None), vec![given]),
        completed(
            facts("Make", 0, 1, Some("Start")),
            vec![item(json!({ "from": from, "mail": "a@b.c", "greeting": greeting }))],
        ),
        completed(
            facts("Use", 0, 2, Some("Make")),
            vec![item(json!({ "from": from, "mail": "a@b.c", "text": text, "sign": "yours" }))],
        ),
        ExecutionEvent::ExecutionCompleted { at_ms: 1_100 },
    ] {
        tell(log, &stream, &event).await;
    }
    stream
}
