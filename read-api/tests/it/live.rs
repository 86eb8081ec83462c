//! Subscriptions: history, then live, resumable, over server-sent events and WebSocket.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use reqwest::header::{ACCEPT, ORIGIN};
use serde_json::{Value, json};
use timeloom_domain::execution::ExecutionEvent;
use timeloom_store::StreamKey;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::{TENANT, TestServer, append, completed, node_completed, started, text, unknown_id};

const FOLLOW: &str = "subscription($id: UUID!, $after: Position) { execution(id: $id, after: $after) {
    position revision type status payload } }";

pub(crate) fn stream() -> StreamKey {
    StreamKey::new(TENANT, "execution", unknown_id().to_string())
}

fn begun() -> Vec<ExecutionEvent> {
    vec![started(&unknown_id().to_string()), node_completed("Start", 0, json!({ "n": 1 }))]
}

/// A server-sent event.
#[derive(Debug, PartialEq)]
struct Sent {
    event: String,
    id: Option<String>,
    data: Value,
}

impl Sent {
    fn kind(&self) -> (&str, &str) {
        let event = &self.data["data"]["execution"];
        (event["type"].as_str().unwrap(), event["status"].as_str().unwrap())
    }
}

struct Events {
    body: futures::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    buffer: String,
}

impl Events {
    async fn open(server: &TestServer, variables: Value, last: Option<&str>) -> Self {
        let body = json!({ "query": FOLLOW, "variables": variables });
        let mut request = server.client.post(server.url("/graphql")).header(ACCEPT, "text/event-stream").json(&body);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
        Self { body: response.bytes_stream().boxed(), buffer: String::new() }
    }

