//! `timeloom model drift` and `timeloom model watch-drift`: recorded inferences of a model compared with others of it, once
//! or again and again.

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::client::Client;
use super::model::Named;
use super::{Access, Failure, output};
use crate::config::Config;

const REPORT: &str = "query($name: String!, $version: Int, $alias: String, $baseline: DriftTimesInput,
  $window: DriftTimesInput, $last: Int!, $bounds: DriftBoundsInput) {
  modelDrift(name: $name, version: $version, alias: $alias, baseline: $baseline, window: $window, last: $last,
    bounds: $bounds) {
    modelName version alias verdict pBound hasMoreFeatures
    baseline { inferences notKept erased } window { inferences notKept erased }
    features { feature kind verdict value { psi test pValue verdict } missing { psi test pValue verdict }
      baseline { observations missing mean } window { observations missing mean } } } }";
const WATCH: &str = "query($name: String!) { model(name: $name) { name driftWatch {
  running version alias window startedAt stoppedAt judged
  baseline { newest from until } bounds { moderate drifted p }
  last { stable moderate drifted tooFew worstFeature worstPsi judgedAt
    window { number from until counts { inferences notKept erased } } }
  findings { feature statistic value bound pValue pBound foundAt window { number from until } } } } }";

/// Findings of a watch that are printed; all that are told are in JSON.
const PRINTED_MAX: usize = 20;

/// From one time until another.
#[derive(Debug, Clone, Copy)]
struct Times {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// What counts as drift.
#[derive(Debug, Clone, Copy, Args)]
struct Bounds {
    /// A population stability index of so much or more is moderate.
    #[arg(long, value_name = "NUMBER", default_value_t = 0.1)]
    moderate: f64,
    /// One of so much or more is drift.
    #[arg(long, value_name = "NUMBER", default_value_t = 0.25)]
    drifted: f64,
    /// Neither where chance brings it this often or more, from 0 to 1, over all features together.
    #[arg(long = "chance", value_name = "NUMBER", default_value_t = 0.05)]
    chance: f64,
}

/// What is compared with what.
#[derive(Debug, Args)]
pub struct DriftArguments {
    #[command(flatten)]
    of: Named,
    /// Only what this version answered.
    #[arg(id = "number", long = "version", value_name = "VERSION")]
    version: Option<u32>,
    /// Only what named this alias.
    #[arg(long, value_name = "ALIAS")]
    alias: Option<String>,
    /// Compare with what was answered in this time, such as 2026-03-01T00:00:00Z..2026-03-08T00:00:00Z.
    #[arg(long, value_name = "FROM..TO", value_parser = times, requires = "window")]
    baseline: Option<Times>,
    /// Compare what was answered in this time.
    #[arg(long, value_name = "FROM..TO", value_parser = times, requires = "baseline")]
    window: Option<Times>,
    /// Without times: compare so many of the newest with as many before them.
    #[arg(long, value_name = "COUNT", default_value_t = 500, conflicts_with = "baseline",
        value_parser = clap::value_parser!(u32).range(20..=1_000))]
    last: u32,
    #[command(flatten)]
    bounds: Bounds,
}

/// What is watched, and against what.
#[derive(Debug, Args)]
pub struct WatchArguments {
    #[command(flatten)]
    of: Named,
    /// Only what this version answers.
    #[arg(id = "number", long = "version", value_name = "VERSION")]
    version: Option<u32>,
    /// Only what names this alias.
    #[arg(long, value_name = "ALIAS")]
    alias: Option<String>,
    /// Compare with what was answered in this time, such as 2026-03-01T00:00:00Z..2026-03-08T00:00:00Z.
    #[arg(long, value_name = "FROM..TO", value_parser = times, conflicts_with = "baseline_last")]
    baseline: Option<Times>,
    /// Compare with so many of the newest up to now; 500 when neither is named.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(20..=2_000))]
    baseline_last: Option<u32>,
    /// Judge every so many inferences.
    #[arg(long, value_name = "COUNT", default_value_t = 200, value_parser = clap::value_parser!(u32).range(20..=2_000))]
    window: u32,
    #[command(flatten)]
    bounds: Bounds,
    /// End the watch that is under way, and begin this one in its place.
    #[arg(long)]
    replace: bool,
    /// Watch it no more.
    #[arg(long, conflicts_with_all = ["number", "alias", "baseline", "baseline_last", "replace", "show"])]
    stop: bool,
    /// Show the watch and what it found.
    #[arg(long, conflicts_with_all = ["number", "alias", "baseline", "baseline_last", "replace"])]
    show: bool,
}

/// A time as people write it: two moments with two dots between them.
fn times(text: &str) -> Result<Times, String> {
    let wrong = || format!("'{text}' is no time: write FROM..TO, such as 2026-03-01T00:00:00Z..2026-03-08T00:00:00Z");
    let (from, until) = text.split_once("..").ok_or_else(wrong)?;
    let moment = |text: &str| text.parse::<DateTime<Utc>>().map_err(|_| wrong());
    Ok(Times { from: moment(from)?, until: moment(until)? })
}

impl Times {
    fn input(self) -> Value {
        json!({ "from": self.from.to_rfc3339(), "until": self.until.to_rfc3339() })
    }
}

impl Bounds {
    fn input(self) -> Value {
        json!({ "moderate": self.moderate, "drifted": self.drifted, "p": self.chance })
    }
}

