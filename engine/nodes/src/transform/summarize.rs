//! Summarize: counts, sums and lists over items, for groups of items that share fields.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use timeloom_domain::catalogue::{Choice, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{Item, Items, JsonObject};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use super::Dialect;
use super::aggregate::made_from;
use super::fields::{NO_DOTS, dots, group_flag, group_text, groups, name_list, not_found_hint};
use crate::describe::{ONE_TO_ONE, choice, collection, is, list, many, options, palette, switch, text, told};
use crate::values;

const AGGREGATIONS: &[Choice] = &[
    told("append", "Append", "A list of the values."),
    choice("average", "Average"),
    told("concatenate", "Concatenate", "One text of all values."),
    choice("count", "Count"),
    choice("countUnique", "Count unique"),
    choice("max", "Max"),
    choice("min", "Min"),
    choice("sum", "Sum"),
];
const SEPARATORS: &[Choice] = &[
    choice(",", "Comma"),
    choice(", ", "Comma and space"),
    choice("\n", "New line"),
    choice("", "None"),
    choice(" ", "Space"),
    choice("other", "Other"),
];

pub(super) const FIELDS: ParameterDefinition = list(
    "fieldsToSummarize",
    &[many(
        "values",
        "Field",
        &[
            options("aggregation", AGGREGATIONS, "What to work out.").or_text("count"),
            text("field", "Name of the field.").like("cost"),
            switch("includeEmpty", "Whether empty values count.")
                .called("Include empty values")
                .or_false()
                .when(&[is("aggregation", &["append", "concatenate", "count", "countUnique"])]),
            options("separateBy", SEPARATORS, "What stands between the values.")
                .called("Separator")
                .or_text(",")
                .when(&[is("aggregation", &["concatenate"])]),
            text("customSeparator", "What stands between the values.")
                .or_text("")
                .when(&[is("separateBy", &["other"])]),
        ],
    )],
    "Fields, and what to work out from each.",
)
.called("Fields to summarize");
pub(super) const SPLIT_BY: ParameterDefinition =
    text("fieldsToSplitBy", "Fields whose values make the groups, with commas between.").like("country, city");
pub(super) const SKIP_EMPTY: ParameterDefinition =
    switch("skipEmptySplitFields", "Whether items are left out that lack a field of the groups.")
        .called("Ignore items without valid fields to group by")
        .or_false();
pub(super) const FORMAT: ParameterDefinition = options(
    "outputFormat",
    &[
        told("separateItems", "Each split in a separate item", "An item for each group."),
        told("singleItem", "All splits in a single item", "One item with the groups in each other."),
    ],
    "How the groups are given.",
)
.or_text("separateItems");

const PARAMETERS: &[ParameterDefinition] = &[
    FIELDS.needed(),
    SPLIT_BY,
    collection(
        "options",
        &[
            switch("continueIfFieldNotFound", "Whether a field that no item has is no failure.")
                .called("Continue if field not found")
                .or_false()
                .until(1.0),
            NO_DOTS,
            FORMAT,
            SKIP_EMPTY,
        ],
        "What else to decide.",
    ),
];

/// Summarize.
pub(crate) struct Summarize;

impl NodeType for Summarize {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.summarize",
            display_name: "Summarize",
            description: "Counts, sums or lists the values of items, group by group.",
            versions: &[1.0, 1.1],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Data, "sigma", &["group by", "pivot", "sum", "count", "average", "statistics"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Summarize {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let newer = run.version() > 1.0;
        let goes_on = newer || run.boolean("options.continueIfFieldNotFound", 0, false)?;
        let dialect = Dialect { missing_field_fails: !goes_on, groups_by_value: newer, ..Dialect::NODE };
        summarize(run, dialect)
    }
}

/// What to work out from one field.
struct Column {
    aggregation: Aggregation,
    field: String,
    include_empty: bool,
    separator: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Aggregation {
    Append,
    Average,
    Concatenate,
    Count,
    CountUnique,
    Max,
    Min,
    Sum,
}

impl Column {
    fn read(group: &JsonObject) -> Self {
        let aggregation = match group_text(group, "aggregation", "count").as_str() {
            "append" => Aggregation::Append,
            "average" => Aggregation::Average,
            "concatenate" => Aggregation::Concatenate,
            "countUnique" => Aggregation::CountUnique,
            "max" => Aggregation::Max,
            "min" => Aggregation::Min,
            "sum" => Aggregation::Sum,
            _ => Aggregation::Count,
        };
        let separator = match group_text(group, "separateBy", ",").as_str() {
            "other" => group_text(group, "customSeparator", ""),
            separator => separator.to_owned(),
        };
        Self {
            aggregation,
            field: group_text(group, "field", ""),
            include_empty: group_flag(group, "includeEmpty"),
            separator,
        }
    }

