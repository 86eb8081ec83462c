//! Replay checks: executions are run again without touching the world, and the report says which did something else.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_commands::{ForkVersion, ImportWorkflow, StartReplayCheck};
use timeloom_domain::event::Aggregate as _;
use timeloom_domain::execution::ExecutionMode;
use timeloom_domain::ids::{ExecutionId, TenantId, WorkflowId};
use timeloom_domain::replay::{REPORTED_MAX, ReplayCheck, ReplayReport};
use timeloom_engine::Engine;
use timeloom_engine::replay::ReplayChecks;
use timeloom_store::{EventLog, Filter, Position, StreamKey, SubscriptionMessage, TenantScope, codec};
use uuid::Uuid;

use crate::bench::{PATIENCE, World, at, chain, node};
use crate::control::until;

/// An engine that runs, and its replay checks.
async fn running(world: &World) -> (Engine, ReplayChecks) {
    let engine = world.engine();
    engine.start().await.unwrap();
    let checks = ReplayChecks::new(engine.clone(), world.commands.clone());
    checks.start();
    (engine, checks)
}

async fn ask(world: &World, workflow_id: WorkflowId, executions: &[ExecutionId], against: ForkVersion) -> Uuid {
    let check = StartReplayCheck { workflow_id, executions: executions.to_vec(), against, with_cases: false };
    world.commands.start_replay_check(&world.context(), check).await.unwrap().value
}

/// The check once it has ended.
async fn ended(world: &World, id: Uuid) -> ReplayCheck {
    let stream = StreamKey::new(TenantId(1), "replay-check", id.to_string());
    let filter = Filter { stream: Some(stream), ..Filter::default() };
    let mut events = world.log.subscribe(TenantScope::All, Position::START, filter, 100);
    let mut check = ReplayCheck::default();
    let found = async {
        while check.ended_at_ms.is_none() {
            if let SubscriptionMessage::Event(event) = events.next().await.unwrap() {
                check.apply(&codec::decode(&event).unwrap());
            }
        }
        check
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap()
}

async fn report(world: &World, workflow: WorkflowId, executions: &[ExecutionId], against: ForkVersion) -> ReplayReport {
    let id = ask(world, workflow, executions, against).await;
    let check = ended(world, id).await;
    check.report.unwrap_or_else(|| panic!("no report: {:?}", check.failure))
}

async fn change(world: &World, workflow: WorkflowId, file: &Value) {
    let import = ImportWorkflow { workflow_id: Some(workflow), source: file.to_string().into_bytes() };
    world.commands.import_workflow(&world.context(), import).await.unwrap();
}

fn greeting(text: &str) -> Value {
    let give = node("Give", "give", json!({"give": [[{"text": text}]]}), json!({}));
    let flaky = json!({"retryOnFail": true, "waitBetweenTries": 0});
    chain(&[
        at("Call", "effect", 0, 0),
        node("Again", "effect", json!({"failures": 1}), flaky),
        node("Wait", "wait", json!({"for_ms": 1}), json!({})),
        give,
        at("Last", "mark", 0, 0),
    ])
}

#[tokio::test]
async fn runs_that_do_the_same_are_counted_and_nothing_is_called_or_written() {
    let world = World::new();
    let (engine, checks) = running(&world).await;
    let workflow = world.import(&greeting("hi")).await;
    let mut runs = Vec::new();
    for _ in 0..5 {
        runs.push(world.ended(world.start(workflow, ExecutionMode::Manual).await).await.id);
    }
    let (calls, head) = (world.calls.made().len(), world.log.head());
    let found = report(&world, workflow, &runs, ForkVersion::Same).await;
    assert_eq!((found.same, found.differ, found.skipped), (5, 0, 0), "{found:?}");
    assert_eq!(
        (world.calls.made().len(), world.log.head()),
        (calls, Position(head.0 + 2)),
        "the request and the report"
    );
    checks.stop().await;
    engine.stop().await;
}

#[tokio::test]
async fn a_new_version_is_told_with_the_node_where_each_run_begins_to_differ() {
    let world = World::new();
    let (engine, checks) = running(&world).await;
    let workflow = world.import(&greeting("hi")).await;
    let run = world.ended(world.start(workflow, ExecutionMode::Manual).await).await.id;
    change(&world, workflow, &greeting("hello")).await;
    let found = report(&world, workflow, &[run], ForkVersion::Draft).await;
    assert_eq!((found.same, found.differ), (0, 1));
    let difference = &found.differences[0];
    assert_eq!((difference.execution, difference.node.as_deref()), (run, Some("Give")));
    let change_of = &difference.changes[0];
    assert_eq!(
        (&*change_of.path, change_of.before.as_deref(), change_of.after.as_deref()),
        ("/0/0/json/text", Some("\"hi\""), Some("\"hello\""))
    );
    // An effect that would be another one is a difference, and is not called.
    let mut other = greeting("hi");
    other["nodes"][1]["parameters"] = json!({"sleep_ms": 0});
    change(&world, workflow, &other).await;
    let calls = world.calls.made().len();
    let found = report(&world, workflow, &[run], ForkVersion::Draft).await;
    assert!(
        found.differences[0].summary.starts_with("'Call' fails: the effect of 'Call' does not happen"),
        "{found:?}"
    );
    assert_eq!(world.calls.made().len(), calls);
    // One node fewer, one more.
    change(&world, workflow, &chain(&[at("Call", "effect", 0, 0)])).await;
    let found = report(&world, workflow, &[run], ForkVersion::Draft).await;
    assert_eq!(found.differences[0].summary, "'Again' does not run");
    checks.stop().await;
    engine.stop().await;
}

#[tokio::test]
async fn failures_chains_retries_and_forks_are_run_again_and_what_has_not_ended_is_skipped() {
    let world = World::in_links_of(6);
    let (engine, checks) = running(&world).await;
    let marks: Vec<Value> = (0..9).map(|place| at(&format!("M{place}"), "mark", 0, 0)).collect();
    let nodes =
        [vec![at("Call", "effect", 0, 0)], marks, vec![node("Bad", "effect", json!({"failures": 99}), json!({}))]];
    let workflow = world.import(&chain(&nodes.concat())).await;
    let failed = world.ended(world.start(workflow, ExecutionMode::Manual).await).await;
    assert!(world.links(failed.id).await.len() > 1 && failed.state.failed_node.is_some());
    let waits = world.import(&chain(&[node("Wait", "wait", json!({}), json!({}))])).await;
    let waiting = world.start(waits, ExecutionMode::Manual).await;
    world
        .saw(waiting, |event| matches!(event, timeloom_domain::execution::ExecutionEvent::ExecutionWaiting { .. }))
        .await;
    let nobody = ExecutionId(Uuid::from_u128(77));
    let found = report(&world, workflow, &[failed.id, waiting, nobody], ForkVersion::Same).await;
    assert_eq!((found.same, found.differ, found.skipped), (1, 0, 2), "{found:?}");
    let found = report(&world, waits, &[waiting], ForkVersion::Same).await;
    assert_eq!((found.same, found.skipped), (0, 1), "it has not ended");
    checks.stop().await;
    engine.stop().await;
}

#[tokio::test]
async fn a_check_that_was_left_is_done_at_the_next_start_and_its_report_is_bounded() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let workflow = world.import(&chain(&[node("Give", "give", json!({"give": [[{"n": 1}]]}), json!({}))])).await;
    let run = world.ended(world.start(workflow, ExecutionMode::Manual).await).await.id;
    change(&world, workflow, &chain(&[node("Give", "give", json!({"give": [[{"n": 2}]]}), json!({}))])).await;
    let many = vec![run; REPORTED_MAX + 5];
    let id = ask(&world, workflow, &many, ForkVersion::Draft).await;
    let checks = [0, 1].map(|_| ReplayChecks::new(engine.clone(), world.commands.clone()));
    checks.iter().for_each(ReplayChecks::start);
    let found = ended(&world, id).await.report.unwrap();
    assert_eq!((found.differ as usize, found.differences.len()), (many.len(), REPORTED_MAX));
    for checks in checks {
        checks.stop().await;
    }
    let stream = StreamKey::new(TenantId(1), "replay-check", id.to_string());
    let filter = Filter { stream: Some(stream), ..Filter::default() };
    let log = Arc::clone(&world.log);
    let events = log.read_all(TenantScope::All, Position::START, timeloom_store::Direction::Forward, &filter, 10).await;
    assert_eq!(events.unwrap().len(), 2, "the first report stands");
    engine.stop().await;
}

