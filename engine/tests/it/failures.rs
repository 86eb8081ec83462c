//! What happens when a node fails: policies, the error output, further attempts.

use serde_json::{Value, json};
use timeloom_domain::execution::{ExecutionEvent, ExecutionStatus, NodeRunStatus};

use crate::bench::{Finished, World, at, chain, file, node, trigger};

/// A node that fails between two items and a node on each of its outputs.
async fn failing(node_type: &str, parameters: Value, fields: Value) -> Finished {
    let nodes = [
        trigger(),
        node("Two", "give", json!({"give": [[{"n": 1}, {"n": 2}]]}), json!({})),
        node("Fails", node_type, parameters, fields),
        at("Regular", "mark", 0, 0),
        at("Error", "mark", 0, 100),
    ];
    World::new().run(&file("v1", &nodes, &["Start>Two", "Two>Fails", "Fails>Regular", "Fails.1>Error"])).await
}

#[tokio::test]
async fn by_default_the_execution_fails_there() {
    let finished = failing("flaky", json!({}), json!({})).await;
    assert_eq!(finished.state.status, ExecutionStatus::Failed);
    assert_eq!(finished.state.failed_node.as_deref(), Some("Fails"));
    assert_eq!(finished.state.error, Some(json!({"name": "NodeOperationError", "message": "it does not work"})));
    assert_eq!(finished.order(), ["Start", "Two", "Fails"]);
    assert_eq!(finished.state.newest_run("Fails").unwrap().status, NodeRunStatus::Failed);
}

#[tokio::test]
async fn told_to_go_on_it_passes_its_input_on() {
    for fields in [json!({"onError": "continueRegularOutput"}), json!({"continueOnFail": true})] {
        let finished = failing("flaky", json!({}), fields).await;
        assert_eq!(finished.state.status, ExecutionStatus::Completed);
        assert_eq!(finished.gave("Regular"), json!([[{"n": 1, "by": "Regular"}, {"n": 2, "by": "Regular"}]]));
        assert_eq!(finished.order(), ["Start", "Two", "Fails", "Regular"]);
        assert_eq!(finished.state.newest_run("Fails").unwrap().error.as_ref().unwrap()["message"], "it does not work");
    }
}

#[tokio::test]
async fn told_to_use_the_error_output_it_gives_each_item_with_the_error() {
    let finished = failing("flaky", json!({}), json!({"onError": "continueErrorOutput"})).await;
    let failed = |n: i64| json!({"n": n, "error": "it does not work"});
    assert_eq!(finished.gave("Fails"), json!([[], [failed(1), failed(2)]]));
    assert_eq!(finished.order(), ["Start", "Two", "Fails", "Error"]);
}

#[tokio::test]
async fn items_that_say_that_they_failed_go_to_the_error_output() {
    let cases = [
        // An error of its own.
        (
            json!({"json": {"own": 1}, "error": {"message": "no"}, "pairedItem": 1}),
            Some(json!({"n": 2, "own": 1, "error": "no"})),
        ),
        // Nothing but the error.
        (json!({"json": {"error": "no"}, "pairedItem": {"item": 0}}), Some(json!({"n": 1, "error": "no"}))),
        // The error and a message.
        (
            json!({"json": {"error": "no", "message": "really"}, "pairedItem": 0}),
            Some(json!({"n": 1, "error": "no", "message": "really"})),
        ),
        // An item of which it is not known what it was made from.
        (json!({"json": {"error": "no"}}), Some(json!({"error": "no"}))),
        // Data that has an error among other things is no failure.
        (json!({"json": {"error": "no", "value": 1}}), None),
        (json!({"json": {"error": null}}), None),
    ];
    for (item, failed) in cases {
        let give = json!({"give": [[item.clone(), {"fine": true}]]});
        let finished = failing("give", give.clone(), json!({"onError": "continueErrorOutput"})).await;
        let expected = match failed {
            Some(failed) => json!([[{"fine": true}], [failed]]),
            None => json!([[item["json"], {"fine": true}], []]),
        };
        assert_eq!(finished.gave("Fails"), expected, "{item}");
        assert_eq!(finished.state.status, ExecutionStatus::Completed);

        let finished = failing("give", give, json!({})).await;
        assert_eq!(finished.order(), ["Start", "Two", "Fails", "Regular"], "without the policy all items go one way");
    }
}

