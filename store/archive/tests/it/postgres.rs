//! The archive of a log in PostgreSQL: the suite of every backend with everything but the newest append archived, several
//! processes, and deaths at every step.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use timeloom_archive::{ArchiveError, Archiver, Places, Progress, SegmentReader};
use timeloom_domain::ids::{Actor, CommandId};
use timeloom_postgres_testing::Database;
use timeloom_store::archive::{Archivable, Archived};
use timeloom_store::conformance::Fresh;
use timeloom_store::verify::verify;
use timeloom_store::{
    AppendError, BlobStore, Direction, EventLog, Filter, LogTransfer, Position, StoredEvent, SystemClock, TenantScope,
    event_log_conformance,
};
use timeloom_store_postgres::{Address, PostgresBlobs, PostgresLog, PostgresOptions};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::cold::Archived as AllArchived;
use crate::restoring::wrong_read;
use crate::{append, job, new_id};

/// Names the database to the child, and makes it the child.
const URL_VARIABLE: &str = "TIMELOOM_ARCHIVE_CRASH_URL";
/// The folder of the segments.
const PLACE_VARIABLE: &str = "TIMELOOM_ARCHIVE_CRASH_PLACE";
/// The kind of step at which it dies.
const STEP_VARIABLE: &str = "TIMELOOM_ARCHIVE_CRASH_KIND";
const APPENDS: u128 = 600;
const EVENTS_PER_APPEND: u128 = 8;

async fn open(url: &str) -> (Arc<PostgresLog>, Arc<PostgresBlobs>) {
    let options = PostgresOptions {
        segments: Arc::new(SegmentReader::new(Places::shared())),
        ..PostgresOptions::new(Uuid::from_u128(7), Arc::new(SystemClock))
    };
    PostgresLog::open(&Address::parse(url).unwrap(), options).await.unwrap()
}

fn archiver(log: &Arc<PostgresLog>) -> Archiver {
    let rows = Arc::clone(log) as Arc<dyn Archivable>;
    Archiver::new(Arc::clone(log) as Arc<dyn EventLog>, rows, Places::shared(), new_id)
}

fn place(folder: &TempDir) -> &str {
    folder.path().to_str().unwrap()
}

fn actor() -> Actor {
    Actor::System("archiver".to_owned())
}

async fn archived(url: &str, folder: &Path) -> (Arc<dyn EventLog>, Arc<dyn BlobStore>) {
    let (log, blobs) = open(url).await;
    let rows = Arc::clone(&log) as Arc<dyn Archivable>;
    // The wrapper's place is within a folder; the log remembers it in full.
    (Arc::new(AllArchived::new(log, rows, Places::shared()).into_folder(folder)), blobs)
}

async fn fresh() -> Fresh {
    let (database, folder) = (Database::create().await, TempDir::new().unwrap());
    let (url, path) = (database.url().to_owned(), folder.path().to_owned());
    let (log, blobs) = archived(&url, &path).await;
    let reopen = move || {
        let (url, path) = (url.clone(), path.clone());
        async move { archived(&url, &path).await }
    };
    Fresh::new(log, blobs).keeping((database, folder)).reopened_by(reopen)
}

event_log_conformance!(fresh);

async fn rows(log: &PostgresLog) -> Vec<StoredEvent> {
    let (mut all, mut after) = (Vec::new(), Position::START);
    loop {
        let page = log.export(after, 1_000).await.unwrap();
        let Some(last) = page.last() else { return all };
        after = last.position;
        all.extend(page);
    }
}

