//! Every change, and why changes are refused.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{TestServer, completed, failed, text, unknown_id, workflow_file};

const START: &str = "mutation($input: StartExecutionInput!) { startExecution(input: $input) {
    executionId status timedOut position revision repeated failure errors { code message } } }";

async fn start(server: &TestServer, input: Value) -> Value {
    server.data(START, json!({ "input": input })).await["startExecution"].clone()
}

#[tokio::test]
async fn a_workflow_is_imported_changed_published_and_archived() {
    let server = TestServer::start();
    let (id, _) = server.import("Flow").await;
    let input = json!({ "workflowId": id });
    let query = "mutation($input: WorkflowInput!, $publish: PublishWorkflowInput!, $settings: ChangeWorkflowSettingsInput!, $pins: ChangeWorkflowPinsInput!) {
        changeWorkflowSettings(input: $settings) { revision errors { code } }
        changeWorkflowPins(input: $pins) { revision errors { code } }
        publishWorkflow(input: $publish) { revision errors { code } workflow { publishedVersion settings { executionOrder } } }
        archiveWorkflow(input: $input) { revision repeated errors { code } workflow { archived } } }";
    let settings = json!({ "workflowId": id, "settings": { "executionOrder": "v1" } });
    let pins = json!({ "workflowId": id, "node": "Fill", "items": [{ "a": 1 }] });
    let data =
        server.data(query, json!({ "input": input, "publish": input, "settings": settings, "pins": pins })).await;
    assert_eq!(data["changeWorkflowSettings"], json!({ "revision": 2, "errors": [] }));
    assert_eq!(data["changeWorkflowPins"], json!({ "revision": 3, "errors": [] }));
    assert_eq!(data["publishWorkflow"]["workflow"]["publishedVersion"], 1);
    assert_eq!(data["publishWorkflow"]["workflow"]["settings"]["executionOrder"], "v1");
    assert_eq!(data["archiveWorkflow"]["workflow"]["archived"], true);
    let again =
        server.data(query, json!({ "input": input, "publish": input, "settings": settings, "pins": pins })).await;
    assert_eq!(again["publishWorkflow"]["errors"], json!([{ "code": "WORKFLOW_ARCHIVED" }]));
    server.stop().await;
}

#[tokio::test]
async fn workflows_lie_in_folders_and_are_found_by_these_and_by_name() {
    let server = TestServer::start();
    let (invoices, _) = server.import("Invoices").await;
    let (reminders, _) = server.import("Late REMINDERS").await;
    let to = "mutation($input: MoveWorkflowInput!) { moveWorkflow(input: $input) {
        revision errors { code path } workflow { folder } } }";
    let put = async |id: &str, folder: &str| {
        server.data(to, json!({ "input": { "workflowId": id, "folder": folder } })).await["moveWorkflow"].clone()
    };
    put(&invoices, "Billing").await;
    let moved = put(&reminders, "Billing/Late").await;
    assert_eq!(moved, json!({ "revision": 2, "errors": [], "workflow": { "folder": "Billing/Late" } }));
    let wrong = put(&reminders, "Billing//Late").await;
    assert_eq!(wrong["errors"], json!([{ "code": "INVALID_FOLDER", "path": ["input", "folder"] }]));
    let query = "query($name: String, $folder: String) {
        workflowFolders { path workflowCount } workflows(first: 10, name: $name, folder: $folder) { nodes { name } } }";
    let names = async |name: Value, folder: Value| {
        let data = server.data(query, json!({ "name": name, "folder": folder })).await;
        let nodes = data["workflows"]["nodes"].as_array().unwrap().clone();
        nodes.iter().map(|node| text(&node["name"])).collect::<Vec<_>>()
    };
    assert_eq!(names(json!("reminders"), Value::Null).await, ["Late REMINDERS"]);
    assert_eq!(names(Value::Null, json!("Billing")).await, ["Late REMINDERS", "Invoices"]);
    assert_eq!(names(json!("i"), json!("Billing/Late")).await, ["Late REMINDERS"]);
    let folders = server.data(query, json!({})).await["workflowFolders"].clone();
    let expected =
        [("Billing", 1), ("Billing/Late", 1)].map(|(path, count)| json!({ "path": path, "workflowCount": count }));
    assert_eq!(folders, json!(expected));
    server.stop().await;
}

