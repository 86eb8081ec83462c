//! `timeloom execution`: list, show, cancel.

use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::{Access, Failure, output};
use crate::config::Config;

const LIST: &str = "query($first: Int!, $after: String, $workflow: UUID, $status: ExecutionStatus) {
  executions(first: $first, after: $after, workflowId: $workflow, status: $status) {
    nodes { id workflowId status startedAt endedAt errorMessage } pageInfo { hasNextPage endCursor } } }";
const SHOW: &str = "query($id: UUID!) { execution(id: $id) {
  id workflowId status mode startNode startedAt endedAt errorMessage errorNode createdPosition updatedPosition
  nodeRuns(first: 100) { nodes { node runIndex executionIndex status attempts durationMs itemCounts errorMessage }
    pageInfo { hasNextPage endCursor } } } }";
const CANCEL: &str = "mutation($input: CancelExecutionInput!) { cancelExecution(input: $input) {
  executionId position errors { code message } } }";

#[derive(Debug, Subcommand)]
pub enum ExecutionVerb {
    /// List executions, newest first
    List {
        /// Only those of this workflow.
        #[arg(long, value_name = "ID")]
        workflow: Option<Uuid>,
        /// Only those with this status: running, waiting, completed, failed or cancelled.
        #[arg(long)]
        status: Option<String>,
        /// How many, at most 100.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
        /// Go on after this cursor.
        #[arg(long)]
        after: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Show one execution with its node runs
    Show {
        /// Its id.
        id: Uuid,
        #[command(flatten)]
        access: Access,
    },
    /// Stop an execution
    Cancel {
        /// Its id.
        id: Uuid,
        /// Why, for those who read its history.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        access: Access,
    },
}

impl ExecutionVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::List { workflow, status, limit, after, access } => {
                let status = status.map(|status| status.to_uppercase());
                let variables = json!({"first": limit, "after": after, "workflow": workflow, "status": status});
                list(variables, &access, config).await
            }
            Self::Show { id, access } => show(id, &access, config).await,
            Self::Cancel { id, reason, access } => cancel(id, &reason, &access, config).await,
        }
    }
}

async fn list(variables: Value, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let data = client.ask(LIST, variables).await;
    client.close().await;
    let list = data?.get("executions").cloned().unwrap_or_default();
    if access.json {
        output::json(&list);
        return Ok(());
    }
    let executions = list.get("nodes").and_then(Value::as_array).cloned().unwrap_or_default();
    let fields = ["/id", "/workflowId", "/status", "/startedAt", "/endedAt", "/errorMessage"];
    let rows: Vec<Vec<String>> =
        executions.iter().map(|execution| fields.map(|path| output::text(execution, path)).to_vec()).collect();
    output::table(&["ID", "WORKFLOW", "STATUS", "STARTED", "ENDED", "ERROR"], &rows);
    if list.pointer("/pageInfo/hasNextPage") == Some(&Value::Bool(true)) {
        output::notice(&format!("more: --after {}", output::text(&list, "/pageInfo/endCursor")));
    }
    Ok(())
}

async fn show(id: Uuid, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let data = client.ask(SHOW, json!({ "id": id })).await;
    client.close().await;
    let execution = data?.get("execution").cloned().unwrap_or_default();
    if execution.is_null() {
        output::error(&format!("there is no execution {id}: `timeloom execution list` shows those that are"));
        return Err(Failure::Refused);
    }
    if access.json {
        output::json(&execution);
        return Ok(());
    }
    for (label, path) in [
        ("execution", "/id"),
        ("workflow", "/workflowId"),
        ("status", "/status"),
        ("started", "/startedAt"),
        ("ended", "/endedAt"),
        ("error", "/errorMessage"),
    ] {
        output::line(&format!("{label:<10} {}", output::text(&execution, path)));
    }
    output::line("");
    let runs = execution.pointer("/nodeRuns/nodes").and_then(Value::as_array).cloned().unwrap_or_default();
    let fields = ["/executionIndex", "/node", "/runIndex", "/status", "/attempts", "/itemCounts", "/durationMs"];
    let rows: Vec<Vec<String>> = runs.iter().map(|run| fields.map(|path| output::text(run, path)).to_vec()).collect();
    output::table(&["#", "NODE", "RUN", "STATUS", "ATTEMPTS", "ITEMS", "MILLISECONDS"], &rows);
    Ok(())
}

async fn cancel(id: Uuid, reason: &str, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let input = json!({ "executionId": id, "reason": reason });
    let result = client.change("cancelExecution", CANCEL, input, access.json).await;
    client.close().await;
    let payload = result?;
    if access.json {
        output::json(&payload);
    } else {
        output::line(&format!("cancelled execution {id} at position {}", output::text(&payload, "/position")));
    }
    Ok(())
}
