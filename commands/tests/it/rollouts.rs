//! Roll-outs: what may share calls with the active version, and which of both runs.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use timeloom_commands::{
    ImportWorkflow, RetryExecution, RetryFrom, RetryVersion, StartExecution, StartWorkflowRollout,
};
use timeloom_domain::execution::{ExecutionEvent, ExecutionMode, TriggerFacts};
use timeloom_domain::ids::{CommandId, ExecutionId, WorkflowId};
use timeloom_domain::workflow::{RolloutFigures, Workflow};
use timeloom_store::{Direction, EventLog as _, Revision, StreamKey, codec};
use uuid::Uuid;

use crate::bench::{TENANT, World, code};

/// A webhook at a path, and a node after it.
fn webhook(path: &str, second: &str) -> Vec<u8> {
    json!({
        "name": "Orders",
        "nodes": [
            { "name": "Hook", "type": "n8n-nodes-base.webhook", "typeVersion": 1, "position": [0, 0],
              "parameters": { "path": path } },
            { "name": second, "type": "test.set", "typeVersion": 1, "position": [1, 0], "parameters": {} },
        ],
        "connections": { "Hook": { "main": [[{ "node": second, "type": "main", "index": 0 }]] } },
    })
    .to_string()
    .into_bytes()
}

fn half() -> StartWorkflowRollout {
    StartWorkflowRollout { version: None, percent: 50, guard: None }
}

fn call(workflow: WorkflowId, version: Option<u32>, id: ExecutionId) -> StartExecution {
    let trigger = TriggerFacts::Webhook { method: "GET".to_owned(), path: "in".to_owned(), is_test: false };
    let start_node = Some("Hook".to_owned());
    StartExecution { version, start_node, execution_id: Some(id), ..StartExecution::by_trigger(workflow, trigger) }
}

fn key(number: u128) -> ExecutionId {
    ExecutionId(Uuid::new_v5(&Uuid::from_u128(number), b"call"))
}

impl World {
    /// A workflow whose first version is active, with a second one beside it.
    async fn two_versions(&self, second: Vec<u8>) -> WorkflowId {
        let import = ImportWorkflow { workflow_id: None, source: webhook("in", "First") };
        let id = self.commands.import_workflow(&self.context(), import).await.unwrap().value;
        self.commands.publish_workflow(&self.context(), id).await.unwrap();
        self.commands.activate_workflow(&self.context(), id, None).await.unwrap();
        let import = ImportWorkflow { workflow_id: Some(id), source: second };
        self.commands.import_workflow(&self.context(), import).await.unwrap();
        self.commands.publish_beside(&self.context(), id).await.unwrap();
        id
    }

    /// The workflow as it is now.
    async fn workflow(&self, id: WorkflowId) -> Workflow {
        self.commands.current_workflow(&self.context(), id).await.unwrap().aggregate.clone()
    }