impl DriftArguments {
    /// Compares, and tells what came of it.
    ///
    /// # Errors
    /// When there is no such model, and when a feature drifted.
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let Named { name, access } = &self.of;
        let client = Client::open(access, config).await?;
        let asked = json!({
            "name": name, "version": self.version, "alias": self.alias, "last": self.last,
            "baseline": self.baseline.map(Times::input), "window": self.window.map(Times::input),
            "bounds": self.bounds.input(),
        });
        let found = client.ask(REPORT, asked).await;
        client.close().await;
        let found = found?;
        let Some(report) = found.get("modelDrift").filter(|report| !report.is_null()) else {
            return Err(absent(name).into());
        };
        if access.json {
            output::json(report);
        } else {
            tell_report(report);
        }
        if output::text(report, "/verdict") == "DRIFTED" { Err(Failure::Differs) } else { Ok(()) }
    }
}

impl WatchArguments {
    /// Starts or stops a watch, or shows it.
    ///
    /// # Errors
    /// When it is refused, or there is none to show.
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let Named { name, access } = &self.of;
        if self.show {
            return show(name, access, config).await;
        }
        let (field, kind, done, input) = if self.stop {
            ("stopDriftWatch", "StopDriftWatchInput", "stopped the watch over", json!({ "name": name }))
        } else {
            let input = json!({
                "name": name, "version": self.version, "alias": self.alias, "window": self.window,
                "baseline": self.baseline.map(Times::input), "baselineNewest": self.baseline_last,
                "bounds": self.bounds.input(), "replace": self.replace,
            });
            ("startDriftWatch", "StartDriftWatchInput", "watching the drift of", input)
        };
        let query = format!(
            "mutation($input: {kind}!) {{ {field}(input: $input) {{ name position errors {{ code message }} }} }}"
        );
        let client = Client::open(access, config).await?;
        let payload = client.change(field, &query, input, access.json).await;
        client.close().await;
        let payload = payload?;
        if access.json {
            output::json(&payload);
        } else {
            output::line(&format!("{done} model {name} at position {}", output::text(&payload, "/position")));
        }
        Ok(())
    }
}

fn absent(name: &str) -> anyhow::Error {
    anyhow::anyhow!("there is no model '{name}' here: 'timeloom model list' shows all")
}

async fn show(name: &str, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let found = client.ask(WATCH, json!({ "name": name })).await;
    client.close().await;
    let found = found?;
    let Some(model) = found.get("model").filter(|model| !model.is_null()) else {
        return Err(absent(name).into());
    };
    let Some(watch) = model.get("driftWatch").filter(|watch| !watch.is_null()) else {
        return Err(anyhow::anyhow!("'{name}' was never watched: 'timeloom model watch-drift {name}' begins").into());
    };
    if access.json {
        output::json(watch);
    } else {
        tell_watch(name, watch);
    }
    Ok(())
}

fn counts(of: &Value, side: &str) -> String {
    let text = |field: &str| output::text(of, &format!("{side}/{field}"));
    format!("{} inferences ({} not kept whole, {} erased)", text("inferences"), text("notKept"), text("erased"))
}

fn tell_report(report: &Value) {
    let verdict = output::text(report, "/verdict").to_lowercase().replace('_', " ");
    let [name, p_bound] = ["/modelName", "/pBound"].map(|path| output::text(report, path));
    output::line(&format!("{name}: {verdict}"));
    output::line(&format!("{} compared with {}", counts(report, "/window"), counts(report, "/baseline")));
    let features = report.get("features").and_then(Value::as_array).cloned().unwrap_or_default();
    let cells = |feature: &Value| {
        let cell = |path: &str| output::text(feature, path);
        let rounded = |path: &str| number(feature, path);
        vec![
            cell("/feature"),
            cell("/verdict").to_lowercase().replace('_', " "),
            rounded("/value/psi"),
            rounded("/value/pValue"),
            rounded("/baseline/mean"),
            rounded("/window/mean"),
            cell("/window/observations"),
            cell("/window/missing"),
        ]
    };
    let rows: Vec<Vec<String>> = features.iter().map(cells).collect();
    output::table(&["FEATURE", "VERDICT", "PSI", "P", "MEAN BEFORE", "MEAN NOW", "OBSERVED", "MISSING"], &rows);
    output::line(&format!("chance explains what it brings as often as {p_bound} or more"));
}

fn tell_watch(name: &str, watch: &Value) {
    let text = |path: &str| output::text(watch, path);
    let is = if watch.get("running") == Some(&Value::Bool(true)) { "is watched" } else { "was watched" };
    output::line(&format!("{name} {is} every {} inferences, {} windows judged", text("/window"), text("/judged")));
    if text("/last") != "-" {
        output::line(&format!(
            "the last: {} stable, {} moderate, {} drifted, {} too few; {} moved most, by {}",
            text("/last/stable"),
            text("/last/moderate"),
            text("/last/drifted"),
            text("/last/tooFew"),
            text("/last/worstFeature"),
            number(watch, "/last/worstPsi")
        ));
    }
    let findings = watch.get("findings").and_then(Value::as_array).cloned().unwrap_or_default();
    let cells = |finding: &Value| {
        let cell = |path: &str| output::text(finding, path);
        let [psi, p] = ["/value", "/pValue"].map(|path| number(finding, path));
        vec![cell("/window/number"), cell("/feature"), cell("/statistic").to_lowercase(), psi, p, cell("/foundAt")]
    };
    let rows: Vec<Vec<String>> = findings.iter().take(PRINTED_MAX).map(cells).collect();
    if !rows.is_empty() {
        output::table(&["WINDOW", "DRIFTED", "BY", "INDEX", "P", "FOUND"], &rows);
    }
}

/// A number with as many places as people read.
fn number(of: &Value, path: &str) -> String {
    of.pointer(path).and_then(Value::as_f64).map_or_else(|| "-".to_owned(), |number| format!("{number:.4}"))
}
