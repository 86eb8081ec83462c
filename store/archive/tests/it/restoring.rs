//! Ranges come back out of the archive: in which order, under which reads, and whatever ends the program meanwhile.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use timeloom_archive::{ArchiveError, Progress};
use timeloom_domain::archive::ArchiveEvent;
use timeloom_domain::ids::{Actor, TenantId};
use timeloom_store::archive::{Archivable, Archived};
use timeloom_store::codec::decode;
use timeloom_store::{
    Direction, EventLog, Filter, LogTransfer, Position, RecordedEvent, Revision, StoredEvent, TenantScope, Wanted,
};
use timeloom_store_sqlite::SqliteLog;

use crate::{PLACE, append, archiver, job, open, stream};
use tokio::task::JoinSet;

fn actor() -> Actor {
    Actor::System("archiver".to_owned())
}

async fn fill(log: &SqliteLog, appends: u128, events: u128) {
    for number in 0..appends {
        log.append(append(&format!("o-{}", number % 5), number * 1_000 + 1, events)).await.unwrap();
    }
}

/// Every row as it is stored, with leaves and appends.
async fn rows(log: &SqliteLog) -> Vec<StoredEvent> {
    let (mut all, mut after) = (Vec::new(), Position::START);
    loop {
        let page = log.export(after, 1_000).await.unwrap();
        let Some(last) = page.last() else { return all };
        after = last.position;
        all.extend(page);
    }
}

