//! How many calls of a webhook a second, each durable before it is answered: webhook, Edit Fields, answer.
//!
//! The program is a release build in a process of its own; the clients share its two cores, over connections that stay
//! open. Every figure stands beside that of a bare HTTP server of the same framework that sends the body back, measured in
//! the same run, in turns: the ratio says what durability and the workflow cost, whatever machine it is.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench ends when something is wrong")]

#[path = "support/client.rs"]
mod client;
mod support;

use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Client, Figure, median};
use crate::support::{program, serve};

/// Measured time for one figure.
const WINDOW: Duration = Duration::from_secs(4);
/// Time before it that is not measured.
const WARM_UP: Duration = Duration::from_secs(1);
/// Rounds in which the servers take turns.
const ROUNDS: usize = 3;
/// What every call sends.
const BODY: &str = "{\"n\":41,\"name\":\"Ada Example\",\"email\":\"ada@example.org\",\"tags\":[\"new\",\"trial\"]}";
const IMPORT: &str = "mutation($input: ImportWorkflowInput!) { payload: importWorkflow(input: $input) {
    workflowId errors { message } } }";

/// A webhook that answers in that mode after one node has added a field.
fn workflow(mode: &str) -> Value {
    let set = json!({ "id": "2", "name": "Set", "type": "n8n-nodes-base.set", "typeVersion": 3.4, "position": [200, 0],
        "parameters": { "includeOtherFields": false, "options": {}, "assignments": { "assignments": [
            { "id": "n", "name": "n", "type": "number", "value": "={{ $json.body.n + 1 }}" }] } } });
    let hook = json!({ "id": "1", "name": "Webhook", "type": "n8n-nodes-base.webhook", "typeVersion": 2,
        "position": [0, 0], "parameters": { "path": mode, "httpMethod": "POST", "responseMode": mode } });
    let respond = json!({ "id": "3", "name": "Respond", "type": "n8n-nodes-base.respondToWebhook",
        "typeVersion": 1.1, "position": [400, 0], "parameters": { "respondWith": "firstIncomingItem", "options": {} } });
    let to = |name: &str| json!({ "main": [[{ "node": name, "type": "main", "index": 0 }]] });
    let (nodes, connections) = match mode {
        "responseNode" => (json!([hook, set, respond]), json!({ "Webhook": to("Set"), "Set": to("Respond") })),
        _ => (json!([hook, set]), json!({ "Webhook": to("Set") })),
    };
    json!({ "name": mode, "nodes": nodes, "connections": connections, "settings": { "executionOrder": "v1" } })
}

/// Imports, publishes and activates.
async fn activate(client: &mut Client, workflow: &Value) {
    let mut ask = async |query: &str, input: Value| -> Value {
        let body = json!({ "query": query, "variables": { "input": input } }).to_string();
        let answer: Value = serde_json::from_str(&client.post("/graphql", &body).await).unwrap();
        assert!(answer["data"]["payload"]["errors"] == json!([]), "{answer}");
        answer
    };
    let imported = ask(IMPORT, json!({ "source": workflow.to_string() })).await;
    let input = json!({ "workflowId": imported["data"]["payload"]["workflowId"] });
    let change = |name: &str, of: &str| {
        format!("mutation($input: {of}!) {{ payload: {name}(input: $input) {{ errors {{ message }} }} }}")
    };
    ask(&change("publishWorkflow", "PublishWorkflowInput"), input.clone()).await;
    ask(&change("activateWorkflow", "ActivateWorkflowInput"), input).await;
}

/// Calls `path` from so many clients; each answer must have `expected` in it.
async fn measure(address: &str, path: &str, expected: &'static str, clients: usize) -> Figure {
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for _ in 0..clients {
        let (address, path) = (address.to_owned(), path.to_owned());
        tasks.spawn(async move {
            let mut client = Client::connect(&address).await;
            let mut latencies_ms = Vec::new();
            while began.elapsed() < WARM_UP + WINDOW {
                let asked = Instant::now();
                let answer = client.post(&path, BODY).await;
                assert!(answer.contains(expected), "{answer}");
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

/// The same calls to a server that does nothing but send the body back, on a thread of its own.
fn bare() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let echo = |body: web::Bytes| async move { HttpResponse::Ok().content_type("application/json").body(body) };
        let app = move || App::new().route("/echo", web::post().to(echo));
        let server = HttpServer::new(app).workers(2).disable_signals().listen(listener).unwrap().run();
        actix_web::rt::System::new().block_on(server).unwrap();
    });
    address
}

fn main() {
    let program = program();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let bare = bare();
    println!("webhook, Edit Fields, answer; every call durable before it is answered:");
    for clients in [32, 1] {
        for (mode, expected) in [("responseNode", "{\"n\":42}"), ("lastNode", "{\"n\":42}"), ("onReceived", "started")]
        {
            let (mut own, mut echo, mut p50, mut p99) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            for round in 0..ROUNDS {
                let server = serve(&program, &scratch.path().join(format!("{mode}-{clients}-{round}")), &[]);
                runtime.block_on(async {
                    activate(&mut Client::connect(&server.address).await, &workflow(mode)).await;
                    let figure = measure(&server.address, &format!("/webhook/{mode}"), expected, clients).await;
                    own.push(figure.per_second);
                    p50.push(figure.percentile(0.5));
                    p99.push(figure.percentile(0.99));
                    echo.push(measure(&bare, "/echo", "41", clients).await.per_second);
                });
            }
            let (own, echo) = (median(&mut own), median(&mut echo));
            println!(
                "{clients:>3} clients, {mode:<13} {own:>7.0} /s   p50 {:>6.2} ms, p99 {:>6.2} ms   bare {echo:>7.0} /s   ratio {:.3}",
                median(&mut p50),
                median(&mut p99),
                own / echo
            );
        }
    }
}
