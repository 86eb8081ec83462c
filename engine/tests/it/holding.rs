//! Waits, pauses, breakpoints and time limits: what holds an execution up, and what lets it go on.

use serde_json::{Value, json};
use timeloom_commands::{ControlExecution, ExecutionControl};
use timeloom_domain::execution::{
    Breakpoint, ExecutionEvent, ExecutionMode, ExecutionStatus, PauseReason, ResponseBody, ResumeCause,
};
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::item::Item;

use crate::bench::{World, at, chain, node};
use crate::control::until;

fn wait(parameters: Value) -> Value {
    node("Wait", "wait", parameters, json!({}))
}

async fn ask(world: &World, execution_id: ExecutionId, control: ExecutionControl) {
    world.commands.control_execution(&world.context(), ControlExecution { execution_id, control }).await.unwrap();
}

fn resume(items: Value) -> ExecutionControl {
    let item = |json: &Value| Item::new(json.as_object().cloned().unwrap());
    let items = items.as_array().map(|items| items.iter().map(item).collect());
    ExecutionControl::Resume { cause: ResumeCause::Person, items }
}

fn is_waiting(event: &ExecutionEvent) -> bool {
    matches!(event, ExecutionEvent::ExecutionWaiting { .. })
}

fn is_paused(event: &ExecutionEvent) -> bool {
    matches!(event, ExecutionEvent::ExecutionPaused { .. })
}

async fn begin(world: &World, nodes: &[Value]) -> ExecutionId {
    let workflow = world.import(&chain(nodes)).await;
    world.start(workflow, ExecutionMode::Manual).await
}

#[tokio::test]
async fn a_wait_for_a_time_passes_its_input_on_when_the_time_has_come() {
    let world = World::new();
    let finished = world.run(&chain(&[wait(json!({"for_ms": 30})), at("After", "mark", 0, 0)])).await;
    assert_eq!(finished.state.status, ExecutionStatus::Completed);
    assert_eq!(finished.gave("After"), json!([[{"by": "After"}]]));
    assert_eq!(finished.story()[2..5], ["ExecutionWaiting", "ExecutionResumed", "NodeCompleted"]);
}

#[tokio::test]
async fn a_wait_of_days_lasts_through_restarts_and_ends_with_its_time() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let id = begin(&world, &[wait(json!({"for_ms": 86_400_000 * 3})), at("After", "mark", 0, 0)]).await;
    world.saw(id, is_waiting).await;
    engine.stop().await;
    let again = world.engine();
    again.start().await.unwrap();
    until("it is found again", || again.open_count() == 1).await;
    again.stop().await;
    assert_eq!(world.events(id).await.len(), 3, "a restart ends no wait");
    world.clock.advance(86_400_000 * 3);
    let last = world.engine();
    last.start().await.unwrap();
    assert_eq!(world.ended(id).await.state.status, ExecutionStatus::Completed);
    last.stop().await;
}

#[tokio::test]
async fn a_resumed_wait_gives_what_it_was_resumed_with() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let id = begin(&world, &[wait(json!({})), at("After", "mark", 0, 0)]).await;
    world.saw(id, is_waiting).await;
    ask(&world, id, resume(json!([{"approved": true}]))).await;
    let finished = world.ended(id).await;
    assert_eq!(finished.gave("Wait"), json!([[{"approved": true}]]));
    assert_eq!(finished.gave("After"), json!([[{"approved": true, "by": "After"}]]));
    let late = ControlExecution { execution_id: id, control: resume(Value::Null) };
    let refused = world.commands.control_execution(&world.context(), late).await.unwrap_err();
    assert!(refused.to_string().contains("has ended"), "{refused}");
    engine.stop().await;
}

#[tokio::test]
async fn a_waiting_execution_that_is_cancelled_is_let_go() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let id = begin(&world, &[wait(json!({}))]).await;
    world.saw(id, is_waiting).await;
    let cancel = timeloom_commands::CancelExecution { execution_id: id, reason: "enough".to_owned() };
    world.commands.cancel_execution(&world.context(), cancel).await.unwrap();
    until("the execution is let go", || engine.open_count() == 0).await;
    assert_eq!(world.ended(id).await.state.status, ExecutionStatus::Cancelled);
    engine.stop().await;
}

#[tokio::test]
async fn an_effect_that_is_under_way_when_the_execution_is_paused_happens_once() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let call = node("Call", "effect", json!({"sleep_ms": 200}), json!({}));
    let id = begin(&world, &[call, at("After", "mark", 0, 0)]).await;
    until("the effect is under way", || !world.calls.made().is_empty()).await;
    ask(&world, id, ExecutionControl::Pause { reason: "look".to_owned() }).await;
    world.saw(id, |event| matches!(event, ExecutionEvent::NodeCompleted { run, .. } if run.node == "Call")).await;
    until("it stands still", || engine.open_count() == 1).await;
    let paused = crate::bench::fold(&world.events(id).await);
    assert_eq!((paused.status, paused.node_runs.len()), (ExecutionStatus::Paused, 2));
    ask(&world, id, ExecutionControl::Unpause { step: false }).await;
    let finished = world.ended(id).await;
    assert_eq!((finished.state.status, finished.calls.len()), (ExecutionStatus::Completed, 1));
    engine.stop().await;
}

