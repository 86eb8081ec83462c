//! The comparisons of the first versions of If, Filter and Switch: two values and the name of an operation.

use std::cmp::Ordering;

use serde_json::Value;
use timeloom_engine::node::NodeError;
use timeloom_expressions::time;

use crate::pattern::Patterns;
use crate::{conversion, values};

/// The groups of conditions, in the order in which they are looked at.
pub(crate) const GROUPS: [&str; 4] = ["boolean", "dateTime", "number", "string"];

/// The operation of a condition that names none, by group.
pub(crate) fn default_operation(group: &str) -> &'static str {
    match group {
        "dateTime" => "after",
        "number" => "smaller",
        _ => "equal",
    }
}

/// The value of a condition that names none, by group.
pub(crate) fn default_value(group: &str) -> Value {
    match group {
        "boolean" => Value::Bool(false),
        "number" => Value::from(0),
        _ => Value::String(String::new()),
    }
}

/// Compares two values. `None` is `undefined`.
///
/// # Errors
/// [`NodeError`] when a value is no date, a pattern no regular expression or the operation unknown.
pub(crate) fn compare(
    patterns: &mut Patterns,
    group: &str,
    operation: &str,
    left: Option<&Value>,
    right: Option<&Value>,
) -> Result<bool, NodeError> {
    if group == "dateTime" {
        let (left, right) = (moment(left)?, moment(right)?);
        return by_operation(patterns, operation, Some(&left), Some(&right));
    }
    by_operation(patterns, operation, left, right)
}

fn by_operation(
    patterns: &mut Patterns,
    operation: &str,
    left: Option<&Value>,
    right: Option<&Value>,
) -> Result<bool, NodeError> {
    Ok(match operation {
        "after" | "larger" => order(left, right) == Some(Ordering::Greater),
        "before" | "smaller" => order(left, right) == Some(Ordering::Less),
        "largerEqual" => matches!(order(left, right), Some(Ordering::Greater | Ordering::Equal)),
        "smallerEqual" => matches!(order(left, right), Some(Ordering::Less | Ordering::Equal)),
        "equal" => same(left, right),
        "notEqual" => !same(left, right),
        "contains" => text(left).contains(&text(right)),
        "notContains" => !text(left).contains(&text(right)),
        "startsWith" => text(left).starts_with(&text(right)),
        "notStartsWith" => !text(left).starts_with(&text(right)),
        "endsWith" => text(left).ends_with(&text(right)),
        "notEndsWith" => !text(left).ends_with(&text(right)),
        "isEmpty" => is_empty(left),
        "isNotEmpty" => !is_empty(left),
        "regex" => matches(patterns, left, right)?,
        "notRegex" => !matches(patterns, left, right)?,
        _ => {
            return Err(NodeError::operation(format!("unknown operation '{operation}'"))
                .described("choose the comparison again"));
        }
    })
}

fn matches(patterns: &mut Patterns, left: Option<&Value>, right: Option<&Value>) -> Result<bool, NodeError> {
    patterns.matches(&text(right), &text(left)).map_err(|error| NodeError::operation(error.to_string()))
}

/// The text of a value; what JavaScript takes for false has none.
fn text(value: Option<&Value>) -> String {
    value.filter(|value| values::truthy(value)).map(values::text).unwrap_or_default()
}

/// The order of two values as JavaScript's `<` sees it, where what it takes for false counts as 0.
fn order(left: Option<&Value>, right: Option<&Value>) -> Option<Ordering> {
    let left = left.filter(|value| values::truthy(value));
    let right = right.filter(|value| values::truthy(value));
    if let (Some(Value::String(left)), Some(Value::String(right))) = (left, right) {
        return Some(values::compare_texts(left, right));
    }
    let number = |value: Option<&Value>| value.map_or(0.0, values::number);
    number(left).partial_cmp(&number(right))
}

/// JavaScript's `===`; structures are never the same as one another.
fn same(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (Some(Value::Array(_) | Value::Object(_)), _) => false,
        _ => values::equal_options(left, right),
    }
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(elements)) => elements.is_empty(),
        Some(Value::Object(fields)) => fields.is_empty(),
        Some(Value::Bool(_) | Value::Number(_)) => false,
    }
}

/// The moment as milliseconds since 1970: numbers are that already.
fn moment(value: Option<&Value>) -> Result<Value, NodeError> {
    let parsed = match value {
        Some(Value::Number(number)) => return Ok(Value::Number(number.clone())),
        Some(Value::String(text)) => time::parse_text(text, chrono_tz::UTC),
        _ => None,
    };
    parsed.map(|moment| Value::from(moment.timestamp_millis())).ok_or_else(|| {
        NodeError::operation(format!("{} is not a valid date and time", conversion::describe(value)))
            .described("give a text such as 2024-01-31T12:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(group: &str, operation: &str, left: Value, right: Value) -> bool {
        compare(&mut Patterns::default(), group, operation, Some(&left), Some(&right)).unwrap()
    }

    #[test]
    fn values_are_compared_without_conversion() {
        assert!(holds("boolean", "equal", json!(true), json!(true)));
        assert!(!holds("boolean", "equal", json!("true"), json!(true)));
        assert!(holds("number", "larger", json!(5), json!(4)));
        assert!(holds("number", "smallerEqual", json!(null), json!(0)));
        assert!(holds("string", "notContains", json!("abc"), json!("x")));
        assert!(holds("string", "regex", json!("abc"), json!("/B/i")));
        assert!(holds("string", "isEmpty", json!({}), json!("")));
        assert!(!holds("string", "isEmpty", json!(0), json!("")));
    }

    #[test]
    fn dates_are_compared_as_moments() {
        assert!(holds("dateTime", "after", json!("2024-01-02T00:00:00+02:00"), json!("2024-01-01T21:00:00Z")));
        assert!(holds("dateTime", "before", json!(0), json!("2024-01-01")));
        let error = compare(&mut Patterns::default(), "dateTime", "after", Some(&json!("soon")), Some(&json!(1)));
        assert_eq!(error.unwrap_err().message, "the string 'soon' is not a valid date and time");
    }
}
