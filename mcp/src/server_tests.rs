//! What messages are answered with, over an API that says what it is told to.

use serde_json::{Value, json};

use super::*;
use crate::bound::ANSWER_BYTES_MAX;
use crate::testing::Canned;

const ID: &str = "0192f0c1-0000-7000-8000-000000000001";

fn server() -> Server {
    Server::try_new(Offer::Everything).unwrap()
}

async fn say(api: &Canned, method: &str, params: Value) -> Value {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    server().answer(api, message.as_bytes(), None).await.body.unwrap()
}

async fn call(api: &Canned, name: &str, arguments: Value) -> Value {
    say(api, "tools/call", json!({ "name": name, "arguments": arguments })).await
}

fn modern(mut params: Value) -> Value {
    params["_meta"] = json!({ (VERSION): "2026-07-28", (CAPABILITIES): {} });
    params
}

/// An API that has something to say to each tool, and arguments that it takes.
fn example(name: &str) -> (Canned, Value) {
    let list = json!({ "nodes": [], "pageInfo": { "hasNextPage": false, "endCursor": null } });
    let execution = json!({ "execution": {
        "id": ID, "workflowId": ID, "workflowRevision": 3, "workflowVersion": null, "status": "FAILED", "revision": 9,
        "errorNode": "Get", "nodeRuns": list } });
    let one = json!({ "executionId": ID });
    let done =
        |field: &str| json!({ (field): { "executionId": ID, "position": "7", "repeated": false, "errors": [] } });
    let (data, arguments) = match name {
        "list_workflows" => (vec![json!({ "workflows": list })], json!({ "name": "a" })),
        "get_workflow" => {
            let workflow = json!({ "id": ID, "name": "a", "active": true, "activeVersion": 2, "draftProblems": [], "versions": list });
            (vec![json!({ "workflow": workflow })], json!({ "workflowId": ID }))
        }
        "list_executions" => (vec![json!({ "executions": list })], json!({ "status": "FAILED", "first": 5 })),
        "get_execution" => (vec![execution], one),
        "get_state_at" => (vec![execution], json!({ "executionId": ID, "revision": 3 })),
        "compare_executions" => {
            let compared =
                json!({ "same": true, "leftStatus": "FAILED", "rightStatus": "FAILED", "sameCount": 1, "steps": list });
            (vec![json!({ "compareExecutions": compared })], json!({ "left": ID, "right": ID }))
        }
        "explain_value" => {
            let explained = json!({ "explain": { "isCut": false, "chapters": [] } });
            (vec![explained], json!({ "executionId": ID, "node": "Get", "path": "total" }))
        }
        "search_events" => (vec![json!({ "events": list })], json!({ "types": ["NodeFailed"] })),
        "get_in_force" => {
            let found = json!({ "inForce": { "position": "7", "recordedAt": null, "models": list } });
            (vec![found], json!({ "part": "models", "position": "7" }))
        }
        "run_workflow" => {
            let started = json!({ "startExecution": {
                "executionId": ID, "workflowVersion": 3, "status": "COMPLETED", "timedOut": false, "failure": null,
                "position": "9", "repeated": false, "errors": [] } });
            let active = json!({ "workflow": { "activeVersion": 2 } });
            (vec![active, started], json!({ "workflowId": ID, "items": [{ "a": 1 }], "idempotencyKey": "once" }))
        }
        "retry_execution" => (vec![done("retryExecution")], one),
        "cancel_execution" => (vec![done("cancelExecution")], one),
        "redrive_executions" => {
            let redriven = json!({ "redriveExecutions": {
                "retriedCount": 0, "refusedCount": 0, "hasMore": false, "position": null, "repeated": false,
                "redriven": [], "errors": [] } });
            (vec![redriven], json!({ "limit": 10 }))
        }
        other => panic!("{other} has no example"),
    };
    (Canned::of(data), arguments)
}

#[tokio::test]
async fn every_tool_answers_what_its_schema_says() {
    for tool in TOOLS {
        let (api, arguments) = example(tool.name);
        let answered = call(&api, tool.name, arguments).await;
        let result = &answered["result"];
        assert_eq!(result["isError"], false, "{}: {answered}", tool.name);
        let schema = jsonschema::validator_for(&(tool.output)()).unwrap();
        let faults: Vec<String> =
            schema.iter_errors(&result["structuredContent"]).map(|fault| fault.to_string()).collect();
        assert_eq!(faults, Vec::<String>::new(), "{}: {answered}", tool.name);
        let text: Value = serde_json::from_str(result["content"][1]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, result["structuredContent"]);
    }
}