    fn name(&self) -> String {
        let prefix = match self.aggregation {
            Aggregation::Append => "appended_",
            Aggregation::Average => "average_",
            Aggregation::Concatenate => "concatenated_",
            Aggregation::Count => "count_",
            Aggregation::CountUnique => "unique_count_",
            Aggregation::Max => "max_",
            Aggregation::Min => "min_",
            Aggregation::Sum => "sum_",
        };
        plain_name(&format!("{prefix}{}", self.field))
    }
}

/// A field's name without the signs that mean something in paths.
fn plain_name(name: &str) -> String {
    name.chars()
        .filter(|character| !matches!(character, '[' | ']' | '"'))
        .map(|character| if matches!(character, ' ' | '.') { '_' } else { character })
        .collect()
}

struct Plan {
    columns: Vec<Column>,
    split_by: Vec<String>,
    dots: bool,
    skip_empty: bool,
    as_text: bool,
}

/// The operation.
pub(super) fn summarize(run: &mut NodeRun<'_>, dialect: Dialect) -> Result<NodeOutput, NodeError> {
    let items = run.items();
    let mut columns: Vec<Column> = groups(run, "fieldsToSummarize.values", 0)?.iter().map(Column::read).collect();
    if !dialect.counts_empty {
        let counts = |column: &&mut Column| matches!(column.aggregation, Aggregation::Count | Aggregation::CountUnique);
        columns.iter_mut().filter(counts).for_each(|column| column.include_empty = false);
    }
    if columns.is_empty() || columns.iter().any(|column| column.field.is_empty()) {
        return Err(NodeError::operation("there is nothing to summarize: add an aggregation and name its field"));
    }
    let plan = Plan {
        columns,
        split_by: name_list(run, "fieldsToSplitBy", 0)?,
        dots: dots(run)?,
        skip_empty: run.boolean("options.skipEmptySplitFields", 0, false)?,
        as_text: !dialect.groups_by_value,
    };
    let nowhere = |column: &&Column| !items.iter().any(|item| values::has(&item.json, &column.field, plan.dots));
    let hints: Vec<String> = plan.columns.iter().filter(nowhere).map(|column| not_found_hint(&column.field)).collect();
    if let Some(message) = hints.first().filter(|_| dialect.missing_field_fails) {
        return Err(NodeError::operation(message.clone()));
    }
    let one_item = run.text("options.outputFormat", 0, "separateItems")? == "singleItem";
    let all: Vec<usize> = (0..items.len()).collect();
    let made = if one_item {
        let json = nested(&items, &all, &plan, &plan.split_by);
        vec![Item { paired_item: Some(made_from(all)), ..Item::new(json) }]
    } else {
        let mut made = Vec::new();
        rows(&items, &all, &plan, &plan.split_by, &JsonObject::new(), &mut made);
        made
    };
    Ok(NodeOutput { outputs: vec![made], hints, ..NodeOutput::default() })
}

/// One item for each group, with the values that make the group.
fn rows(items: &Items, indices: &[usize], plan: &Plan, split_by: &[String], shared: &JsonObject, made: &mut Vec<Item>) {
    let Some((field, rest)) = split_by.split_first() else {
        let mut json = shared.clone();
        json.extend(worked_out(items, indices, plan));
        let paired_item = Some(made_from(indices.iter().copied()));
        made.push(Item { paired_item, ..Item::new(json) });
        return;
    };
    for (value, members) in grouped(items, indices, plan, field) {
        let mut shared = shared.clone();
        if let Some(value) = value {
            shared.insert(plain_name(field), value);
        }
        rows(items, &members, plan, rest, &shared, made);
    }
}

/// One object with the groups nested by their values.
fn nested(items: &Items, indices: &[usize], plan: &Plan, split_by: &[String]) -> JsonObject {
    let Some((field, rest)) = split_by.split_first() else {
        return worked_out(items, indices, plan);
    };
    grouped(items, indices, plan, field)
        .into_iter()
        .map(|(value, members)| {
            let key = value.map_or_else(|| "undefined".to_owned(), |value| values::text(&value));
            (key, Value::Object(nested(items, &members, plan, rest)))
        })
        .collect()
}

/// The groups by the value of `field`, in order of appearance.
fn grouped(items: &Items, indices: &[usize], plan: &Plan, field: &str) -> Vec<(Option<Value>, Vec<usize>)> {
    let mut positions: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<(Option<Value>, Vec<usize>)> = Vec::new();
    for &index in indices {
        let value = items.get(index).and_then(|item| values::get(&item.json, field, plan.dots));
        let value = match value {
            Some(structure @ (Value::Array(_) | Value::Object(_))) => Some(Value::String(values::stringify(structure))),
            other => other.cloned(),
        };
        // A null stands for its own word here, and so it is a group.
        let empty = !value.as_ref().is_some_and(|value| value.is_null() || value.is_number() || values::truthy(value));
        if plan.skip_empty && empty {
            continue;
        }
        let value = if plan.as_text {
            Some(Value::String(value.map_or_else(|| "undefined".to_owned(), |value| values::text(&value))))
        } else {
            value
        };
        let key = values::canonical(value.as_ref());
        let position = *positions.entry(key).or_insert(groups.len());
        match groups.get_mut(position) {
            Some((_, members)) => members.push(index),
            None => groups.push((value, vec![index])),
        }
    }
    groups
}

fn worked_out(items: &Items, indices: &[usize], plan: &Plan) -> JsonObject {
    plan.columns
        .iter()
        .map(|column| {
            let found: Vec<Option<&Value>> =
                indices.iter().map(|index| values::get(&items.get(*index)?.json, &column.field, plan.dots)).collect();
            (column.name(), work_out(column, &found))
        })
        .collect()
}

fn work_out(column: &Column, found: &[Option<&Value>]) -> Value {
    let wanted = found.iter().copied().filter(|value| column.include_empty || !is_empty(*value));
    match column.aggregation {
        Aggregation::Append => wanted.map(|value| value.cloned().unwrap_or_default()).collect(),
        Aggregation::Concatenate => {
            let texts: Vec<String> = wanted.map(joined).collect();
            Value::String(texts.join(&column.separator))
        }
        Aggregation::Count => Value::from(wanted.count()),
        Aggregation::CountUnique => Value::from(count_unique(wanted)),
        Aggregation::Sum => values::number_value(numbers(found).sum()),
        Aggregation::Average => {
            let sum: f64 = numbers(found).sum();
            values::number_value(sum / numbers(found).count() as f64)
        }
        Aggregation::Min => extreme(found, is_less),
        Aggregation::Max => extreme(found, |value, best| is_less(best, value)),
    }
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    }
}

fn joined(value: Option<&Value>) -> String {
    match value {
        None => "undefined".to_owned(),
        Some(value @ (Value::Null | Value::Array(_) | Value::Object(_))) => values::stringify(value),
        Some(value) => values::text(value),
    }
}

fn numbers<'v>(found: &'v [Option<&Value>]) -> impl Iterator<Item = f64> + 'v {
    found.iter().filter_map(|value| value.and_then(Value::as_f64))
}

