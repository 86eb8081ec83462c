//! When and with what a caller is answered.

use serde_json::{Value, json};

use super::super::server::{Server, set};
use super::{after, echo, gives, respond, told, told_json, webhook};

fn wait(parameters: Value) -> Value {
    json!({ "name": "Wait", "type": "n8n-nodes-base.wait", "typeVersion": 1.1, "parameters": parameters })
}

#[tokio::test]
async fn a_call_is_answered_at_once_or_by_the_last_node_or_by_a_node() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let at_once = json!({ "path": "now", "options": {
        "responseHeaders": { "entries": [{ "name": "x-own", "value": "yes" }] },
        "responseCode": { "values": { "responseCode": 202 } } } });
    server.activated(&after(&webhook(at_once), &[gives("{}")])).await;
    let response = server.request("GET", "/webhook/now").send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["x-own"].to_str().unwrap()), (202, "yes"));
    assert_eq!(response.json::<Value>().await.unwrap(), json!({ "message": "Workflow was started" }));

    for (data, expected) in [("firstEntryJson", json!({ "n": 42 })), ("allEntries", json!([{ "n": 42 }]))] {
        let path = format!("last-{data}");
        let parameters =
            json!({ "path": path, "httpMethod": "POST", "responseMode": "lastNode", "responseData": data });
        server.activated(&after(&webhook(parameters), &[gives("={{ { n: $json.body.n + 1 } }}")])).await;
        let sent = server.request("POST", &format!("/webhook/{path}")).json(&json!({ "n": 41 })).send().await.unwrap();
        assert!(sent.headers()["content-type"].to_str().unwrap().starts_with("application/json"));
        assert_eq!(told_json(sent).await, (200, expected));
    }
    let nothing = json!({ "path": "nothing", "responseMode": "lastNode", "responseData": "noData" });
    server.activated(&after(&webhook(nothing), &[gives("{}")])).await;
    assert_eq!(server.call("GET", "/webhook/nothing").await, (200, String::new()));

    let page = json!({ "respondWith": "text", "responseBody": "<script>parent</script>", "options": {
        "responseCode": 201, "responseHeaders": { "entries": [{ "name": "X-Own", "value": "yes" }] } } });
    let by_node = webhook(json!({ "path": "page", "responseMode": "responseNode" }));
    server.activated(&after(&by_node, &[respond(page), set("After", "n", "1")])).await;
    let response = server.request("GET", "/webhook/page").send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["x-own"].to_str().unwrap()), (201, "yes"));
    let policy = response.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("sandbox ") && !policy.contains("allow-same-origin"), "{policy}");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.text().await.unwrap(), "<script>parent</script>");
    server.stop();
}

#[tokio::test]
async fn an_answer_in_parts_comes_as_it_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let part = |name: &str, body: &str| {
        let mut node =
            respond(json!({ "respondWith": "json", "responseBody": body, "options": { "enableStreaming": true } }));
        node["name"] = json!(name);
        node
    };
    let waits = wait(json!({ "resume": "webhook", "httpMethod": "POST" }));
    let address = part("First", "={{ { url: $execution.resumeUrl } }}");
    let trigger = webhook(json!({ "path": "parts", "responseMode": "streaming" }));
    server.activated(&after(&trigger, &[address, waits, part("Second", "{\"part\": 2}")])).await;
    let mut response = server.request("GET", "/webhook/parts").send().await.unwrap();
    assert_eq!(response.status(), 200);
    // The second part cannot come before the first one was read: what it names ends the wait.
    let first: Value = serde_json::from_slice(&response.chunk().await.unwrap().unwrap()).unwrap();
    let url = first["url"].as_str().unwrap();
    let resume = &url[url.find("/webhook-waiting").unwrap()..];
    until_it_waits(&server).await;
    assert_eq!(server.call("POST", resume).await.0, 200);
    let mut rest = Vec::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        rest.extend_from_slice(&chunk);
    }
    assert_eq!(String::from_utf8(rest).unwrap(), "{\"part\":2}\n");
    server.stop();
}

