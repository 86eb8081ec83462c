//! Laws of histories: any history folded in two parts is the history folded whole, and the machine agrees with the
//! aggregate about every moment.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use timeloom_domain::definition::parse;
use timeloom_domain::event::Aggregate;
use timeloom_domain::execution::{
    ChainPlace, Continuation, Execution, ExecutionCommand, ExecutionEvent, ExecutionMode, NodeRunStatus, RunOptions,
    StartFacts,
};
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_domain::item::{Item, Items, Outputs};
use timeloom_engine::machine::{Action, Machine, RunData, run_counts};
use timeloom_engine::plan::Plan;
use uuid::Uuid;

use crate::bench::{World, file, fold, node, trigger};

/// What the world does to one node run.
#[derive(Debug, Clone)]
enum Answer {
    Gives(Vec<usize>),
    GivesAfterRetry(Vec<usize>),
    FailsAndGoesOn(usize),
    Fails,
}

fn answer() -> impl Strategy<Value = Answer> {
    let outputs = || prop::collection::vec(0..3_usize, 1..3);
    prop_oneof![
        6 => outputs().prop_map(Answer::Gives),
        2 => outputs().prop_map(Answer::GivesAfterRetry),
        1 => (0..3_usize).prop_map(Answer::FailsAndGoesOn),
        1 => Just(Answer::Fails),
    ]
}

/// A workflow of some nodes with random connections, forward and back.
fn workflow() -> impl Strategy<Value = Value> {
    let links = prop::collection::vec((0..6_usize, 0..2_usize, 1..6_usize, 0..3_usize), 3..12);
    let heights = prop::collection::vec(0..4_i64, 5);
    (prop_oneof![Just("v0"), Just("v1")], links, heights).prop_map(|(order, links, heights)| {
        let name = |index: usize| if index == 0 { "Start".to_owned() } else { format!("N{index}") };
        let mut nodes = vec![trigger()];
        for (index, height) in heights.iter().enumerate() {
            let place = json!({"position": [index, height]});
            nodes.push(node(&name(index + 1), "append", json!({"inputs": 3, "outputs": 2}), place));
        }
        let links =
            links.iter().map(|(from, output, to, input)| format!("{}.{output}>{}.{input}", name(*from), name(*to)));
        let links: Vec<String> = std::iter::once("Start>N1".to_owned()).chain(links).collect();
        file(order, &nodes, &links.iter().map(String::as_str).collect::<Vec<_>>())
    })
}

fn machine(file: &Value) -> (Machine, ExecutionEvent) {
    let definition = Arc::new(parse(file.to_string().as_bytes()).unwrap());
    let registry = World::new().registry().clone();
    let plan = Plan::try_new(WorkflowId(Uuid::nil()), definition, &registry, chrono_tz::UTC).unwrap();
    let start = StartFacts {
        workflow_id: WorkflowId(Uuid::nil()),
        workflow_revision: 1,
        workflow_version: None,
        mode: ExecutionMode::Manual,
        start_node: "Start".to_owned(),
        items: vec![Item::default()],
        pins: std::collections::BTreeMap::new(),
        seed: 1,
        at_ms: 0,
        trigger: None,
        options: RunOptions::default(),
        subject: None,
    };
    (Machine::new(Arc::new(plan), Arc::new(start.clone())), ExecutionEvent::ExecutionStarted(Arc::new(start)))
}

fn outputs(counts: &[usize], marker: usize) -> Outputs {
    let items = |count: &usize| -> Items {
        let item = |index: usize| Item::new(json!({"n": marker, "i": index}).as_object().cloned().unwrap());
        Arc::new((0..*count).map(item).collect())
    };
    counts.iter().map(items).collect()
}

/// What happens to one node run.
fn happenings(run: timeloom_domain::execution::NodeFacts, answer: &Answer) -> Vec<ExecutionEvent> {
    let (started_at_ms, duration_us, error, place) = (1, 1, json!({"message": "no"}), run.execution_index);
    let gives = |run, counts: &[usize]| {
        let memory = place.is_multiple_of(2).then(|| json!({"at": place}).as_object().cloned().unwrap().into());
        let (outputs, hints, pinned) = (outputs(counts, place), Vec::new(), false);
        ExecutionEvent::NodeCompleted { run, started_at_ms, duration_us, outputs, memory, hints, pinned }
    };
    match answer {
        Answer::Gives(counts) => vec![gives(run, counts)],
        Answer::GivesAfterRetry(counts) => vec![
            ExecutionEvent::NodeScheduled { run: run.clone() },
            ExecutionEvent::NodeStarted { run: run.clone(), attempt: 1, idempotency_key: "key".to_owned(), at_ms: 1 },
            ExecutionEvent::NodeRetried { run: run.clone(), attempt: 1, error, retry_at_ms: 1 },
            gives(run, counts),
        ],
        Answer::FailsAndGoesOn(count) => {
            let outputs = Some(outputs(&[*count], place));
            vec![ExecutionEvent::NodeFailed { run, started_at_ms, duration_us, error, outputs }]
        }
        Answer::Fails => vec![ExecutionEvent::NodeFailed { run, started_at_ms, duration_us, error, outputs: None }],
    }
}

