//! Executions that ended and are tried again: from the node that failed or from the start, on the same version or a newer one.

use serde_json::{Value, json};
use timeloom_commands::{ImportWorkflow, RetryExecution, RetryFrom, RetryVersion};
use timeloom_domain::execution::{ExecutionMode, ExecutionStatus, TriggerFacts};
use timeloom_domain::ids::{ExecutionId, WorkflowId};

use crate::bench::{Finished, World, at, chain, node};

/// A node that fails twice, whatever attempt that is.
fn flaky(failures: u64) -> Value {
    node("Flaky", "flaky", json!({"failures": failures}), json!({}))
}

async fn failed(world: &World, nodes: &[Value]) -> (WorkflowId, ExecutionId) {
    let workflow = world.import(&chain(nodes)).await;
    let id = world.start(workflow, ExecutionMode::Manual).await;
    assert_eq!(world.ended(id).await.state.status, ExecutionStatus::Failed);
    (workflow, id)
}

async fn again(world: &World, execution_id: ExecutionId, from: RetryFrom, version: RetryVersion) -> Finished {
    let retry = RetryExecution { new_id: None, execution_id, from, version };
    let id = world.commands.retry_execution(&world.context(), retry).await.unwrap().value;
    assert_ne!(id, execution_id);
    world.ended(id).await
}

fn calls(world: &World) -> usize {
    world.calls.made().len()
}

#[tokio::test]
async fn a_retry_from_the_failed_node_repeats_nothing_before_it() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let trace = node("Trace", "trace", json!({"of": "Give"}), json!({}));
    let give = node("Give", "give", json!({"give": [[{"n": 7}]]}), json!({}));
    let call = node("Call", "effect", json!({}), json!({}));
    let (_, id) = failed(&world, &[give, call, flaky(u64::MAX), trace.clone()]).await;
    assert_eq!(calls(&world), 1);
    let still = again(&world, id, RetryFrom::FailedNode, RetryVersion::Same).await;
    assert_eq!((still.state.status, still.order(), calls(&world)), (ExecutionStatus::Failed, vec!["Flaky"], 1));
    let start = still.state.start.as_deref().unwrap();
    assert_eq!(start.trigger, Some(TriggerFacts::Retry { of: id }));
    let noted = crate::bench::fold(&world.events(id).await);
    assert_eq!((noted.status, noted.retried_as), (ExecutionStatus::Failed, vec![still.id]));
    engine.stop().await;
}

#[tokio::test]
async fn a_retry_on_the_newest_version_runs_it_from_the_failed_node_with_what_was_given_before() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let give = node("Give", "give", json!({"give": [[{"n": 7}]]}), json!({}));
    let trace = node("Trace", "trace", json!({"of": "Give"}), json!({}));
    let (workflow, id) = failed(&world, &[give.clone(), flaky(u64::MAX), trace.clone()]).await;
    let mended = chain(&[give, node("Flaky", "mark", json!({}), json!({})), trace]);
    let import = ImportWorkflow { workflow_id: Some(workflow), source: mended.to_string().into_bytes() };
    world.commands.import_workflow(&world.context(), import).await.unwrap();
    let finished = again(&world, id, RetryFrom::FailedNode, RetryVersion::Newest).await;
    assert_eq!((finished.state.status, finished.order()), (ExecutionStatus::Completed, vec!["Flaky", "Trace"]));
    assert_eq!(finished.gave("Flaky"), json!([[{"n": 7, "by": "Flaky"}]]));
    assert_eq!(finished.gave("Trace"), json!([[{"found": {"n": 7}}]]), "items are traced into the first execution");
    engine.stop().await;
}

