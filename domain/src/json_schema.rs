//! JSON Schemas that people write: whether they are schemas, and whether values fit them.
//!
//! Never reads a schema from elsewhere, and never lets a pattern take more than linear time.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

/// Deepest that a schema or a value is nested which is looked at.
const DEPTH_MAX: usize = 64;
/// Most bytes of a schema.
const SCHEMA_BYTES_MAX: usize = 128 << 10;
/// Most ways in which a value does not fit that are told.
const VIOLATIONS_MAX: usize = 5;
/// Most characters of each of them.
const VIOLATION_CHARACTERS_MAX: usize = 300;
/// Most bytes of the machine of a pattern.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// # Errors
/// Why `schema` is no JSON Schema that can be used, in words.
pub fn check_schema(schema: &Value) -> Result<(), String> {
    validator(schema).map(|_| ())
}

/// # Errors
/// How `value` does not fit `schema`, in words; or why the schema cannot be used.
pub fn check_value(schema: &Value, value: &Value) -> Result<(), String> {
    let validator = validator(schema)?;
    if depth(value) > DEPTH_MAX {
        return Err(format!("is nested deeper than {DEPTH_MAX}"));
    }
    let violations: Vec<String> = validator
        .iter_errors(value)
        .take(VIOLATIONS_MAX)
        .map(|violation| {
            let path = violation.instance_path().to_string();
            let told = if path.is_empty() { violation.to_string() } else { format!("{path}: {violation}") };
            shortened(&told)
        })
        .collect();
    if violations.is_empty() { Ok(()) } else { Err(violations.join("; ")) }
}

/// What tries values against a schema.
///
/// # Errors
/// Why it is no JSON Schema that can be used, in words.
pub(crate) fn validator(schema: &Value) -> Result<Validator, String> {
    if depth(schema) > DEPTH_MAX {
        return Err(format!("the schema is nested deeper than {DEPTH_MAX}: make it flatter"));
    }
    if schema.to_string().len() > SCHEMA_BYTES_MAX {
        return Err(format!("the schema has more than {SCHEMA_BYTES_MAX} bytes: make it smaller"));
    }
    let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX);
    let options = jsonschema::options().with_draft(Draft::Draft202012).with_pattern_options(patterns);
    options.build(schema).map_err(|error| format!("the schema is not valid: {}", shortened(&error.to_string())))
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(VIOLATION_CHARACTERS_MAX).collect()
}
