//! Reads what the guest answers. `guest/src/answer.js` writes it.
//!
//! The guest is not trusted: an answer of another shape is a fault, never a panic.

use serde::Deserialize;
use serde_json::Value;
use timeloom_domain::item::Item;
use timeloom_expressions::port::{CodeOutput, Evaluated, ExpressionError, SpecialKind};

/// One answer.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The value of every job.
    Values(Vec<JobAnswer>),
    /// The script ended.
    Code(CodeAnswer),
    /// It did not work.
    Error(ErrorAnswer),
}

/// The value of one job.
#[derive(Deserialize)]
pub enum JobAnswer {
    /// A JSON value.
    #[serde(rename = "j")]
    Json(Value),
    /// `undefined`.
    #[serde(rename = "u")]
    Undefined,
    /// A value of a kind that JSON lacks.
    #[serde(rename = "s")]
    Special(SpecialKind, Value),
    /// It threw.
    #[serde(rename = "e")]
    Error(ErrorAnswer),
}

/// Items that a script returned.
#[derive(Deserialize)]
pub struct CodeAnswer {
    items: Vec<Item>,
    console: Vec<String>,
    context: Option<Value>,
}

/// What a script threw.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorAnswer {
    kind: ErrorKind,
    #[serde(default)]
    name: String,
    message: String,
    description: Option<String>,
    value: Option<Value>,
    line: Option<u32>,
    item_index: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ErrorKind {
    Syntax,
    Thrown,
    Limit,
}

impl From<JobAnswer> for Result<Evaluated, ExpressionError> {
    fn from(answer: JobAnswer) -> Self {
        match answer {
            JobAnswer::Json(value) => Ok(Evaluated::Json(value)),
            JobAnswer::Undefined => Ok(Evaluated::Undefined),
            JobAnswer::Special(kind, json) => Ok(Evaluated::Special { kind, json }),
            JobAnswer::Error(error) => Err(error.into()),
        }
    }
}

impl From<CodeAnswer> for CodeOutput {
    fn from(answer: CodeAnswer) -> Self {
        Self { items: answer.items, console: answer.console, context: answer.context }
    }
}

impl From<ErrorAnswer> for ExpressionError {
    fn from(answer: ErrorAnswer) -> Self {
        match answer.kind {
            ErrorKind::Syntax => Self::Syntax(answer.message),
            ErrorKind::Limit => Self::Limit(answer.message),
            ErrorKind::Thrown => Self::Thrown {
                name: answer.name,
                message: answer.message,
                description: answer.description,
                value: answer.value,
                line: answer.line,
                item_index: answer.item_index,
            },
        }
    }
}
