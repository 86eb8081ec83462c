//! kill -9: no acknowledged event is lost, every execution completes, effects carry a stable idempotency key.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::server::{Server, chain, set};

const EXECUTIONS: usize = 200;
const EVENTS: &str = "query($after: String) { events(first: 100, after: $after) {
    nodes { position id streamId type } pageInfo { hasNextPage endCursor } } }";

/// An HTTP server that counts the idempotency keys that it sees, each with how often.
#[derive(Clone, Default)]
struct Counter {
    seen: Arc<Mutex<HashMap<String, usize>>>,
}

impl Counter {
    async fn serve(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let counter = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(counter.clone().answer(stream));
            }
        });
        port
    }

    async fn answer(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut key, mut length) = (None, 0);
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                    return;
                }
                let line = line.trim_end().to_ascii_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(value) = line.strip_prefix("idempotency-key: ") {
                    key = Some(value.to_owned());
                }
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            *self.seen.lock().unwrap().entry(key.expect("an idempotency key")).or_default() += 1;
            // Slow enough that the kill falls between an effect and its record, for many executions.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn keys(&self) -> HashMap<String, usize> {
        self.seen.lock().unwrap().clone()
    }
}

fn ten_nodes(port: u16) -> Value {
    let mut nodes: Vec<Value> =
        (1..=4).map(|index| set(&format!("Step {index}"), &format!("s{index}"), "={{ 1 + 1 }}")).collect();
    nodes.push(json!({
        "name": "Tell", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2,
        "parameters": {
            "method": "POST", "url": format!("http://127.0.0.1:{port}/count"), "sendBody": true,
            "specifyBody": "json", "jsonBody": "={{ JSON.stringify({ s: $json.s4 }) }}", "options": {}
        }
    }));
    nodes.extend((5..=8).map(|index| set(&format!("Step {index}"), &format!("s{index}"), "={{ 2 * 3 }}")));
    chain("Ten nodes", &nodes)
}

/// Every event: its position, id, stream and type.
pub(super) async fn all_events(server: &Server) -> Vec<(u64, String, String, String)> {
    let mut events = Vec::new();
    let mut after = Value::Null;
    loop {
        let data = server.ask(EVENTS, json!({ "after": after })).await;
        let list = &data["events"];
        for event in list["nodes"].as_array().unwrap() {
            let text = |field: &str| event[field].as_str().unwrap().to_owned();
            events.push((text("position").parse().unwrap(), text("id"), text("streamId"), text("type")));
        }
        if list["pageInfo"]["hasNextPage"] == false {
            return events;
        }
        after = list["pageInfo"]["endCursor"].clone();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executions_complete_after_kill_9_and_effects_keep_their_key() {
    let folder = tempfile::tempdir().unwrap();
    let counter = Counter::default();
    let port = counter.serve().await;
    let host = format!("127.0.0.1:{port}");
    let allow = ["--allow-private-hosts", host.as_str()];

    let server = Arc::new(Server::start(folder.path(), &allow));
    let workflow = server.import(&ten_nodes(port)).await;
    let mut starts = JoinSet::new();
    for _ in 0..EXECUTIONS {
        let (server, workflow) = (Arc::clone(&server), workflow.clone());
        starts.spawn(async move { server.start_execution(&workflow, "STARTED").await });
    }
    let acknowledged: HashMap<String, u64> = starts
        .join_all()
        .await
        .iter()
        .map(|payload| {
            let position = payload["position"].as_str().unwrap().parse().unwrap();
            (payload["executionId"].as_str().unwrap().to_owned(), position)
        })
        .collect();
    assert_eq!(acknowledged.len(), EXECUTIONS);
    let seen_before = all_events(&server).await;
    let server = Arc::into_inner(server).unwrap();
    let (pid, effects_before) = (server.pid(), counter.keys().len());
    server.kill();

    let server = Server::start(folder.path(), &allow);
    assert_ne!(server.pid(), pid);
    for execution in acknowledged.keys() {
        assert_eq!(ended_status(&server, execution).await, "COMPLETED", "{execution}");
    }
    let events = all_events(&server).await;
    assert_eq!(events.iter().map(|event| event.0).collect::<Vec<_>>(), (1..=events.len() as u64).collect::<Vec<_>>());
    for (seen, kept) in seen_before.iter().zip(&events) {
        assert_eq!(seen, kept, "an event that was shown is another one after the kill");
    }
    for (execution, position) in &acknowledged {
        let event = &events[usize::try_from(*position).unwrap() - 1];
        assert_eq!((&event.2, event.3.as_str()), (execution, "ExecutionStarted"), "an acknowledged start is gone");
        let ends = events.iter().filter(|event| event.2 == *execution && event.3 == "ExecutionCompleted").count();
        assert_eq!(ends, 1, "{execution} completed {ends} times");
    }
    let keys = counter.keys();
    assert_eq!(
        keys.len(),
        EXECUTIONS,
        "each execution has one effect, under one key: {effects_before} before the kill"
    );
    let executions_told: HashSet<&str> = keys.keys().map(|key| &key[..36]).collect();
    assert_eq!(executions_told.len(), EXECUTIONS);
    server.stop();
}

/// Waits on the execution's own stream until it has ended; the subscription ends with its last event.
pub(super) async fn ended_status(server: &Server, execution: &str) -> String {
    let query = format!("subscription {{ execution(id: \"{execution}\") {{ status }} }}");
    let body = json!({ "query": query });
    let request = super::server::client().post(format!("{}/graphql", server.url));
    let mut response = request.header("accept", "text/event-stream").json(&body).send().await.unwrap();
    let mut text = String::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    let last = text.lines().rfind(|line| line.contains("\"status\"")).unwrap_or_else(|| panic!("{text}"));
    last.split("\"status\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_second_process_is_refused_with_the_owners_pid_and_the_way_in() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let data = folder.path().to_str().unwrap();
    let second = super::server::verb(&["workflow", "list", "--data", data]);
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains(&server.pid().to_string()), "{said}");
    assert!(said.contains(&format!("--server {}", server.url)), "{said}");
    let listed = super::server::verb_json(&["workflow", "list", "--json", "--server", &server.url]);
    assert_eq!(listed, json!([]));
    server.stop();
    assert_eq!(super::server::verb_json(&["workflow", "list", "--json", "--data", data]), json!([]));
}
