//! Time travel over the API: provenance, comparisons, forks, replay checks and watches.

use serde_json::{Value, json};
use timeloom_store::StreamKey;

use crate::relay::page;
use crate::support::{TENANT, TestServer, append, completed, node_completed};

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

#[tokio::test]
async fn a_fork_is_begun_told_as_a_tree_and_looked_at_beforehand() {
    let server = TestServer::start();
    let (workflow, _) = server.import("Fork").await;
    let (execution, _) = server.execution(&workflow).await;
    let preview = "query($input: ForkExecutionInput!) { forkPreview(input: $input) {
        position earlierRuns effects { node happens recordedRuns } errors { code message } } }";
    let at = json!({ "executionId": execution, "at": { "revision": 2 }, "reason": "to see" });
    let data = server.data(preview, json!({ "input": at })).await;
    let found = &data["forkPreview"];
    assert_eq!((&found["errors"], &found["earlierRuns"], &found["effects"]), (&json!([]), &json!(1), &json!([])));
    let mut wrong = at.clone();
    wrong["changes"] = json!([{ "output": { "node": "Start", "outputs": [[{ "n": 2 }]] } }]);
    wrong["at"] = json!({ "revision": 3 });
    let data = server.data(preview, json!({ "input": wrong })).await;
    assert_eq!(data["forkPreview"]["errors"][0]["code"], "NODE_RUN_ENDED", "{data}");

    let fork = "mutation($input: ForkExecutionInput!) { forkExecution(input: $input) {
        executionId position errors { code message }
        execution { status trigger causedBy unresolved forkedFrom { executionId position reason actor { name } } } } }";
    let data = server.data(fork, json!({ "input": at })).await;
    let payload = &data["forkExecution"];
    assert_eq!(payload["errors"], json!([]));
    let found = &payload["execution"];
    assert_eq!((&found["trigger"], &found["status"]), (&json!("FORK"), &json!("RUNNING")));
    assert_eq!(
        (&found["forkedFrom"]["executionId"], &found["forkedFrom"]["reason"]),
        (&json!(execution), &json!("to see"))
    );
    assert!(found["forkedFrom"]["actor"]["name"].is_string());
    let tree = "query($id: UUID!, $at: Position) { execution(id: $id, waitFor: $at) {
        forkedFrom { position } forks { nodes { id forkedFrom { position unusedOutputs { node runIndex } } } } } }";
    let data = server.data(tree, json!({ "id": execution, "at": payload["position"] })).await;
    let found = &data["execution"];
    assert_eq!((&found["forkedFrom"], &found["forks"]["nodes"][0]["id"]), (&Value::Null, &payload["executionId"]));
    assert_eq!(found["forks"]["nodes"][0]["forkedFrom"]["unusedOutputs"], json!([]), "none was changed");

    let mut changed = at.clone();
    let output = |run: u32| json!({ "output": { "node": "Fill", "runIndex": run, "outputs": [[{ "n": 9 }]] } });
    changed["changes"] = json!([output(0), output(7)]);
    let payload = server.data(fork, json!({ "input": changed })).await["forkExecution"].clone();
    let stream = StreamKey::new(TENANT, "execution", payload["executionId"].as_str().unwrap());
    append(&server.log, &stream, vec![node_completed("Fill", 1, json!({ "n": 9 })), completed()]).await;
    let at = server.log_head();
    let unused = "query($id: UUID!, $at: Position) { execution(id: $id, waitFor: $at) {
        status forkedFrom { unusedOutputs { node runIndex } } } }";
    let data = server.data(unused, json!({ "id": payload["executionId"], "at": at })).await;
    let expected =
        json!({ "status": "COMPLETED", "forkedFrom": { "unusedOutputs": [{ "node": "Fill", "runIndex": 7 }] } });
    assert_eq!(data["execution"], expected, "the workflow ran it once");
    let mut unknown = changed.clone();
    unknown["changes"] = json!([{ "output": { "node": "Nobody", "outputs": [[]] } }]);
    let data = server.data(fork, json!({ "input": unknown })).await;
    assert_eq!(data["forkExecution"]["errors"][0]["code"], "NODE_NOT_FOUND", "{data}");
    server.stop().await;
}

