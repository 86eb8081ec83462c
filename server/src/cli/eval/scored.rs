//! `timeloom eval run` and `timeloom eval compare`: something tried on the cases of a set, and two such side by side.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use super::doing;
use crate::cli::client::Client;
use crate::cli::workflow::read_file;
use crate::cli::{Access, Failure, output};
use crate::config::Config;

const RUN: &str = "mutation($input: StartEvaluationInput!) { startEvaluation(input: $input) {
  timedOut position errors { code message } evaluation { id modelName workflowId agentName version setName setVersion
    status summary failure scored { cases failed scorers { name mean count failed }
      scores(first: 1000) { caseId scores executionId agentRunId judgements { scorer score reason model provider callId } }
      told { caseId failure verdicts { scorer score reason } } } } } }";
const COMPARE: &str = "query($before: UUID!, $after: UUID!) { compareEvaluations(before: $before, after: $after) {
  before { id modelName workflowId agentName version setName setVersion summary }
  after { id modelName workflowId agentName version setName setVersion summary }
  scorers { name cases before after difference wins losses ties pValue worse { caseId before after } } } }";

/// Cases that are printed one by one; all that are told are in JSON.
const PRINTED_MAX: usize = 20;

/// What is tried on which set, and how it is judged.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// The set, its newest version or SET@VERSION.
    set: SetReference,
    /// A version of a model: NAME@VERSION.
    #[arg(long, value_name = "NAME@VERSION", group = "subject")]
    model: Option<Versioned>,
    /// A published version of a workflow, of which an execution is run for each case: ID@VERSION.
    #[arg(long, value_name = "ID@VERSION", group = "subject")]
    workflow: Option<Versioned>,
    /// A published version of an agent: NAME@VERSION.
    #[arg(long, value_name = "NAME@VERSION", group = "subject")]
    agent: Option<Versioned>,
    /// How outputs are judged: equal, contains, top-class, near[:TOLERANCE], matches:PATTERN, schema:FILE,
    /// workflow:ID@VERSION or judge:ROUTE=FILE with a rubric; may be repeated. Equal where none is named.
    #[arg(long = "scorer", value_name = "KIND[:ARGUMENT]")]
    scorers: Vec<ScorerArgument>,
    /// What of outputs these scorers look at, as a JSON pointer such as /label.
    #[arg(long, value_name = "POINTER", default_value = "")]
    at: String,
    /// What of expected values they look at, as a JSON pointer.
    #[arg(long, value_name = "POINTER", default_value = "")]
    expected_at: String,
    /// A file with more scorers: a JSON list of objects as the API takes them (name, kind, at, expectedAt, …).
    #[arg(long, value_name = "FILE")]
    scorers_file: Option<PathBuf>,
    /// Exit with 3 when the mean of a scorer is lower than this.
    #[arg(long, value_name = "SCORE")]
    at_least: Option<f64>,
    /// How long to wait for the report, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
    #[command(flatten)]
    access: Access,
}

/// A set, and its version where one is named.
#[derive(Debug, Clone)]
pub struct SetReference {
    name: String,
    version: Option<u32>,
}

/// Something, and its version.
#[derive(Debug, Clone)]
pub struct Versioned {
    name: String,
    version: u32,
}

impl FromStr for SetReference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains('@') {
            return Ok(Self { name: text.to_owned(), version: None });
        }
        let Versioned { name, version } = text.parse::<Versioned>()?;
        Ok(Self { name, version: Some(version) })
    }
}

impl FromStr for Versioned {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, version) = text.rsplit_once('@').ok_or("write NAME@VERSION, such as sentiment@4")?;
        let version =
            version.parse::<u32>().map_err(|_| format!("'{version}' is no version: write a number, such as 4"))?;
        Ok(Self { name: name.to_owned(), version })
    }
}

/// A scorer as the API takes it, with its file still to be read.
#[derive(Debug, Clone)]
pub struct ScorerArgument {
    input: Value,
    file: Option<ScorerFile>,
}

/// What a scorer has in a file.
#[derive(Debug, Clone)]
enum ScorerFile {
    Schema(PathBuf),
    Rubric(PathBuf),
}

