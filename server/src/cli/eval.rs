//! `timeloom eval`: versions of models, workflows and agents tried on what is known, without serving anything.

mod scored;
mod sets;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::workflow::all_pages;
use super::{Access, Failure, output};
use crate::config::Config;
use crate::models::{Evaluating, Models};

pub(super) const BACKTEST: &str = "mutation($input: StartBacktestInput!) { startBacktest(input: $input) {
  timedOut position errors { code message } evaluation { id modelName version tolerance status summary failure
    backtest { cases same near different classChanged failed skipped worst recorded { p50Us p95Us }
      candidate { p50Us p95Us } told { inferenceId verdict apart classChanged reason } } } } }";
const SHOW: &str = "query($id: UUID!) { evaluation(id: $id) {
  id modelName workflowId agentName version setName setVersion tolerance status summary failure requestedAt endedAt
  cases { inferenceIds ofVersion from until workflowId agent last }
  backtest { cases same near different classChanged failed skipped worst recorded { p50Us p95Us }
    candidate { p50Us p95Us } told { inferenceId verdict apart classChanged reason } }
  scored { cases failed scorers { name mean count failed }
    scores(first: 1000) { caseId scores executionId agentRunId judgements { scorer score reason model provider callId } }
    told { caseId failure verdicts { scorer score reason } } } } }";
const LIST: &str = "query($first: Int!, $after: String, $model: String, $set: String) {
  evaluations(first: $first, after: $after, model: $model, set: $set) {
    nodes { id modelName workflowId agentName version setName setVersion status summary failure requestedAt } pageInfo { hasNextPage endCursor } } }";

/// Cases of a report that are printed; all that are told are in JSON.
const PRINTED_MAX: usize = 20;

#[derive(Debug, Subcommand)]
pub enum EvalVerb {
    /// Compute recorded inferences by another version and compare; exits with 3 when an answer is another one
    Backtest(BacktestArguments),
    /// Make, add to, list and show sets of cases
    #[command(subcommand)]
    Set(sets::SetVerb),
    /// Try a version of a model, a workflow or an agent on the cases of a set
    Run(scored::RunArguments),
    /// Compare two evaluations of one version of a set; exits with 3 when a case got worse
    Compare {
        /// The first one.
        before: Uuid,
        /// The second one.
        after: Uuid,
        #[command(flatten)]
        access: Access,
    },
    /// Show an evaluation and what came of it
    Show {
        /// The evaluation.
        id: Uuid,
        #[command(flatten)]
        access: Access,
    },
    /// List evaluations, newest first
    List {
        /// Only those of versions of this model.
        #[arg(long, value_name = "NAME")]
        model: Option<String>,
        /// Only those on cases of this set.
        #[arg(long, value_name = "SET")]
        set: Option<String>,
        #[command(flatten)]
        access: Access,
    },
}

/// What is tried on what.
#[derive(Debug, Args)]
pub struct BacktestArguments {
    /// The model.
    model: String,
    /// The version that is tried.
    #[arg(id = "number", value_name = "VERSION")]
    version: u32,
    /// Inferences by their ids; the newest that meet the rest when none is named.
    ids: Vec<Uuid>,
    /// Only those that this version answered.
    #[arg(long, value_name = "VERSION", conflicts_with = "ids")]
    of_version: Option<u32>,
    /// Only those that came in at or after this time, such as 2026-03-03T12:00:00Z.
    #[arg(long, value_name = "TIME", conflicts_with = "ids")]
    from: Option<String>,
    /// Only those that came in before this time.
    #[arg(long, value_name = "TIME", conflicts_with = "ids")]
    until: Option<String>,
    /// Only those for which this workflow asked.
    #[arg(long, value_name = "ID", conflicts_with = "ids")]
    workflow: Option<Uuid>,
    /// Only those for which this agent asked.
    #[arg(long, value_name = "NAME", conflicts_with = "ids")]
    agent: Option<String>,
    /// How many of the newest.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    last: u32,
    /// How far numbers may be apart and still be near, relative to the larger one or 1.
    #[arg(long, value_name = "NUMBER", default_value_t = 0.001)]
    tolerance: f64,
    /// How long to wait for the report, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
    #[command(flatten)]
    access: Access,
}

impl EvalVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::Backtest(arguments) => arguments.run(config).await,
            Self::Set(verb) => verb.run(config).await,
            Self::Run(arguments) => arguments.run(config).await,
            Self::Compare { before, after, access } => scored::compare(before, after, &access, config).await,
            Self::Show { id, access } => show(id, &access, config).await,
            Self::List { model, set, access } => {
                Ok(list(json!({ "model": model, "set": set }), &access, config).await?)
            }
        }
    }
}

