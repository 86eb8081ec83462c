//! The condition model that If, Filter and Switch share: typed comparisons joined by `and` or `or`.
//!
//! Invariant: conditions are looked at in order and no further than the answer needs, so a type error in a
//! condition that does not matter is no error.

pub(crate) mod described;
mod operators;
pub(crate) mod simple;

use chrono_tz::Tz;
use serde_json::Value;
use timeloom_domain::item::Item;
use timeloom_engine::node::{NodeError, NodeRun};

use crate::conversion::{self, Converted, Kind, convert};
use crate::pattern::Patterns;
use crate::values;
use operators::Operand;

/// Most items whose conditions are evaluated at once: evaluated, they take more room than small items do.
const RESOLVED_ITEMS_MAX: usize = 2_000;
/// Advice for a value of the wrong type.
const TYPE_ADVICE: &str =
    "change the type of the comparison, or turn on type conversion ('Convert types where required') in the node";

/// Decides conditions for the items of one node run.
pub(crate) struct Conditions {
    zone: Tz,
    patterns: Patterns,
}

/// How the conditions of one filter are compared.
struct Options {
    case_sensitive: bool,
    strict: bool,
    version: f64,
}

impl Conditions {
    /// Local times are taken to be of `zone`.
    pub fn new(zone: Tz) -> Self {
        Self { zone, patterns: Patterns::default() }
    }

