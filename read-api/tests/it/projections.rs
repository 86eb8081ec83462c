//! What the projections tell of themselves, and their rebuild and retry through the API.

use serde_json::{Value, json};
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_store::{EventLog as _, StreamKey};

use crate::support::{TENANT, TestServer, append_raw, unknown_id};

const STATUS: &str = "{ projections { name position lag eventsPerSecond parkedCount role
    firstParked { position category streamId revision type error } stopped { position reason }
    building { position lag } lastError { message secondsAgo over } } }";
const REBUILD: &str = "mutation($input: RebuildProjectionsInput!) { rebuildProjections(input: $input) {
    report { events rows seconds position } timedOut projections { name position parkedCount building { lag } }
    errors { code message } } }";
const RETRY: &str = "mutation($input: RetryParkedEventsInput!) { retryParkedEvents(input: $input) {
    parkedCount timedOut projections { name parkedCount } errors { code message } } }";
const PARKED: &str = "query($projection: String!, $first: Int, $after: String) {
    parkedEvents(projection: $projection, first: $first, after: $after) {
        nodes { position category streamId revision type error } pageInfo { hasNextPage endCursor } } }";

/// What the projections tell once the rows hold everything.
async fn status(server: &TestServer) -> Vec<Value> {
    let query = "query($position: Position) { executions(first: 1, waitFor: $position) { nodes { id } } }";
    server.data(query, json!({ "position": server.log.head().0.to_string() })).await;
    server.data(STATUS, json!({})).await["projections"].as_array().unwrap().clone()
}

fn named<'a>(projections: &'a [Value], name: &str) -> &'a Value {
    projections.iter().find(|projection| projection["name"] == name).unwrap()
}

