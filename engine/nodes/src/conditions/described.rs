//! What forms need to know of conditions: the operators by type, and the groups of version 1.

use timeloom_domain::catalogue::{Choice, Operator, ParameterDefinition, ParameterKind, Section};

use crate::describe::{choice, many, number, options, switch, text};

/// A comparison with a right side of that type.
const fn with(
    value_type: &'static str,
    operation: &'static str,
    label: &'static str,
    right_type: &'static str,
) -> Operator {
    Operator { value_type, operation, label, right_type: Some(right_type) }
}

/// A comparison without a right side.
const fn alone(value_type: &'static str, operation: &'static str, label: &'static str) -> Operator {
    Operator { value_type, operation, label, right_type: None }
}

/// All comparisons.
pub(crate) const OPERATORS: &[Operator] = &[
    alone("string", "exists", "exists"),
    alone("string", "notExists", "does not exist"),
    alone("string", "empty", "is empty"),
    alone("string", "notEmpty", "is not empty"),
    with("string", "equals", "is equal to", "string"),
    with("string", "notEquals", "is not equal to", "string"),
    with("string", "contains", "contains", "string"),
    with("string", "notContains", "does not contain", "string"),
    with("string", "startsWith", "starts with", "string"),
    with("string", "notStartsWith", "does not start with", "string"),
    with("string", "endsWith", "ends with", "string"),
    with("string", "notEndsWith", "does not end with", "string"),
    with("string", "regex", "matches the pattern", "string"),
    with("string", "notRegex", "does not match the pattern", "string"),
    alone("number", "exists", "exists"),
    alone("number", "notExists", "does not exist"),
    alone("number", "empty", "is empty"),
    alone("number", "notEmpty", "is not empty"),
    with("number", "equals", "is equal to", "number"),
    with("number", "notEquals", "is not equal to", "number"),
    with("number", "gt", "is greater than", "number"),
    with("number", "lt", "is less than", "number"),
    with("number", "gte", "is greater than or equal to", "number"),
    with("number", "lte", "is less than or equal to", "number"),
    alone("dateTime", "exists", "exists"),
    alone("dateTime", "notExists", "does not exist"),
    alone("dateTime", "empty", "is empty"),
    alone("dateTime", "notEmpty", "is not empty"),
    with("dateTime", "equals", "is equal to", "dateTime"),
    with("dateTime", "notEquals", "is not equal to", "dateTime"),
    with("dateTime", "after", "is after", "dateTime"),
    with("dateTime", "before", "is before", "dateTime"),
    with("dateTime", "afterOrEquals", "is after or equal to", "dateTime"),
    with("dateTime", "beforeOrEquals", "is before or equal to", "dateTime"),
    alone("boolean", "exists", "exists"),
    alone("boolean", "notExists", "does not exist"),
    alone("boolean", "empty", "is empty"),
    alone("boolean", "notEmpty", "is not empty"),
    alone("boolean", "true", "is true"),
    alone("boolean", "false", "is false"),
    with("boolean", "equals", "is equal to", "boolean"),
    with("boolean", "notEquals", "is not equal to", "boolean"),
    alone("array", "exists", "exists"),
    alone("array", "notExists", "does not exist"),
    alone("array", "empty", "is empty"),
    alone("array", "notEmpty", "is not empty"),
    with("array", "contains", "contains", "any"),
    with("array", "notContains", "does not contain", "any"),
    with("array", "lengthEquals", "length equal to", "number"),
    with("array", "lengthNotEquals", "length not equal to", "number"),
    with("array", "lengthGt", "length greater than", "number"),
    with("array", "lengthLt", "length less than", "number"),
    with("array", "lengthGte", "length greater than or equal to", "number"),
    with("array", "lengthLte", "length less than or equal to", "number"),
    alone("object", "exists", "exists"),
    alone("object", "notExists", "does not exist"),
    alone("object", "empty", "is empty"),
    alone("object", "notEmpty", "is not empty"),
];

/// The comparisons of a node, without any: they hold. The number is that of the way in which values are read.
const fn comparisons(default: &'static str) -> ParameterDefinition {
    ParameterDefinition::new("conditions", ParameterKind::Conditions(OPERATORS), "The comparisons.").or_json(default)
}

