//! How many ten-node executions a second, durably, over HTTP; start-up time; memory at rest.
//!
//! The program is a release build in a process of its own; the clients share its two cores. Each figure on the
//! embedded store stands beside the same on a log in memory, measured in the same run, in turns.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench ends when something is wrong")]

#[path = "support/client.rs"]
mod client;
mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Client, Figure, median};
use crate::support::{Server, program, serve};

/// Measured time for one figure.
const WINDOW: Duration = Duration::from_secs(4);
/// Time before it that is not measured.
const WARM_UP: Duration = Duration::from_secs(1);
/// Rounds in which the two logs take turns.
const ROUNDS: usize = 3;

const IMPORT: &str =
    "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { workflowId errors { message } } }";
const START: &str = "mutation($input: StartExecutionInput!) { startExecution(input: $input) { status position } }";

/// Proportional set size, in MiB.
fn memory(server: &Server) -> f64 {
    let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", server.child.id())).unwrap();
    let line = rollup.lines().find(|line| line.starts_with("Pss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// The same work as that of the comparison with other engines: ten steps, each adds one number field.
fn ten_nodes() -> Value {
    let mut nodes = vec![json!({ "id": "0", "name": "Start", "type": "n8n-nodes-base.manualTrigger", "typeVersion": 1,
        "position": [0, 0], "parameters": {} })];
    let mut connections = serde_json::Map::new();
    let mut previous = "Start".to_owned();
    for step in 1..=10 {
        let (name, field) = (format!("Step {step}"), format!("s{step}"));
        nodes.push(json!({ "id": step.to_string(), "name": name, "type": "n8n-nodes-base.set", "typeVersion": 3.4,
            "position": [200 * step, 0], "parameters": { "includeOtherFields": true, "options": {}, "assignments":
                { "assignments": [{ "id": field, "name": field, "type": "number",
                    "value": format!("={{{{ $json.n + {step} }}}}") }] } } }));
        connections.insert(previous, json!({ "main": [[{ "node": name, "type": "main", "index": 0 }]] }));
        previous = name;
    }
    json!({ "name": "ten nodes", "nodes": nodes, "connections": connections, "settings": { "executionOrder": "v1" } })
}

fn item() -> Value {
    json!([{ "id": 1, "n": 41, "name": "Ada Example", "email": "ada@example.org", "country": "NL", "amount": 12.5,
        "tags": ["new", "trial"], "note": "a note of some length, so that the item has about two hundred bytes" }])
}

async fn measure(server: &Server, clients: usize) -> Figure {
    let mut first = Client::connect(&server.address).await;
    let import = json!({ "query": IMPORT, "variables": { "input": { "source": ten_nodes().to_string() } } });
    let imported: Value = serde_json::from_str(&first.post("/graphql", &import.to_string()).await).unwrap();
    let workflow = imported["data"]["importWorkflow"]["workflowId"].as_str().unwrap_or_else(|| panic!("{imported}"));
    let input = json!({ "workflowId": workflow, "items": item(), "waitFor": "COMPLETED" });
    let body = json!({ "query": START, "variables": { "input": input } }).to_string();
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for _ in 0..clients {
        let (address, body) = (server.address.clone(), body.clone());
        tasks.spawn(async move {
            let mut client = Client::connect(&address).await;
            let mut latencies_ms = Vec::new();
            while began.elapsed() < WARM_UP + WINDOW {
                let asked = Instant::now();
                let answer = client.post("/graphql", &body).await;
                assert!(answer.contains("\"COMPLETED\""), "{answer}");
                if began.elapsed() >= WARM_UP {
                    latencies_ms.push(asked.elapsed().as_secs_f64() * 1_000.0);
                }
            }
            latencies_ms
        });
    }
    let mut latencies_ms: Vec<f64> = tasks.join_all().await.into_iter().flatten().collect();
    latencies_ms.sort_by(f64::total_cmp);
    Figure { per_second: latencies_ms.len() as f64 / WINDOW.as_secs_f64(), latencies_ms }
}

fn main() {
    let program = program();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let scratch = tempfile::tempdir().unwrap();

    let mut starts_ms = Vec::new();
    let mut at_rest = 0.0;
    for round in 0..5 {
        let began = Instant::now();
        let server = serve(&program, &scratch.path().join("rest"), &[]);
        starts_ms.push(began.elapsed().as_secs_f64() * 1_000.0);
        if round == 4 {
            std::thread::sleep(Duration::from_secs(2));
            at_rest = memory(&server);
        }
    }
    println!(
        "start-up                {:>9.0} ms   (median of {}; aim under 300 ms)",
        median(&mut starts_ms),
        starts_ms.len()
    );
    println!("memory at rest          {at_rest:>9.1} MiB  (proportional set size; aim under 60 MiB)");

    for clients in [1, 32] {
        let (mut durable, mut memory_only, mut p50, mut p99) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let folder = scratch.path().join(format!("durable-{clients}-{round}"));
            let figure = runtime.block_on(measure(&serve(&program, &folder, &[]), clients));
            durable.push(figure.per_second);
            p50.push(figure.percentile(0.5));
            p99.push(figure.percentile(0.99));
            let folder = scratch.path().join(format!("memory-{clients}-{round}"));
            let figure = runtime.block_on(measure(&serve(&program, &folder, &["--in-memory"]), clients));
            memory_only.push(figure.per_second);
        }
        let (durable, memory_only) = (median(&mut durable), median(&mut memory_only));
        println!("ten-node executions, {clients:>2} client(s):");
        println!(
            "  embedded store        {durable:>9.0} /s    p50 {:.1} ms, p99 {:.1} ms",
            median(&mut p50),
            median(&mut p99)
        );
        println!("  log in memory         {memory_only:>9.0} /s    ratio {:.2}", durable / memory_only);
    }
}
