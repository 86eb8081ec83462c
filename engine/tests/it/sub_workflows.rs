//! Executions that a node of another one begins: the same one after a crash, and never more of them than wanted.

use serde_json::{Value, json};
use timeloom_commands::ImportWorkflow;
use timeloom_domain::execution::{ExecutionEvent, ExecutionMode, ExecutionStatus, TriggerFacts};
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_engine::sub_workflows::DEPTH_MAX;
use timeloom_store::{Direction, EventLog, Filter, Position, TenantScope, codec};

use crate::bench::{Finished, World, at, chain, file, node};

/// A call of the workflow of that name.
fn call(workflow: &str) -> Value {
    node("Call", "call", json!({ "workflow": workflow }), json!({}))
}

/// A workflow of that name that is called: these nodes after its trigger.
fn called(name: &str, nodes: &[Value]) -> Value {
    let mut trigger = at("Called", "trigger", 0, 0);
    trigger["type"] = json!("n8n-nodes-base.executeWorkflowTrigger");
    let nodes = [&[trigger], nodes].concat();
    let names: Vec<&str> = nodes.iter().map(|node| node["name"].as_str().unwrap()).collect();
    let links: Vec<String> = names.windows(2).map(|pair| format!("{}>{}", pair[0], pair[1])).collect();
    let mut file = file("v1", &nodes, &links.iter().map(String::as_str).collect::<Vec<_>>());
    file["name"] = json!(name);
    file
}

impl World {
    /// The executions that were begun, in order of the log: id, mode, version and trigger.
    pub(crate) async fn begun(&self) -> Vec<(ExecutionId, ExecutionMode, Option<u32>, Option<TriggerFacts>)> {
        let filter = Filter { event_types: vec!["ExecutionStarted".into()], ..Filter::default() };
        let read =
            self.log.read_all(TenantScope::All, Position::START, Direction::Forward, &filter, 1_000).await.unwrap();
        let facts = |event: &std::sync::Arc<timeloom_store::RecordedEvent>| {
            let ExecutionEvent::ExecutionStarted(start) = codec::decode(event).unwrap() else { panic!("{event:?}") };
            (event.stream.id.parse().unwrap(), start.mode, start.workflow_version, start.trigger.clone())
        };
        read.iter().map(facts).collect()
    }

    pub(crate) async fn published(&self, file: &Value) -> WorkflowId {
        let id = self.import(file).await;
        self.commands.publish_workflow(&self.context(), id).await.unwrap();
        id
    }

    /// The executions that others called, as they ended.
    async fn children(&self) -> Vec<Finished> {
        let mut children = Vec::new();
        for (id, _, _, trigger) in self.begun().await {
            if matches!(trigger, Some(TriggerFacts::SubWorkflow { .. })) {
                children.push(self.ended(id).await);
            }
        }
        children
    }
}

fn failure(finished: &Finished) -> (String, String) {
    let error = finished.state.error.as_ref().unwrap();
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    (text("message"), text("description"))
}

#[tokio::test]
async fn a_call_gives_what_the_last_node_of_the_other_workflow_gave() {
    let world = World::new();
    world.import(&called("Sub", &[at("A", "mark", 0, 0), at("B", "effect", 0, 0)])).await;
    let give = node("Two", "give", json!({ "give": [[{ "n": 1 }, { "n": 2 }]] }), json!({}));
    let finished = world.run(&chain(&[give, call("Sub"), at("After", "mark", 0, 0)])).await;
    assert_eq!(finished.state.status, ExecutionStatus::Completed, "{:?}", finished.state.error);
    assert_eq!(finished.gave("Call"), json!([[{ "n": 1, "by": "B" }, { "n": 2, "by": "B" }]]));
    assert_eq!(finished.pairs("Call"), json!([[{ "item": 0 }, { "item": 1 }]]));
    let begun = world.begun().await;
    let by_call = TriggerFacts::SubWorkflow { execution: finished.id, node: "Call".to_owned(), depth: 1 };
    assert_eq!(begun.len(), 3);
    for (_, mode, version, trigger) in &begun[1..] {
        assert_eq!((*mode, *version, trigger.as_ref()), (ExecutionMode::Manual, None, Some(&by_call)));
    }
}

#[tokio::test]
async fn whoever_waits_leaves_its_place_to_others() {
    let world = World::new();
    world.import(&called("Inner", &[at("A", "effect", 0, 0)])).await;
    world.import(&called("Outer", &[call("Inner")])).await;
    let engine = world.engine_with(1);
    engine.start().await.unwrap();
    let id = world.start(world.import(&chain(&[call("Outer")])).await, ExecutionMode::Manual).await;
    assert_eq!(world.ended(id).await.state.status, ExecutionStatus::Completed);
    engine.stop().await;
}

