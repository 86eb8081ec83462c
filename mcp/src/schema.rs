//! Short forms of JSON Schema, for what tools take and give.

use serde_json::{Map, Value, json};

/// An object with these properties and no others.
pub(crate) fn takes(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// An object that has at least `required`, and perhaps what was left out of it.
pub(crate) fn gives(required: &[&str], properties: Value) -> Value {
    let mut properties = crate::outcome::fields(properties);
    let cut = json!({
        "type": "array",
        "description": "What was left out because the answer would be too large: each with its place and its size in bytes. It is null there; ask for it by itself.",
        "items": shape(&[("path", "string"), ("bytes", "integer")]),
    });
    properties.insert(crate::bound::CUT.to_owned(), cut);
    json!({ "type": "object", "properties": properties, "required": required })
}

/// An object with these fields; a kind that ends with `?` may be null, and `any` is whatever it is.
pub(crate) fn shape(fields: &[(&str, &str)]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|(name, kind)| ((*name).to_owned(), of_kind(kind))).collect();
    json!({ "type": "object", "properties": properties })
}

/// A list of such objects.
pub(crate) fn entries(fields: &[(&str, &str)]) -> Value {
    json!({ "type": "array", "items": shape(fields) })
}

/// A value of a kind.
pub(crate) fn of_kind(kind: &str) -> Value {
    match kind.strip_suffix('?') {
        Some(kind) => json!({ "type": [kind, "null"] }),
        None if kind == "any" => json!({}),
        None => json!({ "type": kind }),
    }
}

/// The cursor of the next page.
pub(crate) fn next_cursor() -> Value {
    json!({ "type": ["string", "null"], "description": "Give it as after for the next page; null when this is the last." })
}

/// A text of 1 to `max` characters.
pub(crate) fn text(description: &str, max: usize) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": max, "description": description })
}

/// The id of something.
pub(crate) fn id(description: &str) -> Value {
    json!({ "type": "string", "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", "description": description })
}

/// A whole number.
pub(crate) fn whole(description: &str, min: u64, max: u64) -> Value {
    json!({ "type": "integer", "minimum": min, "maximum": max, "description": description })
}

/// Yes or no.
pub(crate) fn flag(description: &str, default: bool) -> Value {
    json!({ "type": "boolean", "default": default, "description": description })
}

/// One of these words.
pub(crate) fn choice(description: &str, words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words, "description": description })
}

/// A place in the log.
pub(crate) fn position(description: &str) -> Value {
    json!({ "type": "string", "pattern": "^[0-9]{1,19}$", "description": description })
}

/// A time.
pub(crate) fn time(description: &str) -> Value {
    json!({ "type": "string", "minLength": 10, "maxLength": 40, "description": format!("{description}, such as 2026-01-31T12:00:00Z.") })
}

/// How many entries a page has, at most and when nothing is said.
pub(crate) fn first(max: u64, default: u64) -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": max, "default": default, "description": "How many entries." })
}

/// Where a page begins.
pub(crate) fn after() -> Value {
    text("nextCursor of the page before.", 200)
}
