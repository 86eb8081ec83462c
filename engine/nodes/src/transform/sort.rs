//! Sort: by fields, at random, or by the author's comparator. Never changes an item.
//!
//! Chance is the run's seed, so the same attempt gives the same order again.

use std::cmp::Ordering;

use serde_json::Value;
use timeloom_domain::catalogue::{Language, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};
use timeloom_expressions::port::CodeMode;

use super::fields::{NO_DOTS, dots, field_not_found, group_text, groups, passed_on};
use crate::describe::{ONE_TO_ONE, choice, code, collection, is, list, many, options, palette, text, told};
use crate::values;

pub(super) const TYPE: ParameterDefinition = options(
    "type",
    &[
        told("simple", "Simple", "By the values of fields."),
        told("random", "Random", "In no order."),
        told("code", "Code", "By a script that compares two items."),
    ],
    "How to sort.",
)
.or_text("simple");
pub(super) const FIELDS: ParameterDefinition = list(
    "sortFieldsUi",
    &[many(
        "sortField",
        "Field",
        &[
            text("fieldName", "Name of the field.").like("id"),
            options(
                "order",
                &[choice("ascending", "Ascending"), choice("descending", "Descending")],
                "Whether the smallest comes first.",
            )
            .or_text("ascending"),
        ],
    )],
    "Fields to sort by: where the first is the same, the next decides.",
)
.called("Fields to sort by")
.when(&[is("type", &["simple"])]);
pub(super) const SCRIPT: ParameterDefinition = code(
    "code",
    Language::JavaScript,
    "Compares the items `a` and `b`: returns a number, below 0 where `a` comes first.",
)
.like("return a.json.age - b.json.age;")
.when(&[is("type", &["code"])]);

const PARAMETERS: &[ParameterDefinition] =
    &[TYPE, FIELDS, SCRIPT, collection("options", &[NO_DOTS], "What else to decide.").when(&[is("type", &["simple"])])];

/// Sort.
pub(crate) struct Sort;

