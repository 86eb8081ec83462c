//! Versions 1 and 2: values by type, set one after another.

use serde_json::Value;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{NodeError, NodeRun};

use crate::values;

/// The types, in the order in which their values are set.
const KINDS: [&str; 3] = ["boolean", "number", "string"];

/// The items that the node gives.
pub(super) fn run(run: &mut NodeRun<'_>) -> Result<Vec<Item>, NodeError> {
    let version = run.version();
    let written = run.raw_parameter("values").cloned();
    let new_values = run.parameter_for_items("values");
    let only_set = run.parameter_for_items("keepOnlySet");
    let dots = run.parameter_for_items("options.dotNotation");
    let plans = new_values.into_iter().zip(only_set).zip(dots).map(|((new_values, only_set), dots)| {
        let only_set = only_set?.is_some_and(|only| only == Value::Bool(true));
        let dots = dots? != Some(Value::Bool(false));
        Ok((new_values?, only_set, dots))
    });
    let plans: Vec<_> = plans.collect::<Result<_, NodeError>>()?;
    let mut output = Vec::with_capacity(plans.len());
    for (index, (item, (new_values, only_set, dots))) in run.take_items().into_iter().zip(plans).enumerate() {
        let mut made = if only_set { Item::new(JsonObject::new()) } else { item };
        if let Some(new_values) = new_values {
            set_all(&mut made.json, &new_values, written.as_ref(), dots, version);
        }
        output.push(made.paired_with(index));
    }
    Ok(output)
}

fn set_all(json: &mut JsonObject, new_values: &Value, written: Option<&Value>, dots: bool, version: f64) {
    for kind in KINDS {
        let entries = new_values.get(kind).and_then(Value::as_array);
        for (index, entry) in entries.into_iter().flatten().enumerate() {
            let name = entry.get("name").map_or_else(|| "propertyName".to_owned(), values::text);
            let is_written = written.and_then(|all| all.get(kind)?.get(index)?.get("value")).is_some();
            let value = match entry.get("value") {
                // A value that was written and is gone was an expression that gave `undefined`.
                None if is_written => None,
                None => Some(default_value(kind)),
                Some(value) => Some(value.clone()),
            };
            match (kind, value) {
                ("boolean", value) => {
                    let truth = value.as_ref().is_some_and(values::truthy);
                    values::set(json, &name, Value::Bool(truth), dots);
                }
                (_, None) => values::set_nothing(json, &name, dots),
                (kind, Some(value)) => values::set(json, &name, converted(kind, value, version), dots),
            }
        }
    }
}

fn default_value(kind: &str) -> Value {
    match kind {
        "boolean" => Value::Bool(false),
        "number" => Value::from(0),
        _ => Value::String(String::new()),
    }
}

/// From version 2 numbers in text become numbers.
fn converted(kind: &str, value: Value, version: f64) -> Value {
    match &value {
        Value::String(text) if kind == "number" && version >= 2.0 => {
            let number = values::number_of_text(text);
            if number.is_nan() { value } else { values::number_value(number) }
        }
        _ => value,
    }
}
