//! `timeloom workflow rollout`: start, set, promote, back, show.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::{Access, Failure, output};
use crate::config::Config;

const START: &str = "mutation($input: StartWorkflowRolloutInput!) { payload: startWorkflowRollout(input: $input) {
  workflowId position revision errors { code message ... on Refused { problems { node field message } } }
  workflow { activeVersion rollout { version percent } } } }";
const SET: &str = "mutation($input: ChangeWorkflowRolloutInput!) { payload: changeWorkflowRollout(input: $input) {
  workflowId position revision errors { code message } workflow { activeVersion rollout { version percent } } } }";
const PROMOTE: &str = "mutation($input: WorkflowInput!) { payload: promoteWorkflowRollout(input: $input) {
  workflowId position revision errors { code message } workflow { activeVersion } } }";
const BACK: &str = "mutation($input: WorkflowInput!) { payload: rollBackWorkflowRollout(input: $input) {
  workflowId position revision errors { code message } workflow { activeVersion } } }";
const SHOW: &str =
    "query($id: UUID!) { workflow(id: $id) { activeVersion rollout { number version percent startedAt position
  guard { errorPercentMax executionsMin windowMinutes onlyIfWorse }
  candidate { version completed failed errorRate } active { version completed failed errorRate } } } }";

/// A workflow, and how to talk to the server.
#[derive(Debug, Args)]
pub struct Of {
    /// Its id.
    id: Uuid,
    #[command(flatten)]
    access: Access,
}

/// When a version that is tried out is given up without anybody asking.
#[derive(Debug, Args)]
pub struct Guard {
    /// Roll back by itself when more than so many of a hundred of its executions failed.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=99))]
    max_errors: Option<u8>,
    /// Not before so many of its executions have ended.
    #[arg(long, value_name = "COUNT", default_value_t = 20, requires = "max_errors",
        value_parser = clap::value_parser!(u32).range(1..=5_000))]
    min_executions: u32,
    /// Count only what ended within so many minutes.
    #[arg(long, value_name = "MINUTES", requires = "max_errors",
        value_parser = clap::value_parser!(u32).range(1..=43_200))]
    window: Option<u32>,
    /// Only if those of the active version fail less often.
    #[arg(long, requires = "max_errors")]
    only_if_worse: bool,
}

impl Guard {
    fn input(&self) -> Option<Value> {
        self.max_errors.map(|percent| {
            json!({
                "errorPercentMax": percent, "executionsMin": self.min_executions,
                "windowMinutes": self.window, "onlyIfWorse": self.only_if_worse,
            })
        })
    }
}

#[derive(Debug, Subcommand)]
pub enum RolloutVerb {
    /// Let a published version run for a part of the calls and schedules, beside the active one
    #[command(disable_version_flag = true)]
    Start {
        #[command(flatten)]
        of: Of,
        /// The version; the newest when absent.
        #[arg(long)]
        version: Option<u32>,
        /// How many of a hundred production executions run it.
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=99))]
        percent: u8,
        #[command(flatten)]
        guard: Guard,
        /// Why, for those who read its history.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let it run for another part
    Set {
        #[command(flatten)]
        of: Of,
        /// How many of a hundred production executions run it.
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=99))]
        percent: u8,
        /// Why, for those who read its history.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let it take all calls and schedules
    Promote {
        #[command(flatten)]
        of: Of,
        /// Why, for those who read its history.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let the active version take all calls and schedules again
    Back {
        #[command(flatten)]
        of: Of,
        /// Why, for those who read its history.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Show how both versions do
    Show {
        #[command(flatten)]
        of: Of,
    },
}

impl RolloutVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::Start { of, version, percent, guard, reason } => {
                let guard = guard.input();
                let input = json!({
                    "workflowId": of.id, "version": version, "percent": percent, "guard": guard, "reason": reason,
                });
                change(START, input, &of.access, config, shares).await
            }
            Self::Set { of, percent, reason } => {
                let input = json!({ "workflowId": of.id, "percent": percent, "reason": reason });
                change(SET, input, &of.access, config, shares).await
            }
            Self::Promote { of, reason } => {
                let input = json!({ "workflowId": of.id, "reason": reason });
                change(PROMOTE, input, &of.access, config, takes_all).await
            }
            Self::Back { of, reason } => {
                let input = json!({ "workflowId": of.id, "reason": reason });
                change(BACK, input, &of.access, config, takes_all).await
            }
            Self::Show { of } => show(&of, config).await,
        }
    }
}

