//! Chats: who may talk to them, and how they are answered.

use serde_json::{Value, json};

use super::super::server::{Server, verb};
use super::{after, gives, respond, told_json};

fn chat(id: &str, parameters: Value) -> Value {
    json!({
        "id": "chat", "name": "Chat", "type": "@n8n/n8n-nodes-langchain.chatTrigger", "typeVersion": 1.1,
        "position": [0, 0], "webhookId": id, "parameters": parameters
    })
}

fn message() -> Value {
    json!({ "action": "sendMessage", "sessionId": "s", "chatInput": "Hello" })
}

#[tokio::test]
async fn a_message_is_answered_by_the_last_node_or_by_one_that_responds() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let last = [gives("={{ { output: $json.chatInput + ' ' + $json.sessionId + ' ' + $json.action } }}")];
    server.activated(&after(&chat("last", json!({ "public": true })), &last)).await;
    let by_node = json!({ "public": true, "options": { "responseMode": "responseNode" } });
    let responds = respond(json!({ "respondWith": "json", "responseBody": "={{ { text: $json.chatInput } }}" }));
    server.activated(&after(&chat("node", by_node), &[responds, gives("{ \"not\": \"this\" }")])).await;
    let send = async |path: &str| told_json(server.request("POST", path).json(&message()).send().await.unwrap()).await;
    assert_eq!(send("/webhook/last/chat").await, (200, json!({ "output": "Hello s sendMessage" })));
    assert_eq!(send("/webhook/node/chat").await, (200, json!({ "text": "Hello" })));
    assert_eq!(send("/webhook/last").await.0, 404);

    let streams = json!({ "public": true, "options": { "responseMode": "streaming" } });
    let draft = server.import(&after(&chat("draft", streams), &last)).await;
    server.changed("publishWorkflow", &draft).await;
    let refused = server.change_workflow("activateWorkflow", &draft).await;
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("are not streamed"), "{refused}");
    assert_eq!(send("/webhook-test/draft/chat").await.0, 404);
    assert!(verb(&["workflow", "listen", &draft, "--server", &server.url]).status.success());
    assert_eq!(send("/webhook-test/draft/chat").await.0, 200, "a draft that listens is answered whole");
    assert_eq!(send("/webhook-test/draft/chat").await.0, 404, "it takes one message");
    server.stop();
}

#[tokio::test]
async fn a_chat_is_there_for_those_whom_its_node_lets_in() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.save_credential("door", "httpBasicAuth", json!({ "user": "ada", "password": "pw" })).await;
    let mut guarded = chat(
        "guarded",
        json!({ "public": true, "authentication": "basicAuth",
        "options": { "allowedOrigins": "https://shop.example" } }),
    );
    guarded["credentials"] = json!({ "httpBasicAuth": { "name": "door" } });
    server.activated(&after(&guarded, &[])).await;
    server.activated(&after(&chat("own", json!({})), &[])).await;
    let send = |id: &str| server.request("POST", &format!("/webhook/{id}/chat")).json(&message());
    assert_eq!(send("guarded").send().await.unwrap().status(), 401);
    assert_eq!(send("guarded").basic_auth("ada", Some("no")).send().await.unwrap().status(), 403);
    let from = async |origin: &str| {
        let request = send("guarded").basic_auth("ada", Some("pw")).header("origin", origin);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.headers().contains_key("access-control-allow-origin"))
    };
    assert_eq!(from("https://shop.example").await, (200, true));
    assert_eq!(from("https://other.example").await, (200, false), "its page may not read the answer");

    // Nobody signs in here: a chat that is not public is there for the programs of this machine alone.
    assert_eq!(send("own").header("origin", "https://shop.example").send().await.unwrap().status(), 404);
    assert_eq!(send("own").header("host", "rebound.example").send().await.unwrap().status(), 404);
    let before = server.executions().await;
    assert_eq!(send("own").send().await.unwrap().status(), 200);
    assert_eq!(server.executions().await, before + 1);
    let query = "{ events(last: 100, filter: { types: [\"ExecutionStarted\"] }) { nodes { actor { kind } } } }";
    let events = server.ask(query, json!({})).await;
    let kinds: Vec<&Value> =
        events["events"]["nodes"].as_array().unwrap().iter().map(|one| &one["actor"]["kind"]).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "system").count(), before, "it bears who sent it: {kinds:?}");
    server.stop();
}
