//! Many writers at once, and a log that fails.

use std::sync::atomic::Ordering;
use std::time::Duration;

use timeloom_commands::{AddModelVersion, CommandError, ImportWorkflow, Keeping};
use timeloom_domain::ids::{Slug, WorkflowId};
use timeloom_domain::model::Model;
use timeloom_store::{AppendError, Expected, LogError, Revision, StreamKey};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::bench::{TENANT, World, by_hand, source};

fn name() -> Slug {
    Slug::try_new("acme/tagger").unwrap()
}

fn version(number: usize) -> AddModelVersion {
    AddModelVersion { format: "onnx".to_owned(), digest: format!("{number:064}"), file: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_once_lose_nothing() {
    let world = World::new();
    world.commands.register_model(&world.context(), name(), String::new()).await.unwrap();
    let mut writers = JoinSet::new();
    for writer in 0..8_usize {
        let world = world.clone();
        writers.spawn(async move {
            for step in 0..20 {
                let (context, add) = (world.context(), version(writer * 100 + step));
                // A conflict that outlasts the retries is told, and the same command may be sent again.
                while let Err(error) = world.commands.add_model_version(&context, name(), add.clone()).await {
                    assert!(matches!(error, CommandError::Conflict { .. }), "{error}");
                }
            }
        });
    }
    while let Some(joined) = writers.join_next().await {
        joined.unwrap();
    }
    let stream = StreamKey::new(TENANT, "model", name().to_string());
    let model = world.commands.load::<Model>(&stream).await.unwrap();
    assert_eq!(model.revision, Revision(161), "every command is there once");
    let numbers: Vec<u32> = model.aggregate.versions.iter().map(|version| version.version).collect();
    assert_eq!(numbers, (1..=160).collect::<Vec<u32>>());
    let digests: std::collections::BTreeSet<&str> =
        model.aggregate.versions.iter().map(|version| version.digest.as_str()).collect();
    assert_eq!(digests.len(), 160);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn imports_of_one_new_workflow_at_once_all_arrive() {
    let world = World::new();
    let id = WorkflowId(Uuid::from_u128(99));
    let mut writers = JoinSet::new();
    for number in 0..6 {
        let world = world.clone();
        writers.spawn(async move {
            let import = ImportWorkflow { workflow_id: Some(id), source: source(&format!("file {number}")) };
            world.commands.import_workflow(&world.context(), import).await.map(|_| ())
        });
    }
    while let Some(joined) = writers.join_next().await {
        joined.unwrap().unwrap();
    }
    let story = world.story("workflow", id).await;
    assert_eq!((story[0].as_str(), story.len()), ("WorkflowCreated", 6));
}

#[tokio::test]
async fn a_workflow_is_read_again_only_when_one_has_changed() {
    let world = World::new();
    let reads = || world.log.reads.load(Ordering::SeqCst);
    let id = world.import("first").await;
    world.start(id).await;
    let before = reads();
    world.start(id).await;
    world.start(id).await;
    assert_eq!(reads(), before, "executions change no workflow");

    let elsewhere = world.restarted(Keeping::default());
    elsewhere.import("another").await;
    let before = reads();
    world.start(id).await;
    world.start(id).await;
    assert_eq!(reads(), before + 1, "looked at once: it was another one");

    let import = ImportWorkflow { workflow_id: Some(id), source: source("renamed") };
    elsewhere.commands.import_workflow(&elsewhere.context(), import).await.unwrap();
    let state = world.commands.current_workflow(&world.context(), id).await.unwrap();
    let name = state.aggregate.draft.as_ref().map(|draft| draft.name.clone());
    assert_eq!((state.revision, name.as_deref()), (Revision(2), Some("renamed")));
}

fn conflict() -> AppendError {
    let stream = StreamKey::new(TENANT, "workflow", "any");
    AppendError::WrongRevision { stream, expected: Expected::NoStream, actual: Revision(1) }
}

#[tokio::test]
async fn a_conflict_is_decided_again_a_few_times() {
    let world = World::new();
    let id = world.import("first").await;
    world.log.refusals.lock().unwrap().extend([conflict(), conflict(), conflict()]);
    let published = world.commands.publish_workflow(&world.context(), id).await.unwrap();
    assert_eq!((published.revision, published.repeated), (Revision(2), false));
    world.log.refusals.lock().unwrap().extend(std::iter::repeat_with(conflict).take(100));
    let answer = world.commands.archive_workflow(&world.context(), id).await;
    assert!(matches!(&answer, Err(CommandError::Conflict { message }) if message.ends_with("try again")), "{answer:?}");
    let left = world.log.refusals.lock().unwrap().len();
    assert!((80..100).contains(&left), "there is an end to it: {left}");
}

#[tokio::test]
async fn each_failure_of_the_log_surfaces_as_what_it_is() {
    let world = World::new();
    let id = world.import("first").await;
    let disk = || LogError::storage(std::io::Error::other("disk full"));
    let retry_after = Duration::from_millis(20);
    let failures = [AppendError::Unavailable { retry_after }, AppendError::Log(disk()), AppendError::DuplicateId];
    world.log.refusals.lock().unwrap().extend(failures);
    let publish = async || world.commands.publish_workflow(&world.context(), id).await.unwrap_err();
    assert!(matches!(publish().await, CommandError::Busy { retry_after: after } if after == retry_after));
    let fault = publish().await;
    assert!(matches!(fault, CommandError::Fault(_)) && fault.to_string().contains("disk full"), "{fault}");
    assert!(matches!(publish().await, CommandError::Refused(refusal) if refusal.code == "DUPLICATE_COMMAND_ID"));
    assert_eq!(world.story("workflow", id).await, ["WorkflowCreated"], "nothing was appended");

    // Whoever knows nothing of the workflow has to read it.
    let later = world.restarted(Keeping::default());
    *world.log.read_fault.lock().unwrap() = Some(disk());
    let publish = later.commands.publish_workflow(&world.context(), id).await;
    assert!(matches!(publish, Err(CommandError::Fault(_))), "{publish:?}");
    let start = later.commands.start_execution(&world.context(), by_hand(id)).await;
    assert!(matches!(start, Err(CommandError::Fault(_))), "{start:?}");
    *world.log.read_fault.lock().unwrap() = None;
    assert_eq!(world.commands.publish_workflow(&world.context(), id).await.unwrap().revision, Revision(2));
}
