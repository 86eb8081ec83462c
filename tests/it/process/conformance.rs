//! Workflows that people brought from n8n, run by the program and compared with what n8n gave.
//!
//! The files are not ours and not here: `TIMELOOM_CONFORMANCE` names their folder. Without it the test says SKIPPED,
//! and our own workflows (`workflows.rs`) stand for it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::server::verb;
use super::stub::Stub;
use crate::workflows::same;

/// How many of the offline workflows must give n8n's own results.
const OFFLINE_PASSED_MIN: usize = 42;

pub(super) fn folder() -> Option<PathBuf> {
    std::env::var_os("TIMELOOM_CONFORMANCE").map(PathBuf::from)
}

/// Cases that cannot give what was recorded, and why. Nothing else may fail.
const INLINE_EXCEPTIONS: &[(&str, &str)] =
    &[("Totp-node-Generate-TOTP-Token-1", "the recording has a fixed code in place of the one of its moment")];

/// Runs a workflow; answers the exit status and the result.
fn run(scratch: &Path, data: &Path, workflow: &Value) -> (Option<i32>, Value) {
    run_with(scratch, data, workflow, &json!({}), None)
}

/// The same with credentials by type, and with the item that starts it.
fn run_with(
    scratch: &Path,
    data: &Path,
    workflow: &Value,
    credentials: &Value,
    item: Option<&Value>,
) -> (Option<i32>, Value) {
    let write = |name: &str, content: &Value| {
        let file = scratch.join(name);
        fs::write(&file, content.to_string()).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let file = write("workflow.json", workflow);
    let credentials = write("credentials.json", credentials);
    let records = data.join("support/training-customers.json");
    let fixture = format!("n8n-nodes-base.n8nTrainingCustomerDatastore={}", records.display());
    let mut arguments = vec!["workflow", "run", &file, "--json"];
    if records.exists() {
        arguments.extend(["--fixture-node", &fixture]);
    }
    let files = scratch.join("files").display().to_string();
    arguments.extend(["--credentials", &credentials, "--allow-private-hosts", "*", "--files-root", &files]);
    let item = item.map(|item| write("item.json", item));
    if let Some(item) = &item {
        arguments.extend(["--trigger-item", item]);
    }
    let output = verb(&arguments);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
}

/// Items without what is not compared: pairs, attachments; bare expectations wrapped.
fn comparable(items: &Value) -> Value {
    let strip = |item: &Value| {
        let mut item = if item.get("json").is_some() { item.clone() } else { json!({ "json": item }) };
        if let Some(fields) = item.as_object_mut() {
            fields.remove("pairedItem");
            fields.remove("binary");
        }
        item
    };
    Value::Array(items.as_array().into_iter().flatten().map(strip).collect())
}

fn node_differs(expected: &Value, runs: Option<&Value>) -> bool {
    let Some(runs) = runs.and_then(Value::as_array) else { return true };
    let expected: Vec<Value> = expected.as_array().into_iter().flatten().map(comparable).collect();
    let given: Vec<Value> = runs.iter().map(|run| comparable(&run["data"]["main"][0])).collect();
    expected != given
}

#[test]
fn offline_workflows_give_what_n8n_gave() {
    let Some(data) = folder() else {
        println!("SKIPPED: TIMELOOM_CONFORMANCE is not set");
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let manifest: Value = serde_json::from_slice(&fs::read(data.join("manifest.json")).unwrap()).unwrap();
    let offline =
        manifest["workflows"].as_array().unwrap().iter().filter(|case| case["runnable_offline_pinned"] == true);
    let mut failed = BTreeMap::new();
    let mut count = 0;
    for case in offline {
        count += 1;
        let id = case["id"].as_str().unwrap();
        let file: Value =
            serde_json::from_slice(&fs::read(data.join(case["file"].as_str().unwrap())).unwrap()).unwrap();
        let (status, result) = run(scratch.path(), &data, &file["workflow"]);
        let wrong: Vec<&String> = file["expected"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(node, expected)| node_differs(expected, result["runData"].get(node.as_str())))
            .map(|(node, _)| node)
            .collect();
        if status != Some(0) || !wrong.is_empty() {
            failed.insert(id.to_owned(), format!("status {status:?}, nodes {wrong:?}"));
        }
    }
    println!("conformance: {} of {count} workflows pass; failed: {failed:#?}", count - failed.len());
    assert!(count - failed.len() >= OFFLINE_PASSED_MIN, "{failed:#?}");
}

/// Whether `given` has what `expected` asks for, `$objectContaining` included; attachments count where they are expected.
fn has(expected: &Value, given: &Value) -> bool {
    match (expected, given) {
        (Value::Object(fields), given) if fields.contains_key("$objectContaining") => {
            let wanted = fields["$objectContaining"].as_object().unwrap();
            wanted.iter().all(|(name, value)| has(value, &given[name]))
        }
        (Value::Object(fields), Value::Object(own)) => {
            own.keys().all(|name| fields.contains_key(name))
                && fields.iter().all(|(name, value)| has(value, &given[name]))
        }
        (Value::Array(parts), Value::Array(own)) => {
            parts.len() == own.len() && parts.iter().zip(own).all(|(part, own)| has(part, own))
        }
        (expected, given) => same(expected, given),
    }
}

/// The items of output 0, with what a recording does not hold taken away.
fn given_items(run: &Value, with_binary: bool) -> Value {
    let mut items = run["data"]["main"][0].clone();
    for item in items.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        item.remove("pairedItem");
        reduce_error(item);
        // In which folder a file lay is its machine's own; the attachment says it too, see below.
        if item.get("binary").is_some_and(Value::is_object) {
            item.get_mut("json").and_then(Value::as_object_mut).and_then(|json| json.remove("directory"));
        }
        if !with_binary {
            item.remove("binary");
        }
        for file in item.get_mut("binary").and_then(Value::as_object_mut).into_iter().flatten() {
            let file = file.1.as_object_mut().unwrap();
            for name in ["directory", "bytes", "id"] {
                file.remove(name);
            }
        }
    }
    items
}

/// Of an error that is passed on as data, the recording keeps these fields alone.
fn reduce_error(item: &mut serde_json::Map<String, Value>) {
    let error = item.get_mut("json").and_then(|json| json.get_mut("error")).and_then(Value::as_object_mut);
    if let Some(error) = error.filter(|error| error.contains_key("message") && error.contains_key("name")) {
        error.retain(|name, value| {
            matches!(name.as_str(), "message" | "name" | "description" | "context") && !value.is_null()
        });
    }
}

fn case_node_differs(expected: &Value, runs: &Value) -> bool {
    let with_binary = expected.to_string().contains("\"binary\"");
    let expected: Vec<Value> = expected.as_array().unwrap().iter().map(wrapped).collect();
    let given: Vec<Value> = runs.as_array().into_iter().flatten().map(|run| given_items(run, with_binary)).collect();
    !has(&Value::Array(expected), &Value::Array(given))
}

/// Bare items wrapped.
fn wrapped(items: &Value) -> Value {
    let wrap = |item: &Value| {
        let mut item = if item.get("json").is_some() { item.clone() } else { json!({ "json": item }) };
        reduce_error(item.as_object_mut().unwrap());
        item
    };
    items.as_array().into_iter().flatten().map(wrap).collect()
}

/// What is wrong with one recorded case; nothing when it passes.
fn case_fault(scratch: &Path, data: &Path, file: &str) -> Option<String> {
    let case: Value = serde_json::from_slice(&fs::read(data.join(file)).unwrap()).unwrap();
    let credentials = credentials(case["http"].as_array().map_or(&[], Vec::as_slice));
    fault_of(scratch, data, &case, &credentials)
}

/// What is wrong with a case that is run with these credentials.
pub(super) fn fault_of(scratch: &Path, data: &Path, case: &Value, credentials: &Value) -> Option<String> {
    let exchanges = case["http"].as_array().cloned().unwrap_or_default();
    let stub = Stub::serve(&exchanges);
    let item = case["trigger"].get("input");
    let (workflow, credentials) = (stub.localised(&case["workflow"]), stub.localised(credentials));
    let (status, result) = run_with(scratch, data, &workflow, &credentials, item);
    if let Some(message) = case["expected_error"].as_str() {
        // A run that goes on after the failure of its last node is told by that node's own error.
        let of_run = result["error"]["message"].as_str();
        let of_last =
            result["runData"].as_object().into_iter().flatten().flat_map(|(_, runs)| runs.as_array().unwrap());
        let of_last =
            of_last.max_by_key(|run| run["executionIndex"].as_u64()).and_then(|run| run["error"]["message"].as_str());
        let order = &case["node_execution_order"];
        let same_order = order.is_null() || node_order(&result) == *order;
        return (of_run.or(of_last) != Some(message) || !same_order)
            .then(|| format!("{:?}: {result}", of_run.or(of_last)));
    }
    let expected = stub.localised(&case["expected"]);
    let wrong: Vec<String> = expected
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(node, expected)| case_node_differs(expected, &result["runData"][node.as_str()]))
        .map(|(node, _)| format!("{node}: {}", result["runData"][node.as_str()]))
        .collect();
    (status != Some(0) || !wrong.is_empty())
        .then(|| format!("status {status:?}, error {}, nodes {wrong:#?}", result["error"]))
}

