//! Versions of workflows rolled out by percentage, and rolled back by themselves, with the program itself.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Server, client, verb, verb_json};

/// Most calls until both versions have run often enough.
const CALLS_MAX: usize = 400;
/// Longest time until a guard has acted.
const GUARD_TIME_MAX: Duration = Duration::from_secs(60);

/// A webhook and then a node.
fn hook(path: &str, then: &Value) -> Value {
    json!({
        "name": "Orders", "settings": { "executionOrder": "v1" },
        "nodes": [
            { "id": "hook", "name": "Webhook", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0],
              "parameters": { "path": path, "httpMethod": "POST", "responseMode": "lastNode" } },
            then,
        ],
        "connections": { "Webhook": { "main": [[{ "node": then["name"], "type": "main", "index": 0 }]] } },
    })
}

/// A node that answers with the version that it is of.
fn says(version: u32) -> Value {
    json!({
        "id": "says", "name": "Says", "type": "n8n-nodes-base.set", "typeVersion": 3.4, "position": [200, 0],
        "parameters": { "mode": "raw", "jsonOutput": format!("{{\"version\": {version}}}"), "options": {} }
    })
}

fn gives_up() -> Value {
    json!({
        "id": "stop", "name": "Gives up", "type": "n8n-nodes-base.stopAndError", "typeVersion": 1,
        "position": [200, 0], "parameters": { "errorMessage": "the new version is broken" }
    })
}

/// A verb on a workflow, for programs; it must not be refused.
fn workflow(server: &Server, words: &[&str]) -> Value {
    verb_json(&[&["workflow"], words, &["--server", &server.url, "--json"]].concat())
}

#[track_caller]
fn refused(server: &Server, words: &[&str], why: &str) {
    let output = verb(&[&["workflow"], words, &["--server", &server.url]].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && told.contains(why), "{words:?}: {told}");
}

/// A workflow whose first version is active, and a second one beside it.
async fn two_versions(server: &Server, second: &Value) -> String {
    let id = server.import(&hook("orders", &says(1))).await;
    workflow(server, &["publish", &id]);
    workflow(server, &["activate", &id]);
    let query = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { errors { message } } }";
    let source = hook("orders", second).to_string();
    let data = server.ask(query, json!({ "input": { "workflowId": id, "source": source } })).await;
    assert_eq!(data["importWorkflow"]["errors"], json!([]), "{data}");
    let published = workflow(server, &["publish", &id, "--keep-active"]);
    assert_eq!(published["workflow"], json!({ "publishedVersion": 2, "activeVersion": 1 }));
    id
}

/// Calls the webhook; answers status and JSON.
async fn call(server: &Server, key: &str) -> (u16, Value) {
    let request = client().post(format!("{}/webhook/orders", server.url)).header("idempotency-key", key);
    let response = request.json(&json!({})).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

/// The roll-out as `show` tells it.
fn shown(server: &Server, id: &str) -> Value {
    workflow(server, &["rollout", "show", id])
}

/// How many executions of both versions completed, once the rows show all that is in the log.
async fn completed(server: &Server, id: &str) -> u64 {
    let head = server.ask("{ head { position } }", json!({})).await;
    let query = "query($id: UUID!, $to: Position) { workflow(id: $id, waitFor: $to) { rollout {
        candidate { completed } active { completed } } } }";
    let data = server.ask(query, json!({ "id": id, "to": head["head"]["position"] })).await;
    let rollout = &data["workflow"]["rollout"];
    ["candidate", "active"].map(|side| rollout[side]["completed"].as_u64().unwrap()).iter().sum()
}

