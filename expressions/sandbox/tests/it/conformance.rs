//! n8n's own expression tests, from a folder outside the repository: `TIMELOOM_CONFORMANCE`.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use timeloom_domain::item::Item;
use timeloom_expressions::port::{ExpressionError, Job, Limits, ScriptEngine};

use crate::support::{engine, scope};

/// The moment at which cases without a clock of their own were observed.
const OBSERVED_MS: i64 = 1_795_393_589_318;

#[derive(Deserialize)]
struct Suite {
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    expression: String,
    #[serde(default)]
    items: Vec<Item>,
    item_index: i64,
    clock_ms: Option<i64>,
    expect: Expect,
    observed: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Equals(Value),
    Throws(Value),
    NotUndefined(#[expect(dead_code, reason = "only its presence counts")] Value),
}

#[expect(
    clippy::disallowed_methods,
    reason = "the data is not part of the repository; the environment says where it is"
)]
fn suite() -> Option<Suite> {
    let folder = PathBuf::from(env::var_os("TIMELOOM_CONFORMANCE")?);
    let text = fs::read_to_string(folder.join("expressions/expressions.json")).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

/// Equality of tagged values: an absent field is an undefined one, and some expectations name only elements.
fn same(actual: &Value, expected: &Value) -> bool {
    if let Some(elements) = expected.get("$arrayContaining").and_then(Value::as_array) {
        let Some(actual) = actual.as_array() else { return false };
        return elements.iter().all(|wanted| {
            actual.iter().any(|one| same(one, wanted))
                || wanted.as_array().is_some_and(|all| all.iter().all(|one| actual.contains(one)))
        });
    }
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            let undefined = serde_json::json!({ "$undefined": true });
            let keys = actual.keys().chain(expected.keys());
            keys.into_iter()
                .all(|key| same(actual.get(key).unwrap_or(&undefined), expected.get(key).unwrap_or(&undefined)))
        }
        (Value::Array(actual), Value::Array(expected)) => {
            actual.len() == expected.len() && actual.iter().zip(expected).all(|(one, other)| same(one, other))
        }
        (Value::Number(actual), Value::Number(expected)) => actual.as_f64() == expected.as_f64(),
        _ => actual == expected,
    }
}

fn holds(case: &Case, result: &Result<Value, ExpressionError>) -> bool {
    match (&case.expect, result) {
        (Expect::Equals(expected), Ok(actual)) => same(actual, expected),
        (Expect::Throws(wanted), Err(error)) => {
            let message = error.to_string();
            wanted.as_str().is_none_or(|part| message.contains(part)) && !matches!(error, ExpressionError::Fault(_))
        }
        (Expect::NotUndefined(_), Ok(actual)) => actual.get("$undefined").is_none(),
        _ => false,
    }
}

fn run(case: &Case) -> Result<Value, ExpressionError> {
    let mut scope = scope(serde_json::json!([]));
    scope.items = Arc::new(case.items.clone());
    scope.inputs = Arc::new(vec![Arc::clone(&scope.items)]);
    scope.now_ms = case.clock_ms.unwrap_or(OBSERVED_MS);
    let template = case.expression.strip_prefix('=').unwrap_or(&case.expression);
    let job = Job { template, item_index: usize::try_from(case.item_index).unwrap_or(0) };
    engine().session().unwrap().evaluate_tagged(&scope, job, Limits::EXPRESSION)
}

#[test]
fn n8n_expression_cases_hold() {
    let Some(suite) = suite() else {
        println!("SKIPPED: TIMELOOM_CONFORMANCE is not set");
        return;
    };
    let mut held = 0;
    for case in &suite.tests {
        let result = run(case);
        if holds(case, &result) {
            held += 1;
        } else {
            println!("FAILED {} {}\n  got {result:?}\n  observed {}", case.id, case.expression, case.observed);
        }
    }
    println!("expressions: {held} of {} hold", suite.tests.len());
    // Measured; a few cases expect what n8n itself does not do.
    assert!(held * 1000 >= suite.tests.len() * 980, "{held} of {} hold", suite.tests.len());
}
