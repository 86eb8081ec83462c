//! Which item was made from which: what the engine fills in, and what expressions find through several nodes.

use serde_json::{Value, json};

use crate::bench::{Finished, World, at, chain, file, node, trigger};

fn give(name: &str, outputs: Value) -> Value {
    node(name, "give", json!({"give": outputs}), json!({}))
}

fn trace(of: &str) -> Value {
    node("Trace", "trace", json!({"of": of}), json!({}))
}

/// What `Trace` found for each of its items.
fn found(finished: &Finished) -> Value {
    finished.gave("Trace")[0].clone()
}

#[tokio::test]
async fn every_item_made_from_one_item_comes_from_it() {
    let finished = World::new().run(&chain(&[give("Three", json!([[{"n": 1}, {"n": 2}, {"n": 3}]]))])).await;
    assert_eq!(finished.pairs("Three"), json!([[{"item": 0}, {"item": 0}, {"item": 0}]]));
}

#[tokio::test]
async fn as_many_items_as_came_in_come_from_the_same_places() {
    let finished =
        World::new().run(&chain(&[give("Two", json!([[{"n": 1}, {"n": 2}]])), at("Mark", "mark", 0, 0)])).await;
    assert_eq!(finished.pairs("Mark"), json!([[{"item": 0}, {"item": 1}]]));
}

#[tokio::test]
async fn another_number_of_items_stays_without_origin() {
    let two = give("Two", json!([[{"n": 1}, {"n": 2}]]));
    let finished =
        World::new().run(&chain(&[two, give("Three", json!([[{"a": 1}, {"a": 2}, {"a": 3}]])), trace("Two")])).await;
    assert_eq!(finished.pairs("Three"), json!([[null, null, null]]));
    let problem = "paired item data for node 'Two' is unavailable: a node between gave no pairedItem; use .first(), .last() or .all()[index]";
    assert_eq!(found(&finished), json!([{"problem": problem}, {"problem": problem}, {"problem": problem}]));
}

#[tokio::test]
async fn a_node_says_itself_where_its_items_came_from() {
    let two = give("Two", json!([[{"n": 1}, {"n": 2}]]));
    let swapped =
        give("Swapped", json!([[{"json": {"a": 1}, "pairedItem": 1}, {"json": {"a": 2}, "pairedItem": {"item": 0}}]]));
    let nodes = [two, swapped, at("Mark", "mark", 0, 0), at("Pass", "pass", 0, 0), trace("Two")];
    let finished = World::new().run(&chain(&nodes)).await;
    assert_eq!(found(&finished), json!([{"found": {"n": 2}}, {"found": {"n": 1}}]));
}

#[tokio::test]
async fn an_item_made_from_several_finds_the_one_that_they_agree_on() {
    let two = give("Two", json!([[{"n": 1}, {"n": 2}]]));
    let both =
        |first: usize, second: usize| give("Both", json!([[{"json": {}, "pairedItem": [first, {"item": second}]}]]));
    let finished = World::new().run(&chain(&[two.clone(), both(1, 1), trace("Two")])).await;
    assert_eq!(found(&finished), json!([{"found": {"n": 2}}]));
    let finished = World::new().run(&chain(&[two, both(0, 1), trace("Two")])).await;
    let problem = "multiple items of node 'Two' match item 0: use .first(), .last() or .all()[index]";
    assert_eq!(found(&finished), json!([{"problem": problem}]));
}

#[tokio::test]
async fn the_way_back_goes_through_the_input_from_which_the_item_came() {
    let nodes = [
        trigger(),
        give("A", json!([[{"from": "A"}]])),
        give("B", json!([[{"from": "B1"}, {"from": "B2"}]])),
        node("Join", "append", json!({"inputs": 2}), json!({})),
        trace("B"),
    ];
    let links = ["Start>A", "Start>B", "A>Join", "B>Join.1", "Join>Trace"];
    let finished = World::new().run(&file("v1", &nodes, &links)).await;
    assert_eq!(finished.pairs("Join"), json!([[{"item": 0}, {"item": 0, "input": 1}, {"item": 1, "input": 1}]]));
    assert_eq!(found(&finished)[1], json!({"found": {"from": "B1"}}));
    assert_eq!(found(&finished)[2], json!({"found": {"from": "B2"}}));
    assert!(found(&finished)[0]["problem"].as_str().unwrap().contains("'B' is unavailable"));
}

#[tokio::test]
async fn a_loop_may_point_past_the_node_before_it() {
    let overwrite = json!({"item": 1, "sourceOverwrite": {"previousNode": "Two"}});
    let two = give("Two", json!([[{"n": 1}, {"n": 2}]]));
    let loops = give("Loop", json!([[{"json": {"a": 1}, "pairedItem": overwrite}]]));
    // What the loop gave is read by a node whose way back leads through it.
    let finished =
        World::new().run(&chain(&[two, at("Mark", "mark", 0, 0), loops, at("Body", "mark", 0, 0), trace("Two")])).await;
    assert_eq!(found(&finished), json!([{"found": {"n": 2}}]));
}

#[tokio::test]
async fn asking_for_a_node_that_did_not_run_says_so() {
    let nodes = [trigger(), trace("Idle"), at("Idle", "mark", 0, 0)];
    let finished = World::new().run(&file("v1", &nodes, &["Start>Trace", "Idle>Trace"])).await;
    assert_eq!(found(&finished), json!([{"problem": "node 'Idle' hasn't been executed"}]));
}

#[tokio::test]
async fn a_later_run_finds_the_items_of_its_own_round() {
    let nodes = [
        trigger(),
        node("Loop", "rounds", json!({"rounds": 3, "outputs": 2}), json!({})),
        at("Body", "mark", 0, 0),
        trace("Loop"),
    ];
    let links = ["Start>Loop", "Loop>Body", "Body>Trace", "Trace>Loop"];
    let finished = World::new().run(&file("v1", &nodes, &links)).await;
    assert_eq!(found(&finished)[0]["found"]["by"], "round 2");
    assert_eq!(finished.state.node_runs.iter().filter(|run| run.node == "Trace").count(), 3);
}
