//! Kept states and snapshots change nothing but the time it takes; bad ones are as if there were none.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::Bytes;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use timeloom_commands::bridge::EventBounds;
use timeloom_commands::{CancelExecution, Keeping, StreamState};
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::execution::Execution;
use timeloom_domain::ids::{EventId, Slug, WorkflowId};
use timeloom_domain::model::Model;
use timeloom_domain::plugin::Plugin;
use timeloom_domain::workflow::Workflow;
use timeloom_store::{
    Direction, EventLog, FoldHash, MemorySnapshots, Position, Revision, Snapshot, SnapshotError, SnapshotPlace,
    SnapshotStore, StreamKey,
};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::bench::{TENANT, World, code};
use crate::framework::{block_on, folded_by_hand, model_command, plugin_command, slug, workflow_command};

/// Room for everything that these tests save.
const BYTES_MAX: u64 = 64 << 20;

fn over(snapshots: &Arc<MemorySnapshots>) -> Keeping {
    Keeping {
        snapshots: Some(Arc::clone(snapshots) as Arc<dyn SnapshotStore>),
        snapshot_events: 4,
        ..Keeping::default()
    }
}

async fn event_id(world: &World, stream: &StreamKey, revision: Revision) -> EventId {
    let after = Revision(revision.0 - 1);
    world.log.read_stream(stream, after, Direction::Forward, 1).await.unwrap()[0].id
}

async fn snapshot<A: Aggregate + Serialize>(world: &World, stream: &StreamKey, state: &StreamState<A>) -> Snapshot {
    let (revision, position) = (state.revision, state.position);
    let event_id = event_id(world, stream, revision).await;
    let place = SnapshotPlace { stream: stream.clone(), revision, position, event_id };
    let written = Bytes::from(serde_json::to_vec(&state.aggregate).unwrap());
    Snapshot::new(place, FoldHash::of::<A>(), written)
}

/// Snapshots that must not count, each for one reason.
fn bad(good: &Snapshot) -> Vec<Snapshot> {
    let with = |change: &dyn Fn(&mut Snapshot)| {
        let mut snapshot = good.clone();
        change(&mut snapshot);
        snapshot
    };
    let sealed = |change: &dyn Fn(&mut Snapshot)| {
        let Snapshot { place, fold_hash, state, .. } = with(change);
        Snapshot::new(place, fold_hash, state)
    };
    let half = |snapshot: &mut Snapshot| snapshot.state.truncate(snapshot.state.len() / 2);
    vec![
        sealed(&|snapshot| snapshot.fold_hash = FoldHash([9; 32])),
        with(&|snapshot| snapshot.checksum[0] ^= 1),
        with(&half),
        sealed(&half),
        sealed(&|snapshot| snapshot.state = Bytes::from_static(b"[]")),
        sealed(&|snapshot| snapshot.place.revision.0 += 1_000),
        sealed(&|snapshot| snapshot.place.position.0 += 1),
        sealed(&|snapshot| snapshot.place.event_id = EventId(Uuid::from_u128(1))),
        sealed(&|snapshot| snapshot.place.revision = Revision(0)),
    ]
}

