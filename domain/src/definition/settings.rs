//! Reading and checking of a workflow's settings. Every problem names the setting and says what it may be.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::validate::{DefinitionError, Problem, problem};
use super::{Node, Settings, SubjectSource};

/// Most executions of one workflow at once that its settings may allow.
pub const CONCURRENCY_MAX: u32 = 10_000;
/// Lowest priority of an execution.
pub const PRIORITY_MIN: i32 = -1_000;
/// Highest priority of an execution.
pub const PRIORITY_MAX: i32 = 1_000;

/// Longest value that a problem repeats, in characters.
const SHOWN_CHARACTERS_MAX: usize = 60;

/// Settings from JSON, as a workflow file has them.
///
/// ```
/// use serde_json::json;
/// use timeloom_domain::definition::parse_settings;
///
/// assert_eq!(parse_settings(json!({"concurrency": 4}))?.concurrency, Some(4));
/// let error = parse_settings(json!({"concurrency": 0})).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the workflow has 1 problem(s): settings.concurrency: 0 is not a whole number from 1 to 10000"
/// );
/// # Ok::<(), timeloom_domain::definition::DefinitionError>(())
/// ```
///
/// # Errors
/// [`DefinitionError::Invalid`] with every setting that has the wrong shape or value.
pub fn parse_settings(value: Value) -> Result<Settings, DefinitionError> {
    let settings = read_settings(value)?;
    validate_settings(&settings)?;
    Ok(settings)
}

/// Checks that settings are within their bounds.
///
/// # Errors
/// [`DefinitionError::Invalid`] with every problem that was found.
pub fn validate_settings(settings: &Settings) -> Result<(), DefinitionError> {
    let mut problems = Vec::new();
    check_settings(settings, &mut problems);
    if problems.is_empty() { Ok(()) } else { Err(DefinitionError::Invalid(problems)) }
}

/// Settings whose shape is right.
pub(super) fn read_settings(value: Value) -> Result<Settings, DefinitionError> {
    Settings::deserialize(&value).map_err(|error| DefinitionError::Invalid(unreadable(&value, &error)))
}

/// Says which settings have the wrong shape: those that cannot be read by themselves.
fn unreadable(settings: &Value, error: &serde_json::Error) -> Vec<Problem> {
    let is_wrong = |(name, value): &(&String, &Value)| {
        let alone = Map::from_iter([((*name).clone(), (*value).clone())]);
        Settings::deserialize(Value::Object(alone)).is_err()
    };
    let wrong = settings.as_object().into_iter().flatten().filter(is_wrong);
    let problems: Vec<Problem> = wrong.map(|(name, value)| is_not(name, value)).collect();
    if problems.is_empty() { vec![problem(None, "settings", &error.to_string())] } else { problems }
}

/// What each setting with a form of its own may be.
fn wanted(name: &str) -> String {
    match name {
        "concurrency" => format!("a whole number from 1 to {CONCURRENCY_MAX}"),
        "priority" => format!("a whole number from {PRIORITY_MIN} to {PRIORITY_MAX}"),
        "parallelBranches" => "true or false".to_owned(),
        "durability" => "'strict' or 'relaxed'".to_owned(),
        "executionTimeout" => "a number of seconds".to_owned(),
        "subject" => "a name, or one field of the items as {{ $json.customerId }}".to_owned(),
        "timezone" => "an IANA time zone, such as Europe/Berlin".to_owned(),
        _ => "a text".to_owned(),
    }
}

fn is_not(name: &str, value: &Value) -> Problem {
    let shown: String = value.to_string().chars().take(SHOWN_CHARACTERS_MAX).collect();
    problem(None, &format!("settings.{name}"), &format!("{shown} is not {}", wanted(name)))
}

pub(super) fn check_settings(settings: &Settings, problems: &mut Vec<Problem>) {
    if let Some(concurrency) = settings.concurrency.filter(|number| !(1..=CONCURRENCY_MAX).contains(number)) {
        problems.push(is_not("concurrency", &concurrency.into()));
    }
    if let Some(priority) = settings.priority.filter(|number| !(PRIORITY_MIN..=PRIORITY_MAX).contains(number)) {
        problems.push(is_not("priority", &priority.into()));
    }
    if let Some(subject) = settings.subject.as_deref().filter(|subject| SubjectSource::parse(subject).is_none()) {
        problems.push(is_not("subject", &subject.into()));
    }
    let is_zone = |zone: &str| {
        !zone.is_empty() && zone.len() <= 64 && !zone.chars().any(|letter| letter.is_control() || letter == ' ')
    };
    if let Some(zone) = settings.timezone.as_deref().filter(|zone| !is_zone(zone)) {
        problems.push(is_not("timezone", &zone.into()));
    }
}

/// A time limit of nothing would stop the node before it begins.
pub(super) fn check_time_limit(node: &Node, problems: &mut Vec<Problem>) {
    if let Some(seconds) = node.timeout_seconds.filter(|seconds| *seconds <= 0.0) {
        let message = format!("{seconds} is not a number of seconds above 0: leave it out for no limit of its own");
        problems.push(problem(Some(&node.name), "timeoutSeconds", &message));
    }
}
