//! What holds for payloads that do not fit a row.

use std::sync::Arc;

use super::Fresh;
use super::fixtures::{add, append_to, everything, next_event, raw, stream};
use crate::blobs::BLOB_THRESHOLD_BYTES;
use crate::envelope::{NewEvent, Payload, Position, RecordedEvent, Revision};
use crate::log::{APPEND_SPILLED_BYTES_MAX, Append, AppendError, Direction, Expected, Filter, TenantScope};

/// A payload of exactly `bytes` bytes that no other call gives.
fn payload_of(bytes: usize, letter: char) -> Payload {
    raw(&format!("\"{}\"", letter.to_string().repeat(bytes - 2)))
}

fn append_of(id: &str, payloads: &[Payload]) -> Append {
    let mut append = append_to(&stream(id), Expected::Any, payloads.len());
    for (event, payload) in append.events.iter_mut().zip(payloads) {
        event.payload = Arc::clone(payload);
    }
    append
}

fn same(given: &[NewEvent], recorded: &[Arc<RecordedEvent>]) {
    assert_eq!(given.len(), recorded.len());
    for (given, recorded) in given.iter().zip(recorded) {
        assert_eq!(given.id, recorded.id);
        // Not with assert_eq, which would print megabytes.
        assert!(given.payload.get() == recorded.payload.get(), "the payload at {} is another", recorded.position);
    }
}

/// Payloads below, at and over the threshold come back from every read, next to each other in one append.
pub async fn large_payloads_come_back_byte_for_byte(fresh: Fresh) {
    let log = &*fresh.log;
    let sizes = [(BLOB_THRESHOLD_BYTES - 1, 'a'), (BLOB_THRESHOLD_BYTES, 'b'), (BLOB_THRESHOLD_BYTES + 1, 'c')];
    let mut payloads: Vec<_> = sizes.iter().map(|(bytes, letter)| payload_of(*bytes, *letter)).collect();
    payloads.extend([payload_of(6 << 20, 'd'), raw("1"), payload_of(1 << 20, 'e')]);
    let append = append_of("large", &payloads);
    let appended = log.append(append.clone()).await.unwrap();
    same(&append.events, &appended.events);

    let forward = Direction::Forward;
    same(&append.events, &log.read_stream(&append.stream, Revision(0), forward, 10).await.unwrap());
    let mut backward = log.read_stream(&append.stream, Revision(9), Direction::Backward, 10).await.unwrap();
    backward.reverse();
    same(&append.events, &backward);
    let all = log.read_all(TenantScope::All, Position(0), forward, &Filter::default(), 10).await.unwrap();
    same(&append.events, &all);
}

/// A subscription brings them from history and live.
pub async fn subscriptions_bring_large_payloads(fresh: Fresh) {
    let log = &*fresh.log;
    let payloads: Vec<_> = ['a', 'b', 'c', 'd'].map(|letter| payload_of(7 << 20, letter)).into();
    let append = append_of("large", &payloads);
    log.append(append.clone()).await.unwrap();
    // What is in memory for subscribers is bounded: these are read from history.
    add(log, &stream("small"), 3).await;
    let mut history = everything(log, Position(0), 64);
    let mut live = everything(log, log.head(), 64);
    let brought = [next_event(&mut history).await, next_event(&mut history).await];
    same(&append.events[..2], &brought);
    let brought = [next_event(&mut history).await, next_event(&mut history).await];
    same(&append.events[2..], &brought);
    for position in 5..=7 {
        assert_eq!(next_event(&mut history).await.position, Position(position));
    }
    let later = append_of("large", &[payload_of(100_000, 'e')]);
    log.append(later.clone()).await.unwrap();
    for subscription in [&mut history, &mut live] {
        same(&later.events, &[next_event(subscription).await]);
    }
}

/// The first answer to a command has its large payloads; the same ids with others are refused.
pub async fn a_repeated_command_gives_large_payloads_again(fresh: Fresh) {
    let log = &*fresh.log;
    let append = append_of("large", &[payload_of(300_000, 'a'), raw("1")]);
    let first = log.append(append.clone()).await.unwrap();
    let again = log.append(append.clone()).await.unwrap();
    assert!(again.repeated && again.position == first.position);
    same(&append.events, &again.events);

    let mut decided_again = append_of("large", &[payload_of(300_000, 'b'), raw("2")]);
    decided_again.command_id = append.command_id;
    let again = log.append(decided_again).await.unwrap();
    assert!(again.repeated);
    same(&append.events, &again.events);

    let mut other_payload = append.clone();
    other_payload.events[0].payload = payload_of(300_000, 'c');
    assert!(matches!(log.append(other_payload).await, Err(AppendError::DuplicateId)));
    assert_eq!(log.head(), Position(2));
}

/// Nothing that somebody sends is taken for a reference to something else.
pub async fn payloads_that_look_like_references_come_back(fresh: Fresh) {
    let log = &*fresh.log;
    let real = append_of("real", &[payload_of(100_000, 'a')]);
    log.append(real.clone()).await.unwrap();
    let forged = crate::spill::PayloadReference::to(&real.events[0].payload).to_string();
    let texts = [r#"{"$blob":1}"#, r#"{"$blob":{"hash":"x"}}"#, &forged, r#"{ "$blob":1}"#, r#"{"a":1,"$blob":{}}"#];
    let append = append_of("forged", &texts.map(raw));
    let appended = log.append(append.clone()).await.unwrap();
    same(&append.events, &appended.events);
    same(&append.events, &log.read_stream(&append.stream, Revision(0), Direction::Forward, 10).await.unwrap());
    assert!(log.append(append).await.unwrap().repeated);
}

/// The sum of the large payloads of one append is bounded, and nothing is written over the bound.
pub async fn too_many_large_payloads_are_refused(fresh: Fresh) {
    let log = &*fresh.log;
    let payload = payload_of(1 << 20, 'a');
    let append = append_of("large", &vec![payload; (APPEND_SPILLED_BYTES_MAX >> 20) + 1]);
    let outcome = log.append(append).await;
    assert!(matches!(outcome, Err(AppendError::TooLarge { max: APPEND_SPILLED_BYTES_MAX, .. })));
    assert_eq!(log.head(), Position::START);
}
