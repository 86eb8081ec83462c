//! A WebSocket whose client does not read is closed with the position after which it can go on, and loses nothing.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use timeloom_read_api::GraphqlOptions;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::live::stream;
use crate::support::{TestServer, append, node_completed, started, text, unknown_id};

/// How long a message may take to leave in this test.
const SEND_WAIT: Duration = Duration::from_millis(200);
/// How long the client does not read.
const STILL: Duration = Duration::from_secs(4);
/// Bytes that the client's end of the connection holds.
const RECEIVED_BYTES: u32 = 4_096;
/// Bytes of what each node run gives.
const ITEM_BYTES: usize = 50_000;
/// Appends of twenty node runs each: more than both ends of a connection hold.
const APPENDS: usize = 10;

type Socket = tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>;

async fn follow(server: &TestServer, after: u64) -> Socket {
    let mut request = server.url("/graphql/ws").replace("http://", "ws://").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    let connection = tokio::net::TcpSocket::new_v4().unwrap();
    connection.set_recv_buffer_size(RECEIVED_BYTES).unwrap();
    let connection = connection.connect(([127, 0, 0, 1], server.port).into()).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, connection).await.unwrap();
    let query = "subscription($id: UUID!, $after: Position) { execution(id: $id, after: $after) { position payload } }";
    let variables = json!({ "id": unknown_id(), "after": after });
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": { "query": query, "variables": variables } });
    for message in [json!({ "type": "connection_init" }), subscribe] {
        socket.send(Message::text(message.to_string())).await.unwrap();
    }
    assert_eq!(heard(&mut socket).await.unwrap()["type"], "connection_ack");
    socket
}

/// The next message, or the code and the reason with which the socket was closed.
async fn heard(socket: &mut Socket) -> Result<Value, (u16, String)> {
    loop {
        match tokio::time::timeout(Duration::from_secs(30), socket.next()).await.unwrap().unwrap().unwrap() {
            Message::Text(text) => return Ok(serde_json::from_str(&text).unwrap()),
            Message::Close(frame) => {
                let frame = frame.unwrap();
                return Err((frame.code.into(), frame.reason.to_string()));
            }
            _ => {}
        }
    }
}

fn position(message: &Value) -> u64 {
    text(&message["payload"]["data"]["execution"]["position"]).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_closed_and_goes_on_where_the_reason_says() {
    let options = GraphqlOptions { socket_send_wait: SEND_WAIT, ..GraphqlOptions::default() };
    let server = TestServer::start_with(options);
    append(&server.log, &stream(), vec![started(&unknown_id().to_string())]).await;
    let mut next = 0..;
    for _ in 0..APPENDS {
        let run = |index| node_completed("Fill", index, json!({ "filling": "x".repeat(ITEM_BYTES) }));
        let runs = next.by_ref().take(20).map(run).collect();
        append(&server.log, &stream(), runs).await;
    }
    let mut socket = follow(&server, 0).await;
    assert_eq!(position(&heard(&mut socket).await.unwrap()), 1);
    // That a client does not read shows in nothing but the time that goes by.
    tokio::time::sleep(STILL).await;
    let mut last = 1;
    let (code, reason) = loop {
        match heard(&mut socket).await {
            Ok(message) => {
                assert_eq!(position(&message), last + 1);
                last += 1;
            }
            Err(closed) => break closed,
        }
    };
    assert_eq!((code, reason), (4503, format!("slow consumer: resume after position {last}")));
    assert!(last < server.log_head().parse().unwrap(), "it was closed before it had everything");
    let mut again = follow(&server, last).await;
    assert_eq!(position(&heard(&mut again).await.unwrap()), last + 1);
    server.stop().await;
}
