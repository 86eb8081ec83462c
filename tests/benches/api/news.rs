//! How long after an event was recorded its subscribers have it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::client::{Client, Figure};
use crate::support::Server;
use crate::{ask, figure};

/// Subscribers at the same time.
const SOCKETS: usize = 200;
/// Events a second.
const EVENTS_PER_SECOND: u32 = 1_000;
/// Clients that make them.
const WRITERS: usize = 16;
/// How long.
const WINDOW: Duration = Duration::from_secs(5);

/// Measures and tells.
pub(crate) async fn measure(server: &Server) {
    let (told, mut ready) = mpsc::channel(SOCKETS);
    let mut sockets = JoinSet::new();
    for _ in 0..SOCKETS {
        sockets.spawn(follow(server.address.clone(), told.clone()));
    }
    for _ in 0..SOCKETS {
        ready.recv().await.unwrap();
    }
    let began = Instant::now();
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        writers.spawn(write(server.address.clone(), number, began));
    }
    let written: usize = writers.join_all().await.into_iter().sum();
    let took = began.elapsed();
    let latencies: Vec<f64> = sockets.join_all().await.into_iter().flatten().collect();
    let Figure { latencies_ms, .. } = figure(latencies, took);
    let at = |share: f64| latencies_ms[((latencies_ms.len() - 1) as f64 * share) as usize];
    println!(
        "{:<62} p50 {:>8.2} ms  p99 {:>8.2} ms  {:>7.0} events/s to {SOCKETS} sockets   aim p99 100 ms",
        "from recorded to a subscriber",
        at(0.5),
        at(0.99),
        written as f64 / took.as_secs_f64(),
    );
}

/// Makes events at its share of the pace; answers how many.
async fn write(address: String, number: usize, began: Instant) -> usize {
    let mut client = Client::connect(&address).await;
    let register = "mutation($input: RegisterInput!) { registerPlugin(input: $input) { position } }";
    let pause = Duration::from_secs(1) * u32::try_from(WRITERS).unwrap() / EVENTS_PER_SECOND;
    let (mut due, mut count) = (began, 0);
    while began.elapsed() < WINDOW {
        tokio::time::sleep_until(due.into()).await;
        due += pause;
        let name = format!("news/w{number}-{count}-{}", std::process::id());
        ask(&mut client, register, json!({ "input": { "name": name } })).await;
        count += 1;
    }
    count
}

/// How many milliseconds after they were recorded events came, for as long as they come.
async fn follow(address: String, ready: mpsc::Sender<()>) -> Vec<f64> {
    let mut request = format!("ws://{address}/graphql/ws").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let send = |value: Value| Message::text(value.to_string());
    socket.send(send(json!({ "type": "connection_init" }))).await.unwrap();
    let query = "subscription { events(filter: { categories: [\"plugin\"] }) { recordedAt } }";
    socket.next().await.unwrap().unwrap();
    socket.send(send(json!({ "id": "1", "type": "subscribe", "payload": { "query": query } }))).await.unwrap();
    // The server answers in order: a pong says that it has the subscription.
    socket.send(send(json!({ "type": "ping" }))).await.unwrap();
    socket.next().await.unwrap().unwrap();
    ready.send(()).await.unwrap();
    drop(ready);
    let mut latencies_ms = Vec::new();
    let quiet = Duration::from_secs(3);
    while let Ok(Some(Ok(message))) = tokio::time::timeout(quiet, socket.next()).await {
        let now_us = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as f64;
        let Ok(text) = message.to_text() else { continue };
        let Ok(value) = serde_json::from_str::<Value>(text) else { continue };
        let Some(recorded) = value["payload"]["data"]["events"]["recordedAt"].as_str() else { continue };
        let recorded_us = chrono::DateTime::parse_from_rfc3339(recorded).unwrap().timestamp_micros() as f64;
        latencies_ms.push((now_us - recorded_us) / 1_000.0);
    }
    latencies_ms
}