async fn fill(log: &PostgresLog, appends: u128, events: u128) {
    for number in 0..appends {
        log.append(append(&format!("o-{}", number % 5), number * 1_000 + 1, events)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_reads_what_one_archived_and_brought_back() {
    let (database, folder) = (Database::create().await, TempDir::new().unwrap());
    let (one, blobs) = open(database.url()).await;
    let (other, _) = open(database.url()).await;
    fill(&one, 50, 4).await;
    other.wait_for(Position(200)).await.unwrap();
    let before = rows(&one).await;
    let done = archiver(&one).run(&job(120, place(&folder)), |_| {}).await.unwrap();
    assert_eq!(done.archived, Archived { registered: Position(120), dropped: Position(120) });
    // Another process goes on where the first one stopped.
    let more = archiver(&other).run(&job(160, place(&folder)), |_| {}).await.unwrap();
    assert_eq!((more.segments, more.archived.dropped), (1, Position(160)));
    let client = database.client().await;
    let count: i64 = client.query_one("SELECT count(*) FROM events WHERE position <= 160", &[]).await.unwrap().get(0);
    assert_eq!(count, 0);
    for log in [&one, &other] {
        assert_eq!(rows(log).await[..before.len()], before[..], "texts, leaves and appends are the same");
        assert!(verify(&**log, &*blobs, |_| {}).await.unwrap().is_whole());
        assert!(log.check().await.unwrap().is_sound());
    }
    // Commands and ids that are archived are known.
    let again = other.append(append("o-0", 1, 4)).await.unwrap();
    assert!(again.repeated && again.position == Position(4) && again.events.len() == 4);
    assert!(matches!(other.append(append("o-0", 1, 3)).await, Err(AppendError::DuplicateId)));
    let mut taken = append("o-new", 1, 4);
    taken.command_id = CommandId(new_id());
    assert!(matches!(other.append(taken).await, Err(AppendError::DuplicateId)));
    let next = other.append(append("o-0", 900_001, 1)).await.unwrap();
    assert_eq!(next.revision.0, 41, "the revision goes on behind what is archived");
    let restored = archiver(&other).restore(Position(1), u64::MAX, &actor(), |_| {}).await.unwrap();
    assert_eq!((restored.segments, restored.events, restored.archived), (2, 160, Archived::default()));
    for log in [&one, &other] {
        assert_eq!(rows(log).await[..before.len()], before[..]);
        assert!(log.check().await.unwrap().is_sound());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_archives_at_a_time_and_places_are_shared() {
    let (database, folder) = (Database::create().await, TempDir::new().unwrap());
    let (one, _) = open(database.url()).await;
    let (other, _) = open(database.url()).await;
    fill(&one, 20, 4).await;
    let turn = other.turn().await.unwrap();
    assert!(turn.is_some());
    let refused = archiver(&one).run(&job(40, place(&folder)), |_| {}).await.unwrap_err();
    assert!(refused.to_string().contains("archived by another run"), "{refused}");
    drop(turn);
    let refused = archiver(&one).run(&job(40, "archive"), |_| {}).await.unwrap_err();
    assert!(matches!(&refused, ArchiveError::BadPlace { .. }), "{refused}");
    assert!(refused.to_string().contains("every process of the log has to reach it"), "{refused}");
    assert_eq!(one.archived().await.unwrap(), Archived::default());
    assert_eq!(archiver(&one).run(&job(40, place(&folder)), |_| {}).await.unwrap().events, 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_archived_can_go_and_builds_without_archive_are_kept_out() {
    let (database, folder) = (Database::create().await, TempDir::new().unwrap());
    let (log, _) = open(database.url()).await;
    fill(&log, 20, 4).await;
    let client = database.client().await;
    let older = "INSERT INTO events SELECT position + 1000, tenant_id, aggregate_type, 'x', 1, gen_random_uuid(), event_type, \
                 event_version, payload, metadata, recorded_at, leaf FROM events WHERE position = 80";
    client.batch_execute(&format!("BEGIN; {older}; ROLLBACK")).await.unwrap();
    archiver(&log).run(&job(40, place(&folder)), |_| {}).await.unwrap();
    for statement in [
        "DELETE FROM events WHERE position = 41",
        "DELETE FROM events",
        "UPDATE events SET payload = '{}' WHERE position = 41",
        "DELETE FROM archived_events",
        "UPDATE archived_events SET position = 1000 WHERE position = 1",
        "DELETE FROM archived_appends",
        "DELETE FROM log_segments",
        "UPDATE log_segments SET place = 'elsewhere'",
        "DELETE FROM log_archive",
        "TRUNCATE archived_events",
    ] {
        let refused = client.batch_execute(statement).await.unwrap_err();
        let message = refused.as_db_error().unwrap().message();
        assert!(message.contains("only ever grows"), "{statement}: {message}");
    }
    let refused = client.batch_execute(older).await.unwrap_err();
    let message = refused.as_db_error().unwrap().message().to_owned();
    assert!(message.contains("start a newer one"), "{message}");
    let usable: String =
        client.query_one("SELECT value FROM log_meta WHERE name = 'usable_from'", &[]).await.unwrap().get(0);
    assert_eq!(usable, "6");
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_of_other_processes_meet_no_gap_while_ranges_go_and_come_back() {
    let (database, folder) = (Database::create().await, TempDir::new().unwrap());
    let (one, _) = open(database.url()).await;
    let (other, _) = open(database.url()).await;
    fill(&one, 1_500, 4).await;
    let events = 5_996;
    other.wait_for(Position(events)).await.unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let mut reading = JoinSet::new();
    reading.spawn({
        let (other, ended) = (Arc::clone(&other), Arc::clone(&ended));
        async move {
            let mut reads = 0;
            while !ended.load(Ordering::Relaxed) || reads == 0 {
                assert_eq!(wrong_read(&*other, &*other, events).await, None, "in round {reads}");
                reads += 1;
            }
        }
    });
    for _ in 0..2 {
        archiver(&one).run(&job(3_000, place(&folder)), |_| {}).await.unwrap();
        archiver(&one).run(&job(events, place(&folder)), |_| {}).await.unwrap();
        archiver(&one).restore(Position(1), u64::MAX, &actor(), |_| {}).await.unwrap();
    }
    ended.store(true, Ordering::Relaxed);
    reading.join_next().await.unwrap().unwrap();
}

/// Not a test of its own: the process that dies at a step.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "this is how the parent test tells its child what to do")]
async fn child_that_archives_until_it_dies() {
    let Ok(url) = std::env::var(URL_VARIABLE) else { return };
    let (kind, place) = (std::env::var(STEP_VARIABLE).unwrap(), std::env::var(PLACE_VARIABLE).unwrap());
    let (log, _blobs) = open(&url).await;
    // No destructor runs, and nothing is told to the server.
    let die = |step: Progress| {
        if format!("{step:?}").starts_with(&kind) {
            std::process::abort()
        }
    };
    let archiver = archiver(&log);
    let back = ["CameBack", "Proved", "ToldBack", "Forgotten", "back"].contains(&kind.as_str());
    if back {
        archiver.restore(Position(1), u64::MAX, &actor(), die).await.unwrap();
    } else {
        archiver.run(&job(APPENDS as u64 * EVENTS_PER_APPEND as u64 - 1, &place), die).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_step_nothing_is_lost_and_another_process_finishes() {
    let (database, folder) = (Database::create().await, TempDir::new().unwrap());
    let (log, blobs) = open(database.url()).await;
    for number in 0..APPENDS {
        log.append(append(&format!("o-{}", number % 7), number * 100 + 1, EVENTS_PER_APPEND)).await.unwrap();
    }
    let before = rows(&log).await;
    let there = ["Read", "Written", "Compared", "Told", "Registered", "Dropped", "Dropped", "end"];
    let back = ["CameBack", "CameBack", "Proved", "ToldBack", "Forgotten", "back"];
    for kind in there.into_iter().chain(back) {
        let child = "postgres::child_that_archives_until_it_dies";
        let status = Command::new(std::env::current_exe().unwrap())
            .args([child, "--exact"])
            .env(URL_VARIABLE, database.url())
            .env(PLACE_VARIABLE, folder.path())
            .env(STEP_VARIABLE, kind)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.success(), ["end", "back"].contains(&kind), "it was to die at {kind}");
        assert_eq!(rows(&log).await[..before.len()], before[..], "after a death at {kind}");
        let again = log.append(append("o-1", 101, EVENTS_PER_APPEND)).await.unwrap();
        assert!(again.repeated, "after a death at {kind}");
        if kind == "end" {
            let archived = log.archived().await.unwrap();
            assert_eq!(archived, Archived { registered: archived.dropped, ..archived });
            assert_eq!((archived.dropped.0, told(&log, "RangeArchived").await), (4_792, 1), "archived once");
            assert!(verify(&*log, &*blobs, |_| {}).await.unwrap().is_whole());
        }
    }
    assert_eq!((log.archived().await.unwrap(), log.restoring().await.unwrap()), (Archived::default(), None));
    assert_eq!(told(&log, "RangeRestored").await, 1);
    assert!(verify(&*log, &*blobs, |_| {}).await.unwrap().is_whole());
}

async fn told(log: &PostgresLog, event_type: &str) -> usize {
    let filter = Filter { event_types: vec![event_type.into()], ..Filter::default() };
    log.read_all(TenantScope::All, Position::START, Direction::Forward, &filter, 100).await.unwrap().len()
}
