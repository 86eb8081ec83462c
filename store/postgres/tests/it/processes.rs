//! Several processes on one log: here several logs that know nothing of each other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use timeloom_postgres_testing::Database;
use timeloom_store::stored::{read_metadata, read_version};
use timeloom_store::{
    AppendError, EventLog, Expected, Filter, Position, Revision, Subscription, SubscriptionMessage, TenantScope,
};
use timeloom_store_postgres::PostgresLog;
use tokio::task::JoinSet;

use crate::{append, open, read_everything, stream};

const PATIENCE: Duration = Duration::from_secs(30);

pub async fn next(subscription: &mut Subscription) -> SubscriptionMessage {
    tokio::time::timeout(PATIENCE, subscription.next()).await.unwrap().unwrap()
}

/// Every row's leaf is the hash of what the row holds; every position is there once.
pub async fn assert_sound(log: &Arc<PostgresLog>, database: &Database) {
    let report = log.check().await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    let sql = "SELECT position, tenant_id, aggregate_type, aggregate_id, sequence, event_id, event_type, event_version, \
               payload::text, metadata::text, recorded_at, leaf FROM events ORDER BY position";
    let mut buffer = Vec::new();
    for row in database.client().await.query(sql, &[]).await.unwrap() {
        let (payload, metadata): (String, String) = (row.get(8), row.get(9));
        let id = timeloom_domain::ids::EventId(row.get(5));
        let event = timeloom_store::RecordedEvent {
            position: Position(row.get::<_, i64>(0) as u64),
            stream: timeloom_store::StreamKey::new(
                timeloom_domain::ids::TenantId(row.get::<_, i64>(1) as u32),
                row.get::<_, &str>(2),
                row.get::<_, &str>(3),
            ),
            revision: Revision(row.get::<_, i64>(4) as u64),
            id,
            event_type: row.get::<_, &str>(6).into(),
            event_version: read_version(row.get(7)),
            payload: Arc::from(serde_json::value::RawValue::from_string(payload.clone()).unwrap()),
            metadata: Arc::new(read_metadata(&metadata, id).unwrap()),
            recorded_at: row.get(10),
        };
        let leaf = timeloom_store::leaf::leaf(&event, &payload, &metadata, &mut buffer);
        assert_eq!(row.get::<_, &[u8]>(11), leaf, "the leaf at {}", event.position);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_append_without_gaps_and_each_sees_all_in_order() {
    const PROCESSES: u128 = 3;
    const WRITERS: u128 = 16;
    const APPENDS: u128 = 12;
    let database = Database::create().await;
    let mut logs = Vec::new();
    for _ in 0..PROCESSES {
        logs.push(open(database.url()).await.0);
    }
    let events = (PROCESSES * WRITERS * APPENDS * 2) as u64;
    let mut readers = JoinSet::new();
    for log in &logs {
        let mut subscription = log.subscribe(TenantScope::All, Position::START, Filter::default(), 4_096);
        readers.spawn(async move {
            let mut last = Position::START;
            while last.0 < events {
                if let SubscriptionMessage::Event(event) = next(&mut subscription).await {
                    assert_eq!(event.position.0, last.0 + 1);
                    last = event.position;
                }
            }
        });
    }
    let mut writers = JoinSet::new();
    for writer in 0..PROCESSES * WRITERS {
        let log = Arc::clone(&logs[(writer % PROCESSES) as usize]);
        writers.spawn(async move {
            for number in 0..APPENDS {
                let first_id = (writer * APPENDS + number) * 10 + 1;
                let appended = log.append(append(&format!("s{}", number % 5), first_id, 2, "{}")).await.unwrap();
                assert!(log.head() >= appended.position, "answered before it is visible");
            }
        });
    }
    writers.join_all().await;
    readers.join_all().await;
    let all = read_everything(&*logs[0]).await;
    assert_eq!(all.len() as u64, events);
    let mut revisions: HashMap<Arc<str>, u64> = HashMap::new();
    for event in &all {
        let revision = revisions.entry(Arc::clone(&event.stream.id)).or_default();
        *revision += 1;
        assert_eq!(event.revision.0, *revision);
    }
    assert_sound(&logs[1], &database).await;
}

#[tokio::test]
async fn conflicts_and_repeats_are_found_across_processes() {
    let database = Database::create().await;
    let ((one, _), (other, _)) = (open(database.url()).await, open(database.url()).await);
    let first = one.append(append("a", 10, 2, "{}")).await.unwrap();
    // The other process remembers nothing of this stream, then the wrong thing.
    for number in 1..4u128 {
        let exact = |revision| Expected::Exact(Revision(revision));
        let mut late = append("a", number * 100, 1, "{}");
        late.expected = exact(1);
        match other.append(late.clone()).await {
            Err(AppendError::WrongRevision { actual, .. }) => assert_eq!(actual.0, (number as u64) * 2),
            answered => panic!("{answered:?}"),
        }
        late.expected = exact((number as u64) * 2);
        other.append(late).await.unwrap();
        one.append(append("a", number * 1_000, 1, "{}")).await.unwrap();
    }
    let again = other.append(append("a", 10, 2, "{}")).await.unwrap();
    assert!(again.repeated);
    assert_eq!(again, timeloom_store::Appended { repeated: true, ..first });
    assert!(matches!(other.append(append("b", 9, 3, "{}")).await, Err(AppendError::DuplicateId)));
}

#[tokio::test]
async fn what_one_process_appends_wakes_those_who_wait_in_another() {
    let database = Database::create().await;
    let ((one, _), (other, _)) = (open(database.url()).await, open(database.url()).await);
    let filter = Filter { stream: Some(stream("a")), ..Filter::default() };
    let mut subscription = other.subscribe(TenantScope::All, Position::START, filter, 16);
    assert!(matches!(next(&mut subscription).await, SubscriptionMessage::CaughtUp(Position(0))));
    let appended = one.append(append("a", 1, 1, "{\"large\":\"\"}")).await.unwrap();
    other.wait_for(appended.position).await.unwrap();
    match next(&mut subscription).await {
        SubscriptionMessage::Event(event) => assert_eq!(event.id, appended.events[0].id),
        message => panic!("{message:?}"),
    }
}

#[tokio::test]
async fn large_payloads_of_another_process_are_brought_whole() {
    let database = Database::create().await;
    let ((one, _), (other, _)) = (open(database.url()).await, open(database.url()).await);
    let payload = format!("\"{}\"", "x".repeat(100_000));
    let mut subscription = other.subscribe(TenantScope::All, Position::START, Filter::default(), 16);
    one.append(append("a", 1, 2, &payload)).await.unwrap();
    let mut seen = 0;
    while seen < 2 {
        if let SubscriptionMessage::Event(event) = next(&mut subscription).await {
            assert_eq!(event.payload.get(), payload);
            seen += 1;
        }
    }
}

#[tokio::test]
async fn a_mark_is_shared_and_never_moves_back() {
    let database = Database::create().await;
    let ((one, _), (other, _)) = (open(database.url()).await, open(database.url()).await);
    assert_eq!(one.mark("engine").await.unwrap(), Position::START);
    one.set_mark("engine", Position(7)).await.unwrap();
    other.set_mark("engine", Position(5)).await.unwrap();
    assert_eq!(other.mark("engine").await.unwrap(), Position(7));
    assert_eq!(one.note("open").await.unwrap(), None);
    one.set_note("open", Position(7), "seven").await.unwrap();
    other.set_note("open", Position(5), "five").await.unwrap();
    assert_eq!(other.note("open").await.unwrap(), Some((Position(7), "seven".to_owned())));
}

#[tokio::test]
async fn an_event_that_nobody_announced_is_found_by_looking() {
    let database = Database::create().await;
    let ((one, _), (other, _)) = (open(database.url()).await, open(database.url()).await);
    let client = database.client().await;
    // What an append does, but for telling: as if the announcement had been lost with its connection.
    let appended = one.append(append("a", 1, 1, "{}")).await.unwrap();
    client
        .batch_execute(
            "BEGIN;
             INSERT INTO events SELECT position + 1, tenant_id, aggregate_type, aggregate_id, sequence + 1, \
                 gen_random_uuid(), event_type, event_version, payload, metadata, recorded_at + interval '1 second', leaf, \
                 append_events, gen_random_uuid() FROM events;
             UPDATE log_head SET position = 2;
             COMMIT",
        )
        .await
        .unwrap();
    tokio::time::timeout(PATIENCE, other.wait_for(Position(appended.position.0 + 1))).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_writer_that_did_not_take_the_lock_is_found_out() {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    log.append(append("a", 1, 1, "{}")).await.unwrap();
    assert!(log.check().await.unwrap().is_sound());
    let copy = |position: i64| {
        format!(
            "INSERT INTO events SELECT {position}, tenant_id, aggregate_type, 'b', {position}, gen_random_uuid(), event_type, \
             event_version, payload, metadata, recorded_at, leaf, NULL, NULL FROM events WHERE position = 1"
        )
    };
    // Two transactions whose positions are mixed.
    let (one, other) = (database.client().await, database.client().await);
    one.batch_execute(&format!("BEGIN; {}", copy(2))).await.unwrap();
    other.batch_execute(&copy(3)).await.unwrap();
    one.batch_execute(&format!("{}; COMMIT", copy(4))).await.unwrap();
    let report = log.check().await.unwrap();
    assert!(!report.is_sound() && report.torn_transactions == 1, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_in_two_appends_that_come_together_refuses_one_of_them() {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    let holder = database.client().await;
    holder.batch_execute("BEGIN; SELECT FROM log_head FOR UPDATE").await.unwrap();
    let mut appending = JoinSet::new();
    // The first batch waits for the lock; what comes meanwhile is one batch.
    for (number, first_id) in [(0u128, 1), (1, 100), (2, 100), (3, 200)] {
        let log = Arc::clone(&log);
        let mut append = append(&format!("s{number}"), first_id, 2, "{}");
        append.command_id = timeloom_domain::ids::CommandId(uuid::Uuid::from_u128(9_000 + number));
        appending.spawn(async move { (number, log.append(append).await) });
    }
    tokio::time::timeout(PATIENCE, async {
        let sql =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        while holder.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 0 {}
    })
    .await
    .unwrap();
    holder.batch_execute("COMMIT").await.unwrap();
    let mut answers = appending.join_all().await;
    answers.sort_by_key(|(number, _)| *number);
    let refused: Vec<u128> = answers
        .iter()
        .filter(|(_, answer)| matches!(answer, Err(AppendError::DuplicateId)))
        .map(|(number, _)| *number)
        .collect();
    assert!(refused == [1] || refused == [2], "{answers:?}");
    assert_eq!(answers.iter().filter(|(_, answer)| answer.is_ok()).count(), 3, "{answers:?}");
}
