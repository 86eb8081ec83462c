//! Forks: an execution that goes on from any event of another one. Unchanged it comes to the same; no effect happens that
//! nobody lifted.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use timeloom_commands::{CommandError, ForkAt, ForkExecution, ForkVersion, ImportWorkflow};
use timeloom_domain::execution::{
    Execution, ExecutionEvent, ExecutionMode, ExecutionStatus, ForkChange, ForkEffects, NodeRunState, NodeRunStatus,
};
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::item::{Item, Outputs};
use timeloom_engine::NOT_ANSWERED;
use timeloom_store::Revision;

use crate::bench::{Finished, World, at, chain, file, node, trigger};

/// Runs whose every event is forked.
const GENERATED_RUNS: usize = 100;

fn of(execution_id: ExecutionId, revision: usize) -> ForkExecution {
    ForkExecution {
        new_id: None,
        execution_id,
        at: ForkAt::Revision(Revision(revision as u64)),
        version: ForkVersion::Same,
        changes: Vec::new(),
        effects: ForkEffects::Stub,
        reason: "what if".to_owned(),
    }
}

async fn forked(world: &World, fork: ForkExecution) -> Finished {
    let id = world.commands.fork_execution(&world.context(), fork).await.unwrap().value;
    world.ended(id).await
}

async fn refused(world: &World, fork: ForkExecution) -> (&'static str, String) {
    match world.commands.fork_execution(&world.context(), fork).await {
        Err(CommandError::Refused(refusal)) => (refusal.code, refusal.message),
        other => panic!("not refused: {other:?}"),
    }
}

type Essence = (String, usize, NodeRunStatus, Option<Outputs>, Option<Value>);

/// What is the same in an execution and in a fork of it in which nothing is changed.
fn essence(run: &NodeRunState) -> Essence {
    let error = run.error.clone().filter(|_| run.status == NodeRunStatus::Failed);
    (run.node.clone(), run.run_index, run.status, run.outputs.clone(), error)
}

/// The runs of a fork with those that came before it.
fn whole(original: &Execution, fork: &Execution) -> Vec<Essence> {
    let before = original.node_runs.iter().take(fork.earlier_runs);
    before.chain(&fork.node_runs).map(essence).collect()
}

