//! Remove Duplicates across executions: items that an earlier execution had already are put aside.
//!
//! A node run that is computed again keeps and puts aside the same items: the memory knows who remembered what.

use futures::executor::block_on;
use serde_json::Value;
use timeloom_domain::item::Item;
use timeloom_engine::node::{NodeError, NodeOutput, NodeRun, RecallError, RecallScope};
use timeloom_expressions::time;

use super::fields::passed_on;
use crate::values;

/// Most keys that a node remembers.
const KEYS_MAX: f64 = 100_000.0;
/// Keys that a node remembers when the author names no number.
pub(super) const KEYS_DEFAULT: f64 = 10_000.0;
/// Longest key, in characters.
const KEY_CHARS_MAX: usize = 1_000;

/// The items that are new on output 0, all others on output 1.
pub(super) fn unseen(run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
    let items = run.items();
    let news = match run.text("logic", 0, "removeItemsWithAlreadySeenKeyValues")?.as_str() {
        "removeItemsUpToStoredIncrementalKey" => {
            let number = |value: &Value| Some(values::number(value)).filter(|number| number.is_finite());
            above_mark(run, "incrementalDedupeValue", number)?
        }
        "removeItemsUpToStoredDate" => {
            let zone = run.scope.timezone;
            above_mark(run, "dateDedupeValue", |value| Some(time::parse(value, zone)?.timestamp_millis() as f64))?
        }
        _ => new_keys(run)?,
    };
    let (mut kept, mut discarded) = (Vec::new(), Vec::new());
    for ((index, item), is_new) in items.iter().enumerate().zip(news) {
        let list: &mut Vec<Item> = if is_new { &mut kept } else { &mut discarded };
        list.push(passed_on(item, index));
    }
    Ok(NodeOutput::many(vec![kept, discarded]))
}

/// Forgets what was seen, and passes the items on.
pub(super) fn clear(run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
    let scope = scope(run)?;
    block_on(run.services.recall.forget(&scope)).map_err(|error| unreachable(&error))?;
    let items = run.items();
    Ok(NodeOutput::single(items.iter().enumerate().map(|(index, item)| passed_on(item, index)).collect()))
}

fn new_keys(run: &mut NodeRun<'_>) -> Result<Vec<bool>, NodeError> {
    let scope = scope(run)?;
    let keys_max = run.number("options.historySize", 0, KEYS_DEFAULT)?.clamp(1.0, KEYS_MAX) as usize;
    let mut keys = Vec::new();
    for (index, value) in run.parameter_for_items("dedupeValue").into_iter().enumerate() {
        let key = match value? {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text,
            Some(value) => values::canonical(Some(&value)),
        };
        if key.is_empty() {
            let message = "the value that tells items apart is empty: name a field that every item has";
            return Err(NodeError::operation(message).at_item(index));
        }
        keys.push(key.chars().take(KEY_CHARS_MAX).collect::<String>());
    }
    let remembered = run.services.recall.remember(&scope, &keys, keys_max, run.idempotency_key);
    let news = block_on(remembered).map_err(|error| unreachable(&error))?;
    // Within the input, the first of those that are alike is new.
    let mut here = std::collections::HashSet::new();
    Ok(keys.iter().zip(news).map(|(key, is_new)| here.insert(key) && is_new).collect())
}

fn above_mark(
    run: &mut NodeRun<'_>,
    parameter: &str,
    read: impl Fn(&Value) -> Option<f64>,
) -> Result<Vec<bool>, NodeError> {
    let scope = scope(run)?;
    let mut marks = Vec::new();
    for (index, value) in run.parameter_for_items(parameter).into_iter().enumerate() {
        let mark = value?.as_ref().and_then(&read);
        let message = "the value that rises from item to item is missing, or is neither a number nor a date";
        marks.push(mark.ok_or_else(|| NodeError::operation(message).at_item(index))?);
    }
    let Some(highest) = marks.iter().copied().reduce(f64::max) else { return Ok(Vec::new()) };
    let raised = run.services.recall.raise(&scope, highest, run.idempotency_key);
    let before = block_on(raised).map_err(|error| unreachable(&error))?;
    Ok(marks.into_iter().map(|mark| before.is_none_or(|before| mark > before)).collect())
}

