//! An execution too long for one stream: killed in the middle, it ends as if it had been in one.

use serde_json::{Value, json};

use super::crash::ended_status;
use super::server::{Server, chain, set, verb_json};

/// Rounds of the loop: each is two events, and a stream has ten thousand.
const ROUNDS: u64 = 6_000;

/// Counts up to [`ROUNDS`], then looks back at its first round.
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
    let nodes = [
        set("Add", "n", "={{ ($json.n || 0) + 1 }}"),
        more,
        set("First", "first", "={{ $('Add').first(0, 0).json.n }}"),
    ];
    let mut workflow = chain("Counting", &nodes);
    let to = |node: &str| json!([{ "node": node, "type": "main", "index": 0 }]);
    workflow["connections"]["More"] = json!({ "main": [to("Add"), to("First")] });
    workflow
}

/// The status with which a stream ends. A subscriber that falls behind a busy execution begins again.
pub(super) async fn last_status(server: &Server, execution: &str) -> String {
    loop {
        let status = ended_status(server, execution).await;
        if status != "RUNNING" {
            return status;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_in_two_streams_survives_kill_9_between_them() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let workflow = server.import(&counting()).await;
    let started = server.start_execution(&workflow, "STARTED").await;
    let first = started["executionId"].as_str().unwrap();
    assert_eq!(last_status(&server, first).await, "CONTINUED");
    server.kill();

    let server = Server::start(folder.path(), &[]);
    let head = server.ask("{ events(first: 1, direction: BACKWARD) { nodes { position } } }", json!({})).await;
    let position = &head["events"]["nodes"][0]["position"];
    let query = "query($id: UUID!, $position: Position) { execution(id: $id, waitFor: $position) {
        status continuedFrom continuedAs } }";
    let left = server.ask(query, json!({ "id": first, "position": position })).await["execution"].clone();
    assert_eq!((&left["status"], &left["continuedFrom"]), (&json!("CONTINUED"), &Value::Null));
    let second = left["continuedAs"].as_str().unwrap();
    assert_eq!(last_status(&server, second).await, "COMPLETED");

    let query = "query($id: ID!) { stateAt(entity: { kind: EXECUTION, id: $id }) { state } }";
    let state = server.ask(query, json!({ "id": second })).await["stateAt"]["state"].clone();
    let runs = state["node_runs"].as_array().unwrap();
    let before = state["earlier_runs"].as_u64().unwrap();
    assert_eq!(before + runs.len() as u64, 1 + 2 * ROUNDS + 1, "every round was made once");
    let last = &runs.last().unwrap()["outputs"][0][0]["json"];
    assert_eq!(
        (&last["n"], &last["first"]),
        (&json!(ROUNDS), &json!(1)),
        "the first round is in the stream that was left"
    );
    server.stop();
}

#[test]
fn a_run_from_the_command_line_shows_the_node_runs_of_all_streams() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("counting.json");
    std::fs::write(&file, counting().to_string()).unwrap();
    let result = verb_json(&["workflow", "run", file.to_str().unwrap(), "--json"]);
    assert_eq!(result["status"], "success");
    assert_eq!(result["runData"]["Add"].as_array().unwrap().len() as u64, ROUNDS);
    assert_eq!(result["runData"]["First"][0]["executionIndex"], json!(1 + 2 * ROUNDS));
}
