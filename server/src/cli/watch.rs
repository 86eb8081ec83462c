//! `timeloom execution watch`: an expression over executions of the past.

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::state::shortened;
use super::{Access, Failure, moment, output};
use crate::config::Config;

const WATCH: &str = "query($input: WatchInput!, $first: Int, $after: String) {
  watchExecutions(input: $input, first: $first, after: $after) {
    nodes { executionId passedOver isCut hits { executionId node runIndex position value error } }
    pageInfo { hasNextPage endCursor } } }";

/// What is watched, and where.
#[derive(Debug, Args)]
pub struct WatchArguments {
    /// The expression, such as '$json.total > 100'.
    expression: String,
    /// The workflow whose executions they are.
    #[arg(long, value_name = "ID")]
    workflow: Uuid,
    /// Only executions that began at or after this time or day.
    #[arg(long, value_name = "TIME", value_parser = moment::time)]
    from: Option<DateTime<Utc>>,
    /// Only executions that began before this time or day.
    #[arg(long, value_name = "TIME", value_parser = moment::time)]
    to: Option<DateTime<Utc>>,
    /// Only runs of this node.
    #[arg(long)]
    node: Option<String>,
    /// Over what of each node run: what it gave, or what it was given, as a breakpoint sees it.
    #[arg(long, default_value = "output")]
    over: Over,
    /// Print what the expression gave at every node run, not only where it was true.
    #[arg(long)]
    all: bool,
    /// How many executions are looked at, at most 100.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    /// Go on after this cursor.
    #[arg(long)]
    after: Option<String>,
    #[command(flatten)]
    access: Access,
}

/// Over what of a node run an expression is evaluated.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Over {
    Input,
    Output,
}

impl WatchArguments {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Micros, true);
        let over = match self.over {
            Over::Input => "INPUT",
            Over::Output => "OUTPUT",
        };
        let input = json!({
            "expression": self.expression, "workflowId": self.workflow, "from": self.from.map(time),
            "to": self.to.map(time), "node": self.node, "over": over, "all": self.all,
        });
        let variables = json!({ "input": input, "first": self.limit, "after": self.after });
        let client = Client::open(&self.access, config).await?;
        let data = client.ask(WATCH, variables).await;
        client.close().await;
        let found = data?.get("watchExecutions").cloned().unwrap_or_default();
        if self.access.json {
            output::json(&found);
            return Ok(());
        }
        let list = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let executions = list(&found, "nodes");
        let hits: Vec<Value> = executions.iter().flat_map(|execution| list(execution, "hits")).collect();
        let row = |hit: &Value| {
            let mut cells =
                ["/executionId", "/node", "/runIndex", "/position"].map(|path| output::text(hit, path)).to_vec();
            cells.push(match hit.get("error").and_then(Value::as_str) {
                Some(error) => format!("error: {error}"),
                None => shortened(hit.get("value").unwrap_or(&Value::Null)),
            });
            cells
        };
        output::table(&["EXECUTION", "NODE", "RUN", "POSITION", "VALUE"], &hits.iter().map(row).collect::<Vec<_>>());
        for execution in &executions {
            let id = output::text(execution, "/executionId");
            match execution.get("passedOver").and_then(Value::as_str) {
                Some(why) => output::notice(&format!("{id} was passed over: {why}")),
                None if execution.get("isCut") == Some(&Value::Bool(true)) => {
                    output::notice(&format!("{id} has more than these"));
                }
                None => {}
            }
        }
        output::notice(&format!("{} executions were looked at", executions.len()));
        if found.pointer("/pageInfo/hasNextPage") == Some(&Value::Bool(true)) {
            output::notice(&format!("more: --after {}", output::text(&found, "/pageInfo/endCursor")));
        }
        Ok(())
    }
}
