//! Executions under control: held up, let go, cancelled and tried again in the program itself.

use serde_json::{Value, json};

use super::crash::ended_status;
use super::long_executions::last_status;
use super::server::{Server, chain, client, set, verb, verb_json};

/// Rounds of a run that is long enough to be paused in its middle.
const ROUNDS: u64 = 3_000;

fn wait_for_request() -> Value {
    json!({
        "name": "Wait", "type": "n8n-nodes-base.wait", "typeVersion": 1.1, "webhookId": "here",
        "parameters": { "resume": "webhook" }
    })
}

fn give_up(name: &str) -> Value {
    json!({
        "name": name, "type": "n8n-nodes-base.stopAndError", "typeVersion": 1,
        "parameters": { "errorMessage": "not today" }
    })
}

/// Counts up to [`ROUNDS`].
fn counting() -> Value {
    let more = json!({
        "name": "More", "type": "n8n-nodes-base.if", "typeVersion": 2,
        "parameters": { "conditions": {
            "options": { "caseSensitive": true, "leftValue": "", "typeValidation": "strict" },
            "combinator": "and",
            "conditions": [{
                "id": "more", "leftValue": "={{ $json.n }}", "rightValue": ROUNDS,
                "operator": { "type": "number", "operation": "lt" }
            }]
        } }
    });
    let mut workflow = chain("Counting", &[set("Add", "n", "={{ ($json.n || 0) + 1 }}"), more]);
    workflow["connections"]["More"] = json!({ "main": [[{ "node": "Add", "type": "main", "index": 0 }]] });
    workflow
}

/// Waits on the execution's own stream for an event after `after` that leaves it with this status.
async fn becomes(server: &Server, id: &str, after: &Value, status: &str) {
    let after = after.as_str().unwrap_or("0");
    let query = format!("subscription {{ execution(id: \"{id}\", after: \"{after}\") {{ status }} }}");
    let request = client().post(format!("{}/graphql", server.url)).header("accept", "text/event-stream");
    let mut response = request.json(&json!({ "query": query })).send().await.unwrap();
    let mut text = String::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        text.push_str(&String::from_utf8_lossy(&chunk));
        if text.contains(&format!("\"status\":\"{status}\"")) {
            return;
        }
    }
    panic!("it never was {status}: {text}");
}

/// A verb on executions of a server; its answer for programs.
fn execution(server: &Server, arguments: &[&str]) -> Value {
    verb_json(&[&["execution"], arguments, &["--json", "--server", &server.url]].concat())
}

async fn shown(server: &Server, id: &str) -> Value {
    let query = "query($id: UUID!, $head: Position!) { execution(id: $id, waitFor: $head) {
        status waiting { node resumeUrl } paused { kind node } retryOf retriedAs unresolved } }";
    let head = server.ask("{ head { position } }", json!({})).await["head"]["position"].clone();
    server.ask(query, json!({ "id": id, "head": head })).await["execution"].clone()
}

