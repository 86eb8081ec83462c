//! Values that several tests need.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::catalogue::{NodeCatalogue, NodeDefinition, NodeRole, ParameterDefinition, ParameterKind, Ports};
use timeloom_domain::definition::{WorkflowDefinition, parse};
use timeloom_domain::execution::{
    Continuation, DueNode, ExecutionMode, ForkEffects, ForkFacts, NodeFacts, RetryFacts, RunOptions, StartFacts,
};
use timeloom_domain::ids::{ExecutionId, Slug, WorkflowId};
use timeloom_domain::item::Item;
use uuid::Uuid;

/// A trigger named `Start` followed by a Set node named `Set`.
pub(crate) fn definition(name: &str) -> Arc<WorkflowDefinition> {
    Arc::new(read(&json!({
        "name": name,
        "nodes": [node("Start", "n8n-nodes-base.manualTrigger"), node("Set", "n8n-nodes-base.set")],
        "connections": link(&[("Start", "Set")]),
    })))
}

/// A node as files write it.
pub(crate) fn node(name: &str, node_type: &str) -> Value {
    json!({"name": name, "type": node_type, "typeVersion": 1, "position": [0, 0], "parameters": {}})
}

/// Connections from output 0 to input 0, as files write them.
pub(crate) fn link(pairs: &[(&str, &str)]) -> Value {
    let mut connections = json!({});
    for (from, to) in pairs {
        let target = json!({"node": to, "type": "main", "index": 0});
        match connections.pointer_mut(&format!("/{from}/main/0")).and_then(Value::as_array_mut) {
            Some(targets) => targets.push(target),
            None => connections[*from] = json!({"main": [[target]]}),
        }
    }
    connections
}

/// The definition in that file.
pub(crate) fn read(file: &Value) -> WorkflowDefinition {
    parse(file.to_string().as_bytes()).unwrap()
}

/// A few node types, one of each kind that matters to checks.
pub(crate) fn catalogue() -> NodeCatalogue {
    const TEXT: ParameterDefinition =
        ParameterDefinition { required: true, ..ParameterDefinition::new("url", ParameterKind::Text, "Where to.") };
    let known = |node_type, role, (inputs, outputs, closes_loops), parameters| NodeDefinition {
        node_type,
        display_name: "Sample",
        description: "A node for tests.",
        versions: &[1.0, 2.0],
        role,
        ports: Ports { inputs, outputs, closes_loops },
        parameters,
        ..NodeDefinition::BLANK
    };
    NodeCatalogue::new([
        known("n8n-nodes-base.manualTrigger", NodeRole::ManualTrigger, (0, 1, false), &[]),
        known("n8n-nodes-base.webhook", NodeRole::Trigger, (0, 1, false), &[]),
        known("n8n-nodes-base.set", NodeRole::Pure, (1, 1, false), &[]),
        known("n8n-nodes-base.if", NodeRole::Pure, (1, 2, false), &[]),
        known("n8n-nodes-base.splitInBatches", NodeRole::Pure, (1, 1, true), &[]),
        NodeDefinition {
            versions: &[1.0, 2.0, 4.2],
            ..known("n8n-nodes-base.httpRequest", NodeRole::Effect, (1, 1, false), &[TEXT])
        },
        known("n8n-nodes-base.stickyNote", NodeRole::Annotation, (0, 0, false), &[]),
    ])
}

/// One item `{"n": number}`.
pub(crate) fn item(number: i64) -> Item {
    Item::new(json!({"n": number}).as_object().unwrap().clone())
}

/// A name.
pub(crate) fn slug(text: &str) -> Slug {
    Slug::try_new(text).unwrap()
}

/// How the sample execution began.
pub(crate) fn start() -> Arc<StartFacts> {
    Arc::new(StartFacts {
        workflow_id: WorkflowId(Uuid::from_u128(7)),
        workflow_revision: 3,
        workflow_version: Some(1),
        mode: ExecutionMode::Manual,
        start_node: "Start".to_owned(),
        items: vec![item(1)],
        pins: [("Set".to_owned(), vec![item(2)])].into(),
        seed: 42,
        at_ms: 1_000,
        trigger: None,
        options: RunOptions::default(),
        subject: None,
    })
}

/// The sample execution where its second link begins: one node has run, another is due.
pub(crate) fn continuation() -> Box<Continuation> {
    let (inputs, sources) = (vec![Some(Arc::new(vec![item(1)]))], vec![None]);
    Box::new(Continuation {
        previous: ExecutionId(Uuid::from_u128(8)),
        root: ExecutionId(Uuid::from_u128(8)),
        link: 1,
        start: StartFacts { items: Vec::new(), ..(*start()).clone() },
        earlier_runs: 1,
        run_counts: [("Start".to_owned(), 1)].into(),
        due: vec![DueNode { node: "Set".to_owned(), inputs, sources }],
        waiting: Vec::new(),
        memory: [("Start".to_owned(), item(3).json.into_object())].into(),
        is_fork: false,
        at_ms: 2_000,
    })
}

/// How an execution began that goes on where the sample execution ended.
pub(crate) fn retry() -> Box<RetryFacts> {
    let start = StartFacts { items: Vec::new(), ..(*start()).clone() };
    Box::new(RetryFacts { of: ExecutionId(Uuid::from_u128(8)), revision: 4, start, earlier_runs: 1 })
}

/// How an execution began that goes on from an event of the sample execution.
pub(crate) fn fork() -> Box<ForkFacts> {
    let RetryFacts { of, revision, start, earlier_runs } = *retry();
    let reason = "what if".to_owned();
    let (changes, effects) = (Vec::new(), ForkEffects::Stub);
    Box::new(ForkFacts { of, origin: of, revision, position: 9, reason, start, earlier_runs, changes, effects })
}

/// The first run of a node.
pub(crate) fn run(node: &str, execution_index: usize) -> NodeFacts {
    NodeFacts { node: node.to_owned(), run_index: 0, execution_index, sources: vec![None] }
}
