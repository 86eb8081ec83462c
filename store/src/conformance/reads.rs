//! What a read promises.

use std::sync::Arc;
use std::time::Duration;

use timeloom_domain::ids::{EventId, TenantId};

use super::Fresh;
use super::fixtures::{PATIENCE, add, append_to, append_typed, positions, revisions, stream};
use crate::envelope::{Position, Revision, StreamKey};
use crate::log::{Direction, Expected, Filter, READ_EVENTS_MAX, TenantScope, Wanted};

/// Forward after a revision, backward from one, never more than asked for or allowed; what is not there is empty.
pub async fn streams_are_read_both_ways_within_limits(fresh: Fresh) {
    let log = &*fresh.log;
    let mine = stream("mine");
    for _ in 0..4 {
        add(log, &mine, 3).await;
        add(log, &stream("other"), 2).await;
    }
    let forward = Direction::Forward;
    let backward = Direction::Backward;
    for (after, direction, limit, expected) in [
        (0, forward, 100, (1..=12).collect::<Vec<u64>>()),
        (4, forward, 3, vec![5, 6, 7]),
        (12, forward, 100, vec![]),
        (u64::MAX, forward, 100, vec![]),
        (u64::MAX, backward, 4, vec![12, 11, 10, 9]),
        (5, backward, 100, vec![5, 4, 3, 2, 1]),
        (5, backward, 2, vec![5, 4]),
        (0, backward, 100, vec![]),
        (0, forward, 0, vec![]),
    ] {
        let read = log.read_stream(&mine, Revision(after), direction, limit).await.unwrap();
        assert_eq!(revisions(&read), expected, "{direction:?} after {after}, at most {limit}");
        assert!(read.iter().all(|event| event.stream == mine));
    }
    assert!(log.read_stream(&stream("none"), Revision(0), forward, 10).await.unwrap().is_empty());

    let long = stream("long");
    log.append(append_to(&long, Expected::Any, 1_000)).await.unwrap();
    add(log, &long, 10).await;
    assert_eq!(log.read_stream(&long, Revision(0), forward, usize::MAX).await.unwrap().len(), READ_EVENTS_MAX);
    // Old events and the newest ones may lie in different places: a short page of either, and one across both.
    for (after, limit) in [(0, 5), (990, 10), (998, 5), (1_000, 5)] {
        let read = log.read_stream(&long, Revision(after), forward, limit).await.unwrap();
        assert_eq!(revisions(&read), (after + 1..=after + limit as u64).collect::<Vec<u64>>(), "{limit} after {after}");
    }
    for (before, limit) in [(5, 5), (1_000, 10), (1_002, 5), (1_010, 5)] {
        let read = log.read_stream(&long, Revision(before), backward, limit).await.unwrap();
        let expected = (before - limit as u64 + 1..=before).rev().collect::<Vec<u64>>();
        assert_eq!(revisions(&read), expected, "{limit} back from {before}");
    }
}

/// By position and by id, in the order of the log; what is not there, or is another tenant's, is left out.
pub async fn named_events_are_looked_up_at_once(fresh: Fresh) {
    let log = &*fresh.log;
    let other = StreamKey { tenant: TenantId(9), ..stream("theirs") };
    for _ in 0..3 {
        add(log, &stream("mine"), 2).await;
        add(log, &other, 1).await;
    }
    let all =
        log.read_all(TenantScope::All, Position::START, Direction::Forward, &Filter::default(), 100).await.unwrap();
    let ids: Vec<EventId> = all.iter().map(|event| event.id).collect();
    let by_position =
        |positions: &[u64]| Wanted::Positions(positions.iter().map(|position| Position(*position)).collect());
    let unknown = EventId(uuid::Uuid::from_u128(1));
    let by_id = Wanted::Ids(vec![ids[7], unknown, ids[2], ids[0], ids[0]]);
    for (wanted, everybodys, mine) in [
        (by_position(&[5, 2, 99, 3, 0, 2]), vec![2, 3, 5], vec![2, 5]),
        (by_id, vec![1, 3, 8], vec![1, 8]),
        (by_position(&[]), vec![], vec![]),
        (Wanted::Ids(vec![unknown]), vec![], vec![]),
    ] {
        let found = log.look_up(TenantScope::All, &wanted).await.unwrap();
        assert_eq!(positions(&found), everybodys, "{wanted:?}");
        assert!(found.iter().all(|event| all.contains(event)), "as they are");
        let tenant = stream("mine").tenant;
        assert_eq!(positions(&log.look_up(TenantScope::One(tenant), &wanted).await.unwrap()), mine, "{wanted:?}");
    }
}

/// The same for the whole log.
pub async fn the_log_is_read_both_ways_within_limits(fresh: Fresh) {
    let log = &*fresh.log;
    for number in 0..6 {
        add(log, &stream(&format!("s{}", number % 2)), 2).await;
    }
    let forward = Direction::Forward;
    let backward = Direction::Backward;
    for (after, direction, limit, expected) in [
        (0, forward, 100, (1..=12).collect::<Vec<u64>>()),
        (4, forward, 3, vec![5, 6, 7]),
        (12, forward, 100, vec![]),
        (u64::MAX, backward, 3, vec![12, 11, 10]),
        (5, backward, 100, vec![5, 4, 3, 2, 1]),
        (0, backward, 100, vec![]),
    ] {
        let read = log.read_all(TenantScope::All, Position(after), direction, &Filter::default(), limit).await.unwrap();
        assert_eq!(positions(&read), expected, "{direction:?} after {after}, at most {limit}");
    }
    log.append(append_to(&stream("long"), Expected::Any, 1_000)).await.unwrap();
    let all = log.read_all(TenantScope::All, Position(0), forward, &Filter::default(), usize::MAX).await.unwrap();
    assert_eq!(all.len(), READ_EVENTS_MAX);
}

