//! How many ten-node executions a second, durably, over HTTP; start-up time; memory at rest.
//!
//! The program is a release build in a process of its own; the clients share its two cores. Each figure on the
//! embedded store stands beside the same on a log in memory, measured in the same run, in turns.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench ends when something is wrong")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Measured time for one figure.
const WINDOW: Duration = Duration::from_secs(4);
/// Time before it that is not measured.
const WARM_UP: Duration = Duration::from_secs(1);
/// Rounds in which the two logs take turns.
const ROUNDS: usize = 3;

const IMPORT: &str =
    "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { workflowId errors { message } } }";
const START: &str = "mutation($input: StartExecutionInput!) { startExecution(input: $input) { status position } }";

struct Server {
    child: Child,
    address: String,
    started_in: Duration,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> PathBuf {
    let built = Command::new("cargo")
        .args(["build", "--release", "--package", "timeloom-server", "--message-format", "json"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(built.status.success(), "the program does not build");
    String::from_utf8(built.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "timeloom")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .unwrap_or_else(|| panic!("cargo does not name the program"))
}

fn serve(program: &Path, data: &Path, more: &[&str]) -> Server {
    let began = Instant::now();
    let mut child = Command::new(program)
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(more)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("serves on http://") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the server ended");
    }
    let started_in = began.elapsed();
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    std::thread::spawn(move || lines.lines().for_each(drop));
    Server { child, address, started_in }
}

/// Proportional set size, in MiB.
fn memory(server: &Server) -> f64 {
    let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", server.child.id())).unwrap();
    let line = rollup.lines().find(|line| line.starts_with("Pss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// A keep-alive connection that does no more than it must: the clients share the cores with the server.
struct Client {
    stream: TcpStream,
    address: String,
    buffer: Vec<u8>,
}

impl Client {
    async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, address: address.to_owned(), buffer: Vec::new() }
    }

    async fn post(&mut self, body: &str) -> String {
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.buffer.clear();
        loop {
            let mut chunk = [0; 8_192];
            let count = self.stream.read(&mut chunk).await.unwrap();
            assert!(count > 0, "the server closed the connection");
            self.buffer.extend_from_slice(&chunk[..count]);
            if let Some(answer) = complete(&self.buffer) {
                return answer;
            }
        }
    }
}

/// The body of an answer, once all of it is there.
fn complete(buffer: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(buffer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length =
        head.to_ascii_lowercase().split("content-length: ").nth(1)?.split("\r\n").next()?.parse::<usize>().ok()?;
    (body.len() >= length).then(|| body.to_owned())
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

struct Figure {
    per_second: f64,
    latencies_ms: Vec<f64>,
}

impl Figure {
    fn percentile(&self, share: f64) -> f64 {
        let last = self.latencies_ms.len().saturating_sub(1);
        self.latencies_ms.get((last as f64 * share) as usize).copied().unwrap_or(f64::NAN)
    }
}

async fn measure(server: &Server, clients: usize) -> Figure {
    let mut first = Client::connect(&server.address).await;
    let import = json!({ "query": IMPORT, "variables": { "input": { "source": ten_nodes().to_string() } } });
    let imported: Value = serde_json::from_str(&first.post(&import.to_string()).await).unwrap();
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
                let answer = client.post(&body).await;
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

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let program = program();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let scratch = tempfile::tempdir().unwrap();

    let mut starts_ms = Vec::new();
    let mut at_rest = 0.0;
    for round in 0..5 {
        let server = serve(&program, &scratch.path().join("rest"), &[]);
        starts_ms.push(server.started_in.as_secs_f64() * 1_000.0);
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
