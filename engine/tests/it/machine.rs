//! The pure machine: a plan and what nodes gave, in; which node runs next, out. Nothing runs here.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::definition::parse;
use timeloom_domain::execution::{ExecutionEvent, ExecutionMode, NodeFacts, RunOptions, StartFacts};
use timeloom_domain::ids::WorkflowId;
use timeloom_domain::item::{Item, Items, Source};
use timeloom_engine::machine::{Action, Machine, NODE_RUNS_MAX, Task};
use timeloom_engine::plan::{Plan, PlanError};
use uuid::Uuid;

use crate::bench::{World, at, file, node, trigger};

fn plan(file: &Value) -> Arc<Plan> {
    let definition = Arc::new(parse(file.to_string().as_bytes()).unwrap());
    let registry = World::new().registry().clone();
    Arc::new(Plan::try_new(WorkflowId(Uuid::nil()), definition, &registry, chrono_tz::UTC).unwrap())
}

fn facts(start_node: &str) -> Arc<StartFacts> {
    Arc::new(StartFacts {
        workflow_id: WorkflowId(Uuid::nil()),
        workflow_revision: 1,
        workflow_version: None,
        mode: ExecutionMode::Manual,
        start_node: start_node.to_owned(),
        items: vec![Item::default()],
        pins: std::collections::BTreeMap::new(),
        seed: 1,
        at_ms: 0,
        trigger: None,
        options: RunOptions::default(),
        subject: None,
    })
}

fn machine(file: &Value) -> Machine {
    Machine::new(plan(file), facts("Start"))
}

fn items(count: usize) -> Items {
    Arc::new(vec![Item::default(); count])
}

fn completed(run: NodeFacts, outputs: Vec<Items>) -> ExecutionEvent {
    let (started_at_ms, duration_us, memory, hints, pinned) = (0, 0, None, Vec::new(), false);
    ExecutionEvent::NodeCompleted { run, started_at_ms, duration_us, outputs, memory, hints, pinned }
}

/// Lets every node give the number of items by output that `gives` says; one item on output 0 otherwise.
/// Answers the nodes in their order, with the number of items on each input, and how it ended.
fn story(file: &Value, gives: &[(&str, &[usize])]) -> Vec<String> {
    let gives: HashMap<&str, &[usize]> = gives.iter().copied().collect();
    let mut machine = machine(file);
    let mut told = Vec::new();
    loop {
        match machine.next() {
            Action::Run(Task { facts, inputs, .. }) => {
                let counts: Vec<String> = inputs
                    .iter()
                    .map(|items| items.as_ref().map_or("-".to_owned(), |items| items.len().to_string()))
                    .collect();
                told.push(format!("{}({})", facts.node, counts.join(",")));
                let outputs = gives.get(facts.node.as_str()).copied().unwrap_or(&[1]);
                let outputs = outputs.iter().map(|count| items(*count)).collect();
                machine.apply(&completed(facts, outputs));
            }
            Action::Skip { node } => {
                told.push(format!("skip {node}"));
                machine.apply(&ExecutionEvent::NodeSkipped { node, reason: String::new() });
            }
            Action::Complete => {
                told.push("done".to_owned());
                machine.apply(&ExecutionEvent::ExecutionCompleted { at_ms: 0 });
                assert!(matches!(machine.next(), Action::Nothing), "an ended execution does nothing");
                return told;
            }
            Action::Fail { node, error } => {
                told.push(format!("{}: {}", node.unwrap_or_default(), error["message"].as_str().unwrap()));
                return told;
            }
            Action::Rest | Action::Await | Action::Nothing => return told,
        }
    }
}

/// Two branches of two nodes; the one that is connected first lies lower on the canvas.
fn branches(order: &str) -> Value {
    let nodes = [
        trigger(),
        at("Low", "mark", 0, 100),
        at("Low 2", "mark", 100, 100),
        at("High", "mark", 0, -100),
        at("High 2", "mark", 100, -100),
    ];
    file(order, &nodes, &["Start>Low", "Start>High", "Low>Low 2", "High>High 2"])
}