/// Sends a mutation, and tells what came of it.
async fn change(
    mutation: &str,
    input: Value,
    access: &Access,
    config: &Config,
    words: fn(&Value) -> String,
) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let result = client.change("payload", mutation, input, access.json).await;
    client.close().await;
    let payload = result?;
    if access.json {
        output::json(&payload);
    } else {
        output::line(&words(&payload));
    }
    Ok(())
}

fn shares(payload: &Value) -> String {
    let paths = ["/workflow/rollout/version", "/workflow/rollout/percent", "/workflow/activeVersion"];
    let [version, percent, active] = paths.map(|path| output::text(payload, path));
    format!("version {version} runs {percent} of a hundred calls and schedules, version {active} the rest")
}

fn takes_all(payload: &Value) -> String {
    let active = output::text(payload, "/workflow/activeVersion");
    format!("version {active} takes all calls and schedules")
}

async fn show(of: &Of, config: &Config) -> Result<(), Failure> {
    let client = Client::open(&of.access, config).await?;
    let data = client.ask(SHOW, json!({ "id": of.id })).await;
    client.close().await;
    let data = data?;
    let Some(workflow) = data.get("workflow").filter(|workflow| !workflow.is_null()) else {
        output::error(&format!("there is no workflow {}: `timeloom workflow list` shows those that are", of.id));
        return Err(Failure::Refused);
    };
    let rollout = workflow.get("rollout").cloned().unwrap_or_default();
    if of.access.json {
        output::json(&rollout);
        return Ok(());
    }
    if rollout.is_null() {
        output::line("no version is being rolled out");
        return Ok(());
    }
    output::line(&told(&rollout));
    let rows: Vec<Vec<String>> = ["candidate", "active"].map(|side| row(side, &rollout)).to_vec();
    output::table(&["SIDE", "VERSION", "COMPLETED", "FAILED", "ERRORS"], &rows);
    Ok(())
}

/// What is tried out and when it is given up, as a sentence.
fn told(rollout: &Value) -> String {
    let text = |path: &str| output::text(rollout, path);
    let begun = format!(
        "version {} runs {} of a hundred calls and schedules since {}",
        text("/version"),
        text("/percent"),
        text("/startedAt")
    );
    if rollout.get("guard").is_none_or(Value::is_null) {
        return format!("{begun}; nothing rolls it back by itself");
    }
    let window = match rollout.pointer("/guard/windowMinutes").and_then(Value::as_u64) {
        Some(minutes) => format!(" of the last {minutes} minutes"),
        None => String::new(),
    };
    let worse = match rollout.pointer("/guard/onlyIfWorse").and_then(Value::as_bool) {
        Some(true) => ", if the active one fails less often",
        _ => "",
    };
    format!(
        "{begun}; it is rolled back when more than {} of a hundred fail{window}, from {} executions on{worse}",
        text("/guard/errorPercentMax"),
        text("/guard/executionsMin")
    )
}

fn row(side: &str, rollout: &Value) -> Vec<String> {
    let text = |field: &str| output::text(rollout, &format!("/{side}/{field}"));
    let rate = rollout.pointer(&format!("/{side}/errorRate")).and_then(Value::as_f64);
    let rate = rate.map_or_else(|| "-".to_owned(), |rate| format!("{:.1} %", rate * 100.0));
    vec![side.to_owned(), text("version"), text("completed"), text("failed"), rate]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_is_told_with_its_guard() {
        let rollout = json!({ "version": 2, "percent": 10, "startedAt": "2026-03-01T10:00:00Z" });
        let begun = "version 2 runs 10 of a hundred calls and schedules since 2026-03-01T10:00:00Z";
        assert_eq!(told(&rollout), format!("{begun}; nothing rolls it back by itself"));
        let guard = json!({ "errorPercentMax": 5, "executionsMin": 20, "windowMinutes": 30, "onlyIfWorse": true });
        let mut guarded = rollout;
        guarded["guard"] = guard;
        assert_eq!(
            told(&guarded),
            format!(
                "{begun}; it is rolled back when more than 5 of a hundred fail of the last 30 minutes, from 20 executions \
                 on, if the active one fails less often"
            )
        );
    }

    #[test]
    fn a_side_of_which_nothing_ended_has_no_error_rate() {
        let rollout = json!({
            "candidate": { "version": 2, "completed": 3, "failed": 1, "errorRate": 0.25 },
            "active": { "version": 1, "completed": 0, "failed": 0, "errorRate": null },
        });
        assert_eq!(row("candidate", &rollout), ["candidate", "2", "3", "1", "25.0 %"]);
        assert_eq!(row("active", &rollout), ["active", "1", "0", "0", "-"]);
    }
}
