//! Which rows are meant, and in which order.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::Value;

use super::table::cell_of;
use super::{ColumnType, DataRow, DataTable, DataTableRefusal};

/// Most conditions of a filter.
pub const CONDITIONS_MAX: usize = 50;

/// The words of conditions, for messages.
const WORDS: &str = "eq, neq, like, ilike, gt, gte, lt, lte, isEmpty, isNotEmpty, isTrue, isFalse";
/// What stands for any text in a pattern.
const ANY_TEXT: char = '%';

/// Which rows are meant: those of which all conditions hold, or any. Without conditions it is every row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowFilter {
    /// Whether all conditions must hold; else one is enough.
    pub all: bool,
    /// The conditions.
    pub conditions: Vec<RowCondition>,
}

impl RowFilter {
    /// Whether a row is meant.
    pub fn matches(&self, row: &DataRow) -> bool {
        let mut conditions = self.conditions.iter();
        match self.all || self.conditions.is_empty() {
            true => conditions.all(|condition| condition.holds(row)),
            false => conditions.any(|condition| condition.holds(row)),
        }
    }
}

/// Which rows are asked for, and how many of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowQuestion {
    /// Which rows are meant.
    pub filter: RowFilter,
    /// In which order; `None` = by their numbers.
    pub order: Option<RowOrder>,
    /// How many of them are left out, the first ones.
    pub skip: usize,
    /// How many are wanted at most.
    pub limit: usize,
}

/// What is said of one cell of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowCondition {
    /// The key of the column.
    key: Arc<str>,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Equal(Value),
    /// An empty cell is another one than any value.
    NotEqual(Value),
    Like {
        pattern: String,
        ignores_case: bool,
    },
    /// How the cell may stand to the value. An empty cell stands to nothing.
    Stands(&'static [Ordering], Value),
}

impl RowCondition {
    fn holds(&self, row: &DataRow) -> bool {
        let cell = row.cell(&self.key);
        match &self.test {
            Test::Equal(value) => is_same(&cell, value),
            Test::NotEqual(value) => !is_same(&cell, value),
            Test::Like { pattern, ignores_case } => match (cell.as_str(), ignores_case) {
                (None, _) => false,
                (Some(text), false) => is_like(text, pattern),
                (Some(text), true) => is_like(&text.to_lowercase(), pattern),
            },
            Test::Stands(allowed, value) => standing(&cell, value).is_some_and(|found| allowed.contains(&found)),
        }
    }
}

impl DataTable {
    /// A condition on a column of this table: `eq`, `neq`, `like`, `ilike`, `gt`, `gte`, `lt` or `lte` with a value; `isEmpty`,
    /// `isNotEmpty`, `isTrue` or `isFalse` without. In a pattern `%` stands for any text; one without is looked for anywhere.
    ///
    /// # Errors
    /// [`DataTableRefusal`] for an unknown column or word, and for a value that the column cannot hold.
    pub fn condition(&self, column: &str, word: &str, value: &Value) -> Result<RowCondition, DataTableRefusal> {
        use Ordering::{Equal, Greater, Less};
        let column_type = self.type_of(column)?;
        let wanted = || cell_of(column, column_type, value);
        let stands = |allowed: &'static [Ordering]| match wanted()? {
            Value::Null => Err(DataTableRefusal::NoValue { column: column.to_owned(), condition: word.to_owned() }),
            value => Ok(Test::Stands(allowed, value)),
        };
        let test = match word {
            "eq" => Test::Equal(wanted()?),
            "neq" => Test::NotEqual(wanted()?),
            "isEmpty" => Test::Equal(Value::Null),
            "isNotEmpty" => Test::NotEqual(Value::Null),
            "isTrue" => Test::Equal(Value::Bool(true)),
            "isFalse" => Test::Equal(Value::Bool(false)),
            "gt" => stands(&[Greater])?,
            "gte" => stands(&[Greater, Equal])?,
            "lt" => stands(&[Less])?,
            "lte" => stands(&[Less, Equal])?,
            "like" | "ilike" => match (column_type, value) {
                (ColumnType::String, Value::String(pattern)) => pattern_of(pattern, word == "ilike"),
                _ => return Err(DataTableRefusal::NotText(column.to_owned())),
            },
            _ => return Err(DataTableRefusal::UnknownCondition { found: word.to_owned(), known: WORDS }),
        };
        Ok(RowCondition { key: Arc::from(self.key(column)), test })
    }

    /// An order of rows by a column of this table.
    ///
    /// # Errors
    /// [`DataTableRefusal::UnknownColumn`].
    pub fn order(&self, column: &str, descending: bool) -> Result<RowOrder, DataTableRefusal> {
        self.type_of(column)?;
        Ok(RowOrder { key: Arc::from(self.key(column)), descending })
    }
}

fn pattern_of(pattern: &str, ignores_case: bool) -> Test {
    let pattern =
        if pattern.contains(ANY_TEXT) { pattern.to_owned() } else { format!("{ANY_TEXT}{pattern}{ANY_TEXT}") };
    Test::Like { pattern: if ignores_case { pattern.to_lowercase() } else { pattern }, ignores_case }
}

/// The order in which rows are given: by one column, empty cells last, and rows with the same by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowOrder {
    /// The key of the column.
    key: Arc<str>,
    descending: bool,
}

impl RowOrder {
    /// Which of two rows comes first.
    pub fn compare(&self, one: &DataRow, other: &DataRow) -> Ordering {
        let (left, right): (Cow<'_, Value>, Cow<'_, Value>) = (one.cell(&self.key), other.cell(&self.key));
        let by_cell = match (left.is_null(), right.is_null()) {
            (false, false) => {
                let ascending = standing(&left, &right).unwrap_or(Ordering::Equal);
                if self.descending { ascending.reverse() } else { ascending }
            }
            (one_is_empty, other_is_empty) => one_is_empty.cmp(&other_is_empty),
        };
        by_cell.then_with(|| one.id.cmp(&other.id))
    }
}

/// How a value stands to another of the same type.
fn standing(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64()?.partial_cmp(&other.as_f64()?),
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

/// Numbers are the same however they are written.
fn is_same(one: &Value, other: &Value) -> bool {
    one == other || standing(one, other) == Some(Ordering::Equal)
}

/// Whether a text is what a pattern with [`ANY_TEXT`] says.
fn is_like(text: &str, pattern: &str) -> bool {
    let Some((beginning, rest)) = pattern.split_once(ANY_TEXT) else { return text == pattern };
    let Some(mut left) = text.strip_prefix(beginning) else { return false };
    let mut parts: Vec<&str> = rest.split(ANY_TEXT).collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, after)) = left.split_once(part) else { return false };
        left = after;
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_says_where_any_text_may_be() {
        for (pattern, text, expected) in [
            ("a%", "abc", true),
            ("a%", "cab", false),
            ("%c", "abc", true),
            ("a%c", "ac", true),
            ("a%a", "a", false),
            ("%b%", "abc", true),
            ("a%b%c", "a-b-b-c", true),
            ("a%b%c", "a-c-b", false),
            ("%%", "", true),
            ("ä%ö", "ä und ö", true),
            ("_", "a", false),
        ] {
            assert_eq!(is_like(text, pattern), expected, "'{text}' is like '{pattern}'");
        }
    }
}
