//! Executions that others bring about, by a call or by a failure, in the program as people run it, and killed.

use serde_json::{Value, json};
use timeloom_engine::reactions::failure_id;

use super::crash::ended_status;
use super::gate::Gate;
use super::schedules::{change, starts};
use super::server::{Server, chain, set};

fn call(name: &str, reference: Value, parameters: Value) -> Value {
    let mut node = json!({
        "name": name, "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1.2,
        "parameters": { "workflowId": { "__rl": true, "mode": "list", "value": reference }, "options": {} }
    });
    node["parameters"].as_object_mut().unwrap().extend(parameters.as_object().cloned().unwrap());
    node
}

/// A workflow that begins with that trigger in place of the manual one.
fn begun_by(trigger: &str, version: f64, parameters: Value, mut workflow: Value) -> Value {
    let first = &mut workflow["nodes"][0];
    first["type"] = json!(format!("n8n-nodes-base.{trigger}"));
    (first["typeVersion"], first["parameters"]) = (json!(version), parameters);
    workflow
}

fn called(workflow: Value) -> Value {
    begun_by("executeWorkflowTrigger", 1.1, json!({ "inputSource": "passthrough" }), workflow)
}

/// The executions that others brought about: id, and what is said of their beginning.
async fn of_kind(server: &Server, kind: &str) -> Vec<String> {
    let starts = starts(server).await;
    starts.into_iter().filter(|(_, start)| start["trigger"]["kind"] == kind).map(|(id, _)| id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_of_a_call_both_go_on_and_nothing_is_begun_twice() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::start().await;
    let allow = ["--allow-private-hosts", gate.host.as_str()];
    let server = Server::start(folder.path(), &allow);
    server.import(&called(gate.workflow())).await;
    let parameters =
        json!({ "mode": "each", "workflowInputs": { "value": { "from": "={{ $json.n }}" }, "schema": [] } });
    let caller = chain(
        "Caller",
        &[
            set("Before", "n", "={{ 7 }}"),
            call("Call", json!("Asks"), parameters),
            set("After", "c", "={{ $json.b + 1 }}"),
        ],
    );
    let caller = server.import(&caller).await;
    let open = server.start_execution(&caller, "STARTED").await;
    let execution = open["executionId"].as_str().unwrap();
    gate.asked().await;
    server.kill();
    gate.open();

    let server = Server::start(folder.path(), &allow);
    assert_eq!(ended_status(&server, execution).await, "COMPLETED");
    let children = of_kind(&server, "sub_workflow").await;
    assert_eq!(children.len(), 1, "the call after the kill found the one before");
    assert_eq!(ended_status_of_ended(&server, &children[0]).await, "COMPLETED");
    let query = "query($id: ID!) { stateAt(entity: { kind: EXECUTION, id: $id }) { state } }";
    let state = server.ask(query, json!({ "id": execution })).await["stateAt"]["state"].clone();
    let given = &state["node_runs"].as_array().unwrap().last().unwrap()["outputs"][0][0]["json"];
    assert_eq!(given["c"], 3, "{given}");
    server.stop();
}

/// The status of an execution that has ended.
async fn ended_status_of_ended(server: &Server, execution: &str) -> String {
    let query = "query($id: ID!) { stateAt(entity: { kind: EXECUTION, id: $id }) { state } }";
    let state = server.ask(query, json!({ "id": execution })).await["stateAt"]["state"].clone();
    state["status"].as_str().unwrap_or_else(|| panic!("{state}")).to_uppercase()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_cancels_the_caller_cancels_what_it_waits_for() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::start().await;
    let server = Server::start(folder.path(), &["--allow-private-hosts", gate.host.as_str()]);
    server.import(&called(gate.workflow())).await;
    let caller = server.import(&chain("Caller", &[call("Call", json!("Asks"), json!({}))])).await;
    let open = server.start_execution(&caller, "STARTED").await;
    gate.asked().await;
    let query = "mutation($id: UUID!) { cancelExecution(input: { executionId: $id, reason: \"enough\" }) {
        errors { message } } }";
    let cancelled = server.ask(query, json!({ "id": open["executionId"] })).await["cancelExecution"].clone();
    assert_eq!(cancelled["errors"], json!([]));
    let children = of_kind(&server, "sub_workflow").await;
    assert_eq!(ended_status(&server, &children[0]).await, "CANCELLED");
    server.stop();
}

/// Executions that fail at the same time.
const FAILURES: usize = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_failure_is_handled_once_when_the_process_is_killed_between() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let handler = begun_by("errorTrigger", 1.0, json!({}), chain("Handles", &[set("Told", "n", "={{ 1 }}")]));
    let handler = server.import(&handler).await;
    change(&server, "publishWorkflow", &handler).await;
    let stop = json!({
        "name": "Stop", "type": "n8n-nodes-base.stopAndError", "typeVersion": 1,
        "parameters": { "errorType": "errorObject", "errorObject": "{\"message\": \"too late\", \"code\": 7}" }
    });
    let mut failing = chain("Fails", &[stop]);
    failing["settings"]["errorWorkflow"] = json!("Handles");
    let failing = server.import(&failing).await;
    change(&server, "publishWorkflow", &failing).await;
    let mut failed = Vec::new();
    for _ in 0..FAILURES {
        let query = "mutation($input: StartExecutionInput!) { startExecution(input: $input) {
            executionId errors { message } } }";
        let input = json!({ "workflowId": failing, "mode": "PRODUCTION" });
        let started = server.ask(query, json!({ "input": input })).await["startExecution"].clone();
        failed.push(started["executionId"].as_str().unwrap_or_else(|| panic!("{started}")).to_owned());
    }
    let last = failed.last().unwrap().clone();
    assert_eq!(ended_status(&server, &last).await, "FAILED");
    server.kill();

    let server = Server::start(folder.path(), &[]);
    for id in &failed {
        let handling = failure_id(id.parse().unwrap()).to_string();
        assert_eq!(ended_status(&server, &handling).await, "COMPLETED", "{id}");
    }
    assert_eq!(of_kind(&server, "failure").await.len(), FAILURES);
    let told = starts(&server).await;
    let (_, start) = told.iter().rfind(|(_, start)| start["trigger"]["execution"] == json!(last)).unwrap();
    let item = &start["items"][0]["json"];
    assert_eq!(item["workflow"], json!({ "id": failing, "name": "Fails" }));
    let execution = &item["execution"];
    assert_eq!((&execution["id"], &execution["lastNodeExecuted"]), (&json!(last), &json!("Stop")));
    assert_eq!((&execution["error"]["message"], &execution["error"]["data"]["code"]), (&json!("too late"), &json!(7)));
    server.stop();
}
