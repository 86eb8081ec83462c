//! Time travel over the API: provenance and comparisons.

use serde_json::{Value, json};

use crate::support::TestServer;

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_value_of_a_state_says_which_event_wrote_it_and_from_what_it_was_made() {
    let server = TestServer::start();
    let (workflow, _) = server.import("Why").await;
    let (execution, _) = server.execution(&workflow).await;
    let query = "query($id: ID!, $path: String!) { stateAt(entity: { kind: EXECUTION, id: $id }) {
        provenance(path: $path) { value isCut writtenBy { position revision type }
            steps { executionId node runIndex output item path origin parameters expression inputs } } } }";
    let data = server.data(query, json!({ "id": execution, "path": "/node_runs/0/outputs/0/0/json" })).await;
    let found = &data["stateAt"]["provenance"];
    assert_eq!((&found["writtenBy"]["revision"], &found["writtenBy"]["type"]), (&json!(2), &json!("NodeCompleted")));
    assert_eq!((&found["steps"][0]["node"], &found["steps"][0]["origin"]), (&json!("Start"), &json!("GIVEN")));
    let nowhere = server.ask(query, json!({ "id": execution, "path": "/nowhere" })).await;
    assert_eq!(code(&nowhere), "BAD_USER_INPUT", "{nowhere}");

    let query = "query($id: ID!) { stateDiff(entity: { kind: EXECUTION, id: $id }, from: { revision: 1 }) {
        changes { path writtenBy { revision } } } }";
    let data = server.data(query, json!({ "id": execution })).await;
    let changes = data["stateDiff"]["changes"].as_array().unwrap();
    let writer = |path: &str| {
        changes.iter().find(|change| change["path"] == path).map(|change| change["writtenBy"]["revision"].clone())
    };
    assert_eq!((writer("/node_runs/0"), writer("/status")), (Some(json!(2)), Some(json!(4))));
    server.stop().await;
}

#[tokio::test]
async fn executions_are_compared_step_by_step_and_other_things_are_not() {
    let server = TestServer::start();
    let (workflow, _) = server.import("Compare").await;
    let (one, _) = server.execution(&workflow).await;
    let (other, _) = server.execution(&workflow).await;
    let query = "query($left: UUID!, $right: UUID!, $at: AsOf) {
        compareExecutions(left: $left, leftAsOf: $at, right: $right) {
            same leftStatus rightStatus sameCount changedCount onlyLeftCount onlyRightCount
            firstDivergence { node outcome } cause { reason step { node } }
            steps(first: 1) { nodes { node runIndex outcome inputsDiffer nodeDiffers attempts { number }
                outputChanges { op path } inputChanges { path } nodeChanges { path } cause { reason }
                left { executionIndex status itemCounts durationMs } right { executionIndex } }
                pageInfo { hasNextPage } } } }";
    let variables = json!({ "left": one, "right": other });
    let data = server.data(query, variables).await;
    let found = &data["compareExecutions"];
    assert_eq!((&found["same"], &found["changedCount"], &found["cause"]), (&json!(true), &json!(0), &Value::Null));
    let step = &found["steps"]["nodes"][0];
    assert_eq!(
        (&step["node"], &step["outcome"], &step["left"]["status"]),
        (&json!("Start"), &json!("SAME"), &json!("COMPLETED"))
    );
    let early = server.data(query, json!({ "left": one, "right": other, "at": { "revision": 1 } })).await;
    let found = &early["compareExecutions"];
    assert_eq!((&found["onlyRightCount"], &found["cause"]["reason"]), (&json!(2), &json!("NOT_REACHED")));
    let wrong = server.ask(query, json!({ "left": workflow, "right": other })).await;
    assert_eq!(code(&wrong), "STREAM_NOT_FOUND", "{wrong}");
    server.stop().await;
}