/// Credentials of the types that the cases use; the token of OAuth2 is the one that the recording renews.
fn credentials(exchanges: &[Value]) -> Value {
    let renewal = exchanges.iter().find(|exchange| exchange["body"]["grant_type"] == "refresh_token");
    let renewal = renewal.cloned().unwrap_or_default();
    let token_url =
        format!("{}{}", renewal["base"].as_str().unwrap_or_default(), renewal["path"].as_str().unwrap_or_default());
    json!({
        // The key of the examples in RFC 6238.
        "totpApi": {"secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"},
        "oAuth2Api": {
            "accessTokenUrl": token_url, "clientId": "id", "clientSecret": "secret", "authentication": "header",
            "oauthTokenData": {"access_token": "old", "refresh_token": renewal["body"]["refresh_token"]},
        },
    })
}

#[test]
fn http_workflows_give_what_n8n_gave() {
    let Some(data) = folder() else {
        println!("SKIPPED: TIMELOOM_CONFORMANCE is not set");
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let manifest: Value = serde_json::from_slice(&fs::read(data.join("manifest.json")).unwrap()).unwrap();
    let cases: Vec<&Value> =
        manifest["http"].as_array().unwrap().iter().filter(|case| case["tier"] == "core-http").collect();
    let mut failed = BTreeMap::new();
    for case in &cases {
        if let Some(fault) = case_fault(scratch.path(), &data, case["file"].as_str().unwrap()) {
            failed.insert(case["id"].as_str().unwrap(), fault);
        }
    }
    println!("conformance: {} of {} HTTP workflows pass; failed: {failed:#?}", cases.len() - failed.len(), cases.len());
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn small_cases_give_what_n8n_gave() {
    let Some(data) = folder() else {
        println!("SKIPPED: TIMELOOM_CONFORMANCE is not set");
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let manifest: Value = serde_json::from_slice(&fs::read(data.join("manifest.json")).unwrap()).unwrap();
    let cases: Vec<&Value> =
        manifest["inline"].as_array().unwrap().iter().filter(|case| case["pure"] == true).collect();
    let (mut failed, mut excepted) = (BTreeMap::new(), BTreeMap::new());
    for case in &cases {
        let id = case["id"].as_str().unwrap();
        let Some(fault) = case_fault(scratch.path(), &data, case["file"].as_str().unwrap()) else { continue };
        match INLINE_EXCEPTIONS.iter().find(|(excepted, _)| *excepted == id) {
            Some((_, reason)) => excepted.insert(id, *reason).map(str::to_owned),
            None => failed.insert(id, fault),
        };
    }
    let passed = cases.len() - failed.len() - excepted.len();
    println!("conformance: {passed} of {} small cases pass; excepted: {excepted:#?}; failed: {failed:#?}", cases.len());
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn pages_are_turned_by_the_authors_expressions() {
    let exchange = |method: &str| {
        let reply = json!({"$function": true});
        json!({
            "method": method, "base": "https://people.example", "path": "/users", "persist": true, "query": true,
            "reply": reply,
        })
    };
    let stub = Stub::serve(&[exchange("get"), exchange("post")]);
    let request = |name: &str, parameters: Value, pagination: Value| {
        let mut parameters = parameters;
        parameters["url"] = json!("https://people.example/users");
        parameters["options"] = json!({"pagination": {"pagination": pagination}});
        json!({
            "name": name, "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "position": [0, 0],
            "parameters": parameters, "executeOnce": true,
        })
    };
    let limit = |limit: &str| json!({"parameters": [{"name": "limit", "value": limit}]});
    let next = |kind: &str| json!({"parameters": [{"type": kind, "name": "skip", "value": "={{ $pageCount * 5 }}"}]});
    let workflow = json!({
        "nodes": [
            {"name": "Start", "type": "n8n-nodes-base.manualTrigger", "typeVersion": 1, "position": [0, 0], "parameters": {}},
            request("By query", json!({"sendQuery": true, "queryParameters": limit("5")}), json!({
                "parameters": next("qs"), "paginationCompleteWhen": "other",
                "completeExpression": "={{ $response.body.length < 5 }}",
            })),
            request("By address", json!({"sendQuery": true, "queryParameters": limit("6")}), json!({
                "paginationMode": "responseContainsNextURL", "nextURL": "={{ $response.headers['next-url'] }}",
            })),
            request("By body", json!({"method": "POST", "sendBody": true, "bodyParameters": limit("5")}), json!({
                "parameters": next("body"), "limitPagesFetched": true, "maxRequests": 2,
            })),
        ],
        "connections": {
            "Start": {"main": [[{"node": "By query", "type": "main", "index": 0}]]},
            "By query": {"main": [[{"node": "By address", "type": "main", "index": 0}]]},
            "By address": {"main": [[{"node": "By body", "type": "main", "index": 0}]]},
        },
    });
    let scratch = tempfile::tempdir().unwrap();
    let (status, result) = run(scratch.path(), scratch.path(), &stub.localised(&workflow));
    assert_eq!(status, Some(0), "{}", result["error"]);
    let ids = |node: &str| -> Vec<u64> {
        let items = result["runData"][node][0]["data"]["main"][0].as_array().unwrap();
        items.iter().map(|item| item["json"]["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids("By query"), (0..15).collect::<Vec<_>>());
    assert_eq!(ids("By address"), (0..15).collect::<Vec<_>>());
    assert_eq!(ids("By body"), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_recording_is_compared_strictly() {
    let expected = json!([[{"json": {"a": 1, "t": {"$objectContaining": {"x": "1"}}}}]]);
    let runs = |json: Value| json!([{"data": {"main": [[{"json": json, "pairedItem": {"item": 0}}]]}}]);
    assert!(!case_node_differs(&expected, &runs(json!({"a": 1.0, "t": {"x": "1", "y": 2}}))));
    for wrong in
        [json!({"a": 1}), json!({"a": 2, "t": {"x": "1"}}), json!({"a": 1, "t": {"x": "1"}, "b": 0}), json!({})]
    {
        assert!(case_node_differs(&expected, &runs(wrong)));
    }
    assert!(case_node_differs(&expected, &Value::Null));
}

#[test]
fn nodes_run_in_n8ns_order() {
    let Some(data) = folder() else {
        println!("SKIPPED: TIMELOOM_CONFORMANCE is not set");
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let cases: Value = serde_json::from_slice(&fs::read(data.join("engine/execution-order.json")).unwrap()).unwrap();
    let cases = cases["tests"].as_array().unwrap();
    let mut failed = Vec::new();
    for case in cases {
        let mut workflow = case["workflow"].clone();
        workflow["settings"]["executionOrder"] = case["execution_order"].clone();
        let (status, result) = run(scratch.path(), &data, &workflow);
        if status != Some(0) || node_order(&result) != case["node_execution_order"] || outputs_differ(case, &result) {
            failed.push(case["id"].clone());
        }
    }
    println!("conformance: {} of {} execution orders pass", cases.len() - failed.len(), cases.len());
    assert!(failed.is_empty(), "{failed:?}");
}

fn node_order(result: &Value) -> Value {
    let by_node = result["runData"].as_object().cloned().unwrap_or_default();
    let mut order: Vec<(u64, String)> = by_node
        .iter()
        .flat_map(|(node, runs)| {
            runs.as_array().unwrap().iter().map(move |run| (run["executionIndex"].as_u64().unwrap(), node.clone()))
        })
        .collect();
    order.sort();
    order.into_iter().map(|(_, node)| Value::String(node)).collect()
}

fn outputs_differ(case: &Value, result: &Value) -> bool {
    let all_outputs = case["all_outputs"] == true || case["execution_order"] == "v1";
    let bare =
        |items: &Value| -> Value { items.as_array().into_iter().flatten().map(|item| item["json"].clone()).collect() };
    case["expected_json"].as_object().unwrap().iter().any(|(node, runs)| {
        let given = result["runData"][node].as_array().cloned().unwrap_or_default();
        let expected = runs.as_array().unwrap();
        given.len() != expected.len()
            || given.iter().zip(expected).any(|(run, expected)| {
                let outputs = run["data"]["main"].as_array().cloned().unwrap_or_default();
                if !all_outputs {
                    return outputs.first().map(bare) != Some(expected.clone());
                }
                // Outputs after the last expected one must be empty.
                let expected = expected.as_array().unwrap();
                let nothing = Value::Array(Vec::new());
                (0..outputs.len().max(expected.len())).any(|index| {
                    let given = outputs.get(index).map_or(nothing.clone(), &bare);
                    given != *expected.get(index).unwrap_or(&nothing)
                })
            })
    })
}
