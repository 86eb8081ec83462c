//! Remove Duplicates: keeps the first of the items that are alike.
//!
//! Comparing with earlier executions asks the deployment's memory, see [`history`](super::history).

use std::collections::HashSet;

use serde_json::Value;
use timeloom_domain::catalogue::{Choice, Condition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::Node;
use timeloom_domain::item::{Item, Items, JsonObject};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeShape, NodeType, PureNode, RequiredInputs};

use super::fields::{NO_DOTS, dots, name_list, passed_on};
use super::{Dialect, history};
use crate::describe::{ONE_TO_ONE, choice, collection, is, number, options, outputs_vary, palette, switch, text, told};
use crate::values;

const OPERATIONS: &[Choice] = &[
    told("removeDuplicateInputItems", "Remove items repeated within current input", "Compares the items of this run."),
    told(
        "removeItemsSeenInPreviousExecutions",
        "Remove items processed in previous executions",
        "Compares the items with those of earlier executions.",
    ),
    told("clearDeduplicationHistory", "Clear deduplication history", "Forgets the earlier executions."),
];
const LOGIC: &[Choice] = &[
    told("removeItemsWithAlreadySeenKeyValues", "Value is new", "A value that no item had before."),
    told("removeItemsUpToStoredIncrementalKey", "Value is higher than any previous value", "A number that rises."),
    told("removeItemsUpToStoredDate", "Value is a date later than any previous date", "A date that rises."),
];

const IN_INPUT: &[Condition] = &[is("operation", &["removeDuplicateInputItems"])];
const ACROSS: &[Condition] = &[is("operation", &["removeItemsSeenInPreviousExecutions"])];
const BY_FIELDS: &[Condition] = &[is("compare", &["allFieldsExcept", "selectedFields"])];

pub(super) const COMPARE: ParameterDefinition = options(
    "compare",
    &[
        choice("allFields", "All fields"),
        choice("allFieldsExcept", "All fields except"),
        choice("selectedFields", "Selected fields"),
    ],
    "Which fields must be alike.",
)
.or_text("allFields");
pub(super) const FIELDS_TO_EXCLUDE: ParameterDefinition =
    text("fieldsToExclude", "The fields that may differ, with commas between.")
        .like("email, name")
        .when(&[is("compare", &["allFieldsExcept"])]);
pub(super) const FIELDS_TO_COMPARE: ParameterDefinition = text("fieldsToCompare", "The fields, with commas between.")
    .like("email, name")
    .when(&[is("compare", &["selectedFields"])]);
pub(super) const REMOVE_OTHERS: ParameterDefinition =
    switch("removeOtherFields", "Whether the fields that are not compared are dropped.").or_false();

const SCOPE: ParameterDefinition = options(
    "scope",
    &[
        told("node", "Node", "Each node remembers for itself."),
        told("workflow", "Workflow", "The nodes of a workflow remember together."),
    ],
    "Who remembers.",
)
.or_text("node");

const PARAMETERS: &[ParameterDefinition] = &[
    options("operation", OPERATIONS, "What to compare with.").or_text("removeDuplicateInputItems").since(2.0),
    options("logic", LOGIC, "What lets an item through.")
        .called("Keep items where")
        .or_text("removeItemsWithAlreadySeenKeyValues")
        .when(ACROSS)
        .since(2.0),
    text("dedupeValue", "What tells an item from others, across executions.")
        .called("Value to dedupe on")
        .like("{{ $json.id }}")
        .when(&[is("logic", &["removeItemsWithAlreadySeenKeyValues"])])
        .since(2.0),
    number("incrementalDedupeValue", "A number that rises from item to item.")
        .called("Value to dedupe on")
        .when(&[is("logic", &["removeItemsUpToStoredIncrementalKey"])])
        .since(2.0),
    text("dateDedupeValue", "A date that rises from item to item.")
        .called("Value to dedupe on")
        .like("{{ $json.createdAt }}")
        .when(&[is("logic", &["removeItemsUpToStoredDate"])])
        .since(2.0),
    COMPARE.until(1.1),
    COMPARE.when(IN_INPUT).since(2.0),
    FIELDS_TO_EXCLUDE,
    FIELDS_TO_COMPARE,
    collection("options", &[NO_DOTS, REMOVE_OTHERS], "What else to decide.").when(BY_FIELDS),
    collection(
        "options",
        &[
            SCOPE,
            number("historySize", "How many values are remembered.")
                .or_number(history::KEYS_DEFAULT)
                .when(&[is("/logic", &["removeItemsWithAlreadySeenKeyValues"])]),
        ],
        "What else to decide.",
    )
    .when(ACROSS)
    .since(2.0),
    collection("options", &[SCOPE], "What else to decide.")
        .when(&[is("operation", &["clearDeduplicationHistory"])])
        .since(2.0),
];

