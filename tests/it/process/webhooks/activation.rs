//! What is active takes calls, and nothing else does.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::super::server::{Server, verb, verb_json};
use super::{after, echo, gives, webhook};

fn version(number: u32) -> Value {
    let trigger = webhook(json!({ "path": "versions", "responseMode": "lastNode" }));
    after(&trigger, &[gives(&format!("{{ \"version\": {number} }}"))])
}

#[tokio::test]
async fn an_old_version_never_answers_after_another_was_published() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let id = server.import(&version(1)).await;
    assert_eq!(server.call("GET", "/webhook/versions").await.0, 404, "a draft takes no calls");
    server.changed("publishWorkflow", &id).await;
    assert_eq!(server.call("GET", "/webhook/versions").await.0, 404, "nor does a version that is not active");
    server.changed("activateWorkflow", &id).await;
    let answered = async || server.call("GET", "/webhook/versions").await;
    assert_eq!(answered().await, (200, json!({ "version": 1 }).to_string()));
    for number in 2..=5 {
        server.replace(&id, &version(number)).await;
        assert_eq!(answered().await, (200, json!({ "version": number - 1 }).to_string()));
        // Calls on both sides of the switch: each is answered by one of the two, and those after it by the new one.
        let mut calls = JoinSet::new();
        for _ in 0..4 {
            let request = server.request("GET", "/webhook/versions");
            calls.spawn(async move { request.send().await.unwrap().json::<Value>().await.unwrap() });
        }
        server.changed("publishWorkflow", &id).await;
        assert_eq!(answered().await, (200, json!({ "version": number }).to_string()));
        for answer in calls.join_all().await {
            assert!(answer["version"] == number || answer["version"] == number - 1, "{answer}");
        }
    }
    server.changed("deactivateWorkflow", &id).await;
    assert_eq!(answered().await.0, 404);
    server.stop();
}

#[tokio::test]
async fn a_draft_takes_one_call_while_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let id = server.import(&version(7)).await;
    assert_eq!(server.call("GET", "/webhook-test/versions").await.0, 404);
    for round in 1..=2 {
        server.changed("listenForTestWebhook", &id).await;
        let mut calls = JoinSet::new();
        for _ in 0..4 {
            let request = server.request("GET", "/webhook-test/versions");
            calls.spawn(async move { request.send().await.unwrap().status().as_u16() });
        }
        let mut statuses = calls.join_all().await;
        statuses.sort_unstable();
        assert_eq!((statuses, server.executions().await), (vec![200, 404, 404, 404], round));
    }
    server.stop();
}

#[tokio::test]
async fn methods_and_parts_of_paths_choose_the_webhook_and_its_output() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut workflow = after(
        &webhook(json!({ "path": "orders/:order", "httpMethod": ["GET", "PUT"], "responseMode": "lastNode" })),
        &[gives("={{ { read: $json.params.order } }}")],
    );
    let mut written = gives("={{ { written: $json.params.order } }}");
    written["name"] = json!("Written");
    written["position"] = json!([200, 200]);
    workflow["nodes"].as_array_mut().unwrap().push(written);
    workflow["connections"]["Webhook"]["main"]
        .as_array_mut()
        .unwrap()
        .push(json!([{ "node": "Written", "type": "main", "index": 0 }]));
    server.activated(&workflow).await;
    assert_eq!(server.call("GET", "/webhook/orders/7").await, (200, "{\"read\":\"7\"}".to_owned()));
    assert_eq!(server.call("PUT", "/webhook/orders/a%20b/").await, (200, "{\"written\":\"a b\"}".to_owned()));
    let (status, refused) = server.call("DELETE", "/webhook/orders/7").await;
    assert!(status == 404 && refused.contains("GET, PUT"), "{refused}");
    assert_eq!(server.call("GET", "/webhook/orders").await.0, 404);

    server.activated(&echo(json!({ "path": "orders/all", "httpMethod": "HEAD" }))).await;
    let head = server.request("HEAD", "/webhook/orders/all").send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.text().await.unwrap()), (200, String::new()));
    server.stop();
}

#[tokio::test]
async fn the_command_line_publishes_activates_listens_and_deactivates() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let id = server.import(&version(1)).await;
    let run = |arguments: &[&str]| {
        let output = verb(&[&["workflow"], arguments, &["--server", &server.url]].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), output.stderr)
    };
    assert_eq!(run(&["activate", &id]).0, Some(2), "nothing is published");
    assert_eq!(run(&["publish", &id]).0, Some(0));
    let (status, told, _) = run(&["activate", &id]);
    assert!(status == Some(0) && told.contains("version 1 is active") && told.contains("/webhook/versions"), "{told}");
    assert_eq!(server.call("GET", "/webhook/versions").await.0, 200);
    let listed = verb_json(&["workflow", "list", "--json", "--server", &server.url]);
    assert_eq!(listed[0]["activeVersion"], 1);

    let second = server.import(&version(2)).await;
    server.changed("publishWorkflow", &second).await;
    let (status, _, errors) = run(&["activate", &second]);
    let errors = String::from_utf8_lossy(&errors);
    assert!(status == Some(2) && errors.contains("node 'Webhook'") && errors.contains(&id), "{errors}");

    let (status, told, _) = run(&["listen", &id]);
    assert!(status == Some(0) && told.contains("/webhook-test/versions"), "{told}");
    assert_eq!(server.call("GET", "/webhook-test/versions").await.0, 200);
    assert_eq!(run(&["deactivate", &id]).0, Some(0));
    assert_eq!(server.call("GET", "/webhook/versions").await.0, 404);
    assert_eq!(run(&["activate", &second, "--version", "1"]).0, Some(0));
    server.stop();
}
