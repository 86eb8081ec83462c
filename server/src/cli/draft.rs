//! `timeloom workflow check`: what a draft or a file lacks to be run, published or active.

use std::path::Path;

use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::workflow::read_file;
use super::{Access, Failure, output};
use crate::config::Config;

const DRAFT: &str = "query($id: UUID!) { workflow(id: $id) {
  name nodeCount problems: draftProblems { node field message severity hinders } } }";
const FILE: &str = "query($source: String!) { workflow: checkWorkflow(source: $source) {
  name nodeCount problems { node field message severity hinders } } }";

/// Tells what a draft lacks that is named by its id, or a file. One that could not be published is a failure of the check.
///
/// # Errors
/// When it cannot be read, or lacks what it needs to be published.
pub async fn check(workflow: &str, access: &Access, config: &Config) -> Result<(), Failure> {
    let (query, variables) = match workflow.parse::<Uuid>() {
        Ok(id) => (DRAFT, json!({ "id": id })),
        Err(_) => {
            let source = String::from_utf8(read_file(Path::new(workflow))?)
                .map_err(|error| anyhow::anyhow!("{workflow} is not UTF-8 text: {error}"))?;
            (FILE, json!({ "source": source }))
        }
    };
    let client = Client::open(access, config).await?;
    let data = client.ask(query, variables).await;
    client.close().await;
    let found = data?.get("workflow").cloned().unwrap_or_default();
    if found.is_null() {
        output::error(&format!("there is no workflow {workflow}: `timeloom workflow list` shows those that are"));
        return Err(Failure::Refused);
    }
    let problems = found.get("problems").and_then(Value::as_array).cloned().unwrap_or_default();
    if access.json {
        output::json(&found);
    } else if problems.is_empty() {
        output::line(&format!("'{}' lacks nothing", output::text(&found, "/name")));
    } else {
        problems.iter().for_each(|problem| output::line(&line(problem)));
    }
    match problems.iter().any(|problem| problem.get("severity") == Some(&json!("ERROR"))) {
        true => Err(Failure::Failed),
        false => Ok(()),
    }
}

/// A problem of a draft in one line.
pub fn line(problem: &Value) -> String {
    let [node, field, message] = ["/node", "/field", "/message"].map(|path| output::text(problem, path));
    let severity = output::text(problem, "/severity").to_lowercase();
    match problem.get("node").is_none_or(Value::is_null) {
        true => format!("{severity}: {field}: {message}"),
        false => format!("{severity}: node '{node}', {field}: {message}"),
    }
}