#[tokio::test]
async fn breakpoints_hold_up_where_their_condition_is_true_and_steps_go_node_by_node() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let give = node("Give", "give", json!({"give": [[{"n": 2}]]}), json!({}));
    let id =
        begin(&world, &[wait(json!({})), give, at("A", "mark", 0, 0), at("B", "mark", 0, 0), at("C", "mark", 0, 0)])
            .await;
    world.saw(id, is_waiting).await;
    let breakpoint =
        |node: &str, condition: &str| Breakpoint { node: node.to_owned(), condition: Some(condition.to_owned()) };
    let breakpoints = vec![breakpoint("A", "$json.n > 5"), breakpoint("B", "{{ $json.n === 2 }}")];
    ask(&world, id, ExecutionControl::ChangeBreakpoints { breakpoints }).await;
    ask(&world, id, resume(Value::Null)).await;
    world.saw(id, is_paused).await;
    let reasons = |events: &[ExecutionEvent]| -> Vec<PauseReason> {
        let reason = |event: &ExecutionEvent| match event {
            ExecutionEvent::ExecutionPaused { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        events.iter().filter_map(reason).collect()
    };
    let first = [PauseReason::Breakpoint { node: "B".to_owned() }];
    assert_eq!(reasons(&world.events(id).await), first, "A's condition is false");
    ask(&world, id, ExecutionControl::Unpause { step: true }).await;
    let stepped = PauseReason::Step { node: "C".to_owned() };
    world.saw(id, |event| reasons(std::slice::from_ref(event)) == [stepped.clone()]).await;
    ask(&world, id, ExecutionControl::Unpause { step: false }).await;
    let finished = world.ended(id).await;
    assert_eq!((finished.state.status, reasons(&finished.events).len()), (ExecutionStatus::Completed, 2));
    engine.stop().await;
}

#[tokio::test]
async fn a_paused_execution_stays_so_through_a_restart() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let id = begin(&world, &[wait(json!({})), at("After", "mark", 0, 0)]).await;
    world.saw(id, is_waiting).await;
    ask(&world, id, ExecutionControl::Pause { reason: "look".to_owned() }).await;
    ask(&world, id, resume(Value::Null)).await;
    engine.stop().await;
    let again = world.engine();
    again.start().await.unwrap();
    until("it is found again", || again.open_count() == 1).await;
    assert_eq!(crate::bench::fold(&world.events(id).await).status, ExecutionStatus::Paused);
    ask(&world, id, ExecutionControl::Unpause { step: false }).await;
    assert_eq!(world.ended(id).await.state.status, ExecutionStatus::Completed);
    again.stop().await;
}

#[tokio::test]
async fn an_effect_that_takes_longer_than_its_node_may_fails_and_the_run_goes_by_its_policy() {
    let world = World::new();
    let call = node(
        "Call",
        "effect",
        json!({"stuck": 9}),
        json!({"timeoutSeconds": 0.05, "onError": "continueRegularOutput"}),
    );
    let finished = world.run(&chain(&[call, at("After", "mark", 0, 0)])).await;
    assert_eq!(finished.state.status, ExecutionStatus::Completed);
    let error = finished.state.newest_run("Call").unwrap().error.clone().unwrap();
    assert!(error["message"].as_str().unwrap().starts_with("stopped after 50 ms"), "{error}");
}

#[tokio::test]
async fn the_time_limit_of_a_workflow_cuts_an_effect_off() {
    let world = World::new();
    let mut file = chain(&[node("Call", "effect", json!({"stuck": 9}), json!({}))]);
    file["settings"]["executionTimeout"] = json!(0.1);
    let finished = world.run(&file).await;
    assert_eq!(finished.state.status, ExecutionStatus::Failed);
}

#[tokio::test]
async fn a_nodes_answer_and_notes_are_events_right_after_its_output() {
    let world = World::new();
    let finished = world.run(&chain(&[at("Answer", "respond", 0, 0), at("After", "mark", 0, 0)])).await;
    assert_eq!(
        finished.story()[1..],
        [
            "NodeCompleted",
            "NodeCompleted",
            "ExecutionDataSaved",
            "ExecutionResponded",
            "NodeCompleted",
            "ExecutionCompleted"
        ]
    );
    let response = finished.state.response.clone().unwrap();
    assert_eq!((response.status, response.body), (201, ResponseBody::Json { value: json!({}) }));
    assert_eq!(finished.state.data, [("by".to_owned(), "Answer".to_owned())].into());
}