fn scope(run: &mut NodeRun<'_>) -> Result<RecallScope, NodeError> {
    let shared = run.text("options.scope", 0, "node")? == "workflow";
    let node = if run.node.id.is_empty() { run.node.name.clone() } else { run.node.id.clone() };
    Ok(RecallScope { tenant: run.tenant, workflow_id: run.scope.workflow.id.clone(), node: (!shared).then_some(node) })
}

fn unreachable(error: &RecallError) -> NodeError {
    NodeError::operation(error.to_string())
        .described("the operation that compares the items of the current input works without a memory")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use timeloom_engine::node::{NodeType as _, TransientRecall};

    use super::*;
    use crate::testing::Bench;
    use crate::transform::RemoveDuplicates;

    fn bench(recall: &Arc<TransientRecall>, mut parameters: Value, input: Value) -> Bench<'static> {
        if parameters.get("operation").is_none() {
            parameters["operation"] = json!("removeItemsSeenInPreviousExecutions");
        }
        let mut bench = Bench::new(&RemoveDuplicates, 2.0, parameters).input(input);
        bench.services.recall = recall.clone();
        bench
    }

    #[test]
    fn keys_of_earlier_executions_are_put_aside() {
        let recall = Arc::new(TransientRecall::default());
        let run = |key: &'static str, input: Value| {
            let mut bench = bench(&recall, json!({"dedupeValue": "={{ $json.id }}"}), input);
            bench.idempotency_key = key;
            bench.outputs()
        };
        let first = json!([{"id": 1}, {"id": 2}, {"id": 1}]);
        assert_eq!(run("run 1", first.clone()), json!([[{"id": 1}, {"id": 2}], [{"id": 1}]]));
        assert_eq!(run("run 1", first), json!([[{"id": 1}, {"id": 2}], [{"id": 1}]]), "the same run after a crash");
        assert_eq!(run("run 2", json!([{"id": 2}, {"id": 3}])), json!([[{"id": 3}], [{"id": 2}]]));
        let cleared = bench(&recall, json!({"operation": "clearDeduplicationHistory"}), json!([{"x": 1}])).outputs();
        assert_eq!(cleared, json!([[{"x": 1}]]));
        assert_eq!(run("run 3", json!([{"id": 2}])), json!([[{"id": 2}], []]));
    }

    #[test]
    fn marks_rise_with_numbers_and_dates() {
        let recall = Arc::new(TransientRecall::default());
        let run = |key: &'static str, input: Value| {
            let logic = json!({
                "logic": "removeItemsUpToStoredIncrementalKey", "incrementalDedupeValue": "={{ $json.n }}",
                "options": {"scope": "workflow"},
            });
            let mut bench = bench(&recall, logic, input);
            bench.idempotency_key = key;
            bench.outputs()
        };
        assert_eq!(run("1", json!([{"n": 1}, {"n": 3}])), json!([[{"n": 1}, {"n": 3}], []]));
        assert_eq!(run("2", json!([{"n": 3}, {"n": 4}])), json!([[{"n": 4}], [{"n": 3}]]));
        let dates = json!({"logic": "removeItemsUpToStoredDate", "dateDedupeValue": "={{ $json.d }}"});
        let mut bench = bench(&recall, dates, json!([{"d": "2024-01-01"}, {"d": "x"}]));
        assert!(bench.failure().contains("neither a number nor a date"));
    }

    #[test]
    fn what_was_seen_has_an_output_of_its_own() {
        let parameters = json!({"operation": "removeItemsSeenInPreviousExecutions", "dedupeValue": "={{ $json.id }}"});
        let bench = Bench::new(&RemoveDuplicates, 2.0, parameters);
        assert_eq!(RemoveDuplicates.shape(&bench.node).outputs, 2);
    }
}