#[test]
fn order_v1_ends_the_upper_branch_first() {
    assert_eq!(story(&branches("v1"), &[]), ["Start(1)", "High(1)", "High 2(1)", "Low(1)", "Low 2(1)", "done"]);
}

#[test]
fn order_v0_goes_by_level_and_by_connection() {
    assert_eq!(story(&branches("v0"), &[]), ["Start(1)", "Low(1)", "High(1)", "Low 2(1)", "High 2(1)", "done"]);
}

#[test]
fn order_v1_takes_the_left_one_of_two_at_the_same_height() {
    let nodes = [trigger(), at("Right", "mark", 200, 50), at("Left", "mark", 100, 50)];
    let told = story(&file("v1", &nodes, &["Start>Right", "Start>Left"]), &[]);
    assert_eq!(told, ["Start(1)", "Left(1)", "Right(1)", "done"]);
}

/// Two branches that come together in `Join`.
fn diamond(order: &str, join: Value) -> Value {
    let nodes = [
        trigger(),
        at("A", "mark", 0, 0),
        at("B", "mark", 0, 100),
        node("Join", "append", join, json!({"position": [100, 50]})),
        at("After", "mark", 200, 50),
    ];
    file(order, &nodes, &["Start>A", "Start>B", "A>Join", "B>Join.1", "Join>After"])
}

#[test]
fn a_join_waits_for_all_its_inputs() {
    for order in ["v0", "v1"] {
        let told = story(&diamond(order, json!({"inputs": 2})), &[("B", &[3])]);
        assert_eq!(told, ["Start(1)", "A(1)", "B(1)", "Join(1,3)", "After(1)", "done"], "{order}");
    }
}

#[test]
fn order_v1_runs_a_join_with_an_empty_list_for_the_input_that_never_came() {
    let told = story(&diamond("v1", json!({"inputs": 2})), &[("B", &[0])]);
    assert_eq!(told, ["Start(1)", "A(1)", "B(1)", "Join(1,0)", "After(1)", "done"]);
    let told = story(&diamond("v1", json!({"inputs": 2})), &[("A", &[0])]);
    assert_eq!(told, ["Start(1)", "A(1)", "B(1)", "Join(0,1)", "After(1)", "done"]);
}

#[test]
fn order_v1_leaves_a_join_out_that_needs_the_missing_input() {
    let all = story(&diamond("v1", json!({"inputs": 2, "required": "all"})), &[("B", &[0])]);
    assert_eq!(all, ["Start(1)", "A(1)", "B(1)", "done"]);
    let one = story(&diamond("v1", json!({"inputs": 2, "required": 1})), &[("B", &[0])]);
    assert_eq!(one, ["Start(1)", "A(1)", "B(1)", "Join(1,0)", "After(1)", "done"]);
}

#[test]
fn no_branch_goes_on_from_an_output_without_items() {
    for order in ["v0", "v1"] {
        let told = story(&branches(order), &[("Low", &[0])]);
        assert!(!told.contains(&"Low 2(1)".to_owned()), "{told:?}");
        assert_eq!(told.last().unwrap(), "done");
    }
}

#[test]
fn each_output_leads_its_own_way() {
    let nodes = [
        trigger(),
        at("Choose", "mark", 0, 0),
        at("Yes", "mark", 0, 0),
        at("No", "mark", 0, 100),
        at("Never", "mark", 0, 200),
    ];
    let links = ["Start>Choose", "Choose>Yes", "Choose.1>No", "Choose.2>Never"];
    for order in ["v0", "v1"] {
        let told = story(&file(order, &nodes, &links), &[("Choose", &[2, 1, 0])]);
        assert_eq!(told, ["Start(1)", "Choose(1)", "Yes(2)", "No(1)", "done"], "{order}");
    }
}

#[test]
fn order_v0_follows_an_empty_output_into_a_later_input() {
    let told = story(&diamond("v0", json!({"inputs": 2})), &[("B", &[0])]);
    assert_eq!(told, ["Start(1)", "A(1)", "B(1)", "Join(1,0)", "After(1)", "done"]);
}

