//! Files of older builds: opened, lifted while appends go on, and read the same all the while.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;
use timeloom_domain::ids::TenantId;
use timeloom_store::conformance::{acknowledged_events_survive_kills, append_until_killed};
use timeloom_store::transfer::{CopySource, CopyTarget, copy};
use timeloom_store::{
    Direction, EventLog, Filter, Position, READ_EVENTS_MAX, RecordedEvent, SubscriptionMessage, TenantScope,
};
use timeloom_store_sqlite::{SqliteImport, SqliteLog, SqliteSource};

use crate::packed::texts_in;
use crate::{append, open};

/// Positions in a block of the index.
const BLOCK_EVENTS: u64 = 4_096;
/// What files are lifted to.
const VERSION: u32 = 5;
/// Fewer than may wait for the writer.
const APPENDS_AT_ONCE: usize = 1_000;
/// Events of one command, as those of the writer that gets killed.
const EVENTS_PER_APPEND: u128 = 3;

/// Makes `appends` appends of many kinds.
async fn fill(log: &SqliteLog, appends: u128) {
    let append_of = |number: u128| {
        let mut append = append(&format!("s{}", number % 11), 1_000 + number * 10, EVENTS_PER_APPEND, "{\"a\":1}");
        append.stream.category = ["order", "invoice"][usize::from(number.is_multiple_of(5))].into();
        append.stream.tenant = TenantId(1 + u32::from(number.is_multiple_of(7)));
        append.events[0].event_type = if number.is_multiple_of(1_000) { "Rare" } else { "Began" }.into();
        append
    };
    for first in (0..appends).step_by(APPENDS_AT_ONCE) {
        let some = (first..appends).take(APPENDS_AT_ONCE);
        let answers = futures::future::join_all(some.map(|number| log.append(append_of(number)))).await;
        assert!(answers.iter().all(Result::is_ok));
    }
}

/// A folder with a log of the first version in which `appends` appends are, made from rows of this build.
pub(super) async fn folder_of_first_version(appends: u128) -> TempDir {
    let newer = TempDir::new().unwrap();
    let (log, _blobs) = open(newer.path());
    fill(&log, appends).await;
    log.close().await;
    let folder = TempDir::new().unwrap();
    let connection = Connection::open(folder.path().join("log.db")).unwrap();
    connection.execute_batch(include_str!("../fixtures/schema-1.sql")).unwrap();
    write_plain(&connection, &newer.path().join("log.db"));
    folder
}

