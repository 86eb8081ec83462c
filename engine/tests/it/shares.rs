//! Several engines on one log: who drives what, how a shard changes hands, and in which order executions get their place.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_commands::{ControlExecution, ExecutionControl, StartExecution};
use timeloom_domain::execution::{ExecutionEvent, ExecutionMode, ExecutionStatus, RunOptions};
use timeloom_domain::ids::ExecutionId;
use timeloom_engine::Engine;
use timeloom_store::leases::{Epoch, Held, Lease, Leases, Shard, WorkerId};
use timeloom_store::{EventLog, Position};
use tokio::sync::watch;
use uuid::Uuid;

use crate::bench::{World, at, chain, node};
use crate::control::until;

/// Leases that the test gives and takes. Whoever is told nothing believes in what it has.
struct Hands {
    held: watch::Sender<Held>,
    let_go: Mutex<Vec<(Shard, Epoch)>>,
    id: WorkerId,
}

impl Hands {
    fn empty(number: u128) -> Arc<Self> {
        let id = WorkerId(Uuid::from_u128(number));
        Arc::new(Self { held: watch::Sender::default(), let_go: Mutex::default(), id })
    }

    /// Has these shards now, in an epoch, taken when the log was at a position.
    fn take(&self, shards: impl Iterator<Item = Shard>, epoch: u64, since: Position) {
        let lease = Lease { epoch: Epoch(epoch), since, is_leaving: false };
        self.held.send_modify(|held| held.shards.extend(shards.map(|shard| (shard, lease))));
    }

    fn leave_all(&self) {
        self.held.send_modify(|held| held.shards.values_mut().for_each(|lease| lease.is_leaving = true));
    }

    fn lose_all(&self) {
        self.held.send_replace(Held::default());
    }

    fn engine(self: &Arc<Self>, world: &World) -> Engine {
        let leases = Arc::clone(self) as Arc<dyn Leases>;
        world.engine_by(Arc::clone(&world.log) as Arc<dyn EventLog>, 100, leases)
    }
}

#[async_trait]
impl Leases for Hands {
    fn worker(&self) -> WorkerId {
        self.id
    }

    fn held(&self) -> watch::Receiver<Held> {
        self.held.subscribe()
    }

    fn holds(&self, shard: Shard, epoch: Epoch) -> bool {
        self.held.borrow().shards.get(&shard).is_some_and(|lease| lease.epoch == epoch)
    }

    fn let_go(&self, shard: Shard, epoch: Epoch) {
        self.let_go.lock().unwrap().push((shard, epoch));
    }

    async fn leave(&self) {}
}

/// Two engines that have nothing.
async fn two_engines(world: &World) -> (Arc<Hands>, Engine, Arc<Hands>, Engine) {
    let (one, other) = (Hands::empty(1), Hands::empty(2));
    let engines = (one.engine(world), other.engine(world));
    engines.0.start().await.unwrap();
    engines.1.start().await.unwrap();
    (one, engines.0, other, engines.1)
}

fn gated() -> Value {
    node("Call", "effect", json!({"gated": 1}), json!({}))
}

