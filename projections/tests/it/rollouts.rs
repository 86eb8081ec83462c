//! Roll-outs of workflows: what a row tells of one, and how the executions of both versions are counted.

use std::sync::Arc;

use serde_json::json;
use timeloom_domain::execution::{ExecutionEvent, ExecutionMode, StartFacts, TriggerFacts};
use timeloom_domain::workflow::{ArmFigures, RollBack, Rollout, WorkflowEvent};
use timeloom_projections::{ArmFilter, RolloutRow};

use crate::places::Place;
use crate::world::{TENANT, Told, caught_up, definition, execution_id, log_of, position, start, told, workflow_id};

/// How an execution of the first workflow begins.
fn began(number: usize, version: u32, mode: ExecutionMode) -> Told {
    let ExecutionEvent::ExecutionStarted(facts) = start(0) else { panic!("it begins otherwise") };
    let trigger = Some(TriggerFacts::Schedule { due_at_ms: 5 });
    let facts = StartFacts { workflow_version: Some(version), mode, trigger, ..Arc::unwrap_or_clone(facts) };
    told(execution_id(number), &ExecutionEvent::ExecutionStarted(Arc::new(facts)))
}

fn ended(number: usize, at_ms: i64, has_failed: bool) -> Told {
    let event = match has_failed {
        true => ExecutionEvent::ExecutionFailed { node: None, error: json!({ "message": "no" }), at_ms },
        false => ExecutionEvent::ExecutionCompleted { at_ms },
    };
    told(execution_id(number), &event)
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_of_both_versions_are_counted_as_of_any_position() {
    let id = workflow_id(0);
    let production = ExecutionMode::Production;
    let story = [
        told(id, &WorkflowEvent::WorkflowCreated { definition: definition("first", 2) }),
        began(0, 2, production),
        told(id, &WorkflowEvent::WorkflowRolloutStarted { rollout: 1, version: 2, percent: 10, guard: None }),
        ended(0, 10, true),
        began(1, 2, production),
        began(2, 2, production),
        began(3, 1, production),
        began(4, 2, ExecutionMode::Manual),
        ended(1, 20, true),
        ended(2, 30, false),
        ended(3, 40, false),
        ended(4, 50, true),
    ];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let count = async |version, at: Option<usize>, ended_from_ms| {
            let filter = ArmFilter { workflow_id: id, version, since: position(3), ended_from_ms };
            let figures = models.arm_figures(TENANT, at.map(position), filter).await.unwrap();
            (figures.completed, figures.failed)
        };
        assert_eq!(count(2, None, None).await, (1, 1), "neither what began before nor what a person tried counts");
        assert_eq!(count(1, None, None).await, (1, 0));
        assert_eq!(count(2, Some(9), None).await, (0, 1));
        assert_eq!(count(2, Some(8), None).await, (0, 0));
        assert_eq!(count(2, None, Some(30)).await, (1, 0));
        assert_eq!(count(7, None, None).await, (0, 0));
        assert_eq!(ArmFigures { completed: 1, failed: 1 }.finished(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_row_tells_what_is_rolled_out_until_it_is_over() {
    let id = workflow_id(0);
    let rolled_back =
        |rollout| WorkflowEvent::WorkflowRolloutRolledBack { rollout, version: 2, cause: RollBack::Person {} };
    let begun = |rollout| WorkflowEvent::WorkflowRolloutStarted { rollout, version: 2, percent: 10, guard: None };
    let story = [
        told(id, &WorkflowEvent::WorkflowCreated { definition: definition("first", 2) }),
        told(id, &WorkflowEvent::WorkflowActivated { version: 1 }),
        told(id, &begun(1)),
        told(id, &WorkflowEvent::WorkflowRolloutChanged { rollout: 1, percent: 40 }),
        told(id, &rolled_back(1)),
        told(id, &begun(2)),
        told(id, &WorkflowEvent::WorkflowRolloutPromoted { rollout: 2, version: 2 }),
        told(id, &WorkflowEvent::WorkflowActivated { version: 2 }),
        told(id, &begun(3)),
        told(id, &WorkflowEvent::WorkflowDeactivated {}),
    ];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let at = async |at| models.workflow(TENANT, id, Some(position(at))).await.unwrap().unwrap();
        let told = |row: Option<RolloutRow>| row.map(|row| (row.rollout, row.since));
        let rollout = |number, percent| Rollout { number, version: 2, percent, guard: None };
        assert_eq!(told(at(2).await.rollout), None);
        assert_eq!(told(at(3).await.rollout), Some((rollout(1, 10), position(3))));
        assert_eq!(told(at(4).await.rollout), Some((rollout(1, 40), position(3))));
        assert_eq!(told(at(5).await.rollout), None);
        assert_eq!(told(at(6).await.rollout), Some((rollout(2, 10), position(6))));
        assert_eq!((told(at(8).await.rollout), at(8).await.active_version), (None, Some(2)));
        assert_eq!(told(at(9).await.rollout), Some((rollout(3, 10), position(9))));
        assert_eq!(told(at(10).await.rollout), None);
    }
}
