//! Random operations on a log against the simplest model: a list of what was appended.

use std::collections::HashMap;
use std::future::Future;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Handle;

use super::Fresh;
use super::fixtures::append_typed;
use crate::envelope::{Position, Revision, StreamKey};
use crate::log::{Append, AppendError, Direction, EventLog, Expected, Filter, TenantScope};

const STREAMS: usize = 4;
const TYPES: [&str; 3] = ["Began", "Went", "Ended"];
const RUNS: u32 = 16;

#[derive(Debug, Clone)]
enum Operation {
    Append { stream: usize, expected: Expected, count: usize, event_type: usize },
    Repeat { index: usize },
    ReadStream { stream: usize, after: u64, direction: Direction, limit: usize },
    ReadAll { after: u64, direction: Direction, limit: usize, stream: Option<usize>, event_type: Option<usize> },
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let expected = prop_oneof![
        3 => Just(Expected::Any),
        1 => Just(Expected::NoStream),
        1 => Just(Expected::Exists),
        2 => (0..12u64).prop_map(|revision| Expected::Exact(Revision(revision))),
    ];
    let direction = prop_oneof![Just(Direction::Forward), Just(Direction::Backward)];
    let operation = prop_oneof![
        4 => (0..STREAMS, expected, 0..5usize, 0..TYPES.len()).prop_map(|(stream, expected, count, event_type)| {
            Operation::Append { stream, expected, count, event_type }
        }),
        1 => (0..64usize).prop_map(|index| Operation::Repeat { index }),
        2 => (0..STREAMS, 0..20u64, direction.clone(), 0..10usize).prop_map(|(stream, after, direction, limit)| {
            Operation::ReadStream { stream, after, direction, limit }
        }),
        2 => (
            0..60u64,
            direction,
            0..20usize,
            proptest::option::of(0..STREAMS),
            proptest::option::of(0..TYPES.len()),
        )
            .prop_map(|(after, direction, limit, stream, event_type)| {
                Operation::ReadAll { after, direction, limit, stream, event_type }
            }),
    ];
    proptest::collection::vec(operation, 1..60)
}

/// What is read equals what a list would give, after any sequence of appends, repeats and reads.
pub async fn random_operations_match_a_model<F, Made>(fresh: F)
where
    F: Fn() -> Made,
    Made: Future<Output = Fresh>,
{
    let runtime = Handle::current();
    let config = Config { cases: RUNS, failure_persistence: None, ..Config::default() };
    let outcome = tokio::task::block_in_place(|| {
        TestRunner::new(config).run(&operations(), |operations| {
            runtime.block_on(async {
                let fresh = fresh().await;
                let mut model = Model::default();
                for operation in operations {
                    model.check(&*fresh.log, operation).await;
                }
                assert_eq!(fresh.log.head().0 as usize, model.events.len());
            });
            Ok(())
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// One event: stream, revision, type.
type Entry = (usize, u64, &'static str);

#[derive(Default)]
struct Model {
    /// By position.
    events: Vec<Entry>,
    revisions: HashMap<usize, u64>,
    /// Each append that was made, and its last position.
    made: Vec<(Append, u64)>,
}

fn key(stream: usize) -> StreamKey {
    super::fixtures::stream(&format!("s{stream}"))
}

impl Model {
    async fn check(&mut self, log: &dyn EventLog, operation: Operation) {
        match operation {
            Operation::Append { stream, expected, count, event_type } => {
                self.append(log, stream, expected, count, TYPES[event_type]).await;
            }
            Operation::Repeat { index } => {
                if let Some((append, position)) = self.made.get(index) {
                    let again = log.append(append.clone()).await.unwrap();
                    assert!(again.repeated && again.position.0 == *position);
                }
            }
            Operation::ReadStream { stream, after, direction, limit } => {
                let read = log.read_stream(&key(stream), Revision(after), direction, limit).await.unwrap();
                let read: Vec<u64> = read.iter().map(|event| event.revision.0).collect();
                let all = 1..=self.revisions.get(&stream).copied().unwrap_or(0);
                assert_eq!(read, sided(all.collect(), after, direction, limit));
            }
            Operation::ReadAll { after, direction, limit, stream, event_type } => {
                let filter = Filter {
                    stream: stream.map(key),
                    event_types: event_type.map(|index| TYPES[index].into()).into_iter().collect(),
                    ..Filter::default()
                };
                let scope = TenantScope::All;
                let read = log.read_all(scope, Position(after), direction, &filter, limit).await.unwrap();
                let read: Vec<u64> = read.iter().map(|event| event.position.0).collect();
                let wanted = |entry: &Entry| {
                    stream.is_none_or(|stream| stream == entry.0)
                        && event_type.is_none_or(|index| TYPES[index] == entry.2)
                };
                let all = (1..).zip(&self.events).filter(|(_, entry)| wanted(entry)).map(|(position, _)| position);
                assert_eq!(read, sided(all.collect(), after, direction, limit));
            }
        }
    }

    async fn append(
        &mut self,
        log: &dyn EventLog,
        stream: usize,
        expected: Expected,
        count: usize,
        event_type: &'static str,
    ) {
        let revision = self.revisions.get(&stream).copied().unwrap_or(0);
        let allowed = match expected {
            Expected::Any => true,
            Expected::NoStream => revision == 0,
            Expected::Exists => revision > 0,
            Expected::Exact(exact) => exact.0 == revision,
        };
        let append = append_typed(&key(stream), expected, count, event_type);
        match log.append(append.clone()).await {
            Ok(appended) => {
                assert!(allowed, "{expected:?} was accepted at {revision}");
                for offset in 1..=count as u64 {
                    self.events.push((stream, revision + offset, event_type));
                }
                assert_eq!(appended.position.0, self.events.len() as u64);
                assert_eq!(appended.revision.0, revision + count as u64);
                self.revisions.insert(stream, appended.revision.0);
                if count > 0 {
                    self.made.push((append, appended.position.0));
                }
            }
            Err(AppendError::WrongRevision { actual, .. }) => {
                assert!(!allowed && actual.0 == revision, "{expected:?} was refused at {actual}, model {revision}");
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// `numbers` greater than `after`, or from `after` downwards, at most `limit`.
fn sided(numbers: Vec<u64>, after: u64, direction: Direction, limit: usize) -> Vec<u64> {
    match direction {
        Direction::Forward => numbers.into_iter().filter(|number| *number > after).take(limit).collect(),
        Direction::Backward => numbers.into_iter().rev().filter(|number| *number <= after).take(limit).collect(),
    }
}