    /// Whether the filter, with its expressions resolved for item `item`, lets that item pass.
    ///
    /// # Errors
    /// [`NodeError`] when a value has the wrong type or a pattern is no regular expression.
    pub fn pass(&mut self, filter: Option<&Value>, item: usize) -> Result<bool, NodeError> {
        let Some(filter) = filter else { return Ok(true) };
        let options = Options::of(filter);
        let conditions = filter.get("conditions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let any = filter.get("combinator").and_then(Value::as_str) == Some("or");
        for (index, condition) in conditions.iter().enumerate() {
            let holds = self.holds(condition, &options, index).map_err(|error| error.at_item(item))?;
            if holds == any {
                return Ok(any);
            }
        }
        Ok(!any)
    }

    /// Whether the groups of conditions of version 1 let an item pass; `written` has them with their expressions.
    ///
    /// # Errors
    /// [`NodeError`] when a value is no date or a pattern no regular expression.
    pub fn pass_groups(
        &mut self,
        groups: Option<&Value>,
        written: Option<&Value>,
        any: bool,
    ) -> Result<bool, NodeError> {
        for group in simple::GROUPS {
            let conditions = groups.and_then(|groups| groups.get(group)).and_then(Value::as_array);
            let fallback = simple::default_value(group);
            for (index, condition) in conditions.into_iter().flatten().enumerate() {
                // A value that was written and is gone was an expression that gave `undefined`.
                let written = written.and_then(|groups| groups.get(group)?.get(index));
                let value = |key: &str| {
                    let is_written = written.is_some_and(|written| written.get(key).is_some());
                    condition.get(key).or(if is_written { None } else { Some(&fallback) })
                };
                let operation = condition.get("operation").and_then(Value::as_str);
                let operation = operation.unwrap_or_else(|| simple::default_operation(group));
                let (left, right) = (value("value1"), value("value2"));
                if simple::compare(&mut self.patterns, group, operation, left, right)? == any {
                    return Ok(any);
                }
            }
        }
        Ok(!any)
    }

    fn holds(&mut self, condition: &Value, options: &Options, index: usize) -> Result<bool, NodeError> {
        let operator = condition.get("operator");
        let word = |key: &str| operator.and_then(|operator| operator.get(key)).and_then(Value::as_str);
        let kind_name = word("type").unwrap_or("string");
        let kind = Kind::from_name(kind_name);
        let operation = word("operation").unwrap_or("equals");
        let right_kind = word("rightType").map_or_else(|| default_right_kind(kind, operation), Kind::from_name);
        let single = matches!(operation, "exists" | "notExists" | "empty" | "notEmpty" | "true" | "false")
            || operator.and_then(|operator| operator.get("singleValue")).is_some_and(values::truthy);

        let left = self.operand(condition.get("leftValue"), kind, options, index)?;
        let right = match self.operand(condition.get("rightValue"), right_kind, options, index) {
            Err(_) if single => Operand::Missing,
            right => right?,
        };
        match operation {
            "exists" => return Ok(left.exists()),
            "notExists" => return Ok(!left.exists()),
            _ => {}
        }
        let fold_case = !options.case_sensitive;
        let holds = match kind {
            Kind::Text => operators::text(&mut self.patterns, operation, &left, &right, fold_case)
                .map_err(|error| NodeError::operation(format!("condition {}: {error}", index + 1)))?,
            Kind::Number => operators::number(operation, &left, &right),
            Kind::Moment => operators::moment(operation, &left, &right),
            Kind::Boolean => operators::boolean(operation, &left, &right),
            Kind::Array => operators::array(operation, &left, &right, fold_case),
            Kind::Object => operators::object(operation, &left),
            Kind::Any => None,
        };
        holds.ok_or_else(|| {
            NodeError::operation(format!("condition {}: unknown operation '{operation}' for {kind_name}", index + 1))
                .described("choose the comparison again")
        })
    }

    fn operand(
        &self,
        value: Option<&Value>,
        kind: Kind,
        options: &Options,
        index: usize,
    ) -> Result<Operand, NodeError> {
        let Some(value) = value else { return Ok(Operand::Missing) };
        let loose_boolean = kind == Kind::Boolean && !options.strict && !value.is_null();
        if loose_boolean && options.version < 2.0 {
            // The first version of the model took "false" for true, as JavaScript does.
            return Ok(Operand::Json(Value::Bool(values::truthy(value))));
        }
        if kind == Kind::Number && options.version >= 3.0 && is_blank(value) {
            // The earlier versions of the model took these for 0, as JavaScript does.
            return Ok(Operand::Json(Value::Null));
        }
        match convert(value, kind, options.strict, self.zone) {
            Some(Converted::Moment(ms)) => Ok(Operand::Moment(ms)),
            Some(Converted::Json(value)) => Ok(Operand::Json(value)),
            None if loose_boolean => Ok(Operand::Json(Value::Bool(values::truthy(value)))),
            None => Err(wrong_type(value, kind, options.strict, index)),
        }
    }
}

impl Options {
    fn of(filter: &Value) -> Self {
        let option = |key: &str| filter.get("options").and_then(|options| options.get(key));
        Self {
            case_sensitive: option("caseSensitive").is_some_and(values::truthy),
            strict: option("typeValidation").and_then(Value::as_str) == Some("strict"),
            version: option("version").and_then(Value::as_f64).unwrap_or(1.0),
        }
    }
}

/// Whether the value holds nothing that could be a number.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::String(text) => text.trim().is_empty(),
        Value::Array(elements) => elements.is_empty(),
        _ => false,
    }
}

/// The type of the right side where the file does not name it.
fn default_right_kind(kind: Kind, operation: &str) -> Kind {
    match kind {
        Kind::Array if operation.starts_with("length") => Kind::Number,
        Kind::Array => Kind::Any,
        kind => kind,
    }
}

fn wrong_type(value: &Value, kind: Kind, strict: bool, index: usize) -> NodeError {
    let found = conversion::describe(Some(value));
    let wanted = kind.described();
    let number = index + 1;
    let message = if strict {
        format!("wrong type in condition {number}: expected {wanted} but found {found}")
    } else {
        format!("condition {number}: {found} can't be converted to {wanted}")
    };
    NodeError::operation(message).described(TYPE_ADVICE)
}