/// Writes the rows of the log in `file` into the tables of the first version, which know only plain texts.
fn write_plain(connection: &Connection, file: &Path) {
    const COLUMNS: &str = "position, tenant_id, aggregate_type, aggregate_id, sequence, event_id, event_type, \
                           event_version, recorded_at, leaf, stream_no, append_events, command_id";
    let newer = Connection::open(file).unwrap();
    connection.execute("ATTACH ?1 AS newer", [file.to_str().unwrap()]).unwrap();
    connection.execute_batch("BEGIN; INSERT INTO streams SELECT * FROM newer.streams;").unwrap();
    let sql = format!(
        "INSERT INTO events ({COLUMNS}, payload, metadata) SELECT {COLUMNS}, ?2, ?3 FROM newer.events WHERE position = ?1"
    );
    let mut insert = connection.prepare(&sql).unwrap();
    let events: u64 = newer.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
    for position in 1..=events {
        let (payload, metadata) = texts_in(&newer, position);
        insert.execute((position, payload, metadata)).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
}

fn version_of(folder: &Path) -> u32 {
    let connection = Connection::open(folder.join("log.db")).unwrap();
    connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

fn selections() -> Vec<(TenantScope, Filter)> {
    let filter = |categories: &[&str], types: &[&str]| Filter {
        categories: categories.iter().map(|category| Arc::from(*category)).collect(),
        event_types: types.iter().map(|event_type| Arc::from(*event_type)).collect(),
        stream: None,
    };
    let mut selections = Vec::new();
    for scope in [TenantScope::All, TenantScope::One(TenantId(2)), TenantScope::One(TenantId(9))] {
        for filter in [
            filter(&[], &["Rare"]),
            filter(&["invoice"], &[]),
            filter(&["invoice", "order"], &["Began", "Rare"]),
            filter(&["nothing"], &["Happened"]),
            Filter::default(),
        ] {
            selections.push((scope, filter));
        }
    }
    selections
}

async fn read_everything(log: &dyn EventLog) -> Vec<Arc<RecordedEvent>> {
    let mut all: Vec<Arc<RecordedEvent>> = Vec::new();
    loop {
        let after = all.last().map_or(Position::START, |event| event.position);
        let page = log.read_all(TenantScope::All, after, Direction::Forward, &Filter::default(), READ_EVENTS_MAX).await;
        let page = page.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// Selective reads both ways, from many places and with many limits, give what looking at everything gives.
pub(super) async fn check_selective_reads(log: &SqliteLog) {
    let all = read_everything(log).await;
    let head = all.len() as u64;
    for (scope, filter) in selections() {
        let passing: Vec<u64> =
            all.iter().filter(|event| filter.matches(scope, event)).map(|event| event.position.0).collect();
        for after in [0, BLOCK_EVENTS - 1, BLOCK_EVENTS, BLOCK_EVENTS + 1, head - 5, head + 9] {
            for limit in [7, READ_EVENTS_MAX] {
                let read = |direction| log.read_all(scope, Position(after), direction, &filter, limit);
                let forward = read(Direction::Forward).await.unwrap();
                let wanted = passing.iter().copied().filter(|position| *position > after).take(limit);
                let wanted = wanted.map(|position| &all[usize::try_from(position).unwrap() - 1]);
                assert!(forward.iter().eq(wanted), "{filter:?} after {after}, {limit}");
                let backward = read(Direction::Backward).await.unwrap();
                let wanted = passing.iter().rev().copied().filter(|position| *position <= after).take(limit);
                let wanted = wanted.map(|position| &all[usize::try_from(position).unwrap() - 1]);
                assert!(backward.iter().eq(wanted), "{filter:?} up to {after}, {limit}");
            }
        }
        check_history(log, scope, &filter, &passing).await;
    }
}

async fn check_history(log: &SqliteLog, scope: TenantScope, filter: &Filter, passing: &[u64]) {
    let mut history = log.subscribe(scope, Position::START, filter.clone(), 64);
    let mut seen = Vec::new();
    loop {
        match history.next().await {
            Some(SubscriptionMessage::Event(event)) => seen.push(event.position.0),
            Some(SubscriptionMessage::Checkpoint(_)) => {}
            Some(SubscriptionMessage::CaughtUp(position)) => {
                assert_eq!(position, log.head());
                break;
            }
            other => assert!(matches!(other, Some(SubscriptionMessage::Event(_))), "{other:?}"),
        }
    }
    assert_eq!(seen, passing, "{filter:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_the_first_version_is_lifted_while_appends_go_on() {
    let folder = folder_of_first_version(3_000).await;
    assert_eq!(version_of(folder.path()), 1);
    let (log, blobs) = open(folder.path());
    let mut indexed = log.indexed();
    assert_eq!((log.head(), *indexed.borrow()), (Position(9_000), Position(0)));
    // Appends are answered while nothing, some and all of what was there is in the index.
    for number in 0..100 {
        log.append(append("new", 1_000_000 + number * 10, EVENTS_PER_APPEND, "1")).await.unwrap();
    }
    check_selective_reads(&log).await;
    let blocks = log.head().0 / BLOCK_EVENTS;
    indexed.wait_for(|position| position.0 == blocks * BLOCK_EVENTS).await.unwrap();
    check_selective_reads(&log).await;
    assert!(log.verify(&*blobs, |_| {}).await.unwrap().is_whole());
    let before = read_everything(&*log).await;
    drop((log, blobs));
    assert_eq!(version_of(folder.path()), VERSION);

    let (log, _blobs) = open(folder.path());
    assert_eq!(*log.indexed().borrow(), Position(blocks * BLOCK_EVENTS), "it is filled once");
    assert_eq!(read_everything(&*log).await, before);
    check_selective_reads(&log).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_this_version_is_selected_from_as_one_of_the_first() {
    let folder = TempDir::new().unwrap();
    let (log, _blobs) = open(folder.path());
    fill(&log, 2_000).await;
    log.indexed().wait_for(|position| position.0 == BLOCK_EVENTS).await.unwrap();
    check_selective_reads(&log).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_an_older_version_is_copied_as_it_is_and_a_copy_of_one_is_lifted_when_more_comes() {
    let older = folder_of_first_version(50).await;
    let copy_to = async |target: &Path| {
        let (log, blobs) = SqliteSource::open(older.path()).unwrap();
        let (import, files) = SqliteImport::open(target).unwrap();
        copy(CopySource { log: &*log, blobs: &*blobs }, CopyTarget { log: &*import, blobs: &*files }, |_| {}).await
    };
    let new = TempDir::new().unwrap();
    assert_eq!(copy_to(new.path()).await.unwrap().events, 150);
    assert_eq!((version_of(older.path()), version_of(new.path())), (1, VERSION), "a source is only read");

    // A backup that an older build made, of which the log has gone on.
    let backup = TempDir::new().unwrap();
    std::fs::copy(older.path().join("log.db"), backup.path().join("log.db")).unwrap();
    let (log, blobs) = open(older.path());
    log.append(append("new", 1_000_000, EVENTS_PER_APPEND, "{\"a\":1}")).await.unwrap();
    drop((log, blobs));
    assert_eq!(version_of(backup.path()), 1);
    assert_eq!(copy_to(backup.path()).await.unwrap().events, 3);
    assert_eq!(version_of(backup.path()), VERSION);
    let (ours, theirs) = (open(backup.path()), open(older.path()));
    assert_eq!(read_everything(&*ours.0).await, read_everything(&*theirs.0).await);
}

async fn open_log(path: impl AsRef<Path>) -> Arc<dyn EventLog> {
    let (log, _blobs) = open(path.as_ref());
    std::future::ready(log).await
}

/// Not a test of its own: the process that gets killed while it lifts the file.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_lifts_and_appends_until_it_is_killed() {
    append_until_killed(open_log).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lifting_a_file_survives_being_killed_in_the_middle() {
    let folder = folder_of_first_version(3_000).await;
    let target = folder.path().to_str().unwrap();
    let child = "migration::child_that_lifts_and_appends_until_it_is_killed";
    acknowledged_events_survive_kills(child, target, || open_log(&folder)).await;
    let (log, blobs) = open(folder.path());
    check_selective_reads(&log).await;
    let blocks = log.head().0 / BLOCK_EVENTS;
    log.indexed().wait_for(|position| position.0 == blocks * BLOCK_EVENTS).await.unwrap();
    check_selective_reads(&log).await;
    assert!(log.verify(&*blobs, |_| {}).await.unwrap().is_whole());
    assert_eq!(version_of(folder.path()), VERSION);
}

/// The index is only an index: what it says wrongly is noticed, and not given out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_wrong_is_noticed() {
    let folder = folder_of_first_version(2_000).await;
    let (log, blobs) = open(folder.path());
    log.indexed().wait_for(|position| position.0 == BLOCK_EVENTS).await.unwrap();
    drop((log, blobs));
    let connection = Connection::open(folder.path().join("log.db")).unwrap();
    connection
        .execute(
            "UPDATE kind_blocks SET places = X'0100' WHERE kind_no IN \
             (SELECT kind_no FROM kinds WHERE event_type = 'Rare' AND tenant_id = 2)",
            [],
        )
        .unwrap();
    drop(connection);
    let (log, _blobs) = open(folder.path());
    let filter = Filter { event_types: vec!["Rare".into()], ..Filter::default() };
    let read = log.read_all(TenantScope::One(TenantId(2)), Position(0), Direction::Forward, &filter, 10).await;
    let error = read.unwrap_err().to_string();
    assert!(error.contains("damaged at position 2: the index of kinds"), "{error}");
}