/// Structures are each their own, as in a JavaScript set.
fn count_unique<'v>(wanted: impl Iterator<Item = Option<&'v Value>>) -> usize {
    let mut seen = HashSet::new();
    let mut structures = 0;
    for value in wanted {
        if value.is_some_and(|value| value.is_array() || value.is_object()) {
            structures += 1;
        } else {
            seen.insert(values::canonical(value));
        }
    }
    seen.len() + structures
}

fn extreme(found: &[Option<&Value>], better: impl Fn(&Value, &Value) -> bool) -> Value {
    let mut best: Option<&Value> = None;
    for value in found.iter().copied().filter(|value| !is_empty(*value)).flatten() {
        if best.is_none_or(|best| better(value, best)) {
            best = Some(value);
        }
    }
    best.cloned().unwrap_or_default()
}

/// JavaScript's `<`: by text between texts, for which structures count too, by number otherwise.
fn is_less(left: &Value, right: &Value) -> bool {
    let plain = |value: &Value| match value {
        Value::Array(_) | Value::Object(_) => Value::String(values::text(value)),
        _ => value.clone(),
    };
    values::less_than(Some(&plain(left)), Some(&plain(right)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Bench, pairs_of};

    fn parameters(columns: Value, split_by: &str, options: Value) -> Value {
        json!({"fieldsToSummarize": {"values": columns}, "fieldsToSplitBy": split_by, "options": options})
    }

    fn sales() -> Value {
        json!([
            {"shop": 1, "seller": {"name": "Ann"}, "price": 10}, {"shop": 2, "seller": {"name": "Bob"}, "price": 4},
            {"shop": 1, "seller": {"name": "Bob"}, "price": null}, {"shop": 1, "seller": {"name": "Ann"}, "price": 2},
        ])
    }

    #[test]
    fn every_aggregation_has_its_own_field() {
        let kinds = ["append", "average", "concatenate", "count", "countUnique", "max", "min", "sum"];
        let columns: Value = kinds.iter().map(|kind| json!({"aggregation": kind, "field": "price"})).collect();
        let mut bench = Bench::new(&Summarize, 1.1, parameters(columns, "", json!({}))).input(sales());
        assert_eq!(
            bench.output(),
            json!([{
                "appended_price": [10, 4, 2], "average_price": 16.0 / 3.0, "concatenated_price": "10,4,2",
                "count_price": 3, "unique_count_price": 3, "max_price": 10, "min_price": 2, "sum_price": 16,
            }])
        );
    }

    #[test]
    fn groups_keep_their_values_from_version_1_1_on() {
        let columns = json!([{"aggregation": "sum", "field": "price"}]);
        let parameters = parameters(columns, "shop, seller.name", json!({}));
        let mut newer = Bench::new(&Summarize, 1.1, parameters.clone()).input(sales());
        assert_eq!(
            newer.output(),
            json!([
                {"shop": 1, "seller_name": "Ann", "sum_price": 12}, {"shop": 1, "seller_name": "Bob", "sum_price": 0},
                {"shop": 2, "seller_name": "Bob", "sum_price": 4},
            ])
        );
        assert_eq!(pairs_of(&newer.run().unwrap()), json!([[{"item": 0}, {"item": 3}], [{"item": 2}], [{"item": 1}]]));
        let older = Bench::new(&Summarize, 1.0, parameters).input(sales()).output();
        assert_eq!(older[0]["shop"], json!("1"));
    }

    #[test]
    fn one_item_can_hold_all_groups() {
        let columns = json!([{"field": "seller.name"}]);
        let mut bench = Bench::new(&Summarize, 1.0, parameters(columns, "shop", json!({"outputFormat": "singleItem"})))
            .input(sales());
        assert_eq!(bench.output(), json!([{"1": {"count_seller_name": 3}, "2": {"count_seller_name": 1}}]));
    }

    #[test]
    fn empty_values_count_only_when_asked() {
        let input = json!([{"a": "x"}, {"a": ""}, {"a": null}, {}]);
        let columns = json!([
            {"field": "a", "includeEmpty": true}, {"aggregation": "countUnique", "field": "a", "includeEmpty": true},
            {"aggregation": "concatenate", "field": "a", "separateBy": "other", "customSeparator": "/"},
        ]);
        let mut bench = Bench::new(&Summarize, 1.1, parameters(columns, "", json!({}))).input(input);
        assert_eq!(bench.output(), json!([{"count_a": 4, "unique_count_a": 4, "concatenated_a": "x"}]));
    }

    #[test]
    fn a_field_that_is_nowhere_fails_or_counts_as_empty() {
        let wanted = parameters(json!([{"field": "x"}]), "", json!({}));
        let failure = Bench::new(&Summarize, 1.0, wanted.clone()).input(sales()).failure();
        assert_eq!(failure, "no item has the field 'x'");
        let mut newer = Bench::new(&Summarize, 1.1, wanted).input(sales());
        assert_eq!(newer.output(), json!([{"count_x": 0}]));
        assert_eq!(newer.run().unwrap().hints, ["no item has the field 'x'"]);
    }

    #[test]
    fn items_without_a_group_are_left_out_when_asked() {
        let wanted = parameters(json!([{"field": "n"}]), "g", json!({"skipEmptySplitFields": true}));
        let input = json!([{"g": 0, "n": 1}, {"g": "", "n": 1}, {"n": 1}, {"g": null, "n": 1}]);
        let mut bench = Bench::new(&Summarize, 1.1, wanted).input(input);
        assert_eq!(bench.output(), json!([{"g": 0, "count_n": 1}, {"g": null, "count_n": 1}]));
    }

    #[test]
    fn lists_are_compared_by_their_text() {
        let columns = json!([{"aggregation": "max", "field": "t"}, {"aggregation": "min", "field": "t"}]);
        let mut bench = Bench::new(&Summarize, 1.1, parameters(columns, "", json!({})))
            .input(json!([{"t": ["b", 1]}, {"t": "c"}, {"t": ["a"]}]));
        assert_eq!(bench.output(), json!([{"max_t": "c", "min_t": ["a"]}]));
    }
}
