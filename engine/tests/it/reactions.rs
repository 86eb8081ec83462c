//! What follows from the end of an execution: once, whoever follows it, and after a crash too.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_commands::{CancelExecution, StartExecution};
use timeloom_domain::execution::{ExecutionMode, ExecutionStatus, TriggerFacts};
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_domain::trace::Sampling;
use timeloom_engine::reactions::{Reactions, ReactionsParts, failure_id};
use timeloom_engine::sub_workflows::call_id;
use timeloom_store::EventLog;
use timeloom_store::mark::Mark as _;

use crate::bench::{MemoryMark, World, at, chain, file, node};

fn reactions(world: &World, mark: &Arc<MemoryMark>) -> Reactions {
    let reactions = Reactions::new(ReactionsParts {
        log: Arc::clone(&world.log) as Arc<dyn EventLog>,
        commands: world.commands.clone(),
        directory: world.commands.directory().clone(),
        sub_workflows: Arc::new(world.sub_workflows()),
        mark: Arc::clone(mark) as _,
        public_url: Arc::from("http://localhost:8080"),
        sampling: Sampling::ALL,
    });
    reactions.start();
    reactions
}

/// A mark at the beginning of the log.
fn from_the_beginning() -> Arc<MemoryMark> {
    Arc::new(MemoryMark(std::sync::Mutex::new(Some(0))))
}

fn error_trigger() -> Value {
    let mut trigger = at("On Error", "trigger", 0, 0);
    trigger["type"] = json!("n8n-nodes-base.errorTrigger");
    trigger
}

/// A workflow of that name that handles failures: these nodes after its trigger.
fn handler(name: &str, nodes: &[Value]) -> Value {
    let nodes = [&[error_trigger()], nodes].concat();
    let names: Vec<&str> = nodes.iter().map(|node| node["name"].as_str().unwrap()).collect();
    let links: Vec<String> = names.windows(2).map(|pair| format!("{}>{}", pair[0], pair[1])).collect();
    let mut file = file("v1", &nodes, &links.iter().map(String::as_str).collect::<Vec<_>>());
    file["name"] = json!(name);
    file
}

/// A workflow that fails, and names another one for that.
fn failing(error_workflow: &str) -> Value {
    let mut file = chain(&[node("Breaks", "flaky", json!({}), json!({}))]);
    file["name"] = json!("Failing");
    file["settings"]["errorWorkflow"] = json!(error_workflow);
    file
}

/// Whether an execution was started because that one failed.
async fn handled(world: &World, failed: ExecutionId) -> usize {
    let because = |trigger: &Option<TriggerFacts>| *trigger == Some(TriggerFacts::Failure { execution: failed });
    world.begun().await.iter().filter(|(_, _, _, trigger)| because(trigger)).count()
}