/// Categories, types and stream each narrow what is read; together they narrow it more.
pub async fn reads_are_filtered(fresh: Fresh) {
    let log = &*fresh.log;
    let order = stream("o1");
    let invoice = StreamKey::new(order.tenant, "invoice", "o1");
    for (stream, event_type) in [(&order, "Placed"), (&invoice, "Written"), (&order, "Paid"), (&invoice, "Paid")] {
        log.append(append_typed(stream, Expected::Any, 2, event_type)).await.unwrap();
    }
    let names = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect::<Vec<Arc<str>>>();
    let filter = |categories: &[&str], event_types: &[&str], stream: Option<&StreamKey>| Filter {
        categories: names(categories),
        event_types: names(event_types),
        stream: stream.cloned(),
    };
    for (filter, expected) in [
        (filter(&["order"], &[], None), vec![1, 2, 5, 6]),
        (filter(&[], &["Paid", "Placed"], None), vec![1, 2, 5, 6, 7, 8]),
        (filter(&["invoice"], &["Paid"], None), vec![7, 8]),
        (filter(&["order", "invoice"], &["Written"], None), vec![3, 4]),
        (filter(&[], &[], Some(&invoice)), vec![3, 4, 7, 8]),
        (filter(&["order"], &["Paid"], Some(&order)), vec![5, 6]),
        (filter(&["invoice"], &[], Some(&order)), vec![]),
        (filter(&["nothing"], &[], None), vec![]),
    ] {
        let mut read = log.read_all(TenantScope::All, Position(0), Direction::Forward, &filter, 100).await.unwrap();
        assert_eq!(positions(&read), expected, "forward, {filter:?}");
        read = log.read_all(TenantScope::All, Position(7), Direction::Backward, &filter, 3).await.unwrap();
        let backward: Vec<u64> = expected.into_iter().rev().filter(|position| *position <= 7).take(3).collect();
        assert_eq!(positions(&read), backward, "backward, {filter:?}");
    }
}

/// Streams of the same name of two tenants are two streams, and a read for one tenant has nothing of the other's.
pub async fn tenants_are_apart(fresh: Fresh) {
    let log = &*fresh.log;
    let of = |tenant: u32| StreamKey::new(TenantId(tenant), "order", "same");
    log.append(append_to(&of(1), Expected::NoStream, 2)).await.unwrap();
    log.append(append_to(&of(2), Expected::NoStream, 3)).await.unwrap();
    assert_eq!(log.read_stream(&of(1), Revision(0), Direction::Forward, 10).await.unwrap().len(), 2);

    let mine = TenantScope::One(TenantId(1));
    let all = Filter::default();
    assert_eq!(positions(&log.read_all(mine, Position(0), Direction::Forward, &all, 10).await.unwrap()), [1, 2]);
    assert_eq!(positions(&log.read_all(mine, Position(5), Direction::Backward, &all, 10).await.unwrap()), [2, 1]);
    let others_stream = Filter { stream: Some(of(2)), ..Filter::default() };
    assert!(log.read_all(mine, Position(0), Direction::Forward, &others_stream, 10).await.unwrap().is_empty());

    let mut history = log.subscribe(mine, Position(0), all.clone(), 16);
    let mut live = log.subscribe(mine, log.head(), others_stream, 16);
    log.append(append_to(&of(2), Expected::Any, 1)).await.unwrap();
    log.append(append_to(&of(1), Expected::Any, 1)).await.unwrap();
    for position in [1, 2, 7] {
        assert_eq!(super::fixtures::next_event(&mut history).await.position.0, position);
    }
    while let Some(message) = live.try_next() {
        assert!(!matches!(message, crate::log::SubscriptionMessage::Event(_)), "{message:?}");
    }
}

/// A time finds the newest event that is not later.
pub async fn a_time_finds_its_position(fresh: Fresh) {
    let log = &*fresh.log;
    assert_eq!(log.position_at(i64::MAX).await.unwrap(), Position::START);
    for _ in 0..7 {
        add(log, &stream("a"), 3).await;
    }
    let all = log.read_all(TenantScope::All, Position(0), Direction::Forward, &Filter::default(), 100).await.unwrap();
    for (index, event) in all.iter().enumerate() {
        let at = event.recorded_at.timestamp_micros();
        assert_eq!(log.position_at(at).await.unwrap(), event.position);
        assert_eq!(log.position_at(at - 1).await.unwrap().0, index as u64);
    }
    assert_eq!(log.position_at(i64::MAX).await.unwrap(), Position(21));
    assert_eq!(log.position_at(i64::MIN).await.unwrap(), Position::START);
}

/// Waiting ends at once for what is there, and when it comes for what is not.
pub async fn waiting_ends_when_the_position_is_there(fresh: Fresh) {
    let log = &*fresh.log;
    add(log, &stream("a"), 2).await;
    log.wait_for(Position(2)).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(20), log.wait_for(Position(4))).await.is_err());
    let (waited, _) = tokio::join!(tokio::time::timeout(PATIENCE, log.wait_for(Position(4))), async {
        add(log, &stream("a"), 1).await;
        add(log, &stream("b"), 1).await
    });
    waited.unwrap().unwrap();
    assert_eq!(log.head(), Position(4));
}
