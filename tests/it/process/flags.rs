//! Features that are held back from tenants, with the program itself.

use serde_json::{Value, json};

use super::crash::ended_status;
use super::server::{Server, chain, client, verb, verb_json};

const CODE: &str = "node:n8n-nodes-base.code";

fn flag(server: &Server, words: &[&str]) -> Value {
    verb_json(&[&["flag"], words, &["--reason", "a test", "--server", &server.url, "--json"]].concat())
}

#[track_caller]
fn refused(server: &Server, words: &[&str], why: &str) {
    let output = verb(&[&["flag"], words, &["--reason", "a test", "--server", &server.url]].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && told.contains(why), "{words:?}: {told}");
}

/// Runs a workflow to its end.
async fn run(server: &Server, workflow: &str) -> (String, Value) {
    let query = "mutation($input: StartExecutionInput!) { startExecution(input: $input) { executionId } }";
    let payload = server.ask(query, json!({ "input": { "workflowId": workflow } })).await;
    let id = payload["startExecution"]["executionId"].as_str().unwrap().to_owned();
    let status = ended_status(server, &id).await;
    let query = "query($id: UUID!) { execution(id: $id) { errorMessage } }";
    let error = server.ask(query, json!({ "id": id })).await["execution"]["errorMessage"].clone();
    (status, error)
}

async fn is_switched_off(server: &Server) -> Value {
    let query = "{ nodeCatalogue { type switchedOff } }";
    let found = server.ask(query, json!({})).await["nodeCatalogue"].clone();
    let code = found.as_array().unwrap().iter().find(|one| one["type"] == "n8n-nodes-base.code").cloned();
    code.unwrap()["switchedOff"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_type_is_held_back_let_go_and_rolled_back_and_a_restart_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let code = json!({
        "name": "Code", "type": "n8n-nodes-base.code", "typeVersion": 2,
        "parameters": { "jsCode": "return [{ json: { ran: true } }];" }
    });
    let workflow = server.import(&chain("Runs code", &[code])).await;
    assert_eq!(run(&server, &workflow).await.0, "COMPLETED");

    flag(&server, &["set", CODE, "--percent", "0", "--on", "7"]);
    let (status, error) = run(&server, &workflow).await;
    assert_eq!(status, "FAILED");
    assert!(error.to_string().contains("'n8n-nodes-base.code' are switched off for this tenant"), "{error}");
    assert_eq!(is_switched_off(&server).await, true);

    flag(&server, &["set", CODE, "--percent", "0", "--on", "0,7"]);
    assert_eq!(run(&server, &workflow).await.0, "COMPLETED", "this tenant is named");
    assert_eq!(is_switched_off(&server).await, false);
    let back = flag(&server, &["roll-back", CODE]);
    assert_eq!(back["flag"]["rollout"], json!({ "percent": 0, "onFor": [7], "offFor": [] }));
    refused(&server, &["roll-back", CODE], "there is nothing to go back to");

    server.kill();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(run(&server, &workflow).await.0, "FAILED", "the log says so");
    let listed = verb_json(&["flag", "list", "--json", "--server", &server.url]);
    assert_eq!((&listed[0]["feature"], &listed[0]["reason"]), (&json!(CODE), &json!("a test")));
    flag(&server, &["remove", CODE]);
    assert_eq!(run(&server, &workflow).await.0, "COMPLETED");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_and_the_gateway_are_switched_off_and_what_contradicts_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    flag(&server, &["set", "agents", "--percent", "100", "--off", "0"]);
    let query = "mutation { startAgentRun(input: { agent: \"nobody\", input: {} }) { errors { code message } } }";
    let errors = server.ask(query, json!({})).await["startAgentRun"]["errors"].clone();
    assert_eq!(errors[0]["code"], "FEATURE_OFF", "{errors}");

    flag(&server, &["set", "gateway", "--percent", "0"]);
    let question = json!({ "model": "any", "messages": [{ "role": "user", "content": "hello" }] });
    let asked = client().post(format!("{}/v1/chat/completions", server.url)).json(&question).send().await.unwrap();
    assert_eq!(asked.status(), 403);
    let answer: Value = asked.json().await.unwrap();
    assert!(answer["error"]["message"].as_str().unwrap().contains("switched off for this tenant"), "{answer}");

    refused(
        &server,
        &["set", "agents", "--percent", "5", "--on", "3", "--off", "3"],
        "tenant 3 is named on both sides",
    );
    refused(&server, &["set", "node:<b>", "--percent", "5"], "a feature is 'agents', 'gateway'");
    refused(&server, &["roll-back", CODE], "there is no flag for this feature");
    let query = "mutation { setFeatureFlag(input: { feature: \"agents\", percent: 101, reason: \"a test\" }) {
        errors { code } } }";
    let errors = server.ask(query, json!({})).await["setFeatureFlag"]["errors"].clone();
    assert_eq!(errors[0]["code"], "INVALID_PERCENT");
    server.stop();
}
