//! What `timeloom bisect` writes down of a search: that it was begun, what came of each try, and what it came to. A search that was
//! cut off goes on from there.
//!
//! Invariant: a try that was told is not made again, and a search goes on only among the very changes among which it began.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use timeloom_history::{Found, Verdict};
use uuid::Uuid;

use super::bisect::word;
use super::client::Client;
use super::log::refused;
use super::{Failure, output};

/// How far numbers may be apart and still be the same answer, where nobody says it.
pub(super) const TOLERANCE: f64 = 0.001;
/// Most searches that are listed.
const LISTED_MAX: usize = 20;

const BEGIN: &str = "mutation($input: BeginBisectionInput!) {
  beginBisection(input: $input) { bisection { id } errors { code message } } }";
const STEP: &str = "mutation($input: TakeBisectionStepInput!) {
  takeBisectionStep(input: $input) { errors { code message } } }";
const END: &str = "mutation($input: EndBisectionInput!) { endBisection(input: $input) { errors { code message } } }";
const ONE: &str = "query($id: UUID!) { bisection(id: $id) {
  goodExecutionId badExecutionId over check tolerance digest found steps { point verdict reason } } }";
const LIST: &str = "query($first: Int!) { bisections(first: $first) {
  id workflowId goodExecutionId badExecutionId over check candidates found first last reason begunAt endedAt
  by { kind name } steps { point verdict reason } } }";

/// What is searched for.
#[derive(Debug)]
pub(super) struct Goal {
    pub(super) good: Uuid,
    pub(super) bad: Uuid,
    /// What is bad, as an expression; that the same comes of it when absent.
    pub(super) check: Option<String>,
    pub(super) is_over_models: bool,
    /// How far answers of models may be apart.
    pub(super) tolerance: f64,
    /// The search that goes on; `None` for a new one.
    pub(super) goes_on: Option<GoesOn>,
}

/// A search that was begun before.
#[derive(Debug)]
pub(super) struct GoesOn {
    id: Uuid,
    digest: String,
    known: BTreeMap<usize, Verdict>,
}

impl Goal {
    /// That of a search that was begun before and has not ended.
    pub(super) async fn resumed(client: &Client, id: Uuid) -> Result<Self, Failure> {
        let data = client.ask(ONE, json!({ "id": id })).await?;
        let told = data.get("bisection").cloned().unwrap_or_default();
        if told.is_null() {
            return Err(refused(&format!("there is no bisection {id}: --list tells those there are")));
        }
        if let Some(found) = told["found"].as_str() {
            return Err(refused(&format!("the bisection {id} has ended ({}): begin a new one", in_words(found))));
        }
        Self::of(id, &told).ok_or_else(|| anyhow::anyhow!("the server's answer about bisection {id} is none").into())
    }

    fn of(id: Uuid, told: &Value) -> Option<Self> {
        let execution = |field: &str| told[field].as_str()?.parse::<Uuid>().ok();
        let steps = told["steps"].as_array()?.iter().map(|step| {
            let point = usize::try_from(step["point"].as_u64()?).ok()?;
            let verdict = match step["verdict"].as_str()? {
                "GOOD" => Verdict::Good,
                "BAD" => Verdict::Bad,
                _ => Verdict::Untestable(step["reason"].as_str().unwrap_or_default().to_owned()),
            };
            Some((point, verdict))
        });
        let known = steps.collect::<Option<BTreeMap<usize, Verdict>>>()?;
        Some(Self {
            good: execution("goodExecutionId")?,
            bad: execution("badExecutionId")?,
            check: told["check"].as_str().map(str::to_owned),
            is_over_models: told["over"] == "MODEL_VERSIONS",
            tolerance: told["tolerance"].as_f64().unwrap_or(TOLERANCE),
            goes_on: Some(GoesOn { id, digest: output::text(told, "/digest"), known }),
        })
    }
}

/// The record of a search under way.
pub(super) struct Record<'c> {
    client: &'c Client,
    /// `None` where whoever searches may not write it down.
    id: Option<Uuid>,
    known: BTreeMap<usize, Verdict>,
}

