//! `timeloom explain`: from where a value in an item comes, across the borders of executions, up to the first trigger.

use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::{Access, Failure, output, why};
use crate::config::Config;

const EXPLAIN: &str = "query($input: ExplainInput!) { explain(input: $input) { isCut chapters {
  executionId border fromChapter fromStep trigger agentRuns { id step turns tools }
  steps { executionId node runIndex output item path value origin parameters expression inputs
    writtenBy { position revision type } } } } }";

/// Which value.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// The execution.
    execution: Uuid,
    /// The node that gave the value.
    node: String,
    /// Where in the item, as a JSON pointer: /json/total. Without /json at its beginning that is added.
    path: String,
    /// Which run of the node; 0 is the first.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    run: u32,
    /// Which of its outputs.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    output: u32,
    /// Which item.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    item: u32,
    #[command(flatten)]
    access: Access,
}

impl ExplainArguments {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let is_whole = self.path == "/json" || self.path.starts_with("/json/") || self.path.starts_with("/binary/");
        let path = match (is_whole, self.path.starts_with('/')) {
            (true, _) => self.path,
            (false, true) => format!("/json{}", self.path),
            (false, false) => format!("/json/{}", self.path),
        };
        let input = json!({
            "executionId": self.execution, "node": self.node, "runIndex": self.run, "output": self.output,
            "item": self.item, "path": path,
        });
        let client = Client::open(&self.access, config).await?;
        let data = client.ask(EXPLAIN, json!({ "input": input })).await;
        client.close().await;
        let found = data?.get("explain").cloned().unwrap_or_default();
        if self.access.json {
            output::json(&found);
        } else {
            tell(&found);
        }
        Ok(())
    }
}

fn tell(found: &Value) {
    let chapters = found.get("chapters").and_then(Value::as_array).into_iter().flatten();
    for (place, chapter) in chapters.enumerate() {
        let text = |path: &str| output::text(chapter, path);
        let from = format!("#{} of {}", text("/fromStep"), text("/fromChapter"));
        let how = match text("/border").as_str() {
            "CALLED" => format!(", called by {from}"),
            "CALLER" => format!(", which gave {from}"),
            _ => String::new(),
        };
        output::line(&format!("{place}. execution {}{how}, {}", text("/executionId"), text("/trigger")));
        let steps = chapter.get("steps").and_then(Value::as_array).into_iter().flatten();
        steps.enumerate().for_each(|(place, step)| output::line(&format!("   {}", why::line(place, step))));
        for run in chapter.get("agentRuns").and_then(Value::as_array).into_iter().flatten() {
            let tools: Vec<&str> =
                run.get("tools").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            let tools = if tools.is_empty() { "no tools".to_owned() } else { tools.join(", ") };
            let (id, step, turns) = (output::text(run, "/id"), output::text(run, "/step"), output::text(run, "/turns"));
            output::line(&format!("   #{step} asked agent run {id}: {turns} turns, {tools}"));
        }
    }
    if found.get("isCut") == Some(&Value::Bool(true)) {
        output::notice("there is more than is told");
    }
}
