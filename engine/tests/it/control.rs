//! Cancelling, time limits, stopping, and many executions at once.

use std::time::Duration;

use serde_json::{Value, json};
use timeloom_commands::CancelExecution;
use timeloom_domain::execution::{ExecutionEvent, ExecutionMode, ExecutionStatus};
use timeloom_domain::ids::ExecutionId;
use timeloom_engine::Engine;
use timeloom_store::{EventLog, Filter, Position, TenantScope};

use crate::bench::{PATIENCE, World, at, chain, file, node, trigger};

/// An effect whose first call never ends.
fn stuck() -> Value {
    node("Call", "effect", json!({"stuck": 1}), json!({}))
}

async fn cancel(world: &World, execution_id: ExecutionId) {
    let cancel = CancelExecution { execution_id, reason: "enough".to_owned() };
    world.commands.cancel_execution(&world.context(), cancel).await.unwrap();
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited in vain until {what}");
}

/// Begins one execution of `file` with a running engine.
async fn begin(world: &World, engine: &Engine, file: &Value) -> ExecutionId {
    engine.start().await.unwrap();
    let workflow = world.import(file).await;
    world.start(workflow, ExecutionMode::Manual).await
}

#[tokio::test]
async fn cancelling_drops_the_effect_under_way_and_nothing_is_recorded_after() {
    let (world, file) = (World::new(), chain(&[stuck(), at("After", "mark", 0, 0)]));
    let engine = world.engine();
    let id = begin(&world, &engine, &file).await;
    until("the effect is under way", || !world.calls.made().is_empty()).await;
    cancel(&world, id).await;
    until("the execution is let go", || engine.open_count() == 0).await;
    engine.stop().await;
    let finished = world.ended(id).await;
    assert_eq!(finished.state.status, ExecutionStatus::Cancelled);
    assert_eq!(
        finished.story(),
        ["ExecutionStarted", "NodeCompleted", "NodeScheduled", "NodeStarted", "ExecutionCancelled"]
    );
}