/// Remove Duplicates.
pub(crate) struct RemoveDuplicates;

impl NodeType for RemoveDuplicates {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.removeDuplicates",
            display_name: "Remove Duplicates",
            description: "Keeps the first of the items whose fields are alike.",
            versions: &[1.0, 1.1, 2.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Data, "copy-minus", &["unique", "distinct", "dedupe", "deduplicate"]),
            port_names: outputs_vary(
                "It has two outputs where it compares with earlier executions: what is new, and what is not.",
            ),
            ..NodeDefinition::BLANK
        }
    }

    fn shape(&self, node: &Node) -> NodeShape {
        let operation = node.parameters.get("operation").and_then(Value::as_str);
        let splits = node.type_version >= 2.0 && operation == Some("removeItemsSeenInPreviousExecutions");
        NodeShape { inputs: 1, outputs: if splits { 2 } else { 1 }, required_inputs: RequiredInputs::Any }
    }

    fn output_names(&self, node: &Node) -> Vec<String> {
        match self.shape(node).outputs {
            2 => vec!["new".to_owned(), "seen before".to_owned()],
            _ => Vec::new(),
        }
    }

    fn remembers(&self, node: &Node) -> bool {
        let operation = node.parameters.get("operation").and_then(Value::as_str);
        node.type_version >= 2.0 && operation.is_some_and(|operation| operation != "removeDuplicateInputItems")
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for RemoveDuplicates {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        if run.version() >= 2.0 {
            match run.text("operation", 0, "removeDuplicateInputItems")?.as_str() {
                "removeItemsSeenInPreviousExecutions" => return history::unseen(run),
                "clearDeduplicationHistory" => return history::clear(run),
                _ => {}
            }
        }
        let null_has_any_type = run.version() > 1.0;
        match remove_duplicates(run, Dialect { null_has_any_type, ..Dialect::NODE }) {
            Err(error) if run.version() >= 2.0 && run.continues_on_fail() => {
                Ok(NodeOutput::single(vec![run.failed_item(0, &error)]))
            }
            output => output,
        }
    }
}

/// The operation.
pub(super) fn remove_duplicates(run: &mut NodeRun<'_>, dialect: Dialect) -> Result<NodeOutput, NodeError> {
    let items = run.items();
    let dots = dots(run)?;
    let keys = compared_fields(run, &items, dots)?;
    if dialect.compares_one_type {
        check_types(&items, &keys, dots, dialect)?;
    }
    let can_trim = dialect.compares_one_type || run.text("compare", 0, "allFields")? == "selectedFields";
    let only_compared = can_trim && run.boolean("options.removeOtherFields", 0, false)?;
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let parts: Vec<String> = keys.iter().map(|key| values::canonical(values::get(&item.json, key, dots))).collect();
        if !seen.insert(parts) {
            continue;
        }
        kept.push(if only_compared { picked(item, &keys, dots).paired_with(index) } else { passed_on(item, index) });
    }
    Ok(NodeOutput::single(kept))
}

fn compared_fields(run: &mut NodeRun<'_>, items: &Items, dots: bool) -> Result<Vec<String>, NodeError> {
    let compare = run.text("compare", 0, "allFields")?;
    if compare == "selectedFields" {
        let fields = name_list(run, "fieldsToCompare", 0)?;
        if fields.is_empty() {
            return Err(NodeError::operation("there is no field to compare: name at least one"));
        }
        return Ok(fields);
    }
    let mut keys = all_fields(items, dots);
    if compare == "allFieldsExcept" {
        let excluded = name_list(run, "fieldsToExclude", 0)?;
        if excluded.is_empty() {
            return Err(NodeError::operation("there is no field to leave out: name at least one"));
        }
        keys.retain(|key| !excluded.contains(key));
    }
    Ok(keys)
}

