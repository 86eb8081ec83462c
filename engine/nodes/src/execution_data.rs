//! Execution Data: saves keys and values with the execution, by which it can be found.
//!
//! Items pass through as they are.

use std::collections::BTreeMap;

use serde_json::Value;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::Item;
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use crate::describe::{ONE_TO_ONE, choice, list, many, options, palette, text};
use crate::transform::fields::{group_text, groups, passed_on};

const PARAMETERS: &[ParameterDefinition] = &[
    options("operation", &[choice("save", "Save execution data for search")], "What to do.").or_text("save"),
    list(
        "dataToSave",
        &[many(
            "values",
            "Saved field",
            &[
                text("key", "The key, at most 50 characters.").like("customerId"),
                text("value", "The value, at most 512 characters."),
            ],
        )],
        "The keys and values, at most 10.",
    )
    .called("Data to save"),
];

/// Longest key, in characters.
const KEY_CHARS_MAX: usize = 50;
/// Longest value, in characters.
const VALUE_CHARS_MAX: usize = 512;
/// Most keys that one node run saves.
const KEYS_MAX: usize = 10;

/// Execution Data.
pub(crate) struct ExecutionData;

impl NodeType for ExecutionData {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.executionData",
            display_name: "Execution Data",
            description: "Saves keys and values by which the execution can be found.",
            versions: &[1.0, 1.1],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Data, "bookmark", &["search", "metadata", "tag", "custom data"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for ExecutionData {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let mut saved = BTreeMap::new();
        let mut made: Vec<Item> = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match save(run, index, &mut saved) {
                Ok(()) => made.push(passed_on(item, index)),
                Err(error) if run.continues_on_fail() => made.push(run.failed_item(index, &error)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        Ok(NodeOutput { saved, ..NodeOutput::single(made) })
    }
}

fn save(run: &mut NodeRun<'_>, index: usize, saved: &mut BTreeMap<String, String>) -> Result<(), NodeError> {
    for entry in groups(run, "dataToSave.values", index)? {
        let key = group_text(&entry, "key", "");
        if key.is_empty() {
            return Err(NodeError::operation("a value has no key: name each"));
        }
        if let Some(Value::Array(_) | Value::Object(_)) = entry.get("value") {
            return Err(NodeError::operation(format!(
                "the value of '{key}' is a structure: save texts, numbers or booleans"
            )));
        }
        let short = |text: &str, chars: usize| text.chars().take(chars).collect::<String>();
        let (key, value) = (short(&key, KEY_CHARS_MAX), short(&group_text(&entry, "value", ""), VALUE_CHARS_MAX));
        if saved.len() >= KEYS_MAX && !saved.contains_key(&key) {
            return Err(NodeError::operation(format!("an execution is found by at most {KEYS_MAX} keys of a node")));
        }
        saved.insert(key, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Bench, json_of};

    #[test]
    fn the_last_value_of_a_key_is_saved_and_items_pass() {
        let values = json!([{"key": "order", "value": "={{ $json.n }}"}, {"key": "kind", "value": true}]);
        let parameters = json!({"operation": "save", "dataToSave": {"values": values}});
        let input = json!([{"n": 1}, {"n": 2}]);
        let output = Bench::new(&ExecutionData, 1.0, parameters).input(input.clone()).run().unwrap();
        assert_eq!(json_of(&output, 0), input);
        let expected = [("kind", "true"), ("order", "2")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(output.saved, BTreeMap::from(expected));
    }

    #[test]
    fn keys_and_values_have_limits() {
        let save = |values: Value| {
            Bench::new(&ExecutionData, 1.0, json!({"dataToSave": {"values": values}})).input(json!([{}]))
        };
        let long = save(json!([{"key": "k".repeat(60), "value": "v".repeat(600)}])).run().unwrap();
        let (key, value) = long.saved.first_key_value().unwrap();
        assert_eq!((key.len(), value.len()), (50, 512));
        assert!(save(json!([{"key": "", "value": 1}])).failure().contains("has no key"));
        assert!(save(json!([{"key": "a", "value": {}}])).failure().contains("is a structure"));
        let many: Value = (0..11).map(|index| json!({"key": index.to_string(), "value": 1})).collect();
        assert!(save(many).failure().contains("at most 10 keys"));
    }
}