#[tokio::test]
async fn a_search_for_a_change_is_written_down_step_by_step_and_listed() {
    let server = TestServer::start();
    let (workflow, _) = server.import("Bisect").await;
    let (good, _) = server.execution(&workflow).await;
    let (bad, _) = server.execution(&workflow).await;
    let begin = "mutation($input: BeginBisectionInput!) { beginBisection(input: $input) {
        position errors { code } bisection { id workflowId found candidates by { kind } } } }";
    let input = |good: &str, bad: &str, digest: &str| {
        json!({ "goodExecutionId": good, "badExecutionId": bad, "candidates": 4, "digest": digest,
            "check": "$json.total !== 42" })
    };
    let digest = "0f".repeat(32);
    let data = server.data(begin, json!({ "input": input(&good, &bad, &digest) })).await;
    let begun = &data["beginBisection"]["bisection"];
    assert_eq!(
        (&begun["workflowId"], &begun["found"], &begun["candidates"]),
        (&json!(workflow), &Value::Null, &json!(4))
    );
    let id = begun["id"].clone();

    let step = "mutation($input: TakeBisectionStepInput!) { takeBisectionStep(input: $input) {
        errors { code } bisection { steps { point verdict reason } } } }";
    let tried =
        |point: u32, verdict: &str| json!({ "input": { "bisectionId": id, "point": point, "verdict": verdict } });
    let data = server.data(step, tried(2, "BAD")).await;
    let steps = &data["takeBisectionStep"]["bisection"]["steps"];
    assert_eq!(*steps, json!([{ "point": 2, "verdict": "BAD", "reason": null }]), "{data}");
    for (variables, code) in [
        (tried(2, "GOOD"), "OTHER_VERDICT"),
        (tried(5, "GOOD"), "POINT_OUT_OF_RANGE"),
        (json!({ "input": { "bisectionId": good, "point": 0, "verdict": "GOOD" } }), "BISECTION_NOT_FOUND"),
    ] {
        let data = server.data(step, variables).await;
        assert_eq!(data["takeBisectionStep"]["errors"][0]["code"], code, "{data}");
    }

    let end = "mutation($input: EndBisectionInput!) { endBisection(input: $input) { errors { code } } }";
    let change = |more: Value| {
        let mut input = json!({ "bisectionId": id, "found": "CHANGE" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "input": input })
    };
    let data = server.data(end, change(json!({}))).await;
    assert_eq!(data["endBisection"]["errors"][0]["code"], "INVALID_INPUT", "{data}");
    let data = server.data(end, change(json!({ "first": "3" }))).await;
    assert_eq!(data["endBisection"]["errors"], json!([]), "{data}");
    let data = server.data(step, tried(1, "GOOD")).await;
    assert_eq!(data["takeBisectionStep"]["errors"][0]["code"], "BISECTION_ENDED", "{data}");

    for (input, code) in
        [(input(&good, &bad, "0f"), "INVALID_DIGEST"), (input(&good, &good, &digest), "SAME_EXECUTION")]
    {
        let data = server.data(begin, json!({ "input": input })).await;
        assert_eq!(data["beginBisection"]["errors"][0]["code"], code, "{data}");
    }
    let second = server.data(begin, json!({ "input": input(&good, &bad, &digest) })).await;
    let second = second["beginBisection"]["bisection"]["id"].clone();
    let list = "query($first: Int, $before: Position) { bisections(first: $first, before: $before) {
        id position found first last over check goodExecutionId badExecutionId } }";
    let data = server.data(list, json!({})).await;
    let listed = data["bisections"].as_array().unwrap();
    assert_eq!(listed.iter().map(|search| &search["id"]).collect::<Vec<_>>(), [&second, &id], "{data}");
    let older = server.data(list, json!({ "first": 1, "before": listed[0]["position"] })).await;
    let older = &older["bisections"][0];
    assert_eq!((&older["id"], &older["found"]), (&id, &json!("CHANGE")), "{older}");
    assert_eq!((&older["first"], &older["last"], &older["over"]), (&json!("3"), &json!("3"), &json!("DEFINITIONS")));
    assert_eq!((&older["goodExecutionId"], &older["badExecutionId"]), (&json!(good), &json!(bad)));
    assert_eq!(code(&server.ask(list, json!({ "first": 101 })).await), "BAD_USER_INPUT");
    let none = server.data("query($id: UUID!) { bisection(id: $id) { id } }", json!({ "id": workflow })).await;
    assert_eq!(none["bisection"], Value::Null);
    server.stop().await;
}

