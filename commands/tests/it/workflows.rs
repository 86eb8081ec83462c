//! Commands on workflows: what they do and what they refuse.

use serde_json::json;
use timeloom_commands::{CommandError, ImportWorkflow, StartExecution};
use timeloom_domain::definition::{DEFINITION_BYTES_MAX, Settings};
use timeloom_domain::ids::WorkflowId;
use timeloom_domain::item::Item;
use timeloom_domain::workflow::Workflow;
use timeloom_store::{Revision, StreamKey};
use uuid::Uuid;

use crate::bench::{TENANT, World, code, file, source};

#[tokio::test]
async fn a_workflow_goes_through_its_life() {
    let world = World::new();
    let commands = &world.commands;
    let id = world.import("first").await;
    let update = ImportWorkflow { workflow_id: Some(id), source: source("second") };
    commands.import_workflow(&world.context(), update).await.unwrap();
    commands.publish_workflow(&world.context(), id).await.unwrap();
    let settings = Settings { execution_order: Some("v1".to_owned()), ..Settings::default() };
    commands.change_workflow_settings(&world.context(), id, settings.clone()).await.unwrap();
    let pin = Some(vec![Item::default()]);
    commands.change_workflow_pins(&world.context(), id, "Set".to_owned(), pin).await.unwrap();
    commands.change_workflow_pins(&world.context(), id, "Set".to_owned(), None).await.unwrap();
    let archived = commands.archive_workflow(&world.context(), id).await.unwrap();
    assert_eq!((archived.value, archived.revision, archived.repeated), (id, Revision(7), false));
    let story = [
        "WorkflowCreated",
        "WorkflowUpdated",
        "WorkflowVersionPublished",
        "WorkflowSettingsChanged",
        "WorkflowPinsChanged",
        "WorkflowPinsChanged",
        "WorkflowArchived",
    ];
    assert_eq!(world.story("workflow", id).await, story);
    let state = commands.load::<Workflow>(&StreamKey::new(TENANT, "workflow", id.to_string())).await.unwrap();
    assert_eq!(state.revision, Revision(7));
    let draft = state.aggregate.draft.clone().unwrap();
    assert_eq!((draft.name.as_str(), &draft.settings, state.aggregate.versions.len()), ("second", &settings, 1));
}

#[tokio::test]
async fn a_file_takes_the_id_that_its_sender_chose() {
    let world = World::new();
    let id = WorkflowId(Uuid::from_u128(99));
    let import = |name: &str| ImportWorkflow { workflow_id: Some(id), source: source(name) };
    assert_eq!(world.commands.import_workflow(&world.context(), import("first")).await.unwrap().value, id);
    let again = world.commands.import_workflow(&world.context(), import("first")).await.unwrap();
    assert_eq!((again.revision, again.repeated), (Revision(1), true), "the same content changes nothing");
    assert_eq!(world.story("workflow", id).await, ["WorkflowCreated"]);
}

#[tokio::test]
async fn a_file_that_is_none_is_refused() {
    let world = World::new();
    let import = async |source: Vec<u8>| {
        world.commands.import_workflow(&world.context(), ImportWorkflow { workflow_id: None, source }).await
    };
    assert_eq!(code(import(b"{".to_vec()).await), "WORKFLOW_UNREADABLE");
    assert_eq!(code(import(vec![b' '; DEFINITION_BYTES_MAX + 1]).await), "WORKFLOW_UNREADABLE");
    let mut odd = file("odd");
    odd["nodes"][1]["name"] = json!("");
    odd["settings"] = json!({"timezone": "not a zone"});
    let Err(CommandError::Refused(refusal)) = import(odd.to_string().into_bytes()).await else { panic!("not refused") };
    assert_eq!(refusal.code, "WORKFLOW_INVALID");
    assert!(refusal.problems.len() >= 2, "every problem is named: {:?}", refusal.problems);
}

#[tokio::test]
async fn a_workflow_with_unknown_nodes_is_taken_in_and_neither_published_nor_run() {
    let world = World::new();
    let mut odd = file("odd");
    odd["nodes"][1]["type"] = json!("test.odd");
    let import = ImportWorkflow { workflow_id: None, source: odd.to_string().into_bytes() };
    let id = world.commands.import_workflow(&world.context(), import).await.unwrap().value;
    let published = world.commands.publish_workflow(&world.context(), id).await;
    let Err(CommandError::Refused(refusal)) = published else { panic!("not refused: {published:?}") };
    assert_eq!((refusal.code, refusal.problems.len()), ("WORKFLOW_INCOMPLETE", 1));
    assert!(refusal.problems[0].message.contains("test.odd"), "{:?}", refusal.problems);
    let started = world.commands.start_execution(&world.context(), StartExecution::by_hand(id)).await;
    assert_eq!(code(started), "WORKFLOW_INCOMPLETE");
    odd["nodes"][1]["disabled"] = json!(true);
    let import = ImportWorkflow { workflow_id: Some(id), source: odd.to_string().into_bytes() };
    world.commands.import_workflow(&world.context(), import).await.unwrap();
    world.commands.publish_workflow(&world.context(), id).await.unwrap();
}

#[tokio::test]
async fn what_is_not_there_or_put_away_takes_no_changes() {
    let world = World::new();
    let (nobody, archived) = (WorkflowId(Uuid::from_u128(99)), world.import("first").await);
    world.commands.archive_workflow(&world.context(), archived).await.unwrap();
    for (id, word) in [(nobody, "WORKFLOW_NOT_FOUND"), (archived, "WORKFLOW_ARCHIVED")] {
        let commands = &world.commands;
        assert_eq!(code(commands.publish_workflow(&world.context(), id).await), word);
        assert_eq!(code(commands.change_workflow_settings(&world.context(), id, Settings::default()).await), word);
        assert_eq!(code(commands.change_workflow_pins(&world.context(), id, "Set".to_owned(), None).await), word);
    }
    assert_eq!(code(world.commands.archive_workflow(&world.context(), nobody).await), "WORKFLOW_NOT_FOUND");
    assert!(world.commands.archive_workflow(&world.context(), archived).await.unwrap().repeated);
    let import = ImportWorkflow { workflow_id: Some(archived), source: source("second") };
    assert_eq!(code(world.commands.import_workflow(&world.context(), import).await), "WORKFLOW_ARCHIVED");
}

#[tokio::test]
async fn a_pin_needs_its_node() {
    let world = World::new();
    let id = world.import("first").await;
    let pin = world.commands.change_workflow_pins(&world.context(), id, "Nobody".to_owned(), Some(Vec::new())).await;
    assert_eq!(code(pin), "NODE_NOT_FOUND");
}

#[tokio::test]
async fn one_tenant_does_not_reach_the_workflow_of_another() {
    let world = World::new();
    let id = world.import("first").await;
    let mut stranger = world.context();
    stranger.tenant = timeloom_domain::ids::TenantId(2);
    assert_eq!(code(world.commands.publish_workflow(&stranger, id).await), "WORKFLOW_NOT_FOUND");
}

#[tokio::test]
async fn settings_outside_their_bounds_are_refused_one_by_one() {
    let world = World::new();
    let id = world.import("first").await;
    let settings = Settings { concurrency: Some(0), priority: Some(1_001), ..Settings::default() };
    let changed = world.commands.change_workflow_settings(&world.context(), id, settings).await;
    let Err(CommandError::Refused(refusal)) = changed else { panic!("not refused") };
    let fields: Vec<&str> = refusal.problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!((refusal.code, fields), ("INVALID_SETTINGS", vec!["settings.concurrency", "settings.priority"]));
}
