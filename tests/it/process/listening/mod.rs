//! Triggers that listen, with real brokers, mailboxes and files, in the program as people run it.

mod bad;
mod deaths;
mod files;
mod kafka;
mod mail;
mod sending;
mod servers;
mod trying;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::schedules::{change, starts};
use super::server::{Server, set};

/// Longest time that something is waited for that comes from another program.
const PATIENCE: Duration = Duration::from_secs(90);

/// A server over `data` that may connect to this machine.
fn serve(data: &Path) -> Server {
    serve_with(data, &[])
}

fn serve_with(data: &Path, more: &[&str]) -> Server {
    Server::start(data, &[&["--allow-private-hosts", "127.0.0.1,localhost"], more].concat())
}

/// A trigger of that type, with the credential of that type which is called `There`.
fn trigger(node_type: &str, credential: &str, parameters: Value) -> Value {
    let mut node = json!({
        "id": "hear", "name": "Hear", "type": node_type, "typeVersion": 1, "position": [0, 0], "parameters": parameters
    });
    if !credential.is_empty() {
        node["credentials"] = json!({ credential: { "name": "There" } });
    }
    node
}

/// A workflow of a trigger and one step.
fn hearing(trigger: &Value) -> Value {
    let mut step = set("Step", "n", "={{ 1 }}");
    step["position"] = json!([200, 0]);
    json!({
        "name": "Hears", "nodes": [trigger, step], "settings": { "executionOrder": "v1" },
        "connections": { "Hear": { "main": [[{ "node": "Step", "type": "main", "index": 0 }]] } }
    })
}

/// Saves the credential that is called `There`.
async fn credential(server: &Server, credential_type: &str, fields: &Value) {
    let query = "mutation($input: SaveCredentialInput!) { saveCredential(input: $input) { errors { message } } }";
    let input = json!({ "name": "There", "type": credential_type, "data": fields });
    let payload = server.ask(query, json!({ "input": input })).await["saveCredential"].clone();
    assert_eq!(payload["errors"], json!([]), "{payload}");
}

/// An active workflow; answers its id.
async fn activate(server: &Server, workflow: &Value) -> String {
    let id = server.import(workflow).await;
    change(server, "publishWorkflow", &id).await;
    change(server, "activateWorkflow", &id).await;
    id
}

/// What is told of the one trigger that listens, once it is so.
async fn told(server: &Server, is_so: impl Fn(&Value) -> bool) -> Value {
    let query =
        "{ listeningTriggers { node nodeType status since worker lastMessageAt messages attempts lastError refused
        refusedMessages { message reason bytes digest } } }";
    let began = Instant::now();
    loop {
        let triggers = server.ask(query, json!({})).await["listeningTriggers"].clone();
        match triggers.as_array().unwrap().first() {
            Some(trigger) if is_so(trigger) => return trigger.clone(),
            _ => assert!(began.elapsed() < PATIENCE, "it is not so: {triggers}\n{}", server.said()),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the trigger listens.
async fn listening(server: &Server) -> Value {
    told(server, |trigger| trigger["status"] == "LISTENING").await
}

/// The items of the messages that have started executions, in order of the log, once there are so many.
async fn heard(server: &Server, count: usize) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let items: Vec<Value> =
            starts(server).await.into_iter().map(|(_, start)| start["items"][0]["json"].clone()).collect();
        if items.len() >= count {
            return items;
        }
        assert!(began.elapsed() < PATIENCE, "{} of {count} came: {}", items.len(), server.said());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
