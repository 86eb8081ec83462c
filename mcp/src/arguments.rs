//! The arguments of a call, once they fit the schema of its tool.

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::outcome::Refusal;

/// Most violations of a schema that are told.
const VIOLATIONS_MAX: usize = 10;
/// Longest description of one, in characters.
const VIOLATION_CHARACTERS_MAX: usize = 300;

/// The arguments of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arguments(Map<String, Value>);

impl Arguments {
    /// Those that fit.
    ///
    /// # Errors
    /// A refusal that says what does not.
    pub fn checked(given: Map<String, Value>, schema: &Validator) -> Result<Self, Refusal> {
        let given = Value::Object(given);
        let violations: Vec<String> = schema
            .iter_errors(&given)
            .take(VIOLATIONS_MAX)
            .map(|violation| {
                let path = violation.instance_path().to_string();
                let told = if path.is_empty() { violation.to_string() } else { format!("{path}: {violation}") };
                told.chars().take(VIOLATION_CHARACTERS_MAX).collect()
            })
            .collect();
        if !violations.is_empty() {
            return Err(Refusal::of_arguments(violations.join("; ")));
        }
        Ok(Self(crate::outcome::fields(given)))
    }

    /// Those of a resource: an id under the name that its tool has for it.
    pub fn of_id(name: &str, id: &str) -> Self {
        Self(Map::from_iter([(name.to_owned(), json!(id))]))
    }

    /// An argument; null where it is not given.
    pub fn value(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or_default()
    }

    /// An argument, or what stands for it where it is not given.
    pub fn value_or(&self, name: &str, default: impl Into<Value>) -> Value {
        self.0.get(name).cloned().unwrap_or_else(|| default.into())
    }

    /// A text that is given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// Yes or no.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(default)
    }

    /// A whole number.
    pub fn whole(&self, name: &str, default: u64) -> u64 {
        self.0.get(name).and_then(Value::as_u64).unwrap_or(default)
    }

    /// Whether it is given.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Those of these that are given, as fields of an object.
    pub fn only(&self, names: &[&str]) -> Map<String, Value> {
        let given = names.iter().filter_map(|name| Some(((*name).to_owned(), self.0.get(*name)?.clone())));
        given.collect()
    }

    /// The moment that is asked about: null for now.
    ///
    /// # Errors
    /// When there is more than one.
    pub fn as_of(&self) -> Result<Value, Refusal> {
        let given = self.only(&["position", "revision", "time"]);
        match given.len() {
            0 => Ok(Value::Null),
            1 => Ok(Value::Object(given)),
            _ => Err(Refusal::of_arguments("position, revision and time are moments: give one of them")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{position, takes, time};

    fn arguments(given: Value) -> Result<Arguments, Refusal> {
        let schema = takes(&[], json!({ "position": position("Where."), "time": time("When") }));
        Arguments::checked(crate::outcome::fields(given), &jsonschema::validator_for(&schema).unwrap())
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_place() {
        let refused = arguments(json!({ "position": "first", "other": 1 })).unwrap_err().text();
        assert!(refused.starts_with("BAD_ARGUMENTS: ") && refused.contains("/position"), "{refused}");
        assert!(refused.contains("other"), "{refused}");
    }

    #[test]
    fn one_moment_is_asked_about() {
        assert_eq!(arguments(json!({})).unwrap().as_of(), Ok(Value::Null));
        assert_eq!(arguments(json!({ "position": "7" })).unwrap().as_of(), Ok(json!({ "position": "7" })));
        let both = arguments(json!({ "position": "7", "time": "2026-01-31T12:00:00Z" })).unwrap();
        assert!(both.as_of().unwrap_err().text().contains("give one of them"));
    }
}
