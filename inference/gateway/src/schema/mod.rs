//! Answers that have to fit a JSON Schema: checked here, whatever the provider promised.
//!
//! Never reads a schema from elsewhere, and never lets a pattern take more than linear time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;
use sha2::{Digest, Sha256};
use timeloom_domain::chat::{ChatRequest, Format, Message, Role};

/// Most bytes of a schema.
pub const SCHEMA_BYTES_MAX: usize = 128 << 10;
/// Deepest a schema is nested.
pub const SCHEMA_DEPTH_MAX: usize = 64;
/// Most ways in which an answer does not fit that are told.
pub const VIOLATIONS_MAX: usize = 8;
/// Most characters of each of them.
pub const VIOLATION_CHARACTERS_MAX: usize = 300;
/// Most schemas that are kept ready.
const READY_MAX: usize = 256;
/// Most bytes of the machine of a pattern.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Why a schema is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchema {
    /// It is too large.
    #[error("the schema is larger than {} KiB: make it smaller", SCHEMA_BYTES_MAX >> 10)]
    TooLarge,
    /// It is too deep.
    #[error("the schema is nested deeper than {SCHEMA_DEPTH_MAX}: make it flatter")]
    TooDeep,
    /// It is none.
    #[error("the schema is not valid: {0}")]
    Wrong(String),
}

/// A schema that is ready to check.
#[derive(Debug)]
pub struct Schema(Validator);

impl Schema {
    /// Makes a schema ready.
    ///
    /// # Errors
    /// [`InvalidSchema`]
    pub fn try_new(schema: &Value) -> Result<Self, InvalidSchema> {
        if depth(schema) > SCHEMA_DEPTH_MAX {
            return Err(InvalidSchema::TooDeep);
        }
        if schema.to_string().len() > SCHEMA_BYTES_MAX {
            return Err(InvalidSchema::TooLarge);
        }
        let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX);
        let built = jsonschema::options().with_pattern_options(patterns).build(schema);
        built.map(Self).map_err(|error| InvalidSchema::Wrong(short(&error.to_string())))
    }

    /// The value that `text` is, if it fits.
    ///
    /// # Errors
    /// The ways in which it does not fit, at most [`VIOLATIONS_MAX`].
    pub fn check(&self, text: &str) -> Result<Value, Vec<String>> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| vec![short(&format!("the answer is not JSON: {error}"))])?;
        let violations: Vec<String> = self
            .0
            .iter_errors(&value)
            .take(VIOLATIONS_MAX)
            .map(|error| {
                let path = error.instance_path().to_string();
                let place = if path.is_empty() { "the answer".to_owned() } else { format!("'{path}'") };
                short(&format!("{place}: {error}"))
            })
            .collect();
        if violations.is_empty() { Ok(value) } else { Err(violations) }
    }
}

/// The same request with the answer that did not fit, and with what was wrong with it.
pub fn repair(request: &ChatRequest, answer: &str, violations: &[String]) -> ChatRequest {
    let wrong: String = violations.iter().map(|violation| format!("\n- {violation}")).collect();
    let words = format!(
        "Your answer does not fit the JSON Schema that was asked for:{wrong}\n\
         Answer again, with JSON that fits it and nothing else."
    );
    let mut repaired = request.clone();
    repaired.messages.push(Message::text(Role::Assistant, answer));
    repaired.messages.push(Message::text(Role::User, words));
    repaired
}

/// Keeps schemas ready that were used before.
#[derive(Debug, Default)]
pub struct Schemas(Mutex<HashMap<[u8; 32], Arc<Schema>>>);

impl Schemas {
    /// The schema that the request wants its answer to fit, if it wants one.
    ///
    /// # Errors
    /// [`InvalidSchema`]
    pub fn of(&self, request: &ChatRequest) -> Result<Option<Arc<Schema>>, InvalidSchema> {
        let Some(Format::Schema { schema, .. }) = &request.format else { return Ok(None) };
        if depth(schema) > SCHEMA_DEPTH_MAX {
            return Err(InvalidSchema::TooDeep);
        }
        let digest: [u8; 32] = Sha256::digest(schema.to_string()).into();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let made = Arc::new(Schema::try_new(schema)?);
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.len() >= READY_MAX {
            ready.clear();
        }
        ready.insert(digest, Arc::clone(&made));
        Ok(Some(made))
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn short(text: &str) -> String {
    text.chars().take(VIOLATION_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_that_fit_are_given_and_others_say_where_they_do_not() {
        let schema = Schema::try_new(&json!({
            "type": "object", "required": ["age"], "additionalProperties": false,
            "properties": {"age": {"type": "integer", "minimum": 0}, "name": {"type": "string"}},
        }))
        .unwrap();
        assert_eq!(schema.check(r#" {"age": 3} "#).unwrap(), json!({"age": 3}));
        let violations = schema.check(r#"{"age": "three", "name": 4}"#).unwrap_err();
        assert_eq!(violations.len(), 2);
        assert!(violations.iter().any(|violation| violation.starts_with("'/age'")), "{violations:?}");
        assert!(schema.check("```json\n{}\n```").unwrap_err()[0].starts_with("the answer is not JSON"));
    }

    #[test]
    fn schemas_that_are_too_much_or_elsewhere_are_refused() {
        let mut deep = json!({});
        for _ in 0..=SCHEMA_DEPTH_MAX {
            deep = json!({ "not": deep });
        }
        assert_eq!(Schema::try_new(&deep).unwrap_err(), InvalidSchema::TooDeep);
        let large = json!({ "description": "x".repeat(SCHEMA_BYTES_MAX) });
        assert_eq!(Schema::try_new(&large).unwrap_err(), InvalidSchema::TooLarge);
        for wrong in [
            json!({ "type": "objekt" }),
            json!({ "$ref": "https://schemas.example/a.json" }),
            json!({ "$ref": "file:///etc/hostname" }),
            json!({ "type": "string", "pattern": "(?:a{1,1000}){1,1000}{1,1000}" }),
        ] {
            let refused = Schema::try_new(&wrong);
            assert!(matches!(refused, Err(InvalidSchema::Wrong(_))), "{wrong}: {refused:?}");
        }
    }

    #[test]
    fn a_pattern_that_would_try_everything_comes_to_an_end() {
        let schema = Schema::try_new(&json!({ "type": "string", "pattern": "^(a+)+$" })).unwrap();
        assert!(schema.check(&format!("\"{}!\"", "a".repeat(50_000))).is_err());
    }

    #[test]
    fn many_violations_are_cut_off() {
        let schema = Schema::try_new(&json!({ "items": { "type": "string" } })).unwrap();
        let answer = format!("[{}0]", "0,".repeat(100));
        assert_eq!(schema.check(&answer).unwrap_err().len(), VIOLATIONS_MAX);
    }
}
