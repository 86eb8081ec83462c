//! What outlives the process: active webhooks, and executions whose caller was waiting.

use serde_json::json;

use super::super::server::Server;
use super::{after, echo, gives, respond, told_json, webhook};

#[tokio::test]
async fn active_webhooks_are_active_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.activated(&echo(json!({ "path": "stays" }))).await;
    let gone = server.activated(&echo(json!({ "path": "goes" }))).await;
    server.changed("deactivateWorkflow", &gone).await;
    server.kill();
    let server = Server::start(folder.path(), &[]);
    let (status, text) = loop {
        // Until the server knows what is active it says so, and nothing else.
        match server.call("GET", "/webhook/stays").await {
            (503, _) => {}
            answered => break answered,
        }
    };
    assert_eq!(status, 200, "{text}");
    assert_eq!(server.call("GET", "/webhook/goes").await.0, 404);
    server.stop();
}

#[tokio::test]
async fn a_call_that_was_killed_before_its_answer_is_answered_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let wait = json!({ "name": "Wait", "type": "n8n-nodes-base.wait", "typeVersion": 1.1,
        "parameters": { "resume": "timeInterval", "amount": 3, "unit": "seconds" } });
    let answer = respond(json!({ "respondWith": "json", "responseBody": "={{ $json }}", "options": {} }));
    let trigger = webhook(json!({ "path": "slow", "httpMethod": "POST", "responseMode": "responseNode" }));
    server.activated(&after(&trigger, &[wait, gives("={{ { n: $('Webhook').item.json.body.n } }}"), answer])).await;
    let call = |server: &Server, n: u32| {
        server.request("POST", "/webhook/slow").header("Idempotency-Key", "order-7").json(&json!({ "n": n })).send()
    };
    let waiting = tokio::spawn(call(&server, 1));
    while server.executions().await == 0 {
        tokio::task::yield_now().await;
    }
    server.kill();
    assert!(waiting.await.unwrap().is_err(), "nobody was told that it was done");

    let server = Server::start(folder.path(), &[]);
    let answered = loop {
        let answered = told_json(call(&server, 2).await.unwrap()).await;
        if answered.0 != 503 {
            break answered;
        }
    };
    assert_eq!((answered, server.executions().await), ((200, json!({ "n": 1 })), 1));
    server.stop();
}