/// Waits until an execution waits.
async fn until_it_waits(server: &Server) {
    let query = "query($after: String) { events(first: 100, after: $after, filter: { types: [\"ExecutionWaiting\"] }) {
        nodes { id } } }";
    loop {
        let data = server.ask(query, json!({})).await;
        if data["events"]["nodes"].as_array().is_some_and(|events| !events.is_empty()) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_waiting_execution_goes_on_by_its_address_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let address =
        respond(json!({ "respondWith": "text", "responseBody": "={{ $execution.resumeUrl }}", "options": {} }));
    let rule = json!({ "resume": "webhook", "httpMethod": "POST", "responseMode": "lastNode",
        "options": { "webhookSuffix": "go" } });
    let trigger = webhook(json!({ "path": "wait", "responseMode": "responseNode" }));
    server.activated(&after(&trigger, &[address, wait(rule), gives("={{ { got: $json.body.n * 2 } }}")])).await;
    let (_, url) = server.call("GET", "/webhook/wait").await;
    let resume = url[url.find("/webhook-waiting").unwrap()..].to_owned();
    until_it_waits(&server).await;

    let wrong = if resume.ends_with('0') { '1' } else { '0' };
    let guessed = format!("{}{wrong}/go", &resume[..resume.len() - 1]);
    let unknown = server.call("POST", &guessed).await;
    assert_eq!(unknown.0, 404);
    let (nobody, _) = resume.split_once('.').unwrap();
    let nobody = format!("{}0000.{}/go", &nobody[..nobody.len() - 4], resume.split_once('.').unwrap().1);
    assert_eq!(server.call("POST", &nobody).await, unknown, "a wrong token is told from no execution");
    assert_eq!(server.call("POST", &resume).await, unknown, "the last part is missing");
    assert_eq!(server.call("GET", &format!("{resume}/go")).await.0, 404);
    let sent = server.request("POST", &format!("{resume}/go")).json(&json!({ "n": 21 })).send().await.unwrap();
    assert_eq!(told_json(sent).await, (200, json!({ "got": 42 })));
    assert_eq!(server.call("POST", &format!("{resume}/go")).await.0, 409, "it has ended");
    server.stop();
}

#[tokio::test]
async fn a_failure_and_a_time_out_name_the_execution_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--webhook-answer-seconds-max", "1"]);
    let fails = json!({ "name": "Stop", "type": "n8n-nodes-base.stopAndError", "typeVersion": 1,
        "parameters": { "errorMessage": "the password is 7" } });
    server.activated(&after(&webhook(json!({ "path": "fails", "responseMode": "lastNode" })), &[fails])).await;
    let failed = server.request("GET", "/webhook/fails").send().await.unwrap();
    let (status, body) = told_json(failed).await;
    assert_eq!((status, &body["message"]), (500, &json!("Error in workflow")));
    let failure =
        server.ask("query($id: UUID!) { execution(id: $id) { status } }", json!({ "id": body["executionId"] })).await;
    assert_eq!(failure["execution"]["status"], "FAILED", "{failure}");

    let long = wait(json!({ "resume": "timeInterval", "amount": 1, "unit": "hours" }));
    server.activated(&after(&webhook(json!({ "path": "long", "responseMode": "lastNode" })), &[long])).await;
    let (status, body) = told_json(server.request("GET", "/webhook/long").send().await.unwrap()).await;
    assert_eq!(status, 504);
    let goes_on =
        server.ask("query($id: UUID!) { execution(id: $id) { status } }", json!({ "id": body["executionId"] })).await;
    assert_eq!(goes_on["execution"]["status"], "WAITING");
    server.stop();
}

#[tokio::test]
async fn calls_with_the_same_key_have_one_execution_and_one_answer() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut parameters = json!({ "path": "once", "httpMethod": "POST" });
    server.activated(&echo(parameters.clone())).await;
    parameters["path"] = json!("other");
    server.activated(&echo(parameters)).await;
    let call = async |path: &str, key: &str, n: u32| {
        let sent = server.request("POST", path).header("Idempotency-Key", key).json(&json!({ "n": n })).send();
        told_json(sent.await.unwrap()).await
    };
    let (one, two) = tokio::join!(call("/webhook/once", "k", 1), call("/webhook/once", "k", 2));
    assert_eq!((one.0, &one), (200, &two));
    let late = call("/webhook/once", "k", 3).await;
    assert_eq!((late, server.executions().await), (one.clone(), 1));
    let (other_key, other_hook) = (call("/webhook/once", "l", 4).await, call("/webhook/other", "k", 5).await);
    assert_eq!((&other_key.1["body"]["n"], &other_hook.1["body"]["n"]), (&json!(4), &json!(5)));
    assert_eq!(server.executions().await, 3);
    let long = server.request("POST", "/webhook/once").header("Idempotency-Key", "x".repeat(256)).send().await.unwrap();
    assert_eq!(told(long).await.0, 400);
    server.stop();
}