impl<'c> Record<'c> {
    /// Writes down that the search among these changes was begun, or takes up what was told of it.
    pub(super) async fn open(client: &'c Client, goal: &Goal, changes: &[Value]) -> Result<Self, Failure> {
        let digest = digest(changes);
        if let Some(goes_on) = &goal.goes_on {
            if goes_on.digest != digest {
                return Err(refused(
                    "what is searched through is other than when the bisection was begun, by another build or for somebody who \
                     may see other changes: begin a new one",
                ));
            }
            return Ok(Self { client, id: Some(goes_on.id), known: goes_on.known.clone() });
        }
        let (over, tolerance) = match goal.is_over_models {
            true => ("MODEL_VERSIONS", Some(goal.tolerance)),
            false => ("DEFINITIONS", None),
        };
        let input = json!({
            "goodExecutionId": goal.good, "badExecutionId": goal.bad, "over": over, "check": goal.check,
            "tolerance": tolerance, "candidates": changes.len(), "digest": digest,
        });
        let data = client.ask(BEGIN, json!({ "input": input })).await?;
        let payload = data.get("beginBisection").cloned().unwrap_or_default();
        let id = payload.pointer("/bisection/id").and_then(Value::as_str).and_then(|id| id.parse::<Uuid>().ok());
        if let Some(error) = payload.pointer("/errors/0") {
            let message = output::text(error, "/message");
            if error["code"] != "FORBIDDEN" {
                return Err(refused(&message));
            }
            output::notice(&format!("the search is not written down: {message}"));
        }
        Ok(Self { client, id, known: BTreeMap::new() })
    }

    /// The id of the search, where it is written down.
    pub(super) fn id(&self) -> Option<Uuid> {
        self.id
    }

    /// What was told of a point.
    pub(super) fn known(&self, point: usize) -> Option<Verdict> {
        self.known.get(&point).cloned()
    }

    /// Writes down what came of a try.
    pub(super) async fn step(&self, point: usize, verdict: &Verdict) -> Result<(), Failure> {
        let Some(id) = self.id else { return Ok(()) };
        let (word, reason) = match verdict {
            Verdict::Good => ("GOOD", None),
            Verdict::Bad => ("BAD", None),
            Verdict::Untestable(reason) => ("UNTESTABLE", Some(reason)),
        };
        let input = json!({ "bisectionId": id, "point": point, "verdict": word, "reason": reason });
        tell(self.client, "takeBisectionStep", STEP, input).await
    }

    /// Writes down what it came to, with the changes that may have done it.
    pub(super) async fn end(&self, found: Found, blamed: &[Value]) -> Result<(), Failure> {
        let Some(id) = self.id else { return Ok(()) };
        let word = match found {
            Found::Change(_) => "CHANGE",
            Found::OneOf { .. } => "ONE_OF",
            Found::NoneOfThem => "NONE_OF_THEM",
            Found::GaveUp { .. } => "GAVE_UP",
        };
        let position = |change: Option<&Value>| change.map(|change| output::text(change, "/position"));
        let (first, last) = (position(blamed.first()), position(blamed.last()));
        let input = json!({ "bisectionId": id, "found": word, "first": first, "last": last });
        tell(self.client, "endBisection", END, input).await
    }
}

/// Writes down that nobody goes on with a search.
pub(super) async fn abandon(client: &Client, id: Uuid, is_json: bool) -> Result<(), Failure> {
    let input = json!({ "bisectionId": id, "found": "ABANDONED", "reason": "abandoned by timeloom bisect --abandon" });
    client.change("endBisection", END, input, is_json).await?;
    match is_json {
        true => output::json(&json!({ "bisection": id, "found": "ABANDONED" })),
        false => output::line(&format!("bisection {id} is abandoned")),
    }
    Ok(())
}

/// Lists the searches that were begun last.
pub(super) async fn list(client: &Client, is_json: bool) -> Result<(), Failure> {
    let data = client.ask(LIST, json!({ "first": LISTED_MAX })).await?;
    let searches = data.get("bisections").cloned().unwrap_or_default();
    if is_json {
        output::json(&searches);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = searches.as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        output::line("no bisection was begun");
    } else {
        output::table(&["BISECTION", "BEGUN", "BY", "OVER", "GOOD", "BAD", "TRIED", "FOUND"], &rows);
    }
    Ok(())
}