    /// The next event; `None` when the stream ended.
    async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let lines: Vec<(&str, &str)> = block.lines().filter_map(|line| line.split_once(':')).collect();
                let field = |name: &str| lines.iter().find(|(known, _)| *known == name).map(|(_, value)| value.trim());
                let sent = field("event").map(|event| Sent {
                    event: event.to_owned(),
                    id: field("id").map(str::to_owned),
                    data: serde_json::from_str(field("data").unwrap()).unwrap_or(Value::Null),
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
}

#[tokio::test]
async fn server_sent_events_bring_history_then_live_then_the_end() {
    let server = TestServer::start_behind();
    append(&server.log, &stream(), begun()).await;
    let mut events = Events::open(&server, json!({ "id": unknown_id() }), None).await;
    let first = events.next().await.unwrap();
    assert_eq!(
        (first.event.as_str(), first.id.as_deref(), first.kind()),
        ("next", Some("1"), ("ExecutionStarted", "RUNNING"))
    );
    let second = events.next().await.unwrap();
    assert_eq!(second.data["data"]["execution"]["payload"]["outputs"], json!([[{ "json": { "n": 1 } }]]));
    append(&server.log, &stream(), vec![node_completed("Fill", 1, json!({}))]).await;
    let third = events.next().await.unwrap();
    assert_eq!((third.id.as_deref(), third.kind()), (Some("3"), ("NodeCompleted", "RUNNING")));
    append(&server.log, &stream(), vec![completed()]).await;
    assert_eq!(events.next().await.unwrap().kind(), ("ExecutionCompleted", "COMPLETED"));
    assert_eq!(events.next().await.unwrap().event, "complete");
    assert_eq!(events.next().await, None);
    server.stop().await;
}

#[tokio::test]
async fn server_sent_events_resume_after_the_last_event() {
    let server = TestServer::start_behind();
    append(&server.log, &stream(), begun()).await;
    append(&server.log, &stream(), vec![completed()]).await;
    let mut events = Events::open(&server, json!({ "id": unknown_id() }), Some("1")).await;
    let next = events.next().await.unwrap();
    assert_eq!((next.id.as_deref(), next.kind()), (Some("2"), ("NodeCompleted", "RUNNING")));
    assert_eq!(events.next().await.unwrap().id.as_deref(), Some("3"));
    assert_eq!(events.next().await.unwrap().event, "complete");
    let mut ended = Events::open(&server, json!({ "id": unknown_id(), "after": "3" }), None).await;
    assert_eq!(ended.next().await.unwrap().event, "complete", "nothing comes after the end");
    let body = json!({ "query": FOLLOW, "variables": { "id": unknown_id() } });
    let request = server.client.post(server.url("/graphql")).header(ACCEPT, "text/event-stream");
    let refused = request.header("Last-Event-ID", "x").json(&body).send().await.unwrap();
    assert_eq!(refused.status(), 400);
    server.stop().await;
}

#[tokio::test]
async fn a_stop_ends_open_streams() {
    let server = TestServer::start_behind();
    append(&server.log, &stream(), begun()).await;
    let mut events = Events::open(&server, json!({ "id": unknown_id() }), None).await;
    events.next().await.unwrap();
    let mut socket = Socket::open(&server).await;
    socket.begin().await;
    tokio::time::timeout(Duration::from_secs(5), server.stop()).await.unwrap();
    assert_eq!(socket.closed().await, 1001);
}

#[tokio::test]
async fn a_subscriber_that_is_too_slow_learns_where_to_go_on() {
    let server = TestServer::start_behind();
    append(&server.log, &stream(), begun()).await;
    let schema = timeloom_read_api::schema(server.state.clone());
    let ask = |after: u64| {
        let variables = json!({ "id": unknown_id(), "after": after });
        async_graphql::Request::new(FOLLOW).variables(async_graphql::Variables::from_json(variables))
    };
    let position = |answer: &Value| text(&answer["data"]["execution"]["position"]).parse::<u64>().unwrap();
    let mut answers = schema.execute_stream(ask(0)).map(|answer| serde_json::to_value(answer).unwrap());
    assert_eq!(position(&answers.next().await.unwrap()), 1);
    for _ in 0..2 {
        let events = std::iter::repeat_with(|| node_completed("Again", 1, json!({}))).take(400).collect();
        append(&server.log, &stream(), events).await;
    }
    let mut last = 1;
    let error = loop {
        let answer = answers.next().await.unwrap();
        if let Some(error) = answer["errors"].get(0) {
            break error.clone();
        }
        assert_eq!(position(&answer), last + 1);
        last += 1;
    };
    assert_eq!(error["extensions"], json!({ "code": "FELL_BEHIND", "lastPosition": last.to_string() }));
    assert!(answers.next().await.is_none());
    let mut again = schema.execute_stream(ask(last)).map(|answer| serde_json::to_value(answer).unwrap());
    assert_eq!(position(&again.next().await.unwrap()), last + 1);
    server.stop().await;
}

/// A client of graphql-transport-ws.
struct Socket(tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>);

impl Socket {
    async fn open(server: &TestServer) -> Self {
        let url = server.url("/graphql/ws").replace("http://", "ws://");
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        Self(socket)
    }

    async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn begin(&mut self) {
        self.send(json!({ "type": "connection_init" })).await;
        assert_eq!(self.next().await, json!({ "type": "connection_ack" }));
    }

    async fn message(&mut self) -> Message {
        loop {
            let message = tokio::time::timeout(Duration::from_secs(5), self.0.next()).await.unwrap().unwrap().unwrap();
            if !message.is_ping() && !message.is_pong() {
                return message;
            }
        }
    }

    async fn next(&mut self) -> Value {
        serde_json::from_str(self.message().await.to_text().unwrap()).unwrap()
    }

    async fn closed(&mut self) -> u16 {
        match self.message().await {
            Message::Close(Some(frame)) => frame.code.into(),
            other => panic!("not a close frame: {other}"),
        }
    }
}

fn subscribe(id: &str, query: &str, variables: Value) -> Value {
    json!({ "type": "subscribe", "id": id, "payload": { "query": query, "variables": variables } })
}

#[tokio::test]
async fn a_socket_brings_history_then_live_then_the_end() {
    let server = TestServer::start_behind();
    append(&server.log, &stream(), begun()).await;
    let mut socket = Socket::open(&server).await;
    socket.begin().await;
    socket.send(subscribe("a", FOLLOW, json!({ "id": unknown_id() }))).await;
    let first = socket.next().await;
    assert_eq!((&first["type"], &first["id"]), (&json!("next"), &json!("a")));
    assert_eq!(first["payload"]["data"]["execution"]["position"], "1");
    assert_eq!(socket.next().await["payload"]["data"]["execution"]["position"], "2");
    append(&server.log, &stream(), vec![completed()]).await;
    assert_eq!(socket.next().await["payload"]["data"]["execution"]["status"], "COMPLETED");
    assert_eq!(socket.next().await, json!({ "type": "complete", "id": "a" }));
    socket.send(subscribe("b", FOLLOW, json!({ "id": unknown_id(), "after": 2 }))).await;
    assert_eq!(socket.next().await["payload"]["data"]["execution"]["position"], "3");
    assert_eq!(socket.next().await, json!({ "type": "complete", "id": "b" }));
    server.stop().await;
}

#[tokio::test]
async fn a_socket_runs_several_operations_and_stops_one() {
    let server = TestServer::start();
    append(&server.log, &stream(), begun()).await;
    let mut socket = Socket::open(&server).await;
    socket.begin().await;
    socket.send(subscribe("live", FOLLOW, json!({ "id": unknown_id(), "after": "2" }))).await;
    socket.send(subscribe("query", "{ head { position } }", json!({}))).await;
    let answer = socket.next().await;
    assert_eq!((&answer["id"], &answer["payload"]["data"]["head"]["position"]), (&json!("query"), &json!("2")));
    assert_eq!(socket.next().await, json!({ "type": "complete", "id": "query" }));
    socket.send(json!({ "type": "complete", "id": "live" })).await;
    socket.send(json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await, json!({ "type": "pong" }));
    append(&server.log, &stream(), vec![completed()]).await;
    socket.send(subscribe("live", "{ head { position } }", json!({}))).await;
    assert_eq!(socket.next().await["payload"]["data"]["head"]["position"], "3", "the stopped one brings nothing");
    server.stop().await;
}

#[tokio::test]
async fn a_socket_names_what_is_wrong_with_an_operation() {
    let server = TestServer::start();
    let mut socket = Socket::open(&server).await;
    socket.begin().await;
    for (id, query) in [("1", "{ nothing }"), ("2", "{"), ("3", "subscription { nothing }")] {
        socket.send(subscribe(id, query, json!({}))).await;
        let answer = socket.next().await;
        assert_eq!((&answer["type"], &answer["id"]), (&json!("error"), &json!(id)), "{answer}");
        assert!(!text(&answer["payload"][0]["message"]).is_empty());
    }
    socket.send(json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await, json!({ "type": "pong" }), "nothing came after the errors");
    server.stop().await;
}

#[tokio::test]
async fn a_socket_that_breaks_the_protocol_is_closed_with_its_code() {
    let server = TestServer::start();
    let mut early = Socket::open(&server).await;
    early.send(subscribe("1", "{ head { position } }", json!({}))).await;
    assert_eq!(early.closed().await, 4401);
    let mut twice = Socket::open(&server).await;
    twice.begin().await;
    twice.send(json!({ "type": "connection_init" })).await;
    assert_eq!(twice.closed().await, 4429);
    let mut unknown = Socket::open(&server).await;
    unknown.send(json!({ "type": "é".repeat(200) })).await;
    assert_eq!(unknown.closed().await, 4400);
    let mut doubled = Socket::open(&server).await;
    doubled.begin().await;
    for _ in 0..2 {
        doubled.send(subscribe("1", FOLLOW, json!({ "id": unknown_id() }))).await;
    }
    assert_eq!(doubled.closed().await, 4409);
    let mut silent = Socket::open(&server).await;
    assert_eq!(silent.closed().await, 4408);
    server.stop().await;
}

#[tokio::test]
async fn a_socket_of_another_origin_is_refused() {
    let server = TestServer::start();
    let mut request = server.url("/graphql/ws").replace("http://", "ws://").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    request.headers_mut().insert(ORIGIN.as_str(), "http://evil.example".parse().unwrap());
    let refused = tokio_tungstenite::connect_async(request).await.unwrap_err();
    assert!(refused.to_string().contains("403"), "{refused}");
    let plain = server.client.get(server.url("/graphql/ws")).send().await.unwrap();
    assert_eq!(plain.status(), 426);
    server.stop().await;
}
