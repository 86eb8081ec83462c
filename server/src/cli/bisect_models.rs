//! `timeloom bisect --model-versions`: which change of a model's version made a run bad, found by letting few of the versions
//! between a good run and a bad one answer what the bad run asked.
//!
//! Each step computes recorded inputs in the pool of an inference worker, as a backtest: nothing of it is served, and its report
//! is an event.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::replay::{Came, CameRun};
use timeloom_history::{Bisection, Found, Next, Verdict};

use super::bisect::{line, word};
use super::bisect_record::{Goal, Record};
use super::client::Client;
use super::eval::BACKTEST;
use super::log::refused;
use super::{Failure, output};
use crate::bisect::Check;

const HEAD: &str = "{ head { position } }";
const INFERENCES: &str = "query($execution: UUID!, $to: Position) {
  inferences(first: 100, filter: { execution: $execution, status: COMPLETED }, waitFor: $to) {
    nodes { id asked modelName version } pageInfo { hasNextPage } } }";
const VERSIONS: &str = "query($model: String!, $at: Position!) {
  model(name: $model, asOf: { position: $at }) { promotedVersion aliases { alias version } } }";
/// The events that let another version answer.
const CHANGES_OF_VERSION: [&str; 5] =
    ["ModelPromoted", "ModelRolledBack", "ModelAliasSet", "ModelAliasRemoved", "ModelRolloutEnded"];
/// Longest time for one step, in milliseconds.
const STEP_TIME_MAX_MS: u64 = 300_000;

/// What is searched through, and what is bad.
pub(super) struct Wish<'w> {
    pub(super) goal: &'w Goal,
    /// All changes between the two runs, in order.
    pub(super) changes: &'w [Value],
    /// What is bad, of what a version answers; that it is what the bad run was answered when absent.
    pub(super) check: Option<Check>,
    pub(super) json: bool,
}

/// What the bad run asked under one name.
struct Asked {
    model: String,
    /// As of which the promoted version changes where it is absent.
    alias: Option<String>,
    /// The version that answered.
    version: Value,
    inferences: Vec<Value>,
}

/// A search under way.
struct Search<'s> {
    client: &'s Client,
    wish: &'s Wish<'s>,
    asked: Vec<Asked>,
    /// The changes of versions of what was asked.
    changes: Vec<Value>,
    /// What came of each version that was tried, by the place of its name in `asked`.
    known: BTreeMap<(usize, u64), Result<Value, String>>,
    record: Record<'s>,
    steps: Vec<Value>,
}

/// The answer for programs, and whether a change was found.
pub(super) async fn search(client: &Client, wish: &Wish<'_>) -> Result<(Value, bool), Failure> {
    let asked = asked(client, wish).await?;
    let is_of = |change: &&Value| {
        let [model, event_type] = ["/streamId", "/type"].map(|path| output::text(change, path));
        change["kind"] == "MODEL"
            && CHANGES_OF_VERSION.contains(&&*event_type)
            && asked.iter().any(|asked| asked.model == model)
    };
    let changes: Vec<Value> = wish.changes.iter().filter(is_of).cloned().collect();
    check_bad(wish, &asked)?;
    let record = Record::open(client, wish.goal, &changes).await?;
    let mut search = Search { client, wish, asked, changes, known: BTreeMap::new(), record, steps: Vec::new() };
    let id = search.record.id();
    search.say(&format!("{} changes of the models' versions lie between the two runs", search.changes.len()));
    id.iter().for_each(|id| search.say(&format!("the search is written down as bisection {id}")));
    let found = if search.changes.is_empty() { Found::NoneOfThem } else { search.run().await? };
    let (first, last) = match found {
        Found::Change(change) => (change, change),
        Found::OneOf { first, last } | Found::GaveUp { first, last } => (first, last),
        Found::NoneOfThem => (1, 0),
    };
    let blamed = search.changes.get(first.saturating_sub(1)..last).unwrap_or_default().to_vec();
    search.record.end(found, &blamed).await?;
    let mut answer = json!({
        "over": "models", "found": word(found), "changes": blamed, "steps": search.steps, "between": search.changes.len(),
        "bisection": id,
    });
    if let Found::Change(change) = found {
        answer["from"] = search.shown_versions(change - 1).await?;
        answer["to"] = search.shown_versions(change).await?;
    }
    search.tell(found, &answer);
    Ok((answer, matches!(found, Found::Change(_) | Found::OneOf { .. })))
}