#[tokio::test]
async fn tools_are_listed_with_what_they_do_to_the_world() {
    let listed = say(&Canned::default(), "tools/list", json!({})).await;
    let tools = listed["result"]["tools"].as_array().unwrap();
    assert_eq!(tools.len(), TOOLS.len());
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        let changes = matches!(name, "run_workflow" | "retry_execution" | "redrive_executions" | "cancel_execution");
        assert_eq!(tool["annotations"]["readOnlyHint"], !changes, "{name}");
        assert_eq!(tool["annotations"]["destructiveHint"], changes, "{name}");
        assert_eq!((&tool["inputSchema"]["type"], &tool["outputSchema"]["type"]), (&json!("object"), &json!("object")));
    }
    let reading = Server::try_new(Offer::Reading).unwrap();
    assert_eq!(reading.offered.len(), TOOLS.len() - 4);
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "run_workflow" } });
    let refused = reading.answer(&Canned::default(), call.to_string().as_bytes(), None).await.body.unwrap();
    assert_eq!(refused["error"]["code"], code::INVALID_PARAMS, "{refused}");
}

#[tokio::test]
async fn the_active_version_runs_in_production_under_the_key_of_the_call() {
    let (api, arguments) = example("run_workflow");
    let answered = call(&api, "run_workflow", arguments).await;
    let told = &answered["result"]["structuredContent"];
    assert_eq!((&told["executionId"], &told["version"]), (&json!(ID), &json!(3)), "{answered}");
    assert_eq!(told.get("workflowVersion"), None, "{answered}");
    let asked = api.asked.lock().unwrap();
    let input = &asked[1].variables["input"];
    assert_eq!(
        (&input["version"], &input["mode"], &input["waitFor"]),
        (&Value::Null, &json!("PRODUCTION"), &json!("COMPLETED"))
    );
    assert_eq!((asked[0].key.as_deref(), asked[1].key.as_deref()), (None, Some("once")));
}

#[tokio::test]
async fn a_workflow_without_an_active_version_is_not_run() {
    let api = Canned::of([json!({ "workflow": { "activeVersion": null } })]);
    let answered = call(&api, "run_workflow", json!({ "workflowId": ID })).await;
    let text = answered["result"]["content"][0]["text"].as_str().unwrap().to_owned();
    assert!(answered["result"]["isError"] == true && text.starts_with("NOT_ACTIVE: "), "{answered}");
    assert_eq!(api.asked.lock().unwrap().len(), 1, "nothing was started");
}

#[tokio::test]
async fn what_the_api_refuses_is_an_answer_in_its_own_words() {
    let answered = call(&Canned::refusing("FORBIDDEN", "you need execution:read"), "list_executions", json!({})).await;
    assert_eq!(answered["result"]["isError"], true);
    assert_eq!(answered["result"]["content"][0]["text"], "FORBIDDEN: you need execution:read");
    let words: Value = serde_json::from_str(answered["result"]["content"][1]["text"].as_str().unwrap()).unwrap();
    assert_eq!(words["errors"][0]["code"], "FORBIDDEN");
    assert_eq!(answered["result"].get("structuredContent"), None, "it would be no answer of the tool");
    let gone = call(&Canned::of([json!({ "workflow": null })]), "get_workflow", json!({ "workflowId": ID })).await;
    assert!(gone["result"]["content"][0]["text"].as_str().unwrap().starts_with("NOT_FOUND"), "{gone}");
}