impl BacktestArguments {
    async fn run(self, config: &Config) -> Result<(), Failure> {
        let access = &self.access;
        let client = Client::open(access, config).await?;
        let doing = match doing(&client, config) {
            Ok(doing) => doing,
            Err(error) => {
                client.close().await;
                return Err(error.into());
            }
        };
        let input = json!({
            "model": self.model, "version": self.version, "inferenceIds": self.ids, "ofVersion": self.of_version,
            "from": self.from, "until": self.until, "workflowId": self.workflow, "agent": self.agent,
            "last": self.last, "tolerance": self.tolerance, "timeoutMs": self.timeout * 1_000,
        });
        let result = client.change("startBacktest", BACKTEST, input, access.json).await;
        if let Some((evaluating, models)) = doing {
            evaluating.stop().await;
            models.close().await;
        }
        client.close().await;
        let payload = result?;
        let evaluation = payload.get("evaluation").cloned().unwrap_or_default();
        if access.json {
            output::json(&evaluation);
        } else {
            tell(&evaluation);
        }
        let text = |path: &str| output::text(&evaluation, path);
        match (text("/status").as_str(), text("/backtest/different").as_str(), text("/backtest/failed").as_str()) {
            ("COMPLETED", "0", "0") => Ok(()),
            ("COMPLETED", ..) => Err(Failure::Differs),
            ("FAILED", ..) => Err(Failure::Failed),
            _ => Err(anyhow::anyhow!("the evaluation {} has no report yet: look at it later", text("/id")).into()),
        }
    }
}

/// What does evaluations, where this process has the data folder to itself.
pub(super) fn doing(client: &Client, config: &Config) -> anyhow::Result<Option<(Evaluating, Models)>> {
    let Client::Local { app, .. } = client else { return Ok(None) };
    let models = Models::open(config, &config.models_folder(), app)?;
    Ok(Some((Evaluating::start(models.clone(), &app.store.leases), models)))
}

async fn show(id: Uuid, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let found = client.ask(SHOW, json!({ "id": id })).await;
    client.close().await;
    let found = found?;
    let Some(evaluation) = found.get("evaluation").filter(|evaluation| !evaluation.is_null()) else {
        return Err(anyhow::anyhow!("there is no evaluation {id} here: 'timeloom eval list' shows all").into());
    };
    if access.json {
        output::json(evaluation);
    } else {
        tell(evaluation);
    }
    Ok(())
}

async fn list(which: Value, access: &Access, config: &Config) -> anyhow::Result<()> {
    let client = Client::open(access, config).await?;
    let variables = json!({ "first": 100, "model": which["model"], "set": which["set"] });
    let found = all_pages(&client, LIST, "evaluations", variables).await;
    client.close().await;
    let found = found?;
    if access.json {
        output::json(&Value::Array(found));
        return Ok(());
    }
    let cells = |evaluation: &Value| {
        let text = |path: &str| output::text(evaluation, path);
        let came = if text("/status") == "FAILED" { text("/failure") } else { text("/summary") };
        vec![text("/id"), scored::tried(evaluation), text("/status").to_lowercase(), text("/requestedAt"), came]
    };
    let rows: Vec<Vec<String>> = found.iter().map(cells).collect();
    output::table(&["ID", "TRIED", "STATUS", "ASKED FOR", "WHAT CAME OF IT"], &rows);
    Ok(())
}

fn tell(evaluation: &Value) {
    let text = |path: &str| output::text(evaluation, path);
    if text("/setName") != "-" {
        scored::tell(evaluation);
        return;
    }
    let came = if text("/status") == "FAILED" { text("/failure") } else { text("/summary") };
    output::line(&format!("evaluation {} of {}@{}: {came}", text("/id"), text("/modelName"), text("/version")));
    if text("/backtest") == "-" {
        return;
    }
    output::line(&format!(
        "worst {} apart, {} with another class",
        text("/backtest/worst"),
        text("/backtest/classChanged")
    ));
    let row = |side: &str| {
        let cell = |field: &str| text(&format!("/backtest/{side}/{field}"));
        vec![side.to_owned(), cell("p50Us"), cell("p95Us")]
    };
    output::table(&["COMPUTED", "P50 US", "P95 US"], &[row("recorded"), row("candidate")]);
    let told = evaluation.pointer("/backtest/told").and_then(Value::as_array).cloned().unwrap_or_default();
    let cells = |case: &Value| {
        let class = if case.get("classChanged") == Some(&Value::Bool(true)) { "another" } else { "-" };
        let cell = |path: &str| output::text(case, path);
        vec![cell("/inferenceId"), cell("/verdict").to_lowercase(), cell("/apart"), class.to_owned(), cell("/reason")]
    };
    let rows: Vec<Vec<String>> = told.iter().take(PRINTED_MAX).map(cells).collect();
    if !rows.is_empty() {
        output::table(&["INFERENCE", "CAME TO", "APART", "CLASS", "WHY"], &rows);
    }
}
