//! `timeloom execution`: pause, unpause, step, breakpoints, resume, retry, dismiss, redrive.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::client::Client;
use super::{Access, Failure, output};
use crate::config::Config;

const BREAKPOINTS: &str = "query($id: UUID!) { execution(id: $id) { breakpoints { node condition } } }";
const REDRIVE: &str = "mutation($input: RedriveExecutionsInput!) { redriveExecutions(input: $input) {
  retriedCount refusedCount hasMore position errors { code message }
  redriven { executionId retriedAs error { code message } } } }";

/// What is asked of one execution.
pub struct Change {
    /// The mutation.
    pub field: &'static str,
    /// Its input, without the execution.
    pub input: Value,
    /// What was done, for people.
    pub done: &'static str,
}

impl Change {
    pub fn pause(reason: String) -> Self {
        Self { field: "pauseExecution", input: json!({ "reason": reason }), done: "paused" }
    }

    pub fn unpause() -> Self {
        Self { field: "unpauseExecution", input: json!({}), done: "let go" }
    }

    pub fn step() -> Self {
        Self { field: "unpauseExecution", input: json!({ "step": true }), done: "let go for one node" }
    }

    pub fn dismiss(reason: String) -> Self {
        Self { field: "dismissExecution", input: json!({ "reason": reason }), done: "dismissed" }
    }

    /// # Errors
    /// When the items are not JSON.
    pub fn resume(items: Option<&str>) -> anyhow::Result<Self> {
        let items: Option<Value> = items.map(serde_json::from_str).transpose().map_err(|error| {
            anyhow::anyhow!("--items is not JSON: {error}; write for example '[{{\"approved\": true}}]'")
        })?;
        Ok(Self { field: "resumeExecution", input: json!({ "items": items }), done: "resumed" })
    }

    /// Asks it of execution `id`.
    pub async fn ask(self, id: Uuid, access: &Access, config: &Config) -> Result<(), Failure> {
        let client = Client::open(access, config).await?;
        let result = self.send(&client, id, access).await;
        client.close().await;
        let (payload, done) = (result?, self.done);
        if access.json {
            output::json(&payload);
        } else {
            output::line(&format!("{done}: execution {id}, at position {}", output::text(&payload, "/position")));
        }
        Ok(())
    }

    async fn send(&self, client: &Client, id: Uuid, access: &Access) -> Result<Value, Failure> {
        let mut input = self.input.clone();
        input["executionId"] = json!(id);
        let kind = match self.field {
            "changeBreakpoints" => "ChangeBreakpointsInput".to_owned(),
            field => format!("{}{}Input", field[..1].to_uppercase(), &field[1..]),
        };
        let query = format!(
            "mutation($input: {kind}!) {{ {}(input: $input) {{ executionId position errors {{ code message }} }} }}",
            self.field
        );
        client.change(self.field, &query, input, access.json).await
    }
}

/// Where a retry begins.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum From {
    /// At the node that failed, with what the nodes before it gave.
    FailedNode,
    /// At the trigger, with the same items.
    Start,
}

/// What a retry runs.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Version {
    /// What the execution ran that ended.
    Same,
    /// What would run now.
    Newest,
}

/// How something is retried.
#[derive(Debug, Clone, Args)]
pub struct How {
    /// Where the retry begins.
    #[arg(long, value_enum, default_value_t = From::FailedNode)]
    from: From,
    /// What the retry runs.
    #[arg(long, value_enum, default_value_t = Version::Same)]
    on: Version,
    /// Makes this the same command as an earlier one with this id: nothing is retried twice.
    #[arg(long, value_name = "ID")]
    command_id: Option<Uuid>,
}

impl How {
    fn input(&self) -> Value {
        let from = match self.from {
            From::FailedNode => "FAILED_NODE",
            From::Start => "START",
        };
        let version = match self.on {
            Version::Same => "SAME",
            Version::Newest => "NEWEST",
        };
        json!({ "from": from, "version": version, "commandId": self.command_id })
    }
}

/// Retries one execution.
pub async fn retry(id: Uuid, how: &How, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let change = Change { field: "retryExecution", input: how.input(), done: "" };
    let result = change.send(&client, id, access).await;
    client.close().await;
    let payload = result?;
    if access.json {
        output::json(&payload);
    } else {
        output::line(&format!("retried execution {id} as {}", output::text(&payload, "/executionId")));
    }
    Ok(())
}

/// Before which nodes an execution pauses.
#[derive(Debug, Clone, Args)]
pub struct BreakpointChange {
    /// Pause before this node; may be given several times.
    #[arg(long, value_name = "NODE")]
    at: Vec<String>,
    /// Pause before this node where the expression is true for its first item; may be given several times.
    #[arg(long, num_args = 2, value_names = ["NODE", "EXPRESSION"])]
    at_if: Vec<String>,
    /// Pause nowhere.
    #[arg(long, conflicts_with_all = ["at", "at_if"])]
    none: bool,
}