/// A workflow without loops, of nodes of every kind: they compute, call the world, are tried again, wait, fail and go on.
fn workflow() -> impl Strategy<Value = Value> {
    let links = prop::collection::vec((0..6_usize, 1..4_usize, 0..2_usize), 2..9);
    let kinds = prop::collection::vec(0..7_usize, 6);
    (links, kinds, any::<bool>()).prop_map(|(links, kinds, fails)| {
        let name = |index: usize| if index == 0 { "Start".to_owned() } else { format!("N{index}") };
        let mut nodes = vec![trigger()];
        for (index, kind) in kinds.iter().enumerate() {
            let place = index as i64 + 1;
            let (kind, parameters, fields) = match kind {
                0 => ("effect", json!({}), json!({})),
                1 => ("effect", json!({"failures": 1}), json!({"retryOnFail": true, "waitBetweenTries": 0})),
                2 => ("effect", json!({"failures": 9}), json!({"onError": "continueRegularOutput"})),
                3 => ("wait", json!({"for_ms": 1}), json!({})),
                4 => ("append", json!({"inputs": 2}), json!({})),
                5 if fails && index == 5 => ("effect", json!({"failures": 9}), json!({})),
                _ => ("mark", json!({}), json!({})),
            };
            let mut fields = fields.clone();
            fields["position"] = json!([place, index % 3]);
            nodes.push(node(&name(index + 1), kind, parameters, fields));
        }
        let two_inputs = |to: usize| kinds[to - 1] == 4;
        let links = links.iter().map(|(from, ahead, input)| {
            let to = (from + ahead).min(6);
            format!("{}>{}.{}", name(*from), name(to), if two_inputs(to) { *input } else { 0 })
        });
        let all: std::collections::BTreeSet<String> = std::iter::once("Start>N1".to_owned()).chain(links).collect();
        let all: Vec<String> = all.into_iter().filter(|link| !link.starts_with("N6")).collect();
        file("v1", &nodes, &all.iter().map(String::as_str).collect::<Vec<_>>())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_at_every_event_of_generated_runs_comes_to_what_the_original_came_to() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let strategy = workflow();
    let mut forks = 0;
    for _ in 0..GENERATED_RUNS {
        let file = strategy.new_tree(&mut runner).unwrap().current();
        let workflow = world.import(&file).await;
        let original = world.ended(world.start(workflow, ExecutionMode::Manual).await).await;
        let expected: Vec<_> = original.state.node_runs.iter().map(essence).collect();
        let mut begun = Vec::new();
        for revision in 1..=original.events.len() {
            let fork = of(original.id, revision);
            begun.push(world.commands.fork_execution(&world.context(), fork).await.unwrap().value);
        }
        for (place, id) in begun.into_iter().enumerate() {
            let fork = world.ended(id).await;
            let about = format!("forked after {:?} of {file}", original.events[place]);
            assert_eq!(fork.state.status, original.state.status, "{about}: {:?}", fork.state.error);
            assert_eq!(whole(&original.state, &fork.state), expected, "{about}");
            assert_eq!(fork.state.failed_node, original.state.failed_node, "{about}");
            assert!(!fork.story().contains(&"NodeStarted"), "an effect began: {about}");
            assert_eq!(fork.calls, original.calls, "the world was called: {about}");
            forks += 1;
        }
    }
    assert!(forks > 10 * GENERATED_RUNS, "{forks} forks");
    engine.stop().await;
}

fn items(values: &[Value]) -> Outputs {
    vec![std::sync::Arc::new(values.iter().map(|value| Item::new(value.as_object().unwrap().clone())).collect())]
}

fn output(node: &str, value: Value) -> ForkChange {
    ForkChange::Output { node: node.to_owned(), run_index: 0, outputs: items(&[value]) }
}

fn parameter(node: &str, path: &str, value: Value) -> ForkChange {
    ForkChange::Parameter { node: node.to_owned(), path: path.to_owned(), value }
}

/// Give, then Call, which touches the world, then After.
fn calling() -> Value {
    let give = node("Give", "give", json!({"give": [[{"n": 7}]]}), json!({}));
    chain(&[give, node("Call", "effect", json!({}), json!({})), at("After", "mark", 0, 0)])
}

/// The revision of the event that ended a node.
fn ended_at(finished: &Finished, name: &str) -> usize {
    let ends = |event: &ExecutionEvent| matches!(event, ExecutionEvent::NodeCompleted { run, .. } if run.node == name);
    finished.events.iter().position(ends).unwrap() + 1
}

#[tokio::test]
async fn a_changed_output_goes_on_from_there_and_an_effect_that_would_be_another_fails_until_it_is_lifted() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let workflow = world.import(&calling()).await;
    let original = world.ended(world.start(workflow, ExecutionMode::Manual).await).await;
    let changed = || ForkExecution {
        changes: vec![output("Give", json!({"n": 8}))],
        ..of(original.id, ended_at(&original, "Give"))
    };
    let stopped = forked(&world, changed()).await;
    assert_eq!((stopped.state.status, stopped.state.failed_node.as_deref()), (ExecutionStatus::Failed, Some("Call")));
    let error = stopped.state.error.clone().unwrap();
    assert_eq!(error["name"], NOT_ANSWERED);
    assert!(error["message"].as_str().unwrap().contains("reads something else"), "{error}");
    assert!(error["description"].as_str().unwrap().contains("PER_NODE"), "{error}");
    assert_eq!(world.calls.made().len(), 1, "nothing was called");
    assert!(stopped.state.node_runs[0].pinned && stopped.gave("Give") == json!([[{"n": 8}]]));
    let effects = ForkEffects::PerNode { live: vec!["Call".to_owned()] };
    let lifted = forked(&world, ForkExecution { effects, ..changed() }).await;
    assert_eq!((lifted.state.status, world.calls.made().len()), (ExecutionStatus::Completed, 2));
    assert_eq!(lifted.gave("After"), json!([[{"n": 8, "by": "After"}]]));
    assert_eq!(world.calls.made()[1], format!("{}-2", lifted.id), "it is a new effect to the other side");
    let live = forked(&world, ForkExecution { effects: ForkEffects::Live, ..of(original.id, 1) }).await;
    assert_eq!((live.state.status, world.calls.made().len()), (ExecutionStatus::Completed, 3));
    let point = lifted.state.forked_from.unwrap();
    assert_eq!((point.origin, &*point.reason), (original.id, "what if"));
    engine.stop().await;
}

#[tokio::test]
async fn an_output_that_stands_in_for_an_effect_lets_the_fork_go_on_and_what_follows_is_answered_no_more() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let workflow = world.import(&calling()).await;
    let original = world.ended(world.start(workflow, ExecutionMode::Manual).await).await;
    let fork = ForkExecution { changes: vec![output("Call", json!({"n": 1}))], ..of(original.id, 2) };
    let fork = forked(&world, fork).await;
    assert_eq!(fork.gave("After"), json!([[{"n": 1, "by": "After"}]]));
    assert_eq!(fork.state.earlier_runs, 1);
    let unchanged = forked(&world, of(original.id, 2)).await;
    assert!(unchanged.state.newest_run("Call").unwrap().stubbed);
    assert_eq!(
        unchanged.story()[1..],
        ["NodeCompleted", "NodeStubbed", "NodeCompleted", "NodeCompleted", "ExecutionCompleted"]
    );
    assert_eq!(world.calls.made().len(), 1);
    engine.stop().await;
}

