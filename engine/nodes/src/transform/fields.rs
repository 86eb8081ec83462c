//! Reading the parameters that the list nodes have in common, and picking fields of items.

use serde_json::Value;
use timeloom_domain::catalogue::ParameterDefinition;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{NodeError, NodeRun};

use crate::describe::switch;
use crate::values;

/// Names of fields from any of the forms that node versions write: `"a, b"`, `["a", "b"]` and
/// `{"fields": [{"fieldName": "a"}]}`.
pub(crate) fn names(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => {
            text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
        }
        Some(Value::Array(parts)) => parts.iter().filter_map(name_of).collect(),
        Some(Value::Object(wrapper)) => match wrapper.get("fields") {
            Some(Value::Array(parts)) => parts.iter().filter_map(name_of).collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn name_of(part: &Value) -> Option<String> {
    let name = part.get("fieldName").unwrap_or(part).as_str()?.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// The names in parameter `path` for one item.
pub(crate) fn name_list(run: &mut NodeRun<'_>, path: &str, item: usize) -> Result<Vec<String>, NodeError> {
    Ok(names(run.parameter(path, item)?.as_ref()))
}

/// The objects in parameter `path`: a list of groups of fields that the author added.
pub(crate) fn groups(run: &mut NodeRun<'_>, path: &str, item: usize) -> Result<Vec<JsonObject>, NodeError> {
    Ok(match run.parameter(path, item)? {
        Some(Value::Array(groups)) => groups
            .into_iter()
            .filter_map(|group| match group {
                Value::Object(fields) => Some(fields),
                _ => None,
            })
            .collect(),
        Some(Value::Object(fields)) => vec![fields],
        _ => Vec::new(),
    })
}

/// Text in a group; numbers and booleans are written out.
pub(crate) fn group_text(group: &JsonObject, key: &str, default: &str) -> String {
    match group.get(key) {
        None | Some(Value::Null) => default.to_owned(),
        Some(value) => values::text(value),
    }
}

/// A boolean in a group.
pub(crate) fn group_flag(group: &JsonObject, key: &str) -> bool {
    group.get(key).is_some_and(|value| values::truthy(value) && value.as_str() != Some("false"))
}

/// The option that [`dots`] reads.
pub(super) const NO_DOTS: ParameterDefinition =
    switch("disableDotNotation", "Whether dots in names of fields mean nothing.").or_false();

/// Whether paths with dots lead into objects: the author can switch that off.
pub(crate) fn dots(run: &mut NodeRun<'_>) -> Result<bool, NodeError> {
    Ok(!run.boolean("options.disableDotNotation", 0, false)?)
}

/// The error for a field that is nowhere in the input.
pub(crate) fn field_not_found(field: &str, dots: bool) -> NodeError {
    let error = NodeError::operation(format!("no item has the field '{field}': check its name"));
    if !dots && field.contains('.') {
        return error
            .described("a name with dots leads into objects only while the option 'Disable Dot Notation' is off");
    }
    error
}

/// The notice for a field that is nowhere in the input.
pub(crate) fn not_found_hint(field: &str) -> String {
    format!("no item has the field '{field}'")
}

/// The item, noted as made from item `index` of input 0.
pub(crate) fn passed_on(item: &Item, index: usize) -> Item {
    Item { error: None, ..item.clone() }.paired_with(index)
}

/// The object without these fields.
pub(crate) fn without(object: &JsonObject, fields: &[String], dots: bool) -> JsonObject {
    let mut rest = object.clone();
    for field in fields {
        values::unset(&mut rest, field, dots);
    }
    rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_come_in_three_forms() {
        for form in [json!("a, b ,"), json!(["a", "b"]), json!({"fields": [{"fieldName": "a"}, {"fieldName": "b"}]})] {
            assert_eq!(names(Some(&form)), ["a", "b"]);
        }
        assert!(names(None).is_empty());
    }
}