impl BreakpointChange {
    /// Changes the breakpoints of execution `id`; without any, tells those that it has.
    pub async fn ask(self, id: Uuid, access: &Access, config: &Config) -> Result<(), Failure> {
        if self.at.is_empty() && self.at_if.is_empty() && !self.none {
            return tell(id, access, config).await;
        }
        let always = self.at.iter().map(|node| json!({ "node": node }));
        let sometimes = self.at_if.chunks(2).map(|pair| json!({ "node": pair.first(), "condition": pair.get(1) }));
        let breakpoints: Vec<Value> = always.chain(sometimes).collect();
        let input = json!({ "breakpoints": breakpoints });
        Change { field: "changeBreakpoints", input, done: "breakpoints changed" }.ask(id, access, config).await
    }
}

async fn tell(id: Uuid, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let data = client.ask(BREAKPOINTS, json!({ "id": id })).await;
    client.close().await;
    let execution = data?.get("execution").cloned().unwrap_or_default();
    let Some(breakpoints) = execution.get("breakpoints").and_then(Value::as_array) else {
        output::error(&format!("there is no execution {id}: `timeloom execution list` shows those that are"));
        return Err(Failure::Refused);
    };
    if access.json {
        output::json(&Value::Array(breakpoints.clone()));
        return Ok(());
    }
    let row = |breakpoint: &Value| ["/node", "/condition"].map(|path| output::text(breakpoint, path)).to_vec();
    let rows: Vec<Vec<String>> = breakpoints.iter().map(row).collect();
    output::table(&["NODE", "CONDITION"], &rows);
    Ok(())
}

/// Which dead letters are retried.
#[derive(Debug, Clone, Args)]
pub struct RedriveChoice {
    /// Only those of this workflow.
    #[arg(long, value_name = "ID")]
    workflow: Option<Uuid>,
    /// Only those started by this: webhook, schedule, sub-workflow, failure or retry.
    #[arg(long, value_parser = trigger)]
    trigger: Option<String>,
    /// Only those about which this was saved.
    #[arg(long, value_name = "NAME=VALUE", value_parser = saved)]
    saved: Option<Value>,
    /// Only failures of this cause, as `execution groups` tells it.
    #[arg(long, value_name = "FINGERPRINT")]
    fingerprint: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    limit: u32,
    #[command(flatten)]
    how: How,
}

impl RedriveChoice {
    /// Retries them, and tells what became of each. Some that are refused are no failure of the verb.
    pub async fn ask(self, access: &Access, config: &Config) -> Result<(), Failure> {
        let filter = json!({
            "workflowId": self.workflow, "trigger": self.trigger, "saved": self.saved,
            "errorFingerprint": self.fingerprint,
        });
        let mut input = self.how.input();
        if let Value::Object(fields) = &mut input {
            fields.extend(Map::from_iter([("filter".to_owned(), filter), ("limit".to_owned(), json!(self.limit))]));
        }
        let client = Client::open(access, config).await?;
        let result = client.change("redriveExecutions", REDRIVE, input, access.json).await;
        client.close().await;
        let payload = result?;
        if access.json {
            output::json(&payload);
            return Ok(());
        }
        let redriven = payload.get("redriven").and_then(Value::as_array).cloned().unwrap_or_default();
        let fields = ["/executionId", "/retriedAs", "/error/message"];
        let rows: Vec<Vec<String>> =
            redriven.iter().map(|one| fields.map(|path| output::text(one, path)).to_vec()).collect();
        output::table(&["EXECUTION", "RETRIED AS", "REFUSED"], &rows);
        let (retried, refused) = (output::text(&payload, "/retriedCount"), output::text(&payload, "/refusedCount"));
        output::notice(&format!("{retried} retried, {refused} refused"));
        if payload.get("hasMore") == Some(&Value::Bool(true)) {
            output::notice("there are more dead letters: call again");
        }
        Ok(())
    }
}

/// What starts executions, as the API writes it.
pub fn trigger(text: &str) -> Result<String, String> {
    let word = text.to_uppercase().replace('-', "_");
    match ["WEBHOOK", "SCHEDULE", "SUB_WORKFLOW", "FAILURE", "RETRY", "FORK"].contains(&word.as_str()) {
        true => Ok(word),
        false => Err("use webhook, schedule, sub-workflow, failure, retry or fork".to_owned()),
    }
}

/// A saved fact, as the API takes it.
pub fn saved(text: &str) -> Result<Value, String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok(json!({ "name": name, "value": value }))
}
