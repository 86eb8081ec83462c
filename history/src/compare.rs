//! How two things of the same kind differ: one run of a workflow and another, one workflow and its copy.
//!
//! What is different between any two of them is left out: their own ids, and of executions the times and the seed.

use json_patch::Patch;
use serde_json::Value;
use timeloom_store::StreamKey;

use crate::diff::{Change, Point, changes};
use crate::error::HistoryError;
use crate::kind::Kind;
use crate::moment::Moment;
use crate::past::Past;
use crate::state::{StateAt, state_at};

/// What stands in place of a thing's own id.
pub const OWN_ID: &str = "(its own id)";
/// Fields of an execution that no two have in common.
const EXECUTION_FIELDS: [&str; 2] = ["ended_at_ms", "waiting_until_ms"];
/// The same of how it began.
const START_FIELDS: [&str; 2] = ["at_ms", "seed"];
/// The same of its node runs.
const NODE_RUN_FIELDS: [&str; 2] = ["started_at_ms", "duration_us"];

/// How two things differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What both fold to; `None` when this build has no aggregate for their category.
    pub kind: Option<Kind>,
    /// Where the one was.
    pub left: Point,
    /// Where the other was.
    pub right: Point,
    /// The JSON Patch that leads from the one to the other.
    pub patch: Patch,
    /// The same changes with what the one has.
    pub changes: Vec<Change>,
}

/// How `right` differs from `left`, each at a moment.
///
/// # Errors
/// [`HistoryError`], whose message says what to ask instead.
pub async fn compare<'p>(
    past: impl Into<Past<'p>>,
    left: (&StreamKey, Moment),
    right: (&StreamKey, Moment),
) -> Result<Comparison, HistoryError> {
    if left.0.category != right.0.category {
        return Err(HistoryError::OtherKind { left: left.0.clone(), right: right.0.clone() });
    }
    let past = past.into();
    let left = state_at(past, left.0, left.1).await?;
    let right = state_at(past, right.0, right.1).await?;
    let (kind, from, to) = (left.kind, Point::of(&left), Point::of(&right));
    let (left, right) = (comparable(left), comparable(right));
    let patch = json_patch::diff(&left, &right);
    let changes = changes(left, &patch)?;
    Ok(Comparison { kind, left: from, right: to, patch, changes })
}

fn comparable(state: StateAt) -> Value {
    let mut value = state.state;
    if state.kind == Some(Kind::Execution) {
        remove(&mut value, &EXECUTION_FIELDS);
        if let Some(start) = value.get_mut("start") {
            remove(start, &START_FIELDS);
        }
        let runs = value.get_mut("node_runs").and_then(Value::as_array_mut);
        runs.into_iter().flatten().for_each(|run| remove(run, &NODE_RUN_FIELDS));
    }
    replace_id(&mut value, &state.stream.id);
    value
}

fn remove(value: &mut Value, fields: &[&str]) {
    if let Some(object) = value.as_object_mut() {
        object.retain(|name, _| !fields.contains(&name.as_str()));
    }
}

/// Nesting is bounded: a state comes of payloads, whose depth the JSON reader bounds.
pub(crate) fn replace_id(value: &mut Value, id: &str) {
    match value {
        Value::String(text) if text.contains(id) => *text = text.replace(id, OWN_ID),
        Value::Array(values) => values.iter_mut().for_each(|value| replace_id(value, id)),
        Value::Object(fields) => fields.values_mut().for_each(|value| replace_id(value, id)),
        _ => {}
    }
}