#[tokio::test]
async fn a_retry_of_a_retry_and_one_in_many_streams_find_what_was_given_long_before() {
    let world = World::in_links_of(6);
    let engine = world.engine();
    engine.start().await.unwrap();
    let marks: Vec<Value> = (0..9).map(|place| at(&format!("M{place}"), "mark", 0, 0)).collect();
    let give = node("Give", "give", json!({"give": [[{"n": 7}]]}), json!({}));
    let later: Vec<Value> = (0..9).map(|place| at(&format!("L{place}"), "mark", 0, 0)).collect();
    let trace = node("Trace", "trace", json!({"of": "Give"}), json!({}));
    let with =
        |flaky: Value| [vec![give.clone()], marks.clone(), vec![flaky], later.clone(), vec![trace.clone()]].concat();
    let (workflow, id) = failed(&world, &with(flaky(u64::MAX))).await;
    let second = again(&world, id, RetryFrom::FailedNode, RetryVersion::Same).await;
    assert_eq!(second.state.status, ExecutionStatus::Failed);
    let mended = chain(&with(node("Flaky", "mark", json!({}), json!({}))));
    let import = ImportWorkflow { workflow_id: Some(workflow), source: mended.to_string().into_bytes() };
    world.commands.import_workflow(&world.context(), import).await.unwrap();
    let third = again(&world, second.id, RetryFrom::FailedNode, RetryVersion::Newest).await;
    assert_eq!(third.state.status, ExecutionStatus::Completed, "{:?}", third.state.error);
    assert!(world.links(third.id).await.len() > 1, "the retry itself is a chain");
    assert_eq!(third.gave("Trace"), json!([[{"found": {"n": 7}}]]));
    engine.stop().await;
}

#[tokio::test]
async fn a_retry_from_the_start_runs_everything_with_the_same_items() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let call = node("Call", "effect", json!({}), json!({}));
    let (_, id) = failed(&world, &[call, flaky(u64::MAX)]).await;
    let finished = again(&world, id, RetryFrom::Start, RetryVersion::Same).await;
    assert_eq!((finished.order(), calls(&world)), (vec!["Start", "Call", "Flaky"], 2));
    engine.stop().await;
}

#[tokio::test]
async fn what_did_not_fail_is_not_retried_and_a_node_that_is_gone_is_named() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let done = world.import(&chain(&[at("A", "mark", 0, 0)])).await;
    let done = world.start(done, ExecutionMode::Manual).await;
    world.ended(done).await;
    let retry =
        |execution_id, version| RetryExecution { new_id: None, execution_id, from: RetryFrom::FailedNode, version };
    let refused = world.commands.retry_execution(&world.context(), retry(done, RetryVersion::Same)).await.unwrap_err();
    assert!(refused.to_string().contains("only one that failed"), "{refused}");
    let (workflow, id) = failed(&world, &[flaky(u64::MAX)]).await;
    let import = ImportWorkflow {
        workflow_id: Some(workflow),
        source: chain(&[at("A", "mark", 0, 0)]).to_string().into_bytes(),
    };
    world.commands.import_workflow(&world.context(), import).await.unwrap();
    let refused = world.commands.retry_execution(&world.context(), retry(id, RetryVersion::Newest)).await.unwrap_err();
    assert!(refused.to_string().contains("no node 'Flaky'"), "{refused}");
    engine.stop().await;
}

#[tokio::test]
async fn a_repeated_retry_gets_its_first_answer_although_the_workflow_changed_since() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let (workflow, id) = failed(&world, &[flaky(u64::MAX)]).await;
    let context = world.context();
    let retry =
        RetryExecution { new_id: None, execution_id: id, from: RetryFrom::FailedNode, version: RetryVersion::Newest };
    let first = world.commands.retry_execution(&context, retry.clone()).await.unwrap();
    world.ended(first.value).await;
    let source = chain(&[at("A", "mark", 0, 0)]).to_string().into_bytes();
    let import = ImportWorkflow { workflow_id: Some(workflow), source };
    world.commands.import_workflow(&world.context(), import).await.unwrap();
    let second = world.commands.retry_execution(&context, retry).await.unwrap();
    assert_eq!((second.value, second.repeated), (first.value, true));
    assert_eq!(crate::bench::fold(&world.events(id).await).retried_as, vec![first.value], "it is noted once");
    engine.stop().await;
}