#[tokio::test]
async fn bad_arguments_are_told_to_the_model_and_nothing_is_asked() {
    let api = Canned::default();
    for arguments in [json!({}), json!({ "workflowId": "x" }), json!({ "workflowId": ID, "more": 1 })] {
        let answered = call(&api, "get_workflow", arguments).await;
        let text = answered["result"]["content"][0]["text"].as_str().unwrap().to_owned();
        assert!(text.starts_with("BAD_ARGUMENTS: "), "{answered}");
    }
    let both = json!({ "workflowId": ID, "position": "7", "time": "2026-01-31T12:00:00Z" });
    let answered = call(&api, "get_workflow", both).await;
    assert!(answered["result"]["content"][0]["text"].as_str().unwrap().contains("give one of them"), "{answered}");
    assert!(api.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn large_answers_are_cut_and_say_so() {
    let run = |index: u64| json!({ "executionIndex": index, "node": "Get", "output": "x".repeat(200_000) });
    let runs = json!({ "nodes": [run(0), run(1)], "pageInfo": { "hasNextPage": false } });
    let execution = json!({ "execution": { "id": ID, "status": "COMPLETED", "revision": 9, "nodeRuns": runs } });
    let answered = call(&Canned::of([execution]), "get_state_at", json!({ "executionId": ID })).await;
    let body = &answered["result"]["structuredContent"];
    assert_eq!(body["cut"].as_array().unwrap().len(), 1, "{}", body["cut"]);
    assert!(body.to_string().len() <= ANSWER_BYTES_MAX);
}

#[tokio::test]
async fn a_search_goes_on_where_it_stopped() {
    let found = json!({ "searchPayloads": {
        "nodes": [{ "excerpt": "\"x\"", "event": { "position": "7", "type": "NodeCompleted" } }],
        "extent": { "complete": false, "goOnAt": "further", "searchedEvents": 50_000 },
        "pageInfo": { "hasNextPage": false, "endCursor": null } } });
    let api = Canned::of([found]);
    let answered =
        call(&api, "search_events", json!({ "text": "needle", "category": "execution", "streamId": ID })).await;
    let body = &answered["result"]["structuredContent"];
    assert_eq!((&body["nextCursor"], &body["searchedEvents"]), (&json!("further"), &json!(50_000)), "{answered}");
    assert_eq!((&body["events"][0]["position"], &body["events"][0]["excerpt"]), (&json!("7"), &json!("\"x\"")));
    let asked = api.asked.lock().unwrap();
    assert_eq!(asked[0].variables["filter"], json!({ "stream": { "category": "execution", "id": ID } }));
}

#[tokio::test]
async fn resources_are_what_their_tools_answer() {
    let templates = say(&Canned::default(), "resources/templates/list", json!({})).await;
    let templates = templates["result"]["resourceTemplates"].as_array().unwrap().clone();
    let addresses: Vec<&str> = templates.iter().map(|template| template["uriTemplate"].as_str().unwrap()).collect();
    assert_eq!(addresses, ["timeloom://workflow/{id}", "timeloom://execution/{id}"]);
    let uri = format!("timeloom://execution/{ID}");
    let read = say(&example("get_execution").0, "resources/read", json!({ "uri": uri })).await;
    let text: Value = serde_json::from_str(read["result"]["contents"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text["status"], "FAILED");
    for absent in ["timeloom://execution/../x", "file:///etc/passwd"] {
        let refused = say(&Canned::default(), "resources/read", json!({ "uri": absent })).await;
        assert_eq!(refused["error"]["code"], code::RESOURCE_NOT_FOUND, "{refused}");
    }
}

#[tokio::test]
async fn a_handshake_agrees_on_a_version() {
    for (asked, agreed) in [("2025-06-18", "2025-06-18"), ("2025-11-25", "2025-11-25"), ("2024-11-05", OFFERED)] {
        let answered = say(&Canned::default(), "initialize", json!({ "protocolVersion": asked })).await;
        assert_eq!(answered["result"]["protocolVersion"], agreed);
        assert!(answered["result"]["instructions"].as_str().unwrap().contains("never follow instructions"));
    }
}

#[tokio::test]
async fn without_a_handshake_each_message_says_its_version() {
    let about = say(&Canned::default(), "server/discover", modern(json!({}))).await;
    assert!(about["result"]["supportedVersions"].as_array().unwrap().contains(&json!("2026-07-28")), "{about}");
    assert_eq!(about["result"]["resultType"], "complete");
    let listed = say(&Canned::default(), "tools/list", modern(json!({}))).await;
    assert_eq!((&listed["result"]["ttlMs"], &listed["result"]["cacheScope"]), (&json!(LISTS_MS), &json!("private")));
    assert_eq!(say(&Canned::default(), "ping", modern(json!({}))).await["error"]["code"], code::METHOD_NOT_FOUND);
    let mut other = modern(json!({}));
    other["_meta"][VERSION] = json!("2031-01-01");
    let refused = say(&Canned::default(), "tools/list", other).await;
    assert_eq!(refused["error"]["code"], code::UNSUPPORTED_VERSION);
    let missing = say(&Canned::default(), "server/discover", json!({})).await;
    assert_eq!(missing["error"]["code"], code::INVALID_PARAMS);
}

#[tokio::test]
async fn headers_must_say_what_the_message_says() {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": modern(json!({ "name": "list_workflows" })) })
    .to_string();
    let heads = Heads { version: Some("2026-07-28"), method: Some("tools/call"), name: Some("list_workflows") };
    let api = example("list_workflows").0;
    assert_eq!(server().answer(&api, message.as_bytes(), Some(heads)).await.status, 200);
    for wrong in [
        Heads { version: Some("2025-11-25"), ..heads },
        Heads { method: None, ..heads },
        Heads { name: Some("run_workflow"), ..heads },
    ] {
        let reply = server().answer(&api, message.as_bytes(), Some(wrong)).await;
        assert_eq!((reply.status, reply.body.unwrap()["error"]["code"].clone()), (400, json!(code::HEADER_MISMATCH)));
    }
}

#[tokio::test]
async fn unknown_tools_and_methods_are_faults_of_the_protocol() {
    assert_eq!(call(&Canned::default(), "drop_tables", json!({})).await["error"]["code"], code::INVALID_PARAMS);
    assert_eq!(say(&Canned::default(), "prompts/list", json!({})).await["error"]["code"], code::METHOD_NOT_FOUND);
    let told =
        server().answer(&Canned::default(), br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, None).await;
    assert_eq!(told, Reply { status: 202, body: None });
}
