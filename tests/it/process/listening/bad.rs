//! Servers that refuse, hang, send rubbish or too much: the trigger says why it fails, and the program goes on.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::servers::{has, here, make_stream, mosquitto, nats, odd, publish_mqtt, redis, swallow};
use super::{activate, credential, heard, hearing, listening, serve, told, trigger};
use crate::process::server::{Server, verb_json};

/// Each kind of trigger with a credential for a port of this machine.
fn kinds(port: u16) -> Vec<(Value, &'static str, Value)> {
    let plain = || here(port, &json!({}));
    let person = json!({ "user": "ann", "password": "open-sesame", "secure": false });
    let rabbit = json!({ "hostname": "127.0.0.1", "port": port, "username": "guest", "password": "guest" });
    let database = json!({ "database": "x", "user": "x", "ssl": "disable" });
    vec![
        (trigger("n8n-nodes-base.mqttTrigger", "mqtt", json!({ "topics": "a:1" })), "mqtt", plain()),
        (trigger("n8n-nodes-base.redisTrigger", "redis", json!({ "channels": "a" })), "redis", plain()),
        (trigger("timeloom.redisStreamTrigger", "redis", json!({ "stream": "a" })), "redis", plain()),
        (trigger("timeloom.natsTrigger", "nats", json!({ "subject": "a" })), "nats", plain()),
        (trigger("n8n-nodes-base.rabbitmqTrigger", "rabbitmq", json!({ "queue": "a" })), "rabbitmq", rabbit),
        (
            trigger("n8n-nodes-base.kafkaTrigger", "kafka", json!({ "topic": "a" })),
            "kafka",
            json!({ "brokers": format!("127.0.0.1:{port}") }),
        ),
        (trigger("n8n-nodes-base.emailReadImap", "imap", json!({})), "imap", here(port, &person)),
        (
            trigger(
                "n8n-nodes-base.postgresTrigger",
                "postgres",
                json!({ "triggerMode": "listenTrigger", "channelName": "a" }),
            ),
            "postgres",
            here(port, &database),
        ),
    ]
}

