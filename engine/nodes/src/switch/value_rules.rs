//! The rules of versions 1 and 2: one value against the value of each rule; the first that holds decides.

use serde_json::Value;
use timeloom_engine::node::{NodeError, NodeRun};

use super::{Route, index_of};
use crate::conditions::simple;
use crate::pattern::Patterns;
use crate::values;

/// Where each item goes.
pub(super) fn routes(run: &mut NodeRun<'_>, outputs: usize) -> Vec<Route> {
    let written = run.raw_parameter("value1").cloned();
    let values = run.parameter_for_items("value1");
    let rules = run.parameter_for_items("rules.rules");
    let mut patterns = Patterns::default();
    values
        .into_iter()
        .zip(rules)
        .enumerate()
        .map(|(index, (value, rules))| {
            let kind = run.text("dataType", index, "number")?;
            let value = match value? {
                None if written.is_none() => Some(simple::default_value(&kind)),
                value => value,
            };
            let rules = rules?;
            let rules = rules.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            match first_match(&mut patterns, &kind, value.as_ref(), rules)? {
                Some(position) => Ok(vec![target(run.version(), position, &rules[position], outputs)?]),
                None => fallback(run, index, outputs),
            }
        })
        .collect()
}

fn first_match(
    patterns: &mut Patterns,
    kind: &str,
    value: Option<&Value>,
    rules: &[Value],
) -> Result<Option<usize>, NodeError> {
    let default = simple::default_value(kind);
    for (position, rule) in rules.iter().enumerate() {
        let operation = rule.get("operation").and_then(Value::as_str);
        let operation = operation.unwrap_or_else(|| simple::default_operation(kind));
        let other = rule.get("value2").unwrap_or(&default);
        if simple::compare(patterns, kind, operation, value, Some(other))? {
            return Ok(Some(position));
        }
    }
    Ok(None)
}

/// In version 1 a rule names its output, in version 2 every rule has its own.
fn target(version: f64, position: usize, rule: &Value, outputs: usize) -> Result<usize, NodeError> {
    if version < 2.0 { index_of(rule.get("output"), outputs) } else { Ok(position) }
}

fn fallback(run: &mut NodeRun<'_>, item: usize, outputs: usize) -> Route {
    match run.parameter("fallbackOutput", item)? {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(word)) if word == "none" => Ok(Vec::new()),
        Some(output) if values::number(&output) == -1.0 => Ok(Vec::new()),
        Some(output) => Ok(vec![index_of(Some(&output), outputs)?]),
    }
}