async fn start(server: &Server, input: Value) -> (String, Value) {
    let query = "mutation($input: StartExecutionInput!) { startExecution(input: $input) {
        executionId position status errors { message } } }";
    let payload = server.ask(query, json!({ "input": input })).await["startExecution"].clone();
    (payload["executionId"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned(), payload["position"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_waits_pauses_steps_and_ends_as_people_say() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let steps = [
        set("A", "n", "={{ 2 }}"),
        wait_for_request(),
        set("B", "b", "={{ $json.n + 1 }}"),
        set("C", "c", "={{ $json.b + 1 }}"),
    ];
    let workflow = server.import(&chain("Held up", &steps)).await;
    let breakpoints = json!([
        { "node": "A", "condition": "$json.n > 5" },
        { "node": "B", "condition": "[1, 2].map(n => n * 2).includes($json.n * 2)" },
    ]);
    let (id, at) = start(&server, json!({ "workflowId": workflow, "breakpoints": breakpoints })).await;
    becomes(&server, &id, &at, "WAITING").await;
    let waiting = shown(&server, &id).await;
    assert_eq!(waiting["waiting"]["node"], "Wait");
    assert!(waiting["waiting"]["resumeUrl"].as_str().unwrap().contains(&format!("/webhook-waiting/{id}.")));
    let told = verb(&["execution", "show", &id, "--server", &server.url]);
    assert!(String::from_utf8(told.stdout).unwrap().contains("waits      at 'Wait'"));

    execution(&server, &["pause", &id, "--reason", "have a look"]);
    let resumed = execution(&server, &["resume", &id, "--items", r#"[{"n": 2}]"#]);
    assert_eq!(shown(&server, &id).await["status"], "PAUSED", "the end of a wait lets nothing go");
    let let_go = execution(&server, &["unpause", &id]);
    assert!(let_go["position"].as_str() > resumed["position"].as_str());
    becomes(&server, &id, &let_go["position"], "PAUSED").await;
    let paused = shown(&server, &id).await;
    assert_eq!(paused["paused"], json!({ "kind": "BREAKPOINT", "node": "B" }), "A's condition is false, B's is true");
    let stepped = execution(&server, &["step", &id]);
    becomes(&server, &id, &stepped["position"], "PAUSED").await;
    assert_eq!(shown(&server, &id).await["paused"], json!({ "kind": "STEP", "node": "C" }));
    assert_eq!(execution(&server, &["breakpoints", &id]).as_array().unwrap().len(), 2);
    execution(&server, &["breakpoints", &id, "--none"]);
    assert_eq!(execution(&server, &["breakpoints", &id]), json!([]));
    execution(&server, &["unpause", &id]);
    assert_eq!(ended_status(&server, &id).await, "COMPLETED");
    let late = verb(&["execution", "pause", &id, "--server", &server.url]);
    assert_eq!(late.status.code(), Some(2), "what has ended is refused");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_paused_in_its_middle_and_waiting_and_paused_ones_are_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let long = server.import(&counting()).await;
    let (id, _) = start(&server, json!({ "workflowId": long })).await;
    execution(&server, &["pause", &id]);
    assert_eq!(shown(&server, &id).await["status"], "PAUSED");
    execution(&server, &["unpause", &id]);
    assert_eq!(last_status(&server, &id).await, "COMPLETED");

    let workflow = server.import(&chain("Waits", &[wait_for_request()])).await;
    for pause in [false, true] {
        let (id, at) = start(&server, json!({ "workflowId": workflow })).await;
        becomes(&server, &id, &at, "WAITING").await;
        if pause {
            execution(&server, &["pause", &id]);
        }
        execution(&server, &["cancel", &id, "--reason", "enough"]);
        assert_eq!(ended_status(&server, &id).await, "CANCELLED");
        let cancelled = shown(&server, &id).await;
        assert_eq!((&cancelled["waiting"], &cancelled["paused"]), (&Value::Null, &Value::Null));
    }
    server.stop();
}

/// Makes `definition` the newest version of a workflow.
async fn publish(server: &Server, workflow: &str, definition: &Value) {
    let query = "mutation($file: ImportWorkflowInput!, $workflow: PublishWorkflowInput!) {
        importWorkflow(input: $file) { errors { message } } publishWorkflow(input: $workflow) { errors { message } } }";
    let file = json!({ "workflowId": workflow, "source": definition.to_string() });
    let data = server.ask(query, json!({ "file": file, "workflow": { "workflowId": workflow } })).await;
    let none = json!({ "errors": [] });
    assert_eq!(data, json!({ "importWorkflow": none, "publishWorkflow": none }));
}

/// Runs a workflow in production, and waits for its failure; its id.
async fn failure(server: &Server, workflow: &str) -> String {
    let (id, _) = start(server, json!({ "workflowId": workflow, "mode": "PRODUCTION", "waitFor": "COMPLETED" })).await;
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_failures_are_tried_again_on_a_mended_version_once_each() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let before = set("Before", "n", "={{ 1 }}");
    let broken =
        chain("Broken", &[before.clone(), give_up("Step"), set("After", "m", "={{ $('Before').first().json.n }}")]);
    let workflow = server.import(&broken).await;
    publish(&server, &workflow, &broken).await;
    let renamed = server.import(&broken).await;
    publish(&server, &renamed, &broken).await;
    let refused = failure(&server, &renamed).await;
    let mut failures = Vec::new();
    for _ in 0..49 {
        failures.push(failure(&server, &workflow).await);
    }
    let mended = chain(
        "Mended",
        &[before.clone(), set("Step", "s", "={{ 1 }}"), set("After", "m", "={{ $('Before').first().json.n }}")],
    );
    publish(&server, &workflow, &mended).await;
    publish(&server, &renamed, &chain("Mended", &[before])).await;

    let single = execution(&server, &["retry", &failures[0], "--on", "newest"]);
    let again = single["executionId"].as_str().unwrap();
    assert_eq!(ended_status(&server, again).await, "COMPLETED");
    assert_eq!(shown(&server, again).await["retryOf"], json!(failures[0]));

    let call = "0192a000-0000-7000-8000-000000000001";
    let arguments = ["redrive", "--on", "newest", "--limit", "1000", "--command-id", call];
    let first = execution(&server, &arguments);
    assert_eq!((&first["retriedCount"], &first["refusedCount"]), (&json!(48), &json!(1)), "{first}");
    for one in first["redriven"].as_array().unwrap().iter().filter(|one| one["error"].is_null()) {
        assert_eq!(ended_status(&server, one["retriedAs"].as_str().unwrap()).await, "COMPLETED");
    }
    assert_eq!(execution(&server, &arguments), first, "the repeat is answered alike");
    let count = "{ executions(first: 100) { nodes { id } } deadLetters { nodes { id } } }";
    let data = server.ask(count, json!({})).await;
    assert_eq!(data["executions"]["nodes"].as_array().unwrap().len(), 50 + 49, "nothing runs twice");
    assert_eq!(data["deadLetters"]["nodes"], json!([{ "id": refused }]));
    let listed = execution(&server, &["list", "--unresolved"]);
    assert_eq!(listed["nodes"][0]["id"], json!(refused));
    let retried = execution(&server, &["list", "--trigger", "retry", "--limit", "100"]);
    assert_eq!(retried["nodes"].as_array().unwrap().len(), 49);
    server.stop();

    // Without a server the verbs work on the folder.
    let data = folder.path().to_str().unwrap();
    verb_json(&["execution", "dismiss", &refused, "--reason", "given up", "--json", "--data", data]);
    let left = verb_json(&["execution", "list", "--unresolved", "--json", "--data", data]);
    assert_eq!(left["nodes"], json!([]));
}