/// A whole history of at most 30 node runs.
fn history(file: &Value, answers: &[Answer]) -> Vec<ExecutionEvent> {
    let (mut machine, started) = machine(file);
    let mut events = vec![started];
    for step in 0..200 {
        let next = match machine.next() {
            Action::Run(task) if task.facts.execution_index >= 30 => break,
            Action::Run(task) => {
                let answer = &answers[task.facts.execution_index % answers.len()];
                happenings(task.facts, answer)
            }
            Action::Skip { node } => vec![ExecutionEvent::NodeSkipped { node, reason: "no items".to_owned() }],
            Action::Complete => vec![ExecutionEvent::ExecutionCompleted { at_ms: step }],
            Action::Fail { node, error } => vec![ExecutionEvent::ExecutionFailed { node, error, at_ms: step }],
            Action::Rest | Action::Await | Action::Nothing => break,
        };
        next.iter().for_each(|event| machine.apply(event));
        events.extend(next);
    }
    events
}

/// What the machine's run data says, as the aggregate says it.
fn finished_runs(machine: &Machine) -> Vec<(String, usize, Outputs)> {
    let plan = machine.plan();
    let mut runs: Vec<_> = (0..plan.definition.nodes.len())
        .flat_map(|node| machine.data().runs(node).iter().enumerate().map(move |(index, run)| (node, index, run)))
        .map(|(node, index, run)| {
            let outputs = machine.data().outputs(node, index).unwrap().unwrap();
            (run.execution_index, (plan.node(node).name.clone(), outputs))
        })
        .collect();
    runs.sort_by_key(|(place, _)| *place);
    let mut counts = std::collections::HashMap::new();
    let numbered = |(_, (name, outputs)): (usize, (String, Outputs))| {
        let count: &mut usize = counts.entry(name.clone()).or_default();
        *count += 1;
        (name, *count - 1, outputs)
    };
    runs.into_iter().map(numbered).collect()
}

fn told_runs(state: &Execution) -> Vec<(String, usize, Outputs)> {
    let ended = |run: &&timeloom_domain::execution::NodeRunState| {
        matches!(run.status, NodeRunStatus::Completed | NodeRunStatus::Failed) && run.outputs.is_some()
    };
    state
        .node_runs
        .iter()
        .filter(ended)
        .map(|run| (run.node.clone(), run.run_index, run.outputs.clone().unwrap()))
        .collect()
}

/// The machine as the next link of the chain has it: from the stored form of the summary, and what the links before hold.
fn through_a_seam(machine: &Machine, before: &[ExecutionEvent], link: u32) -> Machine {
    let id = ExecutionId(Uuid::from_u128(u128::from(link)));
    let place = ChainPlace { previous: id, root: id, link: link + 1 };
    let stored = serde_json::to_string(&machine.continuation(place, 5)).unwrap();
    let summary: Continuation = serde_json::from_str(&stored).unwrap();
    assert_eq!(summary, machine.continuation(place, 5));
    let plan = Arc::clone(machine.plan());
    let mut data = RunData::new(Arc::clone(&plan), Arc::new(summary.start.clone()));
    before.iter().for_each(|event| data.take(event));
    assert_eq!(run_counts(&plan, &data), summary.run_counts);
    Machine::continued(plan, &summary, data)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_moment_is_the_same_however_it_is_folded(file in workflow(), answers in prop::collection::vec(answer(), 1..8)) {
        let events = history(&file, &answers);
        let whole = fold(&events);
        let (mut live, _) = machine(&file);
        for cut in 0..=events.len() {
            let (before, after) = events.split_at(cut);
            let moment = fold(before);
            prop_assert_eq!(told_runs(&moment), finished_runs(&live), "the machine agrees at event {}", cut);
            if let Some(next) = after.first().filter(|_| cut > 0) {
                let follows = moment.decide(&ExecutionCommand::Record(Box::new(next.clone())));
                prop_assert_eq!(follows, Ok(vec![next.clone()]), "event {} may follow", cut);
            }
            // Kept in a snapshot meanwhile, as read models do.
            let mut later: Execution = serde_json::from_str(&serde_json::to_string(&moment).unwrap()).unwrap();
            prop_assert_eq!(&later, &moment);
            after.iter().for_each(|event| later.apply(event));
            prop_assert_eq!(&later, &whole, "cut at {}", cut);
            if let Some(next) = after.first() {
                live.apply(next);
            }
        }
    }

    #[test]
    fn a_machine_folded_anew_wants_what_the_live_one_wants(
        file in workflow(),
        answers in prop::collection::vec(answer(), 1..8),
    ) {
        let events = history(&file, &answers);
        let (mut live, _) = machine(&file);
        for (cut, event) in events.iter().enumerate() {
            live.apply(event);
            if !cut.is_multiple_of(3) {
                continue;
            }
            let (mut anew, _) = machine(&file);
            events[..=cut].iter().for_each(|event| anew.apply(event));
            prop_assert_eq!(format!("{:?}", anew.next()), format!("{:?}", live.next()));
        }
    }

    #[test]
    fn a_machine_that_went_through_seams_wants_and_gives_what_it_would_have_without(
        file in workflow(),
        answers in prop::collection::vec(answer(), 1..8),
        every in 1..6_usize,
    ) {
        let events = history(&file, &answers);
        let (mut live, _) = machine(&file);
        let (mut chained, _) = machine(&file);
        let mut seams = 0;
        for (cut, event) in events.iter().enumerate() {
            live.apply(event);
            chained.apply(event);
            prop_assert_eq!(chained.may_continue(), live.may_continue());
            if cut.is_multiple_of(every) && chained.may_continue() {
                chained = through_a_seam(&chained, &events[..=cut], seams);
                seams += 1;
            }
            prop_assert_eq!(format!("{:?}", chained.next()), format!("{:?}", live.next()), "behind event {}", cut);
            prop_assert_eq!(finished_runs(&chained), finished_runs(&live));
            for node in 0..live.plan().definition.nodes.len() {
                prop_assert_eq!(chained.data().memory(node), live.data().memory(node));
            }
        }
    }
}
