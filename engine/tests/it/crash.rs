//! The process dies after every single event, and another one goes on from there: nothing is lost, nothing is doubled.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::execution::{Execution, ExecutionEvent, ExecutionMode};
use timeloom_domain::ids::{CommandId, ExecutionId, WorkflowId};
use timeloom_store::{
    Append, Direction, EventLog, Expected, Filter, NewEvent, Position, RecordedEvent, TenantScope, codec,
};
use uuid::Uuid;

use crate::bench::{World, at, chain, execution, file, node, trigger};
use crate::control::until;

/// What must be the same after every crash: what each node run gave, and how it all ended.
pub(crate) fn result(state: &Execution) -> Value {
    let runs = state.node_runs.iter().map(|run| {
        json!([run.node, run.run_index, run.status, run.outputs, run.memory, run.error, run.sources, run.pinned])
    });
    json!([state.status, state.error, state.failed_node, runs.collect::<Vec<_>>()])
}

/// Appends events of another log as they are.
pub(crate) async fn copy(world: &World, events: &[Arc<RecordedEvent>]) {
    for (number, event) in events.iter().enumerate() {
        let copied = NewEvent {
            id: event.id,
            event_type: Arc::clone(&event.event_type),
            event_version: event.event_version,
            payload: Arc::clone(&event.payload),
            metadata: Arc::clone(&event.metadata),
        };
        let command_id = CommandId(Uuid::from_u64_pair(u64::MAX, number as u64));
        let (stream, expected) = (event.stream.clone(), Expected::Any);
        world.log.append(Append::new(stream, expected, vec![copied], command_id)).await.unwrap();
    }
}

/// Attempts of each effect that the log shows, by idempotency key.
fn attempts(events: &[ExecutionEvent]) -> HashMap<String, Vec<u32>> {
    let mut found: HashMap<String, Vec<u32>> = HashMap::new();
    for event in events {
        if let ExecutionEvent::NodeStarted { idempotency_key, attempt, .. } = event {
            found.entry(idempotency_key.clone()).or_default().push(*attempt);
        }
    }
    found
}

/// How often each node run is told to have ended, by its place.
fn conclusions(events: &[ExecutionEvent]) -> HashMap<usize, usize> {
    let mut found = HashMap::new();
    for event in events {
        if let ExecutionEvent::NodeCompleted { run, .. } | ExecutionEvent::NodeFailed { run, .. } = event {
            *found.entry(run.execution_index).or_default() += 1;
        }
    }
    found
}

/// Goes on after a crash that left `kept` of the execution's events.
async fn go_on(
    workflow: &[Arc<RecordedEvent>],
    kept: &[Arc<RecordedEvent>],
    id: ExecutionId,
    events_max: u64,
) -> (World, Vec<ExecutionEvent>) {
    let world = World::in_links_of(events_max);
    copy(&world, workflow).await;
    copy(&world, kept).await;
    // The outside world remembers the attempts that it is known to have refused.
    let mut refused: HashMap<usize, usize> = HashMap::new();
    for event in kept {
        if let ExecutionEvent::NodeRetried { run, .. } = codec::decode(event).unwrap() {
            *refused.entry(run.execution_index).or_default() += 1;
        }
    }
    refused.into_iter().for_each(|(run, count)| world.calls.remember_failures(&format!("{id}-{run}"), count));
    let engine = world.engine();
    engine.start().await.unwrap();
    let events = world.ended(id).await.events;
    until("it is let go", || engine.open_count() == 0).await;
    engine.stop().await;
    (world, events)
}

/// Runs `file`, then cuts its history after every event and lets a new process go on.
async fn survives_every_crash(file: &Value) {
    survives_every_crash_in_links_of(LINK_EVENTS, file).await;
}

