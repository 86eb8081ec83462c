//! Moments by position, time and revision, differences, and events that this build does not know.

use serde_json::{Value, json};
use timeloom_store::{EventLog as _, StreamKey};

use crate::support::{TENANT, TestServer, append_raw, text, unknown_id};

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn the_same_moment_can_be_named_in_three_ways_wherever_one_thing_is_read() {
    let server = TestServer::start();
    let (workflow, position) = server.import("Moments").await;
    let (execution, stream) = server.execution(&workflow).await;
    let all =
        server.log.read_stream(&stream, Default::default(), timeloom_store::Direction::Forward, 10).await.unwrap();
    let query = "query($id: ID!, $uuid: UUID!, $asOf: AsOf, $waitFor: Position) {
        stateAt(entity: { kind: EXECUTION, id: $id }, asOf: $asOf) { position revision status kind category }
        execution(id: $uuid, asOf: $asOf, waitFor: $waitFor) { status updatedPosition nodeRuns { nodes { node } } } }";
    let newest = all.last().unwrap().position.to_string();
    for event in &all {
        let mut answers = Vec::new();
        for as_of in [
            json!({ "position": event.position.to_string() }),
            json!({ "time": event.recorded_at }),
            json!({ "revision": event.revision }),
        ] {
            let variables = json!({ "id": execution, "uuid": execution, "asOf": as_of, "waitFor": newest });
            answers.push(server.data(query, variables).await);
        }
        assert_eq!(answers[0]["stateAt"]["revision"], json!(event.revision));
        assert_eq!(answers[0]["stateAt"]["category"], "execution");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
    let by_revision = "query($id: UUID!) { workflow(id: $id, asOf: { revision: 1 }) { name history { revision } } }";
    let data = server.data(by_revision, json!({ "id": workflow })).await;
    assert_eq!(data["workflow"], json!({ "name": "Moments", "history": { "revision": 1 } }), "{position}");
    server.stop().await;
}

#[tokio::test]
async fn moments_that_are_not_there_are_refused_by_code() {
    let server = TestServer::start();
    let (workflow, _) = server.import("Moments").await;
    let state = "query($id: ID!, $asOf: AsOf) { stateAt(entity: { kind: WORKFLOW, id: $id }, asOf: $asOf) { status } }";
    let ask = async |as_of: Value| server.ask(state, json!({ "id": workflow, "asOf": as_of })).await;
    let answer = ask(json!({ "revision": 9 })).await;
    assert_eq!(code(&answer), "REVISION_NOT_REACHED");
    assert!(text(&answer["errors"][0]["message"]).ends_with("its revisions go from 1 to 1"), "{answer}");
    assert_eq!(code(&ask(json!({ "position": "900" })).await), "POSITION_NOT_REACHED");
    assert_eq!(ask(json!({ "time": "2999-01-01T00:00:00Z" })).await["data"]["stateAt"]["status"], "draft");
    assert_eq!(ask(json!({ "time": "1999-01-01T00:00:00Z" })).await["data"]["stateAt"], Value::Null);

    for list in ["workflows(asOf: { revision: 1 }) { nodes { id } }", "events(asOf: { revision: 1 }) { nodes { id } }"]
    {
        let answer = server.ask(&format!("{{ {list} }}"), Value::Null).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT");
        assert!(text(&answer["errors"][0]["message"]).contains("give a position or a time"), "{answer}");
    }
    let nothing = "query($id: UUID!) { workflow(id: $id, asOf: { revision: 1 }) { id } }";
    assert_eq!(server.data(nothing, json!({ "id": unknown_id() })).await["workflow"], Value::Null);
    for neither in ["stateAt { status }", "stateDiff(from: { revision: 1 }) { patch }"] {
        let answer = server.ask(&format!("{{ {neither} }}"), Value::Null).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT", "{answer}");
    }
    let diff = "query($id: ID!) { stateDiff(entity: { kind: WORKFLOW, id: $id }, from: { revision: 1 }) { patch } }";
    assert_eq!(code(&server.ask(diff, json!({ "id": unknown_id() })).await), "STREAM_NOT_FOUND");
    server.stop().await;
}

