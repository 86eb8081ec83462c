//! The items that a called workflow gets: those of the node, with the fields that the node sets for it.

use std::collections::HashSet;

use serde_json::Value;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{NodeError, NodeRun};

use crate::values;

/// The version from which on a node has fields for the workflow that it calls.
const MAPPED_SINCE: f64 = 1.2;

/// A field that the called workflow asks for.
struct Field<'a> {
    id: &'a str,
    kind: &'a str,
    is_removed: bool,
}

/// How values are brought into the kinds of their fields.
#[derive(Clone, Copy)]
struct Conversion {
    to_kinds: bool,
    to_text: bool,
}

/// The items for the called workflow.
pub(super) fn items(run: &mut NodeRun<'_>) -> Result<Vec<Item>, NodeError> {
    let given = run.items();
    let Some(mapper) = run.raw_parameter("workflowInputs").filter(|_| run.version() >= MAPPED_SINCE).cloned() else {
        return Ok(given.to_vec());
    };
    let fields = fields(&mapper);
    let removed: HashSet<&str> = fields.iter().filter(|field| field.is_removed).map(|field| field.id).collect();
    let switch = |name: &str| mapper.get(name).and_then(Value::as_bool).unwrap_or(false);
    let conversion = Conversion { to_kinds: switch("attemptToConvertTypes"), to_text: switch("convertFieldsToString") };
    let set = run.parameter_for_items("workflowInputs.value");
    let mut items = Vec::with_capacity(given.len());
    for (index, (item, set)) in given.iter().zip(set).enumerate() {
        let mut item = item.clone();
        if let Some(Value::Object(set)) = set? {
            item.json.extend(converted(set, &fields, conversion).map_err(|error| error.at_item(index))?);
        }
        item.json.retain(|name, _| !removed.contains(name.as_str()));
        items.push(item);
    }
    Ok(items)
}

fn fields(mapper: &Value) -> Vec<Field<'_>> {
    let entries = mapper.get("schema").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    entries.iter().filter_map(field_of).collect()
}

fn field_of(entry: &Value) -> Option<Field<'_>> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let is_removed = entry.get("removed").and_then(Value::as_bool).unwrap_or(false);
    Some(Field { id: text("id")?, kind: text("type").unwrap_or("any"), is_removed })
}

fn converted(set: JsonObject, fields: &[Field<'_>], conversion: Conversion) -> Result<JsonObject, NodeError> {
    let convert = |(name, value): (String, Value)| {
        let kind = fields.iter().find(|field| field.id == name).map_or("any", |field| field.kind);
        let value = if value.is_null() { value } else { convert(&name, value, kind, conversion)? };
        Ok((name, value))
    };
    set.into_iter().map(convert).collect()
}

fn convert(name: &str, value: Value, kind: &str, conversion: Conversion) -> Result<Value, NodeError> {
    let fits = match kind {
        "string" => value.is_string() || !conversion.to_text,
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    if fits {
        return Ok(value);
    }
    let converted = match (kind, &value) {
        ("string", Value::Array(_) | Value::Object(_)) => Some(Value::String(value.to_string())),
        ("string", other) => Some(Value::String(values::text(other))),
        _ if !conversion.to_kinds => None,
        ("number", Value::String(text)) => {
            text.trim().parse().ok().filter(|number: &f64| number.is_finite()).map(values::number_value)
        }
        ("number", Value::Bool(flag)) => Some(Value::from(i32::from(*flag))),
        ("boolean", Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        ("boolean", Value::Number(number)) => match number.as_f64() {
            Some(1.0) => Some(Value::Bool(true)),
            Some(0.0) => Some(Value::Bool(false)),
            _ => None,
        },
        ("array", Value::String(text)) => serde_json::from_str(text).ok().filter(Value::is_array),
        ("object", Value::String(text)) => serde_json::from_str(text).ok().filter(Value::is_object),
        _ => None,
    };
    converted.ok_or_else(|| {
        NodeError::operation(format!("the field '{name}' expects a value of the kind '{kind}' and got {value}"))
            .described("change the value, or let the node convert types")
    })
}