fn row(search: &Value) -> Vec<String> {
    let text = |path: &str| output::text(search, path);
    let by = format!("{}:{}", text("/by/kind"), text("/by/name"));
    let tried = search["steps"].as_array().map_or(0, Vec::len).to_string();
    let over = if search["over"] == "MODEL_VERSIONS" { "models' versions" } else { "definitions" };
    let found = match (search["found"].as_str(), text("/first"), text("/last")) {
        (None, ..) => "searching".to_owned(),
        (Some("CHANGE"), first, _) => format!("change at {first}"),
        (Some(found @ ("ONE_OF" | "GAVE_UP")), first, last) => format!("{} at {first} to {last}", in_words(found)),
        (Some(found), ..) => in_words(found),
    };
    vec![
        text("/id"),
        text("/begunAt"),
        by,
        over.to_owned(),
        text("/goodExecutionId"),
        text("/badExecutionId"),
        tried,
        found,
    ]
}

/// What a search came to, as the verb's own answer says it.
fn in_words(found: &str) -> String {
    match found {
        "CHANGE" => word(Found::Change(1)).to_owned(),
        "ONE_OF" => word(Found::OneOf { first: 1, last: 1 }).to_owned(),
        "NONE_OF_THEM" => word(Found::NoneOfThem).to_owned(),
        "GAVE_UP" => word(Found::GaveUp { first: 1, last: 1 }).to_owned(),
        other => other.to_lowercase(),
    }
}

async fn tell(client: &Client, field: &str, query: &str, input: Value) -> Result<(), Failure> {
    let data = client.ask(query, json!({ "input": input })).await?;
    match data.get(field).and_then(|payload| payload.pointer("/errors/0")) {
        None => Ok(()),
        Some(error) => Err(refused(&output::text(error, "/message"))),
    }
}

/// SHA-256 over the positions of the changes, a line for each.
fn digest(changes: &[Value]) -> String {
    let mut hash = Sha256::new();
    for change in changes {
        hash.update(output::text(change, "/position"));
        hash.update("\n");
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tells_other_changes_and_another_order_apart() {
        let changes = [json!({ "position": "41" }), json!({ "position": "43" })];
        let turned = [changes[1].clone(), changes[0].clone()];
        assert_ne!(digest(&changes), digest(&turned));
        assert_ne!(digest(&changes), digest(&[json!({ "position": "4143" })]));
        // printf '' | sha256sum
        assert_eq!(digest(&[]), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn what_was_told_of_a_search_is_where_it_goes_on() {
        let told = json!({
            "goodExecutionId": Uuid::from_u128(1), "badExecutionId": Uuid::from_u128(2), "over": "MODEL_VERSIONS",
            "check": null, "tolerance": 0.5, "digest": "0f", "found": null,
            "steps": [
                { "point": 6, "verdict": "GOOD", "reason": null },
                { "point": 9, "verdict": "UNTESTABLE", "reason": "it does not run" },
            ],
        });
        let goal = Goal::of(Uuid::from_u128(3), &told).unwrap();
        assert!(goal.is_over_models && goal.check.is_none() && goal.bad == Uuid::from_u128(2));
        let goes_on = goal.goes_on.unwrap();
        assert_eq!(goes_on.known[&6], Verdict::Good);
        assert_eq!(goes_on.known[&9], Verdict::Untestable("it does not run".to_owned()));
        assert!(Goal::of(Uuid::from_u128(3), &json!({ "steps": [] })).is_none());
    }

    #[test]
    fn a_listed_search_says_what_it_came_to() {
        let found = |search: Value| row(&search).pop().unwrap();
        assert_eq!(found(json!({ "found": null })), "searching");
        assert_eq!(found(json!({ "found": "CHANGE", "first": "41", "last": "41" })), "change at 41");
        assert_eq!(found(json!({ "found": "ONE_OF", "first": "41", "last": "43" })), "one-of at 41 to 43");
        assert_eq!(found(json!({ "found": "ABANDONED" })), "abandoned");
    }
}
