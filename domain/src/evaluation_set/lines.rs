//! Cases as JSON Lines: one object a line, with `input`, and `expected` and `id` where there are such.

use serde::Deserialize;
use serde_json::Value;

use super::EvaluationCase;

/// A line that is no case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no case: {why}")]
pub struct BadLine {
    /// Which line; 1 is the first.
    pub line: usize,
    /// What is wrong with it, and what to do.
    pub why: String,
}

/// A line as it is written. A field of another name is most likely a mistake: it is not passed over.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default)]
    id: Option<Value>,
    input: Value,
    #[serde(default)]
    expected: Option<Value>,
}

/// The cases that JSON Lines tell. Empty lines are passed over; the id of a case that has none is empty.
///
/// # Errors
/// [`BadLine`] for the first line that is no case.
pub fn cases_of_lines(text: &str) -> Result<Vec<EvaluationCase>, BadLine> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(place, line)| case(place + 1, line)).collect()
}

fn case(line: usize, text: &str) -> Result<EvaluationCase, BadLine> {
    let bad = |why: String| BadLine { line, why };
    let read: Line = serde_json::from_str(text).map_err(|error| {
        // It is a text of one line: which one it is of all is told before.
        let why = error.to_string().replace(" at line 1 column ", " at column ");
        bad(format!("{why}: write {{\"input\": …, \"expected\": …}}"))
    })?;
    let id = match read.id {
        None => String::new(),
        Some(Value::String(id)) => id,
        Some(Value::Number(id)) => id.to_string(),
        Some(_) => return Err(bad("its id is neither a text nor a number: give it one, or none".to_owned())),
    };
    Ok(EvaluationCase::by_hand(id, read.input, read.expected))
}