#[tokio::test]
async fn a_replay_check_is_asked_for_and_told_and_what_cannot_be_is_refused() {
    let server = TestServer::start();
    let (workflow, _) = server.import("Replay").await;
    let (execution, _) = server.execution(&workflow).await;
    let start = "mutation($input: StartReplayCheckInput!) { startReplayCheck(input: $input) {
        timedOut position errors { code message } replayCheck { id status executionCount workflowId summary } } }";
    let data = server.data(start, json!({ "input": { "workflowId": workflow, "last": 10 } })).await;
    let payload = &data["startReplayCheck"];
    let check = &payload["replayCheck"];
    assert_eq!(
        (&payload["errors"], &check["status"], &check["executionCount"]),
        (&json!([]), &json!("REQUESTED"), &json!(1))
    );
    let query = "query($id: UUID!) { replayCheck(id: $id) { workflowId summary } }";
    let data = server.data(query, json!({ "id": check["id"] })).await;
    assert_eq!(data["replayCheck"], json!({ "workflowId": workflow, "summary": null }));
    for (input, code) in [
        (json!({}), "INVALID_INPUT"),
        (json!({ "workflowId": workflow, "last": 0 }), "LAST_OUT_OF_RANGE"),
        (json!({ "workflowId": workflow, "last": 1_001 }), "LAST_OUT_OF_RANGE"),
        (json!({ "workflowId": execution }), "NOTHING_TO_REPLAY"),
        (json!({ "executionIds": [workflow] }), "EXECUTION_NOT_FOUND"),
        (json!({ "executionIds": [execution], "against": { "published": 3 } }), "WORKFLOW_VERSION_NOT_FOUND"),
        (json!({ "executionIds": [execution], "timeoutMs": 300_001 }), "TIMEOUT_TOO_LONG"),
    ] {
        let data = server.data(start, json!({ "input": input })).await;
        assert_eq!(data["startReplayCheck"]["errors"][0]["code"], code, "{input}: {data}");
    }
    // Nobody does the check here, so that the gate stays shut.
    let publish = "mutation($input: PublishWorkflowInput!) { publishWorkflow(input: $input) {
        revision errors { code message } } }";
    let data = server
        .data(publish, json!({ "input": { "workflowId": workflow, "replayGate": { "last": 5, "timeoutMs": 1 } } }))
        .await;
    assert_eq!(data["publishWorkflow"]["errors"][0]["code"], "REPLAY_CHECK_TIMED_OUT", "{data}");
    server.stop().await;
}

