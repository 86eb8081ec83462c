//! The archiver: what it moves, in which order, and what it refuses.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use timeloom_archive::{ArchiveError, Places, Progress};
use timeloom_domain::archive::ArchiveEvent;
use timeloom_store::archive::{Archivable, Archived};
use timeloom_store::codec::decode;
use timeloom_store::transfer::{CopySource, CopyTarget, copy};
use timeloom_store::{AppendError, Direction, EventLog, Filter, LogError, LogTransfer, Position, TenantScope};
use timeloom_store_sqlite::{SqliteImport, SqliteLog, SqliteSource};

use crate::{PLACE, append, archiver, job, open, options};

async fn fill(log: &SqliteLog, appends: u128) {
    for number in 0..appends {
        log.append(append(&format!("o-{}", number % 5), number * 100 + 1, 4)).await.unwrap();
    }
}

async fn everything(log: &dyn EventLog) -> Vec<(u64, String)> {
    let read = log.read_all(TenantScope::All, Position::START, Direction::Forward, &Filter::default(), 1_000).await;
    read.unwrap().iter().map(|event| (event.position.0, event.payload.get().to_owned())).collect()
}

fn only_segment(folder: &Path) -> PathBuf {
    let mut files = fs::read_dir(folder.join(PLACE)).unwrap().map(|entry| entry.unwrap().path());
    let file = files.next().unwrap();
    assert!(files.next().is_none(), "no part of a file is left");
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_moves_and_the_log_tells_of_it_and_reads_as_before() {
    let folder = TempDir::new().unwrap();
    let (log, blobs) = open(folder.path());
    fill(&log, 50).await;
    let before = everything(&*log).await;
    let leaves: Vec<_> = log.export(Position::START, 1_000).await.unwrap();
    let mut steps = Vec::new();
    let done = archiver(&log, folder.path()).run(&job(101, PLACE), |step| steps.push(step)).await.unwrap();
    assert_eq!((done.segments, done.events), (1, 100), "the append that ends behind 101 stays whole");
    assert_eq!(done.archived, Archived { registered: Position(100), dropped: Position(100) });
    let order: Vec<u8> = steps
        .iter()
        .map(|step| match step {
            Progress::Read(_) => 0,
            Progress::Written(_) => 1,
            Progress::Compared(_) => 2,
            Progress::Told(_) => 3,
            Progress::Registered(_) => 4,
            Progress::Dropped(_) => 5,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(order.is_sorted() && order.ends_with(&[1, 2, 3, 4, 5]), "{steps:?}");
    let after = everything(&*log).await;
    assert_eq!(after[..200], before[..]);
    assert_eq!(log.export(Position::START, 1_000).await.unwrap()[..200], leaves[..], "leaves and appends too");
    let told = log.read_all(TenantScope::All, Position(200), Direction::Forward, &Filter::default(), 10).await.unwrap();
    let ArchiveEvent::RangeArchived(range) = decode(&told[0]).unwrap() else { panic!("{told:?}") };
    let file = only_segment(folder.path());
    assert_eq!((range.first, range.last, range.place.as_str()), (1, 100, PLACE));
    assert_eq!(file.file_name().unwrap().to_str().unwrap(), range.segment);
    assert_eq!(range.bytes, fs::metadata(&file).unwrap().len());
    assert!(log.verify(&*blobs, |_| {}).await.unwrap().is_whole());
    // Again does nothing, and more goes on.
    let again = archiver(&log, folder.path()).run(&job(101, PLACE), |_| {}).await.unwrap();
    assert_eq!((again.segments, again.archived), (0, done.archived));
    let more = archiver(&log, folder.path()).run(&job(u64::MAX, PLACE), |_| {}).await.unwrap();
    assert_eq!((more.events, more.archived.dropped), (100, Position(200)), "the newest event stays");
    assert_eq!(everything(&*log).await[..200], before[..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_log_is_copied_whole_and_only_with_its_archive() {
    let folder = TempDir::new().unwrap();
    let (log, blobs) = open(folder.path());
    fill(&log, 50).await;
    archiver(&log, folder.path()).run(&job(150, PLACE), |_| {}).await.unwrap();
    let before = everything(&*log).await;
    log.close().await;
    drop((log, blobs));
    let target = TempDir::new().unwrap();
    {
        let (source, blobs) = SqliteSource::open_with(folder.path(), options(folder.path()).segments).unwrap();
        let (copied, copied_blobs) = SqliteImport::open(target.path()).unwrap();
        let report = copy(
            CopySource { log: &*source, blobs: &*blobs },
            CopyTarget { log: &*copied, blobs: &*copied_blobs },
            |_| {},
        );
        assert_eq!(report.await.unwrap().events, before.len() as u64);
    }
    let (copied, _blobs) = open(target.path());
    assert_eq!(everything(&*copied).await, before);
    assert_eq!(copied.archived().await.unwrap(), Archived::default(), "the copy needs no archive");
    let (source, _blobs) = SqliteSource::open(folder.path()).unwrap();
    let refused = source.export(Position::START, 10).await.unwrap_err().to_string();
    assert!(refused.contains("opened without its archive"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_damaged_segment_is_a_fault_that_names_it_and_never_a_gap() {
    let folder = TempDir::new().unwrap();
    let (log, _blobs) = open(folder.path());
    fill(&log, 50).await;
    archiver(&log, folder.path()).run(&job(150, PLACE), |_| {}).await.unwrap();
    let file = only_segment(folder.path());
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    let whole = fs::read(&file).unwrap();
    let read = async || {
        // Opened anew: what was read before is remembered.
        let reader = timeloom_archive::SegmentReader::new(Places::new(folder.path()));
        let segments = log.segments(Position::START, 10).await.unwrap();
        timeloom_store::archive::Segments::rows(&reader, &segments[0], Position(1)).await
    };
    assert!(read().await.is_ok());
    for (spoil, said) in [
        (None, "is missing"),
        (Some(whole[..whole.len() - 1].to_vec()), "is damaged"),
        (Some(whole.iter().rev().copied().collect()), "is damaged"),
        (Some(whole.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == 20)).collect()), "another hash"),
    ] {
        match spoil {
            Some(bytes) => fs::write(&file, bytes).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let error = read().await.unwrap_err().to_string();
        assert!(error.contains(&name) && error.contains(said) && error.contains(PLACE), "{error}");
        let error = archiver(&log, folder.path()).check_segment(Position(1)).await.unwrap_err().to_string();
        assert!(error.contains(&name) && error.contains(PLACE), "{error}");
    }
    let all = log.read_all(TenantScope::All, Position::START, Direction::Forward, &Filter::default(), 1_000).await;
    assert!(matches!(all, Err(LogError::Storage(_))), "{all:?}");
    let hot = log.read_all(TenantScope::All, Position(148), Direction::Forward, &Filter::default(), 1_000).await;
    assert_eq!(hot.unwrap().len(), 53, "what is not archived needs no archive");
    log.append(append("o-1", 90_001, 2)).await.unwrap();
    fs::write(&file, whole).unwrap();
    assert_eq!(everything(&*log).await.len(), 203);
    assert_eq!(archiver(&log, folder.path()).check_segment(Position(1)).await.unwrap(), 148);
    let unknown = archiver(&log, folder.path()).check_segment(Position(2)).await.unwrap_err().to_string();
    assert!(unknown.contains("no segment of the archive begins at 2"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_not_in_the_archive_cannot_be_deleted_and_what_stays_of_others_neither() {
    let folder = TempDir::new().unwrap();
    let (log, _blobs) = open(folder.path());
    fill(&log, 20).await;
    archiver(&log, folder.path()).run(&job(40, PLACE), |_| {}).await.unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("log.db")).unwrap();
    for statement in [
        "DELETE FROM events WHERE position = 41",
        "UPDATE events SET payload = '{}' WHERE position = 41",
        "DELETE FROM archived_ids",
        "DELETE FROM archived_appends",
        "DELETE FROM segments",
        "UPDATE segments SET place = 'elsewhere'",
    ] {
        let refused = connection.execute(statement, []).unwrap_err().to_string();
        assert!(refused.contains("only ever grows"), "{statement}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_archived_events_stay_taken() {
    let folder = TempDir::new().unwrap();
    let (log, _blobs) = open(folder.path());
    fill(&log, 20).await;
    let first = log.append(append("o-9", 70_001, 3)).await.unwrap();
    fill_more(&log).await;
    archiver(&log, folder.path()).run(&job(first.position.0, PLACE), |_| {}).await.unwrap();
    let again = log.append(append("o-9", 70_001, 3)).await.unwrap();
    assert!(again.repeated && again.position == first.position && again.events == first.events);
    let other = log.append(append("o-9", 70_001, 2)).await;
    assert!(matches!(other, Err(AppendError::DuplicateId)), "{other:?}");
    // The same event ids under another command and in another stream.
    let mut taken = append("o-10", 70_001, 3);
    taken.command_id = timeloom_domain::ids::CommandId(crate::new_id());
    assert!(matches!(log.append(taken).await, Err(AppendError::DuplicateId)));
    let position = log.position_at(first.events[1].recorded_at.timestamp_micros()).await.unwrap();
    assert_eq!(position, first.events[1].position);
}

async fn fill_more(log: &SqliteLog) {
    log.append(append("o-later", 80_001, 4)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_cannot_be_written_drops_nothing() {
    let folder = TempDir::new().unwrap();
    let (log, _blobs) = open(folder.path());
    fill(&log, 10).await;
    fs::write(folder.path().join("file"), "no folder").unwrap();
    for place in ["file", "", "ftp://host/archive"] {
        let refused = archiver(&log, folder.path()).run(&job(20, place), |_| {}).await.unwrap_err();
        assert!(matches!(refused, ArchiveError::BadPlace { .. } | ArchiveError::Place { .. }), "{refused}");
    }
    assert_eq!(log.archived().await.unwrap(), Archived::default());
    // A segment that is not that of the log is not registered.
    let sealed = archiver(&log, folder.path()).run(&job(20, PLACE), |_| {}).await.unwrap();
    let segment = log.segments(Position::START, 1).await.unwrap().remove(0);
    let wrong = timeloom_store::archive::Segment { first: Position(21), last: Position(23), ..segment };
    assert!(log.register(wrong).await.is_err(), "it does not end with an append");
    assert_eq!(log.archived().await.unwrap(), sealed.archived);
    let _: Arc<dyn Archivable> = log;
}
