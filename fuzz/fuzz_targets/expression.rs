//! Any text as an expression: the native evaluator answers, fails in words, or leaves it to the sandbox; it never panics.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use timeloom_domain::item::Item;
use timeloom_expressions::evaluator::Evaluator;
use timeloom_expressions::scope::{ExecutionInfo, NoNodes, NodeInfo, Scope, WorkflowInfo};

fuzz_target!(|text: &str| {
    let item = json!({"n": 7, "text": "some words", "list": [1, "two", null], "deep": {"a": {"b": true}}});
    let items = Arc::new(vec![Item::new(item.as_object().cloned().unwrap_or_default())]);
    let scope = Scope {
        inputs: Arc::new(vec![Arc::clone(&items)]),
        items,
        run_index: 0,
        now_ms: 1_700_000_000_000,
        timezone: chrono_tz::UTC,
        node: NodeInfo::default(),
        previous: None,
        workflow: WorkflowInfo::default(),
        execution: ExecutionInfo::default(),
        vars: Arc::default(),
        env: Arc::default(),
        nodes: Arc::new(NoNodes),
    };
    let value = Value::String(format!("={text}"));
    let mut session = Evaluator::new(None).session();
    for result in session.resolve_evaluated_for_items(&scope, &value, 0..1) {
        if let Err(error) = result {
            assert!(!error.to_string().is_empty(), "a failure says why");
        }
    }
});