/// The fields of all items, in order of appearance; with `dots`, those of nested objects by their paths.
fn all_fields(items: &Items, dots: bool) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut keys = Vec::new();
    for item in items.iter() {
        let mut found = Vec::new();
        for (key, value) in &item.json {
            if dots { flatten(key.clone(), value, &mut found) } else { found.push(key.clone()) }
        }
        keys.extend(found.into_iter().filter(|key| seen.insert(key.clone())));
    }
    keys
}

fn flatten(path: String, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, field) in fields {
                flatten(format!("{path}.{key}"), field, found);
            }
        }
        // Lists are compared as wholes: their elements have no names.
        _ => found.push(path),
    }
}

fn check_types(items: &Items, keys: &[String], dots: bool, dialect: Dialect) -> Result<(), NodeError> {
    for key in keys {
        let mut known: Option<&str> = None;
        for item in items.iter() {
            let Some(value) = values::get(&item.json, key, dots) else {
                let error = NodeError::operation(format!(
                    "some items lack the field '{key}': fill it in, or compare other fields"
                ));
                if !dots && key.contains('.') {
                    return Err(error.described(
                        "a name with dots leads into objects only while the option 'Disable Dot Notation' is off",
                    ));
                }
                return Err(error);
            };
            if value.is_null() && dialect.null_has_any_type {
                continue;
            }
            let kind = type_name(value);
            if known.is_some_and(|known| known != kind) {
                return Err(NodeError::operation(format!(
                    "the field '{key}' is of different types: make it one type before this node"
                )));
            }
            known = Some(kind);
        }
    }
    Ok(())
}

/// JavaScript's `typeof`.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Null | Value::Array(_) | Value::Object(_) => "object",
    }
}

fn picked(item: &Item, keys: &[String], dots: bool) -> Item {
    let mut json = JsonObject::new();
    for key in keys {
        if let Some(value) = values::get(&item.json, key, dots) {
            values::set(&mut json, key, value.clone(), dots && !item.json.contains_key(key));
        }
    }
    Item::new(json)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Bench, pairs_of};

    #[test]
    fn all_fields_count_unless_the_author_says_otherwise() {
        let input = json!([{"a": 1, "b": {"c": 1}}, {"a": 1, "b": {"c": 2}}, {"b": {"c": 1}, "a": 1.0}]);
        let mut bench = Bench::new(&RemoveDuplicates, 2.0, json!({})).input(input.clone());
        assert_eq!(bench.output(), json!([{"a": 1, "b": {"c": 1}}, {"a": 1, "b": {"c": 2}}]));
        assert_eq!(pairs_of(&bench.run().unwrap()), json!([{"item": 0}, {"item": 1}]));
        let by_a = json!({"compare": "selectedFields", "fieldsToCompare": "a", "options": {"removeOtherFields": true}});
        assert_eq!(Bench::new(&RemoveDuplicates, 1.0, by_a).input(input.clone()).output(), json!([{"a": 1}]));
        let except = json!({"compare": "allFieldsExcept", "fieldsToExclude": "b.c"});
        let kept = Bench::new(&RemoveDuplicates, 1.1, except).input(input).output();
        assert_eq!(kept, json!([{"a": 1, "b": {"c": 1}}]));
    }

    #[test]
    fn fields_that_are_missing_or_change_type_are_refused() {
        let missing = Bench::new(&RemoveDuplicates, 1.0, json!({})).input(json!([{"a": 1}, {"b": 1}])).failure();
        assert_eq!(missing, "some items lack the field 'a': fill it in, or compare other fields");
        let mixed = Bench::new(&RemoveDuplicates, 1.1, json!({})).input(json!([{"a": 1}, {"a": "1"}])).failure();
        assert_eq!(mixed, "the field 'a' is of different types: make it one type before this node");
        let with_null = json!([{"a": 1}, {"a": null}]);
        assert_eq!(Bench::new(&RemoveDuplicates, 2.0, json!({})).input(with_null.clone()).output(), with_null);
        Bench::new(&RemoveDuplicates, 1.0, json!({})).input(with_null).failure();
    }
}
