//! What a subscription promises.

use std::sync::Arc;

use super::Fresh;
use super::fixtures::{add, append_to, append_typed, everything, next, next_event, raw, stream};
use crate::envelope::Position;
use crate::log::{Append, Expected, Filter, SubscriptionMessage, TenantScope};
use crate::tail::SUBSCRIPTION_BYTES_MAX;

/// At the head there is no history: live at once, and each append comes in its order.
pub async fn a_subscription_at_the_head_is_live_at_once(fresh: Fresh) {
    let log = &*fresh.log;
    add(log, &stream("a"), 3).await;
    let mut subscription = everything(log, log.head(), 64);
    assert!(matches!(subscription.try_next(), Some(SubscriptionMessage::CaughtUp(Position(3)))));
    add(log, &stream("a"), 2).await;
    // The answer to an append comes after subscribers have it.
    for position in [4, 5] {
        let message = subscription.try_next();
        assert!(
            matches!(&message, Some(SubscriptionMessage::Event(event)) if event.position.0 == position),
            "{message:?}"
        );
    }
    assert!(subscription.try_next().is_none());
}

/// A subscriber to one stream gets its history and its live events and nothing of others.
pub async fn a_stream_subscription_brings_its_stream_only(fresh: Fresh) {
    let log = &*fresh.log;
    let mine = stream("mine");
    add(log, &mine, 2).await;
    for _ in 0..12 {
        log.append(append_to(&stream("other"), Expected::Any, 500)).await.unwrap();
    }
    add(log, &mine, 1).await;
    let filter = Filter { stream: Some(mine.clone()), ..Filter::default() };
    let mut from_start = log.subscribe(TenantScope::All, Position::START, filter.clone(), 8);
    let mut from_middle = log.subscribe(TenantScope::All, Position(2), filter, 8);
    assert_eq!(next_event(&mut from_start).await.revision.0, 1);
    assert_eq!(next_event(&mut from_start).await.revision.0, 2);
    for subscription in [&mut from_start, &mut from_middle] {
        assert_eq!(next_event(subscription).await.revision.0, 3);
        loop {
            if let SubscriptionMessage::CaughtUp(position) = next(subscription).await {
                assert_eq!(position, log.head());
                break;
            }
        }
    }
    add(log, &stream("other"), 5).await;
    add(log, &mine, 2).await;
    for subscription in [&mut from_start, &mut from_middle] {
        assert_eq!(next_event(subscription).await.revision.0, 4);
        assert_eq!(next_event(subscription).await.revision.0, 5);
        assert!(subscription.try_next().is_none());
    }
}

/// A reader whose filter skips much learns how far the log is, in history and live.
pub async fn a_filter_that_skips_gives_checkpoints(fresh: Fresh) {
    let log = &*fresh.log;
    for _ in 0..30 {
        log.append(append_typed(&stream("a"), Expected::Any, 1_000, "Boring")).await.unwrap();
    }
    log.append(append_typed(&stream("a"), Expected::Any, 1, "Rare")).await.unwrap();
    let filter = Filter { event_types: vec![Arc::from("Rare")], ..Filter::default() };
    let mut subscription = log.subscribe(TenantScope::All, Position::START, filter, 16);
    let mut checkpoints = 0;
    loop {
        match next(&mut subscription).await {
            SubscriptionMessage::Checkpoint(position) => {
                checkpoints += 1;
                assert!(position > Position::START && position <= Position(30_001));
            }
            SubscriptionMessage::Event(event) => assert_eq!(event.position, Position(30_001)),
            SubscriptionMessage::CaughtUp(position) => {
                assert_eq!(position, Position(30_001));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(checkpoints > 0, "history gave no checkpoint");
    log.append(append_typed(&stream("a"), Expected::Any, 1_000, "Boring")).await.unwrap();
    assert!(matches!(next(&mut subscription).await, SubscriptionMessage::Checkpoint(Position(31_001))));
}

/// A reader that does not read is told where it fell behind and let go; its queue stays as long as asked for.
pub async fn a_slow_subscriber_is_told_and_can_resume(fresh: Fresh) {
    let log = &*fresh.log;
    let capacity = 32;
    let mut slow = everything(log, Position::START, capacity);
    let mut quick = everything(log, Position::START, 1_000);
    for _ in 0..100 {
        add(log, &stream("a"), 3).await;
    }
    let mut seen = Vec::new();
    let mut messages = 0;
    let resume_from = loop {
        messages += 1;
        match next(&mut slow).await {
            SubscriptionMessage::Event(event) => seen.push(event.position.0),
            SubscriptionMessage::FellBehind(position) => break position,
            SubscriptionMessage::CaughtUp(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(messages <= capacity + 1, "{messages} messages were kept for a queue of {capacity}");
    assert!(slow.next().await.is_none(), "it goes on after FellBehind");
    assert_eq!(seen, (1..=resume_from.0).collect::<Vec<_>>());

    let mut resumed = everything(log, resume_from, capacity);
    for position in resume_from.0 + 1..=300 {
        assert_eq!(next_event(&mut resumed).await.position.0, position);
    }
    for position in 1..=300 {
        assert_eq!(next_event(&mut quick).await.position.0, position, "of the reader that kept up");
    }
}

/// However many messages a queue may have, it holds a bounded number of bytes; one event may be larger than that.
pub async fn a_queue_is_bounded_by_bytes_too(fresh: Fresh) {
    let log = &*fresh.log;
    let large = SUBSCRIPTION_BYTES_MAX / 4 - 1_000;
    let mut slow = everything(log, Position::START, 1_000);
    for _ in 0..6 {
        log.append(append_large(large)).await.unwrap();
    }
    log.append(append_large(SUBSCRIPTION_BYTES_MAX + 10)).await.unwrap();
    for position in 1..=4 {
        assert_eq!(next_event(&mut slow).await.position.0, position);
    }
    let message = slow.next().await;
    assert!(matches!(message, Some(SubscriptionMessage::FellBehind(Position(4)))), "{message:?}");
    assert!(slow.next().await.is_none(), "it goes on after FellBehind");

    // History waits for its reader instead, and brings what alone is more than the queue holds.
    let mut from_history = everything(log, Position::START, 1_000);
    for position in 1..=7 {
        assert_eq!(next_event(&mut from_history).await.position.0, position);
    }
    loop {
        if let SubscriptionMessage::CaughtUp(position) = next(&mut from_history).await {
            assert_eq!(position, Position(7));
            break;
        }
    }
    log.append(append_large(SUBSCRIPTION_BYTES_MAX + 10)).await.unwrap();
    assert_eq!(next_event(&mut from_history).await.position, Position(8));
}

fn append_large(bytes: usize) -> Append {
    let mut append = append_to(&stream("large"), Expected::Any, 1);
    append.events[0].payload = raw(&format!("\"{}\"", "x".repeat(bytes - 2)));
    append
}
