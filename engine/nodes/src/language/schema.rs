//! JSON Schemas of data that people describe: by an example, by a schema of their own, by a list of attributes.

use serde_json::{Value, json};
use timeloom_domain::definition::Node;
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{NodeError, NodeRun};

/// Deepest example that becomes a schema.
const DEPTH_MAX: usize = 20;

/// The schema that an output parser stands for.
///
/// # Errors
/// [`NodeError`] when it holds none that can be read.
pub(super) fn of_parser(run: &mut NodeRun<'_>, parser: &Node, index: usize) -> Result<Value, NodeError> {
    let is_old = parser.type_version < 1.1;
    let kind = run.text_of(parser, "schemaType", index, if is_old { "manual" } else { "fromJson" })?;
    let (field, is_example) = match kind.as_str() {
        "manual" if is_old => ("jsonSchema", false),
        "manual" => ("inputSchema", false),
        _ => ("jsonSchemaExample", true),
    };
    read(run.parameter_of(parser, field, index)?, field, is_example)
}

/// The schema of a value that holds one, or an example.
///
/// # Errors
/// [`NodeError`] when it is neither.
pub(super) fn read(value: Option<Value>, field: &str, is_example: bool) -> Result<Value, NodeError> {
    let unreadable = |why: String| {
        let wanted = if is_example { "an example as JSON" } else { "a JSON Schema" };
        NodeError::operation(format!("the parameter '{field}' holds no schema: {why}"))
            .described(format!("write {wanted}"))
    };
    let value = match value {
        Some(Value::String(text)) => serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?,
        Some(value) => value,
        None => return Err(unreadable("it is not set".to_owned())),
    };
    match value {
        Value::Object(_) if !is_example => Ok(value),
        Value::Object(_) | Value::Array(_) if is_example => Ok(of_example(&value, 0)),
        _ => Err(unreadable("it is no object".to_owned())),
    }
}

/// The schema of data like these. What the example has, all have.
pub(super) fn of_example(example: &Value, depth: usize) -> Value {
    match example {
        _ if depth > DEPTH_MAX => json!({}),
        Value::Object(fields) => {
            let properties = fields.iter().map(|(name, value)| (name.clone(), of_example(value, depth + 1)));
            object(JsonObject::from_iter(properties), fields.keys().map(String::as_str).collect())
        }
        Value::Array(values) => match values.first() {
            Some(first) => json!({ "type": "array", "items": of_example(first, depth + 1) }),
            None => json!({ "type": "array" }),
        },
        Value::String(_) => json!({ "type": "string" }),
        Value::Number(_) => json!({ "type": "number" }),
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Null => json!({}),
    }
}

/// The schema of an object of these properties and no others.
pub(super) fn object(properties: JsonObject, required: Vec<&str>) -> Value {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// The schema of a list of attributes: name, kind, what they are, whether they must be there.
///
/// # Errors
/// [`NodeError`] when there is none, or one has no name.
pub(super) fn of_attributes(attributes: &[Value]) -> Result<Value, NodeError> {
    if attributes.is_empty() {
        return Err(NodeError::operation("no attribute is wanted: add at least one"));
    }
    let (mut properties, mut required) = (JsonObject::new(), Vec::new());
    for attribute in attributes {
        let text = |field: &str| attribute.get(field).and_then(Value::as_str).unwrap_or_default();
        if text("name").is_empty() {
            return Err(NodeError::operation("an attribute has no name: give it one"));
        }
        let mut property = match text("type") {
            "number" => json!({ "type": "number" }),
            "boolean" => json!({ "type": "boolean" }),
            "date" => json!({ "type": "string", "format": "date" }),
            _ => json!({ "type": "string" }),
        };
        let is_required = attribute.get("required").and_then(Value::as_bool).unwrap_or(false);
        if !is_required && let Some(kind) = property.get("type").cloned() {
            property["type"] = json!([kind, "null"]);
        }
        property["description"] = json!(text("description"));
        properties.insert(text("name").to_owned(), property);
        if is_required {
            required.push(text("name"));
        }
    }
    Ok(object(properties, required))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_becomes_a_schema() {
        let schema = read(Some(json!(r#"{"name": "Ada", "tags": ["x"], "at": {"age": 3}}"#)), "f", true).unwrap();
        assert_eq!(schema["properties"]["tags"], json!({"type": "array", "items": {"type": "string"}}));
        assert_eq!(schema["properties"]["at"]["required"], json!(["age"]));
        assert!(read(Some(json!("{")), "f", true).unwrap_err().message.contains("'f' holds no schema"));
        assert!(read(None, "f", false).is_err());
    }

    #[test]
    fn attributes_that_need_not_be_there_may_be_null() {
        let attributes = [json!({"name": "age", "type": "number", "required": true}), json!({"name": "city"})];
        let schema = of_attributes(&attributes).unwrap();
        assert_eq!(schema["required"], json!(["age"]));
        assert_eq!(schema["properties"]["city"]["type"], json!(["string", "null"]));
        assert!(of_attributes(&[]).is_err());
    }
}