/// What the bad run asked, by the names under which models were asked. What was asked for by its number never changes.
async fn asked(client: &Client, wish: &Wish<'_>) -> Result<Vec<Asked>, Failure> {
    let head = client.ask(HEAD, json!({})).await?;
    let variables = json!({ "execution": wish.goal.bad, "to": head.pointer("/head/position") });
    let data = client.ask(INFERENCES, variables).await?;
    let nodes = data.pointer("/inferences/nodes").and_then(Value::as_array).cloned().unwrap_or_default();
    if nodes.is_empty() {
        return Err(refused(
            "the bad run was answered by no model whose inputs are recorded: leave --model-versions out",
        ));
    }
    if data.pointer("/inferences/pageInfo/hasNextPage") == Some(&Value::Bool(true)) {
        output::notice("the bad run asked models more than 100 times: its newest 100 questions are asked again");
    }
    let mut groups: BTreeMap<(String, Option<String>), Asked> = BTreeMap::new();
    for node in nodes {
        let [name, model] = ["/asked", "/modelName"].map(|path| output::text(&node, path));
        let alias = name.split_once('@').map(|(_, alias)| alias.to_owned());
        if alias.as_ref().is_some_and(|alias| alias.parse::<u32>().is_ok()) {
            continue;
        }
        let group = groups.entry((model.clone(), alias.clone())).or_insert_with(|| {
            let version = node.get("version").cloned().unwrap_or_default();
            Asked { model, alias, version, inferences: Vec::new() }
        });
        group.inferences.extend(node.get("id").cloned());
    }
    if groups.is_empty() {
        return Err(refused("the bad run asked for versions by their numbers: no change of a model can have done it"));
    }
    Ok(groups.into_values().collect())
}

/// What is said to be bad has to be so of what the bad run was answered.
fn check_bad(wish: &Wish<'_>, asked: &[Asked]) -> Result<(), Failure> {
    let Some(check) = &wish.check else { return Ok(()) };
    let count: usize = asked.iter().map(|asked| asked.inferences.len()).sum();
    let mut sum = Sum::default();
    sum.add(&json!({ "cases": count, "same": count }));
    match check.is_bad(&sum.came()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(refused(
            "what --check says is not true of the answers of the bad run themselves, of which all are the same: say what is \
             bad about them, such as '$json.different === 0'",
        )),
        Err(error) => Err(refused(&format!("what --check says cannot be evaluated: {error}"))),
    }
}