impl FromStr for ScorerArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, argument) = text.split_once(':').map_or((text, None), |(kind, argument)| (kind, Some(argument)));
        let needed = || argument.ok_or_else(|| format!("write what is to be used after '{kind}:'"));
        let mut file = None;
        let input = match kind {
            "equal" => json!({ "kind": "EQUAL" }),
            "contains" => json!({ "kind": "CONTAINS" }),
            "top-class" => json!({ "kind": "TOP_CLASS" }),
            "near" => {
                let tolerance: f64 = argument.unwrap_or("0.001").parse().map_err(|_| "a tolerance is a number")?;
                json!({ "kind": "NEAR", "tolerance": tolerance })
            }
            "matches" => json!({ "kind": "MATCHES", "pattern": needed()? }),
            "schema" => {
                file = Some(ScorerFile::Schema(PathBuf::from(needed()?)));
                json!({ "kind": "SCHEMA" })
            }
            "workflow" => {
                let Versioned { name, version } = needed()?.parse::<Versioned>()?;
                json!({ "kind": "WORKFLOW", "workflowId": name, "version": version })
            }
            "judge" => {
                let (route, rubric) = needed()?
                    .rsplit_once('=')
                    .ok_or("write judge:ROUTE=FILE, with a route of the gateway and the file of a rubric")?;
                file = Some(ScorerFile::Rubric(PathBuf::from(rubric)));
                json!({ "kind": "JUDGE", "route": route })
            }
            other => {
                return Err(format!(
                    "'{other}' is no scorer; these are: equal, contains, top-class, near, matches, schema, workflow, judge"
                ));
            }
        };
        Ok(Self { input, file })
    }
}

impl RunArguments {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        let access = &self.access;
        let input = self.input()?;
        let is_run_by_server = self.model.is_none() || has_workflow(&input);
        let client = Client::open(access, config).await?;
        if is_run_by_server && matches!(client, Client::Local { .. }) {
            client.close().await;
            let why =
                "workflows and agents are run by a server: start one by 'timeloom serve', and name it by --server";
            return Err(anyhow!(why).into());
        }
        let doing = match doing(&client, config) {
            Ok(doing) => doing,
            Err(error) => {
                client.close().await;
                return Err(error.into());
            }
        };
        let result = client.change("startEvaluation", RUN, input, access.json).await;
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
        match output::text(&evaluation, "/status").as_str() {
            "COMPLETED" if self.is_enough(&evaluation) => Ok(()),
            "COMPLETED" => Err(Failure::Differs),
            "FAILED" => Err(Failure::Failed),
            _ => {
                let id = output::text(&evaluation, "/id");
                Err(anyhow!("the evaluation {id} has no report yet: look at it by 'timeloom eval show {id}'").into())
            }
        }
    }

    fn input(&self) -> anyhow::Result<Value> {
        let subject = match (&self.model, &self.workflow, &self.agent) {
            (Some(model), ..) => ("model", model),
            (_, Some(workflow), _) => ("workflowId", workflow),
            (.., Some(agent)) => ("agent", agent),
            (None, None, None) => {
                return Err(anyhow!("say what is tried: --model, --workflow or --agent, such as --model sentiment@4"));
            }
        };
        let mut scorers = Vec::new();
        for scorer in &self.scorers {
            scorers.push(self.scorer(scorer)?);
        }
        if let Some(file) = &self.scorers_file {
            let more = read_json(file)?;
            let Value::Array(more) = more else {
                return Err(anyhow!("{} is no JSON list of scorers", file.display()));
            };
            scorers.extend(more);
        }
        if scorers.is_empty() {
            scorers.push(json!({ "kind": "EQUAL", "at": self.at, "expectedAt": self.expected_at }));
        }
        let (field, Versioned { name, version }) = subject;
        let mut input = json!({
            "set": self.set.name, "setVersion": self.set.version, "version": version, "scorers": scorers,
            "timeoutMs": self.timeout * 1_000,
        });
        input[field] = name.as_str().into();
        Ok(input)
    }

    fn scorer(&self, scorer: &ScorerArgument) -> anyhow::Result<Value> {
        let mut input = scorer.input.clone();
        input["at"] = self.at.as_str().into();
        input["expectedAt"] = self.expected_at.as_str().into();
        match &scorer.file {
            Some(ScorerFile::Schema(file)) => input["schema"] = read_json(file)?,
            Some(ScorerFile::Rubric(file)) => input["rubric"] = read_text(file)?.into(),
            None => {}
        }
        Ok(input)
    }

    fn is_enough(&self, evaluation: &Value) -> bool {
        let Some(least) = self.at_least else { return true };
        let scorers = evaluation.pointer("/scored/scorers").and_then(Value::as_array);
        let mean = |scorer: &Value| scorer.get("mean").and_then(Value::as_f64);
        scorers.is_some_and(|scorers| scorers.iter().all(|scorer| mean(scorer).is_some_and(|mean| mean >= least)))
    }
}

fn has_workflow(input: &Value) -> bool {
    let scorers = input.get("scorers").and_then(Value::as_array);
    scorers.is_some_and(|scorers| scorers.iter().any(|scorer| scorer.get("workflowId").is_some()))
}

fn read_json(file: &Path) -> anyhow::Result<Value> {
    serde_json::from_slice(&read_file(file)?).with_context(|| format!("{} is no JSON", file.display()))
}

fn read_text(file: &Path) -> anyhow::Result<String> {
    String::from_utf8(read_file(file)?).map_err(|_| anyhow!("{} is no text in UTF-8", file.display()))
}

/// What was tried, such as `sentiment@4`.
pub(super) fn tried(evaluation: &Value) -> String {
    let named = ["modelName", "workflowId", "agentName"].iter().find_map(|field| evaluation.get(field)?.as_str());
    format!("{}@{}", named.unwrap_or("-"), output::text(evaluation, "/version"))
}

