//! The suite for snapshots against their file, and what becomes of a file that is damaged, foreign or gone.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;
use timeloom_domain::ids::EventId;
use timeloom_store::conformance::{FRESH_SNAPSHOTS_BYTES, FreshSnapshots};
use timeloom_store::{
    FoldHash, Position, Revision, Snapshot, SnapshotPlace, SnapshotStore, snapshot_store_conformance,
};
use timeloom_store_sqlite::{DataFolder, SqliteSnapshots};
use uuid::Uuid;

use crate::stream;

const FOLD: FoldHash = FoldHash([7; 32]);
/// The bytes behind the database's header: the root of its schema.
const SCHEMA_ROOT: std::ops::Range<usize> = 100..400;

async fn fresh() -> FreshSnapshots {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    std::future::ready(FreshSnapshots { store, keep: Box::new(folder) }).await
}

snapshot_store_conformance!(fresh);

fn open(path: &Path) -> Arc<SqliteSnapshots> {
    SqliteSnapshots::open_with(Arc::new(DataFolder::acquire(path).unwrap()), FRESH_SNAPSHOTS_BYTES).unwrap()
}

fn snapshot(id: &str, bytes: usize) -> Snapshot {
    let (revision, position, event_id) = (Revision(300), Position(900), EventId(Uuid::from_u128(5)));
    let place = SnapshotPlace { stream: stream(id), revision, position, event_id };
    Snapshot::new(place, FOLD, Bytes::from(vec![b'x'; bytes]))
}

async fn has(store: &SqliteSnapshots, id: &str) -> bool {
    store.load(&stream(id), FOLD).await.unwrap().is_some()
}

#[tokio::test]
async fn snapshots_outlive_their_process_and_count_towards_the_limit() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let most = usize::try_from(FRESH_SNAPSHOTS_BYTES).unwrap() - 10;
    store.save(snapshot("a", most)).await.unwrap();
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.load(&stream("a"), FOLD).await.unwrap(), Some(snapshot("a", most)));
    store.save(snapshot("b", 11)).await.unwrap();
    assert_eq!((has(&store, "a").await, has(&store, "b").await), (false, true));
}

#[tokio::test]
async fn a_file_that_is_not_of_snapshots_is_replaced() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("snapshots.db");
    let foreign = || {
        let connection = rusqlite::Connection::open(&file).unwrap();
        connection.execute_batch("CREATE TABLE snapshots (saved INTEGER PRIMARY KEY)").unwrap();
    };
    let newer = || {
        let connection = rusqlite::Connection::open(&file).unwrap();
        connection.pragma_update(None, "user_version", 2).unwrap();
    };
    let text =
        || fs::write(&file, "something else altogether, and long enough to be read as a header".repeat(3)).unwrap();
    let spoil: [&dyn Fn(); 3] = [&foreign, &newer, &text];
    for spoil in spoil {
        spoil();
        let store = open(folder.path());
        assert!(!has(&store, "a").await);
        store.save(snapshot("a", 100)).await.unwrap();
        assert!(has(&store, "a").await);
    }
}

#[tokio::test]
async fn a_file_that_is_deleted_or_damaged_meanwhile_costs_nothing_but_its_content() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("snapshots.db");
    let store = open(folder.path());
    store.save(snapshot("a", 100_000)).await.unwrap();
    drop(store);
    fs::remove_file(&file).unwrap();
    let store = open(folder.path());
    assert!(!has(&store, "a").await);
    store.save(snapshot("a", 100_000)).await.unwrap();
    drop(store);

    let mut bytes = fs::read(&file).unwrap();
    bytes[SCHEMA_ROOT].fill(0xAA);
    fs::write(&file, &bytes).unwrap();
    let store = open(folder.path());
    assert!(!has(&store, "a").await, "it was begun again");
    store.save(snapshot("a", 100_000)).await.unwrap();
    drop(store);

    // Damage that opening does not meet: every page but the first.
    let mut bytes = fs::read(&file).unwrap();
    bytes[4_096 * 4..].fill(0xAA);
    fs::write(&file, &bytes).unwrap();
    let store = open(folder.path());
    let damaged = store.load(&stream("a"), FOLD).await.unwrap();
    assert!(!damaged.is_some_and(|snapshot| snapshot.is_whole()));
    store.save(snapshot("a", 100)).await.unwrap();
    assert!(has(&store, "a").await);
}