#[tokio::test]
async fn parameters_variables_and_versions_are_other_in_the_fork_alone() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let workflow = world.import(&calling()).await;
    let original = world.ended(world.start(workflow, ExecutionMode::Manual).await).await;
    let give = json!([[{"n": 9}]]);
    let fork = ForkExecution { changes: vec![parameter("Give", "/give", give.clone())], ..of(original.id, 1) };
    let fork = forked(&world, fork).await;
    assert_eq!((fork.gave("Give"), fork.state.failed_node.as_deref()), (give, Some("Call")));
    // The node itself is another: what was recorded of it is no answer.
    let fork = ForkExecution { changes: vec![parameter("Call", "/sleep_ms", json!(0))], ..of(original.id, 1) };
    let error = forked(&world, fork).await.state.error.unwrap();
    assert!(error["message"].as_str().unwrap().contains("written down otherwise"), "{error}");
    let mut next = calling();
    next["nodes"][3] = node("After", "append", json!({}), json!({}));
    let import = ImportWorkflow { workflow_id: Some(workflow), source: next.to_string().into_bytes() };
    world.commands.import_workflow(&world.context(), import).await.unwrap();
    let draft = forked(&world, ForkExecution { version: ForkVersion::Draft, ..of(original.id, 2) }).await;
    assert_eq!(
        (draft.state.status, draft.gave("After")),
        (ExecutionStatus::Completed, json!([[{"n": 7, "by": "Call"}]]))
    );
    assert_eq!(draft.state.start.as_ref().unwrap().workflow_revision, 2);
    let same = forked(&world, of(original.id, 2)).await;
    assert_eq!(same.gave("After"), json!([[{"n": 7, "by": "After"}]]));
    let (code, message) =
        refused(&world, ForkExecution { version: ForkVersion::Published(4), ..of(original.id, 2) }).await;
    assert_eq!(code, "WORKFLOW_VERSION_NOT_FOUND", "{message}");
    assert_eq!(world.calls.made().len(), 1);
    engine.stop().await;
}

#[tokio::test]
async fn an_effect_that_was_never_recorded_is_not_called() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    // Only with items on its second output the way leads to Other.
    let give = node("Give", "give", json!({"give": [[{"n": 7}], []], "outputs": 2}), json!({}));
    let nodes = [
        trigger(),
        give,
        at("Call", "effect", 1, 0),
        node("Other", "effect", json!({}), json!({"onError": "continueRegularOutput"})),
    ];
    let workflow = world.import(&file("v1", &nodes, &["Start>Give", "Give>Call", "Give.1>Other"])).await;
    let original = world.ended(world.start(workflow, ExecutionMode::Manual).await).await;
    let outputs = vec![std::sync::Arc::new(Vec::new()), items(&[json!({"n": 1})]).remove(0)];
    let changes = vec![ForkChange::Output { node: "Give".to_owned(), run_index: 0, outputs }];
    let fork = forked(&world, ForkExecution { changes, ..of(original.id, 1) }).await;
    let error = fork.state.error.unwrap();
    assert!(error["message"].as_str().unwrap().contains("never recorded"), "{error}");
    assert_eq!(fork.state.failed_node.as_deref(), Some("Other"), "whatever its onError says");
    assert_eq!(world.calls.made().len(), 1);
    engine.stop().await;
}

