//! What was acknowledged survives `kill -9` at any moment.
//!
//! A backend's test binary runs itself as the child that appends: one of its tests calls [`append_until_killed`], another
//! [`acknowledged_events_survive_kills`] with the name of the first. The parent writes down every acknowledgement and looks
//! for each after every kill.

use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use timeloom_domain::ids::{CommandId, EventId};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::fixtures::{event_of, metadata, read_everything, stream};
use crate::envelope::{NewEvent, Position};
use crate::log::{Append, EventLog, Expected, Filter, TenantScope};

/// Names the log to the child, and makes it the child.
const TARGET_VARIABLE: &str = "TIMELOOM_CRASH_TEST_TARGET";
const WRITERS: u128 = 8;
const EVENTS_PER_APPEND: u128 = 3;
const KILLS: usize = 5;
/// Acknowledgements before the first kill, and how many more there are before each one after it.
const ACKNOWLEDGEMENTS: usize = 30;

/// An append that the child was told of: the position of its last event, and the id before the ids of its events.
#[derive(Debug, Clone, Copy)]
struct Acknowledged {
    position: u64,
    first_id: u128,
}

/// Opens the log that the parent names and appends until the process is killed; does nothing when this is no child.
pub async fn append_until_killed<F, Opening>(open: F)
where
    F: FnOnce(String) -> Opening,
    Opening: Future<Output = Arc<dyn EventLog>>,
{
    #[expect(clippy::disallowed_methods, reason = "this is how the parent test tells its child what to do")]
    let Ok(target) = std::env::var(TARGET_VARIABLE) else { return };
    let log = open(target).await;
    let start = u128::from(log.head().0) * 1_000_000;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let log = Arc::clone(&log);
        writers.spawn(async move {
            for number in 0..u128::MAX {
                let first_id = start + (number * WRITERS + writer) * 10 + 1;
                let appended = log.append(append_with_ids(&format!("s{writer}"), first_id)).await.unwrap();
                let line = format!("acknowledged {} {first_id}\n", appended.position.0);
                std::io::stderr().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    writers.join_all().await;
}

/// An append whose command id is `first_id` and whose event ids follow it.
fn append_with_ids(id: &str, first_id: u128) -> Append {
    let command_id = CommandId(Uuid::from_u128(first_id));
    let metadata = metadata(command_id);
    let payload = format!(r#"{{"first_id":{first_id},"filling":"{}"}}"#, "x".repeat(200));
    let event = |number| NewEvent {
        id: EventId(Uuid::from_u128(first_id + 1 + number)),
        ..event_of("Happened", &payload, &metadata)
    };
    let events = (0..EVENTS_PER_APPEND).map(event).collect();
    Append::new(stream(id), Expected::Any, events, command_id)
}

/// Runs the test `child` of this binary with `target` again and again and kills it in the middle of its appends; after
/// each kill `open` opens the log, in which everything is that was acknowledged, and nothing in part.
pub async fn acknowledged_events_survive_kills<F, Opening>(child: &str, target: &str, open: F)
where
    F: Fn() -> Opening,
    Opening: Future<Output = Arc<dyn EventLog>>,
{
    let mut acknowledged: Vec<Acknowledged> = Vec::new();
    for kill in 0..KILLS {
        acknowledged.extend(run_and_kill(child, target, ACKNOWLEDGEMENTS + kill * ACKNOWLEDGEMENTS));
        let log = open().await;
        let all = read_everything(&*log, TenantScope::All, &Filter::default()).await;
        assert!(all.iter().zip(1..).all(|(event, position)| event.position == Position(position)), "a gap");
        assert_eq!(all.len() as u64, log.head().0);
        for Acknowledged { position, first_id } in &acknowledged {
            let event = &all[usize::try_from(*position).unwrap() - 1];
            assert_eq!(event.id.0.as_u128(), first_id + EVENTS_PER_APPEND, "at {position}");
            assert!(event.payload.get().starts_with(&format!(r#"{{"first_id":{first_id},"#)));
        }
        for events in all.chunk_by(|left, right| left.metadata.command_id == right.metadata.command_id) {
            assert_eq!(events.len() as u128, EVENTS_PER_APPEND, "a part of an append is there");
        }
    }
}

/// What the child was told before it was killed, of which there are at least `least`.
fn run_and_kill(child: &str, target: &str, least: usize) -> Vec<Acknowledged> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([child, "--exact", "--nocapture"])
        .env(TARGET_VARIABLE, target)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    let mut acknowledged = Vec::new();
    while acknowledged.len() < least {
        said.clear();
        if output.read_line(&mut said).unwrap() == 0 {
            panic!("the child ended by itself: {}", wait(child));
        }
        acknowledged.extend(acknowledgement(&said));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    said.clear();
    output.read_to_string(&mut said).unwrap();
    // The last line may be cut off.
    acknowledged.extend(said.split_inclusive('\n').filter(|line| line.ends_with('\n')).filter_map(acknowledgement));
    acknowledged
}

fn wait(mut child: Child) -> String {
    child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
}

fn acknowledgement(line: &str) -> Option<Acknowledged> {
    let mut words = line.split_whitespace();
    (words.next()? == "acknowledged").then_some(())?;
    Some(Acknowledged { position: words.next()?.parse().ok()?, first_id: words.next()?.parse().ok()? })
}
