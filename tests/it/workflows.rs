//! Workflow files run as their authors expect: our own fixtures, and the examples that we ship.
//!
//! A fixture says what must come out: `status`, the `order` of node runs, `outputs` of each named node's newest run (a
//! list of items for each output), and for failures the `error` message and the `failedNode`.

use std::path::{Path, PathBuf};

use serde_json::Value;
use timeloom_domain::execution::Execution;

use crate::product::{Product, outputs};
use crate::tree::{files, read};

fn json(path: &Path) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn fixtures() -> Vec<PathBuf> {
    files(&[".json"]).into_iter().filter(|path| path.starts_with("tests/fixtures/workflows")).collect()
}

/// What differs from the expectation.
fn differences(expected: &Value, execution: &Execution) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, expected: &Value, actual: Value| {
        if !same(expected, &actual) {
            found.push(format!("{what}: expected {expected}, got {actual}"));
        }
    };
    let order: Value = execution.node_runs.iter().map(|run| run.node.as_str()).collect();
    let outputs = outputs(execution);
    for (field, expected) in expected.as_object().unwrap() {
        match field.as_str() {
            "status" => compare("status", expected, execution.status.name().into()),
            "order" => compare("order", expected, order.clone()),
            "failedNode" => compare("failedNode", expected, execution.failed_node.clone().into()),
            "error" => {
                let message = execution.error.as_ref().and_then(|error| error.get("message")).cloned();
                compare("error", expected, message.unwrap_or_default());
            }
            "attempts" => {
                for (node, attempts) in expected.as_object().unwrap() {
                    let made = execution.newest_run(node).map(|run| run.attempts);
                    compare(&format!("attempts of '{node}'"), attempts, made.into());
                }
            }
            "outputs" => {
                for (node, items) in expected.as_object().unwrap() {
                    let given = outputs.get(node.as_str()).cloned().unwrap_or_default();
                    compare(&format!("outputs of '{node}'"), items, given);
                }
            }
            other => panic!("a fixture expects '{other}', which this test does not know"),
        }
    }
    found
}

/// Equal as JavaScript sees it: `1` and `1.0` are one number, and the order of fields does not count.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}

#[tokio::test]
async fn fixtures_give_what_they_say() {
    let product = Product::start().await;
    let fixtures = fixtures();
    let mut faults = Vec::new();
    for path in &fixtures {
        let fixture = json(path);
        let execution = product.run(&fixture["workflow"]).await;
        let differences = differences(&fixture["expected"], &execution);
        let about = fixture["about"].as_str().unwrap();
        faults.extend(differences.iter().map(|difference| format!("{} ({about})\n  {difference}", path.display())));
    }
    product.stop().await;
    assert!(faults.is_empty(), "{} differences in {} fixtures:\n{}", faults.len(), fixtures.len(), faults.join("\n"));
    assert!(fixtures.len() >= 12);
}

#[tokio::test]
async fn examples_give_the_output_that_is_shipped_with_them() {
    let product = Product::start().await;
    let examples: Vec<PathBuf> =
        files(&["workflow.json"]).into_iter().filter(|path| path.starts_with("examples")).collect();
    assert!(!examples.is_empty());
    for path in examples {
        let execution = product.run(&json(&path)).await;
        assert_eq!(execution.status.name(), "completed", "{}: {:?}", path.display(), execution.error);
        let last = execution.node_runs.last().unwrap();
        let expected = json(&path.with_file_name("expected.json"));
        let given = &outputs(&execution)[last.node.as_str()][0];
        assert!(same(&expected, given), "{}: expected {expected:#}, got {given:#}", path.display());
    }
    product.stop().await;
}

#[tokio::test]
async fn every_example_and_fixture_does_the_same_when_it_is_run_again() {
    let product = Product::start().await;
    let examples =
        files(&["workflow.json"]).into_iter().filter(|path| path.starts_with("examples")).map(|path| json(&path));
    let workflows: Vec<Value> = fixtures().iter().map(|path| json(path)["workflow"].clone()).chain(examples).collect();
    let mut faults = Vec::new();
    for workflow in &workflows {
        let (workflow_id, execution, _) = product.run_kept(workflow).await;
        let report = product.replay(workflow_id, execution).await;
        if (report.same, report.differ, report.skipped) != (1, 0, 0) {
            faults.push(format!("{}: {report:?}", workflow["name"]));
        }
    }
    product.stop().await;
    assert!(faults.is_empty(), "{} of {} differ:\n{}", faults.len(), workflows.len(), faults.join("\n"));
}

#[test]
fn differences_are_noticed() {
    let execution = Execution::default();
    let expected = serde_json::json!({"status": "completed", "order": ["Start"], "outputs": {"Start": [[{}]]}});
    assert_eq!(differences(&expected, &execution).len(), 3);
    assert!(!same(&serde_json::json!([{"a": 1}]), &serde_json::json!([{"a": 2}])));
    assert!(same(&serde_json::json!([{"a": 1, "b": 2}]), &serde_json::json!([{"b": 2.0, "a": 1}])));
}