#[tokio::test]
async fn what_an_expression_names_elsewhere_in_the_workflow_counts_as_read() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let give = node("Give", "give", json!({"give": [[{"n": 7}]]}), json!({}));
    let fixed = node("Fixed", "give", json!({"give": [[{"x": 1}]]}), json!({}));
    let call = node("Call", "effect", json!({"url": "={{ $('Give').item.json.n }}"}), json!({}));
    let workflow = world.import(&chain(&[give, fixed, call])).await;
    let original = world.ended(world.start(workflow, ExecutionMode::Manual).await).await;
    let fork = ForkExecution { changes: vec![output("Give", json!({"n": 8}))], ..of(original.id, 2) };
    let error = forked(&world, fork).await.state.error.unwrap();
    assert!(error["message"].as_str().unwrap().contains("reads something else"), "{error}");
    let same = ForkExecution { changes: vec![output("Give", json!({"n": 7}))], ..of(original.id, 2) };
    assert_eq!(forked(&world, same).await.state.status, ExecutionStatus::Completed);
    engine.stop().await;
}

#[tokio::test]
async fn what_serves_an_effect_is_part_of_it() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let mut served = calling();
    let model = node("Model", "pass", json!({"model": "small", "about": "={{ $('Give').item.json.n }}"}), json!({}));
    let parser = node("Parser", "pass", json!({"schema": {}}), json!({}));
    served["nodes"].as_array_mut().unwrap().extend([model, parser]);
    let attached = |to: &str, kind: &str| json!({kind: [[{"node": to, "type": kind, "index": 0}]]});
    served["connections"]["Model"] = attached("Call", "ai_languageModel");
    served["connections"]["Parser"] = attached("Model", "ai_outputParser");
    let workflow = world.import(&served).await;
    let original = world.ended(world.start(workflow, ExecutionMode::Manual).await).await;
    assert_eq!(original.state.status, ExecutionStatus::Completed);
    assert!(original.state.newest_run("Model").is_none(), "it never runs by itself");
    assert_eq!(forked(&world, of(original.id, 1)).await.state.status, ExecutionStatus::Completed);
    for (change, words) in [
        (parameter("Model", "/model", json!("large")), "written down otherwise"),
        (parameter("Parser", "/schema", json!({"a": 1})), "written down otherwise"),
    ] {
        let fork = forked(&world, ForkExecution { changes: vec![change], ..of(original.id, 1) }).await;
        let error = fork.state.error.unwrap();
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    }
    assert_eq!(world.calls.made().len(), 1, "no fork called");
    engine.stop().await;
}

/// Whether a link begins with the word that its execution is a fork.
fn is_link_of_fork(first: &ExecutionEvent) -> bool {
    matches!(first, ExecutionEvent::ExecutionContinued(continuation) if continuation.is_fork)
}

#[tokio::test]
async fn a_fork_of_a_fork_and_of_any_link_of_a_chain_finds_what_came_before() {
    let world = World::in_links_of(6);
    let engine = world.engine();
    engine.start().await.unwrap();
    let give = node("Give", "give", json!({"give": [[{"n": 7}]]}), json!({}));
    let marks = (0..6).map(|place| at(&format!("M{place}"), "mark", 0, 0));
    let later = (0..6).map(|place| node(&format!("E{place}"), "effect", json!({}), json!({})));
    let trace = node("Trace", "trace", json!({"of": "Give"}), json!({}));
    let nodes: Vec<Value> = std::iter::once(give).chain(marks).chain(later).chain([trace]).collect();
    let workflow = world.import(&chain(&nodes)).await;
    let original = world.ended(world.start(workflow, ExecutionMode::Manual).await).await;
    let links = world.links(original.id).await.len();
    assert!(links > 3, "{links}");
    let expected: Vec<_> = original.state.node_runs.iter().map(essence).collect();
    let mut id = original.id;
    for link in 0..links {
        let events = world.events(id).await;
        for revision in [1, events.len() / 2, events.len()] {
            let fork = forked(&world, of(id, revision)).await;
            assert_eq!(whole(&original.state, &fork.state), expected, "link {link}, revision {revision}");
            assert_eq!(fork.state.forked_from.as_ref().unwrap().origin, original.id);
            assert!(world.links(fork.id).await[1..].iter().all(|link| is_link_of_fork(&link[0])));
            let again = forked(&world, of(fork.id, 1)).await;
            assert_eq!(again.state.status, ExecutionStatus::Completed);
            if again.state.newest_run("Trace").is_some() {
                assert_eq!(again.gave("Trace"), json!([[{"found": {"n": 7}}]]));
            }
        }
        assert!(!is_link_of_fork(&events[0]));
        if let Some(ExecutionEvent::ExecutionContinuedAsNew { next, .. }) = events.last() {
            // The same event by its position, asked of the first link.
            let position = world.recorded(*next).await[1].position;
            let by_position = ForkExecution { at: ForkAt::Position(position), ..of(original.id, 1) };
            let fork = forked(&world, by_position).await;
            let point = fork.state.forked_from.unwrap();
            assert_eq!((point.of, point.revision), (*next, 2));
            id = *next;
        }
    }
    assert_eq!(world.calls.made().len(), 6);
    engine.stop().await;
}