/// Splits the items of input 0 into those whose `conditions` hold and the others.
///
/// `any` answers, in version 1, whether one condition is enough for an item.
///
/// # Errors
/// [`NodeError`] when an expression or comparison fails and the node does not go on after failures.
pub(crate) fn split(
    run: &mut NodeRun<'_>,
    any: impl Fn(&mut NodeRun<'_>, usize) -> Result<bool, NodeError>,
) -> Result<(Vec<Item>, Vec<Item>), NodeError> {
    let items = run.items();
    let written = run.raw_parameter("conditions").cloned();
    let mut resolved = Vec::new().into_iter();
    let mut conditions = Conditions::new(run.scope.timezone);
    let (mut passed, mut failed) = (Vec::new(), Vec::new());
    for (index, item) in items.iter().enumerate() {
        if index.is_multiple_of(RESOLVED_ITEMS_MAX) {
            let part = index..items.len().min(index + RESOLVED_ITEMS_MAX);
            resolved = run.parameter_for_range("conditions", part).into_iter();
        }
        let decided = resolved.next().unwrap_or(Ok(None)).and_then(|filter| {
            if run.version() < 2.0 {
                conditions.pass_groups(filter.as_ref(), written.as_ref(), any(run, index)?)
            } else {
                conditions.pass(filter.as_ref(), index)
            }
        });
        let item = item.clone().paired_with(index);
        match decided {
            Ok(true) => passed.push(item),
            Ok(false) => failed.push(item),
            Err(_) if run.continues_on_fail() => failed.push(item),
            Err(error) => return Err(error.at_item(index)),
        }
    }
    Ok((passed, failed))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decide(kind: &str, operation: &str, left: Value, right: Value, options: Value) -> Result<bool, NodeError> {
        let filter = json!({
            "combinator": "and", "options": options,
            "conditions": [{"leftValue": left, "rightValue": right, "operator": {"type": kind, "operation": operation}}],
        });
        Conditions::new(chrono_tz::UTC).pass(Some(&filter), 0)
    }

    fn strict(kind: &str, operation: &str, left: Value, right: Value) -> bool {
        decide(kind, operation, left, right, json!({"caseSensitive": true, "typeValidation": "strict"})).unwrap()
    }

    #[test]
    fn texts_are_compared() {
        for (operation, right, expected) in [
            ("equals", "Hello", true),
            ("equals", "hello", false),
            ("notEquals", "hello", true),
            ("contains", "ell", true),
            ("notContains", "ell", false),
            ("startsWith", "He", true),
            ("notStartsWith", "He", false),
            ("endsWith", "lo", true),
            ("notEndsWith", "lo", false),
            ("regex", "/^h.+o$/i", true),
            ("notRegex", "^h", true),
        ] {
            assert_eq!(strict("string", operation, json!("Hello"), json!(right)), expected, "{operation} {right}");
        }
        assert!(strict("string", "empty", json!(""), json!(null)));
        assert!(strict("string", "empty", json!(null), json!(null)));
        assert!(strict("string", "exists", json!(""), json!("")));
        assert!(strict("string", "notExists", json!(null), json!("")));
    }

    #[test]
    fn case_is_folded_unless_the_filter_says_otherwise() {
        let folded = |operation: &str, right: &str| {
            decide("string", operation, json!("Hello"), json!(right), json!({"caseSensitive": false})).unwrap()
        };
        assert!(folded("equals", "HELLO"));
        assert!(folded("endsWith", "LLO"));
        let list = decide("array", "contains", json!(["Red"]), json!("red"), json!({})).unwrap();
        assert!(list);
    }

    #[test]
    fn numbers_dates_and_booleans_are_compared() {
        assert!(strict("number", "gt", json!(3), json!(2.5)));
        assert!(strict("number", "gte", json!(3), json!(3.0)));
        assert!(!strict("number", "lt", json!(3), json!(3)));
        assert!(strict("number", "equals", json!(1), json!(1.0)));
        assert!(strict("number", "empty", json!(null), json!(1)));
        assert!(strict("dateTime", "after", json!("2024-01-02"), json!("2024-01-01T23:00:00Z")));
        assert!(strict("dateTime", "beforeOrEquals", json!("2024-01-02"), json!("2024-01-02T01:00:00+01:00")));
        assert!(!strict("dateTime", "equals", json!(null), json!("2024-01-02")));
        assert!(strict("boolean", "true", json!(true), json!(null)));
        assert!(strict("boolean", "false", json!(null), json!(null)));
        assert!(strict("boolean", "notEquals", json!(true), json!(false)));
    }

    #[test]
    fn lists_and_objects_are_examined() {
        let list = json!([1, "b"]);
        let length = |operation: &str, right: i64| {
            let operator = json!({"type": "array", "operation": operation, "rightType": "number"});
            let condition = json!({"leftValue": list, "rightValue": right, "operator": operator});
            let filter = json!({"conditions": [condition], "combinator": "and"});
            Conditions::new(chrono_tz::UTC).pass(Some(&filter), 0).unwrap()
        };
        assert!(length("lengthEquals", 2) && length("lengthGt", 1) && length("lengthLte", 2) && !length("lengthLt", 2));
        assert!(strict("array", "notEmpty", json!([0]), json!("")));
        assert!(strict("object", "empty", json!({}), json!("")));
        assert!(strict("object", "notEmpty", json!({"a": 1}), json!("")));
    }

    #[test]
    fn strict_types_are_required_and_loose_ones_converted() {
        let error = decide("number", "equals", json!("1"), json!(1), json!({"typeValidation": "strict"})).unwrap_err();
        assert!(error.message.contains("expected a number but found the string '1'"), "{}", error.message);
        assert!(error.description.is_some());
        assert_eq!(error.item_index, Some(0));
        assert_eq!(decide("number", "equals", json!("1"), json!(1), json!({})), Ok(true));
        assert!(decide("number", "equals", json!("one"), json!(1), json!({})).is_err());
    }

    #[test]
    fn loose_booleans_depend_on_the_version_of_the_model() {
        let loose = |left: Value, version: i64| {
            decide("boolean", "true", left, json!(""), json!({"version": version})).unwrap()
        };
        assert!(loose(json!("false"), 1));
        assert!(!loose(json!("false"), 2));
        assert!(loose(json!("yes"), 2));
        assert!(!loose(json!(0), 2));
    }

    #[test]
    fn blank_numbers_are_nothing_from_the_third_version_of_the_model_on() {
        let options = |version: i64, strictness: &str| json!({"version": version, "typeValidation": strictness});
        for blank in [json!(""), json!(" "), json!([])] {
            let exists = |options: Value| decide("number", "exists", blank.clone(), json!(null), options);
            assert_eq!(exists(options(2, "loose")), Ok(true), "{blank}");
            assert!(exists(options(2, "strict")).is_err(), "{blank}");
            assert_eq!(exists(options(3, "loose")), Ok(false), "{blank}");
            assert_eq!(exists(options(3, "strict")), Ok(false), "{blank}");
        }
        assert!(decide("number", "gt", json!("x"), json!(1), options(3, "loose")).is_err());
    }

    #[test]
    fn a_condition_that_does_not_matter_is_not_looked_at() {
        let condition = |left: Value, right: i64| json!({"leftValue": left, "rightValue": right, "operator": {"type": "number", "operation": "equals"}});
        let filter = |combinator: &str, right: i64| json!({"combinator": combinator, "options": {"typeValidation": "strict"}, "conditions": [condition(json!(1), right), condition(json!("x"), 1)]});
        let mut conditions = Conditions::new(chrono_tz::UTC);
        assert_eq!(conditions.pass(Some(&filter("or", 1)), 0), Ok(true));
        assert_eq!(conditions.pass(Some(&filter("and", 2)), 0), Ok(false));
        assert!(conditions.pass(Some(&filter("and", 1)), 0).is_err());
    }
}