#[tokio::test]
async fn a_file_without_the_structure_of_a_workflow_is_refused_with_every_problem() {
    let server = TestServer::start();
    let query =
        "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { workflowId position workflow { id }
        errors { __typename code message ... on Refused { problems { node field message } } } } }";
    let mut file = workflow_file("Broken");
    file["nodes"][1]["name"] = json!("Start");
    file["settings"] = json!({"timezone": "Berlin time"});
    let data = server.data(query, json!({ "input": { "definition": file } })).await;
    let payload = &data["importWorkflow"];
    assert_eq!(
        (&payload["workflowId"], &payload["position"], &payload["workflow"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let error = &payload["errors"][0];
    assert_eq!((&error["__typename"], &error["code"]), (&json!("Refused"), &json!("WORKFLOW_INVALID")));
    assert_eq!((&error["problems"][0]["node"], &error["problems"][0]["field"]), (&json!("Start"), &json!("name")));
    assert_eq!(error["problems"][1]["field"], "settings.timezone");
    for (input, code) in [
        (json!({ "source": "{" }), "WORKFLOW_UNREADABLE"),
        (json!({}), "INVALID_INPUT"),
        (json!({ "source": "{}", "definition": {} }), "INVALID_INPUT"),
    ] {
        let data = server.data(query, json!({ "input": input })).await;
        assert_eq!(data["importWorkflow"]["errors"][0]["code"], code);
    }
    server.stop().await;
}

#[tokio::test]
async fn an_import_names_the_nodes_that_are_missing_and_publishing_is_refused() {
    let server = TestServer::start();
    let import = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { workflowId errors { code }
        workflow { missingNodes { node nodeType typeVersion knownVersions message replacement } } } }";
    let mut file = workflow_file("Odd");
    file["nodes"][1]["type"] = json!("test.unknown");
    let data = server.data(import, json!({ "input": { "definition": file } })).await;
    let payload = &data["importWorkflow"];
    assert_eq!(payload["errors"], json!([]));
    let missing = &payload["workflow"]["missingNodes"];
    assert_eq!((&missing[0]["node"], &missing[0]["nodeType"]), (&json!("Fill"), &json!("test.unknown")));
    assert_eq!((&missing[0]["knownVersions"], &missing[0]["replacement"]), (&json!([]), &Value::Null));
    let publish = "mutation($input: PublishWorkflowInput!) { publishWorkflow(input: $input) {
        errors { code ... on Refused { problems { node field message } } } } }";
    let data = server.data(publish, json!({ "input": { "workflowId": payload["workflowId"] } })).await;
    let error = &data["publishWorkflow"]["errors"][0];
    assert_eq!((&error["code"], &error["problems"][0]["node"]), (&json!("WORKFLOW_INCOMPLETE"), &json!("Fill")));
    assert_eq!(error["problems"][0]["message"], missing[0]["message"]);
    server.stop().await;
}

#[tokio::test]
async fn a_repeated_command_gets_its_first_answer() {
    let server = TestServer::start();
    let command_id = unknown_id();
    let query = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { workflowId position repeated errors { code } } }";
    let input = json!({ "input": { "commandId": command_id, "definition": workflow_file("Once") } });
    let first = server.data(query, input.clone()).await;
    let second = server.data(query, input).await;
    assert_eq!(first["importWorkflow"]["workflowId"], second["importWorkflow"]["workflowId"]);
    assert_eq!(first["importWorkflow"]["position"], second["importWorkflow"]["position"]);
    assert_eq!(
        (&first["importWorkflow"]["repeated"], &second["importWorkflow"]["repeated"]),
        (&json!(false), &json!(true))
    );
    server.stop().await;
}

#[tokio::test]
async fn an_execution_is_started_and_answered_at_once() {
    let server = TestServer::start_behind();
    let (id, _) = server.import("Flow").await;
    let payload = start(&server, json!({ "workflowId": id, "items": [{ "a": 1 }, { "json": { "b": 2 } }] })).await;
    assert_eq!(
        (&payload["status"], &payload["timedOut"], &payload["errors"]),
        (&json!("RUNNING"), &json!(false), &json!([]))
    );
    assert_eq!((&payload["position"], &payload["revision"]), (&json!("2"), &json!(1)));
    let key = &payload["executionId"];
    let query = "query($id: ID!) { stateAt(entity: {kind: EXECUTION, id: $id}) { state } }";
    let state = server.data(query, json!({ "id": key })).await["stateAt"]["state"].clone();
    assert_eq!(state["start"]["items"], json!([{ "json": { "a": 1 } }, { "json": { "b": 2 } }]));
    server.stop().await;
}

#[tokio::test]
async fn a_caller_gets_the_end_without_read_models() {
    let mut server = TestServer::start_behind();
    server.play_engine(completed);
    let (id, _) = server.import("Flow").await;
    let payload = start(&server, json!({ "workflowId": id, "waitFor": "COMPLETED" })).await;
    assert_eq!((&payload["status"], &payload["timedOut"]), (&json!("COMPLETED"), &json!(false)));
    assert_eq!((&payload["position"], &payload["revision"]), (&json!("4"), &json!(3)));
    assert_eq!(payload["failure"], json!(null));
    server.stop().await;
}