/// The same with executions that go on in another stream after so many events.
async fn survives_every_crash_in_links_of(events_max: u64, file: &Value) {
    let first = World::in_links_of(events_max);
    let finished = first.run_in(file, ExecutionMode::Production).await;
    let everything = Filter { categories: vec!["execution".into()], ..Filter::default() };
    let recorded = first.log.read_all(TenantScope::All, Position::START, Direction::Forward, &everything, 1_000);
    let recorded = recorded.await.unwrap();
    assert_eq!(recorded.len(), finished.events.len());
    let workflow_id: WorkflowId = finished.state.start.as_ref().unwrap().workflow_id;
    let workflow = first.workflow(workflow_id).await;
    for cut in 1..=recorded.len() {
        let (world, events) = go_on(&workflow, &recorded[..cut], finished.id, events_max).await;
        let after = format!("after a crash behind event {cut} of {:?}", finished.story());
        assert_eq!(result(&world.ended(finished.id).await.state), result(&finished.state), "{after}");
        assert!(conclusions(&events).values().all(|count| *count == 1), "{after}: {events:#?}");
        let kept = &events[..cut];
        let (before, whole) = (attempts(kept), attempts(&events));
        let calls = world.calls.made();
        for (key, numbers) in &whole {
            let made = calls.iter().filter(|call| *call == key).count();
            let run: usize = key.rsplit_once('-').unwrap().1.parse().unwrap();
            let known = before.get(key).map_or(0, Vec::len);
            if conclusions(kept).contains_key(&run) {
                assert_eq!((made, numbers.len()), (0, known), "{after}: {key} was called although its end was known");
            } else {
                assert_eq!(made, numbers.len() - known, "{after}: every call has its own announcement");
                assert!(made > 0 || known == numbers.len(), "{after}");
            }
            assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1) && numbers[0] == 1, "{after}: {numbers:?}");
        }
        assert!(calls.iter().all(|call| whole.contains_key(call)), "{after}: {calls:?}");
    }
    assert!(execution(finished.id).id.len() > 10);
}

/// More events than any of these runs has.
const LINK_EVENTS: u64 = 10_000;

fn retries(name: &str, node_type: &str, failures: u64) -> Value {
    let fields = json!({"retryOnFail": true, "maxTries": 5, "waitBetweenTries": 0});
    node(name, node_type, json!({"failures": failures}), fields)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_pure_nodes() {
    let nodes = [
        trigger(),
        node("Two", "give", json!({"give": [[{"n": 1}, {"n": 2}]]}), json!({})),
        at("A", "mark", 0, 0),
        at("B", "mark", 0, 100),
        node("Join", "append", json!({"inputs": 2}), json!({})),
    ];
    for order in ["v0", "v1"] {
        survives_every_crash(&file(order, &nodes, &["Start>Two", "Two>A", "Two>B", "A>Join", "B>Join.1"])).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_with_effects() {
    survives_every_crash(&chain(&[at("Call", "effect", 0, 0), at("Mark", "mark", 0, 0), at("Call 2", "effect", 0, 0)]))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_with_memory_and_an_effect() {
    let nodes = [
        trigger(),
        node("Loop", "rounds", json!({"rounds": 3, "outputs": 2}), json!({})),
        at("Call", "effect", 0, 0),
        at("After", "mark", 0, 0),
    ];
    survives_every_crash(&file("v1", &nodes, &["Start>Loop", "Loop>Call", "Call>Loop", "Loop.1>After"])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_with_further_attempts() {
    survives_every_crash(&chain(&[retries("Call", "effect", 1), retries("Flaky", "flaky", 2)])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_fail() {
    let goes_on = node("Fails", "flaky", json!({}), json!({"onError": "continueErrorOutput"}));
    let nodes = [trigger(), goes_on, at("Error", "effect", 0, 0)];
    survives_every_crash(&file("v1", &nodes, &["Start>Fails", "Fails.1>Error"])).await;
    survives_every_crash(&chain(&[at("Mark", "mark", 0, 0), node("Fails", "flaky", json!({}), json!({}))])).await;
    survives_every_crash(&chain(&[node("Fails", "effect", json!({"failures": 99}), json!({}))])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_with_an_effect_that_goes_through_many_streams() {
    let nodes = [
        trigger(),
        node("Loop", "rounds", json!({"rounds": 3, "outputs": 2}), json!({})),
        at("Call", "effect", 0, 0),
        node("After", "trace", json!({"of": "Start"}), json!({})),
    ];
    let file = file("v1", &nodes, &["Start>Loop", "Loop>Call", "Call>Loop", "Loop.1>After"]);
    for events_max in [2, 3, 5] {
        survives_every_crash_in_links_of(events_max, &file).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_joins_and_further_attempts_that_go_through_many_streams() {
    let nodes = [
        trigger(),
        at("A", "effect", 0, 0),
        retries("B", "flaky", 2),
        node("Join", "append", json!({"inputs": 2}), json!({})),
        node("Fails", "effect", json!({"failures": 99}), json!({})),
    ];
    for order in ["v0", "v1"] {
        let file = file(order, &nodes, &["Start>A", "Start>B", "A>Join", "B>Join.1", "Join>Fails"]);
        for events_max in [2, 4] {
            survives_every_crash_in_links_of(events_max, &file).await;
        }
    }
}
