//! Commands on executions: what they do and what they refuse.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use timeloom_commands::{CancelExecution, CommandError, ImportWorkflow, StartExecution};
use timeloom_domain::execution::{Breakpoint, Execution, ExecutionMode, ExecutionStatus, RunOptions, StartFacts};
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_domain::item::Item;
use timeloom_store::{APPEND_SPILLED_BYTES_MAX, AppendError, Expected, Revision, StreamKey};
use uuid::Uuid;

use crate::bench::{TENANT, World, by_hand, code, file, source};

async fn state(world: &World, id: ExecutionId) -> Execution {
    world
        .commands
        .load::<Execution>(&StreamKey::new(TENANT, "execution", id.to_string()))
        .await
        .unwrap()
        .aggregate
        .clone()
}

async fn facts(world: &World, id: ExecutionId) -> StartFacts {
    Arc::unwrap_or_clone(state(world, id).await.start.unwrap())
}

fn cancel(execution_id: ExecutionId, reason: &str) -> CancelExecution {
    CancelExecution { execution_id, reason: reason.to_owned() }
}

#[tokio::test]
async fn by_hand_the_draft_runs_with_its_pins() {
    let world = World::new();
    let mut pinned = file("pinned");
    pinned["pinData"] = json!({"Set": [{"json": {"a": 1}}]});
    let import = ImportWorkflow { workflow_id: None, source: pinned.to_string().into_bytes() };
    let workflow = world.commands.import_workflow(&world.context(), import).await.unwrap().value;
    let context = world.context();
    let id = world.commands.start_execution(&context, by_hand(workflow)).await.unwrap().value;
    assert_eq!(id.0, context.command_id.0, "the id follows from the command's");
    let facts = facts(&world, id).await;
    assert_eq!((facts.workflow_id, facts.workflow_revision, facts.workflow_version), (workflow, 1, None));
    assert_eq!((facts.start_node.as_str(), facts.items, facts.seed), ("Start", vec![Item::default()], 42));
    assert_eq!((facts.pins.len(), facts.at_ms), (1, 1_700_000_000_000));
}

#[tokio::test]
async fn in_production_the_newest_version_runs_without_pins() {
    let world = World::new();
    let workflow = world.import("first").await;
    let pin = Some(vec![Item::default()]);
    world.commands.change_workflow_pins(&world.context(), workflow, "Set".to_owned(), pin).await.unwrap();
    for name in ["second", "third"] {
        world.commands.publish_workflow(&world.context(), workflow).await.unwrap();
        let update = ImportWorkflow { workflow_id: Some(workflow), source: source(name) };
        world.commands.import_workflow(&world.context(), update).await.unwrap();
    }
    let start = |version| StartExecution { mode: ExecutionMode::Production, version, ..by_hand(workflow) };
    for (wanted, got) in [(None, 2), (Some(1), 1)] {
        let id = world.commands.start_execution(&world.context(), start(wanted)).await.unwrap().value;
        let facts = facts(&world, id).await;
        assert_eq!((facts.workflow_version, facts.pins.len()), (Some(got), 0));
    }
    assert_eq!(
        code(world.commands.start_execution(&world.context(), start(Some(3))).await),
        "WORKFLOW_VERSION_NOT_FOUND"
    );
}

#[tokio::test]
async fn what_cannot_run_is_not_started() {
    let world = World::new();
    let (workflow, archived) = (world.import("first").await, world.import("second").await);
    world.commands.archive_workflow(&world.context(), archived).await.unwrap();
    let refused = async |start| code(world.commands.start_execution(&world.context(), start).await);
    assert_eq!(refused(by_hand(WorkflowId(Uuid::from_u128(99)))).await, "WORKFLOW_NOT_FOUND");
    assert_eq!(refused(by_hand(archived)).await, "WORKFLOW_ARCHIVED");
    let production = StartExecution { mode: ExecutionMode::Production, ..by_hand(workflow) };
    assert_eq!(refused(production).await, "WORKFLOW_NOT_PUBLISHED");
    let nowhere = StartExecution { start_node: Some("Nobody".to_owned()), ..by_hand(workflow) };
    assert_eq!(refused(nowhere).await, "NO_TRIGGER");
    let many = StartExecution { items: Some(vec![Item::default(); 100_001]), ..by_hand(workflow) };
    assert_eq!(refused(many).await, "TOO_MANY_ITEMS");
    let taken = StartExecution { execution_id: Some(world.start(workflow).await), ..by_hand(workflow) };
    assert_eq!(refused(taken).await, "EXECUTION_EXISTS");
}

