//! What the engine makes of a node's input and output: disabled, pinned, once, always, memory, size.

use serde_json::{Value, json};
use timeloom_domain::execution::{ExecutionMode, ExecutionStatus};
use timeloom_store::APPEND_SPILLED_BYTES_MAX;

use crate::bench::{World, at, chain, file, node, trigger};

fn give(name: &str, outputs: Value) -> Value {
    node(name, "give", json!({"give": outputs}), json!({}))
}

fn two_items() -> Value {
    give("Two", json!([[{"n": 1}, {"n": 2}]]))
}

#[tokio::test]
async fn a_disabled_node_passes_its_input_on() {
    let off = node("Off", "flaky", json!({}), json!({"disabled": true}));
    let finished = World::new().run(&chain(&[two_items(), off, at("After", "mark", 0, 0)])).await;
    assert_eq!(finished.state.status, ExecutionStatus::Completed);
    assert_eq!(finished.gave("Off"), json!([[{"n": 1}, {"n": 2}]]));
    assert_eq!(finished.gave("After"), json!([[{"n": 1, "by": "After"}, {"n": 2, "by": "After"}]]));
}

#[tokio::test]
async fn execute_once_keeps_the_first_item() {
    let once = node("Once", "mark", json!({}), json!({"executeOnce": true}));
    let finished = World::new().run(&chain(&[two_items(), once])).await;
    assert_eq!(finished.gave("Once"), json!([[{"n": 1, "by": "Once"}]]));
}

#[tokio::test]
async fn always_output_data_gives_one_empty_item_for_none() {
    let nothing = node("Nothing", "give", json!({"give": [[]]}), json!({"alwaysOutputData": true}));
    let finished = World::new().run(&chain(&[two_items(), nothing, at("After", "mark", 0, 0)])).await;
    assert_eq!(finished.gave("Nothing"), json!([[{}]]));
    assert_eq!(finished.pairs("Nothing"), json!([[[{"item": 0}, {"item": 1}]]]));
    assert_eq!(finished.gave("After"), json!([[{"by": "After"}]]));
}

#[tokio::test]
async fn without_it_the_branch_ends() {
    let finished = World::new().run(&chain(&[give("Nothing", json!([[]])), at("After", "mark", 0, 0)])).await;
    assert_eq!((finished.order(), finished.state.status), (vec!["Start", "Nothing"], ExecutionStatus::Completed));
}

#[tokio::test]
async fn pinned_items_stand_in_by_hand_and_never_in_production() {
    let mut pinned = chain(&[node("Call", "effect", json!({}), json!({}))]);
    pinned["pinData"] = json!({"Call": [{"json": {"pinned": true}}]});
    let finished = World::new().run(&pinned).await;
    assert_eq!(finished.gave("Call"), json!([[{"pinned": true}]]));
    assert!(finished.state.newest_run("Call").unwrap().pinned);
    assert_eq!(finished.calls, Vec::<String>::new(), "a pinned effect calls nobody");

    let finished = World::new().run_in(&pinned, ExecutionMode::Production).await;
    assert_eq!(finished.gave("Call"), json!([[{"by": "Call"}]]));
    assert_eq!(finished.calls.len(), 1);
}

#[tokio::test]
async fn memory_goes_from_run_to_run_of_a_node() {
    for (body, order) in [("mark", "v1"), ("effect", "v1"), ("mark", "v0")] {
        let nodes = [
            trigger(),
            node("Loop", "rounds", json!({"rounds": 3, "outputs": 2}), json!({})),
            at("Body", body, 0, 0),
            at("After", "mark", 0, 0),
        ];
        let links = ["Start>Loop", "Loop>Body", "Body>Loop", "Loop.1>After"];
        let finished = World::new().run(&file(order, &nodes, &links)).await;
        assert_eq!(
            finished.order(),
            ["Start", "Loop", "Body", "Loop", "Body", "Loop", "Body", "Loop", "After"],
            "{body} {order}"
        );
        let memory = |node: &str| json!(finished.state.newest_run(node).unwrap().memory);
        assert_eq!(memory("Loop"), json!({"count": 4}));
        assert_eq!(memory("Body"), if body == "effect" { json!({"calls": 3}) } else { json!(null) });
    }
}

#[tokio::test]
async fn results_too_large_for_one_batch_are_recorded_in_several() {
    let large = |name: &str| node(name, "large", json!({"bytes": 1_500_000}), json!({}));
    let finished = World::new().run(&chain(&[large("A"), large("B"), large("C"), at("After", "mark", 0, 0)])).await;
    assert_eq!((finished.state.status, finished.order().len()), (ExecutionStatus::Completed, 5));
}

#[tokio::test]
async fn a_result_too_large_for_the_log_fails_the_execution_at_once() {
    let large = node("A", "large", json!({"bytes": APPEND_SPILLED_BYTES_MAX}), json!({}));
    let finished = World::new().run(&chain(&[large])).await;
    assert_eq!(finished.state.status, ExecutionStatus::Failed);
    let message = finished.state.error.unwrap()["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("the size of its large payloads in bytes is"), "{message}");
}
