//! Conversion of values to the type that a field or comparison wants.
//!
//! `strict` accepts values of that very type alone; otherwise texts and numbers are converted where it makes sense.
//! Times are always read from text or numbers, because JSON has no type for them.

use std::str::FromStr;

use chrono_tz::Tz;
use serde_json::Value;
use timeloom_expressions::time;

use crate::{lenient_json, values};

/// From this length on a number is a count of seconds or milliseconds; a shorter one is a date such as `20240131`.
const COUNT_DIGITS_MIN: usize = 9;

/// The type that a value should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A moment.
    Moment,
    /// A list.
    Array,
    /// An object.
    Object,
    /// Whatever it is.
    Any,
}

impl Kind {
    /// The kind of that name in a workflow file; unknown names take anything.
    pub fn from_name(name: &str) -> Self {
        match name {
            "string" => Self::Text,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "dateTime" => Self::Moment,
            "array" => Self::Array,
            "object" => Self::Object,
            _ => Self::Any,
        }
    }

    /// The name with its article, for messages.
    pub fn described(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Moment => "a date and time",
            Self::Array => "an array",
            Self::Object => "an object",
            Self::Any => "any value",
        }
    }
}

/// What a conversion gave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Converted {
    /// A JSON value.
    Json(Value),
    /// A moment, in milliseconds since 1970.
    Moment(i64),
}

/// `value` as `kind`; `None` when it cannot be one. Null stays null.
pub(crate) fn convert(value: &Value, kind: Kind, strict: bool, zone: Tz) -> Option<Converted> {
    if kind == Kind::Any || value.is_null() {
        return Some(Converted::Json(value.clone()));
    }
    if kind == Kind::Moment {
        return as_moment(value, zone).map(Converted::Moment);
    }
    let matching = match kind {
        Kind::Text => value.is_string(),
        Kind::Number => value.is_number(),
        Kind::Boolean => value.is_boolean(),
        Kind::Array => value.is_array(),
        Kind::Object => value.is_object(),
        Kind::Any | Kind::Moment => true,
    };
    let converted = match kind {
        _ if matching => Some(value.clone()),
        _ if strict => None,
        Kind::Text => Some(Value::String(as_text(value))),
        Kind::Number => Some(values::number(value)).filter(|number| !number.is_nan()).map(values::number_value),
        Kind::Boolean => as_boolean(value).map(Value::Bool),
        Kind::Array => list_from(value.as_str()?),
        Kind::Object => lenient_json::parse(value.as_str()?).filter(Value::is_object),
        Kind::Any | Kind::Moment => None,
    };
    converted.map(Converted::Json)
}

/// The text of a value: structures as JSON.
pub(crate) fn as_text(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => values::stringify(value),
        _ => values::text(value),
    }
}

/// The moment that the value's text names. A count of seconds or milliseconds names none, in text or as a number.
fn as_moment(value: &Value, zone: Tz) -> Option<i64> {
    if matches!(value, Value::Object(_) | Value::Bool(_)) {
        return None;
    }
    let text = values::text(value);
    let text = text.trim();
    let is_count = text.len() >= COUNT_DIGITS_MIN && values::number_of_text(text).is_finite();
    if is_count { None } else { time::parse_text(text, zone).map(|moment| moment.timestamp_millis()) }
}

fn as_boolean(value: &Value) -> Option<bool> {
    if let Value::String(text) = value {
        if let Ok(word) = bool::from_str(&text.to_lowercase()) {
            return Some(word);
        }
        if text.trim().is_empty() {
            return None;
        }
    }
    match values::number(value) {
        0.0 => Some(false),
        1.0 => Some(true),
        _ => None,
    }
}

/// Of hand-written lists only the kind of quotes is put right.
fn list_from(text: &str) -> Option<Value> {
    let parsed = serde_json::from_str(text).or_else(|_| serde_json::from_str(&text.replace('\'', "\"")));
    parsed.ok().filter(Value::is_array)
}

/// A value in words, for messages.
pub(crate) fn describe(value: Option<&Value>) -> String {
    match value {
        None => "undefined".to_owned(),
        Some(Value::Null) => "null".to_owned(),
        Some(Value::Array(_)) => "an array".to_owned(),
        Some(Value::Object(_)) => "an object".to_owned(),
        Some(Value::Bool(value)) => format!("the boolean {value}"),
        Some(Value::Number(_)) => format!("the number {}", value.map(values::text).unwrap_or_default()),
        Some(Value::String(text)) => format!("the string '{text}'"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn loose(value: Value, kind: Kind) -> Option<Value> {
        match convert(&value, kind, false, chrono_tz::UTC)? {
            Converted::Json(value) => Some(value),
            Converted::Moment(ms) => Some(json!(ms)),
        }
    }

    #[test]
    fn loose_conversion_reads_texts() {
        assert_eq!(loose(json!("12.50"), Kind::Number), Some(json!(12.5)));
        assert_eq!(loose(json!("twelve"), Kind::Number), None);
        assert_eq!(loose(json!("TRUE"), Kind::Boolean), Some(json!(true)));
        assert_eq!(loose(json!(0), Kind::Boolean), Some(json!(false)));
        assert_eq!(loose(json!(""), Kind::Boolean), None);
        assert_eq!(loose(json!("['a']"), Kind::Array), Some(json!(["a"])));
        assert_eq!(loose(json!("[1,]"), Kind::Array), None);
        assert_eq!(loose(json!("[1]"), Kind::Object), None);
        assert_eq!(loose(json!({"a": 1}), Kind::Text), Some(json!("{\"a\":1}")));
        assert_eq!(loose(json!("2024-01-01T00:00:00Z"), Kind::Moment), Some(json!(1_704_067_200_000_i64)));
        assert_eq!(loose(json!(["2024-01-01T00:00:00Z"]), Kind::Moment), Some(json!(1_704_067_200_000_i64)));
        for unreadable in [json!("soon"), json!("1704067200"), json!(1_704_067_200_000_i64), json!(true), json!({})] {
            assert_eq!(loose(unreadable.clone(), Kind::Moment), None, "{unreadable}");
        }
    }

    #[test]
    fn strict_conversion_wants_the_very_type() {
        assert_eq!(convert(&json!("1"), Kind::Number, true, chrono_tz::UTC), None);
        assert_eq!(convert(&json!(1), Kind::Number, true, chrono_tz::UTC), Some(Converted::Json(json!(1))));
        assert_eq!(convert(&json!(null), Kind::Number, true, chrono_tz::UTC), Some(Converted::Json(json!(null))));
    }
}
