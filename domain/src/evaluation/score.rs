//! Judges outputs. Pure, and without a word of what was given or came out: a reason tells places and distances, so that a
//! report outlives the data that it is about.

use fancy_regex::{Regex, RegexBuilder};
use jsonschema::Validator;
use serde_json::{Map, Value};

use super::{NamedScorer, Scorer};
use crate::json_schema;
use crate::model::MILLION;

/// Most steps back that one match of a pattern may take.
const BACKTRACK_MAX: usize = 1_000_000;
/// Most characters of a place in a value that a reason tells.
const PLACE_CHARACTERS_MAX: usize = 200;

/// What a scorer says of one output.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// From 0 to 1.
    pub value: f64,
    /// Why it is not 1.
    pub reason: Option<String>,
}

/// A scorer that is ready to judge.
#[derive(Debug)]
pub struct Prepared {
    named: NamedScorer,
    pattern: Option<Regex>,
    schema: Option<Validator>,
}

impl Score {
    fn good() -> Self {
        Self { value: 1.0, reason: None }
    }

    fn bad(reason: impl Into<String>) -> Self {
        Self { value: 0.0, reason: Some(reason.into()) }
    }

    fn share(good: usize, all: usize, what: &str) -> Self {
        if good >= all {
            return Self::good();
        }
        Self { value: good as f64 / all as f64, reason: Some(format!("{good} of {all} {what}")) }
    }
}

impl Prepared {
    /// Makes it ready.
    pub(super) fn new(named: NamedScorer) -> Result<Self, String> {
        let (mut pattern, mut schema) = (None, None);
        match &named.scorer {
            Scorer::Matches { pattern: text } => {
                let compiled = RegexBuilder::new(text).backtrack_limit(BACKTRACK_MAX).build();
                pattern = Some(compiled.map_err(|error| format!("'{text}' is not a regular expression: {error}"))?);
            }
            Scorer::Schema { schema: value } => schema = Some(json_schema::validator(value)?),
            _ => {}
        }
        Ok(Self { named, pattern, schema })
    }

    /// The scorer.
    pub fn named(&self) -> &NamedScorer {
        &self.named
    }

    /// Judges an output.
    ///
    /// # Errors
    /// Why there is nothing to judge, in words that say what to do.
    pub fn score(&self, expected: Option<&Value>, output: &Value) -> Result<Score, String> {
        let named = &self.named;
        let Some(found) = output.pointer(&named.at) else {
            return Ok(Score::bad(format!("the output has nothing at '{}'", named.at)));
        };
        let expected = match expected.map(|expected| expected.pointer(&named.expected_at)) {
            Some(Some(expected)) => expected,
            Some(None) if named.scorer.needs_expected() => {
                return Err(format!("what is expected has nothing at '{}': see its pointer", named.expected_at));
            }
            None if named.scorer.needs_expected() => {
                return Err("the case does not say what is expected: add it to the set".to_owned());
            }
            Some(None) | None => &Value::Null,
        };
        match &named.scorer {
            Scorer::Equal => Ok(equal(expected, found)),
            Scorer::Contains => Ok(contains(expected, found)),
            Scorer::Matches { .. } => self.matches(found),
            Scorer::Near { tolerance } => near(expected, found, *tolerance as f64 / MILLION as f64),
            Scorer::TopClass => top_class(expected, found),
            Scorer::Schema { .. } => Ok(self.fits(found)),
            Scorer::Workflow { .. } => Err("a workflow judges it: it has to be run".to_owned()),
            Scorer::Judge { .. } => Err("a language model judges it: it has to be asked".to_owned()),
        }
    }

    fn matches(&self, found: &Value) -> Result<Score, String> {
        let Some(pattern) = &self.pattern else { return Ok(Score::good()) };
        match pattern.is_match(&text(found)) {
            Ok(true) => Ok(Score::good()),
            Ok(false) => Ok(Score::bad("the pattern does not match")),
            Err(_) => Err("the pattern needs too many steps for this text: make it simpler".to_owned()),
        }
    }

