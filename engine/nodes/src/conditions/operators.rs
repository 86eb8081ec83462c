//! The comparisons, by type. `None` means that the type has no comparison of that name.

use serde_json::Value;

use crate::pattern::{PatternError, Patterns};
use crate::values;

/// One side of a comparison, converted to its type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    /// JavaScript's `undefined`.
    Missing,
    /// A JSON value, null included.
    Json(Value),
    /// A moment, in milliseconds since 1970.
    Moment(i64),
}

impl Operand {
    /// Whether there is a value, null not counted.
    pub fn exists(&self) -> bool {
        !matches!(self, Self::Missing | Self::Json(Value::Null))
    }

    fn json(&self) -> Option<&Value> {
        match self {
            Self::Json(value) => Some(value),
            Self::Missing | Self::Moment(_) => None,
        }
    }

    fn text(&self) -> String {
        match self.json() {
            Some(Value::String(text)) => text.clone(),
            _ => String::new(),
        }
    }

    /// The number that JavaScript compares by: null is 0, and `undefined` is no number.
    fn number(&self) -> f64 {
        self.json().map_or(f64::NAN, values::number)
    }

    /// JavaScript's `===` for values that are not structures.
    fn same(&self, other: &Self) -> bool {
        values::equal_options(self.json(), other.json())
    }
}

/// Comparisons of text.
pub(super) fn text(
    patterns: &mut Patterns,
    operation: &str,
    left: &Operand,
    right: &Operand,
    fold_case: bool,
) -> Result<Option<bool>, PatternError> {
    let fold = |text: String| if fold_case { text.to_lowercase() } else { text };
    let left = fold(left.text());
    if matches!(operation, "regex" | "notRegex") {
        let matched = patterns.matches(&right.text(), &left)?;
        return Ok(Some(matched == (operation == "regex")));
    }
    let right = fold(right.text());
    Ok(Some(match operation {
        "empty" => left.is_empty(),
        "notEmpty" => !left.is_empty(),
        "equals" => left == right,
        "notEquals" => left != right,
        "contains" => left.contains(&right),
        "notContains" => !left.contains(&right),
        "startsWith" => left.starts_with(&right),
        "notStartsWith" => !left.starts_with(&right),
        "endsWith" => left.ends_with(&right),
        "notEndsWith" => !left.ends_with(&right),
        _ => return Ok(None),
    }))
}

/// Comparisons of numbers.
pub(super) fn number(operation: &str, left: &Operand, right: &Operand) -> Option<bool> {
    Some(match operation {
        "empty" => !left.exists(),
        "notEmpty" => left.exists(),
        "equals" => left.same(right),
        "notEquals" => !left.same(right),
        "gt" => left.number() > right.number(),
        "gte" => left.number() >= right.number(),
        "lt" => left.number() < right.number(),
        "lte" => left.number() <= right.number(),
        _ => return None,
    })
}

/// Comparisons of moments; without two moments none holds.
pub(super) fn moment(operation: &str, left: &Operand, right: &Operand) -> Option<bool> {
    match operation {
        "empty" => return Some(!left.exists()),
        "notEmpty" => return Some(left.exists()),
        _ => {}
    }
    let (Operand::Moment(left), Operand::Moment(right)) = (left, right) else { return Some(false) };
    Some(match operation {
        "equals" => left == right,
        "notEquals" => left != right,
        "after" => left > right,
        "before" => left < right,
        "afterOrEquals" => left >= right,
        "beforeOrEquals" => left <= right,
        _ => return None,
    })
}

/// Comparisons of booleans.
pub(super) fn boolean(operation: &str, left: &Operand, right: &Operand) -> Option<bool> {
    let truth = left.json().is_some_and(values::truthy);
    Some(match operation {
        "empty" => !left.exists(),
        "notEmpty" => left.exists(),
        "true" => truth,
        "false" => !truth,
        "equals" => left.same(right),
        "notEquals" => !left.same(right),
        _ => return None,
    })
}

/// Comparisons of lists.
pub(super) fn array(operation: &str, left: &Operand, right: &Operand, fold_case: bool) -> Option<bool> {
    let list = left.json().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let length = list.len() as f64;
    let same_length = right.exists() && right.number() == length;
    Some(match operation {
        "contains" => contains(list, right, fold_case),
        "notContains" => !contains(list, right, fold_case),
        "lengthEquals" => same_length,
        "lengthNotEquals" => !same_length,
        "lengthGt" => length > right.number(),
        "lengthLt" => length < right.number(),
        "lengthGte" => length >= right.number(),
        "lengthLte" => length <= right.number(),
        "empty" => list.is_empty(),
        "notEmpty" => !list.is_empty(),
        _ => return None,
    })
}

/// Whether the list has that element; structures are never the same as one another, as in JavaScript.
fn contains(list: &[Value], wanted: &Operand, fold_case: bool) -> bool {
    match wanted.json() {
        Some(Value::String(wanted)) if fold_case => {
            let wanted = wanted.to_lowercase();
            list.iter().filter_map(Value::as_str).any(|element| element.to_lowercase() == wanted)
        }
        None | Some(Value::Array(_) | Value::Object(_)) => false,
        Some(wanted) => list.iter().any(|element| values::equal(element, wanted)),
    }
}

/// Tests of objects.
pub(super) fn object(operation: &str, left: &Operand) -> Option<bool> {
    let empty = left.json().and_then(Value::as_object).is_none_or(|fields| fields.is_empty());
    Some(match operation {
        "empty" => empty,
        "notEmpty" => !empty,
        _ => return None,
    })
}
