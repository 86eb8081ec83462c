//! `timeloom trigger`: triggers that listen for messages.

use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::{Access, Failure, output};
use crate::config::Config;

const LIST: &str = "query($workflowId: UUID) { listeningTriggers(workflowId: $workflowId) {
    id workflowId workflowName node nodeType status since worker lastMessageAt messages attempts lastError lastErrorAt refused } }";
const REFUSED: &str = "query($workflowId: UUID) { listeningTriggers(workflowId: $workflowId) {
    workflowName node refusedMessages { message reason bytes digest at position } } }";

#[derive(Debug, Subcommand)]
pub enum TriggerVerb {
    /// List the triggers that listen: since when, what they heard last, and why one fails
    List {
        /// Those of this workflow alone.
        #[arg(long, value_name = "ID")]
        workflow: Option<Uuid>,
        #[command(flatten)]
        access: Access,
    },
    /// List the newest messages that could not start an execution, and why
    Refused {
        /// Those of this workflow alone.
        #[arg(long, value_name = "ID")]
        workflow: Option<Uuid>,
        #[command(flatten)]
        access: Access,
    },
}

impl TriggerVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::List { workflow, access } => list(workflow, &access, config).await,
            Self::Refused { workflow, access } => refused(workflow, &access, config).await,
        }
    }
}

async fn triggers(
    query: &str,
    workflow: Option<Uuid>,
    access: &Access,
    config: &Config,
) -> Result<Vec<Value>, Failure> {
    let client = Client::open(access, config).await?;
    let data = client.ask(query, json!({ "workflowId": workflow })).await;
    client.close().await;
    Ok(data?.get("listeningTriggers").and_then(Value::as_array).cloned().unwrap_or_default())
}

async fn list(workflow: Option<Uuid>, access: &Access, config: &Config) -> Result<(), Failure> {
    let found = triggers(LIST, workflow, access, config).await?;
    if access.json {
        output::json(&Value::Array(found));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = found.iter().map(cells).collect();
    output::table(&["WORKFLOW", "NODE", "STATE", "SINCE", "LAST MESSAGE", "MESSAGES", "REFUSED", "ERROR"], &rows);
    Ok(())
}

fn cells(trigger: &Value) -> Vec<String> {
    let text = |path: &str| output::text(trigger, path);
    let is_failing = text("/status") == "FAILING";
    let state = match is_failing {
        true => format!("failing ({} attempts)", text("/attempts")),
        false => text("/status").to_lowercase(),
    };
    // An error of before is no news of a trigger that listens.
    let error = if is_failing { text("/lastError") } else { String::new() };
    let [name, node, since, last, messages, refused] =
        ["/workflowName", "/node", "/since", "/lastMessageAt", "/messages", "/refused"].map(text);
    vec![name, node, state, since, last, messages, refused, error]
}

async fn refused(workflow: Option<Uuid>, access: &Access, config: &Config) -> Result<(), Failure> {
    let found = triggers(REFUSED, workflow, access, config).await?;
    if access.json {
        output::json(&Value::Array(found));
        return Ok(());
    }
    let of = |trigger: &Value| -> Vec<Vec<String>> {
        let messages = trigger.get("refusedMessages").and_then(Value::as_array).into_iter().flatten();
        let row = |message: &Value| {
            let [name, node] = ["/workflowName", "/node"].map(|path| output::text(trigger, path));
            let [at, place, bytes, reason] =
                ["/at", "/message", "/bytes", "/reason"].map(|path| output::text(message, path));
            vec![name, node, at, place, bytes, reason]
        };
        messages.map(row).collect()
    };
    let rows: Vec<Vec<String>> = found.iter().flat_map(of).collect();
    output::table(&["WORKFLOW", "NODE", "LEFT OUT", "MESSAGE", "BYTES", "REASON"], &rows);
    Ok(())
}
