//! Drafts that are not whole are kept, told what they lack, and neither published nor run where it matters.

use serde_json::{Value, json};
use timeloom_commands::{CommandError, ImportWorkflow, Refusal, StartExecution};
use timeloom_domain::definition::Step;
use timeloom_domain::ids::WorkflowId;

use crate::bench::{World, code, file};

async fn import(world: &World, id: Option<WorkflowId>, draft: &Value) -> WorkflowId {
    let import = ImportWorkflow { workflow_id: id, source: draft.to_string().into_bytes() };
    world.commands.import_workflow(&world.context(), import).await.unwrap().value
}

/// What is told of the draft that is kept now: node, field, and whether it keeps it from being published.
async fn told(world: &World, id: WorkflowId) -> Vec<(Option<String>, String, bool)> {
    let context = world.context();
    let draft = world.commands.current_workflow(&context, id).await.unwrap().aggregate.draft.clone().unwrap();
    let problems = world.commands.draft_problems(&context, Some(id), &draft).await.unwrap();
    let told = problems.into_iter().map(|found| {
        let hinders = found.hinders(Step::Publish);
        (found.problem.node, found.problem.field, hinders)
    });
    told.collect()
}

/// A file whose second node needs an address and has none.
fn bare() -> Value {
    let mut bare = file("bare");
    bare["nodes"][1]["type"] = json!("test.fetch");
    bare
}

#[track_caller]
fn refusal<T: std::fmt::Debug>(answer: Result<T, CommandError>) -> Refusal {
    match answer {
        Err(CommandError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_draft_that_lacks_a_parameter_is_kept_and_neither_published_nor_run_until_it_has_it() {
    let world = World::new();
    let mut draft = bare();
    let id = import(&world, None, &draft).await;
    let place = (Some("Set".to_owned()), "parameters.url".to_owned(), true);
    assert_eq!(told(&world, id).await, [place]);
    let published = refusal(world.commands.publish_workflow(&world.context(), id).await);
    assert_eq!((published.code, published.problems.len()), ("WORKFLOW_INCOMPLETE", 1));
    assert!(published.message.contains("node 'Set', parameters.url: the parameter is missing"), "{published}");
    let started = refusal(world.commands.start_execution(&world.context(), StartExecution::by_hand(id)).await);
    assert_eq!((started.code, started.problems.clone()), ("WORKFLOW_INCOMPLETE", published.problems));
    draft["nodes"][1]["parameters"] = json!({"url": "http://a"});
    import(&world, Some(id), &draft).await;
    assert_eq!(told(&world, id).await, []);
    world.commands.start_execution(&world.context(), StartExecution::by_hand(id)).await.unwrap();
    world.commands.publish_workflow(&world.context(), id).await.unwrap();
}

#[tokio::test]
async fn a_run_from_a_node_that_leads_to_nothing_incomplete_begins() {
    let world = World::new();
    let mut draft = bare();
    draft["connections"] = json!({});
    let id = import(&world, None, &draft).await;
    let from = |node: &str| StartExecution { start_node: Some(node.to_owned()), ..StartExecution::by_hand(id) };
    world.commands.start_execution(&world.context(), from("Start")).await.unwrap();
    let started = world.commands.start_execution(&world.context(), from("Set")).await;
    assert_eq!(code(started), "WORKFLOW_INCOMPLETE");
    assert_eq!(code(world.commands.publish_workflow(&world.context(), id).await), "WORKFLOW_INCOMPLETE");
}

#[tokio::test]
async fn a_version_goes_on_running_whatever_becomes_of_the_draft() {
    let world = World::new();
    let id = import(&world, None, &file("whole")).await;
    world.commands.publish_workflow(&world.context(), id).await.unwrap();
    import(&world, Some(id), &bare()).await;
    let version = StartExecution { version: Some(1), ..StartExecution::by_hand(id) };
    world.commands.start_execution(&world.context(), version).await.unwrap();
    world.commands.activate_workflow(&world.context(), id, None).await.unwrap();
}

#[tokio::test]
async fn an_incomplete_draft_does_not_listen_for_its_call() {
    let world = World::new();
    let mut draft = bare();
    draft["nodes"][0]["type"] = json!("n8n-nodes-base.webhook");
    draft["nodes"][0]["parameters"] = json!({"path": "in"});
    let id = import(&world, None, &draft).await;
    assert_eq!(code(world.commands.listen_for_test(&world.context(), id, 5_000).await), "WORKFLOW_INCOMPLETE");
}

#[tokio::test]
async fn an_address_that_another_workflow_has_is_told_before_it_is_refused() {
    let world = World::new();
    let mut hook = file("hook");
    hook["nodes"][0]["type"] = json!("n8n-nodes-base.webhook");
    hook["nodes"][0]["parameters"] = json!({"path": "orders"});
    let first = import(&world, None, &hook).await;
    world.commands.publish_workflow(&world.context(), first).await.unwrap();
    world.commands.activate_workflow(&world.context(), first, None).await.unwrap();
    assert_eq!(told(&world, first).await, [], "its own address is no problem");
    let second = import(&world, None, &hook).await;
    assert_eq!(told(&world, second).await, [(Some("Start".to_owned()), "parameters.path".to_owned(), false)]);
    world.commands.publish_workflow(&world.context(), second).await.unwrap();
    let active = refusal(world.commands.activate_workflow(&world.context(), second, None).await);
    assert!(active.message.contains("'hook'"), "{active}");
}

#[tokio::test]
async fn a_file_is_checked_without_being_taken_in() {
    let world = World::new();
    let checked = world.commands.check_file(&world.context(), None, bare().to_string().as_bytes()).await.unwrap();
    assert_eq!((checked.definition.nodes.len(), checked.problems.len()), (2, 1));
    let unreadable = refusal(world.commands.check_file(&world.context(), None, b"{").await);
    assert_eq!(unreadable.code, "WORKFLOW_UNREADABLE");
    assert_eq!(world.commands.directory().caught_up().await.unwrap().workflows().count(), 0);
}

#[tokio::test]
async fn a_workflow_that_was_put_away_is_taken_out_again() {
    let world = World::new();
    let id = world.import("first").await;
    world.commands.archive_workflow(&world.context(), id).await.unwrap();
    assert_eq!(code(world.commands.publish_workflow(&world.context(), id).await), "WORKFLOW_ARCHIVED");
    world.commands.unarchive_workflow(&world.context(), id).await.unwrap();
    world.commands.publish_workflow(&world.context(), id).await.unwrap();
    let story = ["WorkflowCreated", "WorkflowArchived", "WorkflowUnarchived", "WorkflowVersionPublished"];
    assert_eq!(world.story("workflow", id).await, story);
    assert!(world.commands.unarchive_workflow(&world.context(), id).await.unwrap().repeated);
}