fn in_file(folder: &TempDir, sql: &str) -> i64 {
    let connection = rusqlite::Connection::open(folder.path().join("log.db")).unwrap();
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_ranges_come_back_and_the_log_tells_of_each() {
    let folder = TempDir::new().unwrap();
    let (log, blobs) = open(folder.path());
    fill(&log, 50, 4).await;
    let archiver = archiver(&log, folder.path());
    for up_to in [80, 120, 160] {
        archiver.run(&job(up_to, PLACE), |_| {}).await.unwrap();
    }
    let before = rows(&log).await;
    let mut steps = Vec::new();
    let restored = archiver.restore(Position(100), u64::MAX, &actor(), |step| steps.push(step)).await.unwrap();
    assert_eq!((restored.segments, restored.events), (2, 80), "whole segments, the one that has 100 too");
    assert_eq!(restored.archived, Archived { registered: Position(80), dropped: Position(80) });
    let order: Vec<u8> = steps
        .iter()
        .map(|step| match step {
            Progress::CameBack(_) => 0,
            Progress::Proved(_) => 1,
            Progress::ToldBack(_) => 2,
            Progress::Forgotten(_) => 3,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(order, [0, 1, 2, 3, 0, 1, 2, 3]);
    assert_eq!(rows(&log).await[..before.len()], before[..], "texts, leaves and appends are the same");
    assert!(log.verify(&*blobs, |_| {}).await.unwrap().is_whole());
    assert_eq!(in_file(&folder, "SELECT count(*) FROM events WHERE position > 80 AND position <= 160"), 80);
    assert_eq!(in_file(&folder, "SELECT count(*) FROM archived_ids"), 80);
    let known: Vec<u64> = log.segments(Position::START, 10).await.unwrap().iter().map(|one| one.last.0).collect();
    assert_eq!(known, [80]);
    assert_eq!(fs::read_dir(folder.path().join(PLACE)).unwrap().count(), 3, "no file is deleted");
    let told = log.read_all(TenantScope::All, Position(203), Direction::Forward, &Filter::default(), 10).await.unwrap();
    let told: Vec<(u64, u64)> = told
        .iter()
        .map(|event| match decode(event).unwrap() {
            ArchiveEvent::RangeRestored(range) => (range.first, range.last),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, [(121, 160), (81, 120)]);
    // Commands and ids are known as before, and what is back can be archived again.
    let again = log.append(append("o-1", 31_001, 4)).await.unwrap();
    assert!(again.repeated && again.position == Position(128));
    let more = archiver.run(&job(180, PLACE), |_| {}).await.unwrap();
    assert_eq!((more.segments, more.archived.dropped), (1, Position(180)));
    assert_eq!(rows(&log).await[..before.len()], before[..]);
    // All of it, without its archive.
    let all = archiver.restore(Position(0), u64::MAX, &actor(), |_| {}).await.unwrap();
    assert_eq!((all.segments, all.archived), (2, Archived::default()));
    fs::remove_dir_all(folder.path().join(PLACE)).unwrap();
    assert_eq!(rows(&log).await[..before.len()], before[..]);
    let nothing = archiver.restore(Position(1), u64::MAX, &actor(), |_| {}).await.unwrap();
    assert_eq!((nothing.segments, nothing.events), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_is_damaged_or_missing_brings_nothing_back() {
    let folder = TempDir::new().unwrap();
    let (log, _blobs) = open(folder.path());
    fill(&log, 30, 4).await;
    let archiver = archiver(&log, folder.path());
    archiver.run(&job(80, PLACE), |_| {}).await.unwrap();
    let before = log.archived().await.unwrap();
    let file = fs::read_dir(folder.path().join(PLACE)).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();
    let spoilt: Vec<u8> = whole.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == whole.len() / 3)).collect();
    for spoil in [Some(spoilt), None] {
        match spoil {
            Some(bytes) => fs::write(&file, bytes).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let refused = archiver.restore(Position(1), 1, &actor(), |_| {}).await.unwrap_err();
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(matches!(refused, ArchiveError::Log(_)) && refused.to_string().contains(name), "{refused}");
        assert_eq!(log.archived().await.unwrap(), before);
    }
    fs::write(&file, whole).unwrap();
    assert_eq!(archiver.restore(Position(1), 1, &actor(), |_| {}).await.unwrap().events, 80);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_of_a_row_cannot_be_deleted_before_the_row_is_back() {
    let folder = TempDir::new().unwrap();
    let (log, _blobs) = open(folder.path());
    fill(&log, 1_200, 4).await;
    let archiver = archiver(&log, folder.path());
    archiver.run(&job(4_400, PLACE), |_| {}).await.unwrap();
    let segment = log.segments(Position::START, 1).await.unwrap().remove(0);
    let stored = log.export(Position(4_396), 4).await.unwrap();
    for (wrong, why) in [
        (stored[..2].to_vec(), "not the newest"),
        (stored[1..].to_vec(), "do not begin where an append begins"),
        (Vec::new(), "nothing to bring back"),
    ] {
        let refused = log.restore_some(wrong).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    let back = log.restore_some(stored).await.unwrap();
    assert_eq!(back, Archived { registered: Position(4_400), dropped: Position(4_396) });
    assert_eq!(log.restoring().await.unwrap(), Some(segment.clone()));
    assert_eq!(log.drop_some().await.unwrap(), back, "what is being brought back is not dropped");
    assert!(log.forget(segment).await.unwrap_err().to_string().contains("did not come back"));
    let connection = rusqlite::Connection::open(folder.path().join("log.db")).unwrap();
    for statement in [
        "DELETE FROM archived_ids WHERE position = 4396",
        "DELETE FROM archived_appends WHERE position = 4396",
        "DELETE FROM events WHERE position = 4398",
        "DELETE FROM segments",
    ] {
        let refused = connection.execute(statement, []).unwrap_err().to_string();
        assert!(refused.contains("only ever grows"), "{statement}: {refused}");
    }
    // Another run of the archiver finishes it before anything else.
    let done = archiver.run(&job(0, PLACE), |_| {}).await.unwrap();
    assert_eq!(done.archived, Archived::default());
}

/// Reads a log in every way; the read that gave something else than it has to, if one did.
pub(crate) async fn wrong_read(log: &dyn EventLog, rows: &dyn LogTransfer, events: u64) -> Option<&'static str> {
    let positions = |events: &[Arc<RecordedEvent>]| events.iter().map(|event| event.position.0).collect::<Vec<_>>();
    let (scope, every) = (TenantScope::All, Filter::default());
    let forward = log.read_all(scope, Position(events - 900), Direction::Forward, &every, 700).await.unwrap();
    let backward = log.read_all(scope, Position(events), Direction::Backward, &every, 1_000).await.unwrap();
    let kind = Filter { event_types: vec!["HappenedToo".into()], ..Filter::default() };
    let kinds = log.read_all(TenantScope::One(TenantId(1)), Position(events), Direction::Backward, &kind, 300).await;
    let kinds = kinds.unwrap();
    let of_stream = Filter { stream: Some(stream("o-1")), ..Filter::default() };
    let whole = log.read_all(scope, Position::START, Direction::Forward, &of_stream, 1_000).await.unwrap();
    let stream = log.read_stream(&stream("o-1"), Revision(0), Direction::Forward, 1_000).await.unwrap();
    let wanted: Vec<Position> = (1..=events).step_by(97).map(Position).collect();
    let looked_up = log.look_up(scope, &Wanted::Positions(wanted.clone())).await.unwrap();
    let exported = rows.export(Position(events - 1_000), 1_000).await.unwrap();
    let revisions = |events: &[Arc<RecordedEvent>]| {
        events.iter().zip(1..).all(|(event, revision)| event.revision.0 == revision) && events.len() == 1_000
    };
    let reads = [
        ("forward", positions(&forward) == (events - 899..=events - 200).collect::<Vec<_>>()),
        ("backward", positions(&backward) == (events - 999..=events).rev().collect::<Vec<_>>()),
        ("of a type", positions(&kinds) == (events - 599..=events).rev().step_by(2).collect::<Vec<_>>()),
        ("of a stream among all", revisions(&whole)),
        ("of a stream", revisions(&stream)),
        ("by position", positions(&looked_up) == wanted.iter().map(|position| position.0).collect::<Vec<_>>()),
        ("for a copy", exported.iter().map(|row| row.position.0).eq(events - 999..=events)),
    ];
    reads.into_iter().find(|(_, is_right)| !is_right).map(|(read, _)| read)
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_meet_no_gap_while_ranges_go_and_come_back() {
    let folder = TempDir::new().unwrap();
    let (log, _blobs) = open(folder.path());
    fill(&log, 1_500, 4).await;
    let events = 5_996;
    let archiver = archiver(&log, folder.path());
    let ended = Arc::new(AtomicBool::new(false));
    let mut reading = JoinSet::new();
    reading.spawn({
        let (log, ended) = (Arc::clone(&log), Arc::clone(&ended));
        async move {
            let mut reads = 0;
            while !ended.load(Ordering::Relaxed) || reads == 0 {
                assert_eq!(wrong_read(&*log, &*log, events).await, None, "in round {reads}");
                reads += 1;
            }
        }
    });
    for _ in 0..3 {
        archiver.run(&job(3_000, PLACE), |_| {}).await.unwrap();
        archiver.run(&job(events, PLACE), |_| {}).await.unwrap();
        archiver.restore(Position(1), u64::MAX, &actor(), |_| {}).await.unwrap();
    }
    ended.store(true, Ordering::Relaxed);
    reading.join_next().await.unwrap().unwrap();
}
