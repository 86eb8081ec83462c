//! What an append promises.

use std::sync::Arc;

use serde_json::value::RawValue;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::ids::{Actor, CommandId, EventId};
use tokio::task::JoinSet;

use super::Fresh;
use super::fixtures::{
    TENANT, add, append_to, append_typed, event_of, everything, metadata, new_id, next_event, positions, raw,
    read_everything, revisions, stream,
};
use crate::blobs::BLOB_THRESHOLD_BYTES;
use crate::codec::decode;
use crate::envelope::{Metadata, Position, Revision, StreamKey};
use crate::log::{
    APPEND_BYTES_MAX, APPEND_EVENTS_MAX, Append, AppendError, AskedDurability, Direction, Durability, Expected, Filter,
    STRICT_CATEGORIES, TenantScope,
};

/// `Any`, `NoStream`, `Exists` and `Exact` mean what they say, and a refusal says where the stream is.
pub async fn expected_revisions_are_checked(fresh: Fresh) {
    let log = &*fresh.log;
    let stream = stream("a");
    for (expected, accepted) in [
        (Expected::Exists, false),
        (Expected::Exact(Revision(1)), false),
        (Expected::NoStream, true),
        (Expected::NoStream, false),
        (Expected::Exists, true),
        (Expected::Exact(Revision(3)), false),
        (Expected::Exact(Revision(4)), true),
        (Expected::Any, true),
    ] {
        let before = log.head();
        let outcome = log.append(append_to(&stream, expected, 2)).await;
        match outcome {
            Ok(appended) => {
                assert!(accepted, "{expected:?} was accepted at {before}");
                assert_eq!(appended.position.0, before.0 + 2);
                assert_eq!(appended.revision.0, before.0 + 2);
                assert_eq!(revisions(&appended.events), [before.0 + 1, before.0 + 2]);
                assert!(!appended.repeated);
            }
            Err(AppendError::WrongRevision { actual, expected: asked, stream: of }) => {
                assert!(!accepted, "{expected:?} was refused at {before}");
                assert_eq!((actual.0, asked, of), (before.0, expected, stream.clone()));
                assert_eq!(log.head(), before);
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// Of many appends that expect the same revision exactly one is made.
pub async fn one_of_many_racing_appends_wins(fresh: Fresh) {
    let stream = stream("raced");
    for round in 0..10u64 {
        let mut racers = JoinSet::new();
        for _ in 0..16 {
            let (log, append) = (Arc::clone(&fresh.log), append_to(&stream, Expected::Exact(Revision(round)), 1));
            racers.spawn(async move { log.append(append).await });
        }
        let outcomes = racers.join_all().await;
        let winners = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let losers =
            outcomes.iter().filter(|outcome| matches!(outcome, Err(AppendError::WrongRevision { .. }))).count();
        assert_eq!((winners, losers), (1, 15), "in round {round}");
        assert_eq!(fresh.log.head().0, round + 1);
    }
}

/// A command sent again appends nothing and gets the first answer, whatever is expected and however it was decided again.
pub async fn a_repeated_command_gives_the_first_answer(fresh: Fresh) {
    let log = &*fresh.log;
    let stream = stream("a");
    let append = append_to(&stream, Expected::NoStream, 3);
    let first = log.append(append.clone()).await.unwrap();
    add(log, &stream, 2).await;
    let head = log.head();

    let again = log.append(append.clone()).await.unwrap();
    assert!(again.repeated && !first.repeated);
    assert_eq!((again.position, again.revision, &again.events), (first.position, first.revision, &first.events));

    let mut decided_again = append_to(&stream, Expected::Exact(Revision(5)), 3);
    decided_again.command_id = append.command_id;
    let again = log.append(decided_again).await.unwrap();
    assert!(again.repeated);
    assert_eq!(again.events, first.events);
    assert_eq!(log.head(), head);

    let mut at_once = JoinSet::new();
    let append = append_to(&stream, Expected::Any, 2);
    for _ in 0..8 {
        let (log, append) = (Arc::clone(&fresh.log), append.clone());
        at_once.spawn(async move { log.append(append).await.unwrap() });
    }
    let answers = at_once.join_all().await;
    assert_eq!(answers.iter().filter(|answer| !answer.repeated).count(), 1);
    assert!(answers.iter().all(|answer| positions(&answer.events) == [head.0 + 1, head.0 + 2]));
    assert_eq!(log.head().0, head.0 + 2);
}

/// Ids that are taken are refused unless everything is the same; another stream may see the same command.
pub async fn ids_with_other_content_are_refused(fresh: Fresh) {
    let log = &*fresh.log;
    let stream_a = stream("a");
    let append = append_to(&stream_a, Expected::Any, 2);
    log.append(append.clone()).await.unwrap();
    let head = log.head();

    let mut other_payload = append.clone();
    other_payload.events[1].payload = raw(r#"{"n":99}"#);
    let mut other_type = append.clone();
    other_type.events[0].event_type = "Else".into();
    let mut fewer = append.clone();
    fewer.events.truncate(1);
    let mut other_command = append.clone();
    other_command.command_id = CommandId(new_id());
    let mut twice_in_itself = append_to(&stream_a, Expected::Any, 2);
    twice_in_itself.events[1].id = twice_in_itself.events[0].id;
    let mut late_in_another_stream = append_to(&stream("b"), Expected::Any, 3);
    late_in_another_stream.events[2].id = append.events[0].id;
    for refused in [other_payload, other_type, fewer, other_command, twice_in_itself, late_in_another_stream] {
        let outcome = log.append(refused).await;
        assert!(matches!(outcome, Err(AppendError::DuplicateId)), "{outcome:?}");
    }
    assert_eq!(log.head(), head);

    let mut same_command = append_to(&stream("b"), Expected::NoStream, 1);
    same_command.command_id = append.command_id;
    assert!(!log.append(same_command).await.unwrap().repeated);
}

/// Appends that are refused for any reason leave those that wait with them alone.
pub async fn a_refused_append_does_not_fail_its_neighbours(fresh: Fresh) {
    let taken = append_to(&stream("taken"), Expected::Any, 1);
    fresh.log.append(taken.clone()).await.unwrap();
    let mut appends = JoinSet::new();
    for number in 0..60 {
        let stream = stream(&format!("s{number}"));
        let mut append = append_to(&stream, Expected::NoStream, 2);
        match number % 3 {
            1 => append.expected = Expected::Exists,
            2 => append.events[1].id = taken.events[0].id,
            _ => {}
        }
        let log = Arc::clone(&fresh.log);
        appends.spawn(async move { (number % 3, log.append(append).await) });
    }
    for (kind, outcome) in appends.join_all().await {
        match kind {
            0 => assert!(outcome.is_ok(), "{outcome:?}"),
            1 => assert!(matches!(outcome, Err(AppendError::WrongRevision { .. })), "{outcome:?}"),
            _ => assert!(matches!(outcome, Err(AppendError::DuplicateId)), "{outcome:?}"),
        }
    }
    let log = &*fresh.log;
    let all = log.read_all(TenantScope::All, Position(0), Direction::Forward, &Filter::default(), 1_000).await.unwrap();
    assert_eq!(positions(&all), (1..=41).collect::<Vec<u64>>());
    assert_eq!(log.head(), Position(41));
}

/// More events or bytes than allowed are refused before anything is written.
pub async fn too_large_appends_are_refused(fresh: Fresh) {
    let log = &*fresh.log;
    let stream = stream("large");
    let outcome = log.append(append_to(&stream, Expected::Any, APPEND_EVENTS_MAX + 1)).await;
    assert!(
        matches!(outcome, Err(AppendError::TooLarge { actual, max, .. }) if actual == max + 1 && max == APPEND_EVENTS_MAX)
    );
    // As large as a payload can be that does not go into a blob.
    let payload = raw(&format!("\"{}\"", "x".repeat(BLOB_THRESHOLD_BYTES - 2)));
    let fit = APPEND_BYTES_MAX / (BLOB_THRESHOLD_BYTES + 1_000);
    let mut append = append_to(&stream, Expected::Any, APPEND_BYTES_MAX / BLOB_THRESHOLD_BYTES);
    append.events.iter_mut().for_each(|event| event.payload = Arc::clone(&payload));
    let outcome = log.append(append.clone()).await;
    assert!(matches!(outcome, Err(AppendError::TooLarge { max: APPEND_BYTES_MAX, .. })));
    assert_eq!(log.head(), Position::START);
    // As large as allowed is allowed.
    append.events.truncate(fit);
    log.append(append).await.unwrap();
    let most = log.append(append_to(&stream, Expected::Exists, APPEND_EVENTS_MAX)).await.unwrap();
    assert_eq!(most.events.len(), APPEND_EVENTS_MAX);
}

/// No events: the expectation is checked and nothing is written.
pub async fn an_append_without_events_only_checks(fresh: Fresh) {
    let log = &*fresh.log;
    let stream = stream("a");
    assert!(log.append(append_to(&stream, Expected::Exists, 0)).await.is_err());
    add(log, &stream, 2).await;
    let answer = log.append(append_to(&stream, Expected::Exact(Revision(2)), 0)).await.unwrap();
    assert_eq!((answer.position, answer.revision, answer.events.len()), (Position(2), Revision(2), 0));
    assert_eq!(log.head(), Position(2));
}

/// Spaces, the order of members, long numbers and every kind of letter stay as they came in.
pub async fn payloads_come_back_byte_for_byte(fresh: Fresh) {
    let log = &*fresh.log;
    let payloads = [
        r#"{ "b" : 1 ,  "a":2 }"#,
        r#"{"a":1,"a":2}"#,
        "12345678901234567890.1234567890123456789e+00",
        r#""\u0000 \ud83e\uddf5 ü 🧵 \/""#,
        "[\n\t1\r\n]",
        "null",
    ];
    let command = CommandId(new_id());
    let metadata = metadata(command);
    let events = payloads.iter().map(|payload| event_of("Happened", payload, &metadata)).collect();
    let append = Append::new(stream("bytes"), Expected::Any, events, command);
    let appended = log.append(append).await.unwrap();
    let read = log.read_stream(&stream("bytes"), Revision(0), Direction::Forward, 100).await.unwrap();
    for events in [appended.events, read] {
        assert_eq!(events.iter().map(|event| event.payload.get()).collect::<Vec<_>>(), payloads);
    }
}

/// Ids, type, version and metadata of an event are read as they were appended.
pub async fn everything_around_a_payload_comes_back(fresh: Fresh) {
    let log = &*fresh.log;
    let command_id = CommandId(new_id());
    let metadata = Arc::new(Metadata {
        actor: Actor::System("scheduler \"quoted\"".to_owned()),
        command_id,
        causation_id: Some(EventId(new_id())),
        correlation_id: Some(EventId(new_id())),
        request: None,
    });
    let mut append = append_typed(&stream("a/ü 'quoted'"), Expected::Any, 2, "Began");
    append.command_id = command_id;
    append.events[1].metadata = Arc::clone(&metadata);
    append.events[1].event_version = u16::MAX;
    let appended = log.append(append.clone()).await.unwrap();
    let read = log.read_stream(&append.stream, Revision(0), Direction::Forward, 10).await.unwrap();
    for (given, (recorded, read)) in append.events.iter().zip(appended.events.iter().zip(&read)) {
        assert_eq!(recorded, read);
        assert_eq!(recorded.recorded_at, read.recorded_at);
        assert_eq!((given.id, &given.event_type, given.event_version), (read.id, &read.event_type, read.event_version));
        assert_eq!((&given.metadata, RawValue::get(&given.payload)), (&read.metadata, read.payload.get()));
        assert_eq!(read.stream, append.stream);
    }
}

/// No two events have the same time, and none is older than one before it.
pub async fn times_strictly_increase(fresh: Fresh) {
    let log = &*fresh.log;
    for _ in 0..5 {
        add(log, &stream("a"), 20).await;
    }
    let all = log.read_all(TenantScope::All, Position(0), Direction::Forward, &Filter::default(), 1_000).await.unwrap();
    assert_eq!(all.len(), 100);
    assert!(all.is_sorted_by(|earlier, later| earlier.recorded_at < later.recorded_at));
}

/// What this build does not know goes through unchanged, and is said to be unknown only to who asks what it means.
pub async fn unknown_types_and_versions_come_back(fresh: Fresh) {
    let log = &*fresh.log;
    let mut append = append_to(&stream("future"), Expected::Any, 2);
    append.events[0].event_type = "BecameSentient".into();
    append.events[0].payload = raw(r#"{"since": {"$date": 1e3}, "x":[ ]}"#);
    append.events[1].event_type = "ExecutionCompleted".into();
    append.events[1].event_version = 9_999;
    let appended = log.append(append.clone()).await.unwrap();
    let mut subscription = everything(log, Position::START, 8);
    let brought = vec![next_event(&mut subscription).await, next_event(&mut subscription).await];
    let read = log.read_stream(&append.stream, Revision(0), Direction::Forward, 10).await.unwrap();
    let filter =
        Filter { event_types: vec!["BecameSentient".into(), "ExecutionCompleted".into()], ..Filter::default() };
    let filtered = log.read_all(TenantScope::All, Position(0), Direction::Forward, &filter, 10).await.unwrap();
    for events in [&appended.events, &brought, &read, &filtered] {
        assert_eq!(events.len(), 2);
        for (given, found) in append.events.iter().zip(events.iter()) {
            assert_eq!((&given.event_type, given.event_version), (&found.event_type, found.event_version));
            assert_eq!(RawValue::get(&given.payload), found.payload.get());
        }
    }
    let decoded = read.iter().map(|event| decode::<ExecutionEvent>(event).unwrap_err().to_string());
    let [unknown_type, newer_version] = decoded.collect::<Vec<_>>().try_into().unwrap();
    assert!(unknown_type.contains("position 1: unknown event type 'BecameSentient'"), "{unknown_type}");
    assert!(newer_version.contains("has version 9999") && newer_version.contains("run a newer"), "{newer_version}");
}

/// Whatever a deployment chose, what must never be lost is never answered before the disk has it; where nothing outlives
/// the process, that is said.
pub async fn strict_categories_are_never_relaxed(fresh: Fresh) {
    let volatile = fresh.reopen.is_none();
    for category in STRICT_CATEGORIES {
        let stream = StreamKey::new(TENANT, category, "a");
        let append = append_to(&stream, Expected::Any, 1);
        let relaxed = append_to(&stream, Expected::Any, 1).asking(AskedDurability::Relaxed);
        for append in [append.clone(), append, relaxed.clone(), relaxed] {
            let answer = fresh.log.append(append).await.unwrap();
            let expected = if volatile { Durability::Volatile } else { Durability::Strict };
            assert_eq!(answer.durability, expected, "of {category}");
        }
    }
    let other = add(&*fresh.log, &stream("a"), 1).await;
    assert_eq!(other.durability == Durability::Volatile, volatile);
}

/// An append may ask for more or less than the deployment chose. Its answer, and that to the same command sent again, says
/// what it has got; who asks more for what is there already gets that too.
pub async fn an_append_survives_what_it_asks_for(fresh: Fresh) {
    let log = &*fresh.log;
    let volatile = fresh.reopen.is_none();
    let stream = stream("a");
    let survives = async |append: &Append, asked| log.append(append.clone().asking(asked)).await.unwrap().durability;
    let is_relaxed = |durability| match durability {
        Durability::Relaxed { loss_ms_max } => !volatile && loss_ms_max > 0,
        Durability::Volatile => volatile,
        Durability::Strict => fresh.always_strict,
    };
    let may_be = |durability| !fresh.always_strict || durability == Durability::Strict;
    let strict = if volatile { Durability::Volatile } else { Durability::Strict };
    // Without a word it is the deployment's choice, again and again.
    let chosen = survives(&append_to(&stream, Expected::NoStream, 1), AskedDurability::OfTheLog).await;
    for _ in 0..3 {
        let relaxed = append_to(&stream, Expected::Exists, 2);
        for sent in ["first", "again"] {
            let durability = survives(&relaxed, AskedDurability::Relaxed).await;
            assert!(is_relaxed(durability) && may_be(durability), "sent {sent}: {durability:?}");
        }
        assert_eq!(survives(&relaxed, AskedDurability::Strict).await, strict, "sent again, asking for more");
        assert_eq!(survives(&append_to(&stream, Expected::Any, 1), AskedDurability::Strict).await, strict);
        assert_eq!(survives(&append_to(&stream, Expected::Any, 1), AskedDurability::OfTheLog).await, chosen);
    }
    assert_eq!(log.head(), Position(1 + 3 * 4));
}

/// Appends that share commits get no less than each asked for, and none is lost beside the others.
pub async fn appends_that_ask_for_different_things_share_the_log(fresh: Fresh) {
    const EACH: usize = 20;
    let volatile = fresh.reopen.is_none();
    let mut writers = JoinSet::new();
    for asked in [AskedDurability::OfTheLog, AskedDurability::Strict, AskedDurability::Relaxed] {
        for number in 0..3 {
            let (log, stream) = (Arc::clone(&fresh.log), stream(&format!("{asked:?}-{number}")));
            writers.spawn(async move {
                for _ in 0..EACH {
                    let appended = log.append(append_to(&stream, Expected::Any, 1).asking(asked)).await.unwrap();
                    let strict = appended.durability == Durability::Strict;
                    assert!(strict || volatile || asked != AskedDurability::Strict, "{:?}", appended.durability);
                }
            });
        }
    }
    writers.join_all().await;
    assert_eq!(read_everything(&*fresh.log, TenantScope::All, &Filter::default()).await.len(), 9 * EACH);
}
