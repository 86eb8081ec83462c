//! Every read, now and as of earlier moments.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use timeloom_domain::event::OWN_CATEGORIES;
use timeloom_store::{Direction, EventLog, Filter, Position, StreamKey, TenantScope};

use crate::support::{TestServer, append, completed, node_completed, started, text, unknown_id};

#[tokio::test]
async fn a_workflow_is_read_with_its_definition_and_events() {
    let server = TestServer::start();
    let (id, position) = server.import("First").await;
    let query = "query($id: UUID!, $position: Position!) { workflow(id: $id, waitFor: $position) {
        id name nodeCount archived publishedVersion definition history { createdPosition revision }
        events(first: 5) { nodes { type position revision actor { kind name } payload } } } }";
    let data = server.data(query, json!({ "id": id, "position": position })).await;
    let workflow = &data["workflow"];
    assert_eq!(workflow["name"], "First");
    assert_eq!(workflow["nodeCount"], 2);
    assert_eq!(workflow["definition"]["nodes"][1]["name"], "Fill");
    assert_eq!(workflow["history"], json!({ "createdPosition": position, "revision": 1 }));
    let event = &workflow["events"]["nodes"][0];
    assert_eq!(event["type"], "WorkflowCreated");
    assert_eq!(event["actor"], json!({ "kind": "local", "name": "api" }));
    assert_eq!(event["payload"]["definition"]["name"], "First");
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_null() {
    let server = TestServer::start();
    let query = "query($id: UUID!) { workflow(id: $id) { id } execution(id: $id) { id } plugin(name: \"x\") { name }
        model(name: \"Not A Name\") { name } stateAt(entity: {kind: EXECUTION, id: \"x\"}) { status } }";
    let data = server.data(query, json!({ "id": unknown_id() })).await;
    assert_eq!(data, json!({ "workflow": null, "execution": null, "plugin": null, "model": null, "stateAt": null }));
    server.stop().await;
}

#[tokio::test]
async fn lists_are_paged_newest_first_and_bounded() {
    let server = TestServer::start();
    server.import("One").await;
    server.import("Two").await;
    let (_, position) = server.import("Three").await;
    let query = "query($first: Int!, $after: String, $position: Position) {
        workflows(first: $first, after: $after, waitFor: $position) {
            nodes { name } pageInfo { hasNextPage hasPreviousPage endCursor } } }";
    let first = server.data(query, json!({ "first": 2, "position": position })).await;
    let page = &first["workflows"];
    assert_eq!(page["nodes"], json!([{ "name": "Three" }, { "name": "Two" }]));
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    let second = server.data(query, json!({ "first": 2, "after": page["pageInfo"]["endCursor"] })).await;
    assert_eq!(second["workflows"]["nodes"], json!([{ "name": "One" }]));
    assert_eq!(second["workflows"]["pageInfo"]["hasNextPage"], false);
    assert_eq!(second["workflows"]["pageInfo"]["hasPreviousPage"], true);
    for wrong in [json!({ "first": 101 }), json!({ "first": -1 }), json!({ "first": 1, "after": "nonsense" })] {
        let answer = server.ask(query, wrong).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn every_read_answers_as_of_an_earlier_moment() {
    let server = TestServer::start();
    let (id, first) = server.import("Before").await;
    let query = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { position } }";
    let renamed = crate::support::workflow_file("After");
    let data = server.data(query, json!({ "input": { "workflowId": id, "source": renamed.to_string() } })).await;
    let second = text(&data["importWorkflow"]["position"]);
    let query = "query($id: UUID!, $key: ID!, $asOf: AsOf, $waitFor: Position) {
        workflow(id: $id, asOf: $asOf, waitFor: $waitFor) { name definition events { nodes { type } } }
        workflows(asOf: $asOf) { nodes { name } }
        events(asOf: $asOf) { nodes { type } }
        head(asOf: $asOf) { position }
        stateAt(entity: { kind: WORKFLOW, id: $key }, asOf: $asOf) { status revision position state } }";
    let at = |as_of| json!({ "id": id, "key": id, "asOf": as_of, "waitFor": second });
    let past = server.data(query, at(json!({ "position": first }))).await;
    assert_eq!(past["workflow"]["name"], "Before");
    assert_eq!(past["workflow"]["definition"]["name"], "Before");
    assert_eq!(past["workflow"]["events"]["nodes"], json!([{ "type": "WorkflowCreated" }]));
    assert_eq!(past["workflows"]["nodes"], json!([{ "name": "Before" }]));
    assert_eq!(past["events"]["nodes"], json!([{ "type": "WorkflowCreated" }]));
    assert_eq!(past["head"]["position"], first.as_str());
    assert_eq!(past["stateAt"]["revision"], 1);
    assert_eq!(past["stateAt"]["state"]["draft"]["name"], "Before");
    let now = server.data(query, at(json!(null))).await;
    assert_eq!(now["workflow"]["name"], "After");
    assert_eq!(now["stateAt"]["state"]["draft"]["name"], "After");
    assert_eq!(now["stateAt"]["position"], second.as_str());
    let (scope, filter) = (TenantScope::All, Filter::default());
    let events = server.log.read_all(scope, Position::START, Direction::Forward, &filter, 1).await.unwrap();
    let time = events[0].recorded_at;
    let timed = server.data(query, at(json!({ "time": time.to_rfc3339() }))).await;
    assert_eq!(timed["workflow"]["name"], "Before");
    let both = server.ask(query, at(json!({ "position": first, "time": time.to_rfc3339() }))).await;
    assert!(both["errors"][0]["message"].is_string(), "{both}");
    server.stop().await;
}

