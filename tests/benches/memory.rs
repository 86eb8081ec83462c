//! The most memory that the server takes for runs with much data, against the bound of 300 MiB.
//!
//! Each run has a process of its own, a release build. Printed is its peak resident set (`VmHWM`), the one before the run,
//! and the share of the bound.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench ends when something is wrong")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use support::{Server, program, serve};

/// What a run may take, in MiB.
const BOUND_MIB: f64 = 300.0;
/// Bytes of the large payloads.
const PAYLOAD_BYTES: usize = 50_000_000;
/// Longest wait for a run, in milliseconds, as often as it takes.
const WAIT_MS: u32 = 30_000;

/// Peak resident set of a process, in MiB.
fn peak_mib(server: &Server) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// Serves the payloads on a port of its own.
fn payloads() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || answer(stream.unwrap()));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let (media_type, body) = match head.split(' ').nth(1).unwrap() {
        "/file" => ("application/pdf", vec![7; PAYLOAD_BYTES]),
        "/large" => ("application/json", items(500, PAYLOAD_BYTES / 500)),
        _ => ("application/json", items(PAYLOAD_BYTES / 1_000, 1_000)),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
}

/// So many items as JSON, each of about so many bytes.
fn items(count: usize, bytes: usize) -> Vec<u8> {
    let text = "x".repeat(bytes.saturating_sub(60));
    let item = |id: usize| json!({ "id": id, "n": id % 97, "note": text, "tag": "a" });
    serde_json::to_vec(&(0..count).map(item).collect::<Vec<_>>()).unwrap()
}

fn node(name: &str, kind: &str, version: f64, parameters: Value) -> Value {
    json!({ "name": name, "type": format!("n8n-nodes-base.{kind}"), "typeVersion": version, "parameters": parameters })
}

fn set(step: usize) -> Value {
    let assignment = json!({ "id": "a", "name": format!("s{step}"), "type": "number", "value": "={{ $json.n + 1 }}" });
    let assignments = json!({ "assignments": [assignment] });
    let parameters = json!({ "assignments": assignments, "includeOtherFields": true, "options": {} });
    node(&format!("Step {step}"), "set", 3.4, parameters)
}

fn chain(first: Value, steps: usize) -> Value {
    let start = json!({ "id": "s", "name": "Start", "type": "n8n-nodes-base.manualTrigger", "typeVersion": 1,
        "position": [0, 0], "parameters": {} });
    let mut nodes = vec![start];
    let mut connections = serde_json::Map::new();
    for (index, mut node) in std::iter::once(first).chain((1..=steps).map(set)).enumerate() {
        (node["id"], node["position"]) = (json!(index.to_string()), json!([200 * (index + 1), 0]));
        let previous = nodes.last().unwrap()["name"].as_str().unwrap().to_owned();
        connections.insert(previous, json!({ "main": [[{ "node": node["name"], "type": "main", "index": 0 }]] }));
        nodes.push(node);
    }
    json!({ "name": "memory", "nodes": nodes, "connections": connections, "settings": { "executionOrder": "v1" } })
}

async fn ask(server: &Server, query: &str, variables: Value) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = json!({ "query": query, "variables": variables });
    let answer: Value = client
        .post(format!("http://{}/graphql", server.address))
        .json(&body)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"].clone()
}

/// Runs a workflow to its end.
async fn run(server: &Server, workflow: &Value) {
    let query = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { workflowId } }";
    let imported = ask(server, query, json!({ "input": { "source": workflow.to_string() } })).await;
    let query =
        "mutation($input: StartExecutionInput!) { startExecution(input: $input) { executionId status timedOut } }";
    let input = json!({ "workflowId": imported["importWorkflow"]["workflowId"], "waitFor": "COMPLETED",
        "timeoutMs": WAIT_MS });
    let started = ask(server, query, json!({ "input": input })).await["startExecution"].clone();
    let mut status = started["status"].clone();
    while started["timedOut"] == true && status != "COMPLETED" {
        assert_ne!(status, "FAILED");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let query = "query($id: UUID!) { execution(id: $id) { status } }";
        status = ask(server, query, json!({ "id": started["executionId"] })).await["execution"]["status"].clone();
    }
    assert_eq!(status, "COMPLETED", "{started}");
}

fn main() {
    let program = program();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let address = payloads();
    let get = |path: &str| {
        node("Get", "httpRequest", 4.2, json!({ "url": format!("http://{address}{path}"), "options": {} }))
    };
    let script = "return Array.from({ length: 14000 }, (_, n) => ({ json: { n, note: 'x'.repeat(120) } }));";
    let made = node("Make", "code", 2.0, json!({ "jsCode": script }));
    for (name, workflow) in [
        ("14,000 items through 10 nodes", chain(made, 9)),
        ("a file of 50 MB by HTTP", chain(get("/file"), 3)),
        ("50 MB of JSON, items of 100 kB", chain(get("/large"), 3)),
        ("50 MB of JSON, items of 1 kB", chain(get("/small"), 3)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = serve(&program, folder.path(), &["--allow-private-hosts", "*"]);
        let before = peak_mib(&server);
        runtime.block_on(run(&server, &workflow));
        let peak = peak_mib(&server);
        println!("{name:<32} {peak:>6.0} MiB  (before it {before:.0}; {:.2} of the bound)", peak / BOUND_MIB);
    }
}
