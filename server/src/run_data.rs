//! An execution's result in the shape that n8n users know: items by node and run.

use serde_json::{Map, Value, json};
use timeloom_domain::execution::{Execution, ExecutionStatus, NodeRunState, NodeRunStatus};

/// `{"status", "error"?, "runData": {NODE: [{"data", "executionIndex", "error"?}…]}}`.
pub fn run_data(execution: &Execution) -> Value {
    let mut by_node: Map<String, Value> = Map::new();
    for (execution_index, run) in (execution.earlier_runs..).zip(&execution.node_runs) {
        let ended = matches!(run.status, NodeRunStatus::Completed | NodeRunStatus::Failed);
        if !ended {
            continue;
        }
        let runs = by_node.entry(run.node.clone()).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(runs) = runs {
            runs.push(node_run(execution_index, run));
        }
    }
    let mut result = Map::new();
    result.insert("status".to_owned(), json!(status(execution.status)));
    if let Some(error) = &execution.error {
        result.insert("error".to_owned(), error.clone());
    }
    if let Some(node) = &execution.failed_node {
        result.insert("failedNode".to_owned(), json!(node));
    }
    result.insert("runData".to_owned(), Value::Object(by_node));
    Value::Object(result)
}

fn node_run(execution_index: usize, run: &NodeRunState) -> Value {
    let mut fields = Map::new();
    if let Some(outputs) = &run.outputs {
        fields.insert("data".to_owned(), json!({ "main": outputs }));
    }
    fields.insert("executionIndex".to_owned(), json!(execution_index));
    fields.insert("source".to_owned(), json!(run.sources));
    if let Some(started_at_ms) = run.started_at_ms {
        fields.insert("startTime".to_owned(), json!(started_at_ms));
    }
    if let Some(duration_us) = run.duration_us {
        fields.insert("executionTime".to_owned(), json!(duration_us as f64 / 1_000.0));
    }
    let status = if run.status == NodeRunStatus::Completed { "success" } else { "error" };
    fields.insert("executionStatus".to_owned(), json!(status));
    if let Some(error) = &run.error {
        fields.insert("error".to_owned(), error.clone());
    }
    Value::Object(fields)
}

/// n8n's word for the status.
fn status(status: ExecutionStatus) -> &'static str {
    match status {
        ExecutionStatus::New => "new",
        ExecutionStatus::Running => "running",
        ExecutionStatus::Waiting | ExecutionStatus::Paused => "waiting",
        ExecutionStatus::Completed => "success",
        ExecutionStatus::Failed => "error",
        ExecutionStatus::Cancelled => "canceled",
        // The workflow runs on, as another execution.
        ExecutionStatus::Continued => "running",
    }
}
