//! Split Out: one item for each element of a list in an item.

use serde_json::{Value, json};
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};

use super::Dialect;
use super::fields::{NO_DOTS, field_not_found, name_list, not_found_hint, without};
use crate::describe::{ONE_TO_ONE, choice, collection, is, options, palette, switch, text};
use crate::values;

pub(super) const INCLUDE: ParameterDefinition = options(
    "include",
    &[
        choice("noOtherFields", "No other fields"),
        choice("allOtherFields", "All other fields"),
        choice("selectedOtherFields", "Selected other fields"),
    ],
    "Which other fields each item gets.",
)
.or_text("noOtherFields");
pub(super) const FIELDS_TO_INCLUDE: ParameterDefinition =
    text("fieldsToInclude", "The other fields, with commas between.")
        .called("Fields to include")
        .like("email, name")
        .when(&[is("include", &["selectedOtherFields"])]);
pub(super) const DESTINATION: ParameterDefinition =
    text("destinationFieldName", "Fields for the elements, with commas between; those of the lists when empty.")
        .like("email");

const PARAMETERS: &[ParameterDefinition] = &[
    text("fieldToSplitOut", "Fields whose lists become items, with commas between.")
        .called("Fields to split out")
        .like("items")
        .needed(),
    INCLUDE,
    FIELDS_TO_INCLUDE,
    collection(
        "options",
        &[NO_DOTS, DESTINATION, switch("includeBinary", "Whether each item gets the attachments.").or_false()],
        "What else to decide.",
    ),
];

/// Split Out.
pub(crate) struct SplitOut;

impl NodeType for SplitOut {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.splitOut",
            display_name: "Split Out",
            description: "Makes one item of each element of a list.",
            versions: &[1.0],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Data, "ungroup", &["array", "list", "flatten", "explode", "unnest"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for SplitOut {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        split_out(run, Dialect::NODE)
    }
}

/// What the author asks for one item.
struct Plan {
    fields: Vec<String>,
    destinations: Vec<String>,
    include: Include,
    dots: bool,
    binary: bool,
}

enum Include {
    Nothing,
    All,
    Selected(Vec<String>),
}

impl Plan {
    fn read(run: &mut NodeRun<'_>, item: usize, dialect: Dialect) -> Result<Self, NodeError> {
        let field = run.text("fieldToSplitOut", item, "")?;
        let fields: Vec<String> = if dialect.splits_many_fields {
            let names = field.split(',').map(|name| name.trim().trim_start_matches("$json."));
            names.map(str::to_owned).collect()
        } else {
            vec![field.clone()]
        };
        if fields.iter().any(String::is_empty) {
            return Err(NodeError::operation("there is no field to split out: name it"));
        }
        let destinations = if dialect.splits_many_fields {
            name_list(run, "options.destinationFieldName", item)?
        } else {
            let name = run.text("options.destinationFieldName", item, "")?;
            if name.is_empty() { Vec::new() } else { vec![name] }
        };
        if !destinations.is_empty() && destinations.len() != fields.len() {
            return Err(NodeError::operation("name as many destination fields as fields to split out, or none"));
        }
        let include = match run.text("include", item, "noOtherFields")?.as_str() {
            "allOtherFields" => Include::All,
            "selectedOtherFields" => {
                let selected = name_list(run, "fieldsToInclude", item)?;
                if selected.is_empty() {
                    return Err(NodeError::operation("there is no other field to include: name at least one"));
                }
                Include::Selected(selected)
            }
            _ => Include::Nothing,
        };
        let dots = !run.boolean("options.disableDotNotation", item, false)?;
        let binary = run.boolean("options.includeBinary", item, false)?;
        Ok(Self { fields, destinations, include, dots, binary })
    }