/// A stream folded from a snapshot at `cut` and the rest is the stream folded whole, and so it is from snapshots that
/// do not count.
async fn folds_the_same<A>(world: &World, id: &str, cut: usize)
where
    A: Aggregate + Clone + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync + 'static,
    A::Event: EventBounds,
{
    let stream = StreamKey::new(TENANT, <A::Event as Event>::CATEGORY, id);
    let by_hand = folded_by_hand::<A>(world, &stream).await;
    let Some(last) = by_hand.len().checked_sub(1).filter(|last| *last > 0) else { return };
    let (at, whole) = (1 + cut % last, by_hand.last().unwrap());
    let good = snapshot::<A>(world, &stream, &by_hand[at]).await;
    for saved in std::iter::once(good.clone()).chain(bad(&good)) {
        let snapshots = Arc::new(MemorySnapshots::new(BYTES_MAX));
        snapshots.save(saved).await.unwrap();
        let later = world.restarted(over(&snapshots));
        assert_eq!(&*later.commands.load::<A>(&stream).await.unwrap(), whole, "from a snapshot at {at} of {last}");
        assert_eq!(&*later.commands.load::<A>(&stream).await.unwrap(), whole, "and once more");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_fold_from_a_snapshot_and_the_rest_is_the_fold_of_all(
        numbers in prop::collection::vec(0..9_u8, 1..24),
        cut in any::<usize>(),
        cancels in any::<bool>(),
    ) {
        block_on(async {
            let (world, id) = (World::new(), WorkflowId(Uuid::from_u128(99)));
            for number in &numbers {
                workflow_command(&world, id, *number).await;
                plugin_command(&world, *number).await;
                model_command(&world, *number).await;
            }
            folds_the_same::<Workflow>(&world, &id.to_string(), cut).await;
            folds_the_same::<Plugin>(&world, slug().as_str(), cut).await;
            folds_the_same::<Model>(&world, slug().as_str(), cut).await;
            let execution = world.start(world.import("run").await).await;
            if cancels {
                let cancel = CancelExecution { execution_id: execution, reason: String::new() };
                world.commands.cancel_execution(&world.context(), cancel).await.unwrap();
            }
            folds_the_same::<Execution>(&world, &execution.to_string(), cut).await;
        });
    }

    #[test]
    fn commands_over_kept_states_and_snapshots_come_to_the_same_log(numbers in prop::collection::vec(0..9_u8, 1..32)) {
        block_on(async {
            let id = WorkflowId(Uuid::from_u128(99));
            // One that keeps nothing, one that keeps all, and one that is started again before each command.
            let nothing = World::keeping(Keeping { states_max: 0, ..Keeping::default() });
            let all = World::new();
            let snapshots = Arc::new(MemorySnapshots::new(BYTES_MAX));
            let mut restarted = World::keeping(over(&snapshots));
            for number in &numbers {
                let mut answers = Vec::new();
                for world in [&nothing, &all, &restarted] {
                    answers.push((
                        workflow_command(world, id, *number).await,
                        plugin_command(world, *number).await,
                        model_command(world, *number).await,
                    ));
                }
                assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
                restarted.commands.close().await;
                restarted = restarted.restarted(over(&snapshots));
            }
            for (category, id) in [("workflow", id.to_string()), ("plugin", slug().to_string()), ("model", slug().to_string())] {
                let story = nothing.story(category, &id).await;
                assert_eq!(all.story(category, &id).await, story);
                assert_eq!(restarted.story(category, &id).await, story);
            }
        });
    }
}

/// A model with so many versions.
async fn model_of(world: &World, versions: usize) -> StreamKey {
    let name = Slug::try_new("acme/tagger").unwrap();
    world.commands.register_model(&world.context(), name.clone(), String::new()).await.unwrap();
    for number in 0..versions {
        add_version(world, number).await;
    }
    StreamKey::new(TENANT, "model", name.to_string())
}

async fn add_version(world: &World, number: usize) {
    let add =
        timeloom_commands::AddModelVersion { format: "onnx".to_owned(), digest: format!("{number:064}"), file: None };
    let name = Slug::try_new("acme/tagger").unwrap();
    world.commands.add_model_version(&world.context(), name, add).await.unwrap();
}

#[tokio::test]
async fn a_command_reads_only_what_came_after_the_kept_state() {
    let world = World::new();
    model_of(&world, 50).await;
    let before = world.log.events_read.load(Ordering::SeqCst);
    add_version(&world, 100).await;
    assert_eq!(world.log.events_read.load(Ordering::SeqCst), before, "it has seen everything");
    let other = world.restarted(Keeping::default());
    add_version(&other, 101).await;
    let before = world.log.events_read.load(Ordering::SeqCst);
    add_version(&world, 102).await;
    assert_eq!(world.log.events_read.load(Ordering::SeqCst), before + 1, "what the other one appended");
}

#[tokio::test]
async fn a_snapshot_is_written_behind_every_so_many_events_and_saves_reading_them() {
    let snapshots = Arc::new(MemorySnapshots::new(BYTES_MAX));
    let world = World::keeping(over(&snapshots));
    let stream = model_of(&world, 10).await;
    world.commands.close().await;
    let fold = FoldHash::of::<Model>();
    let saved = snapshots.load(&stream, fold).await.unwrap().unwrap();
    // The first command meets no stream; from then on every fourth event is due.
    assert_eq!(saved.place.revision, Revision(8));
    assert_eq!(saved.place.event_id, event_id(&world, &stream, Revision(8)).await);

    let later = world.restarted(over(&snapshots));
    let before = later.log.events_read.load(Ordering::SeqCst);
    let state = later.commands.load::<Model>(&stream).await.unwrap();
    assert_eq!((state.revision, state.aggregate.versions.len()), (Revision(11), 10));
    let read = later.log.events_read.load(Ordering::SeqCst) - before;
    assert_eq!(read, 1 + 3, "the event that it folded last, and the rest");
}

#[tokio::test]
async fn a_snapshot_that_does_not_count_is_forgotten_and_replaced() {
    let snapshots = Arc::new(MemorySnapshots::new(BYTES_MAX));
    let world = World::new();
    let stream = model_of(&world, 10).await;
    let state = world.commands.load::<Model>(&stream).await.unwrap();
    let mut future = snapshot::<Model>(&world, &stream, &state).await;
    future.place.revision.0 += 1_000;
    snapshots.save(Snapshot::new(future.place, future.fold_hash, future.state)).await.unwrap();
    let later = world.restarted(over(&snapshots));
    assert_eq!(later.commands.load::<Model>(&stream).await.unwrap(), state);
    later.commands.close().await;
    let kept = snapshots.load(&stream, FoldHash::of::<Model>()).await.unwrap().unwrap();
    assert_eq!(kept.place.revision, state.revision);
}

/// Snapshots that are saved when the test lets them.
struct Slow {
    snapshots: MemorySnapshots,
    let_go: Semaphore,
    fails: bool,
}

#[async_trait]
impl SnapshotStore for Slow {
    async fn scrub(&self) -> Result<(), SnapshotError> {
        Ok(())
    }

    async fn load(&self, stream: &StreamKey, fold_hash: FoldHash) -> Result<Option<Snapshot>, SnapshotError> {
        if self.fails {
            return Err(SnapshotError::TooLarge(0));
        }
        self.snapshots.load(stream, fold_hash).await
    }

    async fn save(&self, snapshot: Snapshot) -> Result<(), SnapshotError> {
        self.let_go.acquire().await.unwrap().forget();
        self.snapshots.save(snapshot).await
    }

    async fn forget(&self, stream: &StreamKey) -> Result<(), SnapshotError> {
        self.snapshots.forget(stream).await
    }
}

#[tokio::test]
async fn commands_never_wait_for_snapshots_and_those_too_many_are_not_written() {
    let slow = Slow { snapshots: MemorySnapshots::new(BYTES_MAX), let_go: Semaphore::new(0), fails: false };
    let slow = Arc::new(slow);
    let snapshots = Some(Arc::clone(&slow) as Arc<dyn SnapshotStore>);
    let keeping = Keeping { snapshots, snapshot_events: 4, snapshots_queued_max: 2, ..Keeping::default() };
    let world = World::keeping(keeping);
    let stream = model_of(&world, 40).await;
    assert_eq!(world.commands.load::<Model>(&stream).await.unwrap().revision, Revision(41));
    slow.let_go.add_permits(100);
    world.commands.close().await;
    let saved = 100 - slow.let_go.available_permits();
    assert!((2..=3).contains(&saved), "those that waited and the one in hand: {saved}");
    add_version(&world, 900).await;
}

#[tokio::test]
async fn a_store_of_snapshots_that_fails_costs_nothing_but_time() {
    let slow = Slow { snapshots: MemorySnapshots::new(BYTES_MAX), let_go: Semaphore::new(1_000), fails: true };
    let keeping = Keeping { snapshots: Some(Arc::new(slow)), snapshot_events: 4, ..Keeping::default() };
    let world = World::keeping(keeping.clone());
    let stream = model_of(&world, 12).await;
    world.commands.close().await;
    let later = world.restarted(keeping);
    assert_eq!(later.commands.load::<Model>(&stream).await.unwrap().revision, Revision(13));
}

#[tokio::test]
async fn a_repeated_command_is_found_behind_a_snapshot() {
    let snapshots = Arc::new(MemorySnapshots::new(BYTES_MAX));
    let world = World::keeping(over(&snapshots));
    let name = Slug::try_new("acme/tagger").unwrap();
    let register = world.context();
    let first = world.commands.register_model(&register, name.clone(), String::new()).await.unwrap();
    for number in 0..20 {
        add_version(&world, number).await;
    }
    world.commands.close().await;
    let later = world.restarted(over(&snapshots));
    let again = later.commands.register_model(&register, name.clone(), String::new()).await.unwrap();
    assert_eq!((again.position, again.revision, again.repeated), (first.position, first.revision, true));
    let refused = later.commands.register_model(&later.context(), name, String::new()).await;
    assert_eq!(code(refused), "MODEL_EXISTS", "another one is told no");
    assert_eq!(later.log.head(), Position(21));
}
