//! Agents: a run goes on after `kill -9` in the middle of a tool's call, asks no model twice, and is done again and forked from
//! its records.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::server::{Server, verb, verb_json};

/// A provider of a language model, and a shop: what each was asked.
#[derive(Default)]
struct Outside {
    questions: Mutex<Vec<Value>>,
    /// The idempotency keys of requests to the shop.
    orders: Mutex<Vec<String>>,
    order_count: watch::Sender<usize>,
}

impl Outside {
    async fn serve(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let outside = Arc::clone(self);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let outside = Arc::clone(&outside);
                tokio::spawn(async move { outside.answer(stream).await });
            }
        });
        host
    }

    async fn answer(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await.ok()? == 0 {
                    return None;
                }
                if line.trim_end().is_empty() {
                    break;
                }
                head.push(line.trim_end().to_owned());
            }
            let header = |name: &str| {
                let found =
                    head.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix(name).map(str::to_owned));
                found.map(|value| value.trim_start_matches(':').trim().to_owned())
            };
            let mut body = vec![0; header("content-length").map_or(0, |length| length.parse().unwrap())];
            stream.read_exact(&mut body).await.ok()?;
            let answer = if head[0].contains("/chat/completions") {
                self.speak(serde_json::from_slice(&body).unwrap())
            } else {
                let first = {
                    let mut orders = self.orders.lock().unwrap();
                    orders.push(header("idempotency-key").unwrap_or_default());
                    orders.len() == 1
                };
                self.order_count.send_modify(|count| *count += 1);
                if first {
                    // The first request never comes to an end: the server is killed meanwhile.
                    tokio::time::sleep(Duration::from_secs(600)).await;
                }
                json!({"number": 7, "state": "on its way"})
            };
            let answer = answer.to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}", answer.len());
            stream.write_all(format!("{head}\r\n\r\n{answer}").as_bytes()).await.ok()?;
        }
    }

    /// What the model says: it looks the order up, then tells what it was told.
    fn speak(&self, question: Value) -> Value {
        let last = question["messages"].as_array().unwrap().last().unwrap().clone();
        self.questions.lock().unwrap().push(question);
        let message = match last["role"].as_str() {
            Some("tool") => {
                let told = last["content"].to_string();
                let state = ["on its way", "lost"].into_iter().find(|state| told.contains(state)).unwrap_or("unknown");
                json!({"role": "assistant", "content": format!("It is {state}.")})
            }
            _ => json!({"role": "assistant", "content": null, "tool_calls": [{
                "id": "call_1", "type": "function", "function": {"name": "order", "arguments": "{\"number\": \"7\"}"},
            }]}),
        };
        let finish = if message["content"].is_null() { "tool_calls" } else { "stop" };
        json!({
            "id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25},
        })
    }
}

async fn set_up(server: &Server, host: &str) {
    let changed = |data: Value, field: &str| assert_eq!(data[field]["errors"], json!([]), "{data}");
    let provider = "mutation($input: SetGatewayProviderInput!) {
        setGatewayProvider(input: $input) { errors { message } } }";
    let input = json!({"name": "stub", "protocol": "OPEN_AI", "baseUrl": format!("http://{host}/v1")});
    changed(server.ask(provider, json!({ "input": input })).await, "setGatewayProvider");
    let route = "mutation($input: SetGatewayRouteInput!) { setGatewayRoute(input: $input) { errors { message } } }";
    let input = json!({"name": "fast", "tiers": [{"targets": [{"provider": "stub", "model": "m"}]}]});
    changed(server.ask(route, json!({ "input": input })).await, "setGatewayRoute");
}

fn record(host: &str) -> Value {
    json!({
        "model": "fast", "prompt": "You answer customers.",
        "tools": [{
            "name": "order", "description": "Looks an order up.",
            "does": {"kind": "http", "method": "GET", "url": format!("http://{host}/orders/{{number}}")},
            "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
        }],
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_on_after_kill_9_in_the_middle_of_a_call_and_asks_no_model_twice() {
    let folder = tempfile::tempdir().unwrap();
    let outside = Arc::new(Outside::default());
    let host = outside.serve().await;
    let allow = ["--allow-private-hosts", host.as_str()];
    let server = Server::start(folder.path(), &allow);
    set_up(&server, &host).await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(record(&host).to_string().as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    let added = verb(&["agent", "add", "support", path, "--server", &server.url]);
    assert!(added.status.success(), "{added:?}");
    let begun = ["agent", "run", "support", "Where is order 7?", "--wait", "0", "--json", "--server", &server.url];
    let run = verb_json(&begun)["runId"].as_str().unwrap().to_owned();
    let mut orders = outside.order_count.subscribe();
    tokio::time::timeout(Duration::from_secs(60), orders.wait_for(|count| *count == 1)).await.unwrap().unwrap();
    server.kill();

    let server = Server::start(folder.path(), &allow);
    let query = "query($id: UUID!) { agentRun(id: $id) { status output turn toolCalls inputTokens } }";
    let ended = async {
        loop {
            let found = server.ask(query, json!({ "id": run })).await["agentRun"].clone();
            if found["status"] == "COMPLETED" || found["status"] == "FAILED" {
                return found;
            }
            let head = server.ask("{ head { position } }", json!({})).await["head"]["position"].clone();
            let next = head.as_str().unwrap().parse::<u64>().unwrap() + 1;
            // Answers as soon as something happens.
            let waits = "query($next: Position!) { head(waitFor: $next) { position } }";
            server.post(waits, json!({ "next": next.to_string() })).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap();
    assert_eq!((&found["status"], &found["output"]), (&json!("COMPLETED"), &json!("It is on its way.")), "{found}");
    assert_eq!(outside.questions.lock().unwrap().len(), 2, "the first question had its answer");
    let keys = outside.orders.lock().unwrap().clone();
    // The node that sends a request tells items apart.
    assert_eq!(keys, [format!("{run}/1.0-0"), format!("{run}/1.0-0")], "the same call again");

    let replayed = verb_json(&["agent", "replay", &run, "--json", "--server", &server.url]);
    assert_eq!((&replayed["same"], &replayed["questions"]), (&json!(true), &json!(2)), "{replayed}");
    let changed = ["agent", "fork", &run, "--tool-result", "1.0=the order is lost", "--json", "--server", &server.url];
    let fork = verb_json(&changed);
    assert_eq!(fork["run"]["output"], "It is lost.", "{fork}");
    assert_eq!(outside.orders.lock().unwrap().len(), 2, "the shop was not asked for the fork");
    assert_eq!(outside.questions.lock().unwrap().len(), 3, "earlier turns were taken from their records");
    let forks = verb_json(&["agent", "runs", "--forks-of", &run, "--json", "--server", &server.url]);
    assert_eq!(forks[0]["id"], fork["runId"]);
    let transcript = verb_json(&["agent", "transcript", &run, "--json", "--server", &server.url]);
    let types: Vec<&str> =
        transcript["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types.iter().filter(|name| **name == "AgentToolCalled").count(), 2, "{types:?}");
    server.stop();
}