    /// The name under which an element of field `position` is put.
    fn name(&self, position: usize) -> &str {
        self.destinations.get(position).or_else(|| self.fields.get(position)).map_or("", String::as_str)
    }
}

/// The operation.
pub(super) fn split_out(run: &mut NodeRun<'_>, dialect: Dialect) -> Result<NodeOutput, NodeError> {
    let items = run.items();
    let mut made = Vec::new();
    let mut missing: Vec<(String, usize)> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let plan = Plan::read(run, index, dialect).map_err(|error| error.at_item(index))?;
        let mut parts: Vec<Item> = Vec::new();
        for (position, field) in plan.fields.iter().enumerate() {
            match elements(item, field, &plan, dialect).map_err(|error| error.at_item(index))? {
                Some(elements) => place(&mut parts, elements, position, &plan),
                None => match missing.iter_mut().find(|(name, _)| name == field) {
                    Some((_, count)) => *count += 1,
                    None => missing.push((field.clone(), 1)),
                },
            }
        }
        made.extend(parts.into_iter().map(|part| finish(part, item, &plan).paired_with(index)));
    }
    let nowhere = missing.iter().filter(|(_, count)| *count == items.len());
    let hints = nowhere.map(|(field, _)| not_found_hint(field)).collect();
    Ok(NodeOutput { outputs: vec![made], hints, ..NodeOutput::default() })
}

/// The elements of a field; `None` where the item lacks it.
fn elements(item: &Item, field: &str, plan: &Plan, dialect: Dialect) -> Result<Option<Vec<Value>>, NodeError> {
    if field == "$binary" {
        let attachments = item.binary.iter().flatten();
        return Ok(Some(attachments.map(|(name, data)| json!({"$binary": name, "data": data})).collect()));
    }
    match values::get(&item.json, field, plan.dots) {
        None if dialect.missing_field_fails => Err(field_not_found(field, plan.dots)),
        None => Ok(None),
        Some(Value::Array(elements)) => Ok(Some(elements.clone())),
        Some(Value::Object(fields)) => Ok(Some(fields.values().cloned().collect())),
        Some(other) if dialect.splits_single_values => Ok(Some(vec![other.clone()])),
        Some(_) => Err(NodeError::operation(format!(
            "the field '{field}' is neither a list nor an object: split out another one"
        ))),
    }
}

/// Puts the elements of one field into the parts, each at its position.
fn place(parts: &mut Vec<Item>, elements: Vec<Value>, position: usize, plan: &Plan) {
    for (index, element) in elements.into_iter().enumerate() {
        if parts.len() <= index {
            parts.push(Item::default());
        }
        let Some(part) = parts.get_mut(index) else { continue };
        if plan.fields.get(position).is_some_and(|field| field == "$binary") {
            let name = element.get("$binary").and_then(Value::as_str).unwrap_or_default().to_owned();
            let data = element.get("data").cloned().unwrap_or_default();
            if let Ok(data) = serde_json::from_value(data) {
                part.binary.get_or_insert_default().insert(name, data);
            }
            continue;
        }
        let spread = matches!(plan.include, Include::Nothing) && plan.destinations.is_empty() && plan.fields.len() == 1;
        match element {
            Value::Object(fields) if spread => part.json.extend(fields),
            // A list inside the list spreads by index, as in JavaScript.
            Value::Array(inner) if spread => {
                part.json.extend(inner.into_iter().enumerate().map(|(index, value)| (index.to_string(), value)));
            }
            other => {
                part.json.insert(plan.name(position).to_owned(), other);
            }
        }
    }
}

