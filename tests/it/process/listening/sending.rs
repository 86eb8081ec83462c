//! Nodes that send to brokers, against real ones.

use std::path::Path;

use serde_json::{Value, json};

use super::servers::{Subscribed, has, here, make_stream, mosquitto, nats, rabbitmq};
use crate::process::server::{chain, verb};

/// Runs one node on items in a store that is thrown away; answers what it gave, or what it said.
pub(super) fn run(folder: &Path, node: &Value, credential: (&str, &Value), items: &Value) -> Result<Value, String> {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let mut node = node.clone();
    node["name"] = json!("Send");
    if node["typeVersion"].is_null() {
        node["typeVersion"] = json!(1);
    }
    node["credentials"] = json!({ credential.0: { "name": "There" } });
    std::fs::write(path("flow.json"), chain("Send", &[node]).to_string()).unwrap();
    std::fs::write(path("items.json"), items.to_string()).unwrap();
    std::fs::write(path("secrets.json"), json!({ credential.0: credential.1 }).to_string()).unwrap();
    let [flow, items, secrets] = ["flow.json", "items.json", "secrets.json"].map(path);
    let output = verb(&[
        "workflow",
        "run",
        &flow,
        "--trigger-item",
        &items,
        "--credentials",
        &secrets,
        "--allow-private-hosts",
        "127.0.0.1",
        "--json",
    ]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: Value = serde_json::from_str(&text)
        .map_err(|error| format!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)))?;
    if output.status.success() { Ok(told) } else { Err(text) }
}

/// The items that the node gave.
pub(super) fn given(told: &Value) -> Vec<Value> {
    let runs = told.pointer("/runData/Send/0/data/main/0");
    let items = runs.and_then(Value::as_array).unwrap_or_else(|| panic!("{told}"));
    items.iter().map(|item| item["json"].clone()).collect()
}

#[test]
fn messages_are_published_by_mqtt() {
    if !has(&["mosquitto", "mosquitto_sub"]) {
        return;
    }
    let (folder, broker) = (tempfile::tempdir().unwrap(), mosquitto(false));
    let mut subscribed = Subscribed::to(&broker, "orders/#");
    let fields = here(broker.port, &json!({}));
    for quality in [0, 1, 2] {
        let node = json!({
            "type": "n8n-nodes-base.mqtt",
            "parameters": { "topic": "orders/new", "sendInputData": true, "options": { "qos": quality } }
        });
        let told = run(folder.path(), &node, ("mqtt", &fields), &json!([{ "n": quality }])).unwrap();
        assert_eq!(given(&told), [json!({ "n": quality })]);
        assert_eq!(subscribed.next(), format!("{{\"n\":{quality}}}"));
    }
    let wild = json!({ "type": "n8n-nodes-base.mqtt", "parameters": { "topic": "orders/#", "options": {} } });
    let said = run(folder.path(), &wild, ("mqtt", &fields), &json!([{}])).unwrap_err();
    assert!(said.contains("no topic that messages can be published to"), "{said}");
}

#[test]
fn a_message_that_no_queue_wants_is_an_error_and_one_to_a_queue_is_confirmed() {
    if !has(&["rabbitmq-server"]) {
        return;
    }
    let (folder, server) = (tempfile::tempdir().unwrap(), rabbitmq());
    let fields = |password: &str| json!({ "hostname": "127.0.0.1", "port": server.port, "username": "guest", "password": password });
    let to = |options: Value| json!({ "type": "n8n-nodes-base.rabbitmq", "parameters": { "queue": "orders", "options": options } });
    let items = json!([{ "n": 1 }, { "n": 2 }]);
    let lost = run(folder.path(), &to(json!({ "assertQueue": false })), ("rabbitmq", &fields("guest")), &items);
    assert!(lost.clone().unwrap_err().contains("nobody takes the message"), "{lost:?}");
    let told = run(folder.path(), &to(json!({})), ("rabbitmq", &fields("guest")), &items).unwrap();
    assert_eq!(given(&told), [json!({ "success": true }), json!({ "success": true })]);
    let said = run(folder.path(), &to(json!({})), ("rabbitmq", &fields("wrong-password")), &items).unwrap_err();
    assert!(said.contains("403") && !said.contains("wrong-password"), "{said}");
}

#[test]
fn a_stream_says_that_it_has_a_message() {
    if !has(&["nats-server"]) {
        return;
    }
    let (folder, server) = (tempfile::tempdir().unwrap(), nats());
    let fields = here(server.port, &json!({}));
    let node = json!({ "type": "timeloom.nats", "parameters": { "subject": "orders.new", "confirmed": true } });
    let lost = run(folder.path(), &node, ("nats", &fields), &json!([{ "n": 1 }]));
    assert!(lost.clone().unwrap_err().contains("no stream of JetStream takes"), "{lost:?}");
    make_stream(&server, "ORDERS", "orders.>");
    let told = run(folder.path(), &node, ("nats", &fields), &json!([{ "n": 1 }])).unwrap();
    assert_eq!(given(&told), [json!({ "n": 1 })]);
}