impl Search<'_> {
    async fn run(&mut self) -> Result<Found, Failure> {
        let mut bisection = Bisection::new(self.changes.len());
        loop {
            let point = match bisection.next() {
                Next::Done(found) => return Ok(found),
                Next::Try(point) => point,
            };
            let verdict = match self.record.known(point) {
                Some(known) => known,
                None => {
                    let verdict = self.verdict(point).await?;
                    self.record.step(point, &verdict).await?;
                    verdict
                }
            };
            self.tell_step(point, &verdict, bisection.tries_left()).await?;
            bisection.tell(point, verdict);
        }
    }

    /// How the answers are by the versions in force after so many changes.
    async fn verdict(&mut self, point: usize) -> Result<Verdict, Failure> {
        let mut sum = Sum::default();
        for (place, version) in self.versions(point).await?.into_iter().enumerate() {
            let version = match version {
                Ok(version) => version,
                Err(why) => return Ok(Verdict::Untestable(why)),
            };
            match self.backtest(place, version).await? {
                Ok(report) => sum.add(&report),
                Err(why) => return Ok(Verdict::Untestable(why)),
            }
        }
        if let Some(check) = &self.wish.check {
            return Ok(match check.is_bad(&sum.came()) {
                Ok(true) => Verdict::Bad,
                Ok(false) => Verdict::Good,
                Err(why) => Verdict::Untestable(why),
            });
        }
        Ok(match () {
            () if sum.of("different") > 0 => Verdict::Good,
            () if sum.of("failed") > 0 => Verdict::Untestable("the version gave no answer".to_owned()),
            () if sum.of("same") + sum.of("near") == 0 => {
                Verdict::Untestable("what was asked was not kept, or was erased".to_owned())
            }
            () => Verdict::Bad,
        })
    }

    /// The versions that answered each name after so many changes, or why there was none.
    async fn versions(&self, point: usize) -> Result<Vec<Result<u64, String>>, Failure> {
        let position = |change: Option<&Value>| change.map(|change| output::text(change, "/position"));
        let at = match point.checked_sub(1) {
            Some(change) => position(self.changes.get(change)).unwrap_or_default(),
            None => {
                let first = position(self.changes.first()).and_then(|first| first.parse::<u64>().ok());
                first.unwrap_or(1).saturating_sub(1).to_string()
            }
        };
        let mut versions = Vec::new();
        for asked in &self.asked {
            let data = self.client.ask(VERSIONS, json!({ "model": asked.model, "at": at })).await?;
            versions.push(asked.version_in(data.get("model").unwrap_or(&Value::Null)));
        }
        Ok(versions)
    }

    async fn shown_versions(&self, point: usize) -> Result<Value, Failure> {
        let versions = self.versions(point).await?;
        let named = self.asked.iter().zip(versions);
        Ok(named.map(|(asked, version)| (asked.name(), json!(version.ok()))).collect())
    }

    /// What a version answers to what was asked under one name; `Err` within says why that is not known. Asked once.
    async fn backtest(&mut self, place: usize, version: u64) -> Result<Result<Value, String>, Failure> {
        if let Some(known) = self.known.get(&(place, version)) {
            return Ok(known.clone());
        }
        let Some(asked) = self.asked.get(place) else { return Ok(Err("nothing was asked".to_owned())) };
        let input = json!({
            "model": asked.model, "version": version, "inferenceIds": asked.inferences,
            "tolerance": self.wish.goal.tolerance, "timeoutMs": STEP_TIME_MAX_MS,
        });
        let payload = self.client.change("startBacktest", BACKTEST, input, self.wish.json).await?;
        let evaluation = payload.get("evaluation").cloned().unwrap_or_default();
        let text = |path: &str| output::text(&evaluation, path);
        let came = match text("/status").as_str() {
            "COMPLETED" => Ok(evaluation.get("backtest").cloned().unwrap_or_default()),
            "FAILED" => Err(format!("version {version} of '{}': {}", asked.model, text("/failure"))),
            // It passes: whoever resumes the search tries this version again.
            _ => {
                let evaluation = text("/id");
                let again = "see that an inference worker runs, then go on with --resume";
                return Err(anyhow::anyhow!("the evaluation {evaluation} had no report in time: {again}").into());
            }
        };
        self.known.insert((place, version), came.clone());
        Ok(came)
    }

    async fn tell_step(&mut self, point: usize, verdict: &Verdict, left: u32) -> Result<(), Failure> {
        let versions = self.shown_versions(point).await?;
        let (word, why) = match verdict {
            Verdict::Good => ("good", None),
            Verdict::Bad => ("bad", None),
            Verdict::Untestable(why) => ("untestable", Some(why)),
        };
        self.steps.push(json!({ "point": point, "versions": versions, "verdict": word, "reason": why }));
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        let (step, versions) = (self.steps.len(), in_words(&versions));
        self.say(&format!("{step}. by {versions} it is {word}{why} (about {left} more to try)"));
        Ok(())
    }

    fn tell(&self, found: Found, answer: &Value) {
        self.say(match found {
            Found::Change(_) => "this change did it:",
            Found::OneOf { .. } => "one of these changes did it; what lies between them cannot be tested:",
            Found::GaveUp { .. } => "one of these changes did it; too many of them cannot be tested:",
            Found::NoneOfThem => "no change of a model's version did it: the versions of the good run answer the same",
        });
        for change in answer.get("changes").and_then(Value::as_array).into_iter().flatten() {
            self.say(&format!("  {}", line(change)));
        }
        if let (Some(from), Some(to)) = (answer.get("from"), answer.get("to")) {
            self.say(&format!("  from {} to {}", in_words(from), in_words(to)));
        }
        for asked in self.asked.iter().filter(|_| found == Found::NoneOfThem) {
            self.say(&format!("  the bad run was answered by version {} of '{}'", asked.version, asked.name()));
        }
    }

    fn say(&self, text: &str) {
        if !self.wish.json {
            output::line(text);
        }
    }
}