#[tokio::test]
async fn an_execution_is_read_with_its_node_runs_and_their_data() {
    let server = TestServer::start();
    let (workflow_id, _) = server.import("Flow").await;
    let (id, _) = server.execution(&workflow_id).await;
    let head = server.log.head().to_string();
    let query = "query($id: UUID!, $head: Position) { execution(id: $id, waitFor: $head) {
        status mode startNode startedAt endedAt nodesCompleted workflow { name }
        nodeRuns(first: 1) { nodes { node executionIndex status durationMs output error itemCounts } pageInfo { hasNextPage endCursor } }
        rest: nodeRuns(after: \"YXQ6MA\") { nodes { node output sources } }
        events(first: 2) { nodes { type } pageInfo { hasNextPage endCursor } } } }";
    let data = server.data(query, json!({ "id": id, "head": head })).await;
    let execution = &data["execution"];
    assert_eq!(execution["status"], "COMPLETED");
    assert_eq!(execution["mode"], "MANUAL");
    assert_eq!(execution["nodesCompleted"], 2);
    assert_eq!(execution["workflow"]["name"], "Flow");
    let run = &execution["nodeRuns"]["nodes"][0];
    assert_eq!(run["node"], "Start");
    assert_eq!(run["output"], json!([[{ "json": { "n": 1 } }]]));
    assert_eq!(run["itemCounts"], json!([1]));
    assert_eq!(run["durationMs"], 0.25);
    assert_eq!(run["error"], json!(null));
    assert_eq!(execution["nodeRuns"]["pageInfo"]["hasNextPage"], true);
    assert_eq!(execution["rest"]["nodes"][0]["node"], "Fill");
    assert_eq!(execution["rest"]["nodes"][0]["output"], json!([[{ "json": { "n": 2 } }]]));
    assert_eq!(execution["events"]["nodes"], json!([{ "type": "ExecutionStarted" }, { "type": "NodeCompleted" }]));
    assert_eq!(execution["events"]["pageInfo"]["hasNextPage"], true);
    server.stop().await;
}

