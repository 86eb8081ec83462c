//! Columns of a table, and what a cell of each type holds.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// Most columns of a table.
pub const COLUMNS_MAX: usize = 100;
/// Longest name of a column, in characters.
pub const COLUMN_CHARACTERS_MAX: usize = 63;
/// Most bytes of a cell.
pub const CELL_BYTES_MAX: usize = 256 << 10;
/// The columns that every row has, and nobody writes.
pub const SYSTEM_COLUMNS: [&str; 3] = ["id", "createdAt", "updatedAt"];

/// The last year that a date can be in: later ones would not sort as text.
const YEAR_MAX: i32 = 9_999;

/// What the cells of a column hold. The names are frozen: events have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Texts.
    String,
    /// Numbers.
    Number,
    /// True or false.
    Boolean,
    /// Moments, to the millisecond.
    Date,
}

/// The text names no [`ColumnType`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no type of a column: use string, number, boolean or date")]
pub struct UnknownColumnType(pub String);

impl ColumnType {
    /// Every type.
    pub const EACH: &'static [Self] = &[Self::String, Self::Number, Self::Boolean, Self::Date];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Date => "date",
        }
    }

    /// A value as a cell of this type holds it: a date as text in UTC to the millisecond, so that dates sort as texts do; null
    /// is an empty cell. `None` when the value is of no such type.
    ///
    /// ```
    /// use serde_json::json;
    /// use timeloom_domain::data_table::ColumnType;
    ///
    /// assert_eq!(ColumnType::Number.cell(&json!("12.5")), Some(json!(12.5)));
    /// assert_eq!(ColumnType::Date.cell(&json!("2026-03-01")), Some(json!("2026-03-01T00:00:00.000Z")));
    /// assert_eq!(ColumnType::Boolean.cell(&json!("perhaps")), None);
    /// ```
    pub fn cell(self, value: &Value) -> Option<Value> {
        match (self, value) {
            (_, Value::Null) => Some(Value::Null),
            // What is not text has no empty text: it is an empty cell.
            (Self::Number | Self::Boolean | Self::Date, Value::String(text)) if text.trim().is_empty() => {
                Some(Value::Null)
            }
            (Self::String, Value::String(_)) | (Self::Number, Value::Number(_)) | (Self::Boolean, Value::Bool(_)) => {
                Some(value.clone())
            }
            (Self::String, Value::Number(_) | Value::Bool(_)) => Some(Value::String(value.to_string())),
            (Self::Number, Value::String(text)) => number(text.trim()).map(Value::Number),
            (Self::Boolean, Value::String(text)) => truth(text.trim()).map(Value::Bool),
            (Self::Boolean, Value::Number(number)) => truth(&number.to_string()).map(Value::Bool),
            (Self::Date, Value::String(text)) => date(text.trim()).and_then(shown).map(Value::String),
            (Self::Date, Value::Number(number)) => {
                let at_ms = number.as_i64().or_else(|| number.as_f64().map(|ms| ms as i64))?;
                DateTime::from_timestamp_millis(at_ms).and_then(shown).map(Value::String)
            }
            _ => None,
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for ColumnType {
    type Err = UnknownColumnType;

    fn from_str(text: &str) -> Result<Self, UnknownColumnType> {
        let found = Self::EACH.iter().find(|known| known.name() == text);
        found.copied().ok_or_else(|| UnknownColumnType(text.chars().take(100).collect()))
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataColumn {
    /// Its name: a letter, then letters, digits and `_`.
    pub name: Arc<str>,
    /// What its cells hold.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
}

impl DataColumn {
    /// Whether a column may be called that.
    pub fn is_name(name: &str) -> bool {
        let begins_well = name.chars().next().is_some_and(|first| first.is_ascii_alphabetic());
        let goes_on_well = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        begins_well && goes_on_well && name.len() <= COLUMN_CHARACTERS_MAX && !SYSTEM_COLUMNS.contains(&name)
    }
}

/// A moment, in milliseconds since 1970, as a cell holds it.
pub fn iso(at_ms: i64) -> String {
    DateTime::from_timestamp_millis(at_ms).and_then(shown).unwrap_or_default()
}

fn shown(at: DateTime<Utc>) -> Option<String> {
    (0..=YEAR_MAX).contains(&at.year()).then(|| at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn number(text: &str) -> Option<Number> {
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => Number::from_f64(text.parse().ok()?),
    }
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A date with or without a time; one that names no zone is in UTC.
fn date(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let timed = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let at = timed.or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))?;
    Some(at.and_utc())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_what_the_column_holds_or_are_told_apart() {
        let cases = [
            (ColumnType::String, json!(7), Some(json!("7"))),
            (ColumnType::String, json!(""), Some(json!(""))),
            (ColumnType::String, json!({"a": 1}), None),
            (ColumnType::Number, json!(" 12 "), Some(json!(12))),
            (ColumnType::Number, json!(""), Some(Value::Null)),
            (ColumnType::Number, json!("twelve"), None),
            (ColumnType::Number, json!("inf"), None),
            (ColumnType::Number, json!(true), None),
            (ColumnType::Boolean, json!("TRUE"), Some(json!(true))),
            (ColumnType::Boolean, json!(0), Some(json!(false))),
            (ColumnType::Boolean, json!(2), None),
            (ColumnType::Date, json!("2026-03-01T10:00:00+02:00"), Some(json!("2026-03-01T08:00:00.000Z"))),
            (ColumnType::Date, json!("2026-03-01 10:00"), Some(json!("2026-03-01T10:00:00.000Z"))),
            (ColumnType::Date, json!(1_500), Some(json!("1970-01-01T00:00:01.500Z"))),
            (ColumnType::Date, json!("tomorrow"), None),
            (ColumnType::Date, json!(i64::MAX), None),
        ];
        for (column_type, value, expected) in cases {
            assert_eq!(column_type.cell(&value), expected, "{value} as {column_type}");
        }
    }

    #[test]
    fn a_name_is_one_that_expressions_can_write() {
        for name in ["a", "name", "Name_2"] {
            assert!(DataColumn::is_name(name), "{name}");
        }
        let long = "x".repeat(COLUMN_CHARACTERS_MAX + 1);
        for name in ["", "2nd", "_a", "a b", "id", "createdAt", "größe", &long] {
            assert!(!DataColumn::is_name(name), "{name}");
        }
    }
}