fn attempts(finished: &Finished) -> Vec<u32> {
    let retried = |event: &ExecutionEvent| match event {
        ExecutionEvent::NodeRetried { attempt, .. } => Some(*attempt),
        _ => None,
    };
    finished.events.iter().filter_map(retried).collect()
}

#[tokio::test]
async fn a_node_is_tried_again_as_often_as_it_says() {
    for node_type in ["flaky", "effect"] {
        let fields = |tries: i64| json!({"retryOnFail": true, "maxTries": tries, "waitBetweenTries": 0});
        let finished = failing(node_type, json!({"failures": 2}), fields(3)).await;
        assert_eq!(
            (finished.state.status, attempts(&finished)),
            (ExecutionStatus::Completed, vec![1, 2]),
            "{node_type}"
        );
        assert_eq!(finished.state.newest_run("Fails").unwrap().attempts, 3);
        assert_eq!(finished.state.newest_run("Fails").unwrap().error, None);

        let finished = failing(node_type, json!({"failures": 3}), fields(3)).await;
        assert_eq!((finished.state.status, attempts(&finished)), (ExecutionStatus::Failed, vec![1, 2]), "{node_type}");
        assert_eq!(finished.state.newest_run("Fails").unwrap().attempts, 3);

        // More than five and fewer than two are not to be had.
        assert_eq!(attempts(&failing(node_type, json!({"failures": 9}), fields(99)).await), [1, 2, 3, 4]);
        assert_eq!(attempts(&failing(node_type, json!({"failures": 9}), fields(1)).await), [1]);
    }
}

#[tokio::test]
async fn every_attempt_of_an_effect_has_the_same_key() {
    let fields = json!({"retryOnFail": true, "maxTries": 3, "waitBetweenTries": 0});
    let finished = failing("effect", json!({"failures": 2}), fields).await;
    assert_eq!(finished.calls, vec![format!("{}-2", finished.id); 3]);
}

#[tokio::test]
async fn the_pause_between_attempts_is_kept() {
    let fields = json!({"retryOnFail": true, "maxTries": 2, "waitBetweenTries": 150});
    let finished = failing("effect", json!({"failures": 1}), fields).await;
    let at = finished.events.iter().filter_map(|event| match event {
        ExecutionEvent::NodeStarted { at_ms, .. } => Some(*at_ms),
        _ => None,
    });
    let at: Vec<i64> = at.collect();
    assert!(at[1] - at[0] >= 150, "{at:?}");
}

#[tokio::test]
async fn a_first_item_with_an_error_counts_as_a_failed_attempt() {
    let give = json!({"give": [[{"error": "still no", "n": 1}]]});
    let finished = failing("give", give, json!({"retryOnFail": true, "maxTries": 2, "waitBetweenTries": 0})).await;
    assert_eq!(attempts(&finished), [1]);
    assert_eq!(
        (finished.state.status, finished.gave("Fails")),
        (ExecutionStatus::Completed, json!([[{"error": "still no", "n": 1}]]))
    );
}

#[tokio::test]
async fn a_fault_in_a_node_is_a_failure_of_that_node() {
    for (node_type, parameters) in [("panics", json!({})), ("effect", json!({"panics": true}))] {
        let finished = World::new().run(&chain(&[node("Broken", node_type, parameters, json!({}))])).await;
        assert_eq!(finished.state.failed_node.as_deref(), Some("Broken"));
        let message = finished.state.error.unwrap()["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("the node broke down: a fault in"), "{message}");
    }
}

#[tokio::test]
async fn an_effect_is_announced_and_concluded_in_this_order() {
    let fields = json!({"retryOnFail": true, "maxTries": 2, "waitBetweenTries": 0});
    let finished = World::new().run(&chain(&[node("Call", "effect", json!({"failures": 1}), fields)])).await;
    let story = [
        "ExecutionStarted",
        "NodeCompleted",
        "NodeScheduled",
        "NodeStarted",
        "NodeRetried",
        "NodeStarted",
        "NodeCompleted",
        "ExecutionCompleted",
    ];
    assert_eq!(finished.story(), story);
}
