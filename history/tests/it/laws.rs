//! Laws of the past, over executions that were made up: the state at every event is the fold up to it, and the difference
//! between two events, carried out on the one state, gives the other.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use timeloom_domain::event::Aggregate as _;
use timeloom_domain::execution::{Execution, ExecutionEvent, ExecutionMode, NodeFacts, RunOptions, StartFacts};
use timeloom_domain::ids::WorkflowId;
use timeloom_domain::item::{Item, SharedObject, Source};
use timeloom_history::{ExecutionComparison, Moment, Story, diff, look_at, state_at, writers};
use timeloom_store::{Position, Revision};
use uuid::Uuid;

use crate::world::{log, stream, tell};

/// What happens to one node run.
#[derive(Debug, Clone)]
enum Happening {
    Gives(Vec<i64>),
    GivesAfterRetries(u32, Vec<i64>),
    FailsAndGoesOn,
    /// No engine tells it so, and the fold comes to something all the same.
    GivesAndFails(i64),
    Pinned(i64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let values = || prop::collection::vec(0..5_i64, 0..4);
    prop_oneof![
        4 => values().prop_map(Happening::Gives),
        1 => (1..4_u32, values()).prop_map(|(retries, values)| Happening::GivesAfterRetries(retries, values)),
        1 => Just(Happening::FailsAndGoesOn),
        1 => (0..5_i64).prop_map(Happening::GivesAndFails),
        1 => (0..5_i64).prop_map(Happening::Pinned),
    ]
}

fn item(value: i64) -> Item {
    Item::new(json!({ "n": value, "deep": { "list": [value, "x"] } }).as_object().cloned().unwrap()).paired_with(0)
}

/// An execution in which these things happen one after the other.
fn events(happenings: &[Happening]) -> Vec<ExecutionEvent> {
    let start = StartFacts {
        workflow_id: WorkflowId(Uuid::from_u128(1)),
        workflow_revision: 1,
        workflow_version: None,
        mode: ExecutionMode::Manual,
        start_node: "N0".to_owned(),
        items: vec![item(1)],
        pins: std::collections::BTreeMap::new(),
        seed: 1,
        at_ms: 1,
        trigger: None,
        options: RunOptions::default(),
        subject: None,
    };
    let mut events = vec![ExecutionEvent::ExecutionStarted(Arc::new(start))];
    for (index, happening) in happenings.iter().enumerate() {
        let source = |before: usize| Source {
            previous_node: format!("N{}", before % 3),
            previous_node_output: 0,
            previous_node_run: before / 3,
        };
        let run = NodeFacts {
            node: format!("N{}", index % 3),
            run_index: index / 3,
            execution_index: index,
            sources: index.checked_sub(1).map(|before| Some(source(before))).into_iter().collect(),
        };
        let gives = |values: &[i64], pinned| ExecutionEvent::NodeCompleted {
            run: run.clone(),
            started_at_ms: 2,
            duration_us: 3,
            outputs: vec![Arc::new(values.iter().copied().map(item).collect())],
            memory: values.first().map(|value| SharedObject::from_iter([("seen".to_owned(), json!(value))])),
            hints: Vec::new(),
            pinned,
        };
        let fails = |outputs| {
            let (run, error) = (run.clone(), json!({ "message": "no" }));
            ExecutionEvent::NodeFailed { run, started_at_ms: 2, duration_us: 3, error, outputs }
        };
        match happening {
            Happening::Gives(values) => events.push(gives(values, false)),
            Happening::Pinned(value) => events.push(gives(&[*value], true)),
            Happening::GivesAfterRetries(retries, values) => {
                events.push(ExecutionEvent::NodeScheduled { run: run.clone() });
                events.extend((1..=*retries).map(|attempt| {
                    let (run, error, retry_at_ms) = (run.clone(), json!({ "message": "busy" }), 5);
                    ExecutionEvent::NodeRetried { run, attempt, error, retry_at_ms }
                }));
                events.push(gives(values, false));
            }
            Happening::FailsAndGoesOn => events.push(fails(Some(vec![Arc::new(vec![item(0)])]))),
            Happening::GivesAndFails(value) => events.extend([gives(&[*value], false), fails(None)]),
        }
    }
    events.push(ExecutionEvent::ExecutionCompleted { at_ms: 9 });
    events
}

async fn hold(happenings: &[Happening]) {
    let log = log();
    let stream = stream("execution", &Uuid::from_u128(5).to_string());
    let events = events(happenings);
    let mut positions: Vec<Position> = Vec::new();
    for event in &events {
        positions.push(tell(&log, &stream, event).await.position);
    }
    let mut folded = Execution::default();
    let mut states: Vec<Value> = Vec::new();
    for (index, event) in events.iter().enumerate() {
        folded.apply(event);
        let state = state_at(&*log, &stream, Moment::Revision(Revision(index as u64 + 1))).await.unwrap();
        assert_eq!(state.state, serde_json::to_value(&folded).unwrap(), "at event {index}");
        let look = look_at(&*log, &stream, Moment::Revision(Revision(index as u64 + 1))).await.unwrap();
        for run in 0..=folded.node_runs.len() {
            for field in ["", "/status", "/error", "/outputs", "/outputs/0/0", "/outputs/0/0/json/n", "/memory/seen"] {
                let path = format!("/node_runs/{run}{field}");
                assert_eq!(look.part(&path).unwrap().as_ref(), state.state.pointer(&path), "{path} at event {index}");
            }
        }
        states.push(state.state);
    }
    for index in 1..states.len() {
        let [from, to] = [index, index + 1].map(|revision| Moment::Revision(Revision(revision as u64)));
        let difference = diff(&*log, &stream, from, to).await.unwrap();
        let mut patched = states[index - 1].clone();
        json_patch::patch(&mut patched, &difference.patch).unwrap();
        assert_eq!(patched, states[index], "the difference to event {index}");
        // Each change between two neighbours was made by the one event between them.
        let paths: Vec<&str> = difference.changes.iter().map(|change| change.path.as_str()).collect();
        for (path, writer) in paths.iter().zip(writers(&*log, &stream, positions[index], &paths).await.unwrap()) {
            assert_eq!(writer.map(|writer| writer.position), Some(positions[index]), "{path}");
        }
    }
    let story = Arc::new(Story::load(&*log, &stream, Moment::Newest).await.unwrap());
    let same = ExecutionComparison::of(Arc::clone(&story), story);
    assert!(same.is_same() && same.steps.len() == happenings.len(), "an execution is what it is");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_state_at_every_event_is_its_fold_and_each_difference_leads_on(
        happenings in prop::collection::vec(happening(), 0..9),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(hold(&happenings));
    }
}