#[tokio::test]
async fn branches_that_wait_at_the_same_time_leave_their_place_to_others() {
    let world = World::new();
    world.import(&called("Inner", &[at("A", "effect", 0, 0)])).await;
    let engine = world.engine_with(1);
    engine.start().await.unwrap();
    let (mut left, mut right) = (call("Inner"), call("Inner"));
    (left["name"], right["name"]) = (json!("Left"), json!("Right"));
    let mut both = file("v1", &[crate::bench::trigger(), left, right], &["Start>Left", "Start>Right"]);
    both["settings"]["parallelBranches"] = json!(true);
    let id = world.start(world.import(&both).await, ExecutionMode::Manual).await;
    assert_eq!(world.ended(id).await.state.status, ExecutionStatus::Completed);
    engine.stop().await;
}

#[tokio::test]
async fn a_failure_over_there_is_the_nodes_own_and_names_the_execution() {
    let world = World::new();
    world.import(&called("Sub", &[node("Breaks", "flaky", json!({}), json!({}))])).await;
    let finished = world.run(&chain(&[call("Sub")])).await;
    assert_eq!(finished.state.status, ExecutionStatus::Failed);
    let child = world.begun().await[1].0;
    let (message, description) = failure(&finished);
    assert_eq!(message, "it does not work");
    assert!(description.contains(&child.to_string()) && description.contains("'Breaks'"), "{description}");
}

#[tokio::test]
async fn a_failed_call_that_is_tried_again_is_another_execution_each_time() {
    let world = World::new();
    world.import(&called("Sub", &[node("Breaks", "flaky", json!({}), json!({}))])).await;
    let fields = json!({ "retryOnFail": true, "maxTries": 3, "waitBetweenTries": 0 });
    let again = node("Call", "call", json!({ "workflow": "Sub" }), fields);
    assert_eq!(world.run(&chain(&[again])).await.state.status, ExecutionStatus::Failed);
    let children = world.children().await;
    assert_eq!(children.len(), 3);
    assert!(children.iter().all(|child| child.state.status == ExecutionStatus::Failed));
}

#[tokio::test]
async fn a_workflow_may_call_itself_but_not_without_end() {
    let world = World::new();
    let itself = world.import(&called("Deep", &[call("Deep")])).await;
    let engine = world.engine();
    engine.start().await.unwrap();
    let id = world.start(itself, ExecutionMode::Manual).await;
    let finished = world.ended(id).await;
    engine.stop().await;
    let message = failure(&finished).0;
    assert!(message.contains(&format!("more than {DEPTH_MAX} deep")), "{message}");
    assert_eq!(world.begun().await.len(), DEPTH_MAX as usize + 1);
}

#[tokio::test]
async fn in_production_a_published_version_runs_and_never_a_draft() {
    let world = World::new();
    let sub = world.published(&called("Sub", &[at("Old", "mark", 0, 0)])).await;
    let newer = called("Sub", &[at("New", "mark", 0, 0)]).to_string().into_bytes();
    let import = ImportWorkflow { workflow_id: Some(sub), source: newer };
    world.commands.import_workflow(&world.context(), import).await.unwrap();
    world.import(&called("Draft", &[at("A", "mark", 0, 0)])).await;
    let file = chain(&[call("Sub")]);
    let finished = world.run_in(&file, ExecutionMode::Production).await;
    assert_eq!(finished.gave("Call"), json!([[{ "by": "Old" }]]));
    let finished = world.run_in(&file, ExecutionMode::Manual).await;
    assert_eq!(finished.gave("Call"), json!([[{ "by": "New" }]]));
    let refused = world.run_in(&chain(&[call("Draft")]), ExecutionMode::Production).await;
    assert!(failure(&refused).0.contains("'Draft' has no published version"), "{:?}", failure(&refused));
}

#[tokio::test]
async fn pins_of_the_other_workflow_count_for_those_who_look_at_it() {
    let world = World::new();
    let mut sub = called("Sub", &[at("A", "mark", 0, 0)]);
    sub["pinData"] = json!({ "A": [{ "pinned": true }] });
    world.import(&sub).await;
    assert_eq!(world.run(&chain(&[call("Sub")])).await.gave("Call"), json!([[{ "by": "A" }]]));
}