impl Asked {
    fn name(&self) -> String {
        match &self.alias {
            Some(alias) => format!("{}@{alias}", self.model),
            None => self.model.clone(),
        }
    }

    /// The version that answers this name where the model is like this.
    fn version_in(&self, model: &Value) -> Result<u64, String> {
        let version = match &self.alias {
            None => model.get("promotedVersion").and_then(Value::as_u64),
            Some(wanted) => {
                let aliases = model.get("aliases").and_then(Value::as_array);
                let found = aliases.into_iter().flatten().find(|one| one["alias"] == **wanted);
                found.and_then(|one| one["version"].as_u64())
            }
        };
        version.ok_or_else(|| format!("no version answered '{}' then", self.name()))
    }
}

fn in_words(versions: &Value) -> String {
    let named = versions.as_object().into_iter().flatten();
    let words = named.map(|(name, version)| match version.as_u64() {
        Some(version) => format!("version {version} of '{name}'"),
        None => format!("no version of '{name}'"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// What came of everything that was asked, by the words of backtests.
#[derive(Default)]
struct Sum {
    counts: BTreeMap<&'static str, u64>,
    worst: f64,
}

impl Sum {
    fn add(&mut self, report: &Value) {
        for word in ["cases", "same", "near", "different", "classChanged", "failed", "skipped"] {
            *self.counts.entry(word).or_default() += report.get(word).and_then(Value::as_u64).unwrap_or_default();
        }
        self.worst = self.worst.max(report.get("worst").and_then(Value::as_f64).unwrap_or_default());
    }

    fn of(&self, word: &str) -> u64 {
        self.counts.get(word).copied().unwrap_or_default()
    }

    /// As what an expression sees: `$json` has the counts.
    fn came(&self) -> Came {
        let counts = self.counts.iter().map(|(word, count)| ((*word).to_owned(), json!(count)));
        let json: JsonObject = counts.chain([("worst".to_owned(), json!(self.worst))]).collect();
        let outputs = Some(vec![Arc::new(vec![Item::new(json)])]);
        Came { runs: vec![CameRun { node: "Models".to_owned(), run_index: 0, outputs }], failure: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(alias: Option<&str>) -> Asked {
        let (model, alias) = ("mood".to_owned(), alias.map(str::to_owned));
        Asked { model, alias, version: json!(2), inferences: Vec::new() }
    }

    #[test]
    fn a_name_is_answered_by_the_promoted_version_or_by_that_of_its_alias() {
        let model = json!({ "promotedVersion": 3, "aliases": [{ "alias": "prod", "version": 2 }] });
        assert_eq!(asked(None).version_in(&model), Ok(3));
        assert_eq!(asked(Some("prod")).version_in(&model), Ok(2));
        let nothing = asked(Some("test")).version_in(&model);
        assert_eq!(nothing, Err("no version answered 'mood@test' then".to_owned()));
        assert!(asked(None).version_in(&Value::Null).is_err());
    }

    #[test]
    fn counts_of_several_models_are_added_and_the_worst_stays() {
        let mut sum = Sum::default();
        sum.add(&json!({ "cases": 2, "same": 1, "different": 1, "worst": 0.5 }));
        sum.add(&json!({ "cases": 1, "same": 1, "worst": null }));
        assert_eq!((sum.of("cases"), sum.of("same"), sum.of("different"), sum.of("failed")), (3, 2, 1, 0));
        let came = sum.came();
        let items = came.runs[0].outputs.as_ref().unwrap();
        assert_eq!(items[0][0].json.get("worst"), Some(&json!(0.5)));
    }
}
