//! What holds while many write and read at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use super::Fresh;
use super::fixtures::{TENANT, add, append_typed, everything, next, positions, stream};
use crate::envelope::{Position, StreamKey};
use crate::log::{Direction, EventLog, Expected, Filter, SubscriptionMessage, TenantScope};

const WRITERS: usize = 64;
const APPENDS_PER_WRITER: usize = 20;
const EVENTS_PER_APPEND: usize = 3;
const EVENTS: u64 = (WRITERS * APPENDS_PER_WRITER * EVENTS_PER_APPEND) as u64;

fn start_writers(log: &Arc<dyn EventLog>) -> JoinSet<()> {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let log = Arc::clone(log);
        writers.spawn(async move {
            for number in 0..APPENDS_PER_WRITER {
                // Most streams are written by several writers.
                let appended = add(&*log, &stream(&format!("s{}", (writer + number) % 24)), EVENTS_PER_APPEND).await;
                assert!(log.head() >= appended.position, "answered before it is visible");
            }
        });
    }
    writers
}

/// With 64 writers, a reader that goes on from the last position that it saw never misses an event.
pub async fn positions_are_gapless_and_seen_in_order(fresh: Fresh) {
    let done = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for _ in 0..4 {
        let (log, done) = (Arc::clone(&fresh.log), Arc::clone(&done));
        readers.spawn(async move {
            let mut last = Position::START;
            loop {
                let finished = done.load(Ordering::Acquire);
                let head = log.head();
                let scope = TenantScope::All;
                let events = log.read_all(scope, last, Direction::Forward, &Filter::default(), 500).await.unwrap();
                for event in &events {
                    assert_eq!(event.position.0, last.0 + 1, "a gap after {last}");
                    last = event.position;
                }
                assert!(last >= head || events.len() == 500, "the head was {head}, and only {last} can be read");
                if finished && events.is_empty() {
                    return last;
                }
                tokio::task::yield_now().await;
            }
        });
    }
    start_writers(&fresh.log).join_all().await;
    done.store(true, Ordering::Release);
    for last in readers.join_all().await {
        assert_eq!(last.0, EVENTS);
    }
    for number in 0..24 {
        let stream = stream(&format!("s{number}"));
        let events =
            fresh.log.read_stream(&stream, crate::envelope::Revision(0), Direction::Forward, 1_000).await.unwrap();
        assert!(events.iter().zip(1u64..).all(|(event, revision)| event.revision.0 == revision));
        assert!(events.is_sorted_by(|earlier, later| earlier.position < later.position));
    }
}

/// Subscribers that come while 64 writers write get every event once and in order, wherever they begin.
pub async fn history_runs_into_live_without_gap_or_double(fresh: Fresh) {
    let mut writers = start_writers(&fresh.log);
    let mut subscribers = JoinSet::new();
    for number in 0..24u64 {
        let log = Arc::clone(&fresh.log);
        subscribers.spawn(async move {
            log.wait_for(Position(number * EVENTS / 30)).await.unwrap();
            let after = Position(if number % 2 == 0 { 0 } else { log.head().0 / 2 });
            let mut last = after;
            let mut caught_up = false;
            let mut subscription = everything(&*log, after, 64);
            while last.0 < EVENTS {
                match next(&mut subscription).await {
                    SubscriptionMessage::Event(event) => {
                        assert_eq!(event.position.0, last.0 + 1);
                        last = event.position;
                    }
                    SubscriptionMessage::CaughtUp(position) => {
                        assert!(!caught_up && position == last, "caught up at {position} after {last}");
                        caught_up = true;
                    }
                    SubscriptionMessage::Checkpoint(position) => assert!(position <= last),
                    SubscriptionMessage::FellBehind(position) => {
                        assert_eq!(position, last);
                        caught_up = false;
                        subscription = everything(&*log, last, 64);
                    }
                    SubscriptionMessage::Failed(error) => panic!("{error}"),
                }
            }
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.unwrap();
    }
    subscribers.join_all().await;
}

/// Subscribers with filters that resume from whatever position they were told last, an event's or a checkpoint's, get every
/// event that passes once and in order while many write.
pub async fn filters_and_checkpoints_lose_nothing_while_many_write(fresh: Fresh) {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let log = Arc::clone(&fresh.log);
        writers.spawn(async move {
            let category = if writer % 2 == 0 { "order" } else { "invoice" };
            let stream = StreamKey::new(TENANT, category, format!("s{}", writer % 8));
            for number in 0..APPENDS_PER_WRITER {
                let event_type = if (writer + number).is_multiple_of(16) { "Rare" } else { "Boring" };
                log.append(append_typed(&stream, Expected::Any, EVENTS_PER_APPEND, event_type)).await.unwrap();
            }
        });
    }
    let mut subscribers = JoinSet::new();
    for number in 0..12usize {
        let filter = match number % 3 {
            0 => Filter { event_types: vec!["Rare".into()], ..Filter::default() },
            1 => Filter { stream: Some(stream("s2")), ..Filter::default() },
            _ => Filter { categories: vec!["order".into()], event_types: vec!["Rare".into()], stream: None },
        };
        let log = Arc::clone(&fresh.log);
        subscribers.spawn(async move { (follow_to_the_end(&*log, &filter, 3 + number * 4).await, filter) });
    }
    while let Some(writer) = writers.join_next().await {
        writer.unwrap();
    }
    // Passes every filter: whoever has seen it has seen all.
    fresh.log.append(append_typed(&stream("s2"), Expected::Exists, 1, "Rare")).await.unwrap();
    for (seen, filter) in subscribers.join_all().await {
        let scope = TenantScope::All;
        let wanted = fresh.log.read_all(scope, Position(0), Direction::Forward, &filter, 1_000).await.unwrap();
        assert!(!wanted.is_empty() && wanted.len() < 1_000);
        assert_eq!(seen, positions(&wanted), "{filter:?}");
    }
}

/// The positions that a subscriber sees which subscribes again each time it went on `steps` times.
async fn follow_to_the_end(log: &dyn EventLog, filter: &Filter, steps: usize) -> Vec<u64> {
    let mut seen = Vec::new();
    let mut known = Position::START;
    while known.0 <= EVENTS {
        let mut subscription = log.subscribe(TenantScope::All, known, filter.clone(), 16);
        let mut left = steps;
        while left > 0 && known.0 <= EVENTS {
            let before = known;
            match next(&mut subscription).await {
                SubscriptionMessage::Event(event) => {
                    assert!(event.position > known, "{} comes after {known}", event.position);
                    seen.push(event.position.0);
                    known = event.position;
                }
                SubscriptionMessage::Checkpoint(position) | SubscriptionMessage::CaughtUp(position) => {
                    assert!(position >= known);
                    known = position;
                }
                SubscriptionMessage::FellBehind(position) => {
                    assert!(position >= known);
                    known = position;
                    break;
                }
                SubscriptionMessage::Failed(error) => panic!("{error}"),
            }
            left -= usize::from(known > before);
        }
    }
    seen
}
