//! Time travel: the state of an execution at each of its events is the fold of its events up to there.

use serde_json::{Value, json};
use timeloom_domain::event::Aggregate;
use timeloom_domain::execution::{Execution, ExecutionEvent};

use super::server::{Server, chain, set, verb_json};

const EVENTS: &str = "query($stream: StreamInput!) { events(first: 100, filter: { stream: $stream }) {
    nodes { position recordedAt payload } } }";
const STATE: &str = "query($id: ID!, $asOf: AsOf) { stateAt(entity: { kind: EXECUTION, id: $id }, asOf: $asOf) {
    position revision status state } }";

#[tokio::test]
async fn state_at_each_event_is_the_fold_of_the_events_up_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let code = json!({
        "name": "Fan out", "type": "n8n-nodes-base.code", "typeVersion": 2,
        "parameters": { "jsCode": "return [1, 2, 3].map(n => ({ json: { n } }));" }
    });
    let failing = json!({
        "name": "Give up", "type": "n8n-nodes-base.stopAndError", "typeVersion": 1,
        "parameters": { "errorMessage": "that was enough" }
    });
    let workflow = server.import(&chain("History", &[code, set("Double", "d", "={{ $json.n * 2 }}"), failing])).await;
    let started = server.start_execution(&workflow, "COMPLETED").await;
    assert_eq!(started["status"], "FAILED");
    let id = started["executionId"].as_str().unwrap();

    let data = server.ask(EVENTS, json!({ "stream": { "category": "execution", "id": id } })).await;
    let events = data["events"]["nodes"].as_array().unwrap().clone();
    assert!(events.len() >= 5, "{events:?}");
    let mut folded = Execution::default();
    for (index, event) in events.iter().enumerate() {
        let decoded: ExecutionEvent = serde_json::from_value(event["payload"].clone()).unwrap();
        folded.apply(&decoded);
        for as_of in [json!({ "position": event["position"] }), json!({ "time": event["recordedAt"] })] {
            let data = server.ask(STATE, json!({ "id": id, "asOf": as_of })).await;
            let view = &data["stateAt"];
            assert_eq!(view["revision"], json!(index + 1));
            assert_eq!(view["state"], serde_json::to_value(&folded).unwrap(), "at {as_of}");
        }
    }
    let before =
        json!({ "position": (events[0]["position"].as_str().unwrap().parse::<u64>().unwrap() - 1).to_string() });
    assert_eq!(server.ask(STATE, json!({ "id": id, "asOf": before })).await["stateAt"], Value::Null);

    let entity = format!("execution/{id}");
    let at = events[1]["position"].as_str().unwrap();
    let shown = verb_json(&["state", "get", &entity, "--at", at, "--json", "--server", &server.url]);
    assert_eq!(shown["status"], "running");
    server.stop();
}

#[tokio::test]
async fn reads_as_of_a_position_answer_as_they_did_then() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let workflow = server.import(&chain("Before", &[set("Step", "a", "={{ 1 }}")])).await;
    let started = server.start_execution(&workflow, "STARTED").await;
    let position = started["position"].clone();
    let id = started["executionId"].as_str().unwrap();
    server.start_execution(&workflow, "COMPLETED").await;
    let query = "query($id: UUID!, $asOf: AsOf, $waitFor: Position) {
        execution(id: $id, asOf: $asOf, waitFor: $waitFor) { status }
        executions(first: 10, asOf: $asOf) { nodes { id status } } }";
    let then = server.ask(query, json!({ "id": id, "asOf": { "position": position } })).await;
    assert_eq!(then["execution"]["status"], "RUNNING");
    assert_eq!(then["executions"]["nodes"], json!([{ "id": id, "status": "RUNNING" }]));
    server.stop();

    // The same after a restart, and after the read models were built again.
    let data = folder.path().to_str().unwrap();
    let report = verb_json(&["projections", "rebuild", "--json", "--data", data]);
    assert!(report["events"].as_u64().unwrap() >= 7, "{report}");
    let server = Server::start(folder.path(), &[]);
    let again = server.ask(query, json!({ "id": id, "asOf": { "position": position }, "waitFor": position })).await;
    assert_eq!(again, then);
    server.stop();
}

#[tokio::test]
async fn large_outputs_lie_beside_the_log_and_are_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let code = json!({
        "name": "Large", "type": "n8n-nodes-base.code", "typeVersion": 2,
        "parameters": { "jsCode": "return [{ json: { text: 'timeloom '.repeat(300000) } }];" }
    });
    let workflow = server.import(&chain("Large", &[code, set("Step", "n", "={{ $json.text.length }}")])).await;
    let started = server.start_execution(&workflow, "COMPLETED").await;
    assert_eq!(started["status"], "COMPLETED", "{started}");
    let id = started["executionId"].as_str().unwrap().to_owned();
    let shown = server.ask(STATE, json!({ "id": id })).await["stateAt"]["state"].clone();
    assert_eq!(shown["node_runs"][2]["outputs"][0][0]["json"]["n"], json!(2_700_000));
    server.kill();

    let bytes = |file: &str| std::fs::metadata(folder.path().join(file)).map_or(0, |found| found.len());
    assert!(bytes("log.db") + bytes("log.db-wal") < 2_000_000, "the outputs lie in the log itself");
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.ask(STATE, json!({ "id": id })).await["stateAt"]["state"], shown);
    server.stop();
}