#[tokio::test]
async fn a_caller_gets_the_end_of_an_execution_that_went_on_as_another() {
    let mut server = TestServer::start();
    let next = unknown_id();
    server.play_engine_that_goes_on(next);
    let (id, _) = server.import("Flow").await;
    let query = "mutation($input: StartExecutionInput!) { startExecution(input: $input) {
        executionId status timedOut revision execution { id status continuedFrom continuedAs } } }";
    let data = server.data(query, json!({ "input": { "workflowId": id, "waitFor": "COMPLETED" } })).await;
    let payload = &data["startExecution"];
    assert_eq!(
        (&payload["status"], &payload["timedOut"], &payload["revision"]),
        (&json!("COMPLETED"), &json!(false), &json!(3))
    );
    let root = &payload["executionId"];
    let last = json!({ "id": next, "status": "COMPLETED", "continuedFrom": root, "continuedAs": null });
    assert_eq!(payload["execution"], last);
    let query = "query($id: UUID!) { execution(id: $id) { status continuedFrom continuedAs } }";
    let first = server.data(query, json!({ "id": root })).await;
    assert_eq!(first["execution"], json!({ "status": "CONTINUED", "continuedFrom": null, "continuedAs": next }));
    server.stop().await;
}

#[tokio::test]
async fn a_failed_execution_says_what_went_wrong() {
    let mut server = TestServer::start();
    server.play_engine(failed);
    let (id, _) = server.import("Flow").await;
    let query = "mutation($input: StartExecutionInput!) { startExecution(input: $input) {
        status failure execution { status errorMessage errorNode } } }";
    let data = server.data(query, json!({ "input": { "workflowId": id, "waitFor": "COMPLETED" } })).await;
    let payload = &data["startExecution"];
    assert_eq!(payload["status"], "FAILED");
    assert_eq!(payload["failure"]["message"], "no luck");
    assert_eq!(payload["execution"], json!({ "status": "FAILED", "errorMessage": "no luck", "errorNode": "Fill" }));
    server.stop().await;
}

#[tokio::test]
async fn a_caller_whose_time_is_up_learns_that_it_runs() {
    let server = TestServer::start();
    let (id, _) = server.import("Flow").await;
    let before = Instant::now();
    let payload = start(&server, json!({ "workflowId": id, "waitFor": "COMPLETED", "timeoutMs": 60 })).await;
    assert!(before.elapsed().as_millis() >= 60);
    assert_eq!((&payload["status"], &payload["timedOut"]), (&json!("RUNNING"), &json!(true)));
    assert!(payload["executionId"].is_string() && payload["position"].is_string());
    server.stop().await;
}

#[tokio::test]
async fn a_repeated_start_gets_the_end_that_was_before_it() {
    let mut server = TestServer::start_behind();
    server.play_engine(completed);
    let (id, _) = server.import("Flow").await;
    let input = json!({ "workflowId": id, "waitFor": "COMPLETED", "commandId": unknown_id() });
    let first = start(&server, input.clone()).await;
    let second = start(&server, input).await;
    assert_eq!((&first["repeated"], &second["repeated"]), (&json!(false), &json!(true)));
    assert_eq!(first["executionId"], second["executionId"]);
    assert_eq!((&second["status"], &second["position"]), (&json!("COMPLETED"), &first["position"]));
    server.stop().await;
}

#[tokio::test]
async fn a_start_that_cannot_be_is_refused() {
    let server = TestServer::start();
    let (id, _) = server.import("Flow").await;
    for (input, code) in [
        (json!({ "workflowId": unknown_id() }), "WORKFLOW_NOT_FOUND"),
        (json!({ "workflowId": id, "version": 9 }), "WORKFLOW_VERSION_NOT_FOUND"),
        (json!({ "workflowId": id, "mode": "PRODUCTION" }), "WORKFLOW_NOT_PUBLISHED"),
        (json!({ "workflowId": id, "items": "text" }), "INVALID_ITEMS"),
        (json!({ "workflowId": id, "timeoutMs": 300_001 }), "TIMEOUT_TOO_LONG"),
    ] {
        let payload = start(&server, input).await;
        assert_eq!(payload["errors"][0]["code"], code, "{payload}");
        assert_eq!((&payload["executionId"], &payload["status"]), (&Value::Null, &Value::Null));
    }
    server.stop().await;
}