#[tokio::test]
async fn a_fork_waits_for_nothing_and_is_resumed_as_it_was() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let wait = node("Wait", "wait", json!({"for_ms": 100_000}), json!({}));
    let workflow = world.import(&chain(&[wait, at("After", "mark", 0, 0)])).await;
    let id = world.start(workflow, ExecutionMode::Manual).await;
    world.saw(id, |event| matches!(event, ExecutionEvent::ExecutionWaiting { .. })).await;
    // What never came is no answer: the fork says so at once.
    let early = forked(&world, of(id, 3)).await;
    assert!(early.state.error.unwrap()["message"].as_str().unwrap().contains("never recorded"));
    world.clock.advance(200_000);
    let original = world.ended(id).await;
    for revision in 1..=original.events.len() {
        let fork = forked(&world, of(id, revision)).await;
        assert_eq!(fork.state.status, ExecutionStatus::Completed, "{revision}");
        assert!(!fork.story().contains(&"ExecutionWaiting"), "{revision}");
    }
    engine.stop().await;
}

#[tokio::test]
async fn what_cannot_be_changed_or_is_not_there_is_refused_with_what_to_do() {
    let world = World::new();
    let engine = world.engine();
    engine.start().await.unwrap();
    let workflow = world.import(&calling()).await;
    let original = world.ended(world.start(workflow, ExecutionMode::Manual).await).await;
    let last = original.events.len();
    let change = |revision, change| ForkExecution { changes: vec![change], ..of(original.id, revision) };
    let nobody = ForkEffects::PerNode { live: vec!["Nobody".to_owned()] };
    let gone = ExecutionId(uuid::Uuid::from_u128(99));
    for (fork, code, words) in [
        (change(last, output("Give", json!({}))), "NODE_RUN_ENDED", "fork at position"),
        (change(1, output("Nobody", json!({}))), "NODE_NOT_FOUND", "no node 'Nobody'"),
        (change(1, parameter("Give", "/no/where", json!(1))), "PARAMETER_NOT_FOUND", "JSON pointer"),
        (change(1, parameter("Give", "give", json!(1))), "PARAMETER_NOT_FOUND", "JSON pointer"),
        (ForkExecution { effects: nobody, ..of(original.id, 1) }, "NODE_NOT_FOUND", "no node 'Nobody'"),
        (of(original.id, last + 1), "REVISION_NOT_REACHED", "from 1 to"),
        (of(original.id, 0), "REVISION_NOT_REACHED", "from 1 to"),
        (of(gone, 1), "EXECUTION_NOT_FOUND", "list the executions"),
        (
            ForkExecution { at: ForkAt::Position(timeloom_store::Position(0)), ..of(original.id, 1) },
            "NOT_YET",
            "began at position",
        ),
    ] {
        let (found, message) = refused(&world, fork).await;
        assert_eq!(found, code, "{message}");
        assert!(message.contains(words), "'{words}' is not in: {message}");
    }
    let context = world.context();
    let first = world.commands.fork_execution(&context, of(original.id, 1)).await.unwrap();
    let again = world.commands.fork_execution(&context, of(original.id, 1)).await.unwrap();
    assert_eq!((again.value, again.repeated), (first.value, true));
    engine.stop().await;
}
