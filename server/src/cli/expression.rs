//! `timeloom expression eval`: one expression, or one a line.

use std::io::BufRead as _;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};
use timeloom_commands::{Clock as _, Ids as _, SystemIds};
use timeloom_domain::definition::wrap_item;
use timeloom_domain::item::{Item, Items};
use timeloom_expressions::evaluator::template_of;
use timeloom_expressions::port::{ExpressionError, Job, Limits, ScriptEngine};
use timeloom_expressions::scope::{ExecutionInfo, NoNodes, NodeInfo, Scope, WorkflowInfo};
use timeloom_sandbox::SandboxEngine;

use super::{Failure, output};
use crate::clock::MachineClock;
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum ExpressionVerb {
    /// Evaluate an expression such as '{{ $json.price * 2 }}'
    Eval {
        /// The expression; its leading `=` may be left out.
        #[arg(required_unless_present = "jsonl")]
        expression: Option<String>,
        /// The item that `$json` is, as JSON.
        #[arg(long, value_name = "JSON", default_value = "{}")]
        item: String,
        /// Read {"id", "expression", "items", "item_index", "clock_ms"} a line; answer {"id", "value"} or {"id", "error"} a line.
        #[arg(long)]
        jsonl: bool,
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
}

/// One line of input.
#[derive(Debug, Deserialize)]
struct Line {
    id: Value,
    expression: String,
    #[serde(default)]
    items: Vec<Value>,
    #[serde(default)]
    item_index: usize,
    #[serde(default)]
    clock_ms: Option<f64>,
}

impl ExpressionVerb {
    pub fn run(self, config: &Config) -> Result<(), Failure> {
        let Self::Eval { expression, item, jsonl, json } = self;
        let engine = SandboxEngine::new(SystemIds.seed())?;
        if jsonl {
            return Ok(evaluate_lines(&engine, config)?);
        }
        let value: Value = serde_json::from_str(&item).context("--item is not JSON")?;
        let expression = expression.unwrap_or_default();
        let text = template_of(&expression).unwrap_or(&expression);
        let template = if text.contains("{{") { text.to_owned() } else { format!("{{{{ {text} }}}}") };
        let scope = scope(config, vec![wrap_item(value)?], MachineClock.now_ms());
        match evaluate(&engine, &scope, &template, 0) {
            Ok(value) if json => output::json(&json!({ "value": value })),
            Ok(Value::String(text)) => output::line(&text),
            Ok(value) => output::json(&value),
            Err(error) => {
                if json {
                    output::json(&json!({ "error": error_json(&error) }));
                } else {
                    output::error(&error.to_string());
                }
                return Err(Failure::Failed);
            }
        }
        Ok(())
    }
}

/// Each line has a session of its own: nothing that one expression does can be seen by the next.
fn evaluate_lines(engine: &SandboxEngine, config: &Config) -> anyhow::Result<()> {
    for line in std::io::stdin().lock().lines() {
        let line = line.context("standard input broke off")?;
        if line.trim().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(&line).context("a line is not {\"id\", \"expression\", …}")?;
        let items = line.items.into_iter().map(wrap_item).collect::<Result<Vec<_>, _>>()?;
        let now_ms = line.clock_ms.map_or_else(|| MachineClock.now_ms(), |clock_ms| clock_ms as i64);
        let scope = scope(config, items, now_ms);
        // Text that is no expression is itself.
        let answer = match template_of(&line.expression) {
            None => Ok(Value::String(line.expression.clone())),
            Some(template) => evaluate(engine, &scope, template, line.item_index),
        };
        output::json(&match answer {
            Ok(value) => json!({ "id": line.id, "value": value }),
            Err(error) => json!({ "id": line.id, "error": error_json(&error) }),
        });
    }
    Ok(())
}

fn evaluate(engine: &SandboxEngine, scope: &Scope, template: &str, index: usize) -> Result<Value, ExpressionError> {
    let mut session = engine.session()?;
    session.evaluate_tagged(scope, Job { template, item_index: index }, Limits::EXPRESSION)
}

fn error_json(error: &ExpressionError) -> Value {
    match error {
        ExpressionError::Thrown { name, message, .. } => json!({ "name": name, "message": message }),
        ExpressionError::Syntax(message) => json!({ "name": "SyntaxError", "message": message }),
        other => json!({ "name": "ExpressionError", "message": other.to_string() }),
    }
}

fn scope(config: &Config, items: Vec<Item>, now_ms: i64) -> Scope {
    let items: Items = Arc::new(items);
    Scope {
        inputs: Arc::new(vec![Arc::clone(&items)]),
        items,
        run_index: 0,
        now_ms,
        timezone: config.timezone,
        node: NodeInfo { name: "node".to_owned(), type_version: 1.0, parameters: json!({}), ..NodeInfo::default() },
        previous: None,
        workflow: WorkflowInfo::default(),
        execution: ExecutionInfo { mode: "test".to_owned(), ..ExecutionInfo::default() },
        vars: Arc::default(),
        env: Arc::new(config.expression_environment()),
        additional: Arc::default(),
        nodes: Arc::new(NoNodes),
    }
}
