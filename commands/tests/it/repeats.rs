//! A command sent again gets its first answer, whatever happened since.

use timeloom_commands::{CancelExecution, CommandContext, CommandError, ImportWorkflow, Keeping, Outcome};
use timeloom_domain::definition::Settings;
use timeloom_domain::ids::{Slug, WorkflowId};
use timeloom_store::Revision;
use uuid::Uuid;

use crate::bench::{World, by_hand, code, source};

/// Two answers to the same command.
#[track_caller]
fn same<T: PartialEq + std::fmt::Debug>(
    first: Result<Outcome<T>, CommandError>,
    second: Result<Outcome<T>, CommandError>,
) {
    let (first, second) = (first.unwrap(), second.unwrap());
    assert!(!first.repeated && second.repeated);
    assert_eq!((first.value, first.position, first.revision), (second.value, second.position, second.revision));
}

#[tokio::test]
async fn an_import_without_an_id() {
    let (world, import) = (World::new(), || ImportWorkflow { workflow_id: None, source: source("first") });
    let context = world.context();
    let first = world.commands.import_workflow(&context, import()).await;
    let id = first.as_ref().unwrap().value;
    world.commands.archive_workflow(&world.context(), id).await.unwrap();
    same(first, world.commands.import_workflow(&context, import()).await);
    assert_eq!(world.story("workflow", id).await, ["WorkflowCreated", "WorkflowArchived"]);
}

#[tokio::test]
async fn imports_with_an_id() {
    let (world, id) = (World::new(), WorkflowId(Uuid::from_u128(99)));
    let import = |name: &str| ImportWorkflow { workflow_id: Some(id), source: source(name) };
    let (create, update) = (world.context(), world.context());
    let created = world.commands.import_workflow(&create, import("first")).await;
    let updated = world.commands.import_workflow(&update, import("second")).await;
    world.commands.import_workflow(&world.context(), import("third")).await.unwrap();
    world.commands.archive_workflow(&world.context(), id).await.unwrap();
    same(created, world.commands.import_workflow(&create, import("first")).await);
    same(updated, world.commands.import_workflow(&update, import("second")).await);
    assert_eq!(world.story("workflow", id).await.len(), 4);
}

#[tokio::test]
async fn changes_of_a_workflow() {
    let world = World::new();
    let (commands, id) = (&world.commands, world.import("first").await);
    let (publish, settings) = (world.context(), world.context());
    let changed = || Settings { execution_order: Some("v1".to_owned()), ..Settings::default() };
    let published = commands.publish_workflow(&publish, id).await;
    let set = commands.change_workflow_settings(&settings, id, changed()).await;
    commands.publish_workflow(&world.context(), id).await.unwrap();
    commands.archive_workflow(&world.context(), id).await.unwrap();
    same(published, commands.publish_workflow(&publish, id).await);
    same(set, commands.change_workflow_settings(&settings, id, changed()).await);
    assert_eq!(world.story("workflow", id).await.len(), 5);
}

#[tokio::test]
async fn the_start_of_an_execution_whose_workflow_was_put_away() {
    let world = World::new();
    let (workflow, context) = (world.import("first").await, world.context());
    let first = world.commands.start_execution(&context, by_hand(workflow)).await;
    let id = first.as_ref().unwrap().value;
    let second = world.commands.start_execution(&context, by_hand(workflow)).await;
    assert!(second.unwrap().repeated);
    world.commands.archive_workflow(&world.context(), workflow).await.unwrap();
    same(first, world.commands.start_execution(&context, by_hand(workflow)).await);
    assert_eq!(world.story("execution", id).await, ["ExecutionStarted"]);
    assert_eq!(code(world.commands.start_execution(&world.context(), by_hand(workflow)).await), "WORKFLOW_ARCHIVED");
}

#[tokio::test]
async fn a_cancellation() {
    let world = World::new();
    let id = world.start(world.import("first").await).await;
    let (context, cancel) = (world.context(), || CancelExecution { execution_id: id, reason: "enough".to_owned() });
    let first = world.commands.cancel_execution(&context, cancel()).await;
    same(first, world.commands.cancel_execution(&context, cancel()).await);
}

#[tokio::test]
async fn a_name_taken_before_it_was_retired() {
    let (world, name) = (World::new(), Slug::try_new("acme/mailer").unwrap());
    let context = world.context();
    let first = world.commands.register_plugin(&context, name.clone(), String::new()).await;
    world.commands.retire_plugin(&world.context(), name.clone()).await.unwrap();
    same(first, world.commands.register_plugin(&context, name.clone(), String::new()).await);
}

#[tokio::test]
async fn an_id_used_for_another_command_is_refused() {
    let world = World::new();
    let (id, context) = (world.import("first").await, world.context());
    world.commands.publish_workflow(&context, id).await.unwrap();
    assert_eq!(code(world.commands.archive_workflow(&context, id).await), "DUPLICATE_COMMAND_ID");
    assert_eq!(world.story("workflow", id).await, ["WorkflowCreated", "WorkflowVersionPublished"]);
}

#[tokio::test]
async fn a_command_that_expects_a_revision() {
    let world = World::new();
    let id = world.import("first").await;
    let at = |revision: u64| CommandContext { expected_revision: Some(Revision(revision)), ..world.context() };
    let unexpected = |error: CommandError, expected: u64, actual: u64| {
        let same =
            matches!(error, CommandError::Unexpected { expected: e, actual: a } if (e.0, a.0) == (expected, actual));
        assert!(same, "{error}");
    };
    unexpected(world.commands.publish_workflow(&at(2), id).await.unwrap_err(), 2, 1);
    let publish = at(1);
    let first = world.commands.publish_workflow(&publish, id).await;
    world.commands.archive_workflow(&at(2), id).await.unwrap();
    // It has two events more by now, one of them its own; a process that remembers nothing says the same.
    let published = world.commands.publish_workflow(&publish, id).await;
    same(first, published);
    let later = world.restarted(Keeping::default());
    assert!(later.commands.publish_workflow(&publish, id).await.unwrap().repeated);
    unexpected(later.commands.archive_workflow(&at(1), id).await.unwrap_err(), 1, 3);
    assert_eq!(world.story("workflow", id).await.len(), 3);
}

#[tokio::test]
async fn many_commands_that_expect_the_same_revision() {
    let world = World::new();
    let id = world.import("first").await;
    let contexts: Vec<CommandContext> =
        (0..10).map(|_| CommandContext { expected_revision: Some(Revision(1)), ..world.context() }).collect();
    let sent = contexts.iter().map(|context| world.commands.archive_workflow(context, id));
    let answers = futures::future::join_all(sent).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(world.story("workflow", id).await, ["WorkflowCreated", "WorkflowArchived"]);
}