fn taken_over(events: &[ExecutionEvent]) -> Vec<(&str, u64)> {
    let taken = events.iter().filter_map(|event| match event {
        ExecutionEvent::ExecutionTakenOver { worker, epoch, .. } => Some((worker.as_str(), *epoch)),
        _ => None,
    });
    taken.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_execution_is_driven_by_the_one_that_has_its_shard_and_known_to_all() {
    const EXECUTIONS: usize = 24;
    let world = World::new();
    let (one, first, other, second) = two_engines(&world).await;
    let workflow = world.import(&chain(&[gated(), at("After", "mark", 0, 0)])).await;
    let since = world.log.head();
    one.take(Shard::all().filter(|shard| shard.number() < 32), 1, since);
    other.take(Shard::all().filter(|shard| shard.number() >= 32), 1, since);
    let mut executions = Vec::new();
    for _ in 0..EXECUTIONS {
        executions.push(world.start(workflow, ExecutionMode::Manual).await);
    }
    until("all are under way", || world.calls.made().len() == EXECUTIONS).await;
    until("all are known to both", || (first.open_count(), second.open_count()) == (EXECUTIONS, EXECUTIONS)).await;
    assert_eq!(first.driven_count() + second.driven_count(), EXECUTIONS);
    let is_first_s = |id: &&ExecutionId| Shard::of(&id.to_string()).number() < 32;
    assert_eq!(first.driven_count(), executions.iter().filter(is_first_s).count());
    world.calls.open();
    for id in executions {
        let finished = world.ended(id).await;
        assert_eq!(finished.state.status, ExecutionStatus::Completed);
        assert_eq!(taken_over(&finished.events), [], "what nobody else had is not taken over");
    }
    assert_eq!(world.calls.made().iter().collect::<HashSet<_>>().len(), EXECUTIONS);
    until("all let them go", || first.open_count() + second.open_count() == 0).await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_still_believes_in_a_shard_that_another_took_is_refused() {
    let world = World::new();
    let (asleep, first, other, second) = two_engines(&world).await;
    asleep.take(Shard::all(), 1, world.log.head());
    let workflow = world.import(&chain(&[gated(), at("After", "mark", 0, 0)])).await;
    let id = world.start(workflow, ExecutionMode::Manual).await;
    until("the effect is under way", || world.calls.made().len() == 1).await;
    other.take(Shard::all(), 2, world.log.head());
    until("it is under way again", || world.calls.made().len() == 2).await;
    // Both calls are answered now.
    world.calls.open();
    let finished = world.ended(id).await;
    assert_eq!(finished.state.status, ExecutionStatus::Completed);
    assert_eq!(taken_over(&finished.events), [(other.id.to_string().as_str(), 2)]);
    let results = finished.events.iter().filter(|event| matches!(event, ExecutionEvent::NodeCompleted { .. })).count();
    assert_eq!((results, finished.order()), (3, vec!["Start", "Call", "After"]), "each node has one result");
    assert_eq!(finished.calls.iter().collect::<HashSet<_>>().len(), 1, "the call has the same key");
    until("the one that slept lets it go", || first.open_count() == 0).await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_to_leave_a_shard_finishes_the_effect_under_way_and_no_more() {
    let world = World::new();
    let (one, first, other, second) = two_engines(&world).await;
    one.take(Shard::all(), 1, world.log.head());
    let again = node("Again", "effect", json!({}), json!({}));
    let workflow = world.import(&chain(&[gated(), again])).await;
    let id = world.start(workflow, ExecutionMode::Manual).await;
    until("the effect is under way", || world.calls.made().len() == 1).await;
    let shard = Shard::of(&id.to_string());
    one.leave_all();
    until("what is idle is let go", || one.let_go.lock().unwrap().len() == 63).await;
    assert!(!one.let_go.lock().unwrap().contains(&(shard, Epoch(1))));
    world.calls.open();
    until("the rest is let go", || one.let_go.lock().unwrap().contains(&(shard, Epoch(1)))).await;
    one.lose_all();
    assert_eq!(world.calls.made().len(), 1, "the next effect is for the next one");
    other.take(Shard::all(), 2, world.log.head());
    let finished = world.ended(id).await;
    assert_eq!((finished.state.status, finished.calls.len()), (ExecutionStatus::Completed, 2));
    let stops = finished.story().iter().position(|event| *event == "ExecutionTakenOver").unwrap();
    assert_eq!(finished.story()[stops - 1], "NodeCompleted", "the result was taken down before");
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_that_is_lost_and_had_again_is_driven_on() {
    let world = World::new();
    let (one, first, _, second) = two_engines(&world).await;
    one.take(Shard::all(), 1, world.log.head());
    let workflow = world.import(&chain(&[gated()])).await;
    let id = world.start(workflow, ExecutionMode::Manual).await;
    until("the effect is under way", || world.calls.made().len() == 1).await;
    one.lose_all();
    until("it rests", || first.driven_count() == 0).await;
    one.take(Shard::all(), 2, world.log.head());
    until("it is under way again", || world.calls.made().len() == 2).await;
    world.calls.open();
    let finished = world.ended(id).await;
    assert_eq!(taken_over(&finished.events), [(one.id.to_string().as_str(), 2)]);
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn an_execution_that_stands_still_is_not_woken_by_a_new_owner() {
    let world = World::new();
    let (one, first, other, second) = two_engines(&world).await;
    let workflow = world.import(&chain(&[at("Mark", "mark", 0, 0)])).await;
    let id = world.start(workflow, ExecutionMode::Manual).await;
    let control = |control| ControlExecution { execution_id: id, control };
    let pause = control(ExecutionControl::Pause { reason: "wait".to_owned() });
    world.commands.control_execution(&world.context(), pause).await.unwrap();
    let later = world.start(workflow, ExecutionMode::Manual).await;
    for (number, hands) in [&one, &other].into_iter().enumerate() {
        one.lose_all();
        hands.take(Shard::all(), number as u64 + 1, world.log.head());
    }
    world.ended(later).await;
    until("what has ended is let go", || second.open_count() == 1).await;
    let story: Vec<_> = world.events(id).await.iter().map(timeloom_domain::event::Event::event_type).collect();
    assert_eq!(story, ["ExecutionStarted", "ExecutionPaused"]);
    let unpause = control(ExecutionControl::Unpause { step: false });
    world.commands.control_execution(&world.context(), unpause).await.unwrap();
    let finished = world.ended(id).await;
    assert_eq!(finished.state.status, ExecutionStatus::Completed);
    assert_eq!(taken_over(&finished.events), [(other.id.to_string().as_str(), 2)]);
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_s_limit_holds_and_the_higher_priority_is_next() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let mut file = chain(&[gated()]);
    file["settings"]["concurrency"] = json!(1);
    let workflow = world.import(&file).await;
    let begin = async |priority| {
        let options = RunOptions { priority, ..RunOptions::default() };
        let start = StartExecution { options, ..StartExecution::by_hand(workflow) };
        world.commands.start_execution(&world.context(), start).await.unwrap().value
    };
    let first = begin(0).await;
    until("the first is under way", || world.calls.made().len() == 1).await;
    let (low, high) = (begin(1).await, begin(9).await);
    until("the others wait", || engine.queued_count() == 2).await;
    let other = world.import(&chain(&[at("Mark", "mark", 0, 0)])).await;
    world.ended(world.start(other, ExecutionMode::Manual).await).await;
    assert_eq!(world.calls.made().len(), 1, "another workflow passes, this one's limit holds");
    world.calls.open();
    let mut order = Vec::new();
    for id in [first, low, high] {
        let finished = world.ended(id).await;
        assert_eq!(finished.state.status, ExecutionStatus::Completed);
        let of = |event_type: &str, recorded: &[Arc<timeloom_store::RecordedEvent>]| {
            recorded.iter().find(|event| &*event.event_type == event_type).unwrap().position
        };
        let recorded = world.recorded(id).await;
        order.push((of("NodeScheduled", &recorded), of("ExecutionCompleted", &recorded), id));
    }
    order.sort_unstable_by_key(|(began, _, _)| *began);
    assert_eq!(order.iter().map(|(_, _, id)| *id).collect::<Vec<_>>(), [first, high, low]);
    assert!(order.windows(2).all(|pair| pair[0].1 < pair[1].0), "one after the other: {order:?}");
    engine.stop().await;
}
