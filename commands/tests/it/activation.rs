//! Activation: what is refused before it is active, and what takes no calls any more.

use serde_json::{Value, json};
use timeloom_commands::{CommandError, ImportWorkflow, Outcome, StartExecution};
use timeloom_domain::execution::TriggerFacts;
use timeloom_domain::ids::WorkflowId;

use crate::bench::{World, code, source};

/// A file whose triggers are webhooks: name and parameters.
fn webhooks(name: &str, nodes: &[(&str, Value)]) -> Vec<u8> {
    let node = |(name, parameters): &(&str, Value)| {
        json!({ "name": name, "type": "n8n-nodes-base.webhook", "typeVersion": 1, "position": [0, 0],
            "parameters": parameters })
    };
    let nodes: Vec<Value> = nodes.iter().map(node).collect();
    json!({ "name": name, "nodes": nodes, "connections": {} }).to_string().into_bytes()
}

impl World {
    async fn published(&self, source: Vec<u8>) -> WorkflowId {
        let import = ImportWorkflow { workflow_id: None, source };
        let id = self.commands.import_workflow(&self.context(), import).await.unwrap().value;
        self.commands.publish_workflow(&self.context(), id).await.unwrap();
        id
    }

    /// What activating says is wrong: node, field, message.
    async fn problems(&self, id: WorkflowId) -> Vec<(Option<String>, String, String)> {
        told(self.commands.activate_workflow(&self.context(), id, None).await)
    }
}

fn told(answer: Result<Outcome<WorkflowId>, CommandError>) -> Vec<(Option<String>, String, String)> {
    match answer {
        Err(CommandError::Refused(refusal)) => {
            assert_eq!(refusal.code, "WORKFLOW_CANNOT_BE_ACTIVE");
            refusal.problems.into_iter().map(|problem| (problem.node, problem.field, problem.message)).collect()
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn an_address_that_another_active_workflow_has_is_refused_with_its_name() {
    let world = World::new();
    let first = world.published(webhooks("Orders", &[("Hook", json!({ "path": "in", "httpMethod": "POST" }))])).await;
    world.commands.activate_workflow(&world.context(), first, None).await.unwrap();
    let other_method = world.published(webhooks("Reads", &[("Hook", json!({ "path": "in" }))])).await;
    world.commands.activate_workflow(&world.context(), other_method, None).await.unwrap();
    let taken = webhooks("Taken", &[("Own", json!({ "path": "/in", "httpMethod": ["PUT", "POST"] }))]);
    let second = world.published(taken).await;
    let problems = world.problems(second).await;
    let [(node, field, message)] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!((node.as_deref(), field.as_str()), (Some("Own"), "parameters.path"));
    assert!(message.contains("'Orders'") && message.contains(&first.to_string()) && message.contains("POST in"));

    world.commands.deactivate_workflow(&world.context(), first).await.unwrap();
    world.commands.activate_workflow(&world.context(), second, None).await.unwrap();
}

#[tokio::test]
async fn what_cannot_work_is_refused_with_the_node() {
    let world = World::new();
    let id = world.published(source("no trigger from outside")).await;
    world.commands.activate_workflow(&world.context(), id, None).await.unwrap();
    let plain = json!({ "name": "plain", "connections": {}, "nodes": [
        { "name": "Set", "type": "test.set", "typeVersion": 1, "position": [0, 0], "parameters": {} },
        { "name": "Off", "type": "n8n-nodes-base.webhook", "typeVersion": 1, "position": [0, 0], "disabled": true,
          "parameters": { "path": "off" } } ] });
    let id = world.published(plain.to_string().into_bytes()).await;
    assert!(matches!(world.problems(id).await.as_slice(), [(None, field, _)] if field == "nodes"));

    let wrong = [
        ("Expression", json!({ "path": "={{ 1 }}" })),
        ("Nowhere", json!({ "path": "" })),
        ("Method", json!({ "path": "m", "httpMethod": "GET /" })),
        ("Nobody answers", json!({ "path": "n", "responseMode": "responseNode" })),
        ("Once", json!({ "path": "twice/:a" })),
        ("Twice", json!({ "path": "twice/:b" })),
    ];
    let id = world.published(webhooks("wrong", &wrong)).await;
    let problems = world.problems(id).await;
    let nodes: Vec<&str> = problems.iter().filter_map(|(node, _, _)| node.as_deref()).collect();
    assert_eq!(nodes, ["Expression", "Nowhere", "Method", "Nobody answers", "Twice"]);
    assert_eq!(world.story("workflow", id).await, ["WorkflowCreated", "WorkflowVersionPublished"]);
}

#[tokio::test]
async fn publishing_an_active_workflow_is_refused_when_it_could_not_be_active() {
    let world = World::new();
    let id = world.published(webhooks("a", &[("Hook", json!({ "path": "a" }))])).await;
    world.commands.activate_workflow(&world.context(), id, None).await.unwrap();
    let import = ImportWorkflow { workflow_id: Some(id), source: webhooks("a", &[("Hook", json!({ "path": "" }))]) };
    world.commands.import_workflow(&world.context(), import).await.unwrap();
    let problems = told(world.commands.publish_workflow(&world.context(), id).await);
    assert_eq!(problems.len(), 1);
    world.commands.deactivate_workflow(&world.context(), id).await.unwrap();
    world.commands.publish_workflow(&world.context(), id).await.unwrap();
    assert_eq!(world.problems(id).await.len(), 1);
}

#[tokio::test]
async fn a_call_runs_the_active_version_and_no_other() {
    let world = World::new();
    let id = world.published(webhooks("a", &[("Hook", json!({ "path": "a" }))])).await;
    let call = |version: Option<u32>, is_test: bool| {
        let trigger = TriggerFacts::Webhook { method: "GET".to_owned(), path: "a".to_owned(), is_test };
        StartExecution { version, start_node: Some("Hook".to_owned()), ..StartExecution::by_trigger(id, trigger) }
    };
    let started = async |start| world.commands.start_execution(&world.context(), start).await;
    assert_eq!(code(started(call(Some(1), false)).await), "WORKFLOW_NOT_ACTIVE");
    world.commands.activate_workflow(&world.context(), id, None).await.unwrap();
    started(call(Some(1), false)).await.unwrap();
    let import = ImportWorkflow { workflow_id: Some(id), source: webhooks("b", &[("Hook", json!({ "path": "a" }))]) };
    world.commands.import_workflow(&world.context(), import).await.unwrap();
    world.commands.publish_workflow(&world.context(), id).await.unwrap();
    assert_eq!(code(started(call(Some(1), false)).await), "WORKFLOW_NOT_ACTIVE");
    started(call(Some(2), false)).await.unwrap();
    started(call(None, false)).await.unwrap();
    world.commands.deactivate_workflow(&world.context(), id).await.unwrap();
    assert_eq!(code(started(call(None, false)).await), "WORKFLOW_NOT_ACTIVE");
}

#[tokio::test]
async fn only_a_draft_with_a_webhook_listens() {
    let world = World::new();
    let none = world.published(source("none")).await;
    assert_eq!(code(world.commands.listen_for_test(&world.context(), none, 5_000).await), "NO_WEBHOOK");
    let odd = world.published(webhooks("odd", &[("Hook", json!({ "path": "={{ 1 }}" }))])).await;
    assert_eq!(code(world.commands.listen_for_test(&world.context(), odd, 5_000).await), "WORKFLOW_CANNOT_LISTEN");
    let one = world.published(webhooks("one", &[("Hook", json!({ "path": "one" }))])).await;
    world.commands.listen_for_test(&world.context(), one, 5_000).await.unwrap();
}
