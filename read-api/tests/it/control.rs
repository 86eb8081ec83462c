//! Executions under control: what holds them up, what ends a wait, and what is done about failures.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_commands::{Ids as _, SystemIds};
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::{
    ExecutionEvent, ExecutionMode, NodeFacts, Response, ResponseBody, ResumeKind, ResumeRule, TriggerFacts,
};
use timeloom_domain::ids::ExecutionId;
use timeloom_store::{EventLog as _, StreamKey};

use crate::support::{TENANT, TestServer, append, completed, failed, node_completed, started, text, unknown_id};

const START: &str = "mutation($input: StartExecutionInput!) { startExecution(input: $input) {
    executionId errors { code } execution { status priority breakpoints { node condition } } } }";
const SHOW: &str = "query($id: UUID!, $waitFor: Position) { execution(id: $id, waitFor: $waitFor) {
    status trigger causedBy retryOf retriedAs dismissed unresolved priority worker
    waiting { node until resumeUrl } paused { kind node reason } breakpoints { node condition }
    response { node status headers { name value } bodyKind body } savedData { name value } } }";

/// Sends a mutation; its payload.
async fn change(server: &TestServer, name: &str, input: Value) -> Value {
    let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    let query = format!(
        "mutation($input: {kind}!) {{ {name}(input: $input) {{ executionId position repeated errors {{ code message }}
         execution {{ id status }} }} }}"
    );
    server.data(&query, json!({ "input": input })).await[name].clone()
}

async fn shown(server: &TestServer, id: &str) -> Value {
    let head = server.log.head().to_string();
    server.data(SHOW, json!({ "id": id, "waitFor": head })).await["execution"].clone()
}

fn stream(id: &str) -> StreamKey {
    StreamKey::new(TENANT, ExecutionEvent::CATEGORY, id)
}

/// A run of version 1 of the workflow that a call started.
fn called(workflow_id: &str) -> ExecutionEvent {
    let ExecutionEvent::ExecutionStarted(mut facts) = started(workflow_id) else { unreachable!() };
    let own = Arc::make_mut(&mut facts);
    own.mode = ExecutionMode::Production;
    own.workflow_version = Some(1);
    own.trigger = Some(webhook());
    ExecutionEvent::ExecutionStarted(facts)
}

fn webhook() -> TriggerFacts {
    TriggerFacts::Webhook { method: "POST".to_owned(), path: "orders".to_owned(), is_test: false }
}

fn failed_at(node: &str) -> ExecutionEvent {
    let ExecutionEvent::ExecutionFailed { error, at_ms, .. } = failed() else { unreachable!() };
    ExecutionEvent::ExecutionFailed { node: Some(node.to_owned()), error, at_ms }
}

/// A failure of a run that a call started, in which this node is to blame; its id.
async fn dead_letter(server: &TestServer, workflow_id: &str, node: &str) -> String {
    let id = SystemIds.uuid().to_string();
    append(&server.log, &stream(&id), vec![called(workflow_id), failed_at(node)]).await;
    id
}

async fn published(server: &TestServer) -> String {
    let (id, _) = server.import("Flow").await;
    let query = "mutation($id: UUID!) { publishWorkflow(input: {workflowId: $id}) { errors { code } } }";
    assert_eq!(server.data(query, json!({ "id": id })).await["publishWorkflow"]["errors"], json!([]));
    id
}