#[tokio::test]
async fn parts_of_many_states_are_given_in_one_request() {
    let server = TestServer::start();
    let (workflow, _) = server.import("Parts").await;
    let (execution, _) = server.execution(&workflow).await;
    // More than are folded at the same time, and each asks for more while it is held.
    let one = |alias: usize| {
        format!(
            "s{alias}: stateAt(entity: {{ kind: EXECUTION, id: $id }}) {{ status state part(path: \"/status\") \
             run: part(path: \"/node_runs/0\") nothing: part(path: \"/nothing/there\") \
             provenance(path: \"/status\") {{ writtenBy {{ type }} }} }}"
        )
    };
    let query = format!("query($id: ID!) {{ {} }}", (0..4).map(one).collect::<String>());
    let data = server.data(&query, json!({ "id": execution })).await;
    for alias in ["s0", "s1", "s2", "s3"] {
        let found = &data[alias];
        assert_eq!(found["part"], found["status"], "{found}");
        assert_eq!(found["run"], found["state"]["node_runs"][0], "{found}");
        assert_eq!((&found["nothing"], found["run"].is_object()), (&Value::Null, true), "{found}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_difference_is_a_patch_with_what_was_there_and_the_events_between() {
    let server = TestServer::start();
    let (workflow, _) = server.import("Differ").await;
    let (execution, _) = server.execution(&workflow).await;
    let query = "query($id: ID!, $to: AsOf) {
        stateDiff(entity: { kind: EXECUTION, id: $id }, from: { revision: 1 }, to: $to) {
            kind from { revision } to { revision position } patch changes { op path before after }
            events { revision type known } eventsOmitted unknownEventCount } }";
    let data = server.data(query, json!({ "id": execution, "to": { "revision": 2 } })).await;
    let diff = &data["stateDiff"];
    assert_eq!(
        (&diff["kind"], &diff["from"]["revision"], &diff["to"]["revision"]),
        (&json!("EXECUTION"), &json!(1), &json!(2))
    );
    assert_eq!(diff["events"], json!([{ "revision": 2, "type": "NodeCompleted", "known": true }]));
    assert_eq!((&diff["patch"][0]["op"], &diff["patch"][0]["path"]), (&json!("add"), &json!("/node_runs/0")));
    assert_eq!(diff["changes"][0]["after"]["node"], "Start");

    let data = server.data(query, json!({ "id": execution, "to": null })).await;
    let changes = data["stateDiff"]["changes"].as_array().unwrap();
    let status = changes.iter().find(|change| change["path"] == "/status").unwrap();
    assert_eq!(*status, json!({ "op": "replace", "path": "/status", "before": "running", "after": "completed" }));
    assert_eq!(data["stateDiff"]["events"].as_array().unwrap().len(), 3);
    server.stop().await;
}

#[tokio::test]
async fn unknown_events_are_shown_as_such_with_their_payloads() {
    let server = TestServer::start();
    let (workflow, _) = server.import("Strangers").await;
    let (execution, stream) = server.execution(&workflow).await;
    append_raw(&server.log, &stream, "ExecutionFrozen", 1, r#"{"type":"execution_frozen","by":"frost"}"#).await;
    append_raw(&server.log, &stream, "ExecutionCompleted", 9, r#"{"new":"shape"}"#).await;
    let order = StreamKey::new(TENANT, "order", "o-1");
    append_raw(&server.log, &order, "OrderPlaced", 3, r#"{"total":  12.50}"#).await;

    let query = "query($filter: EventFilter!) { events(first: 100, filter: $filter) {
        nodes { type schemaVersion known payload } } }";
    let filter = json!({ "stream": { "category": "execution", "id": execution } });
    let data = server.data(query, json!({ "filter": filter })).await;
    let events = data["events"]["nodes"].as_array().unwrap();
    let known: Vec<bool> = events.iter().map(|event| event["known"].as_bool().unwrap()).collect();
    assert_eq!(known, [true, true, true, true, false, false]);
    assert_eq!((&events[4]["payload"]["by"], &events[5]["payload"]["new"]), (&json!("frost"), &json!("shape")));
    let data = server.data(query, json!({ "filter": { "categories": ["order"] } })).await;
    let expected = json!([{ "type": "OrderPlaced", "schemaVersion": 3, "known": false, "payload": { "total": 12.5 } }]);
    assert_eq!(data["events"]["nodes"], expected);

    let query = "query($stream: StreamInput!) { stateAt(stream: $stream) {
        kind status revision state unknownEventCount unknownEvents { revision type schemaVersion } } }";
    let data = server.data(query, json!({ "stream": { "category": "execution", "id": execution } })).await;
    let state = &data["stateAt"];
    assert_eq!(
        (&state["kind"], &state["status"], &state["revision"]),
        (&json!("EXECUTION"), &json!("completed"), &json!(6))
    );
    let unknown = json!([
        { "revision": 5, "type": "ExecutionFrozen", "schemaVersion": 1 },
        { "revision": 6, "type": "ExecutionCompleted", "schemaVersion": 9 },
    ]);
    assert_eq!((&state["unknownEventCount"], &state["unknownEvents"]), (&json!(2), &unknown));
    let data = server.data(query, json!({ "stream": { "category": "order", "id": "o-1" } })).await;
    let state = &data["stateAt"];
    assert_eq!((&state["kind"], &state["status"], &state["state"]["omitted"]), (&Value::Null, &Value::Null, &json!(0)));
    assert_eq!(state["state"]["events"][0]["payload"], json!({ "total": 12.5 }));
    server.stop().await;
}