#[tokio::test]
async fn cancelling_ends_the_pause_between_attempts() {
    let fields = json!({"retryOnFail": true, "maxTries": 2, "waitBetweenTries": 5000});
    let (world, file) = (World::new(), chain(&[node("Call", "effect", json!({"failures": 1}), fields)]));
    let engine = world.engine();
    let id = begin(&world, &engine, &file).await;
    world.saw(id, |event| matches!(event, ExecutionEvent::NodeRetried { .. })).await;
    cancel(&world, id).await;
    until("the execution is let go", || engine.open_count() == 0).await;
    assert_eq!(world.ended(id).await.story().last(), Some(&"ExecutionCancelled"));
    assert_eq!(world.calls.made().len(), 1);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_stops_a_busy_loop() {
    let nodes = [trigger(), node("Loop", "rounds", json!({"rounds": 90_000, "outputs": 2}), json!({}))];
    let (world, file) = (World::new(), file("v1", &nodes, &["Start>Loop", "Loop>Loop"]));
    let engine = world.engine();
    let id = begin(&world, &engine, &file).await;
    world.saw(id, |event| matches!(event, ExecutionEvent::NodeCompleted { run, .. } if run.run_index > 300)).await;
    cancel(&world, id).await;
    until("the execution is let go", || engine.open_count() == 0).await;
    engine.stop().await;
    let finished = world.ended(id).await;
    assert_eq!(finished.story().last(), Some(&"ExecutionCancelled"));
    assert!(finished.state.node_runs.len() < 90_000, "long before it would have ended by itself");
}

#[tokio::test]
async fn an_execution_cancelled_before_its_turn_does_nothing() {
    let (world, engine_file) = (World::new(), chain(&[stuck()]));
    let engine = world.engine_with(1);
    let first = begin(&world, &engine, &engine_file).await;
    until("the first one is under way", || !world.calls.made().is_empty()).await;
    let second = world.start(world.import(&chain(&[at("Mark", "mark", 0, 0)])).await, ExecutionMode::Manual).await;
    until("the second one waits for its turn", || engine.open_count() == 2).await;
    cancel(&world, second).await;
    until("the second one is let go", || engine.open_count() == 1).await;
    assert_eq!(world.ended(second).await.story(), ["ExecutionStarted", "ExecutionCancelled"]);
    cancel(&world, first).await;
    until("the first one is let go", || engine.open_count() == 0).await;
    engine.stop().await;
}

#[tokio::test]
async fn the_time_limit_ends_an_execution() {
    let mut file = chain(&[node("Call", "effect", json!({"sleep_ms": 100}), json!({})), at("After", "mark", 0, 0)]);
    file["settings"]["executionTimeout"] = json!(1);
    let world = World::new();
    let engine = world.engine();
    let id = begin(&world, &engine, &file).await;
    until("the effect is under way", || !world.calls.made().is_empty()).await;
    world.clock.advance(2_000);
    let finished = world.ended(id).await;
    let error = json!({"name": "TimeoutError", "message": "stopped after 1000 ms: the workflow's time limit"});
    assert_eq!((finished.state.status, finished.state.error.clone()), (ExecutionStatus::Failed, Some(error)));
    assert_eq!(finished.order(), ["Start", "Call"], "what was done is kept, nothing follows");
    engine.stop().await;
}

#[tokio::test]
async fn a_stopped_execution_goes_on_at_the_next_start() {
    let (world, file) = (World::new(), chain(&[at("Mark", "mark", 0, 0), stuck(), at("After", "mark", 0, 0)]));
    let engine = world.engine();
    let id = begin(&world, &engine, &file).await;
    until("the effect is under way", || !world.calls.made().is_empty()).await;
    tokio::time::timeout(PATIENCE, engine.stop()).await.expect("stopping waits for no effect");
    let before = world.events(id).await;
    assert!(matches!(before.last(), Some(ExecutionEvent::NodeStarted { attempt: 1, .. })));

    let engine = world.engine();
    engine.start().await.unwrap();
    let finished = world.ended(id).await;
    engine.stop().await;
    assert_eq!(finished.state.status, ExecutionStatus::Completed);
    assert_eq!(finished.events[..before.len()], before);
    assert_eq!(finished.calls, vec![format!("{id}-2"); 2]);
    assert_eq!(finished.state.newest_run("Call").unwrap().attempts, 2);
}

#[tokio::test]
async fn an_attempt_that_is_due_later_is_not_made_earlier_after_a_restart() {
    let fields = json!({"retryOnFail": true, "maxTries": 2, "waitBetweenTries": 400});
    let (world, file) = (World::new(), chain(&[node("Call", "effect", json!({"failures": 1}), fields)]));
    let engine = world.engine();
    let id = begin(&world, &engine, &file).await;
    world.saw(id, |event| matches!(event, ExecutionEvent::NodeRetried { .. })).await;
    engine.stop().await;
    let engine = world.engine();
    engine.start().await.unwrap();
    let finished = world.ended(id).await;
    engine.stop().await;
    let due = finished.events.iter().find_map(|event| match event {
        ExecutionEvent::NodeRetried { retry_at_ms, .. } => Some(*retry_at_ms),
        _ => None,
    });
    let again = finished.events.iter().find_map(|event| match event {
        ExecutionEvent::NodeStarted { attempt: 2, at_ms, .. } => Some(*at_ms),
        _ => None,
    });
    assert!(again.unwrap() >= due.unwrap(), "{again:?} is before {due:?}");
}

#[tokio::test]
async fn an_execution_between_two_attempts_leaves_its_place_to_others() {
    let fields = json!({"retryOnFail": true, "maxTries": 2, "waitBetweenTries": 5000});
    let (world, file) = (World::new(), chain(&[node("Call", "effect", json!({"failures": 1}), fields)]));
    let engine = world.engine_with(1);
    let sleeps = begin(&world, &engine, &file).await;
    world.saw(sleeps, |event| matches!(event, ExecutionEvent::NodeRetried { .. })).await;
    let quick = world.start(world.import(&chain(&[at("Mark", "mark", 0, 0)])).await, ExecutionMode::Manual).await;
    assert_eq!(world.ended(quick).await.state.status, ExecutionStatus::Completed);
    assert_eq!(world.events(sleeps).await.last().map(timeloom_domain::event::Event::event_type), Some("NodeRetried"));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_executions_at_once_finish() {
    const COUNT: usize = 2_000;
    let (world, file) = (World::new(), chain(&[at("Mark", "mark", 0, 0), at("Call", "effect", 0, 0)]));
    let engine = world.engine_with(64);
    let workflow = world.import(&file).await;
    // Half of them begin before the engine does.
    for _ in 0..COUNT / 2 {
        world.start(workflow, ExecutionMode::Manual).await;
    }
    engine.start().await.unwrap();
    for _ in 0..COUNT / 2 {
        world.start(workflow, ExecutionMode::Manual).await;
    }
    let done = Filter { event_types: vec!["ExecutionCompleted".into()], ..Filter::default() };
    let completed = async {
        let mut subscription = world.log.subscribe(TenantScope::All, Position::START, done, 10_000);
        let mut count = 0;
        while count < COUNT {
            let message = subscription.next().await.unwrap();
            count += usize::from(matches!(message, timeloom_store::SubscriptionMessage::Event(_)));
        }
    };
    tokio::time::timeout(PATIENCE, completed).await.expect("all of them finish");
    until("all are let go", || engine.open_count() == 0).await;
    engine.stop().await;
    let calls = world.calls.made();
    let distinct: std::collections::HashSet<&String> = calls.iter().collect();
    assert_eq!((calls.len(), distinct.len()), (COUNT, COUNT), "every effect was called once");
}
