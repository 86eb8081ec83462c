//! The executions that are there before anything is measured. They are made once, by the program itself.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::ask;
use crate::client::Client;
use crate::support::{Server, serve};

/// Executions where `EXECUTIONS` does not say how many.
const EXECUTIONS_DEFAULT: usize = 100_000;
/// Steps of each: with them it has 20 events.
const STEPS: usize = 16;
/// Clients that start them.
const CLIENTS: usize = 32;
/// One in so many has a text that is looked for.
const NEEDLE_EVERY: usize = 5_000;
/// One in so many fails.
const FAILED_EVERY: usize = 50;
/// Long executions.
const LONG: usize = 20;
/// Rounds of the loop of each: two events a round, and all of them fewer than roll it over.
const LONG_ROUNDS: usize = 4_990;
/// Nodes of the executions that are laid side by side.
const WIDE_NODES: usize = 500;

/// What is there.
#[derive(Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) executions: usize,
    pub(crate) events: u64,
    pub(crate) workflow: String,
    /// Executions with many events, the first to go to and fro in, the others to be looked at once.
    pub(crate) long: Vec<String>,
    pub(crate) long_events: usize,
    /// Two executions with many nodes.
    pub(crate) wide: [String; 2],
}

/// The server over what was made, which is made first where it is not there.
pub(crate) async fn open(program: &Path) -> (Server, Made) {
    let executions = std::env::var("EXECUTIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(EXECUTIONS_DEFAULT);
    let folder = folder(executions);
    let note = folder.join("made.json");
    let server = serve(program, &folder.join("data"), &["--durability", "relaxed"]);
    if let Ok(text) = std::fs::read_to_string(&note) {
        return (server, serde_json::from_str(&text).unwrap());
    }
    let made = make(&server, executions).await;
    std::fs::write(&note, serde_json::to_string(&made).unwrap()).unwrap();
    // What was made is on the disk; what is measured is as durable as it is by default.
    drop(server);
    (serve(program, &folder.join("data"), &[]), made)
}

fn folder(executions: usize) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("../target"), PathBuf::from);
    let folder = target.join(format!("bench-data/api-{executions}"));
    if !folder.join("made.json").exists() {
        // One that was begun and not finished is of no use.
        let _ = std::fs::remove_dir_all(&folder);
    }
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

async fn make(server: &Server, executions: usize) -> Made {
    let mut client = Client::connect(&server.address).await;
    let workflow = import(&mut client, &chain("Many", STEPS, true)).await;
    let mut tasks = JoinSet::new();
    for first in 0..CLIENTS {
        let (address, workflow) = (server.address.clone(), workflow.clone());
        tasks.spawn(async move {
            let mut client = Client::connect(&address).await;
            for number in (first..executions).step_by(CLIENTS) {
                let note = if number % NEEDLE_EVERY == 0 {
                    format!("needle-{}", number / NEEDLE_EVERY % 10)
                } else {
                    "a note of some length, so that the item has about two hundred bytes".to_owned()
                };
                let item = json!({ "n": number, "fails": number % FAILED_EVERY == 0, "note": note });
                start(&mut client, &workflow, &item).await;
            }
        });
    }
    tasks.join_all().await;
    // The server does not wait for a connection on which nothing comes for so long.
    client = Client::connect(&server.address).await;
    let wide = import(&mut client, &chain("Wide", WIDE_NODES, false)).await;
    let wide = [
        start(&mut client, &wide, &json!({ "n": 1, "fails": false })).await,
        start(&mut client, &wide, &json!({ "n": 2, "fails": false })).await,
    ];
    let rounds = import(&mut client, &rounds()).await;
    let mut long = Vec::new();
    for number in 0..LONG {
        long.push(start(&mut client, &rounds, &json!({ "n": number })).await);
    }
    let head = ask(&mut client, "{ head { position } }", Value::Null).await["head"]["position"].clone();
    let of = "query($id: UUID!, $at: Position!) { execution(id: $id, waitFor: $at) { revision } }";
    let known = ask(&mut client, of, json!({ "id": long[0], "at": head })).await;
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap();
    let long_events = usize::try_from(number(&known["execution"]["revision"])).unwrap();
    Made { executions, events: number(&head), workflow, long, long_events, wide }
}

async fn import(client: &mut Client, definition: &Value) -> String {
    let import =
        "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { workflowId errors { message } } }";
    let answer = ask(client, import, json!({ "input": { "source": definition.to_string() } })).await;
    answer["importWorkflow"]["workflowId"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// Starts an execution and waits for its end; answers its id.
async fn start(client: &mut Client, workflow: &str, item: &Value) -> String {
    let start = "mutation($input: StartExecutionInput!) { startExecution(input: $input) { executionId timedOut errors { message } } }";
    let input = json!({ "workflowId": workflow, "items": [item], "waitFor": "COMPLETED", "timeoutMs": 30_000 });
    let answer = ask(client, start, json!({ "input": input })).await;
    let started = &answer["startExecution"];
    assert_eq!(started["timedOut"], false, "{answer}");
    started["executionId"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn node(name: &str, kind: &str, version: f64, parameters: &Value) -> Value {
    json!({ "id": name, "name": name, "type": format!("n8n-nodes-base.{kind}"), "typeVersion": version,
        "position": [0, 0], "parameters": parameters })
}

fn set(name: &str, field: &str) -> Value {
    let fields = json!([{ "id": field, "name": field, "type": "number", "value": "={{ $json.n + 1 }}" }]);
    node(
        name,
        "set",
        3.4,
        &json!({ "includeOtherFields": false, "options": {}, "assignments": { "assignments": fields } }),
    )
}

fn to(name: &str) -> Value {
    json!({ "node": name, "type": "main", "index": 0 })
}

/// So many steps one after the other. With `may_fail` an item can say that the last one fails.
fn chain(name: &str, steps: usize, may_fail: bool) -> Value {
    let mut nodes = vec![node("Start", "manualTrigger", 1.0, &json!({}))];
    let mut connections = serde_json::Map::new();
    let mut previous = "Start".to_owned();
    for step in 1..=steps {
        let name = format!("Step {step}");
        nodes.push(match step {
            _ if step == steps && may_fail => {
                let code = "={{ $('Start').item.json.fails ? $json.n.missing.field : $json.n }}";
                let fields = json!([{ "id": "n", "name": "n", "type": "number", "value": code }]);
                node(&name, "set", 3.4, &json!({ "options": {}, "assignments": { "assignments": fields } }))
            }
            _ => set(&name, "n"),
        });
        connections.insert(previous, json!({ "main": [[to(&name)]] }));
        previous = name;
    }
    json!({ "name": name, "nodes": nodes, "connections": connections, "settings": { "executionOrder": "v1" } })
}

/// A loop with [`LONG_ROUNDS`] rounds.
fn rounds() -> Value {
    let code = format!("return Array.from({{ length: {LONG_ROUNDS} }}, (_, n) => ({{ json: {{ n }} }}));");
    let nodes = [
        node("Start", "manualTrigger", 1.0, &json!({})),
        node("Make", "code", 2.0, &json!({ "jsCode": code })),
        node("Loop", "splitInBatches", 3.0, &json!({ "batchSize": 1, "options": {} })),
        set("Step 1", "n"),
    ];
    let connections = json!({
        "Start": { "main": [[to("Make")]] },
        "Make": { "main": [[to("Loop")]] },
        "Loop": { "main": [[], [to("Step 1")]] },
        "Step 1": { "main": [[to("Loop")]] },
    });
    json!({ "name": "Rounds", "nodes": nodes, "connections": connections, "settings": { "executionOrder": "v1" } })
}
