//! An archiver that is killed at any of its steps, on the way there or back, loses nothing, and the next one finishes.

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use timeloom_store::archive::{Archivable, Archived};
use timeloom_store::{Direction, EventLog, Filter, LogTransfer, Position, TenantScope};

use crate::{PLACE, append, archiver, job, open};

/// Names the folder to the child, and makes it the child.
const FOLDER_VARIABLE: &str = "TIMELOOM_ARCHIVE_CRASH_FOLDER";
/// After how many steps it dies.
const STEP_VARIABLE: &str = "TIMELOOM_ARCHIVE_CRASH_STEP";
/// Has the child bring everything back, and die at the first step of this kind.
const BACK_VARIABLE: &str = "TIMELOOM_ARCHIVE_CRASH_BACK";
/// Enough for several transactions of dropped rows.
const APPENDS: u128 = 600;
const EVENTS_PER_APPEND: u128 = 8;

/// Not a test of its own: the process that dies at a step.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "this is how the parent test tells its child what to do")]
async fn child_that_archives_until_it_dies() {
    let Ok(folder) = std::env::var(FOLDER_VARIABLE) else { return };
    let folder = Path::new(&folder);
    let (log, _blobs) = open(folder);
    let archiver = archiver(&log, folder);
    if let Ok(kind) = std::env::var(BACK_VARIABLE) {
        // No destructor runs, and nothing is flushed that was not.
        let die = |step| {
            if format!("{step:?}").starts_with(&kind) {
                std::process::abort()
            }
        };
        archiver.restore(Position(1), u64::MAX, &job(1, PLACE).actor, die).await.unwrap();
        return;
    }
    let step: usize = std::env::var(STEP_VARIABLE).unwrap().parse().unwrap();
    let mut steps = 0;
    let die = |_| {
        steps += 1;
        if steps == step {
            std::process::abort();
        }
    };
    archiver.run(&job(u64::MAX, PLACE), die).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_step_nothing_is_lost_and_the_next_run_finishes() {
    let folder = TempDir::new().unwrap();
    let (log, blobs) = open(folder.path());
    for number in 0..APPENDS {
        log.append(append(&format!("o-{}", number % 7), number * 100 + 1, EVENTS_PER_APPEND)).await.unwrap();
    }
    let head = log.head();
    let before = all(&log).await;
    log.close().await;
    drop((log, blobs));
    let mut deaths = 0;
    // Each child goes on where the last one died, and dies one step later than it began: every step is met.
    for step in 1.. {
        let died = dies(folder.path(), &before, (STEP_VARIABLE, &step.to_string())).await;
        if !died {
            break;
        }
        deaths += 1;
    }
    assert!(deaths >= 8, "it died at {deaths} steps only");
    let (log, blobs) = open(folder.path());
    assert!(log.verify(&*blobs, |_| {}).await.unwrap().is_whole());
    let archived = log.archived().await.unwrap();
    assert!(archived.dropped >= head.min(archived.registered) && archived.dropped == archived.registered);
    assert_ne!(archived, Archived::default());
    log.close().await;
    drop((log, blobs));
    for kind in ["CameBack", "CameBack", "Proved", "ToldBack", "Forgotten", "CameBack"] {
        assert!(dies(folder.path(), &before, (BACK_VARIABLE, kind)).await, "there was no step {kind}");
    }
    assert!(!dies(folder.path(), &before, (BACK_VARIABLE, "none")).await);
    let (log, blobs) = open(folder.path());
    assert!(log.verify(&*blobs, |_| {}).await.unwrap().is_whole());
    assert_eq!((log.archived().await.unwrap(), log.restoring().await.unwrap()), (Archived::default(), None));
    assert_eq!(told(&log, "RangeRestored").await, told(&log, "RangeArchived").await, "each range came back once");
}

async fn told(log: &timeloom_store_sqlite::SqliteLog, event_type: &str) -> usize {
    let filter = Filter { event_types: vec![event_type.into()], ..Filter::default() };
    log.read_all(TenantScope::All, Position::START, Direction::Forward, &filter, 100).await.unwrap().len()
}

/// Lets a child work until it dies or comes to its end, looks at what is left, and says whether it died.
async fn dies(folder: &Path, before: &[timeloom_store::StoredEvent], when: (&str, &str)) -> bool {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["crash::child_that_archives_until_it_dies", "--exact"])
        .env(FOLDER_VARIABLE, folder)
        .envs([when])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let (log, blobs) = open(folder);
    assert_eq!(all(&log).await[..before.len()], before[..], "after a death at {when:?}");
    let again = log.append(append("o-1", 101, EVENTS_PER_APPEND)).await.unwrap();
    assert!(again.repeated, "after a death at {when:?}");
    log.close().await;
    drop((log, blobs));
    !status.success()
}

async fn all(log: &timeloom_store_sqlite::SqliteLog) -> Vec<timeloom_store::StoredEvent> {
    let (mut all, mut after) = (Vec::new(), Position::START);
    loop {
        let page = log.export(after, 1_000).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.position;
        all.extend(page);
    }
    // What readers get is the same, in the same order.
    let mut at = Position::START;
    while at < log.head() {
        let page = log.read_all(TenantScope::All, at, Direction::Forward, &Filter::default(), 1_000).await.unwrap();
        for event in &page {
            let row = &all[usize::try_from(event.position.0).unwrap() - 1];
            assert_eq!((row.id, row.payload.as_str()), (event.id, event.payload.get()));
        }
        at = page.last().unwrap().position;
    }
    all
}
