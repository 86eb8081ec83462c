//! However the log was followed, interrupted or taken up again, the rows are the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use proptest::prelude::*;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_projections::ReadModels;
use timeloom_store::{
    Append, AppendError, Appended, Direction, EventLog, Filter, LogError, MemoryLog, Position, RecordedEvent, Revision,
    StreamKey, Subscription, SubscriptionMessage, TenantScope,
};
use tokio::sync::mpsc;

use crate::places::Place;
use crate::world::{
    PATIENCE, TENANT, Told, caught_up, chances, completed, empty_log, execution_id, log_of, position, reach,
    rebuilt_dump, start, story_of, tell, told,
};

/// A story of so many executions with ten nodes each.
pub fn long_story(executions: usize) -> Vec<Told> {
    let execution = |number| {
        let id = execution_id(number);
        let nodes = (0..10).map(move |index| told(id, &completed(index, &[1])));
        let end = told(id, &ExecutionEvent::ExecutionCompleted { at_ms: 2_000 });
        [told(id, &start(number % 3))].into_iter().chain(nodes).chain([end])
    };
    (0..executions).flat_map(execution).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn rows_are_the_same_however_the_story_was_cut(chances in chances(200), cuts in prop::collection::vec(1usize..40, 1..12)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let story = story_of(&chances);
            let place = Place::folder();
            let log = empty_log();
            let mut models = caught_up(place.store(), &log).await;
            let mut rest = &story[..];
            for (turn, cut) in cuts.iter().cycle().enumerate() {
                let (part, later) = rest.split_at((*cut).min(rest.len()));
                tell(&log, part).await;
                rest = later;
                match turn % 3 {
                    0 => models.wait_for(log.head(), PATIENCE).await.unwrap(),
                    1 => {
                        models.close().await.unwrap();
                        models = ReadModels::open(place.store(), Arc::clone(&log) as Arc<dyn EventLog>).unwrap();
                        models.start().unwrap();
                    }
                    _ => {}
                }
                if rest.is_empty() {
                    break;
                }
            }
            models.wait_for(log.head(), PATIENCE).await.unwrap();
            models.close().await.unwrap();
            assert_eq!(place.dump().await, rebuilt_dump(&story).await);
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_leaves_on_disk_is_taken_up_exactly_once() {
    let story = long_story(400);
    let log = log_of(&story).await;
    let place = Place::folder();
    let models = ReadModels::open(place.store(), Arc::clone(&log) as Arc<dyn EventLog>).unwrap();
    models.start().unwrap();
    models.wait_for(position(1_000), PATIENCE).await.unwrap();
    // What another process would find now: the files as they are, the writer in the middle of its work.
    let after_crash = Place::folder();
    for suffix in ["", "-wal"] {
        let beside = |place: &Place| format!("{}{suffix}", place.file().display());
        std::fs::copy(beside(&place), beside(&after_crash)).unwrap();
    }
    // The writer itself ends without being closed.
    drop(models);

    let expected = rebuilt_dump(&story).await;
    for place in [after_crash, place] {
        let models = caught_up(place.store(), &log).await;
        assert!(models.status().iter().all(|status| status.lag == 0 && status.parked == 0));
        models.close().await.unwrap();
        assert_eq!(place.dump().await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_somebody_else_moved_stops_the_batch() {
    for place in Place::both().await {
        let story = long_story(4);
        let log = log_of(&story[..12]).await;
        let models = caught_up(place.store(), &log).await;
        // As a second writer would that goes on where this one stands.
        place.run("UPDATE projections SET position = 24").await;
        tell(&log, &story[12..]).await;
        reach(&models, log.head()).await;
        let told = models.status().remove(0).last_error.unwrap();
        assert!(told.error.contains("moved by another writer") && told.over, "{told:?}");
        // The events up to where the other one went were not folded here.
        assert_eq!(models.execution(TENANT, execution_id(1), None).await.unwrap(), None);
        assert!(models.execution(TENANT, execution_id(2), None).await.unwrap().is_some());
        models.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_version_or_log_or_a_damaged_one_is_built_again() {
    let story = long_story(3);
    let log = log_of(&story).await;
    let place = Place::folder();
    let expected = rebuilt_dump(&story).await;
    for case in 0..5 {
        let models = caught_up(place.store(), &log).await;
        models.close().await.unwrap();
        assert_eq!(place.dump().await, expected, "case {case}");
        let (executions, node_runs) = (place.live("executions").await, place.live("node_runs").await);
        match case {
            0 => place.run("PRAGMA user_version = 99").await,
            1 => {
                let old = "UPDATE projections SET definition = 'old' WHERE name = 'node_runs'";
                place.run(&format!("{old}; DELETE FROM {node_runs}")).await;
            }
            2 => {
                let text = "no database at all, and longer than a header of one hundred bytes";
                std::fs::write(place.file(), text.repeat(3)).unwrap();
            }
            _ => place.run(&format!("UPDATE projections SET position = 1000; DELETE FROM {executions}")).await,
        }
    }
}

/// A log whose first subscriptions fall behind or fail after a few events.
struct Stumbling {
    log: Arc<MemoryLog>,
    subscriptions: AtomicUsize,
}

#[async_trait]
impl EventLog for Stumbling {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.log.append(append).await
    }

    async fn read_stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.log.read_stream(stream, after, direction, limit).await
    }

    async fn read_all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.log.read_all(scope, after, direction, filter, limit).await
    }

    fn subscribe(&self, scope: TenantScope, after: Position, filter: Filter, capacity: usize) -> Subscription {
        let turn = self.subscriptions.fetch_add(1, Ordering::SeqCst);
        if turn >= 6 {
            return self.log.subscribe(scope, after, filter, capacity);
        }
        let (log, (sender, receiver)) = (Arc::clone(&self.log), mpsc::channel(capacity));
        std::thread::spawn(move || {
            let events = futures_free(log.read_all(scope, after, Direction::Forward, &filter, 17));
            for event in events.unwrap() {
                sender.blocking_send(SubscriptionMessage::Event(event)).unwrap();
            }
            let failed = SubscriptionMessage::Failed(LogError::Closed);
            let last = if turn == 3 { failed } else { SubscriptionMessage::FellBehind(after) };
            sender.blocking_send(last).unwrap();
        });
        Subscription::new(receiver)
    }

    fn head(&self) -> Position {
        self.log.head()
    }

    async fn wait_for(&self, position: Position) -> Result<(), LogError> {
        self.log.wait_for(position).await
    }

    async fn position_at(&self, time_us: i64) -> Result<Position, LogError> {
        self.log.position_at(time_us).await
    }
}

fn futures_free<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[tokio::test(flavor = "multi_thread")]
async fn falling_behind_and_failing_reads_lose_and_double_nothing() {
    let story = long_story(20);
    let log = log_of(&story).await;
    let place = Place::folder();
    let stumbling = Arc::new(Stumbling { log: Arc::clone(&log), subscriptions: AtomicUsize::new(0) });
    let models = ReadModels::open(place.store(), stumbling).unwrap();
    models.start().unwrap();
    models.wait_for(log.head(), PATIENCE).await.unwrap();
    assert_eq!(models.fault(), None);
    models.close().await.unwrap();
    assert_eq!(place.dump().await, rebuilt_dump(&story).await);
}