#[tokio::test]
async fn items_larger_than_the_log_takes_are_refused() {
    let world = World::new();
    let workflow = world.import("first").await;
    let large = Item::new(json!({"text": "x".repeat(APPEND_SPILLED_BYTES_MAX)}).as_object().cloned().unwrap());
    let start = StartExecution { items: Some(vec![large]), ..by_hand(workflow) };
    assert_eq!(code(world.commands.start_execution(&world.context(), start).await), "TOO_LARGE");
}

#[tokio::test]
async fn an_execution_is_cancelled_once() {
    let world = World::new();
    let id = world.start(world.import("first").await).await;
    let first = world.commands.cancel_execution(&world.context(), cancel(id, &"x".repeat(2_000))).await.unwrap();
    assert!(!first.repeated);
    assert_eq!(state(&world, id).await.status, ExecutionStatus::Cancelled);
    assert!(world.commands.cancel_execution(&world.context(), cancel(id, "again")).await.unwrap().repeated);
    assert_eq!(world.story("execution", id).await, ["ExecutionStarted", "ExecutionCancelled"]);
    let nobody = ExecutionId(Uuid::from_u128(99));
    assert_eq!(
        code(world.commands.cancel_execution(&world.context(), cancel(nobody, "")).await),
        "EXECUTION_NOT_FOUND"
    );
}

#[tokio::test]
async fn a_cancellation_reads_one_event_and_outlasts_an_engine_that_appends() {
    let world = World::new();
    let id = world.start(world.import("first").await).await;
    let conflict = || {
        let stream = StreamKey::new(TENANT, "execution", id.to_string());
        AppendError::WrongRevision { stream, expected: Expected::Exact(Revision(1)), actual: Revision(2) }
    };
    world.log.refusals.lock().unwrap().extend(std::iter::repeat_with(conflict).take(50));
    let before = world.log.events_read.load(Ordering::SeqCst);
    let cancelled = world.commands.cancel_execution(&world.context(), cancel(id, "enough")).await.unwrap();
    assert_eq!((cancelled.value, cancelled.repeated), (id, false));
    assert_eq!(world.log.events_read.load(Ordering::SeqCst) - before, 51, "one for each attempt");
    assert_eq!(state(&world, id).await.status, ExecutionStatus::Cancelled);

    let id = world.start(world.import("second").await).await;
    world.log.refusals.lock().unwrap().extend(std::iter::repeat_with(conflict).take(1_000));
    let answer = world.commands.cancel_execution(&world.context(), cancel(id, "enough")).await;
    assert!(matches!(&answer, Err(CommandError::Conflict { message }) if message.ends_with("try again")), "{answer:?}");
    assert!(world.log.refusals.lock().unwrap().len() >= 800, "there is an end to it");
}

#[tokio::test]
async fn a_run_is_asked_for_within_bounds_and_pauses_before_nodes_that_are_there() {
    let world = World::new();
    let workflow = world.import("first").await;
    let breakpoint = |node: &str| Breakpoint { node: node.to_owned(), condition: None };
    let asked = |priority, breakpoints: Vec<Breakpoint>| StartExecution {
        options: RunOptions { priority, breakpoints, ..RunOptions::default() },
        ..by_hand(workflow)
    };
    for (start, word) in [
        (asked(1_001, Vec::new()), "PRIORITY_OUT_OF_RANGE"),
        (asked(-1_001, Vec::new()), "PRIORITY_OUT_OF_RANGE"),
        (asked(0, vec![breakpoint("Nobody")]), "NODE_NOT_FOUND"),
        (asked(0, vec![breakpoint("")]), "EMPTY_BREAKPOINT"),
        (asked(0, vec![breakpoint("Set"); 201]), "TOO_MANY_BREAKPOINTS"),
    ] {
        assert_eq!(code(world.commands.start_execution(&world.context(), start).await), word);
    }
    let start = asked(-1_000, vec![breakpoint("Set")]);
    let id = world.commands.start_execution(&world.context(), start).await.unwrap().value;
    let state = state(&world, id).await;
    assert_eq!((state.breakpoints, state.start.unwrap().options.priority), (vec![breakpoint("Set")], -1_000));
}
