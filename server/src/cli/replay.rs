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
    testCases { id name verdict summary node runIndex changes { path before after } }
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
    /// How many of them; 0 with --tests for test cases alone.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    last: u32,
    /// Run the test cases of the workflow as well.
    #[arg(long)]
    tests: bool,
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
            "testCases": self.tests, "timeoutMs": self.timeout * 1_000,
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
            "COMPLETED" if text("/differCount") == "0" && all_hold(&check) => Ok(()),
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
        tell_changes(difference);
    }
    for case in test_cases(check) {
        let [name, verdict, summary] = ["/name", "/verdict", "/summary"].map(|path| output::text(case, path));
        let word = match verdict.as_str() {
            "SAME" => "same",
            "CHANGED" => "changed",
            "FAILED" => "failed",
            _ => "cannot be judged",
        };
        let why = if verdict == "SAME" { String::new() } else { format!(": {summary}") };
        output::line(&format!("test case '{name}': {word}{why}"));
        tell_changes(case);
    }
}

fn tell_changes(of: &Value) {
    for change in of.get("changes").and_then(Value::as_array).into_iter().flatten() {
        let [path, before, after] = ["/path", "/before", "/after"].map(|path| output::text(change, path));
        output::line(&format!("    {path}: {before} → {after}"));
    }
}

fn test_cases(check: &Value) -> impl Iterator<Item = &Value> {
    check.get("testCases").and_then(Value::as_array).into_iter().flatten()
}

/// Whether no test case came to something else, or failed.
fn all_hold(check: &Value) -> bool {
    test_cases(check).all(|case| !matches!(output::text(case, "/verdict").as_str(), "CHANGED" | "FAILED"))
}

fn version(text: &str) -> Result<Value, String> {
    if text == "draft" {
        return Ok(json!({ "draft": true }));
    }
    let number = text.strip_prefix('v').unwrap_or(text).parse::<u32>();
    number.map(|version| json!({ "published": version })).map_err(|_| "write draft, or a version such as v3".to_owned())
}
