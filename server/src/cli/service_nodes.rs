//! `timeloom workflow import` and `replace-service-nodes`: files with nodes that this build lacks.
//!
//! Never replaces a node silently. Invariant: what a replacement needs, lacks and does otherwise is told.

use std::path::Path;

use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::workflow::read_file;
use super::{Access, Failure, draft, output};
use crate::config::Config;

const IMPORT: &str = "mutation($input: ImportWorkflowInput!) { payload: importWorkflow(input: $input) {
  workflowId position revision errors { code message ... on Refused { problems { node field message } } }
  replacedNodes { node nodeType service { name } replacement needs dropped differs }
  draftProblems { node field message severity hinders }
  workflow { missingNodes { node nodeType message service { name baseUrl documentation refusal }
    replacement needs dropped differs } } } }";
const REPLACE: &str = "mutation($input: ReplaceServiceNodesInput!) { payload: replaceServiceNodes(input: $input) {
  workflowId position revision errors { code message ... on Refused { problems { node field message } } }
  replacedNodes { node nodeType service { name } replacement needs dropped differs }
  draftProblems { node field message severity hinders }
  workflow { missingNodes { node nodeType message service { name baseUrl documentation refusal }
    replacement needs dropped differs } } } }";

/// Takes a workflow file in.
///
/// # Errors
/// When the file cannot be read, or is refused.
pub async fn import(
    file: &Path,
    id: Option<Uuid>,
    replace: bool,
    access: &Access,
    config: &Config,
) -> Result<(), Failure> {
    let source = String::from_utf8(read_file(file)?)
        .map_err(|error| anyhow::anyhow!("{} is not UTF-8 text: {error}", file.display()))?;
    import_source(json!({ "source": source, "workflowId": id, "replaceServiceNodes": replace }), access, config).await
}

/// Takes in what `input` says.
///
/// # Errors
/// When it is refused.
pub async fn import_source(input: Value, access: &Access, config: &Config) -> Result<(), Failure> {
    let payload = change(IMPORT, input, access, config).await?;
    tell(&payload, access, "imported");
    Ok(())
}

/// Replaces nodes of a draft.
///
/// # Errors
/// When a named node cannot be replaced.
pub async fn replace(id: Uuid, nodes: &[String], access: &Access, config: &Config) -> Result<(), Failure> {
    let nodes = if nodes.is_empty() { Value::Null } else { json!(nodes) };
    let payload = change(REPLACE, json!({ "workflowId": id, "nodes": nodes }), access, config).await?;
    tell(&payload, access, "changed");
    Ok(())
}

async fn change(mutation: &str, input: Value, access: &Access, config: &Config) -> Result<Value, Failure> {
    let client = Client::open(access, config).await?;
    let result = client.change("payload", mutation, input, access.json).await;
    client.close().await;
    result
}

fn tell(payload: &Value, access: &Access, done: &str) {
    if access.json {
        output::json(payload);
        return;
    }
    let (id, position) = (output::text(payload, "/workflowId"), output::text(payload, "/position"));
    output::line(&format!("{done} workflow {id} at position {position}"));
    let list = |path: &str| payload.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    for node in list("/replacedNodes") {
        let (name, service) = (output::text(&node, "/node"), output::text(&node, "/service/name"));
        output::line(&format!("node '{name}' is an HTTP Request to {service} now"));
        tell_of(&node);
    }
    let missing = list("/workflow/missingNodes");
    for gap in &missing {
        output::notice(&format!("node '{}': {}", output::text(gap, "/node"), output::text(gap, "/message")));
        tell_of(gap);
    }
    if !missing.is_empty() {
        output::notice("the workflow can be published and run when these nodes are replaced or removed");
    }
    let is_gap = |problem: &Value| {
        let of = |gap: &Value| output::text(gap, "/node") == output::text(problem, "/node");
        matches!(output::text(problem, "/field").as_str(), "type" | "typeVersion") && missing.iter().any(of)
    };
    for problem in list("/draftProblems").iter().filter(|problem| !is_gap(problem)) {
        output::notice(&draft::line(problem));
    }
}

/// What is to be known of a replacement, one thing a line.
fn tell_of(node: &Value) {
    for (path, what) in [("/needs", "needed"), ("/dropped", "not carried"), ("/differs", "otherwise")] {
        for text in node.pointer(path).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            output::notice(&format!("  {what}: {text}"));
        }
    }
}