    fn fits(&self, found: &Value) -> Score {
        let first = self.schema.as_ref().and_then(|schema| schema.iter_errors(found).next());
        match first {
            None => Score::good(),
            // The message has the value: the place has not.
            Some(error) => Score::bad(format!("it does not fit the schema{}", at(&error.instance_path().to_string()))),
        }
    }
}

/// What a workflow that judges said: the number `score` of its last item, and its `reason` where it gives one.
///
/// # Errors
/// What is wrong with it, in words that say what to do.
pub fn score_of_workflow(output: &Value) -> Result<Score, String> {
    let last = output.as_array().and_then(|items| items.last()).unwrap_or(output);
    let score = last.get("score").and_then(Value::as_f64).filter(|score| (0.0..=1.0).contains(score));
    let value = score.ok_or("the last item of the scorer's workflow must have a number 'score' from 0 to 1")?;
    Ok(Score { value, reason: (value < 1.0).then(|| "the workflow says so".to_owned()) })
}

/// A text as it is; anything else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A place in a value, for a reason.
fn at(pointer: &str) -> String {
    if pointer.is_empty() {
        return String::new();
    }
    format!(" at {}", pointer.chars().take(PLACE_CHARACTERS_MAX).collect::<String>())
}

fn equal(expected: &Value, found: &Value) -> Score {
    match difference(expected, found) {
        None => Score::good(),
        Some(place) => Score::bad(format!("it is another value{}", at(&place))),
    }
}

/// The JSON pointer of the first difference between two values; numbers are compared by their value.
fn difference(one: &Value, other: &Value) -> Option<String> {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let is_same = one == other || ((one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64());
            (!is_same).then(String::new)
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let mut pairs = one.iter().zip(other).enumerate();
            pairs.find_map(|(place, (one, other))| difference(one, other).map(|below| format!("/{place}{below}")))
        }
        (Value::Object(one), Value::Object(other)) => {
            let in_one = one.iter().find_map(|(name, value)| match other.get(name) {
                None => Some(step(name)),
                Some(other) => difference(value, other).map(|below| step(name) + &below),
            });
            in_one.or_else(|| other.keys().find(|name| !one.contains_key(*name)).map(|name| step(name)))
        }
        _ => (one != other).then(String::new),
    }
}

fn is_same(one: &Value, other: &Value) -> bool {
    difference(one, other).is_none()
}

fn contains(expected: &Value, found: &Value) -> Score {
    match (expected, found) {
        (Value::Array(wanted), Value::Array(there)) => {
            let is_there = |wanted: &&Value| there.iter().any(|value| is_same(value, wanted));
            Score::share(wanted.iter().filter(is_there).count(), wanted.len(), "values are there")
        }
        (wanted, Value::Array(there)) if there.iter().any(|value| is_same(value, wanted)) => Score::good(),
        (Value::Object(wanted), Value::Object(there)) => {
            let good = wanted.iter().filter(|(name, value)| there.get(*name).is_some_and(|own| is_same(own, value)));
            Score::share(good.count(), wanted.len(), "fields are as expected")
        }
        (Value::String(wanted), _) if text(found).contains(wanted.as_str()) => Score::good(),
        (wanted, found) if is_same(wanted, found) => Score::good(),
        _ => Score::bad("what is expected is not in it"),
    }
}

