//! Aggregate: many items become one that holds their values in lists.

use std::collections::BTreeMap;

use serde_json::Value;
use timeloom_domain::catalogue::{Condition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{BinaryData, Item, Items, JsonObject, PairedItem};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use super::Dialect;
use super::fields::{NO_DOTS, dots, field_not_found, group_flag, group_text, groups, name_list, not_found_hint};
use crate::describe::{ONE_TO_ONE, choice, collection, is, list, many, on, options, palette, switch, text, told};
use crate::values;

pub(super) const AGGREGATE: ParameterDefinition = options(
    "aggregate",
    &[
        told("aggregateIndividualFields", "Individual fields", "The values of a field become a list."),
        told("aggregateAllItemData", "All item data (into a single list)", "Whole items become a list."),
    ],
    "Whether fields become lists, or whole items one list.",
)
.or_text("aggregateIndividualFields");

const FIELDS: &[Condition] = &[is("aggregate", &["aggregateIndividualFields"])];
const ITEMS: &[Condition] = &[is("aggregate", &["aggregateAllItemData"])];

pub(super) const FIELDS_TO_AGGREGATE: ParameterDefinition = list(
    "fieldsToAggregate",
    &[many(
        "fieldToAggregate",
        "Field",
        &[
            text("fieldToAggregate", "Name of the field.").called("Input field name").like("id"),
            switch("renameField", "Whether the list has another name than the field.").or_false(),
            text("outputFieldName", "Name of the list.").when(&[on("renameField")]).or_text(""),
        ],
    )],
    "Fields, and the names of their lists.",
)
.when(FIELDS);
pub(super) const DESTINATION: ParameterDefinition =
    text("destinationFieldName", "Field that gets the list.").called("Put output in field").or_text("data").when(ITEMS);
pub(super) const INCLUDE: ParameterDefinition = options(
    "include",
    &[
        choice("allFields", "All fields"),
        choice("specifiedFields", "Specified fields"),
        choice("allFieldsExcept", "All fields except"),
    ],
    "Which fields of whole items to keep.",
)
.or_text("allFields")
.when(ITEMS);
pub(super) const FIELDS_TO_INCLUDE: ParameterDefinition =
    text("fieldsToInclude", "Fields to keep, with commas between.")
        .like("email, name")
        .when(&[is("include", &["specifiedFields"])]);
pub(super) const FIELDS_TO_EXCLUDE: ParameterDefinition =
    text("fieldsToExclude", "Fields to leave out, with commas between.")
        .like("email, name")
        .when(&[is("include", &["allFieldsExcept"])]);

const ONE_BY_ONE: &[Condition] = &[is("/aggregate", &["aggregateIndividualFields"])];
pub(super) const OPTIONS: &[ParameterDefinition] = &[
    NO_DOTS.when(ONE_BY_ONE),
    switch("mergeLists", "Whether lists in a field become one list.").or_false().when(ONE_BY_ONE),
    switch("keepMissing", "Whether null stands for values that are missing.")
        .called("Keep missing and null values")
        .or_false()
        .when(ONE_BY_ONE),
    switch("includeBinaries", "Whether attachments are kept.").or_false(),
    switch("keepOnlyUnique", "Whether of attachments that are alike one is kept.")
        .called("Keep only unique binaries")
        .or_false()
        .when(&[on("includeBinaries")]),
];

const PARAMETERS: &[ParameterDefinition] = &[
    AGGREGATE,
    FIELDS_TO_AGGREGATE,
    DESTINATION,
    INCLUDE,
    FIELDS_TO_INCLUDE,
    FIELDS_TO_EXCLUDE,
    collection("options", OPTIONS, "What else to decide."),
];

/// Aggregate.
pub(crate) struct Aggregate;

impl NodeType for Aggregate {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.aggregate",
            display_name: "Aggregate",
            description: "Combines the values of many items into lists in one item.",
            versions: &[1.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Data, "group", &["combine", "list", "array", "collect"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Aggregate {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        aggregate(run, Dialect::NODE)
    }
}

/// The operation.
pub(super) fn aggregate(run: &mut NodeRun<'_>, dialect: Dialect) -> Result<NodeOutput, NodeError> {
    let (mut combined, hints) = match run.text("aggregate", 0, "aggregateIndividualFields")?.as_str() {
        "aggregateAllItemData" => (whole_items(run)?, Vec::new()),
        _ => individual_fields(run, dialect)?,
    };
    if run.boolean("options.includeBinaries", 0, false)? {
        let unique = run.boolean("options.keepOnlyUnique", 0, false)?;
        combined.binary = attachments(&run.items(), unique);
    }
    Ok(NodeOutput { outputs: vec![vec![combined]], hints, ..NodeOutput::default() })
}

/// The note that an item was made from these items.
pub(super) fn made_from(indices: impl IntoIterator<Item = usize>) -> PairedItem {
    PairedItem::Many(indices.into_iter().map(PairedItem::index).collect())
}

struct Lists {
    dots: bool,
    merge: bool,
    keep_missing: bool,
}

fn individual_fields(run: &mut NodeRun<'_>, dialect: Dialect) -> Result<(Item, Vec<String>), NodeError> {
    let items = run.items();
    let wanted = groups(run, "fieldsToAggregate.fieldToAggregate", 0)?;
    if wanted.is_empty() {
        return Err(NodeError::operation("there is no field to aggregate: name at least one"));
    }
    let how = Lists {
        dots: dots(run)?,
        merge: run.boolean("options.mergeLists", 0, false)?,
        keep_missing: run.boolean("options.keepMissing", 0, false)?,
    };
    let mut lists: Vec<(String, Vec<Value>)> = Vec::new();
    let mut hints = Vec::new();
    for group in &wanted {
        let field = group_text(group, "fieldToAggregate", "");
        if field.is_empty() {
            continue;
        }
        if !items.iter().any(|item| values::has(&item.json, &field, how.dots)) {
            if dialect.missing_field_fails && !how.keep_missing {
                return Err(field_not_found(&field, how.dots));
            }
            hints.push(not_found_hint(&field));
        }
        let name = output_name(group, &field, how.dots);
        if lists.iter().any(|(other, _)| *other == name) {
            let error = NodeError::operation(format!("two lists would be named '{name}': rename one"));
            return Err(error.described("each field of the result holds one list"));
        }
        lists.push((name, list_of(&items, &field, &how)));
    }
    let mut json = JsonObject::new();
    for (name, list) in lists {
        values::set(&mut json, &name, Value::Array(list), how.dots);
    }
    let item = Item { paired_item: Some(made_from(0..items.len())), ..Item::new(json) };
    Ok((item, hints))
}

fn output_name(group: &JsonObject, field: &str, dots: bool) -> String {
    let chosen = group_text(group, "outputFieldName", "");
    if group_flag(group, "renameField") && !chosen.is_empty() {
        return chosen;
    }
    match field.rsplit_once('.') {
        Some((_, last)) if dots => last.to_owned(),
        _ => field.to_owned(),
    }
}

fn list_of(items: &Items, field: &str, how: &Lists) -> Vec<Value> {
    let mut list = Vec::new();
    for item in items.iter() {
        match values::get(&item.json, field, how.dots) {
            None | Some(Value::Null) => {
                if how.keep_missing {
                    list.push(Value::Null);
                }
            }
            Some(Value::Array(elements)) => {
                let kept = elements.iter().filter(|element| how.keep_missing || !element.is_null()).cloned();
                if how.merge {
                    list.extend(kept);
                } else {
                    list.push(kept.collect());
                }
            }
            Some(value) => list.push(value.clone()),
        }
    }
    list
}

fn whole_items(run: &mut NodeRun<'_>) -> Result<Item, NodeError> {
    let items = run.items();
    let name = run.text("destinationFieldName", 0, "data")?;
    if name.is_empty() {
        return Err(NodeError::operation("the list has no name: name its field"));
    }
    let include = run.text("include", 0, "allFields")?;
    let keep: Box<dyn Fn(&str) -> bool> = match include.as_str() {
        "specifiedFields" => {
            let fields = name_list(run, "fieldsToInclude", 0)?;
            Box::new(move |key| fields.iter().any(|field| field == key))
        }
        "allFieldsExcept" => {
            let fields = name_list(run, "fieldsToExclude", 0)?;
            Box::new(move |key| !fields.iter().any(|field| field == key))
        }
        _ => Box::new(|_| true),
    };
    let filtered = include != "allFields";
    let mut list = Vec::new();
    let mut sources = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let fields: JsonObject =
            item.json.iter().filter(|(key, _)| keep(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
        if !(filtered && fields.is_empty()) {
            list.push(Value::Object(fields));
            sources.push(index);
        }
    }
    let json = JsonObject::from_iter([(name, Value::Array(list))]);
    Ok(Item { paired_item: Some(made_from(sources)), ..Item::new(json) })
}

/// All attachments in one map; names that occur again get a number. With `unique`, equal contents count once.
fn attachments(items: &Items, unique: bool) -> Option<BTreeMap<String, BinaryData>> {
    let mut all: BTreeMap<String, BinaryData> = BTreeMap::new();
    for (name, data) in items.iter().filter_map(|item| item.binary.as_ref()).flatten() {
        let same = |other: &BinaryData| {
            other.mime_type == data.mime_type
                && other.file_name == data.file_name
                && other.data == data.data
                && other.id == data.id
        };
        if unique && all.values().any(same) {
            continue;
        }
        let free = std::iter::once(name.clone()).chain((1..).map(|number| format!("{name}_{number}")));
        if let Some(name) = free.into_iter().find(|name| !all.contains_key(name)) {
            all.insert(name, data.clone());
        }
    }
    (!all.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Bench, pairs_of};

    fn fields(fields: Value, options: Value) -> Value {
        json!({"fieldsToAggregate": {"fieldToAggregate": fields}, "options": options})
    }

    #[test]
    fn fields_become_lists() {
        let parameters = fields(
            json!([
                {"fieldToAggregate": "user.mail"},
                {"fieldToAggregate": "id", "renameField": true, "outputFieldName": "ids"},
            ]),
            json!({}),
        );
        let mut bench = Bench::new(&Aggregate, 1.0, parameters)
            .input(json!([{"id": 1, "user": {"mail": "a"}}, {"id": 2, "user": {"mail": null}}, {"id": 3}]));
        assert_eq!(bench.output(), json!([{"mail": ["a"], "ids": [1, 2, 3]}]));
        assert_eq!(pairs_of(&bench.run().unwrap()), json!([[{"item": 0}, {"item": 1}, {"item": 2}]]));
    }

    #[test]
    fn lists_merge_and_missing_values_stay_when_asked() {
        let input = json!([{"t": ["x", null]}, {}, {"t": ["y"]}]);
        let wanted = json!([{"fieldToAggregate": "t"}]);
        let plain = Bench::new(&Aggregate, 1.0, fields(wanted.clone(), json!({}))).input(input.clone()).output();
        assert_eq!(plain, json!([{"t": [["x"], ["y"]]}]));
        let options = json!({"mergeLists": true, "keepMissing": true});
        let merged = Bench::new(&Aggregate, 1.0, fields(wanted, options)).input(input).output();
        assert_eq!(merged, json!([{"t": ["x", null, null, "y"]}]));
    }

    #[test]
    fn one_output_name_cannot_serve_two_fields() {
        let wanted = json!([{"fieldToAggregate": "a.x"}, {"fieldToAggregate": "b.x"}]);
        let mut bench = Bench::new(&Aggregate, 1.0, fields(wanted, json!({}))).input(json!([{"a": {"x": 1}}]));
        assert_eq!(bench.failure(), "two lists would be named 'x': rename one");
        assert!(Bench::new(&Aggregate, 1.0, json!({})).input(json!([{}])).failure().contains("no field to aggregate"));
    }

    #[test]
    fn whole_items_become_one_list() {
        let input = json!([{"a": 1, "b": 2}, {"b": 3}]);
        let all = json!({"aggregate": "aggregateAllItemData"});
        let mut bench = Bench::new(&Aggregate, 1.0, all).input(input.clone());
        assert_eq!(bench.output(), json!([{"data": [{"a": 1, "b": 2}, {"b": 3}]}]));
        let some = json!({
            "aggregate": "aggregateAllItemData", "destinationFieldName": "rows", "include": "specifiedFields",
            "fieldsToInclude": "a",
        });
        let mut bench = Bench::new(&Aggregate, 1.0, some).input(input);
        assert_eq!(bench.output(), json!([{"rows": [{"a": 1}]}]));
        assert_eq!(pairs_of(&bench.run().unwrap()), json!([[{"item": 0}]]));
    }

    #[test]
    fn attachments_come_along_when_asked() {
        let parameters = json!({"aggregate": "aggregateAllItemData", "options": {"includeBinaries": true}});
        let file = json!({"data": "eA==", "mimeType": "text/plain"});
        let mut bench = Bench::new(&Aggregate, 1.0, parameters)
            .input(json!([{"json": {}, "binary": {"f": file}}, {"json": {}, "binary": {"f": file}}]));
        let output = bench.run().unwrap();
        let names: Vec<&String> = output.outputs[0][0].binary.as_ref().unwrap().keys().collect();
        assert_eq!(names, ["f", "f_1"]);
    }
}
