//! Files that are damaged or belong to something else: said clearly, never written to, never read as something else.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;
use timeloom_store::conformance::{Chance, TellSeed, seeds};
use timeloom_store::{Direction, EventLog, Filter, LogError, Position, RecordedEvent, TenantScope};
use timeloom_store_sqlite::{OpenError, SqliteLog, StorageError};

use crate::packed::noise;
use crate::{append, open, options};

const FIXED_SEEDS: u64 = 40;

/// Every file of the folder but the lock file and the shared memory, which every opening writes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        let name = entry.file_name().into_string().unwrap();
        let content = fs::read(entry.path()).unwrap();
        // An empty write-ahead log is as good as none.
        if name != "LOCK" && !name.ends_with("-shm") && !(name.ends_with("-wal") && content.is_empty()) {
            files.insert(name, content);
        }
    }
    files
}

/// A closed log with many pages.
async fn filled() -> (TempDir, Vec<Arc<RecordedEvent>>) {
    let folder = TempDir::new().unwrap();
    let (log, _blobs) = open(folder.path());
    // Many, so that most bytes of the file are bytes of events.
    for number in 0..120 {
        let payload = format!(r#"{{"number":{number},"filling":"{}"}}"#, noise(1_200, &mut Chance::new(number)));
        log.append(append(&format!("s{}", number % 7), 1_000 + u128::from(number) * 100, 5, &payload)).await.unwrap();
    }
    let all = read(&log).await.unwrap();
    log.close().await;
    (folder, all)
}

async fn read(log: &SqliteLog) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
    log.read_all(TenantScope::All, Position(0), Direction::Forward, &Filter::default(), 1_000).await
}

fn is_damage(error: &LogError) -> bool {
    match error {
        LogError::Corrupt { .. } => true,
        LogError::Storage(error) => error.to_string().contains("is damaged"),
        LogError::Unknown { .. } | LogError::Closed => false,
    }
}

fn is_clear(error: &OpenError) -> bool {
    matches!(
        error,
        OpenError::NotALog { .. }
            | OpenError::NewerSchema { .. }
            | OpenError::Storage { error: StorageError::Damaged(_), .. }
    )
}

/// Whether everything is as it was, as far as the log says: `Err` is what it says instead.
async fn look(folder: &Path, before: &[Arc<RecordedEvent>]) -> Result<(), String> {
    let (log, blobs) = match SqliteLog::open(folder, options()) {
        Ok(opened) => opened,
        Err(error) => {
            assert!(is_clear(&error), "not clear: {error}");
            return Err(error.to_string());
        }
    };
    let found = read(&log).await;
    if let Err(error) = &found {
        assert!(is_damage(error), "not clear: {error}");
    }
    match log.verify(&*blobs, |_| {}).await {
        Err(error) => {
            assert!(is_damage(&error), "not clear: {error}");
            Err(error.to_string())
        }
        Ok(report) if !report.is_whole() => Err(report.first_faults[0].detail.clone()),
        Ok(_) => {
            let found = found.unwrap();
            assert_eq!(found, before, "what is read is wrong and was not noticed");
            Ok(())
        }
    }
}

#[tokio::test]
async fn flipped_bytes_are_noticed_and_nothing_is_written_over_them() {
    let (whole, before) = filled().await;
    let content = fs::read(whole.path().join("log.db")).unwrap();
    let mut noticed = 0;
    for seed in seeds(FIXED_SEEDS) {
        let _tell = TellSeed(seed);
        let mut chance = Chance::new(seed);
        let mut flipped = content.clone();
        let first = chance.index(flipped.len() - 64);
        for byte in &mut flipped[first..first + 1 + chance.index(64)] {
            *byte = !*byte;
        }
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("log.db"), flipped).unwrap();
        let files_before = files(folder.path());
        noticed += u64::from(look(folder.path(), &before).await.is_err());
        assert_eq!(files(folder.path()), files_before);
    }
    // The rest fell on bytes that nothing uses.
    assert!(seeds(FIXED_SEEDS).len() == 1 || noticed > FIXED_SEEDS / 2, "{noticed} were noticed");
}

