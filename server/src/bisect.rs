//! Whether what came of an execution that was run again is what made it bad.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::replay::{Came, CameRun, Failure};
use timeloom_expressions::evaluator::{Evaluator, Resolved};
use timeloom_expressions::scope::{
    ExecutionInfo, Found, Lookup, LookupError, NodeInfo, NodeLookup, Scope, WorkflowInfo,
};

/// What is bad about an execution.
pub enum Check {
    /// What was recorded: the same failure, or the same items at its end.
    Like(Came),
    /// That an expression is true of it.
    Expression {
        /// What evaluates it.
        evaluator: Arc<Evaluator>,
        /// The expression, as parameters of nodes are written.
        template: Value,
    },
}

impl Check {
    /// The check by an expression, with or without `{{ }}`.
    pub fn expression(evaluator: Arc<Evaluator>, text: &str) -> Self {
        let text = text.strip_prefix('=').unwrap_or(text);
        let text = if text.contains("{{") { format!("={text}") } else { format!("={{{{ {text} }}}}") };
        Self::Expression { evaluator, template: Value::String(text) }
    }

    /// Whether that is so.
    ///
    /// # Errors
    /// Why an expression gave nothing.
    pub fn is_bad(&self, came: &Came) -> Result<bool, String> {
        match self {
            Self::Like(recorded) => Ok(match (&recorded.failure, &came.failure) {
                (Some(before), Some(now)) => is_same_failure(before, now),
                (None, None) => {
                    given_last(recorded).map(|run| &run.outputs) == given_last(came).map(|run| &run.outputs)
                }
                _ => false,
            }),
            Self::Expression { evaluator, template } => {
                let scope = scope(came);
                let result = evaluator.session().resolve_evaluated_for_items(&scope, template, 0..1).pop();
                match result {
                    Some(Ok(resolved)) => Ok(is_true(Resolved::into_json(resolved).as_ref())),
                    Some(Err(error)) => Err(error.to_string()),
                    None => Ok(false),
                }
            }
        }
    }
}

fn is_same_failure(before: &Failure, now: &Failure) -> bool {
    let of = |failure: &Failure| ["name", "message"].map(|field| failure.error.get(field).cloned());
    before.node == now.node && of(before) == of(now)
}

/// The node run that gave items last.
fn given_last(came: &Came) -> Option<&CameRun> {
    let gave = |run: &&CameRun| run.outputs.iter().flatten().any(|items| !items.is_empty());
    came.runs.iter().rev().find(gave).or(came.runs.last())
}

/// What an expression sees: `$json` is the first item of the node that gave items last, `$('Node')` are the others, and
/// `$vars.failure` is what went wrong.
fn scope(came: &Came) -> Scope {
    let last = given_last(came);
    let outputs = last.and_then(|run| run.outputs.clone()).unwrap_or_default();
    let items = outputs.iter().find(|items| !items.is_empty()).cloned();
    // An execution that gave nothing has an expression all the same.
    let items = items.unwrap_or_else(|| Arc::new(vec![Item::new(JsonObject::new())]));
    let failure = came.failure.as_ref().map_or(Value::Null, |failure| {
        json!({ "node": failure.node, "message": failure.error.get("message"), "name": failure.error.get("name") })
    });
    Scope {
        items,
        inputs: Arc::new(outputs),
        run_index: last.map_or(0, |run| run.run_index),
        now_ms: 0,
        timezone: chrono_tz::UTC,
        node: NodeInfo {
            name: last.map(|run| run.node.clone()).unwrap_or_default(),
            id: String::new(),
            type_version: 1.0,
            parameters: Value::Null,
            webhook_id: None,
        },
        previous: None,
        workflow: WorkflowInfo::default(),
        execution: ExecutionInfo::default(),
        vars: Arc::new(JsonObject::from_iter([("failure".to_owned(), failure)])),
        env: Arc::default(),
        additional: Arc::default(),
        nodes: Arc::new(Runs(came.runs.clone())),
    }
}

/// The node runs of an execution that was run again.
struct Runs(Vec<CameRun>);

impl Runs {
    fn newest(&self, node: &str, run: Option<usize>) -> Result<&CameRun, LookupError> {
        let is_it = |known: &&CameRun| known.node == *node && run.is_none_or(|run| run == known.run_index);
        self.0.iter().rev().find(is_it).ok_or_else(|| LookupError::NotExecuted(node.to_owned()))
    }
}

impl NodeLookup for Runs {
    fn look_up(&self, lookup: &Lookup) -> Result<Found, LookupError> {
        let items = |node: &str, output: usize, run: Option<usize>| {
            let outputs = self.newest(node, run)?.outputs.as_ref();
            Ok(outputs.and_then(|outputs| outputs.get(output)).cloned().unwrap_or_default())
        };
        match lookup {
            Lookup::Items { node, output, run } => Ok(Found::Items(items(node, output.unwrap_or(0), *run)?)),
            Lookup::PairedItem { node, item_index } => {
                let items = items(node, 0, None)?;
                let why = || {
                    LookupError::NoPairedItem(format!(
                        "'{node}' gave no item {item_index}: use first(), last() or all()"
                    ))
                };
                items.get(*item_index).map(|item| Found::Item(Box::new(item.clone()))).ok_or_else(why)
            }
            Lookup::IsExecuted { node } => Ok(Found::Value(json!(self.newest(node, None).is_ok()))),
            Lookup::Parameters { .. } | Lookup::Context { .. } => Ok(Found::Value(json!({}))),
        }
    }
}

/// As JavaScript sees it.
fn is_true(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(truth)) => *truth,
        Some(Value::Number(number)) => number.as_f64().is_some_and(|number| number != 0.0),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(_) | Value::Object(_)) => true,
    }
}