#[tokio::test]
async fn executions_are_filtered_by_workflow_and_status() {
    let server = TestServer::start();
    let (one, _) = server.import("One").await;
    let (two, _) = server.import("Two").await;
    let (done, stream) = server.execution(&one).await;
    let other = StreamKey::new(stream.tenant, "execution", unknown_id().to_string());
    let position = append(&server.log, &other, vec![started(&two)]).await.to_string();
    let query = "query($workflow: UUID, $status: ExecutionStatus, $position: Position) {
        executions(workflowId: $workflow, status: $status, waitFor: $position) { nodes { id status } } }";
    let all = server.data(query, json!({ "position": position })).await;
    assert_eq!(all["executions"]["nodes"].as_array().unwrap().len(), 2);
    let of_one = server.data(query, json!({ "workflow": one })).await;
    assert_eq!(of_one["executions"]["nodes"], json!([{ "id": done, "status": "COMPLETED" }]));
    let running = server.data(query, json!({ "status": "RUNNING" })).await;
    assert_eq!(running["executions"]["nodes"], json!([{ "id": unknown_id(), "status": "RUNNING" }]));
    let past = server
        .data("query($at: Position!) { executions(asOf: {position: $at}) { nodes { status } } }", json!({ "at": "4" }))
        .await;
    assert_eq!(past["executions"]["nodes"], json!([{ "status": "RUNNING" }]));
    server.stop().await;
}

#[tokio::test]
async fn events_are_filtered_and_go_both_ways() {
    let server = TestServer::start();
    let (workflow_id, _) = server.import("Flow").await;
    let (id, _) = server.execution(&workflow_id).await;
    let query = "query($filter: EventFilter, $direction: Direction, $first: Int = 20, $after: String) {
        events(filter: $filter, direction: $direction, first: $first, after: $after) {
            edges { cursor node { type category streamId position } } pageInfo { hasNextPage endCursor } } }";
    let types = |data: &serde_json::Value| -> Vec<String> {
        data["events"]["edges"].as_array().unwrap().iter().map(|edge| text(&edge["node"]["type"])).collect()
    };
    let forward = json!({ "filter": {}, "direction": "FORWARD" });
    let all = types(&server.data(query, forward).await);
    assert_eq!(all.len(), 5);
    let executions =
        json!({ "filter": { "categories": ["execution"], "types": ["NodeCompleted"] }, "direction": "FORWARD" });
    assert_eq!(types(&server.data(query, executions).await), ["NodeCompleted", "NodeCompleted"]);
    // Whoever may see some categories alone names each of them.
    let named = json!({ "filter": { "categories": OWN_CATEGORIES }, "direction": "FORWARD" });
    let named = types(&server.data(query, named).await);
    assert_eq!(named.get(..all.len()), Some(&*all), "{named:?}");
    let stream = json!({ "category": "execution", "id": id });
    let back = json!({ "filter": { "stream": stream }, "direction": "BACKWARD", "first": 3 });
    let page = server.data(query, back).await;
    assert_eq!(types(&page), ["ExecutionCompleted", "NodeCompleted", "NodeCompleted"]);
    let after = page["events"]["pageInfo"]["endCursor"].clone();
    let back = json!({ "filter": { "stream": stream }, "direction": "BACKWARD", "first": 3, "after": after });
    let page = server.data(query, back).await;
    assert_eq!(types(&page), ["ExecutionStarted"]);
    assert_eq!(page["events"]["pageInfo"]["hasNextPage"], false);
    server.stop().await;
}

