//! Branches that run at the same time, where their workflow asks for it.

use serde_json::{Value, json};
use timeloom_commands::{ControlExecution, ExecutionControl, ImportWorkflow, RetryExecution, RetryFrom, RetryVersion};
use timeloom_domain::execution::{ExecutionEvent, ExecutionMode, ExecutionStatus};
use timeloom_domain::ids::ExecutionId;

use crate::bench::{Finished, World, at, file, node, trigger};
use crate::control::until;

fn effect(name: &str, mut parameters: Value, y: i64, mut fields: Value) -> Value {
    parameters["overlaps"] = json!(true);
    fields["position"] = json!([1, y]);
    node(name, "effect", parameters, fields)
}

/// Three branches that call the world, and what joins them.
fn branches(a: Value, b: Value, c: Value, fields: Value) -> Value {
    let nodes = [
        trigger(),
        effect("A", a, 0, fields.clone()),
        effect("B", b, 1, json!({})),
        effect("C", c, 2, json!({})),
        node("Join", "append", json!({"inputs": 3}), json!({"position": [2, 0]})),
    ];
    let links = ["Start>A", "Start>B", "Start>C", "A>Join", "B>Join.1", "C>Join.2"];
    let mut file = file("v1", &nodes, &links);
    file["settings"]["parallelBranches"] = json!(true);
    file
}

fn place(events: &[ExecutionEvent], what: &str, of: &str) -> usize {
    let is_it = |event: &ExecutionEvent| match event {
        ExecutionEvent::NodeStarted { run, .. } => what == "started" && run.node == of,
        ExecutionEvent::NodeCompleted { run, .. } => what == "completed" && run.node == of,
        ExecutionEvent::NodeFailed { run, .. } => what == "failed" && run.node == of,
        _ => false,
    };
    events.iter().position(is_it).unwrap_or_else(|| panic!("{of} was not {what}: {events:#?}"))
}

fn ran(finished: &Finished) -> Vec<&str> {
    let mut names = finished.order();
    names.sort_unstable();
    names
}

async fn begin(world: &World, file: &Value) -> ExecutionId {
    let workflow = world.import(file).await;
    world.start(workflow, ExecutionMode::Manual).await
}

#[tokio::test]
async fn effects_of_branches_overlap_and_what_joins_them_has_all_of_it() {
    let world = World::new();
    let slow = || json!({"sleep_ms": 60});
    let finished = world.run(&branches(slow(), slow(), slow(), json!({}))).await;
    assert_eq!(finished.state.status, ExecutionStatus::Completed, "{:?}", finished.state.error);
    let first_end = ["A", "B", "C"].map(|name| place(&finished.events, "completed", name)).into_iter().min();
    for name in ["A", "B", "C"] {
        assert!(Some(place(&finished.events, "started", name)) < first_end, "{name} began while the others ran");
    }
    assert_eq!(finished.gave("Join"), json!([[{"by": "A"}, {"by": "B"}, {"by": "C"}]]));
}

#[tokio::test]
async fn without_the_setting_branches_run_one_after_the_other() {
    let world = World::new();
    let mut file = branches(json!({}), json!({}), json!({}), json!({}));
    file["settings"]["parallelBranches"] = json!(false);
    let finished = world.run(&file).await;
    assert!(place(&finished.events, "completed", "A") < place(&finished.events, "started", "B"));
}

#[tokio::test]
async fn after_a_restart_everything_that_was_under_way_is_begun_again_and_the_rest_is_not() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let stuck = || json!({"stuck": 1});
    let id = begin(&world, &branches(json!({}), stuck(), stuck(), json!({}))).await;
    world.saw(id, |event| matches!(event, ExecutionEvent::NodeCompleted { run, .. } if run.node == "A")).await;
    until("all are under way", || world.calls.made().len() == 3).await;
    engine.stop().await;
    let again = world.engine();
    again.start().await.unwrap();
    let finished = world.ended(id).await;
    assert_eq!(finished.state.status, ExecutionStatus::Completed);
    assert_eq!((ran(&finished), finished.calls.len()), (vec!["A", "B", "C", "Join", "Start"], 5));
    again.stop().await;
}

#[tokio::test]
async fn an_attempt_that_fails_is_made_again_beside_the_others() {
    let world = World::new();
    let fields = json!({"retryOnFail": true, "maxTries": 3, "waitBetweenTries": 1});
    let finished = world.run(&branches(json!({"failures": 2}), json!({"sleep_ms": 30}), json!({}), fields)).await;
    assert_eq!(finished.state.status, ExecutionStatus::Completed, "{:?}", finished.state.error);
    assert_eq!(finished.state.newest_run("A").unwrap().attempts, 3);
}

#[tokio::test]
async fn a_failure_waits_for_what_is_under_way_and_a_retry_repeats_the_failed_node_alone() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let id = begin(&world, &branches(json!({"failures": 1}), json!({"sleep_ms": 60}), json!({}), json!({}))).await;
    let failed = world.ended(id).await;
    assert_eq!(failed.state.status, ExecutionStatus::Failed);
    assert!(place(&failed.events, "failed", "A") < place(&failed.events, "completed", "B"));
    let workflow_id = Some(failed.state.start.as_ref().unwrap().workflow_id);
    let mended = branches(json!({}), json!({}), json!({}), json!({}));
    let import = ImportWorkflow { workflow_id, source: mended.to_string().into_bytes() };
    world.commands.import_workflow(&world.context(), import).await.unwrap();
    let retry =
        RetryExecution { new_id: None, execution_id: id, from: RetryFrom::FailedNode, version: RetryVersion::Newest };
    let new = world.commands.retry_execution(&world.context(), retry).await.unwrap().value;
    let finished = world.ended(new).await;
    assert_eq!(finished.state.status, ExecutionStatus::Completed, "{:?}", finished.state.error);
    assert_eq!((ran(&finished), finished.calls.len()), (vec!["A", "Join"], 4));
    engine.stop().await;
}

#[tokio::test]
async fn a_pause_lets_what_is_under_way_come_to_its_end_and_begins_nothing_new() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let slow = || json!({"sleep_ms": 150});
    let id = begin(&world, &branches(slow(), slow(), slow(), json!({}))).await;
    until("all are under way", || world.calls.made().len() == 3).await;
    let pause = ExecutionControl::Pause { reason: "look".to_owned() };
    let request = ControlExecution { execution_id: id, control: pause };
    world.commands.control_execution(&world.context(), request).await.unwrap();
    for name in ["A", "B", "C"] {
        world.saw(id, |event| matches!(event, ExecutionEvent::NodeCompleted { run, .. } if run.node == name)).await;
    }
    let request = ControlExecution { execution_id: id, control: ExecutionControl::Unpause { step: false } };
    world.commands.control_execution(&world.context(), request).await.unwrap();
    let finished = world.ended(id).await;
    assert_eq!((finished.state.status, finished.calls.len()), (ExecutionStatus::Completed, 3));
    engine.stop().await;
}

#[tokio::test]
async fn a_fourth_branch_that_only_computes_does_not_wait_for_the_effects() {
    let world = World::new();
    let mut file = branches(json!({"sleep_ms": 80}), json!({}), json!({}), json!({}));
    file["nodes"].as_array_mut().unwrap().push(at("Quick", "mark", 1, 9));
    file["connections"]["Start"]["main"][0]
        .as_array_mut()
        .unwrap()
        .push(json!({"node": "Quick", "type": "main", "index": 0}));
    let finished = world.run(&file).await;
    assert!(place(&finished.events, "completed", "Quick") < place(&finished.events, "completed", "A"));
}