async fn fails(world: &World, workflow: WorkflowId, mode: ExecutionMode) -> ExecutionId {
    let id = world.start(workflow, mode).await;
    assert_eq!(world.ended(id).await.state.status, ExecutionStatus::Failed);
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_in_production_starts_the_error_workflow_once_and_tells_it_what_happened() {
    let world = World::new();
    let (engine, mark) = (world.engine(), from_the_beginning());
    engine.start().await.unwrap();
    world.published(&handler("Tell", &[at("After", "mark", 0, 0)])).await;
    let workflow = world.published(&failing("Tell")).await;
    let by_hand = fails(&world, workflow, ExecutionMode::Manual).await;
    let all = [reactions(&world, &mark), reactions(&world, &mark), reactions(&world, &mark)];
    let failed = fails(&world, workflow, ExecutionMode::Production).await;
    let told = world.ended(failure_id(failed)).await;
    for reactions in all {
        reactions.stop().await;
    }
    engine.stop().await;
    assert_eq!((handled(&world, failed).await, handled(&world, by_hand).await), (1, 0));
    let item = &told.gave("On Error")[0][0];
    assert_eq!(item["workflow"], json!({ "id": workflow.to_string(), "name": "Failing" }));
    let execution = &item["execution"];
    assert_eq!(execution["id"], json!(failed.to_string()));
    assert!(execution["url"].as_str().unwrap().ends_with(&failed.to_string()));
    assert_eq!((&execution["lastNodeExecuted"], &execution["mode"]), (&json!("Breaks"), &json!("trigger")));
    let error = &execution["error"];
    assert_eq!((&error["message"], &error["node"]["name"]), (&json!("it does not work"), &json!("Breaks")));
    assert!(error["stack"].as_str().unwrap().contains("it does not work"));
}

#[tokio::test]
async fn a_failure_before_a_crash_starts_the_error_workflow_after_it() {
    let world = World::new();
    let (engine, mark) = (world.engine(), Arc::<MemoryMark>::default());
    engine.start().await.unwrap();
    world.published(&handler("Tell", &[])).await;
    let workflow = world.published(&failing("Tell")).await;
    let before = fails(&world, workflow, ExecutionMode::Production).await;
    // The first start of all: what is past is left alone.
    reactions(&world, &mark).stop().await;
    let running = reactions(&world, &mark);
    crate::control::until("the mark is there", || mark.0.lock().unwrap().is_some()).await;
    running.stop().await;
    let between = fails(&world, workflow, ExecutionMode::Production).await;
    let again = reactions(&world, &mark);
    world.ended(failure_id(between)).await;
    again.stop().await;
    assert_eq!(handled(&world, before).await, 0);
    // Looked at twice it is started once.
    mark.save(0).await.unwrap();
    let again = reactions(&world, &mark);
    world.ended(failure_id(before)).await;
    again.stop().await;
    engine.stop().await;
    assert_eq!((handled(&world, before).await, handled(&world, between).await), (1, 1));
}

#[tokio::test]
async fn the_failure_of_an_error_workflow_starts_nothing() {
    let world = World::new();
    let (engine, mark) = (world.engine(), from_the_beginning());
    engine.start().await.unwrap();
    let mut handler = handler("Tell", &[node("Breaks", "flaky", json!({}), json!({}))]);
    handler["settings"]["errorWorkflow"] = json!("Tell");
    world.published(&handler).await;
    let workflow = world.published(&failing("Tell")).await;
    let reactions = reactions(&world, &mark);
    let failed = fails(&world, workflow, ExecutionMode::Production).await;
    let told = world.ended(failure_id(failed)).await;
    assert_eq!(told.state.status, ExecutionStatus::Failed);
    // The next failure comes after it in the log: once that was served, so was this one.
    let next = fails(&world, workflow, ExecutionMode::Production).await;
    world.ended(failure_id(next)).await;
    reactions.stop().await;
    engine.stop().await;
    assert_eq!(handled(&world, told.id).await, 0);
}

#[tokio::test]
async fn a_workflow_with_an_error_trigger_handles_its_own_failures() {
    let world = World::new();
    let (engine, mark) = (world.engine(), from_the_beginning());
    engine.start().await.unwrap();
    let nodes = [
        at("Start", "trigger", 0, 0),
        node("Breaks", "flaky", json!({}), json!({})),
        error_trigger(),
        at("Told", "mark", 0, 0),
    ];
    let own = world.published(&file("v1", &nodes, &["Start>Breaks", "On Error>Told"])).await;
    let reactions = reactions(&world, &mark);
    let start = StartExecution {
        start_node: Some("Start".to_owned()),
        mode: ExecutionMode::Production,
        ..StartExecution::by_hand(own)
    };
    let failed = world.commands.start_execution(&world.context(), start).await.unwrap().value;
    let told = world.ended(failure_id(failed)).await;
    reactions.stop().await;
    engine.stop().await;
    assert_eq!(told.order(), ["On Error", "Told"]);
}

#[tokio::test]
async fn a_draft_or_a_missing_workflow_handles_nothing() {
    let world = World::new();
    let (engine, mark) = (world.engine(), from_the_beginning());
    engine.start().await.unwrap();
    world.import(&handler("Draft", &[])).await;
    world.published(&handler("Last", &[])).await;
    let reactions = reactions(&world, &mark);
    let mut failed = Vec::new();
    for reference in ["Draft", "Nobody", "Last"] {
        let workflow = world.published(&failing(reference)).await;
        failed.push(fails(&world, workflow, ExecutionMode::Production).await);
    }
    world.ended(failure_id(failed[2])).await;
    reactions.stop().await;
    engine.stop().await;
    assert_eq!((handled(&world, failed[0]).await, handled(&world, failed[1]).await), (0, 0));
}

#[tokio::test]
async fn whoever_is_cancelled_takes_along_what_it_waits_for() {
    let world = World::new();
    let (engine, mark) = (world.engine(), from_the_beginning());
    engine.start().await.unwrap();
    let mut trigger = at("Called", "trigger", 0, 0);
    trigger["type"] = json!("n8n-nodes-base.executeWorkflowTrigger");
    let stuck = node("Stuck", "effect", json!({ "stuck": 9 }), json!({}));
    let mut sub = file("v1", &[trigger.clone(), stuck], &["Called>Stuck"]);
    sub["name"] = json!("Inner");
    world.import(&sub).await;
    let mut middle =
        file("v1", &[trigger, node("Call", "call", json!({ "workflow": "Inner" }), json!({}))], &["Called>Call"]);
    middle["name"] = json!("Middle");
    world.import(&middle).await;
    let outer = world.import(&chain(&[node("Call", "call", json!({ "workflow": "Middle" }), json!({}))])).await;
    let id = world.start(outer, ExecutionMode::Manual).await;
    crate::control::until("the innermost is under way", || !world.calls.made().is_empty()).await;
    let cancel = CancelExecution { execution_id: id, reason: "enough".to_owned() };
    world.commands.cancel_execution(&world.context(), cancel).await.unwrap();
    // Whoever should have taken it along died: the next one does.
    let reactions = reactions(&world, &mark);
    for (id, ..) in world.begun().await {
        assert_eq!(world.ended(id).await.state.status, ExecutionStatus::Cancelled);
    }
    assert_eq!(world.begun().await.len(), 3);
    reactions.stop().await;
    engine.stop().await;
}

#[test]
fn the_ids_of_calls_differ_by_execution_node_run_number_and_failure() {
    let caller = timeloom_engine::node::Caller {
        tenant: timeloom_domain::ids::TenantId(1),
        workflow_id: WorkflowId(uuid::Uuid::from_u128(1)),
        execution_id: ExecutionId(uuid::Uuid::from_u128(2)),
        execution_index: 1,
        attempt: 1,
        attempts_max: 1,
        mode: ExecutionMode::Manual,
        depth: 0,
        span: "00-00000000000000000000000000000001-0000000000000001-00".parse().unwrap(),
    };
    let other_run = timeloom_engine::node::Caller { execution_index: 11, ..caller };
    let ids = [call_id(&caller, 1, 0), call_id(&caller, 11, 0), call_id(&caller, 1, 1), call_id(&other_run, 1, 0)];
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
    assert_eq!(call_id(&timeloom_engine::node::Caller { attempt: 7, ..caller }, 1, 0), ids[0]);
}
