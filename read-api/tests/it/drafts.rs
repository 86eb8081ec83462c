//! Drafts that lack something, what is told of them, and what becomes of workflows that are put away.

use serde_json::{Value, json};

use crate::support::{TestServer, text, workflow_file};

const IMPORT: &str = "mutation($input: ImportWorkflowInput!) { payload: importWorkflow(input: $input) {
    workflowId revision errors { code message }
    draftProblems { node field message severity hinders }
    workflow { name draftProblems { node field severity } } } }";

/// A file that cannot be run: a connection leads nowhere, and nothing leads to its last node.
fn incomplete() -> Value {
    let mut file = workflow_file("Half done");
    file["connections"]["Fill"] = json!({"main": [[{"node": "Nowhere", "type": "main", "index": 0}]]});
    let alone = json!({"id": "3", "name": "Alone", "type": "test.pure", "typeVersion": 1, "position": [0, 9]});
    file["nodes"].as_array_mut().unwrap().push(alone);
    file
}

#[tokio::test]
async fn a_draft_that_lacks_something_is_saved_and_told_what() {
    let server = TestServer::start();
    let payload = server.data(IMPORT, json!({ "input": { "definition": incomplete() } })).await["payload"].clone();
    assert_eq!((&payload["errors"], &payload["revision"]), (&json!([]), &json!(1)));
    let (error, hint) = (&payload["draftProblems"][0], &payload["draftProblems"][1]);
    assert_eq!((&error["node"], &error["field"]), (&json!("Fill"), &json!("connections.main[0]")));
    assert_eq!((&error["severity"], &error["hinders"]), (&json!("ERROR"), &json!(["RUN", "PUBLISH", "ACTIVATE"])));
    assert!(text(&error["message"]).contains("'Nowhere', which does not exist"), "{error}");
    assert_eq!((&hint["node"], &hint["severity"], &hint["hinders"]), (&json!("Alone"), &json!("WARNING"), &json!([])));
    assert_eq!(payload["workflow"]["draftProblems"].as_array().unwrap().len(), 2);
    let id = text(&payload["workflowId"]);

    let publish = "mutation($input: PublishWorkflowInput!) { payload: publishWorkflow(input: $input) {
        errors { code message path ... on Refused { problems { node field message } } } } }";
    let start = "mutation($input: StartExecutionInput!) { payload: startExecution(input: $input) {
        errors { code ... on Refused { problems { node field } } } } }";
    let refused = server.data(publish, json!({ "input": { "workflowId": id } })).await["payload"]["errors"][0].clone();
    assert_eq!((&refused["code"], &refused["problems"][0]["node"]), (&json!("WORKFLOW_INCOMPLETE"), &json!("Fill")));
    assert_eq!(refused["path"], json!(["input", "workflowId"]));
    assert_eq!(refused["problems"].as_array().unwrap().len(), 1, "a hint hinders nothing");
    let run = server.data(start, json!({ "input": { "workflowId": id } })).await["payload"]["errors"][0].clone();
    assert_eq!((&run["code"], &run["problems"][0]["node"]), (&json!("WORKFLOW_INCOMPLETE"), &json!("Fill")));

    let input = json!({ "definition": workflow_file("Whole"), "workflowId": id });
    let mended = server.data(IMPORT, json!({ "input": input })).await["payload"].clone();
    assert_eq!(mended["draftProblems"], json!([]));
    let done = server.data(publish, json!({ "input": { "workflowId": id } })).await;
    assert_eq!(done["payload"]["errors"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn the_past_of_a_draft_is_told_what_it_lacked_then() {
    let server = TestServer::start();
    let payload = server.data(IMPORT, json!({ "input": { "definition": incomplete() } })).await["payload"].clone();
    let (id, then) = (text(&payload["workflowId"]), server.log_head());
    server.data(IMPORT, json!({ "input": { "definition": workflow_file("Whole"), "workflowId": id } })).await;
    let query = "query($id: UUID!, $asOf: AsOf) { workflow(id: $id, asOf: $asOf) { draftProblems { node } } }";
    let problems = async |as_of: Value| {
        server.data(query, json!({ "id": id, "asOf": as_of })).await["workflow"]["draftProblems"].clone()
    };
    assert_eq!(problems(json!({ "position": then })).await.as_array().unwrap().len(), 2);
    server.wait_for_rows().await;
    assert_eq!(problems(Value::Null).await, json!([]));
    server.stop().await;
}

#[tokio::test]
async fn a_file_is_checked_without_being_taken_in() {
    let server = TestServer::start();
    let query = "query($definition: JSON, $source: String) { checkWorkflow(definition: $definition, source: $source) {
        name nodeCount problems { node severity } } }";
    let checked = server.data(query, json!({ "definition": incomplete() })).await["checkWorkflow"].clone();
    assert_eq!((&checked["name"], &checked["nodeCount"]), (&json!("Half done"), &json!(3)));
    assert_eq!(checked["problems"][0], json!({ "node": "Fill", "severity": "ERROR" }));
    for (variables, code) in [
        (json!({ "source": "{" }), "WORKFLOW_UNREADABLE"),
        (json!({}), "BAD_USER_INPUT"),
        (json!({ "source": "{}", "definition": {} }), "BAD_USER_INPUT"),
    ] {
        let answer = server.ask(query, variables).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{answer}");
    }
    let none = server.data("{ workflows { nodes { id } } }", json!({})).await;
    assert_eq!(none["workflows"]["nodes"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn what_is_done_to_a_workflow_tells_why_and_its_versions_tell_who() {
    let server = TestServer::start();
    let (id, _) = server.import("one").await;
    let change = async |field: &str, kind: &str, input: Value| {
        let mutation = format!(
            "mutation($input: {kind}!) {{ payload: {field}(input: $input) {{
                errors {{ code message path }} workflow {{ archived activeVersion }} }} }}"
        );
        server.data(&mutation, json!({ "input": input })).await["payload"].clone()
    };
    let because = |reason: &str| json!({ "workflowId": id, "reason": reason });
    assert_eq!(change("publishWorkflow", "PublishWorkflowInput", because("the first")).await["errors"], json!([]));
    let second = json!({ "definition": workflow_file("two"), "workflowId": id });
    server.data(IMPORT, json!({ "input": second })).await;
    change("publishWorkflow", "PublishWorkflowInput", because("it is better")).await;
    change("activateWorkflow", "ActivateWorkflowInput", json!({ "workflowId": id, "version": 1, "reason": "back" }))
        .await;
    let versions = "query($id: UUID!, $first: Int, $after: String, $p: Position) { workflow(id: $id, waitFor: $p) {
        versions(first: $first, after: $after) { nodes { version active reason publishedAt actor { kind } definition }
            pageInfo { hasNextPage endCursor } } } }";
    let ask = async |more: Value| {
        let mut variables = json!({ "id": id, "p": server.log_head() });
        variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.data(versions, variables).await["workflow"]["versions"].clone()
    };
    let newest = ask(json!({ "first": 1 })).await;
    assert_eq!((&newest["nodes"][0]["version"], &newest["nodes"][0]["active"]), (&json!(2), &json!(false)));
    assert_eq!(newest["nodes"][0]["reason"], "it is better");
    let before = ask(json!({ "after": newest["pageInfo"]["endCursor"] })).await;
    let first = &before["nodes"][0];
    assert_eq!((&first["version"], &first["active"], &first["reason"]), (&json!(1), &json!(true), &json!("the first")));
    assert_eq!((&first["definition"]["name"], &first["actor"]["kind"]), (&json!("one"), &json!("local")));
    assert_eq!(before["pageInfo"]["hasNextPage"], false);

    let folder = json!({ "workflowId": id, "folder": "Bills", "reason": "tidying up" });
    change("moveWorkflow", "MoveWorkflowInput", folder).await;
    let archived = change("archiveWorkflow", "WorkflowInput", because("not used")).await;
    assert_eq!(archived["workflow"], json!({ "archived": true, "activeVersion": null }));
    let refused = change("publishWorkflow", "PublishWorkflowInput", because("no")).await;
    assert_eq!(refused["errors"][0]["code"], "WORKFLOW_ARCHIVED");
    assert!(text(&refused["errors"][0]["message"]).contains("unarchive it first"), "{refused}");
    let back = change("unarchiveWorkflow", "WorkflowInput", because("used after all")).await;
    assert_eq!(back["workflow"], json!({ "archived": false, "activeVersion": null }));
    let events = "query($id: ID!) { events(filter: { stream: { category: \"workflow\", id: $id } }, last: 3) {
        nodes { type reason } } }";
    let told = server.data(events, json!({ "id": id })).await["events"]["nodes"].clone();
    let expected =
        [("WorkflowMoved", "tidying up"), ("WorkflowArchived", "not used"), ("WorkflowUnarchived", "used after all")];
    assert_eq!(told, json!(expected.map(|(event, reason)| json!({ "type": event, "reason": reason }))));
    let long = change("archiveWorkflow", "WorkflowInput", because(&"x".repeat(2_000))).await;
    assert_eq!(long["errors"][0]["path"], json!(["input", "reason"]), "{long}");
    server.stop().await;
}

#[tokio::test]
async fn the_server_tells_what_it_is() {
    let server = TestServer::start();
    let query = "{ serverInfo { version backend features startedAt uptimeMs } }";
    server.data(query, json!({})).await;
    let info = server.data(query, json!({})).await["serverInfo"].clone();
    assert_eq!((&info["backend"], &info["features"]), (&json!("memory"), &json!(["traces"])));
    assert!(
        text(&info["version"]).contains('.') && info["uptimeMs"].is_i64() && info["startedAt"].is_string(),
        "{info}"
    );
    server.stop().await;
}