#[tokio::test]
async fn an_execution_is_held_up_let_go_and_its_breakpoints_change() {
    let server = TestServer::start();
    let (workflow, _) = server.import("Flow").await;
    let breakpoints = json!([{ "node": "Fill", "condition": "$json.n > 1" }]);
    let input = json!({ "workflowId": workflow, "breakpoints": breakpoints, "priority": 7 });
    let begun = server.data(START, json!({ "input": input })).await["startExecution"].clone();
    assert_eq!(begun["execution"], json!({ "status": "RUNNING", "priority": 7, "breakpoints": breakpoints }));
    let id = text(&begun["executionId"]);

    let paused = change(&server, "pauseExecution", json!({ "executionId": id, "reason": "have a look" })).await;
    assert_eq!(paused["execution"]["status"], "PAUSED", "{paused}");
    let execution = shown(&server, &id).await;
    assert_eq!(execution["paused"], json!({ "kind": "REQUESTED", "node": null, "reason": "have a look" }));
    assert_eq!((&execution["trigger"], &execution["waiting"]), (&Value::Null, &Value::Null));

    let input = json!({ "executionId": id, "breakpoints": [{ "node": "Start" }] });
    assert_eq!(change(&server, "changeBreakpoints", input).await["errors"], json!([]));
    let execution = shown(&server, &id).await;
    assert_eq!(execution["breakpoints"], json!([{ "node": "Start", "condition": null }]));
    let empty = json!({ "executionId": id, "breakpoints": [{ "node": "" }] });
    assert_eq!(change(&server, "changeBreakpoints", empty).await["errors"][0]["code"], "EMPTY_BREAKPOINT");

    let let_go = change(&server, "unpauseExecution", json!({ "executionId": id, "step": true })).await;
    assert_eq!(let_go["execution"]["status"], "RUNNING");
    for (name, input) in [
        ("pauseExecution", json!({ "executionId": unknown_id() })),
        ("unpauseExecution", json!({ "executionId": unknown_id() })),
        ("resumeExecution", json!({ "executionId": unknown_id() })),
        ("retryExecution", json!({ "executionId": unknown_id() })),
        ("dismissExecution", json!({ "executionId": unknown_id() })),
    ] {
        assert_eq!(change(&server, name, input).await["errors"][0]["code"], "EXECUTION_NOT_FOUND", "{name}");
    }
    append(&server.log, &stream(&id), vec![completed()]).await;
    let late = change(&server, "pauseExecution", json!({ "executionId": id })).await;
    assert_eq!(late["errors"][0]["code"], "EXECUTION_ENDED");
    for (input, code) in [
        (json!({ "workflowId": workflow, "priority": 1_001 }), "PRIORITY_OUT_OF_RANGE"),
        (json!({ "workflowId": workflow, "breakpoints": [{ "node": "Nobody" }] }), "NODE_NOT_FOUND"),
    ] {
        let refused = server.data(START, json!({ "input": input })).await;
        assert_eq!(refused["startExecution"]["errors"][0]["code"], code);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_wait_is_told_with_its_address_and_ended_by_a_person() {
    let server = TestServer::start();
    let (workflow, _) = server.import("Flow").await;
    let id = SystemIds.uuid().to_string();
    let run = NodeFacts { node: "Fill".to_owned(), run_index: 0, execution_index: 1, sources: Vec::new() };
    let resume = ResumeRule { kind: ResumeKind::Webhook, method: None, suffix: Some("sign".to_owned()), form: None };
    let waiting = ExecutionEvent::ExecutionWaiting {
        node: "Fill".to_owned(),
        until_ms: Some(1_700_000_000_000),
        run: Some(run),
        resume: Some(resume),
    };
    let began = started(&workflow);
    let ExecutionEvent::ExecutionStarted(facts) = &began else { unreachable!() };
    let token = facts.resume_token(ExecutionId(id.parse().unwrap()));
    append(&server.log, &stream(&id), vec![began, node_completed("Start", 0, json!({ "n": 1 })), waiting]).await;
    let execution = shown(&server, &id).await;
    let wait = json!({
        "node": "Fill", "until": "2023-11-14T22:13:20+00:00",
        "resumeUrl": format!("http://localhost:8080/webhook-waiting/{id}.{token}/sign"),
    });
    assert_eq!((&execution["status"], &execution["waiting"]), (&json!("WAITING"), &wait));

    let wrong = change(&server, "resumeExecution", json!({ "executionId": id, "items": "yes" })).await;
    assert_eq!(wrong["errors"][0]["code"], "INVALID_ITEMS");
    let resumed = change(&server, "resumeExecution", json!({ "executionId": id, "items": [{ "ok": true }] })).await;
    assert_eq!(resumed["execution"]["status"], "RUNNING", "{resumed}");
    let events =
        "query($id: UUID!) { execution(id: $id) { waiting { node } events(first: 9) { nodes { type payload } } } }";
    let data = server.data(events, json!({ "id": id })).await;
    assert_eq!(data["execution"]["waiting"], Value::Null);
    let event = &data["execution"]["events"]["nodes"][3];
    assert_eq!((&event["type"], &event["payload"]["cause"]), (&json!("ExecutionResumed"), &json!("person")));
    assert_eq!(event["payload"]["items"], json!([{ "json": { "ok": true } }]));
    let again = change(&server, "resumeExecution", json!({ "executionId": id })).await;
    assert_eq!(again["errors"][0]["code"], "EXECUTION_NOT_WAITING");
    server.stop().await;
}

#[tokio::test]
async fn answers_saved_data_and_the_worker_are_told() {
    let server = TestServer::start();
    let (workflow, _) = server.import("Flow").await;
    let id = SystemIds.uuid().to_string();
    let response = Response {
        status: 201,
        headers: vec![("x-order".to_owned(), "17".to_owned())],
        body: ResponseBody::Json { value: json!({ "taken": true }) },
    };
    let data = [("order".to_owned(), "17".to_owned())].into();
    let events = vec![
        called(&workflow),
        ExecutionEvent::ExecutionTakenOver { worker: "second".to_owned(), epoch: 2, at_ms: 1 },
        ExecutionEvent::ExecutionDataSaved { node: "Fill".to_owned(), data },
        ExecutionEvent::ExecutionResponded { node: Some("Fill".to_owned()), response, more: false, at_ms: 2 },
    ];
    append(&server.log, &stream(&id), events).await;
    let execution = shown(&server, &id).await;
    assert_eq!((&execution["trigger"], &execution["worker"]), (&json!("WEBHOOK"), &json!("second")));
    assert_eq!(execution["savedData"], json!([{ "name": "order", "value": "17" }]));
    let headers = json!([{ "name": "x-order", "value": "17" }]);
    let answer = json!({
        "node": "Fill", "status": 201, "headers": headers, "bodyKind": "JSON", "body": { "taken": true }
    });
    assert_eq!(execution["response"], answer);
    let list = "query($saved: SavedFactInput, $trigger: ExecutionTrigger) {
        executions(saved: $saved, trigger: $trigger) { nodes { id } } }";
    for (variables, found) in [
        (json!({ "saved": { "name": "order", "value": "17" } }), json!([{ "id": id }])),
        (json!({ "saved": { "name": "order", "value": "1" } }), json!([])),
        (json!({ "trigger": "WEBHOOK" }), json!([{ "id": id }])),
        (json!({ "trigger": "SCHEDULE" }), json!([])),
    ] {
        assert_eq!(server.data(list, variables).await["executions"]["nodes"], found);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_failure_is_a_dead_letter_until_it_is_retried_or_dismissed() {
    let server = TestServer::start();
    let workflow = published(&server).await;
    let (first, second) =
        (dead_letter(&server, &workflow, "Fill").await, dead_letter(&server, &workflow, "Fill").await);
    let by_hand = SystemIds.uuid().to_string();
    append(&server.log, &stream(&by_hand), vec![started(&workflow), failed()]).await;
    let before = server.log.head().to_string();
    let letters =
        "query($waitFor: Position, $asOf: AsOf) { deadLetters(waitFor: $waitFor, asOf: $asOf) { nodes { id } } }";
    let both = json!([{ "id": second }, { "id": first }]);
    assert_eq!(server.data(letters, json!({ "waitFor": before })).await["deadLetters"]["nodes"], both);

    let command_id = SystemIds.uuid().to_string();
    let input = json!({ "executionId": first, "commandId": command_id });
    let retried = change(&server, "retryExecution", input.clone()).await;
    assert_eq!((&retried["executionId"], &retried["repeated"]), (&json!(command_id), &json!(false)), "{retried}");
    let again = change(&server, "retryExecution", input).await;
    assert_eq!((&again["executionId"], &again["repeated"]), (&json!(command_id), &json!(true)));
    let execution = shown(&server, &first).await;
    assert_eq!((&execution["retriedAs"], &execution["unresolved"]), (&json!(command_id), &json!(false)));
    let execution = shown(&server, &command_id).await;
    assert_eq!((&execution["trigger"], &execution["retryOf"]), (&json!("RETRY"), &json!(first)));

    let dismissed = change(&server, "dismissExecution", json!({ "executionId": second, "reason": "known" })).await;
    assert_eq!(dismissed["errors"], json!([]));
    assert_eq!(shown(&server, &second).await["dismissed"], "known");
    let head = server.log.head().to_string();
    assert_eq!(server.data(letters, json!({ "waitFor": head })).await["deadLetters"]["nodes"], json!([]));
    let then = server.data(letters, json!({ "asOf": { "position": before } })).await;
    assert_eq!(then["deadLetters"]["nodes"], both, "it is still known what was one then");
    let running = change(&server, "retryExecution", json!({ "executionId": command_id })).await;
    assert_eq!(running["errors"][0]["code"], "EXECUTION_NOT_FAILED");
    server.stop().await;
}

const REDRIVE: &str = "mutation($input: RedriveExecutionsInput!) { redriveExecutions(input: $input) {
    retriedCount refusedCount hasMore position repeated errors { code }
    redriven { executionId retriedAs error { code message } } } }";

async fn redrive(server: &TestServer, input: Value) -> Value {
    server.data(REDRIVE, json!({ "input": input })).await["redriveExecutions"].clone()
}

fn ids(redriven: &Value, field: &str) -> BTreeSet<String> {
    redriven["redriven"].as_array().unwrap().iter().filter_map(|one| one[field].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn many_failures_are_retried_in_one_call_and_its_repeat_changes_nothing() {
    let server = TestServer::start();
    let workflow = published(&server).await;
    let mut letters = BTreeSet::new();
    for number in 0..50 {
        let node = if number == 20 { "Gone" } else { "Fill" };
        letters.insert(dead_letter(&server, &workflow, node).await);
    }
    let input = json!({ "commandId": unknown_id(), "version": "NEWEST", "limit": 1_000 });
    let first = redrive(&server, input.clone()).await;
    assert_eq!((&first["retriedCount"], &first["refusedCount"]), (&json!(49), &json!(1)), "{first}");
    assert_eq!((&first["hasMore"], &first["repeated"]), (&json!(false), &json!(false)));
    assert_eq!(ids(&first, "executionId"), letters);
    let refused = first["redriven"].as_array().unwrap().iter().find(|one| !one["error"].is_null()).unwrap();
    assert_eq!(refused["error"]["code"], "NODE_NOT_FOUND");
    assert_eq!(ids(&first, "retriedAs").len(), 49);

    // What fails later is none of this call's, however often it is sent.
    let later = dead_letter(&server, &workflow, "Fill").await;
    let head = server.log.head();
    let second = redrive(&server, input).await;
    assert_eq!(server.log.head(), head, "the repeat writes nothing");
    assert_eq!((&second["redriven"], &second["repeated"]), (&first["redriven"], &json!(true)));
    let letters = "query { deadLetters(first: 100) { nodes { id } } }";
    let left = server.data(letters, json!({})).await["deadLetters"]["nodes"].clone();
    assert_eq!(left, json!([{ "id": later }, { "id": refused["executionId"] }]));
    server.stop().await;
}

#[tokio::test]
async fn a_call_retries_no_more_than_its_limit_and_what_its_filter_lets_through() {
    let server = TestServer::start();
    let (workflow, other) = (published(&server).await, published(&server).await);
    let mut letters = Vec::new();
    for _ in 0..5 {
        letters.push(dead_letter(&server, &workflow, "Fill").await);
    }
    let elsewhere = dead_letter(&server, &other, "Fill").await;
    for limit in [0, 1_001] {
        assert_eq!(redrive(&server, json!({ "limit": limit })).await["errors"][0]["code"], "LIMIT_OUT_OF_RANGE");
    }
    let filter = json!({ "workflowId": workflow, "trigger": "WEBHOOK" });
    let none = redrive(&server, json!({ "filter": { "trigger": "SCHEDULE" } })).await;
    assert_eq!((&none["retriedCount"], &none["redriven"], &none["position"]), (&json!(0), &json!([]), &Value::Null));
    let two = json!({ "filter": filter, "limit": 2, "commandId": unknown_id() });
    let newest = redrive(&server, two.clone()).await;
    assert_eq!((&newest["retriedCount"], &newest["hasMore"]), (&json!(2), &json!(true)));
    assert_eq!(ids(&newest, "executionId"), letters[3..].iter().cloned().collect());
    let repeat = redrive(&server, two).await;
    assert_eq!((&repeat["redriven"], &repeat["hasMore"]), (&newest["redriven"], &json!(true)));
    let rest = redrive(&server, json!({ "filter": filter })).await;
    assert_eq!((ids(&rest, "executionId"), &rest["hasMore"]), (letters[..3].iter().cloned().collect(), &json!(false)));
    assert_eq!(shown(&server, &elsewhere).await["unresolved"], true);
    server.stop().await;
}

#[tokio::test]
async fn what_failed_as_a_part_of_a_failed_execution_runs_again_with_that_one_alone() {
    let server = TestServer::start();
    let workflow = published(&server).await;
    let caller = dead_letter(&server, &workflow, "Fill").await;
    let part = SystemIds.uuid().to_string();
    let ExecutionEvent::ExecutionStarted(mut facts) = called(&workflow) else { unreachable!() };
    let execution = ExecutionId(caller.parse().unwrap());
    Arc::make_mut(&mut facts).trigger =
        Some(TriggerFacts::SubWorkflow { execution, node: "Fill".to_owned(), depth: 1 });
    append(&server.log, &stream(&part), vec![ExecutionEvent::ExecutionStarted(facts), failed_at("Fill")]).await;
    let answer = redrive(&server, json!({ "commandId": unknown_id() })).await;
    assert_eq!((&answer["retriedCount"], &answer["refusedCount"]), (&json!(1), &json!(1)), "{answer}");
    let of = |id: &str| {
        let all = answer["redriven"].as_array().unwrap();
        all.iter().find(|one| one["executionId"] == id).unwrap().clone()
    };
    assert_eq!(of(&part)["error"]["code"], "PART_OF_EXECUTION");
    assert!(of(&caller)["retriedAs"].is_string());
    server.stop().await;
}
