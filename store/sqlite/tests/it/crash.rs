//! What was acknowledged survives `kill -9` at any moment.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use timeloom_store::{Direction, EventLog, Filter, Position, RecordedEvent, TenantScope};
use tokio::task::JoinSet;

use crate::{append, open};

/// Names the folder to the child and makes it the child.
const FOLDER_VARIABLE: &str = "TIMELOOM_CRASH_TEST_FOLDER";
const WRITERS: u128 = 8;
const EVENTS_PER_APPEND: u128 = 3;
const KILLS: u64 = 4;

/// Not a test of its own: the process that gets killed. Writes a line for each append that was acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_appends_until_it_is_killed() {
    #[expect(clippy::disallowed_methods, reason = "this is how the parent test tells its child what to do")]
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE) else { return };
    let (log, _blobs) = open(&PathBuf::from(folder));
    let start = u128::from(log.head().0) * 1_000_000;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let log = Arc::clone(&log);
        writers.spawn(async move {
            for number in 0..u128::MAX {
                let first_id = start + (number * WRITERS + writer) * 10 + 1;
                let payload = format!(r#"{{"first_id":{first_id},"filling":"{}"}}"#, "x".repeat(200));
                let append = append(&format!("s{writer}"), first_id, EVENTS_PER_APPEND, &payload);
                let appended = log.append(append).await.unwrap();
                let line = format!("acknowledged {} {first_id}\n", appended.position.0);
                std::io::stderr().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    writers.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_events_survive_being_killed_in_the_middle_of_commits() {
    let folder = TempDir::new().unwrap();
    let mut acknowledged: Vec<(u64, u128)> = Vec::new();
    for kill in 0..KILLS {
        let before = acknowledged.len();
        acknowledged.extend(run_and_kill(&folder, Duration::from_millis(150 + kill * 70)));
        assert!(acknowledged.len() > before + 10, "the child got little done: {}", acknowledged.len() - before);

        let (log, _blobs) = open(folder.path());
        let all = read_everything(&*log).await;
        assert!(all.iter().zip(1u64..).all(|(event, position)| event.position == Position(position)), "a gap");
        assert_eq!(all.len() as u64, log.head().0);
        for (position, first_id) in &acknowledged {
            let event = &all[usize::try_from(*position).unwrap() - 1];
            assert_eq!(event.id.0.as_u128(), first_id + EVENTS_PER_APPEND, "at {position}");
            assert!(event.payload.get().starts_with(&format!(r#"{{"first_id":{first_id},"#)));
        }
        for events in all.chunk_by(|left, right| left.metadata.command_id == right.metadata.command_id) {
            assert_eq!(events.len() as u128, EVENTS_PER_APPEND, "a part of an append is there");
        }
    }
}

fn run_and_kill(folder: &TempDir, after: Duration) -> Vec<(u64, u128)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["crash::child_that_appends_until_it_is_killed", "--exact", "--nocapture"])
        .env(FOLDER_VARIABLE, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    // The time runs from the first acknowledgement, however long the start takes.
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    let reader = std::thread::spawn(move || {
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        rest
    });
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    let rest = reader.join().unwrap();
    first
        .lines()
        .chain(rest.split_inclusive('\n').filter(|line| line.ends_with('\n')))
        .filter_map(acknowledgement)
        .collect()
}

fn acknowledgement(line: &str) -> Option<(u64, u128)> {
    let mut words = line.split_whitespace();
    (words.next()? == "acknowledged").then_some(())?;
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

async fn read_everything(log: &dyn EventLog) -> Vec<Arc<RecordedEvent>> {
    let mut all: Vec<Arc<RecordedEvent>> = Vec::new();
    loop {
        let after = all.last().map_or(Position::START, |event| event.position);
        let page = log.read_all(TenantScope::All, after, Direction::Forward, &Filter::default(), 1_000).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}