impl NodeType for Sort {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.sort",
            display_name: "Sort",
            description: "Changes the order of items.",
            versions: &[1.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Data, "arrow-down-a-z", &["order", "shuffle", "random", "rank"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Sort {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        sort(run)
    }
}

/// The operation.
pub(super) fn sort(run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
    match run.text("type", 0, "simple")?.as_str() {
        "random" => Ok(NodeOutput::single(shuffled(numbered(run), run.seed))),
        "code" => by_code(run),
        _ => by_fields(run),
    }
}

fn numbered(run: &NodeRun<'_>) -> Vec<Item> {
    run.items().iter().enumerate().map(|(index, item)| passed_on(item, index)).collect()
}

fn shuffled(mut items: Vec<Item>, seed: u64) -> Vec<Item> {
    let mut state = seed;
    for end in (1..items.len()).rev() {
        let chosen = (split_mix(&mut state) % (end as u64 + 1)) as usize;
        items.swap(end, chosen);
    }
    items
}

/// The next number of the SplitMix64 sequence.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn by_code(run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
    // The comparator itself is not an expression, even where it begins with `=`.
    let code = run.raw_parameter("code").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !code.contains("return") {
        return Err(NodeError::operation("the comparator returns nothing: end it with 'return' and a number"));
    }
    let sorted = run.run_code(CodeMode::Sort, &code)?;
    Ok(NodeOutput::single(sorted.items))
}

struct Key {
    field: String,
    descending: bool,
}

fn by_fields(run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
    let mut items = numbered(run);
    let dots = dots(run)?;
    let keys: Vec<Key> = groups(run, "sortFieldsUi.sortField", 0)?
        .iter()
        .map(|group| Key {
            field: group_text(group, "fieldName", ""),
            descending: group_text(group, "order", "ascending") == "descending",
        })
        .collect();
    if keys.is_empty() {
        return Err(NodeError::operation("there is no field to sort by: add one"));
    }
    for key in &keys {
        if !items.iter().any(|item| values::has(&item.json, &key.field, dots)) {
            return Err(field_not_found(&key.field, dots));
        }
    }
    values::sort_by(&mut items, &mut |left, right| order(&left.json, &right.json, &keys, dots));
    Ok(NodeOutput::single(items))
}

fn order(left: &JsonObject, right: &JsonObject, keys: &[Key], dots: bool) -> Ordering {
    for key in keys {
        let left = lowered(values::get(left, &key.field, dots));
        let right = lowered(values::get(right, &key.field, dots));
        if values::equal_options(left.as_ref(), right.as_ref()) {
            continue;
        }
        let less = values::less_than(left.as_ref(), right.as_ref());
        return if less == key.descending { Ordering::Greater } else { Ordering::Less };
    }
    Ordering::Equal
}

/// Texts are compared without regard to case.
fn lowered(value: Option<&Value>) -> Option<Value> {
    match value? {
        Value::String(text) => Some(Value::String(text.to_lowercase())),
        other => Some(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use timeloom_expressions::port::CodeOutput;

    use super::*;
    use crate::testing::{Bench, items, json_of, pairs_of};

    fn by(fields: Value) -> Value {
        json!({"sortFieldsUi": {"sortField": fields}})
    }

    #[test]
    fn sorts_by_fields_without_regard_to_case() {
        let parameters = by(json!([{"fieldName": "name.first"}, {"fieldName": "age", "order": "descending"}]));
        let mut bench = Bench::new(&Sort, 1.0, parameters).input(json!([
            {"name": {"first": "bob"}, "age": 1}, {"name": {"first": "Alice"}, "age": 2},
            {"name": {"first": "alice"}, "age": 30},
        ]));
        let output = bench.run().unwrap();
        let ages: Vec<&Value> = output.outputs[0].iter().map(|item| &item.json["age"]).collect();
        assert_eq!(ages, [30, 2, 1]);
        assert_eq!(pairs_of(&output), json!([{"item": 2}, {"item": 1}, {"item": 0}]));
    }

    #[test]
    fn numbers_sort_as_numbers_and_null_as_zero() {
        let mut bench = Bench::new(&Sort, 1.0, by(json!([{"fieldName": "n"}])))
            .input(json!([{"n": 10}, {"n": 9}, {"n": null}, {"n": -1}]));
        assert_eq!(bench.output(), json!([{"n": -1}, {"n": null}, {"n": 9}, {"n": 10}]));
    }

    #[test]
    fn a_field_that_is_nowhere_fails() {
        let mut bench = Bench::new(&Sort, 1.0, by(json!([{"fieldName": "x"}]))).input(json!([{"n": 1}]));
        assert_eq!(bench.failure(), "no item has the field 'x': check its name");
    }

    #[test]
    fn random_order_depends_on_the_seed_alone() {
        let input: Value = (0..20).map(|n| json!({"n": n})).collect();
        let mut bench = Bench::new(&Sort, 1.0, json!({"type": "random"})).input(input.clone());
        let first = bench.output();
        assert_eq!(first, bench.output());
        bench.seed = 8;
        assert_ne!(first, bench.output());
        assert_ne!(first, input);
        assert_eq!(first.as_array().map(Vec::len), Some(20));
    }

    #[test]
    fn code_sorts_through_the_sandbox() {
        let mut bench = Bench::new(&Sort, 1.0, json!({"type": "code", "code": "return a.json.n - b.json.n"}))
            .input(json!([{"n": 2}, {"n": 1}]))
            .script(|mode, code, given| {
                assert_eq!((mode, code, given.len()), (CodeMode::Sort, "return a.json.n - b.json.n", 2));
                let sorted = items(json!([{"n": 1}, {"n": 2}])).to_vec();
                Ok(CodeOutput { items: sorted, console: Vec::new(), context: None })
            });
        assert_eq!(json_of(&bench.run().unwrap(), 0), json!([{"n": 1}, {"n": 2}]));
        let mut silent = Bench::new(&Sort, 1.0, json!({"type": "code", "code": "a.n"})).input(json!([{}]));
        assert!(silent.failure().contains("returns nothing"));
    }
}
