//! Workflows that people brought from n8n, run by the program and compared with what n8n gave.
//!
//! The files are not ours and not here: `TIMELOOM_CONFORMANCE` names their folder. Without it the test says SKIPPED,
//! and our own workflows (`workflows.rs`) stand for it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::server::verb;

/// How many of the offline workflows must give n8n's own results.
const OFFLINE_PASSED_MIN: usize = 42;

fn folder() -> Option<PathBuf> {
    std::env::var_os("TIMELOOM_CONFORMANCE").map(PathBuf::from)
}

/// Runs a workflow; answers the exit status and the result.
fn run(scratch: &Path, data: &Path, workflow: &Value) -> (Option<i32>, Value) {
    let file = scratch.join("workflow.json");
    fs::write(&file, workflow.to_string()).unwrap();
    let records = data.join("support/training-customers.json");
    let fixture = format!("n8n-nodes-base.n8nTrainingCustomerDatastore={}", records.display());
    let output = verb(&["workflow", "run", file.to_str().unwrap(), "--json", "--fixture-node", &fixture]);
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