#[tokio::test]
async fn a_changed_payload_is_named_with_its_position_and_so_is_what_was_packed_by_it() {
    let (folder, _) = filled().await;
    let file = folder.path().join("log.db");
    let content = fs::read(&file).unwrap();
    let text = br#"{"number":33,"filling":""#;
    let at = content.windows(text.len()).position(|window| window == text).unwrap();
    let mut changed = content.clone();
    changed[at + text.len()] = b'-';
    fs::write(&file, changed).unwrap();
    let (log, blobs) = open(folder.path());
    let report = log.verify(&*blobs, |_| {}).await.unwrap();
    let positions: Vec<u64> = report.first_faults.iter().map(|fault| fault.position.0).collect();
    assert_eq!(positions, [166, 167, 168, 169, 170]);
    assert!(report.first_faults.iter().all(|fault| fault.detail == "its hash differs: it is not what was recorded"));
}

#[tokio::test]
async fn a_truncated_file_is_noticed_and_left_as_it_is() {
    let (whole, before) = filled().await;
    let content = fs::read(whole.path().join("log.db")).unwrap();
    let page = 8 << 10;
    let pages = content.len() / page;
    for length in [50, 100, 600, page, page + 100, pages / 2 * page, content.len() - page, content.len() - page / 2] {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("log.db"), &content[..length]).unwrap();
        let files_before = files(folder.path());
        let said = look(folder.path(), &before).await;
        assert!(said.is_err(), "{length} bytes of {} are taken for all", content.len());
        assert_eq!(files(folder.path()), files_before, "{length} bytes: {said:?}");
    }
}

/// Makes a file, of another program with this table.
type Maker = fn(&Path, &str);

/// The files of other programs, a newer build's, and no database at all.
#[tokio::test]
async fn what_is_not_a_log_of_this_build_is_refused_and_left_as_it_is() {
    let shopping = "CREATE TABLE shopping (item TEXT); INSERT INTO shopping VALUES ('milk');";
    let makers: [(&str, Maker); 5] = [
        ("is not a Timeloom event log", |file, _| fs::write(file, "not a database").unwrap()),
        ("is not a Timeloom event log", |file, _| fs::write(file, [0; 9_000]).unwrap()),
        ("is not a Timeloom event log", |file, shopping| {
            Connection::open(file).unwrap().execute_batch(shopping).unwrap();
        }),
        ("is not a Timeloom event log", |file, shopping| {
            let connection = Connection::open(file).unwrap();
            connection.execute_batch(&format!("PRAGMA journal_mode = WAL; {shopping}")).unwrap();
            // What this process writes stays in the write-ahead log of a copy.
            let wal = file.with_extension("db-wal");
            let copies = (fs::read(file).unwrap(), fs::read(&wal).unwrap());
            drop(connection);
            fs::write(file, copies.0).unwrap();
            fs::write(wal, copies.1).unwrap();
        }),
        ("run the newer version", |file, _| {
            drop(open(file.parent().unwrap()));
            let connection = Connection::open(file).unwrap();
            connection.pragma_update(None, "journal_mode", "DELETE").unwrap();
            connection.execute("UPDATE meta SET value = '99' WHERE name = 'schema_version'", []).unwrap();
        }),
    ];
    for (said, make) in makers {
        let folder = TempDir::new().unwrap();
        make(&folder.path().join("log.db"), shopping);
        let before = (files(folder.path()), folder.path().join("blobs").exists());
        let refused = SqliteLog::open(folder.path(), options()).unwrap_err();
        assert!(refused.to_string().contains(said), "{refused}");
        assert_eq!((files(folder.path()), folder.path().join("blobs").exists()), before, "{refused}");
    }
}
