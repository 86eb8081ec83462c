//! How long an event takes from its append to a live subscriber, at a rate that does not wait for answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use tokio::task::JoinSet;

use super::made::Maker;
use super::{argument, percentile_ms};
use crate::log::{EventLog, Filter, SubscriptionMessage, TenantScope};

const EVENTS_PER_SECOND: u64 = 5_000;
const SECONDS: u64 = 10;
/// Subscribers that get every event beside the one that measures.
const OTHER_SUBSCRIBERS: usize = 8;
/// Tasks that append in turn.
const TASKS: u64 = 64;

/// Prints the times from when an append was due to when a subscriber had its event: also what a late sender costs counts.
pub async fn latency(name: &str, log: Arc<dyn EventLog>) {
    let rate = argument("rate").unwrap_or(EVENTS_PER_SECOND);
    let events = rate * argument("seconds").unwrap_or(SECONDS);
    let subscribe = || log.subscribe(TenantScope::All, log.head(), Filter::default(), 1 << 16);
    let mut others = JoinSet::new();
    for _ in 0..OTHER_SUBSCRIBERS {
        let mut subscription = subscribe();
        others.spawn(async move { while subscription.next().await.is_some() {} });
    }
    let mut subscription = subscribe();
    let began = Instant::now() + Duration::from_millis(50);
    let due = move |number: u64| began + Duration::from_nanos(number * 1_000_000_000 / rate);
    let mut senders = JoinSet::new();
    for task in 0..TASKS {
        let log = Arc::clone(&log);
        senders.spawn(async move { send(log, task, events, due).await });
    }
    let mut times = Vec::new();
    while (times.len() as u64) < events {
        match subscription.next().await {
            Some(SubscriptionMessage::Event(event)) => {
                times.push(due(event.payload.get().parse().unwrap()).elapsed());
            }
            Some(SubscriptionMessage::CaughtUp(_) | SubscriptionMessage::Checkpoint(_)) => {}
            other => println!("the subscription ended: {other:?}"),
        }
    }
    senders.join_all().await;
    others.abort_all();
    times.sort_unstable();
    let [half, most, last] = [50, 99, 100].map(|per_cent| percentile_ms(&times, per_cent));
    println!("| {name} | {rate} | {} | {half:.2} | {most:.2} | {last:.2} |", OTHER_SUBSCRIBERS + 1);
}

/// Sends every [`TASKS`]th event when it is due, whether the ones before it are answered or not.
async fn send(log: Arc<dyn EventLog>, task: u64, events: u64, due: impl Fn(u64) -> Instant) {
    let mut maker = Maker::new(task, 1);
    let mut answers = JoinSet::new();
    for number in (task..events).step_by(TASKS as usize) {
        tokio::time::sleep_until(due(number).into()).await;
        let mut append = maker.next();
        append.expected = crate::log::Expected::Any;
        append.events[0].payload = Arc::from(RawValue::from_string(number.to_string()).unwrap());
        let log = Arc::clone(&log);
        answers.spawn(async move { log.append(append).await.unwrap() });
        while answers.try_join_next().is_some() {}
    }
    answers.join_all().await;
}
