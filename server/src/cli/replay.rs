//! `timeloom replay`: executions run again without touching the world, and what they did otherwise.

use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::{Access, Failure, output};
use crate::config::Config;

const REPLAY: &str = "mutation($input: StartReplayCheckInput!) { startReplayCheck(input: $input) {
  timedOut position errors { code message ... on Refused { problems { node field message } } }
  replayCheck { id status summary sameCount differCount skippedCount failure againstVersion againstRevision
    differences { executionId node runIndex summary changes { path before after } } } } }";

/// Which executions are run again, and under what.
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// The executions; or give --workflow.
    #[arg(required_unless_present = "workflow", conflicts_with = "last")]
    ids: Vec<Uuid>,
    /// The last executions of this workflow.
    #[arg(long, value_name = "ID", conflicts_with = "ids")]
    workflow: Option<Uuid>,
    /// How many of them.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    last: u32,
    /// What they are run under: `draft`, or a published version such as v3; what each of them ran when absent.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    against: Option<Value>,
    /// How long to wait for the report, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
    #[command(flatten)]
    access: Access,
}

impl ReplayArguments {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let access = &self.access;
        let client = Client::open(access, config).await?;
        client.do_replays();
        let input = json!({
            "executionIds": self.ids, "workflowId": self.workflow, "last": self.last, "against": self.against,
            "timeoutMs": self.timeout * 1_000,
        });
        let result = client.change("startReplayCheck", REPLAY, input, access.json).await;
        client.close().await;
        let payload = result?;
        let check = payload.get("replayCheck").cloned().unwrap_or_default();
        if access.json {
            output::json(&check);
        } else {
            tell(&check);
        }
        let text = |path: &str| output::text(&check, path);
        match text("/status").as_str() {
            "COMPLETED" if text("/differCount") == "0" => Ok(()),
            "COMPLETED" => Err(Failure::Differs),
            "FAILED" => Err(Failure::Failed),
            _ => Err(anyhow::anyhow!("the replay check {} has no report yet: look at it later", text("/id")).into()),
        }
    }
}

fn tell(check: &Value) {
    let text = |path: &str| output::text(check, path);
    let summary = if text("/status") == "FAILED" { text("/failure") } else { text("/summary") };
    output::line(&format!("replay check {}: {summary}", text("/id")));
    for difference in check.get("differences").and_then(Value::as_array).into_iter().flatten() {
        let (execution, summary) = (output::text(difference, "/executionId"), output::text(difference, "/summary"));
        output::line(&format!("{execution}: {summary}"));
        for change in difference.get("changes").and_then(Value::as_array).into_iter().flatten() {
            let [path, before, after] = ["/path", "/before", "/after"].map(|path| output::text(change, path));
            output::line(&format!("    {path}: {before} → {after}"));
        }
    }
}

fn version(text: &str) -> Result<Value, String> {
    if text == "draft" {
        return Ok(json!({ "draft": true }));
    }
    let number = text.strip_prefix('v').unwrap_or(text).parse::<u32>();
    number.map(|version| json!({ "published": version })).map_err(|_| "write draft, or a version such as v3".to_owned())
}