#[tokio::test]
async fn what_a_time_limit_ended_is_held_against_what_it_did_until_then() {
    let world = World::new();
    let (engine, checks) = running(&world).await;
    let file = |before: Value| {
        let call = node("Call", "effect", json!({"sleep_ms": 100}), json!({}));
        let mut file = chain(&[before, call, at("After", "mark", 0, 0)]);
        file["settings"]["executionTimeout"] = json!(1);
        file
    };
    let workflow = world.import(&file(at("Before", "mark", 0, 0))).await;
    let id = world.start(workflow, ExecutionMode::Manual).await;
    until("the effect is under way", || !world.calls.made().is_empty()).await;
    world.clock.advance(2_000);
    let cut = world.ended(id).await;
    assert_eq!((cut.order(), cut.state.failed_node.clone()), (vec!["Start", "Before", "Call"], None));
    let same = report(&world, workflow, &[id], ForkVersion::Same).await;
    assert_eq!((same.same, same.differ, same.skipped), (1, 0, 0), "{same:?}");
    change(&world, workflow, &file(node("Before", "give", json!({"give": [[{"text": "other"}]]}), json!({})))).await;
    let other = report(&world, workflow, &[id], ForkVersion::Draft).await;
    assert_eq!((other.same, other.differ, other.skipped), (0, 1, 0), "{other:?}");
    assert_eq!(other.differences[0].node.as_deref(), Some("Before"));
    checks.stop().await;
    engine.stop().await;
}