/// Prints what came of an evaluation of a set.
pub(super) fn tell(evaluation: &Value) {
    let text = |path: &str| output::text(evaluation, path);
    let came = if text("/status") == "FAILED" { text("/failure") } else { text("/summary") };
    let on = format!("{}@{}", text("/setName"), text("/setVersion"));
    output::line(&format!("evaluation {} of {} on {on}: {came}", text("/id"), tried(evaluation)));
    let list = |path: &str| evaluation.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let scorers = list("/scored/scorers");
    if scorers.is_empty() {
        return;
    }
    let scorer =
        |scorer: &Value| ["/name", "/mean", "/count", "/failed"].map(|path| output::text(scorer, path)).to_vec();
    output::table(&["SCORER", "MEAN", "SCORES", "NOT JUDGED"], &scorers.iter().map(scorer).collect::<Vec<_>>());
    let rows: Vec<Vec<String>> = list("/scored/told").iter().take(PRINTED_MAX).flat_map(told).collect();
    if !rows.is_empty() {
        output::table(&["CASE", "SCORER", "SCORE", "WHY"], &rows);
    }
}

/// The rows of one case that is not perfect.
fn told(case: &Value) -> Vec<Vec<String>> {
    let id = output::text(case, "/caseId");
    if let Some(failure) = case.get("failure").and_then(Value::as_str) {
        return vec![vec![id, "-".to_owned(), "0".to_owned(), failure.to_owned()]];
    }
    let verdicts = case.get("verdicts").and_then(Value::as_array).cloned().unwrap_or_default();
    let row = |verdict: &Value| {
        let text = |path: &str| output::text(verdict, path);
        vec![id.clone(), text("/scorer"), text("/score"), text("/reason")]
    };
    verdicts.iter().map(row).collect()
}

/// Compares two evaluations; exits with 3 when a case got worse.
pub(super) async fn compare(before: Uuid, after: Uuid, access: &Access, config: &Config) -> Result<(), Failure> {
    let client = Client::open(access, config).await?;
    let found = client.ask(COMPARE, json!({ "before": before, "after": after })).await;
    client.close().await;
    let found = found?;
    let Some(comparison) = found.get("compareEvaluations").filter(|comparison| !comparison.is_null()) else {
        return Err(anyhow!("one of the evaluations is not here: 'timeloom eval list' shows all").into());
    };
    let scorers = comparison.get("scorers").and_then(Value::as_array).cloned().unwrap_or_default();
    if access.json {
        output::json(comparison);
    } else {
        tell_comparison(comparison, &scorers);
    }
    let has_losses = |scorer: &Value| scorer.get("losses").and_then(Value::as_u64).is_some_and(|losses| losses > 0);
    if scorers.iter().any(has_losses) { Err(Failure::Differs) } else { Ok(()) }
}

fn tell_comparison(comparison: &Value, scorers: &[Value]) {
    let side = |name: &str| comparison.get(name).map(tried).unwrap_or_default();
    let on =
        format!("{}@{}", output::text(comparison, "/before/setName"), output::text(comparison, "/before/setVersion"));
    output::line(&format!("{} and then {} on {on}", side("before"), side("after")));
    let paths = ["/name", "/before", "/after", "/difference", "/wins", "/losses", "/ties", "/pValue"];
    let row = |scorer: &Value| paths.map(|path| output::text(scorer, path)).to_vec();
    let headings = ["SCORER", "BEFORE", "AFTER", "DIFFERENCE", "BETTER", "WORSE", "SAME", "P"];
    output::table(&headings, &scorers.iter().map(row).collect::<Vec<_>>());
    let worse = scorers.iter().flat_map(|scorer| {
        let cases = scorer.get("worse").and_then(Value::as_array).cloned().unwrap_or_default();
        let name = output::text(scorer, "/name");
        cases.into_iter().map(move |case| {
            let text = |path: &str| output::text(&case, path);
            vec![text("/caseId"), name.clone(), text("/before"), text("/after")]
        })
    });
    let rows: Vec<Vec<String>> = worse.take(PRINTED_MAX).collect();
    if !rows.is_empty() {
        output::table(&["GOT WORSE", "SCORER", "BEFORE", "AFTER"], &rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judge_is_named_with_its_route_and_the_file_of_its_rubric() {
        let judge: ScorerArgument = "judge:team/fast=rubrics/polite.txt".parse().unwrap();
        assert_eq!(judge.input, json!({ "kind": "JUDGE", "route": "team/fast" }));
        assert!(matches!(judge.file, Some(ScorerFile::Rubric(file)) if file == Path::new("rubrics/polite.txt")));
        for wrong in ["judge", "judge:assistant"] {
            assert!(wrong.parse::<ScorerArgument>().is_err(), "{wrong}");
        }
        assert!("jury".parse::<ScorerArgument>().unwrap_err().contains("judge"));
    }
}