#[tokio::test]
async fn the_state_of_an_execution_is_exact_at_every_event() {
    let server = TestServer::start();
    let (workflow_id, _) = server.import("Flow").await;
    let (id, _) = server.execution(&workflow_id).await;
    let query = "query($id: ID!, $at: Position!) { stateAt(entity: {kind: EXECUTION, id: $id}, asOf: {position: $at}) {
        status revision lastEventType state } }";
    let expected = [
        (1, None, 0),
        (2, Some("running"), 0),
        (3, Some("running"), 1),
        (4, Some("running"), 2),
        (5, Some("completed"), 2),
    ];
    for (position, status, runs) in expected {
        let data = server.data(query, json!({ "id": id, "at": position })).await;
        let state = &data["stateAt"];
        assert_eq!(state["status"].as_str(), status, "at {position}");
        if status.is_some() {
            assert_eq!(state["state"]["node_runs"].as_array().unwrap().len(), runs, "at {position}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_position_that_the_log_does_not_have_is_named() {
    let server = TestServer::start();
    let answer = server.ask("{ workflows(asOf: {position: 99}) { nodes { id } } }", json!({})).await;
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "POSITION_NOT_REACHED");
    assert!(text(&error["message"]).contains("99"), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn a_read_waits_for_the_position_that_it_names() {
    let server = Arc::new(TestServer::start_behind());
    let (id, position) = server.import("Late").await;
    let query = "query($id: UUID!, $position: Position) { workflow(id: $id, waitFor: $position) { name } }";
    assert_eq!(server.data(query, json!({ "id": id })).await["workflow"], json!(null), "nothing is folded yet");
    let (early, ()) = tokio::join!(server.data(query, json!({ "id": id, "position": position })), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.catch_up();
    });
    assert_eq!(early["workflow"]["name"], "Late");
    let answer = server.ask("{ head(waitFor: 50) { position } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "POSITION_NOT_REACHED");
    Arc::into_inner(server).unwrap().stop().await;
}

#[tokio::test]
async fn the_catalogue_says_which_nodes_there_are() {
    let server = TestServer::start();
    let query = "{ nodeCatalogue { type role versions inputs } one: nodeCatalogue(type: \"test.pure\") {
        type parameters { name kind options required label default choices { value label description } versions } } }";
    let data = server.data(query, json!({})).await;
    let trigger = data["nodeCatalogue"].as_array().unwrap().iter().find(|node| node["type"] == "test.trigger");
    assert_eq!(trigger.unwrap()["role"], "TRIGGER");
    let expected = json!([{ "type": "test.pure", "parameters": [
        { "name": "mode", "kind": "OPTIONS", "options": ["fast", "slow"], "required": false, "label": "Mode",
          "default": "fast", "versions": [1.0], "choices": [
            { "value": "fast", "label": "Fast", "description": null },
            { "value": "slow", "label": "Slow", "description": "With care." }] }] }]);
    assert_eq!(data["one"], expected);
    server.stop().await;
}

#[tokio::test]
async fn the_head_is_the_newest_event() {
    let server = TestServer::start();
    let empty = server.data("{ head { position recordedAt } }", json!({})).await;
    assert_eq!(empty["head"], json!({ "position": "0", "recordedAt": null }));
    let stream = StreamKey::new(crate::support::TENANT, "execution", unknown_id().to_string());
    append(
        &server.log,
        &stream,
        vec![started(&unknown_id().to_string()), node_completed("A", 0, json!({})), completed()],
    )
    .await;
    let data = server.data("{ head(waitFor: 3) { position recordedAt } }", json!({})).await;
    assert_eq!(data["head"]["position"], "3");
    assert!(data["head"]["recordedAt"].is_string());
    server.stop().await;
}

#[tokio::test]
async fn the_processes_of_a_log_tell_what_they_do_and_have() {
    let server = TestServer::start();
    let data = server.data("{ workers { id roles address shards live startedAt heartbeatAt } }", json!({})).await;
    let worker = &data["workers"][0];
    assert_eq!(data["workers"].as_array().unwrap().len(), 1, "{data}");
    assert_eq!(worker["roles"], json!(["API", "ENGINE", "PROJECTOR", "SCHEDULER"]));
    assert_eq!(worker["shards"], json!((0..64).collect::<Vec<_>>()), "whoever is alone has all of them");
    assert_eq!((&worker["address"], &worker["live"]), (&json!("http://127.0.0.1:1"), &json!(true)));
    assert!(worker["startedAt"].as_str().unwrap() <= worker["heartbeatAt"].as_str().unwrap(), "{worker}");
    server.stop().await;
}