/// Adds the other fields that the author wants.
fn finish(part: Item, source: &Item, plan: &Plan) -> Item {
    let json = match &plan.include {
        Include::Nothing => part.json,
        Include::All => {
            let mut json = without(&source.json, &plan.fields, plan.dots);
            json.extend(part.json);
            json.into()
        }
        Include::Selected(selected) => {
            let mut json = JsonObject::new();
            let in_the_way = |field: &&String| plan.destinations.is_empty() && plan.fields.contains(field);
            for field in selected.iter().filter(|field| !in_the_way(field)) {
                if let Some(value) = values::get(&source.json, field, plan.dots) {
                    json.insert(field.clone(), value.clone());
                }
            }
            json.extend(part.json);
            json.into()
        }
    };
    let binary = part.binary.or_else(|| source.binary.clone().filter(|_| plan.binary));
    Item { json, binary, ..Item::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Bench, pairs_of};

    fn split(parameters: Value, input: Value) -> Value {
        Bench::new(&SplitOut, 1.0, parameters).input(input).output()
    }

    #[test]
    fn objects_in_the_list_become_items() {
        let mut bench = Bench::new(&SplitOut, 1.0, json!({"fieldToSplitOut": "list"}))
            .input(json!([{"list": [{"n": 1}, {"n": 2}]}, {"list": [{"n": 3}]}]));
        assert_eq!(bench.output(), json!([{"n": 1}, {"n": 2}, {"n": 3}]));
        assert_eq!(pairs_of(&bench.run().unwrap()), json!([{"item": 0}, {"item": 0}, {"item": 1}]));
    }

    #[test]
    fn values_keep_the_name_of_the_field() {
        let input = json!([{"tags": ["x", "y"], "single": 5, "by": {"a": 1, "b": 2}}]);
        assert_eq!(split(json!({"fieldToSplitOut": "tags"}), input.clone()), json!([{"tags": "x"}, {"tags": "y"}]));
        assert_eq!(split(json!({"fieldToSplitOut": "single"}), input.clone()), json!([{"single": 5}]));
        assert_eq!(split(json!({"fieldToSplitOut": "by"}), input), json!([{"by": 1}, {"by": 2}]));
    }

    #[test]
    fn other_fields_come_along_when_asked() {
        let input = json!([{"a": {"list": [1, 2]}, "id": 7, "name": "n"}]);
        let all =
            json!({"fieldToSplitOut": "a.list", "include": "allOtherFields", "options": {"destinationFieldName": "x"}});
        assert_eq!(
            split(all, input.clone()),
            json!([{"a": {}, "id": 7, "name": "n", "x": 1}, {"a": {}, "id": 7, "name": "n", "x": 2}])
        );
        let some = json!({"fieldToSplitOut": "a.list", "include": "selectedOtherFields", "fieldsToInclude": "id"});
        assert_eq!(split(some, input), json!([{"id": 7, "a.list": 1}, {"id": 7, "a.list": 2}]));
    }

    #[test]
    fn a_list_can_come_along_with_its_elements_under_another_name() {
        let parameters = json!({
            "fieldToSplitOut": "t", "include": "selectedOtherFields", "fieldsToInclude": "t",
            "options": {"destinationFieldName": "one"},
        });
        assert_eq!(
            split(parameters, json!([{"t": [1, 2]}])),
            json!([{"t": [1, 2], "one": 1}, {"t": [1, 2], "one": 2}])
        );
    }

    #[test]
    fn several_lists_are_split_side_by_side() {
        let parameters = json!({"fieldToSplitOut": "a, b"});
        assert_eq!(
            split(parameters, json!([{"a": [1, 2], "b": [{"n": 3}]}])),
            json!([{"a": 1, "b": {"n": 3}}, {"a": 2}])
        );
        let mut uneven =
            Bench::new(&SplitOut, 1.0, json!({"fieldToSplitOut": "a, b", "options": {"destinationFieldName": "x"}}))
                .input(json!([{"a": [1]}]));
        assert!(uneven.failure().contains("as many destination fields"));
    }

    #[test]
    fn a_field_that_is_nowhere_gives_a_hint() {
        let mut bench = Bench::new(&SplitOut, 1.0, json!({"fieldToSplitOut": "x"})).input(json!([{"a": 1}]));
        let output = bench.run().unwrap();
        assert!(output.outputs[0].is_empty());
        assert_eq!(output.hints, ["no item has the field 'x'"]);
    }
}
