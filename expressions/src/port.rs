//! The expression port: what evaluates, what it answers, how it fails.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use timeloom_domain::item::Item;

use crate::scope::Scope;

/// The value of an expression. JSON has no `undefined`, `NaN` or dates, and nodes treat them apart.
#[derive(Debug, Clone, PartialEq)]
pub enum Evaluated {
    /// JavaScript's `undefined`.
    Undefined,
    /// A value as `JSON.stringify` would give it.
    Json(Value),
    /// A top-level value of a kind that JSON lacks, with its JSON form.
    Special {
        /// What it is.
        kind: SpecialKind,
        /// What `JSON.stringify` would give: ISO text for dates, null for NaN.
        json: Value,
    },
}

/// Kinds of value that JSON lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpecialKind {
    /// `NaN`.
    Nan,
    /// `Infinity` or `-Infinity`.
    Infinity,
    /// A JavaScript `Date`.
    Date,
    /// A Luxon `DateTime`.
    DateTime,
    /// A Luxon `Duration`.
    Duration,
    /// A Luxon `Interval`.
    Interval,
    /// A function.
    Function,
    /// A regular expression.
    RegExp,
    /// An `Error` object.
    Error,
    /// A `BigInt`; its JSON form is its decimal text.
    BigInt,
}

impl Evaluated {
    /// The value as it lands in an item: what `JSON.stringify` keeps; `None` for `undefined` and functions.
    pub fn into_json(self) -> Option<Value> {
        match self {
            Self::Undefined | Self::Special { kind: SpecialKind::Function, .. } => None,
            Self::Json(json) | Self::Special { json, .. } => Some(json),
        }
    }
}

/// One parameter string to evaluate for one item: the text after the leading `=`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Job<'a> {
    /// Text with `{{ }}` parts, without the leading `=`.
    pub template: &'a str,
    /// Index of the item that `$json` is.
    pub item_index: usize,
}

/// Why an expression or script gave no value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ExpressionError {
    /// The text is not an expression.
    #[error("invalid syntax: {0}")]
    Syntax(String),
    /// The script threw. `message` is the thrown error's message.
    #[error("{message}")]
    Thrown {
        /// `name` of the thrown error, for example `TypeError`.
        name: String,
        /// Its message.
        message: String,
        /// Its `description`, where it has one.
        description: Option<String>,
        /// The thrown value as JSON, where it was not a plain `Error`.
        value: Option<Value>,
        /// Line of the script, where known; 1 is the first.
        line: Option<u32>,
        /// Index of the item, where known.
        item_index: Option<usize>,
    },
    /// A limit stopped it: time, memory, stack or output size. The message names the limit and its value.
    #[error("{0}")]
    Limit(String),
    /// The sandbox itself failed: ours, not the author's.
    #[error("the script sandbox failed: {0}")]
    Fault(String),
}

/// What a script may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Wall-clock time for one call.
    pub time_ms_max: Duration,
    /// Linear memory of the sandbox, in bytes.
    pub memory_bytes_max: usize,
    /// Size of what crosses back, in bytes.
    pub output_bytes_max: usize,
}

impl Limits {
    /// Limits for the expressions of one node run.
    pub const EXPRESSION: Self =
        Self { time_ms_max: Duration::from_millis(1_000), memory_bytes_max: 128 << 20, output_bytes_max: 64 << 20 };
    /// Limits for one Code node run.
    pub const CODE: Self =
        Self { time_ms_max: Duration::from_secs(10), memory_bytes_max: 256 << 20, output_bytes_max: 64 << 20 };
}

/// How a Code node's script is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeMode {
    /// Code, `runOnceForAllItems`: globals `items`, `$input`; returns items, one item, or null.
    AllItems,
    /// Code, `runOnceForEachItem`: `$json`, `item`; returns one item or null.
    EachItem,
    /// The old Function node: global `items`, must return an array.
    Function,
    /// The old Function Item node: global `item` (its JSON), must return an object.
    FunctionItem,
    /// A comparator `(a, b)` body given items `a` and `b`: Sort by code. Returns the sorted items.
    Sort,
}

/// What a Code node's script gave back.
#[derive(Debug, Clone, PartialEq)]
pub struct CodeOutput {
    /// What the script returned, normalised to items as n8n does.
    pub items: Vec<Item>,
    /// `console.log` lines, bounded.
    pub console: Vec<String>,
    /// Memory that the script changed through `$getWorkflowStaticData` or `getContext`, where it did.
    pub context: Option<Value>,
}

/// A place where JavaScript runs: one per execution, because a script may leave globals behind.
pub trait ScriptSession: Send {
    /// Evaluates many jobs of one node run; the answers are in the order of the jobs. One limit for all.
    fn evaluate(&mut self, scope: &Scope, jobs: &[Job<'_>], limits: Limits) -> Vec<Result<Evaluated, ExpressionError>>;

    /// Runs a Code node's script over the scope's items.
    ///
    /// # Errors
    /// [`ExpressionError`] when it throws, returns what is not items, or meets a limit.
    fn run_code(
        &mut self,
        scope: &Scope,
        mode: CodeMode,
        code: &str,
        limits: Limits,
    ) -> Result<CodeOutput, ExpressionError>;

    /// Evaluates one expression and answers with every special value tagged at any depth
    /// (`{"$undefined":true}`, `{"$nan":true}`, `{"$date":…}`, …): for tools that compare values.
    ///
    /// # Errors
    /// [`ExpressionError`] when it throws or meets a limit.
    fn evaluate_tagged(&mut self, scope: &Scope, job: Job<'_>, limits: Limits) -> Result<Value, ExpressionError>;
}

/// Makes sessions. Implemented by `expressions/sandbox`.
pub trait ScriptEngine: Send + Sync {
    /// A fresh session; nothing of another session can be seen in it.
    ///
    /// # Errors
    /// [`ExpressionError::Fault`] when no instance can be made.
    fn session(&self) -> Result<Box<dyn ScriptSession>, ExpressionError>;
}