#[tokio::test]
async fn an_execution_is_cancelled_once() {
    let server = TestServer::start();
    let (id, _) = server.import("Flow").await;
    let payload = start(&server, json!({ "workflowId": id })).await;
    let query = "mutation($input: CancelExecutionInput!) { cancelExecution(input: $input) {
        executionId errors { code message } execution { status cancelReason } } }";
    let input = json!({ "input": { "executionId": payload["executionId"], "reason": "not needed" } });
    let data = server.data(query, input).await;
    let execution = &data["cancelExecution"]["execution"];
    assert_eq!(execution, &json!({ "status": "CANCELLED", "cancelReason": "not needed" }));
    let none = server.data(query, json!({ "input": { "executionId": unknown_id() } })).await;
    assert_eq!(none["cancelExecution"]["errors"][0]["code"], "EXECUTION_NOT_FOUND");
    server.stop().await;
}

#[tokio::test]
async fn a_plugin_is_registered_enabled_disabled_and_retired() {
    let server = TestServer::start();
    let digest = "a".repeat(64);
    let query = "mutation($digest: String!) {
        registerPlugin(input: {name: \"tools/json\", description: \"JSON tools\"}) { name revision errors { code } }
        addPluginVersion(input: {name: \"tools/json\", version: \"1.0\", digest: $digest}) { revision errors { code } }
        enablePlugin(input: {name: \"tools/json\", version: \"1.0\"}) { plugin { enabledVersion versions { version } } }
        disablePlugin(input: {name: \"tools/json\", reason: \"broken\"}) { plugin { enabledVersion disabledReason } }
        retirePlugin(input: {name: \"tools/json\"}) { position plugin { retired } }
        again: enablePlugin(input: {name: \"tools/json\", version: \"1.0\"}) { errors { code } }
        bad: registerPlugin(input: {name: \"Bad Name\"}) { name errors { code message } } }";
    let data = server.data(query, json!({ "digest": digest })).await;
    assert_eq!(data["registerPlugin"], json!({ "name": "tools/json", "revision": 1, "errors": [] }));
    assert_eq!(data["enablePlugin"]["plugin"], json!({ "enabledVersion": "1.0", "versions": [{ "version": "1.0" }] }));
    assert_eq!(data["disablePlugin"]["plugin"], json!({ "enabledVersion": null, "disabledReason": "broken" }));
    assert_eq!(data["retirePlugin"]["plugin"]["retired"], true);
    assert_eq!(data["again"]["errors"], json!([{ "code": "PLUGIN_RETIRED" }]));
    assert_eq!(data["bad"]["errors"][0]["code"], "INVALID_NAME");
    let query = "query($at: AsOf) { plugin(name: \"tools/json\", asOf: $at) { retired enabledVersion } plugins(asOf: $at) { nodes { name } } }";
    let past = server.data(query, json!({ "at": { "position": 3 } })).await;
    assert_eq!(past["plugin"], json!({ "retired": false, "enabledVersion": "1.0" }));
    assert_eq!(past["plugins"]["nodes"], json!([{ "name": "tools/json" }]));
    server.stop().await;
}

#[tokio::test]
async fn a_model_is_registered_promoted_disabled_and_retired() {
    let server = TestServer::start();
    let digest = "b".repeat(64);
    let query = "mutation($digest: String!) {
        registerModel(input: {name: \"sort\"}) { name errors { code } }
        addModelVersion(input: {name: \"sort\", format: \"onnx\", digest: $digest}) { errors { code } }
        promoteModel(input: {name: \"sort\", version: 1}) { model { promotedVersion versions { version format digest } } }
        wrong: promoteModel(input: {name: \"sort\", version: 2}) { errors { code } }
        disableModel(input: {name: \"sort\", reason: \"slow\"}) { model { disabled disabledReason } }
        enableModel(input: {name: \"sort\"}) { model { disabled } }
        retireModel(input: {name: \"sort\"}) { position model { retired } } }";
    let data = server.data(query, json!({ "digest": digest })).await;
    let version = json!({ "version": 1, "format": "onnx", "digest": digest });
    assert_eq!(data["promoteModel"]["model"], json!({ "promotedVersion": 1, "versions": [version] }));
    assert_eq!(data["wrong"]["errors"], json!([{ "code": "MODEL_VERSION_NOT_FOUND" }]));
    assert_eq!(data["disableModel"]["model"], json!({ "disabled": true, "disabledReason": "slow" }));
    assert_eq!(data["enableModel"]["model"], json!({ "disabled": false }));
    let position = text(&data["retireModel"]["position"]);
    let query =
        "query($position: Position, $at: AsOf) { model(name: \"sort\", waitFor: $position, asOf: $at) { retired }
        models { nodes { name } } }";
    let past = server.data(query, json!({ "position": position, "at": { "position": 2 } })).await;
    assert_eq!(past, json!({ "model": { "retired": false }, "models": { "nodes": [{ "name": "sort" }] } }));
    server.stop().await;
}
