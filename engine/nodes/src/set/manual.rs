//! Fields one by one, each with a name, a type and a value.

use serde_json::Value;
use timeloom_engine::node::{NodeError, NodeRun};

use super::raw;
use crate::conversion::{self, Converted, Kind, convert};
use crate::each::{self, Each};
use crate::values;

/// One field as the author defined it.
struct Entry {
    name: Value,
    kind_name: String,
    /// The value with its expressions.
    value: Value,
}

/// One new field of every item.
pub(super) struct Column {
    names: Each<Result<String, NodeError>>,
    /// By item; what was taken is null. An error is seldom, and large.
    values: Vec<Result<Value, Box<NodeError>>>,
}

impl Column {
    /// Why item `index` does not have it.
    pub(super) fn failure(&self, index: usize) -> Option<&NodeError> {
        let unnamed = self.names.get(index).and_then(|name| name.as_ref().err());
        unnamed.or_else(|| self.values.get(index)?.as_ref().err().map(|error| &**error))
    }

    /// Takes name and value of item `index`.
    pub(super) fn take(&mut self, index: usize) -> Option<(String, Value)> {
        let name = self.names.get(index)?.as_ref().ok()?.clone();
        Some((name, std::mem::take(self.values.get_mut(index)?.as_mut().ok()?)))
    }
}

/// The new fields, in order.
pub(super) fn columns(run: &mut NodeRun<'_>) -> Vec<Column> {
    let lenient = lenient(run);
    entries(run).iter().map(|entry| column(run, entry, &lenient)).collect()
}

fn column(run: &mut NodeRun<'_>, entry: &Entry, lenient: &Each<bool>) -> Column {
    let text = |name: Option<Value>| name.as_ref().map_or_else(|| "undefined".to_owned(), values::text);
    let names = each::resolved(run, &entry.name).map(|_, name| name.map(text));
    let resolved = resolve_value(run, entry);
    let value = |(index, value): (usize, each::Given)| {
        let Some(Ok(name)) = names.get(index) else { return Ok(Value::Null) };
        let is_lenient = lenient.get(index).is_some_and(|lenient| *lenient);
        typed(run, name, entry, value?, index, is_lenient).map_err(Box::new)
    };
    let values = resolved.into_iter().enumerate().map(value).collect();
    Column { names, values }
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
fn lenient(run: &mut NodeRun<'_>) -> Each<bool> {
    let options = each::parameter(run, "options.ignoreConversionErrors");
    options.map(|_, option| matches!(option, Ok(Some(option)) if values::truthy(&option)))
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
