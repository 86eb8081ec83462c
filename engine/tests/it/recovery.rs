//! Where the engine begins after a restart, and what it does when the log's subscription breaks off.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::json;
use timeloom_commands::CancelExecution;
use timeloom_domain::execution::{ExecutionMode, ExecutionStatus};
use timeloom_engine::checkpoint::Checkpoint;
use timeloom_store::{
    Append, AppendError, Appended, Direction, EventLog, Filter, LogError, MemoryLog, Position, RecordedEvent, Revision,
    StreamKey, Subscription, SubscriptionMessage, TenantScope,
};
use tokio::sync::mpsc;

use crate::bench::{World, at, chain, execution, node};
use crate::control::until;

/// A log whose first subscription is fed by the test, and that notes what was asked.
pub(crate) struct Watched {
    log: Arc<MemoryLog>,
    first: Mutex<Option<mpsc::Receiver<SubscriptionMessage>>>,
    subscribed: Mutex<Vec<Position>>,
    read: Mutex<Vec<StreamKey>>,
}

impl Watched {
    pub(crate) fn over(world: &World) -> Arc<Self> {
        let (subscribed, read) = (Mutex::default(), Mutex::default());
        Arc::new(Self { log: Arc::clone(&world.log), first: Mutex::new(None), subscribed, read })
    }

    /// The same with a first subscription that brings what is sent here.
    pub(crate) fn fed(world: &World) -> (Arc<Self>, mpsc::Sender<SubscriptionMessage>) {
        let (sender, receiver) = mpsc::channel(16);
        let watched = Self::over(world);
        *watched.first.lock().unwrap() = Some(receiver);
        (watched, sender)
    }
}

#[async_trait]
impl EventLog for Watched {
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
        self.read.lock().unwrap().push(stream.clone());
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
        self.subscribed.lock().unwrap().push(after);
        match self.first.lock().unwrap().take() {
            Some(receiver) => Subscription::new(receiver),
            None => self.log.subscribe(scope, after, filter, capacity),
        }
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

fn saved(world: &World) -> Checkpoint {
    world.checkpoints.0.lock().unwrap().last().cloned().unwrap()
}

#[tokio::test]
async fn executions_that_ended_are_not_looked_at_again_and_open_ones_are() {
    let world = World::new();
    let quick = world.import(&chain(&[at("Mark", "mark", 0, 0)])).await;
    let slow = world.import(&chain(&[node("Call", "effect", json!({"stuck": 1}), json!({}))])).await;
    let engine = world.engine();
    engine.start().await.unwrap();
    let before = world.start(quick, ExecutionMode::Manual).await;
    world.ended(before).await;
    let open = world.start(slow, ExecutionMode::Manual).await;
    until("the open one is under way", || !world.calls.made().is_empty()).await;
    let after = world.start(quick, ExecutionMode::Manual).await;
    world.ended(after).await;
    engine.stop().await;
    let began = world.recorded(open).await[0].position;
    assert_eq!(saved(&world).settled, Position(began.0 - 1), "right before the execution that is open");
    let seen = world.recorded(after).await[0].position;
    assert_eq!(saved(&world).position(), seen, "the open one is remembered, so that what came since is not read again");

    let watched = Watched::over(&world);
    let engine = world.engine_over(Arc::clone(&watched) as Arc<dyn EventLog>, 8);
    engine.start().await.unwrap();
    assert_eq!(world.ended(open).await.state.status, ExecutionStatus::Completed);
    until("the open one is let go", || engine.open_count() == 0).await;
    engine.stop().await;
    assert_eq!(*watched.subscribed.lock().unwrap(), [seen]);
    let read = watched.read.lock().unwrap().clone();
    assert!(read.contains(&execution(open)));
    assert!(!read.contains(&execution(before)) && !read.contains(&execution(after)), "{read:?}");
    assert_eq!((saved(&world).settled, saved(&world).open), (seen, Some(vec![])), "everything has ended");
}

#[tokio::test]
async fn a_start_without_anything_to_do_keeps_the_place() {
    let world = World::new();
    world.run(&chain(&[at("Mark", "mark", 0, 0)])).await;
    let place = saved(&world);
    assert!(place.settled > Position::START);
    let engine = world.engine();
    engine.start().await.unwrap();
    engine.stop().await;
    assert_eq!(saved(&world), place);
}

#[tokio::test]
async fn what_was_found_before_the_log_failed_is_driven() {
    let world = World::new();
    let workflow = world.import(&chain(&[at("Mark", "mark", 0, 0)])).await;
    let id = world.start(workflow, ExecutionMode::Manual).await;
    let (watched, feed) = Watched::fed(&world);
    let engine = world.engine_over(Arc::clone(&watched) as Arc<dyn EventLog>, 8);
    engine.start().await.unwrap();
    feed.send(SubscriptionMessage::Event(world.recorded(id).await.remove(0))).await.unwrap();
    feed.send(SubscriptionMessage::Failed(LogError::storage(std::io::Error::other("disk")))).await.unwrap();
    assert_eq!(world.ended(id).await.state.status, ExecutionStatus::Completed);
    let next = world.start(workflow, ExecutionMode::Manual).await;
    assert_eq!(world.ended(next).await.state.status, ExecutionStatus::Completed, "and the log is followed again");
    engine.stop().await;
}

#[tokio::test]
async fn an_engine_that_fell_behind_reads_on_from_where_it_was() {
    let world = World::new();
    let workflow = world.import(&chain(&[node("Call", "effect", json!({"stuck": 1}), json!({}))])).await;
    let quick = world.import(&chain(&[at("Mark", "mark", 0, 0)])).await;
    let (watched, feed) = Watched::fed(&world);
    let engine = world.engine_over(Arc::clone(&watched) as Arc<dyn EventLog>, 8);
    engine.start().await.unwrap();
    feed.send(SubscriptionMessage::CaughtUp(world.log.head())).await.unwrap();
    let open = world.start(workflow, ExecutionMode::Manual).await;
    let began = world.recorded(open).await.remove(0);
    feed.send(SubscriptionMessage::Event(Arc::clone(&began))).await.unwrap();
    until("the first one is under way", || !world.calls.made().is_empty()).await;

    // Of these the broken subscription says nothing.
    let cancel = CancelExecution { execution_id: open, reason: "enough".to_owned() };
    world.commands.cancel_execution(&world.context(), cancel).await.unwrap();
    let missed = world.start(quick, ExecutionMode::Manual).await;
    feed.send(SubscriptionMessage::FellBehind(began.position)).await.unwrap();

    assert_eq!(world.ended(missed).await.state.status, ExecutionStatus::Completed);
    until("the cancelled one is let go although its effect never ends", || engine.open_count() == 0).await;
    assert_eq!(*watched.subscribed.lock().unwrap(), [Position::START, began.position]);
    engine.stop().await;
}