/// An execution whose first event no build can read, and one event after it; its stream.
async fn poisoned(server: &TestServer) -> StreamKey {
    let stream = StreamKey::new(TENANT, ExecutionEvent::CATEGORY, unknown_id().to_string());
    append_raw(&server.log, &stream, "ExecutionStarted", 1, r#"{"wrong":true}"#).await;
    append_raw(&server.log, &stream, "ExecutionCompleted", 1, r#"{"at_ms":1}"#).await;
    stream
}

#[tokio::test]
async fn a_poisoned_event_is_shown_tried_again_and_rebuilt_around() {
    let server = TestServer::start();
    let (workflow, _) = server.import("Flow").await;
    let (good, _) = server.execution(&workflow).await;
    let stream = poisoned(&server).await;
    let first = json!({ "position": "6", "category": "execution", "streamId": &*stream.id, "revision": 1,
        "type": "ExecutionStarted" });

    let projections = status(&server).await;
    let executions = named(&projections, "executions");
    assert_eq!((&executions["position"], &executions["lag"]), (&json!("7"), &json!(0)));
    assert_eq!((&executions["parkedCount"], &executions["role"]), (&json!(2), &json!("WRITER")));
    let mut shown = executions["firstParked"].clone();
    let error = shown.as_object_mut().unwrap().remove("error").unwrap();
    assert_eq!(shown, first);
    assert!(error.as_str().unwrap().contains("the event at position 6 cannot be read"), "{error}");
    assert_eq!((&executions["lastError"]["message"], &executions["lastError"]["over"]), (&error, &json!(false)));
    assert_eq!((&executions["stopped"], &executions["building"]), (&Value::Null, &Value::Null));
    assert_eq!(named(&projections, "workflows")["parkedCount"], json!(0));

    let page = |after: Value| json!({ "projection": "executions", "first": 1, "after": after });
    let one = server.data(PARKED, page(Value::Null)).await["parkedEvents"].clone();
    assert_eq!((&one["nodes"][0]["error"], &one["pageInfo"]["hasNextPage"]), (&error, &json!(true)));
    let two = server.data(PARKED, page(one["pageInfo"]["endCursor"].clone())).await["parkedEvents"].clone();
    assert_eq!((&two["nodes"][0]["type"], &two["nodes"][0]["error"]), (&json!("ExecutionCompleted"), &Value::Null));
    assert_eq!(two["pageInfo"]["hasNextPage"], json!(false));

    let retried =
        server.data(RETRY, json!({ "input": { "names": ["executions"] } })).await["retryParkedEvents"].clone();
    assert_eq!((&retried["parkedCount"], &retried["errors"]), (&json!(2), &json!([])));

    let input = json!({ "input": { "names": ["executions"], "waitFor": "COMPLETED" } });
    let rebuilt = server.data(REBUILD, input).await["rebuildProjections"].clone();
    assert_eq!((&rebuilt["errors"], &rebuilt["timedOut"]), (&json!([]), &json!(false)));
    let report = &rebuilt["report"];
    assert_eq!((&report["events"], &report["position"]), (&json!(7), &json!("7")), "{report}");
    assert!(report["rows"].as_u64().unwrap() > 0 && report["seconds"].as_f64().unwrap() > 0.0, "{report}");
    let after = rebuilt["projections"].as_array().unwrap();
    assert_eq!(named(after, "executions")["parkedCount"], json!(2), "as wrong as before");
    assert_eq!(named(after, "executions")["building"], Value::Null);
    let shown = server.data("{ executions { nodes { id } } }", json!({})).await;
    assert_eq!(shown["executions"]["nodes"], json!([{ "id": good }]));
    server.stop().await;
}

#[tokio::test]
async fn a_rebuild_is_begun_and_goes_on_by_itself() {
    let server = TestServer::start();
    let (workflow, _) = server.import("Flow").await;
    server.execution(&workflow).await;
    status(&server).await;
    let begun = server.data(REBUILD, json!({ "input": {} })).await["rebuildProjections"].clone();
    assert_eq!((&begun["report"], &begun["timedOut"], &begun["errors"]), (&Value::Null, &json!(false), &json!([])));
    // Joins what was begun, or does it once more; either way everything is built when it answers.
    let done = server.data(REBUILD, json!({ "input": { "waitFor": "COMPLETED" } })).await["rebuildProjections"].clone();
    assert_eq!((&done["report"]["position"], &done["timedOut"]), (&json!("5"), &json!(false)));
    assert!(done["projections"].as_array().unwrap().iter().all(|each| each["building"].is_null()), "{done}");
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_what_can() {
    let server = TestServer::start();
    server.import("Flow").await;
    status(&server).await;
    for (query, field) in [(REBUILD, "rebuildProjections"), (RETRY, "retryParkedEvents")] {
        let unknown = server.data(query, json!({ "input": { "names": ["executions", "orders"] } })).await;
        let error = &unknown[field]["errors"][0];
        assert_eq!(error["code"], "PROJECTION_NOT_FOUND");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("'orders'") && message.contains("workflows, ") && message.contains("node_runs"));
        let long = server.data(query, json!({ "input": { "timeoutMs": 300_001 } })).await;
        assert_eq!(long[field]["errors"][0]["code"], "TIMEOUT_TOO_LONG");
        let many = server.ask(query, json!({ "input": { "names": vec!["executions"; 51] } })).await;
        assert!(many["errors"][0]["message"].is_string(), "{many}");
    }
    let unknown = server.ask(PARKED, json!({ "projection": "orders", "first": 1 })).await;
    assert_eq!(unknown["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    let soon = json!({ "at": (server.log.head().0 + 1).to_string() });
    let both = "query($at: Position) { projections(waitFor: $at) { position } parkedEvents(projection: \"executions\", waitFor: $at) { nodes { position } } }";
    let asked = server.ask(both, soon);
    let imported = async { server.import("Later").await };
    let (answer, _) = tokio::join!(asked, imported);
    assert_eq!(answer.get("errors"), None, "they waited for it: {answer}");
    let large = server.ask(PARKED, json!({ "projection": "executions", "first": 101 })).await;
    assert_eq!(large["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    server.stop().await;
}

#[tokio::test]
async fn parked_events_of_other_tenants_are_counted_and_not_shown() {
    let server = TestServer::start();
    let stranger = timeloom_domain::ids::TenantId(TENANT.0 + 1);
    let stream = StreamKey::new(stranger, ExecutionEvent::CATEGORY, unknown_id().to_string());
    append_raw(&server.log, &stream, "ExecutionStarted", 1, r#"{"wrong":true}"#).await;
    let projections = status(&server).await;
    let executions = named(&projections, "executions");
    assert_eq!((&executions["parkedCount"], &executions["firstParked"]), (&json!(1), &Value::Null));
    let none = server.data(PARKED, json!({ "projection": "executions", "first": 10 })).await;
    assert_eq!(none["parkedEvents"]["nodes"], json!([]));
    server.stop().await;
}