#[test]
fn order_v0_skips_a_join_whose_first_input_is_empty() {
    let told = story(&diamond("v0", json!({"inputs": 2})), &[("A", &[0])]);
    assert_eq!(told, ["Start(1)", "A(1)", "B(1)", "skip Join", "done"]);
}

#[test]
fn order_v0_makes_the_parent_of_another_input_run() {
    let nodes = [trigger(), at("Lonely", "mark", 0, 100), node("Join", "append", json!({"inputs": 2}), json!({}))];
    let links = ["Start>Join", "Lonely>Join.1"];
    assert_eq!(story(&file("v0", &nodes, &links), &[]), ["Start(1)", "Lonely(1)", "Join(1,1)", "done"]);
    assert_eq!(story(&file("v1", &nodes, &links), &[]), ["Start(1)", "Join(1,0)", "done"]);
}

#[test]
fn order_v0_stops_at_a_node_whose_inputs_never_come() {
    let three = node("Three", "append", json!({"inputs": 3}), json!({}));
    let nodes = [trigger(), three, node("Join", "append", json!({"inputs": 2}), json!({}))];
    let links = ["Start>Three", "Start>Three.1", "Start>Three.2", "Start.1>Join", "Three>Join.1"];
    let told = story(&file("v0", &nodes, &links), &[("Start", &[0, 1])]);
    assert_eq!(
        told,
        ["Start(1)", "Three: stopped because it seems to be in an endless loop: an input never gets data"]
    );
}

#[test]
fn a_join_behind_a_waiting_join_waits_for_it() {
    let join = |name, y| node(name, "append", json!({"inputs": 2}), json!({"position": [100, y]}));
    let nodes = [trigger(), at("Empty", "mark", 0, 300), join("Late", 200), join("Early", 100)];
    // `Late` begins to wait first, but its other input comes from `Early`.
    let links = ["Start>Late", "Start>Early", "Start>Empty", "Early>Late.1", "Empty>Early.1"];
    let told = story(&file("v1", &nodes, &links), &[("Empty", &[0])]);
    assert_eq!(told, ["Start(1)", "Empty(1)", "Early(1,0)", "Late(1,1)", "done"]);
}

#[test]
fn runs_are_numbered_and_say_where_their_input_came_from() {
    let nodes = [trigger(), node("Loop", "rounds", json!({"rounds": 2}), json!({})), at("Body", "mark", 0, 0)];
    let mut machine = machine(&file("v1", &nodes, &["Start>Loop", "Loop>Body", "Body>Loop"]));
    let mut seen = Vec::new();
    for _ in 0..5 {
        let Action::Run(task) = machine.next() else { panic!("{:?}", machine.next()) };
        seen.push((
            task.facts.node.clone(),
            task.facts.run_index,
            task.facts.execution_index,
            task.facts.sources.clone(),
        ));
        machine.apply(&completed(task.facts, vec![items(1)]));
    }
    let from = |node: &str, run| {
        vec![Some(Source { previous_node: node.to_owned(), previous_node_output: 0, previous_node_run: run })]
    };
    let expected = [
        ("Start", 0, 0, vec![]),
        ("Loop", 0, 1, from("Start", 0)),
        ("Body", 0, 2, from("Loop", 0)),
        ("Loop", 1, 3, from("Body", 0)),
        ("Body", 1, 4, from("Loop", 1)),
    ];
    assert_eq!(seen, expected.map(|(node, run, index, sources)| (node.to_owned(), run, index, sources)));
}