/// Event types of a workflow, oldest first, with what each says.
async fn story(server: &Server, id: &str) -> Vec<(String, Value)> {
    let query = "query($id: ID!) { events(first: 100, direction: FORWARD, filter: {
        stream: { category: \"workflow\", id: $id } }) { nodes { type payload } } }";
    let data = server.ask(query, json!({ "id": id })).await;
    let told = |event: &Value| (event["type"].as_str().unwrap().to_owned(), event["payload"].clone());
    data["events"]["nodes"].as_array().unwrap().iter().map(told).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_takes_its_part_grows_and_is_promoted_and_a_repeated_call_gets_its_first_answer() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let id = two_versions(&server, &says(2)).await;
    refused(&server, &["rollout", "back", &id], "no version of the workflow is being rolled out");
    let begun = workflow(&server, &["rollout", "start", &id, "--percent", "50", "--reason", "try it"]);
    assert_eq!(begun["workflow"]["rollout"], json!({ "version": 2, "percent": 50 }));
    refused(&server, &["rollout", "start", &id, "--percent", "20"], "version 2 is being rolled out");
    refused(&server, &["activate", &id, "--version", "2"], "promote it or roll it back first");

    let (mut versions, mut first) = (BTreeSet::new(), Vec::new());
    for number in 0..CALLS_MAX {
        let key = format!("order-{number}");
        let (status, answer) = call(&server, &key).await;
        assert_eq!(status, 200, "{answer}");
        versions.insert(answer["version"].as_u64().unwrap());
        first.push((key, answer));
        if versions.len() == 2 && first.len() >= 10 {
            break;
        }
    }
    assert_eq!(versions, BTreeSet::from([1, 2]));
    workflow(&server, &["rollout", "set", &id, "--percent", "99"]);
    for (key, answer) in &first {
        assert_eq!(call(&server, key).await.1, *answer, "the same call is the same execution");
    }
    let rollout = shown(&server, &id);
    assert_eq!((&rollout["percent"], &rollout["guard"]), (&json!(99), &Value::Null));
    assert_eq!(completed(&server, &id).await, first.len() as u64);

    server.kill();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(shown(&server, &id)["percent"], 99, "a restart changes nothing");
    let promoted = workflow(&server, &["rollout", "promote", &id]);
    assert_eq!(promoted["workflow"]["activeVersion"], 2);
    assert_eq!(call(&server, "another order").await, (200, json!({ "version": 2 })));
    assert_eq!(shown(&server, &id), Value::Null);
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_fails_too_often_is_rolled_back_by_itself_with_the_figures() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let id = two_versions(&server, &gives_up()).await;
    let guard = ["--max-errors", "20", "--min-executions", "3", "--only-if-worse", "--window", "60"];
    workflow(&server, &[&["rollout", "start", &id, "--percent", "50"], &guard[..]].concat());
    let mut failures = 0;
    for number in 0..CALLS_MAX {
        let (status, _) = call(&server, &format!("order-{number}")).await;
        failures += u32::from(status >= 500);
        if failures == 3 {
            break;
        }
    }
    assert_eq!(failures, 3, "the new version ran");
    let until = tokio::time::Instant::now() + GUARD_TIME_MAX;
    let ended = loop {
        let told = story(&server, &id).await;
        if let Some((_, payload)) = told.iter().find(|(event_type, _)| event_type == "WorkflowRolloutRolledBack") {
            break payload.clone();
        }
        assert!(tokio::time::Instant::now() < until, "nothing rolled it back: {told:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((&ended["version"], &ended["cause"]["by"]), (&json!(2), &json!("guard")), "{ended}");
    assert!(ended["cause"]["figures"]["candidate"]["failed"].as_u64().unwrap() >= 3, "{ended}");
    assert_eq!(ended["cause"]["figures"]["active"]["failed"], 0, "{ended}");
    for number in 0..5 {
        assert_eq!(call(&server, &format!("after-{number}")).await, (200, json!({ "version": 1 })));
    }
    let backs = story(&server, &id).await.into_iter().filter(|(name, _)| name == "WorkflowRolloutRolledBack").count();
    assert_eq!(backs, 1);
    let metrics = client().get(format!("{}/metrics", server.url)).send().await.unwrap().text().await.unwrap();
    let counted = "timeloom_workflow_rollouts_total{change=\"rolled_back_by_guard\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_with_another_address_is_refused_before_anything_runs_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let id = server.import(&hook("orders", &says(1))).await;
    refused(&server, &["rollout", "start", &id, "--percent", "10"], "has no published version");
    workflow(&server, &["publish", &id]);
    refused(&server, &["rollout", "start", &id, "--percent", "10"], "no version of the workflow is active");
    workflow(&server, &["activate", &id]);
    refused(&server, &["rollout", "start", &id, "--percent", "10"], "version 1 is the active one");
    let query = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { errors { message } } }";
    let source = hook("elsewhere", &says(2)).to_string();
    server.ask(query, json!({ "input": { "workflowId": id, "source": source } })).await;
    workflow(&server, &["publish", &id, "--keep-active"]);
    refused(&server, &["rollout", "start", &id, "--percent", "10"], "the trigger 'Webhook' is not the same");
    server.stop();
}