#[tokio::test]
async fn what_cannot_be_called_is_told() {
    let world = World::new();
    let mut closed = called("Closed", &[]);
    closed["settings"]["callerPolicy"] = json!("none");
    let mut listed = called("Listed", &[]);
    listed["settings"]["callerPolicy"] = json!("workflowsFromAList");
    listed["settings"]["callerIds"] = json!("somebody, else");
    let mut plain = chain(&[]);
    plain["name"] = json!("Plain");
    for file in [&closed, &listed, &plain] {
        world.import(file).await;
    }
    for (workflow, words) in [
        ("Nobody", "there is no workflow 'Nobody'"),
        ("Closed", "'Closed' may not be called"),
        ("Listed", "'Listed' may not be called"),
        ("Plain", "no node with which a call begins"),
    ] {
        let message = failure(&world.run(&chain(&[call(workflow)])).await).0;
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test]
async fn a_workflow_may_be_brought_along() {
    let world = World::new();
    world.import(&called("Sub", &[at("Other", "mark", 0, 0)])).await;
    let mut inline = called("Sub", &[at("Own", "mark", 0, 0)]);
    inline["id"] = json!("someone-elses");
    let bring = |text: String| chain(&[node("Call", "call", json!({ "inline": text }), json!({}))]);
    let twice = node("Two", "give", json!({ "give": [[{ "n": 1 }, { "n": 2 }]] }), json!({}));
    let mut file = bring(inline.to_string());
    file["nodes"].as_array_mut().unwrap().insert(1, twice);
    file["connections"] = json!({
        "Start": { "main": [[{ "node": "Two", "type": "main", "index": 0 }]] },
        "Two": { "main": [[{ "node": "Call", "type": "main", "index": 0 }]] },
    });
    let finished = world.run(&file).await;
    assert_eq!(finished.gave("Call"), json!([[{ "n": 1, "by": "Own" }, { "n": 2, "by": "Own" }]]));
    // Who asks for the name means the other one still.
    assert_eq!(world.run(&chain(&[call("Sub")])).await.gave("Call"), json!([[{ "by": "Other" }]]));
    let broken = world.run(&bring("{".to_owned())).await;
    assert!(failure(&broken).0.contains("JSON cannot be used"));
}

#[tokio::test]
async fn nobody_waits_for_what_is_only_begun() {
    let world = World::new();
    world.import(&called("Sub", &[node("Stuck", "effect", json!({ "stuck": 9 }), json!({}))])).await;
    let forget = node("Call", "call", json!({ "workflow": "Sub", "forget": true }), json!({}));
    let finished = world.run(&chain(&[forget])).await;
    assert_eq!(finished.state.status, ExecutionStatus::Completed);
    assert_eq!(world.begun().await.len(), 2);
}

#[tokio::test]
async fn a_long_execution_over_there_is_followed_to_its_last_stream() {
    let world = World::in_links_of(3);
    let nodes: Vec<Value> = ["A", "B", "C", "D", "E"].map(|name| at(name, "effect", 0, 0)).to_vec();
    world.import(&called("Sub", &nodes)).await;
    let finished = world.run(&chain(&[call("Sub"), at("After", "mark", 0, 0)])).await;
    assert_eq!(finished.gave("Call"), json!([[{ "by": "E" }]]));
    let child = world.begun().await[1].0;
    assert!(world.links(child).await.len() > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_the_same_execution_is_waited_for() {
    let world = World::new();
    let nodes = [at("A", "effect", 0, 0), node("Stuck", "effect", json!({ "stuck": 1 }), json!({}))];
    world.import(&called("Sub", &nodes)).await;
    let engine = world.engine();
    engine.start().await.unwrap();
    let id = world.start(world.import(&chain(&[call("Sub")])).await, ExecutionMode::Manual).await;
    crate::control::until("the other workflow is in the middle", || world.calls.made().len() == 2).await;
    engine.stop().await;
    let engine = world.engine();
    engine.start().await.unwrap();
    let finished = world.ended(id).await;
    engine.stop().await;
    assert_eq!(finished.gave("Call"), json!([[{ "by": "Stuck" }]]));
    assert_eq!(world.begun().await.len(), 2, "the second attempt began no other");
    let attempts: Vec<u32> = finished.events.iter().filter_map(attempt_of_call).collect();
    assert_eq!(attempts, [1, 2]);
}

fn attempt_of_call(event: &ExecutionEvent) -> Option<u32> {
    match event {
        ExecutionEvent::NodeStarted { run, attempt, .. } if run.node == "Call" => Some(*attempt),
        _ => None,
    }
}

#[tokio::test]
async fn a_node_that_may_wait_no_longer_takes_the_other_execution_along() {
    let world = World::new();
    world.import(&called("Sub", &[node("Stuck", "effect", json!({ "stuck": 9 }), json!({}))])).await;
    let hasty = node("Call", "call", json!({ "workflow": "Sub" }), json!({ "timeoutSeconds": 0.05 }));
    let finished = world.run(&chain(&[hasty])).await;
    assert!(failure(&finished).0.contains("time limit"), "{:?}", failure(&finished));
    let children = world.children().await;
    assert_eq!(children[0].state.status, ExecutionStatus::Cancelled);
}
