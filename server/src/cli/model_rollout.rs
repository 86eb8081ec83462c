//! `timeloom model rollout`: the guard of a trial, and what is counted of it.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::client::Client;
use super::{Access, Failure, output};
use crate::config::Config;

const SHOW: &str = "query($name: String!) { model(name: $name) { name promotedVersion rollout {
  version percent shadow alias guard { metric bound fewest tolerance }
  figures { compared disagreed upTo candidate { answered failed errorRate latencyP95Us }
    stable { answered failed errorRate latencyP95Us } } } } }";

/// What a guard measures of the tried version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Metric {
    /// The part of its inferences that failed or were not begun.
    ErrorRate,
    /// The time within which it answers 95 of 100, waiting included.
    LatencyP95,
    /// The part of its answers to copies that are others; with --shadow.
    Disagreement,
}

/// When a trial is over by itself.
#[derive(Debug, Args)]
pub struct Guard {
    /// End the trial by itself as soon as this is above --bound.
    #[arg(long, value_enum, value_name = "METRIC", requires = "bound")]
    guard: Option<Metric>,
    /// The most that is allowed: a part of 1, such as 0.05, or milliseconds for a latency.
    #[arg(long, value_name = "NUMBER", requires = "guard")]
    bound: Option<f64>,
    /// Fewest inferences, or comparisons, before the tried version is judged.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    fewest: u32,
    /// An answer disagrees when its numbers are further apart than this, such as 0.001; absent = when its class is another one.
    #[arg(long, value_name = "NUMBER", requires = "guard")]
    tolerance: Option<f64>,
}

impl Guard {
    /// The guard as the API takes it; null where there is none.
    pub fn input(&self) -> Value {
        let (Some(metric), Some(bound)) = (self.guard, self.bound) else { return Value::Null };
        let metric = match metric {
            Metric::ErrorRate => "ERROR_RATE",
            Metric::LatencyP95 => "LATENCY_P95",
            Metric::Disagreement => "DISAGREEMENT",
        };
        json!({ "metric": metric, "bound": bound, "fewest": self.fewest, "tolerance": self.tolerance })
    }
}

/// Shows the trial of a model that is under way.
///
/// # Errors
/// When there is no such model, or none is under way.
pub async fn show(name: &str, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let found = client.ask(SHOW, json!({ "name": name })).await;
    client.close().await;
    let found = found?;
    let Some(model) = found.get("model").filter(|model| !model.is_null()) else {
        return Err(anyhow::anyhow!("there is no model '{name}' here: 'timeloom model list' shows all").into());
    };
    let Some(rollout) = model.get("rollout").filter(|rollout| !rollout.is_null()) else {
        return Err(anyhow::anyhow!("no version of '{name}' is being tried: start a rollout first").into());
    };
    if access.json {
        output::json(rollout);
        return Ok(());
    }
    let [version, percent, alias] = ["/version", "/percent", "/alias"].map(|path| output::text(rollout, path));
    let does = if rollout.get("shadow") == Some(&Value::Bool(true)) { "computes copies of" } else { "answers" };
    let of = if alias == "-" { name.to_owned() } else { format!("{name}@{alias}") };
    output::line(&format!("version {version} {does} {percent} % of the requests that name {of}"));
    if let Some(guard) = rollout.get("guard").filter(|guard| !guard.is_null()) {
        let [metric, bound, fewest] = ["/metric", "/bound", "/fewest"].map(|path| output::text(guard, path));
        let metric = metric.to_lowercase().replace('_', " ");
        output::line(&format!("it ends by itself when its {metric} is above {bound}, after {fewest} or more"));
    }
    let row = |side: &str| {
        let cell = |field: &str| output::text(rollout, &format!("/figures/{side}/{field}"));
        vec![side.to_owned(), cell("answered"), cell("failed"), cell("errorRate"), cell("latencyP95Us")]
    };
    output::table(&["SIDE", "ANSWERED", "FAILED", "ERROR RATE", "P95 US"], &[row("candidate"), row("stable")]);
    let [compared, disagreed] = ["/figures/compared", "/figures/disagreed"].map(|path| output::text(rollout, path));
    output::line(&format!("{compared} copies compared, {disagreed} of them other answers"));
    Ok(())
}
