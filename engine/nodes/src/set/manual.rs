//! Fields one by one, each with a name, a type and a value.

use serde_json::Value;
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{NodeError, NodeRun};

use super::{Fields, raw};
use crate::conversion::{self, Converted, Kind, convert};
use crate::values;

/// One field as the author defined it.
struct Entry {
    name: Value,
    kind_name: String,
    /// The value with its expressions.
    value: Value,
}

/// The new fields of every item.
pub(super) fn fields(run: &mut NodeRun<'_>) -> Vec<Fields> {
    let count = run.scope.items.len();
    let mut made: Vec<Fields> = vec![Ok(JsonObject::new()); count];
    let lenient = lenient(run);
    for entry in entries(run) {
        let names = run.resolve_for_items(&entry.name);
        let values = resolve_value(run, &entry);
        for (index, (name, value)) in names.into_iter().zip(values).enumerate() {
            let Ok(fields) = &mut made[index] else { continue };
            let field = name.and_then(|name| {
                let name = name.as_ref().map_or_else(|| "undefined".to_owned(), values::text);
                let value = typed(run, &name, &entry, value?, index, lenient[index])?;
                Ok((name, value))
            });
            match field {
                Ok((name, value)) => {
                    fields.insert(name, value);
                }
                Err(error) => made[index] = Err(error),
            }
        }
    }
    made
}

/// The entries in the shape of the node's version.
fn entries(run: &NodeRun<'_>) -> Vec<Entry> {
    let since_assignments = run.version() >= 3.3;
    let path = if since_assignments { "assignments.assignments" } else { "fields.values" };
    let written = run.raw_parameter(path).and_then(Value::as_array).cloned().unwrap_or_default();
    written
        .into_iter()
        .map(|entry| {
            let kind_name = entry.get("type").and_then(Value::as_str);
            let kind_name =
                if since_assignments { kind_name } else { kind_name.map(|name| name.trim_end_matches("Value")) };
            let kind_name = kind_name.unwrap_or("string").to_owned();
            let value = if since_assignments {
                entry.get("value").cloned()
            } else {
                entry.get(format!("{kind_name}Value")).cloned()
            };
            Entry {
                name: entry.get("name").cloned().unwrap_or_else(|| Value::String(String::new())),
                value: value.unwrap_or_else(|| default_value(&kind_name)),
                kind_name,
            }
        })
        .collect()
}

/// The value of an entry that has none.
fn default_value(kind_name: &str) -> Value {
    match kind_name {
        "boolean" => Value::String("true".to_owned()),
        "object" => Value::String("={}".to_owned()),
        _ => Value::String(String::new()),
    }
}

/// Whether values that cannot be converted are kept as they are, by item.
fn lenient(run: &mut NodeRun<'_>) -> Vec<bool> {
    let options = run.parameter_for_items("options.ignoreConversionErrors");
    options.into_iter().map(|option| matches!(option, Ok(Some(option)) if values::truthy(&option))).collect()
}

/// The entry's value for every item. Before version 3.3 the JSON of an object may have expressions in the middle of it.
fn resolve_value(run: &mut NodeRun<'_>, entry: &Entry) -> Vec<Result<Option<Value>, NodeError>> {
    match entry.value.as_str() {
        Some(text) if run.version() < 3.3 && entry.kind_name == "object" && text.starts_with('=') => {
            raw::resolve_text(run, text)
        }
        _ => run.resolve_for_items(&entry.value),
    }
}

/// `value` as the entry's type.
fn typed(
    run: &NodeRun<'_>,
    name: &str,
    entry: &Entry,
    value: Option<Value>,
    index: usize,
    lenient: bool,
) -> Result<Value, NodeError> {
    let version = run.version();
    let kind = Kind::from_name(&entry.kind_name);
    let value = match value {
        None | Some(Value::Null) if version >= 3.2 => return Ok(Value::Null),
        None | Some(Value::Null) if kind == Kind::Text && version > 3.0 => {
            return if lenient { Ok(Value::Null) } else { Err(mismatch(name, kind, value.as_ref(), index)) };
        }
        None if kind == Kind::Text => Value::String("undefined".to_owned()),
        None => return Ok(Value::Null),
        Some(Value::Null) if kind == Kind::Text => Value::String("null".to_owned()),
        Some(value) => value,
    };
    match convert(&value, kind, false, run.scope.timezone) {
        Some(Converted::Json(converted)) => Ok(converted),
        // A date stays in the form in which it was given.
        Some(Converted::Moment(_)) => Ok(value),
        None if lenient => Ok(value),
        None => Err(mismatch(name, kind, Some(&value), index)),
    }
}

fn mismatch(name: &str, kind: Kind, found: Option<&Value>, index: usize) -> NodeError {
    let wanted = kind.described();
    let found = conversion::describe(found);
    NodeError::operation(format!("field '{name}' expects {wanted} but got {found} [item {index}]"))
        .described(format!("change the type of '{name}', or turn on 'Ignore Type Conversion Errors'"))
        .at_item(index)
}
