//! The whole log into typed values, against the same rows without values.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use timeloom_domain::execution::ExecutionEvent;

use super::{argument, median};
use crate::codec::decode;
use crate::envelope::{Position, RecordedEvent};
use crate::log::{Direction, EventLog, Filter, READ_EVENTS_MAX, TenantScope};

const ROUNDS: u64 = 3;

/// Events a second that come out of `log` and through `take`. The next page is read while this one is taken.
pub async fn replay_rate(log: &Arc<dyn EventLog>, take: fn(&RecordedEvent)) -> f64 {
    let page = |after: Position| {
        let log = Arc::clone(log);
        async move { log.read_all(TenantScope::All, after, Direction::Forward, &Filter::default(), READ_EVENTS_MAX).await }
    };
    let began = Instant::now();
    let mut count = 0;
    let mut events = page(Position::START).await.unwrap();
    while let Some(last) = events.last() {
        let next = page(last.position);
        count += events.len();
        let taking = tokio::task::spawn_blocking(move || events.iter().for_each(|event| take(event)));
        let (next, taken) = tokio::join!(next, taking);
        taken.unwrap();
        events = next.unwrap();
    }
    count as f64 / began.elapsed().as_secs_f64()
}

/// Prints what the log with these `events` events is replayed at. `bare` reads the same rows and nothing more.
pub async fn replay(log: Arc<dyn EventLog>, events: u64, bare: impl AsyncFn() -> f64) {
    let rounds = argument("rounds").unwrap_or(ROUNDS);
    println!("{events} events of ten-node executions, {rounds} rounds, medians");
    let mut rates: [Vec<f64>; 4] = Default::default();
    for _ in 0..rounds {
        rates[0].push(bare().await);
        rates[1].push(replay_rate(&log, |_| {}).await);
        rates[2].push(
            replay_rate(&log, |event| {
                std::hint::black_box(serde_json::from_str::<Value>(event.payload.get()).unwrap());
            })
            .await,
        );
        rates[3].push(
            replay_rate(&log, |event| {
                std::hint::black_box(decode::<ExecutionEvent>(event).unwrap());
            })
            .await,
        );
    }
    let [bare, rows, values, typed] = rates.map(median);
    println!("| what comes out | events/s | ratio to the bare rows |");
    println!("|---|---|---|");
    for (what, rate) in [
        ("bare rows: position and payload", bare),
        ("recorded events", rows),
        ("recorded events, payloads as JSON values", values),
        ("recorded events, payloads as typed values", typed),
    ] {
        println!("| {what} | {rate:.0} | {:.2} |", rate / bare);
    }
}
