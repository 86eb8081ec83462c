//! Streams of answers over plain HTTP: many operations on one event stream, and subscriptions in parts.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};
use timeloom_store::StreamKey;

use crate::support::{TENANT, TestServer, append, completed, node_completed, started, unknown_id};

const FOLLOW: &str =
    "subscription($id: UUID!, $from: Position) { execution(id: $id, resumeFrom: $from) { position type } }";
const TOKEN: &str = "x-graphql-event-stream-token";

fn stream() -> StreamKey {
    StreamKey::new(TENANT, "execution", unknown_id().to_string())
}

async fn begun(server: &TestServer) {
    let events = vec![started(&unknown_id().to_string()), node_completed("Start", 0, json!({ "n": 1 }))];
    append(&server.log, &stream(), events).await;
}

/// One event: its kind, its id, its data.
type Sent = (String, String, Value);

/// An open event stream.
struct Events {
    body: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    buffer: String,
}

impl Events {
    async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let field = |name: &str| {
                    let found = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                    found.map(|text| text.trim().to_owned())
                };
                let sent = field("event").map(|event| {
                    let data = serde_json::from_str(&field("data").unwrap()).unwrap();
                    (event, field("id").unwrap(), data)
                });
                self.buffer = rest.to_owned();
                if sent.is_some() {
                    return sent;
                }
                continue;
            }
            let bytes = tokio::time::timeout(Duration::from_secs(5), self.body.next()).await.unwrap()?.unwrap();
            self.buffer.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// The operation and the position of the next event.
    async fn position(&mut self) -> (String, String) {
        let (event, _, data) = self.next().await.unwrap();
        assert_eq!(event, "next", "{data}");
        let position = data["payload"]["data"]["execution"]["position"].as_str().unwrap().to_owned();
        (data["id"].as_str().unwrap().to_owned(), position)
    }
}

/// A client of one stream for many operations.
struct Shared<'a> {
    server: &'a TestServer,
    token: String,
}

impl<'a> Shared<'a> {
    async fn reserve(server: &'a TestServer) -> Self {
        let reserved = server.client.put(server.url("/graphql/stream")).send().await.unwrap();
        assert_eq!(reserved.status(), StatusCode::CREATED);
        Self { server, token: reserved.text().await.unwrap() }
    }

    async fn open_after(&self, last: Option<&str>) -> Result<Events, StatusCode> {
        let request = self.server.client.get(self.server.url("/graphql/stream"));
        let mut request = request.header(ACCEPT, "text/event-stream").header(TOKEN, &self.token);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.unwrap();
        if response.status() != StatusCode::OK {
            return Err(response.status());
        }
        Ok(Events { body: response.bytes_stream().boxed(), buffer: String::new() })
    }

    async fn run(&self, id: &str, query: &str, variables: Value) -> StatusCode {
        let body = json!({ "query": query, "variables": variables, "extensions": { "operationId": id } });
        let request = self.server.client.post(self.server.url("/graphql/stream")).header(TOKEN, &self.token);
        request.json(&body).send().await.unwrap().status()
    }

    async fn stop(&self, id: &str) -> StatusCode {
        let request = self.server.client.delete(self.server.url("/graphql/stream")).header(TOKEN, &self.token);
        request.query(&[("operationId", id)]).send().await.unwrap().status()
    }
}

#[tokio::test]
async fn many_operations_share_a_stream() {
    let server = TestServer::start_behind();
    begun(&server).await;
    let shared = Shared::reserve(&server).await;
    let mut events = shared.open_after(None).await.unwrap();
    assert_eq!(shared.run("a", FOLLOW, json!({ "id": unknown_id() })).await, StatusCode::ACCEPTED);
    assert_eq!(events.position().await, ("a".to_owned(), "1".to_owned()));
    assert_eq!(events.position().await, ("a".to_owned(), "2".to_owned()));
    assert_eq!(shared.run("a", FOLLOW, json!({ "id": unknown_id() })).await, StatusCode::CONFLICT);
    assert_eq!(shared.run("b", "{ head { position } }", json!({})).await, StatusCode::ACCEPTED);
    let (event, _, data) = events.next().await.unwrap();
    assert_eq!((event.as_str(), &data["id"]), ("next", &json!("b")));
    assert_eq!(data["payload"]["data"]["head"]["position"], "2");
    let (event, _, data) = events.next().await.unwrap();
    assert_eq!((event.as_str(), data), ("complete", json!({ "id": "b" })));
    append(&server.log, &stream(), vec![completed()]).await;
    assert_eq!(events.position().await, ("a".to_owned(), "3".to_owned()));
    assert_eq!(events.next().await.unwrap().2, json!({ "id": "a" }));
    server.stop().await;
}