const NONE_1: &str = r#"{"options": {"caseSensitive": true, "leftValue": "", "typeValidation": "strict", "version": 1}, "combinator": "and", "conditions": []}"#;
const NONE_2: &str = r#"{"options": {"caseSensitive": true, "leftValue": "", "typeValidation": "strict", "version": 2}, "combinator": "and", "conditions": []}"#;
const NONE_3: &str = r#"{"options": {"caseSensitive": true, "leftValue": "", "typeValidation": "strict", "version": 3}, "combinator": "and", "conditions": []}"#;

/// Comparisons by the first way to read values.
pub(crate) const FIRST: ParameterDefinition = comparisons(NONE_1);
/// By the second: texts such as `false` are false.
pub(crate) const SECOND: ParameterDefinition = comparisons(NONE_2);
/// By the third: blanks are no numbers.
pub(crate) const THIRD: ParameterDefinition = comparisons(NONE_3);

/// Comparisons of booleans of the first versions.
pub(crate) const OF_BOOLEANS: &[Choice] = &[choice("equal", "is equal to"), choice("notEqual", "is not equal to")];
/// Of dates.
pub(crate) const OF_DATES: &[Choice] = &[choice("after", "is after"), choice("before", "is before")];
/// Of numbers.
pub(crate) const OF_NUMBERS: &[Choice] = &[
    choice("smaller", "is smaller than"),
    choice("smallerEqual", "is smaller than or equal to"),
    choice("equal", "is equal to"),
    choice("notEqual", "is not equal to"),
    choice("larger", "is larger than"),
    choice("largerEqual", "is larger than or equal to"),
    choice("isEmpty", "is empty"),
    choice("isNotEmpty", "is not empty"),
];
/// Of texts.
pub(crate) const OF_TEXTS: &[Choice] = &[
    choice("contains", "contains"),
    choice("notContains", "does not contain"),
    choice("endsWith", "ends with"),
    choice("notEndsWith", "does not end with"),
    choice("equal", "is equal to"),
    choice("notEqual", "is not equal to"),
    choice("regex", "matches the pattern"),
    choice("notRegex", "does not match the pattern"),
    choice("startsWith", "starts with"),
    choice("notStartsWith", "does not start with"),
    choice("isEmpty", "is empty"),
    choice("isNotEmpty", "is not empty"),
];

/// The groups of conditions of version 1.
pub(crate) const GROUPS: &[Section] = &[
    many(
        "boolean",
        "Boolean",
        &[
            switch("value1", "The value.").called("Value 1").or_false(),
            options("operation", OF_BOOLEANS, "The comparison.").or_text("equal"),
            switch("value2", "The value to compare with.").called("Value 2").or_false(),
        ],
    ),
    many(
        "dateTime",
        "Date & time",
        &[
            text("value1", "The date.").called("Value 1"),
            options("operation", OF_DATES, "The comparison.").or_text("after"),
            text("value2", "The date to compare with.").called("Value 2"),
        ],
    ),
    many(
        "number",
        "Number",
        &[
            number("value1", "The value.").called("Value 1").or_number(0.0),
            options("operation", OF_NUMBERS, "The comparison.").or_text("smaller"),
            number("value2", "The value to compare with.").called("Value 2").or_number(0.0),
        ],
    ),
    many(
        "string",
        "String",
        &[
            text("value1", "The value.").called("Value 1").or_text(""),
            options("operation", OF_TEXTS, "The comparison.").or_text("equal"),
            text("value2", "The value to compare with.").called("Value 2").or_text(""),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Conditions;
    use super::*;

    #[test]
    fn every_operator_of_a_form_is_known() {
        for Operator { value_type, operation, right_type, .. } in OPERATORS {
            let operator = json!({"type": value_type, "operation": operation, "singleValue": right_type.is_none()});
            let filter = json!({"conditions": [{"leftValue": null, "rightValue": null, "operator": operator}]});
            let decided = Conditions::new(chrono_tz::UTC).pass(Some(&filter), 0);
            assert!(decided.is_ok(), "{value_type} {operation}: {decided:?}");
        }
    }
}