#[test]
fn a_loop_without_end_is_stopped() {
    let nodes = [trigger(), at("Again", "mark", 0, 0)];
    let mut machine = machine(&file("v1", &nodes, &["Start>Again", "Again>Again"]));
    let mut runs = 0;
    let message = loop {
        match machine.next() {
            Action::Run(task) => {
                runs += 1;
                machine.apply(&completed(task.facts, vec![items(1)]));
            }
            Action::Fail { node, error } => break format!("{}: {}", node.unwrap(), error["message"].as_str().unwrap()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(runs, NODE_RUNS_MAX);
    assert_eq!(message, "Again: stopped after 100000 node runs: the workflow does not seem to end");
}

#[test]
fn attempts_that_began_are_counted_from_events() {
    let file = file("v1", &[trigger(), at("Call", "effect", 0, 0)], &["Start>Call"]);
    let mut machine = machine(&file);
    let Action::Run(task) = machine.next() else { panic!("the trigger is due") };
    machine.apply(&completed(task.facts, vec![items(1)]));
    let attempts = |machine: &Machine| match machine.next() {
        Action::Run(task) => (task.facts, task.attempts),
        other => panic!("{other:?}"),
    };
    let (run, none) = attempts(&machine);
    assert_eq!(none, 0);
    let (idempotency_key, at_ms) = (String::new(), 0);
    machine.apply(&ExecutionEvent::NodeStarted { run: run.clone(), attempt: 1, idempotency_key, at_ms });
    assert_eq!(attempts(&machine), (run.clone(), 1));
    let error = json!({"message": "no"});
    machine.apply(&ExecutionEvent::NodeRetried { run: run.clone(), attempt: 2, error, retry_at_ms: 0 });
    assert_eq!(attempts(&machine), (run, 2));
}

#[test]
fn a_failed_node_stops_or_goes_on_as_its_event_says() {
    let file =
        file("v1", &[trigger(), at("Call", "mark", 0, 0), at("After", "mark", 0, 0)], &["Start>Call", "Call>After"]);
    for outputs in [None, Some(vec![items(2)])] {
        let mut machine = machine(&file);
        for outputs in [None, Some(outputs.clone())] {
            let Action::Run(task) = machine.next() else { panic!("a node is due") };
            let error = json!({"message": "no"});
            let (run, started_at_ms, duration_us) = (task.facts, 0, 0);
            machine.apply(&match outputs {
                None => completed(run, vec![items(1)]),
                Some(outputs) => ExecutionEvent::NodeFailed { run, started_at_ms, duration_us, error, outputs },
            });
        }
        match (outputs, machine.next()) {
            (None, Action::Fail { node, error }) => {
                assert_eq!((node.as_deref(), &error["message"]), (Some("Call"), &json!("no")));
            }
            (Some(_), Action::Run(task)) => {
                assert_eq!((task.facts.node.as_str(), task.inputs[0].as_ref().unwrap().len()), ("After", 2));
                assert_eq!(machine.data().runs(1)[0].error, Some(json!({"message": "no"})));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_unknown_start_node_fails_the_execution() {
    let machine = Machine::new(plan(&branches("v1")), facts("Nobody"));
    let Action::Fail { node: None, error } = machine.next() else { panic!("{:?}", machine.next()) };
    assert_eq!(error["message"], "the start node 'Nobody' is not in the workflow");
}

#[test]
fn a_plan_names_what_this_build_does_not_have() {
    let registry = World::new().registry().clone();
    let make = |file: &Value| {
        let definition = Arc::new(parse(file.to_string().as_bytes()).unwrap());
        Plan::try_new(WorkflowId(Uuid::nil()), definition, &registry, chrono_tz::UTC).map(|plan| plan.timezone)
    };
    let unknown = PlanError::UnknownType { node: "Odd".to_owned(), node_type: "test.odd".to_owned() };
    assert_eq!(make(&file("v1", &[at("Odd", "odd", 0, 0)], &[])), Err(unknown));
    let mut zoned = file("v1", &[trigger()], &[]);
    zoned["settings"]["timezone"] = json!("Europe/Berlin");
    assert_eq!(make(&zoned), Ok(chrono_tz::Europe::Berlin));
    zoned["settings"]["timezone"] = json!("DEFAULT");
    assert_eq!(make(&zoned), Ok(chrono_tz::UTC));
    zoned["settings"]["timezone"] = json!("Europe/Nowhere");
    assert_eq!(make(&zoned), Err(PlanError::UnknownTimezone("Europe/Nowhere".to_owned())));
}