#[tokio::test]
async fn a_lost_stream_goes_on_after_its_last_event_without_loss_or_repetition() {
    let server = TestServer::start_behind();
    begun(&server).await;
    let shared = Shared::reserve(&server).await;
    let mut events = shared.open_after(None).await.unwrap();
    shared.run("a", FOLLOW, json!({ "id": unknown_id() })).await;
    let (_, first, _) = events.next().await.unwrap();
    assert_eq!(first, "1-0", "the position, and the number on the stream");
    events.next().await.unwrap();
    drop(events);
    let appended = vec![node_completed("Fill", 1, json!({})), completed()];
    append(&server.log, &stream(), appended).await;
    let mut again = loop {
        // The server learns that a connection is gone when it writes to it, or a moment after it was closed.
        match shared.open_after(Some(&first)).await {
            Ok(events) => break events,
            Err(status) => assert_eq!(status, StatusCode::CONFLICT),
        }
        tokio::task::yield_now().await;
    };
    for position in ["2", "3", "4"] {
        assert_eq!(again.position().await, ("a".to_owned(), position.to_owned()));
    }
    assert_eq!(again.next().await.unwrap().0, "complete");
    assert_eq!(shared.open_after(None).await.err(), Some(StatusCode::CONFLICT), "it is open");
    server.stop().await;
}

#[tokio::test]
async fn a_stopped_operation_brings_nothing_more_and_frees_its_id() {
    let server = TestServer::start_behind();
    begun(&server).await;
    let shared = Shared::reserve(&server).await;
    let mut events = shared.open_after(None).await.unwrap();
    shared.run("a", FOLLOW, json!({ "id": unknown_id(), "from": "1" })).await;
    assert_eq!(events.position().await.1, "2");
    assert_eq!(shared.stop("a").await, StatusCode::OK);
    append(&server.log, &stream(), vec![completed()]).await;
    assert_eq!(shared.run("a", "{ head { position } }", json!({})).await, StatusCode::ACCEPTED);
    assert_eq!(events.next().await.unwrap().2["payload"]["data"]["head"]["position"], "3");
    server.stop().await;
}

#[tokio::test]
async fn a_stream_is_used_as_its_rules_say() {
    let server = TestServer::start_behind();
    let url = server.url("/graphql/stream");
    let shared = Shared::reserve(&server).await;
    let none = Shared { server: &server, token: "nobody's".to_owned() };
    assert_eq!(none.open_after(None).await.err(), Some(StatusCode::NOT_FOUND));
    assert_eq!(none.run("a", "{ head { position } }", json!({})).await, StatusCode::NOT_FOUND);
    assert_eq!(none.stop("a").await, StatusCode::NOT_FOUND);
    assert_eq!(shared.run("a", "{ head {", json!({})).await, StatusCode::BAD_REQUEST);
    let unnamed =
        server.client.post(&url).header(TOKEN, &shared.token).json(&json!({ "query": "{ head { position } }" }));
    assert_eq!(unnamed.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    let plain = server.client.get(&url).header(TOKEN, &shared.token).header(ACCEPT, "application/json");
    assert_eq!(plain.send().await.unwrap().status(), StatusCode::NOT_ACCEPTABLE);
    assert_eq!(shared.open_after(Some("17")).await.err(), Some(StatusCode::BAD_REQUEST));
    let alone =
        server.client.post(&url).header(ACCEPT, "text/event-stream").json(&json!({ "query": "{ head { position } }" }));
    let text = alone.send().await.unwrap().text().await.unwrap();
    assert!(text.starts_with("event: next\n") && text.ends_with("event: complete\ndata:\n\n"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_document_comes_as_an_event_of_its_stream() {
    let server = TestServer::start_behind();
    for query in ["{ nothing }", "{", "subscription { nothing }"] {
        let request = server.client.post(server.url("/graphql")).header(ACCEPT, "text/event-stream");
        let response = request.json(&json!({ "query": query })).send().await.unwrap();
        assert_eq!(response.status(), 200, "{query}");
        let text = response.text().await.unwrap();
        assert!(text.starts_with("event: next\ndata: {\"errors\":"), "{query}: {text}");
        assert!(text.ends_with("event: complete\ndata:\n\n"), "{query}: {text}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_subscription_comes_in_parts_where_a_client_asks_for_them() {
    let server = TestServer::start_behind();
    begun(&server).await;
    append(&server.log, &stream(), vec![completed()]).await;
    let accept = "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0, application/json";
    let ask = |query: &str, variables: Value| {
        let request = server.client.post(server.url("/graphql")).header(ACCEPT, accept);
        request.json(&json!({ "query": query, "variables": variables })).send()
    };
    let response = ask(FOLLOW, json!({ "id": unknown_id(), "from": "1" })).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()[CONTENT_TYPE], "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0");
    let text = response.text().await.unwrap();
    assert!(text.starts_with("--graphql\r\n") && text.ends_with("\r\n--graphql--\r\n"), "{text}");
    let parts: Vec<Value> = text
        .split("--graphql")
        .filter_map(|part| part.split_once("\r\n\r\n"))
        .map(|(_, json)| serde_json::from_str(json).unwrap())
        .collect();
    let positions: Vec<&Value> = parts.iter().map(|part| &part["payload"]["data"]["execution"]["position"]).collect();
    assert_eq!(positions, ["2", "3"]);
    let query = ask("{ head { position } }", json!({})).await.unwrap();
    assert!(query.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("application/json"), "one answer is no parts");
    server.stop().await;
}
