//! Changes that must not happen twice, or not to something that has changed: idempotency keys and expected revisions; and
//! what a refusal tells a form about its fields.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{TestServer, unknown_id, workflow_file};

const IMPORT: &str = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) {
    workflowId position revision repeated errors { code path message } } }";

/// Sends a change under a key; the status and the answer.
async fn send(server: &TestServer, key: &str, query: &str, variables: &Value) -> (StatusCode, Value) {
    let request = server.client.post(server.url("/graphql")).header("Idempotency-Key", key);
    let response = request.json(&json!({ "query": query, "variables": variables })).send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

fn import(name: &str) -> Value {
    json!({ "input": { "definition": workflow_file(name) } })
}

async fn workflow_count(server: &TestServer) -> usize {
    let position = server.log_head();
    let query = "query($p: Position!) { workflows(first: 100, waitFor: $p) { nodes { id } } }";
    server.data(query, json!({ "p": position })).await["workflows"]["nodes"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_change_sent_again_with_its_key_happens_once_and_is_answered_the_same() {
    let server = TestServer::start();
    let (status, first) = send(&server, "key-1", IMPORT, &import("once")).await;
    assert_eq!((status, &first["data"]["importWorkflow"]["errors"]), (StatusCode::OK, &json!([])));
    assert_eq!(send(&server, "key-1", IMPORT, &import("once")).await, (status, first.clone()));
    let (_, other) = send(&server, "key-2", IMPORT, &import("once")).await;
    assert_ne!(other["data"]["importWorkflow"]["workflowId"], first["data"]["importWorkflow"]["workflowId"]);
    assert_eq!(workflow_count(&server).await, 2);
    let (status, refused) = send(&server, "key-1", IMPORT, &import("another")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused["errors"][0]["extensions"]["code"], "IDEMPOTENCY_KEY_REUSED", "{refused}");
    assert_eq!(workflow_count(&server).await, 2);
    server.stop().await;
}

#[tokio::test]
async fn a_process_that_does_not_know_the_key_finds_the_change_in_the_log() {
    let server = TestServer::start();
    let (_, first) = send(&server, "key-1", IMPORT, &import("once")).await;
    let other = server.beside();
    let (_, again) = send(&other, "key-1", IMPORT, &import("once")).await;
    let (first, again) = (&first["data"]["importWorkflow"], &again["data"]["importWorkflow"]);
    assert_eq!((&again["workflowId"], &again["position"]), (&first["workflowId"], &first["position"]));
    assert_eq!((&first["repeated"], &again["repeated"]), (&json!(false), &json!(true)));
    assert_eq!(workflow_count(&server).await, 1);
    let (_, another) = send(&other.beside(), "key-1", IMPORT, &import("another")).await;
    assert_eq!(workflow_count(&server).await, 1, "{another}");
    server.stop().await;
}

#[tokio::test]
async fn the_same_change_sent_at_the_same_moment_happens_once() {
    let server = TestServer::start();
    let sent = (0..8).map(|_| async { send(&server, "key-1", IMPORT, &import("once")).await });
    let answers = futures::future::join_all(sent).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(workflow_count(&server).await, 1);
    server.stop().await;
}

#[tokio::test]
async fn what_was_refused_is_tried_again_under_its_key() {
    let server = TestServer::start();
    let (workflow, _) = server.import("w").await;
    let start =
        "mutation($input: StartExecutionInput!) { startExecution(input: $input) { executionId errors { code path } } }";
    let input = json!({ "input": { "workflowId": workflow, "mode": "PRODUCTION" } });
    let (_, refused) = send(&server, "start-1", start, &input).await;
    let errors = &refused["data"]["startExecution"]["errors"];
    assert_eq!(*errors, json!([{ "code": "WORKFLOW_NOT_PUBLISHED", "path": ["input", "workflowId"] }]));
    let publish = "mutation($input: PublishWorkflowInput!) { publishWorkflow(input: $input) { errors { code } } }";
    server.data(publish, json!({ "input": { "workflowId": workflow } })).await;
    let (_, started) = send(&server, "start-1", start, &input).await;
    assert_eq!(started["data"]["startExecution"]["errors"], json!([]), "{started}");
    assert_eq!(send(&server, "start-1", start, &input).await.1, started);
    server.stop().await;
}

#[tokio::test]
async fn a_key_is_text_and_its_answer_json() {
    let server = TestServer::start();
    for key in ["", " ", "a b", &"x".repeat(256)] {
        let (status, answer) = send(&server, key, IMPORT, &import("w")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{key}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "INVALID_IDEMPOTENCY_KEY");
    }
    let request = server.client.post(server.url("/graphql")).header("Idempotency-Key", "a");
    let request = request.header("accept", "text/event-stream");
    let streamed = request.json(&json!({ "query": IMPORT, "variables": import("w") })).send().await.unwrap();
    assert_eq!(streamed.status(), StatusCode::BAD_REQUEST);
    assert_eq!(workflow_count(&server).await, 0);
    server.stop().await;
}

#[tokio::test]
async fn a_change_to_something_that_changed_meanwhile_is_refused_with_both_revisions() {
    let server = TestServer::start();
    let (workflow, _) = server.import("w").await;
    let archive = "mutation($input: WorkflowInput!) { archiveWorkflow(input: $input) { revision repeated
        errors { code path message ... on Conflict { expectedRevision actualRevision } } } }";
    let ask = async |expected: u64, command: Option<u128>| {
        let command = command.map(uuid::Uuid::from_u128);
        let input = json!({ "workflowId": workflow, "expectedRevision": expected, "commandId": command });
        server.data(archive, json!({ "input": input })).await["archiveWorkflow"].clone()
    };
    let refused = ask(7, None).await;
    assert_eq!(refused["errors"][0]["code"], "REVISION_CHANGED");
    assert_eq!(refused["errors"][0]["path"], json!(["input", "expectedRevision"]));
    assert_eq!(
        (&refused["errors"][0]["expectedRevision"], &refused["errors"][0]["actualRevision"]),
        (&json!(7), &json!(1))
    );
    let done = ask(1, Some(99)).await;
    assert_eq!((&done["revision"], &done["errors"]), (&json!(2), &json!([])));
    let repeated = ask(1, Some(99)).await;
    assert_eq!(
        (&repeated["revision"], &repeated["repeated"], &repeated["errors"]),
        (&json!(2), &json!(true), &json!([]))
    );
    assert_eq!(ask(1, None).await["errors"][0]["code"], "REVISION_CHANGED", "somebody else's change");
    server.stop().await;
}

#[tokio::test]
async fn a_refusal_names_the_field_that_it_is_about() {
    let server = TestServer::start();
    let query = "mutation($plugin: RegisterInput!, $cancel: CancelExecutionInput!, $start: StartExecutionInput!) {
        registerPlugin(input: $plugin) { errors { code path } }
        cancelExecution(input: $cancel) { errors { code path } }
        startExecution(input: $start) { errors { code path } } }";
    let variables = json!({
        "plugin": { "name": "No Slug" },
        "cancel": { "executionId": unknown_id() },
        "start": { "workflowId": unknown_id(), "items": 7 },
    });
    let data = server.data(query, variables).await;
    let error = |field: &str| data[field]["errors"][0].clone();
    assert_eq!(error("registerPlugin"), json!({ "code": "INVALID_NAME", "path": ["input", "name"] }));
    assert_eq!(error("cancelExecution"), json!({ "code": "EXECUTION_NOT_FOUND", "path": ["input", "executionId"] }));
    assert_eq!(error("startExecution"), json!({ "code": "INVALID_ITEMS", "path": ["input", "items"] }));
    server.stop().await;
}