    /// The version that an execution runs, by its first event.
    async fn version_of(&self, id: ExecutionId) -> Option<u32> {
        let stream = StreamKey::new(TENANT, "execution", id.to_string());
        let first = self.log.read_stream(&stream, Revision::default(), Direction::Forward, 1).await.unwrap();
        match codec::decode::<ExecutionEvent>(&first[0]).unwrap() {
            ExecutionEvent::ExecutionStarted(start) => start.workflow_version,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_version_beside_the_active_one_takes_its_part_of_the_calls_and_the_same_call_runs_the_same() {
    let world = World::new();
    let id = world.two_versions(webhook("in", "Second")).await;
    assert_eq!(world.workflow(id).await.active_version, Some(1));
    world.commands.start_rollout(&world.context(), id, half()).await.unwrap();
    let workflow = world.workflow(id).await;
    let mut ran = BTreeSet::new();
    for number in 0..40_u128 {
        // Calls find the active version; a person may name none.
        let version = number.is_multiple_of(2).then_some(1);
        let execution = key(number);
        world.commands.start_execution(&world.context(), call(id, version, execution)).await.unwrap();
        let version = world.version_of(execution).await;
        assert_eq!(version, workflow.production_version(execution));
        ran.insert(version);
    }
    assert_eq!(ran, BTreeSet::from([Some(1), Some(2)]));
    let stale = call(id, Some(2), key(100));
    assert_eq!(code(world.commands.start_execution(&world.context(), stale).await), "WORKFLOW_NOT_ACTIVE");
}

#[tokio::test]
async fn a_call_that_comes_again_after_the_rollout_keeps_its_version() {
    let world = World::new();
    let id = world.two_versions(webhook("in", "Second")).await;
    world.commands.start_rollout(&world.context(), id, half()).await.unwrap();
    let workflow = world.workflow(id).await;
    let tried = (0..).map(key).find(|key| workflow.production_version(*key) == Some(2)).unwrap();
    let mut context = world.context();
    context.command_id = CommandId(tried.0);
    world.commands.start_execution(&context, call(id, Some(1), tried)).await.unwrap();
    world.commands.roll_back_rollout(&world.context(), id).await.unwrap();
    let again = world.commands.start_execution(&context, call(id, Some(1), tried)).await.unwrap();
    assert!(again.repeated);
    assert_eq!(world.version_of(tried).await, Some(2));
    world.commands.start_execution(&world.context(), call(id, Some(1), key(500))).await.unwrap();
    assert_eq!(world.version_of(key(500)).await, Some(1));
}

#[tokio::test]
async fn a_retry_of_what_is_newest_stays_on_its_side() {
    let world = World::new();
    let id = world.two_versions(webhook("in", "Second")).await;
    world.commands.start_rollout(&world.context(), id, half()).await.unwrap();
    let production = |version| StartExecution {
        version: Some(version),
        mode: ExecutionMode::Production,
        ..StartExecution::by_hand(id)
    };
    for version in [1, 2] {
        for _ in 0..8 {
            let ran = world.commands.start_execution(&world.context(), production(version)).await.unwrap().value;
            assert_eq!(world.version_of(ran).await, Some(version), "who names a version gets it");
            let cancel = timeloom_commands::CancelExecution { execution_id: ran, reason: "a test".to_owned() };
            world.commands.cancel_execution(&world.context(), cancel).await.unwrap();
            let retry = RetryExecution {
                new_id: None,
                execution_id: ran,
                from: RetryFrom::Start,
                version: RetryVersion::Newest,
            };
            let again = world.commands.retry_execution(&world.context(), retry).await.unwrap().value;
            assert_eq!(world.version_of(again).await, Some(version));
        }
    }
}

#[tokio::test]
async fn a_version_with_other_triggers_is_not_rolled_out() {
    let world = World::new();
    let id = world.two_versions(webhook("elsewhere", "Second")).await;
    let refused = world.commands.start_rollout(&world.context(), id, half()).await;
    assert_eq!(code(refused), "ROLLOUT_TRIGGERS_DIFFER");
    let draft_only: Value = serde_json::from_slice(&webhook("in", "First")).unwrap();
    let import = ImportWorkflow { workflow_id: None, source: draft_only.to_string().into_bytes() };
    let other = world.commands.import_workflow(&world.context(), import).await.unwrap().value;
    assert_eq!(code(world.commands.start_rollout(&world.context(), other, half()).await), "WORKFLOW_NOT_PUBLISHED");
    assert_eq!(code(world.commands.roll_back_rollout(&world.context(), id).await), "ROLLOUT_NOT_FOUND");
}

#[tokio::test]
async fn the_directory_knows_what_is_rolled_out_and_a_guard_acts_once() {
    let world = World::new();
    let id = world.two_versions(webhook("in", "Second")).await;
    let begun = world.commands.start_rollout(&world.context(), id, half()).await.unwrap();
    world.commands.change_rollout(&world.context(), id, 75).await.unwrap();
    let listing = world.commands.directory().caught_up().await.unwrap();
    let entry = listing.workflow(TENANT, id).unwrap().rollout.clone().unwrap();
    assert_eq!((entry.rollout.version, entry.rollout.percent, entry.since), (2, 75, begun.position));

    let figures = RolloutFigures::default();
    world.commands.roll_back_by_guard(&world.context(), id, entry.rollout.number, figures).await.unwrap();
    world.commands.roll_back_by_guard(&world.context(), id, entry.rollout.number, figures).await.unwrap();
    let story = world.story("workflow", id).await;
    let count = story.iter().filter(|event| *event == "WorkflowRolloutRolledBack").count();
    assert_eq!(count, 1, "{story:?}");
    let listing = world.commands.directory().caught_up().await.unwrap();
    assert_eq!(listing.workflow(TENANT, id).unwrap().rollout, None);
    world.commands.start_rollout(&world.context(), id, half()).await.unwrap();
    world.commands.promote_rollout(&world.context(), id).await.unwrap();
    let listing = world.commands.directory().caught_up().await.unwrap();
    let entry = listing.workflow(TENANT, id).unwrap();
    assert_eq!(entry.active.as_ref().map(|active| active.version), Some(2));
}
