//! What is in the file stays in the file.

use std::fs;

use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use timeloom_store::{
    AppendError, Direction, EventLog, Expected, Filter, LogError, Position, Revision, SubscriptionMessage, TenantScope,
};
use timeloom_store_sqlite::{OpenError, SqliteLog, SqliteOptions};
use uuid::Uuid;

use crate::packed::texts_in;
use crate::{append, open, options, stream};

#[tokio::test]
async fn reopening_keeps_everything() {
    let folder = TempDir::new().unwrap();
    let (log, _) = open(folder.path());
    let first = log.append(append("a", 100, 3, r#"{"x":1}"#)).await.unwrap();
    log.append(append("b", 200, 2, "2")).await.unwrap();
    drop(log);

    let (log, _) = SqliteLog::open(folder.path(), SqliteOptions { log_id: Uuid::from_u128(8), ..options() }).unwrap();
    assert_eq!(log.log_id(), Uuid::from_u128(7), "a log keeps the id that it was made with");
    assert_eq!(log.head(), Position(5));
    let read = log.read_stream(&stream("a"), Revision(0), Direction::Forward, 10).await.unwrap();
    assert_eq!(read, first.events);
    assert!(read.iter().zip(&first.events).all(|(read, written)| read.recorded_at == written.recorded_at));

    let again = log.append(append("a", 100, 3, r#"{"x":1}"#)).await.unwrap();
    assert!(again.repeated && again.events == first.events);
    let mut next = append("a", 300, 1, "3");
    next.expected = Expected::Exact(Revision(3));
    let next = log.append(next).await.unwrap();
    assert_eq!((next.position, next.revision), (Position(6), Revision(4)));
    assert!(next.events[0].recorded_at > first.events[2].recorded_at);

    let mut subscription = log.subscribe(TenantScope::All, Position(0), Filter::default(), 16);
    for position in 1..=6 {
        let message = subscription.next().await;
        assert!(
            matches!(&message, Some(SubscriptionMessage::Event(event)) if event.position == Position(position)),
            "{message:?}"
        );
    }
}

#[tokio::test]
async fn closing_finishes_what_waits_and_refuses_what_comes_after() {
    let folder = TempDir::new().unwrap();
    let (log, _) = open(folder.path());
    let mut subscription = log.subscribe(TenantScope::All, Position(0), Filter::default(), 16);
    log.append(append("a", 100, 1, "1")).await.unwrap();
    log.close().await;
    assert!(matches!(log.append(append("a", 200, 1, "2")).await, Err(AppendError::Log(LogError::Closed))));
    assert!(matches!(log.wait_for(Position(9)).await, Err(LogError::Closed)));
    let read = log.read_all(TenantScope::All, Position(0), Direction::Forward, &Filter::default(), 1).await;
    assert!(matches!(read, Err(LogError::Closed)));
    while subscription.next().await.is_some() {}
    let wal = fs::metadata(folder.path().join("log.db-wal"));
    assert!(wal.is_err() || wal.is_ok_and(|wal| wal.len() == 0), "the write-ahead log is not empty");
    let mut late = log.subscribe(TenantScope::All, Position(0), Filter::default(), 16);
    assert!(late.next().await.is_none());
}

#[tokio::test]
async fn dropped_subscriptions_leave_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let (log, _) = open(folder.path());
    log.append(append("a", 100, 1, "1")).await.unwrap();
    let filter = Filter { stream: Some(stream("a")), ..Filter::default() };
    let kept = log.subscribe(TenantScope::All, Position(0), filter.clone(), 4);
    for after in [0, 1] {
        for filter in [filter.clone(), Filter::default()] {
            drop(log.subscribe(TenantScope::All, Position(after), filter, 4));
        }
    }
    assert_eq!(log.subscriber_count(), 1);
    drop(kept);
    assert_eq!(log.subscriber_count(), 0);
}

#[tokio::test]
async fn a_subscription_from_beyond_the_end_waits_for_what_comes_after_it() {
    let folder = TempDir::new().unwrap();
    let (log, _) = open(folder.path());
    let mut beyond = log.subscribe(TenantScope::All, Position(2), Filter::default(), 8);
    let mut never = log.subscribe(TenantScope::All, Position(u64::MAX), Filter::default(), 8);
    log.append(append("a", 100, 3, "1")).await.unwrap();
    assert!(matches!(beyond.try_next(), Some(SubscriptionMessage::CaughtUp(Position(0)))));
    let message = beyond.try_next();
    assert!(
        matches!(&message, Some(SubscriptionMessage::Event(event)) if event.position == Position(3)),
        "{message:?}"
    );
    assert!(matches!(never.try_next(), Some(SubscriptionMessage::CaughtUp(Position(0)))));
    assert!(never.try_next().is_none());
}

#[tokio::test]
async fn rows_can_be_neither_changed_nor_deleted() {
    let folder = TempDir::new().unwrap();
    let (log, _) = open(folder.path());
    log.append(append("a", 100, 1, "1")).await.unwrap();
    drop(log);
    let connection = Connection::open(folder.path().join("log.db")).unwrap();
    for change in [
        "UPDATE events SET payload = '2'",
        "DELETE FROM events",
        "UPDATE streams SET tenant_id = 2",
        "DELETE FROM streams",
    ] {
        let refused = connection.execute(change, []).unwrap_err();
        assert!(refused.to_string().contains("the event log only ever grows"), "{change}: {refused}");
    }
}

#[tokio::test]
async fn a_leaf_can_be_computed_from_the_file_alone() {
    let folder = TempDir::new().unwrap();
    let (log, _) = open(folder.path());
    log.append(append("ü", 100, 2, r#"{"x": "ü"}"#)).await.unwrap();
    drop(log);
    let connection = Connection::open(folder.path().join("log.db")).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT tenant_id, aggregate_type, aggregate_id, event_id, event_type, event_version, recorded_at, leaf, \
             sequence FROM events WHERE position = 2",
        )
        .unwrap();
    let (record, leaf) = statement
        .query_row([], |row| {
            let led = |text: &str| [&(text.len() as u32).to_be_bytes(), text.as_bytes()].concat();
            let text = |index| row.get(index).map(|text: String| led(&text));
            let (payload, metadata) = texts_in(&connection, 2);
            let version: String = row.get(5)?;
            let mut record = vec![0];
            record.extend(2u64.to_be_bytes());
            record.extend(row.get::<_, u32>(0)?.to_be_bytes());
            record.extend(text(1)?);
            record.extend(text(2)?);
            record.extend(row.get::<_, u64>(8)?.to_be_bytes());
            record.extend(row.get::<_, Vec<u8>>(3)?);
            record.extend(text(4)?);
            record.extend(version.parse::<u16>().unwrap().to_be_bytes());
            record.extend(row.get::<_, i64>(6)?.to_be_bytes());
            record.extend(led(&payload));
            record.extend(led(&metadata));
            Ok((record, row.get::<_, Vec<u8>>(7)?))
        })
        .unwrap();
    assert_eq!(Sha256::digest(record).as_slice(), leaf);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    drop(open(folder.path()));
    let file = folder.path().join("log.db");
    let connection = Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", 7).unwrap();
    connection.execute("UPDATE meta SET value = '7' WHERE name = 'schema_version'", []).unwrap();
    drop(connection);
    let before = fs::read(&file).unwrap();

    let refused = SqliteLog::open(folder.path(), options()).unwrap_err();
    assert!(matches!(refused, OpenError::NewerSchema { found: 7, known: 5, .. }), "{refused:?}");
    let advice = "was written by a newer Timeloom (schema 7, this build knows up to 5): \
                  run the newer version or give another --data folder";
    assert!(refused.to_string().ends_with(advice), "{refused}");
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(!folder.path().join("log.db-wal").exists() && !folder.path().join("blobs/x").exists());
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("log.db");
    fs::write(&file, "not a database").unwrap();
    assert!(matches!(SqliteLog::open(folder.path(), options()), Err(OpenError::NotALog { .. })));
    assert_eq!(fs::read_to_string(&file).unwrap(), "not a database");

    fs::remove_file(&file).unwrap();
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE shopping (item TEXT)").unwrap();
    assert!(matches!(SqliteLog::open(folder.path(), options()), Err(OpenError::NotALog { .. })));
}