#[tokio::test]
async fn an_expression_is_watched_over_executions_of_the_past_a_page_at_a_time() {
    let server = TestServer::start();
    let (workflow, _) = server.import("Watch").await;
    let mut executions = Vec::new();
    for _ in 0..3 {
        executions.push(server.execution(&workflow).await.0);
    }
    let query = "query($input: WatchInput!, $first: Int, $after: String) {
        watchExecutions(input: $input, first: $first, after: $after) {
            edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
            nodes { executionId passedOver isCut hits { executionId node runIndex position value error } } } }";
    let ask = async |input: Value, first: Option<i32>, after: Value| {
        let data = server.data(query, json!({ "input": input, "first": first, "after": after })).await;
        data["watchExecutions"].clone()
    };
    let input = json!({ "workflowId": workflow, "expression": "$json.n > 1" });
    let found = ask(input.clone(), Some(2), Value::Null).await;
    let (cursors, _, has_next) = page(&found);
    assert_eq!((cursors.len(), has_next), (2, true));
    let first = &found["nodes"][0];
    assert_eq!(
        (&first["executionId"], &first["passedOver"], &first["isCut"]),
        (&json!(executions[2]), &Value::Null, &json!(false))
    );
    let hits = first["hits"].as_array().unwrap();
    assert_eq!((hits.len(), &hits[0]["node"], &hits[0]["value"]), (1, &json!("Fill"), &json!(true)));
    let rest = ask(input.clone(), Some(2), found["pageInfo"]["endCursor"].clone()).await;
    assert_eq!((&rest["nodes"][0]["executionId"], page(&rest).2), (&json!(executions[0]), false));
    let values = json!({ "workflowId": workflow, "expression": "{{ $('Start').first().json.n + $json.n }}", "all": true, "node": "Fill" });
    let found = ask(values, None, Value::Null).await;
    let given: Vec<&Value> = found["nodes"].as_array().unwrap().iter().map(|seen| &seen["hits"][0]["value"]).collect();
    assert_eq!(given, [&json!(3), &json!(3), &json!(3)], "{found}");
    let later = json!({ "workflowId": workflow, "expression": "true", "from": "2999-01-01T00:00:00Z" });
    let found = ask(later, None, Value::Null).await;
    assert_eq!((&found["nodes"], page(&found).2), (&json!([]), false));
    let earlier = json!({ "workflowId": workflow, "expression": "true", "to": "2001-01-01T00:00:00Z" });
    assert_eq!(ask(earlier, None, Value::Null).await["nodes"], json!([]));
    for (expression, first, after) in [(" ", None, None), ("1", Some(101), None), ("1", None, Some("x"))] {
        let input = json!({ "workflowId": workflow, "expression": expression });
        let answer = server.ask(query, json!({ "input": input, "first": first, "after": after })).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT", "{answer}");
    }
    let broken = json!({ "workflowId": workflow, "expression": "$json.", "all": true });
    let found = ask(broken, None, Value::Null).await;
    assert!(found["nodes"][0]["hits"][0]["error"].is_string(), "{found}");
    server.stop().await;
}

#[tokio::test]
async fn an_expression_is_previewed_over_what_a_node_was_given_or_gave() {
    let server = TestServer::start();
    let (workflow, _) = server.import("Preview").await;
    let execution = server.execution(&workflow).await.0;
    let query = "query($input: ExpressionPreviewInput!) {
        expressionPreview(input: $input) { value error itemCount runIndex position } }";
    let ask = async |input: Value| {
        let mut input = input;
        input["executionId"] = json!(execution);
        server.ask(query, json!({ "input": input })).await
    };
    let given = ask(json!({ "node": "Fill", "expression": "=n is {{ $('Start').first().json.n }}" })).await;
    let preview = &given["data"]["expressionPreview"];
    assert_eq!((&preview["value"], &preview["error"]), (&json!("n is 1"), &Value::Null), "{given}");
    assert!(preview["position"].is_string() && preview["itemCount"] == 1, "{given}");
    let gave =
        ask(json!({ "node": "Fill", "over": "OUTPUT", "expression": "{{ $json.n + $('Start').first().json.n }}" }))
            .await;
    assert_eq!(gave["data"]["expressionPreview"]["value"], 3, "{gave}");
    let broken = ask(json!({ "node": "Fill", "expression": "{{ $json. }}" })).await;
    assert!(broken["data"]["expressionPreview"]["error"].is_string(), "{broken}");
    let beyond = ask(json!({ "node": "Fill", "expression": "{{ 1 }}", "itemIndex": 7 })).await;
    assert_eq!(beyond["data"]["expressionPreview"]["error"], "there is no item 7: 1 are there", "{beyond}");
    for wrong in [
        json!({ "node": "Nobody", "expression": "{{ 1 }}" }),
        json!({ "node": "Fill", "runIndex": 3, "expression": "{{ 1 }}" }),
    ] {
        let answer = ask(wrong).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT", "{answer}");
    }
    server.stop().await;
}