/// Every kind of trigger on that port, in one program; answers why each fails.
async fn failures(server: &Server, port: u16) -> Vec<(String, String)> {
    for (trigger, credential_type, fields) in kinds(port) {
        credential(server, credential_type, &fields).await;
        activate(server, &hearing(&trigger)).await;
    }
    let count = kinds(port).len();
    let query = "{ listeningTriggers { nodeType status lastError } }";
    let began = std::time::Instant::now();
    loop {
        let all = server.ask(query, json!({})).await["listeningTriggers"].clone();
        let failing: Vec<(String, String)> = all
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|one| Some((one["nodeType"].as_str()?.to_owned(), one["lastError"].as_str()?.to_owned())))
            .collect();
        if failing.len() == count {
            return failing;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{all}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_protocol_fails_every_trigger_in_words() {
    let data = tempfile::tempdir().unwrap();
    let server = serve(data.path());
    let port = odd(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        swallow(&stream);
    });
    for (kind, error) in failures(&server, port).await {
        assert!(!error.is_empty() && !error.contains("open-sesame"), "{kind}: {error}");
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_sends_without_end_fills_nobodys_memory() {
    let data = tempfile::tempdir().unwrap();
    let server = serve(data.path());
    let port = odd(|mut stream| {
        let part = [b'a'; 65_536];
        while stream.write_all(&part).is_ok() {}
    });
    for (kind, error) in failures(&server, port).await {
        assert!(!error.is_empty(), "{kind}");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").trim().parse().unwrap();
    assert!(peak < 1_500_000, "{peak} kB");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    let data = tempfile::tempdir().unwrap();
    let server = serve(data.path());
    let port = odd(|stream| swallow(&stream));
    for (kind, error) in failures(&server, port).await {
        assert!(error.contains("did not answer") || error.contains("answer within"), "{kind}: {error}");
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_address_that_the_operator_does_not_allow_is_not_connected_to() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let connected = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&connected);
    let port = odd(move |_| tell.store(true, Ordering::SeqCst));
    for (kind, error) in failures(&server, port).await {
        assert!(error.contains("private or reserved"), "{kind}: {error}");
    }
    assert!(!connected.load(Ordering::SeqCst), "nobody may connect");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told_and_a_right_one_is_used_at_the_next_attempt() {
    if !has(&["mosquitto", "mosquitto_passwd"]) {
        return;
    }
    let (data, broker) = (tempfile::tempdir().unwrap(), mosquitto(true));
    let server = serve(data.path());
    let fields = |password: &str| here(broker.port, &json!({ "username": "ann", "password": password }));
    credential(&server, "mqtt", &fields("no-such-password")).await;
    activate(&server, &hearing(&trigger("n8n-nodes-base.mqttTrigger", "mqtt", json!({ "topics": "a" })))).await;
    let failing = told(&server, |trigger| trigger["status"] == "FAILING").await;
    let error = failing["lastError"].as_str().unwrap();
    assert!(error.contains("does not let us in") && !error.contains("no-such-password"), "{error}");
    credential(&server, "mqtt", &fields("open-sesame")).await;
    listening(&server).await;
    assert!(!server.said().contains("no-such-password"), "{}", server.said());
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_of_redis_is_told() {
    if !has(&["redis-server"]) {
        return;
    }
    let (data, redis) = (tempfile::tempdir().unwrap(), redis(Some("open-sesame")));
    let server = serve(data.path());
    credential(&server, "redis", &here(redis.port, &json!({ "password": "no-such-password" }))).await;
    activate(&server, &hearing(&trigger("n8n-nodes-base.redisTrigger", "redis", json!({ "channels": "a" })))).await;
    let failing = told(&server, |trigger| trigger["status"] == "FAILING").await;
    assert!(failing["lastError"].as_str().unwrap().contains("Redis refused"), "{failing}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_too_large_is_left_out_and_the_next_one_comes() {
    if !has(&["mosquitto", "mosquitto_pub"]) {
        return;
    }
    let (data, broker) = (tempfile::tempdir().unwrap(), mosquitto(false));
    let server = serve(data.path());
    credential(&server, "mqtt", &here(broker.port, &json!({ "clean": false }))).await;
    activate(&server, &hearing(&trigger("n8n-nodes-base.mqttTrigger", "mqtt", json!({ "topics": "a:1" })))).await;
    listening(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let (file, port) = (folder.path().join("large"), broker.port.to_string());
    std::fs::write(&file, vec![b'x'; 17 << 20]).unwrap();
    let large = ["-h", "127.0.0.1", "-p", &port, "-q", "1", "-t", "a", "-f", file.to_str().unwrap()];
    assert!(std::process::Command::new("mosquitto_pub").args(large).status().unwrap().success());
    publish_mqtt(&broker, "a", "small\n");
    assert_eq!(heard(&server, 1).await[0]["message"], "small");
    let told = told(&server, |trigger| trigger["refused"] == 1).await;
    let refused = &told["refusedMessages"][0];
    assert!(refused["reason"].as_str().unwrap().contains("at most 16777216"), "{refused}");
    let verbs = verb_json(&["trigger", "refused", "--json", "--server", &server.url]);
    assert_eq!(verbs[0]["refusedMessages"].as_array().unwrap().len(), 1);
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_not_there_is_told_and_used_once_it_is() {
    if !has(&["nats-server"]) {
        return;
    }
    let (data, nats) = (tempfile::tempdir().unwrap(), nats());
    let server = serve(data.path());
    credential(&server, "nats", &here(nats.port, &json!({}))).await;
    let parameters = json!({ "subject": "orders.>", "stream": "ORDERS" });
    activate(&server, &hearing(&trigger("timeloom.natsTrigger", "nats", parameters))).await;
    let failing = told(&server, |trigger| trigger["status"] == "FAILING").await;
    assert!(failing["lastError"].as_str().unwrap().contains("stream not found"), "{failing}");
    make_stream(&nats, "ORDERS", "orders.>");
    listening(&server).await;
    server.stop();
}