fn near(expected: &Value, found: &Value, tolerance: f64) -> Result<Score, String> {
    let mut distances = Vec::new();
    for (name, expected, found) in by_name(expected, found) {
        let (mut wanted, mut there) = (Vec::new(), Vec::new());
        if !numbers(expected, &mut wanted) || wanted.is_empty() {
            return Err(format!("what is expected{} is no number and no list of numbers: see its pointer", at(&name)));
        }
        if !numbers(found, &mut there) {
            return Ok(Score::bad(format!("it is no number and no list of numbers{}", at(&name))));
        }
        if wanted.len() != there.len() {
            let (has, are) = (there.len(), wanted.len());
            return Ok(Score::bad(format!("it has {has} numbers{}, expected are {are}", at(&name))));
        }
        let apart = |(one, other): (&f64, &f64)| (one - other).abs() / one.abs().max(other.abs()).max(1.0);
        distances.extend(wanted.iter().zip(&there).map(apart));
    }
    if distances.is_empty() {
        return Err("what is expected has no fields: see its pointer".to_owned());
    }
    let good = distances.iter().filter(|distance| **distance <= tolerance).count();
    let worst = distances.iter().copied().fold(0.0, f64::max);
    let mut score = Score::share(good, distances.len(), "numbers are near");
    if let Some(reason) = &mut score.reason {
        reason.push_str(&format!(", the furthest is {worst:.6} apart"));
    }
    Ok(score)
}

/// What is compared with what: the fields of an object by their names, as the outputs of a model are; anything else as it is.
/// The place of each is its JSON pointer. Fields that nothing is expected of are left out.
fn by_name<'values>(expected: &'values Value, found: &'values Value) -> Vec<(String, &'values Value, &'values Value)> {
    match (expected, found) {
        (Value::Object(wanted), found) => {
            wanted.iter().map(|(name, value)| (step(name), value, found.get(name).unwrap_or(&Value::Null))).collect()
        }
        _ => vec![(String::new(), expected, found)],
    }
}

/// A field's name as a step of a JSON pointer.
fn step(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Adds the numbers of a value, of lists in lists one after the other; false when there is something else.
fn numbers(value: &Value, into: &mut Vec<f64>) -> bool {
    match value {
        Value::Number(number) => number.as_f64().map(|number| into.push(number)).is_some(),
        Value::Array(values) => values.iter().all(|value| numbers(value, into)),
        _ => false,
    }
}

fn top_class(expected: &Value, found: &Value) -> Result<Score, String> {
    let wanted = class(expected).ok_or("what is expected tells no class: see its pointer")?;
    Ok(match class(found) {
        None => Score::bad("the output tells no class"),
        Some(class) if class == wanted => Score::good(),
        Some(_) => Score::bad("it is another class"),
    })
}

/// The likeliest class that a value tells.
fn class(value: &Value) -> Option<String> {
    match value {
        Value::String(name) => Some(name.clone()),
        Value::Number(number) => {
            let place = number.as_f64().filter(|number| number.fract() == 0.0)?;
            Some(format!("{place:.0}"))
        }
        Value::Object(fields) => class_of_object(fields),
        // A batch of one row.
        Value::Array(rows) if rows.len() == 1 && rows[0].is_array() => class(&rows[0]),
        Value::Array(values) => {
            if let Some(labelled) = values.iter().map(labelled).collect::<Option<Vec<_>>>() {
                return largest(labelled);
            }
            let scores = values.iter().map(Value::as_f64).collect::<Option<Vec<_>>>()?;
            largest(scores.into_iter().enumerate().map(|(place, score)| (place.to_string(), score)).collect())
        }
        Value::Bool(_) | Value::Null => None,
    }
}

fn class_of_object(fields: &Map<String, Value>) -> Option<String> {
    if let Some(label) = fields.get("label").filter(|label| !label.is_array() && !label.is_object()) {
        return class(label);
    }
    let scores = fields.iter().map(|(name, score)| Some((name.clone(), score.as_f64()?)));
    largest(scores.collect::<Option<Vec<_>>>()?)
}

fn labelled(value: &Value) -> Option<(String, f64)> {
    Some((class(value.get("label")?)?, value.get("score")?.as_f64()?))
}

/// Of equal scores the first one counts.
fn largest(scores: Vec<(String, f64)>) -> Option<String> {
    let better = |best: (String, f64), next: (String, f64)| if next.1 > best.1 { next } else { best };
    scores.into_iter().reduce(better).map(|(class, _)| class)
}
