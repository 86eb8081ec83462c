//! One statement that is carried out for many rows of values at once.
//!
//! SQLite is given a row at a time, which costs it nothing; PostgreSQL an array of every column, so that any number of
//! rows is one statement.

use super::Dialect;
use super::table::{Column, join, names};
use super::value::{Kind, Value};

/// One statement that is carried out for many rows of values at once.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    pub sql: String,
    /// What each value of a row is.
    pub kinds: Vec<Kind>,
    /// The rows, one after the other.
    pub values: Vec<Value<'a>>,
}

impl Change<'_> {
    /// Inserts rows of these columns. `then` is what follows the rows.
    pub fn insert(dialect: Dialect, table: &str, columns: &[Column], then: &str) -> Self {
        let kinds = kinds(columns);
        let rows = match dialect {
            Dialect::Sqlite => format!("VALUES ({})", numbered("?", 1..=columns.len())),
            Dialect::Postgres => format!("SELECT * FROM {}", unnested(&kinds)),
        };
        Self::new(format!("INSERT INTO {table} ({}) {rows}{then}", names(columns)), kinds)
    }

    /// Sets columns of the rows with these keys: a row of values is the key, then what is set.
    pub fn update(dialect: Dialect, table: &str, key: &[Column], set: &[Column]) -> Self {
        let columns = [key, set].concat();
        let value = |place: usize| match dialect {
            Dialect::Sqlite => format!("?{place}"),
            Dialect::Postgres => format!("change.c{place}"),
        };
        let set =
            set.iter().enumerate().map(|(place, column)| format!("{} = {}", column.name, value(key.len() + place + 1)));
        let set = join(set, ", ");
        let from = changed_rows(dialect, &columns, "FROM");
        Self::new(
            format!("UPDATE {table} AS present SET {set}{from} WHERE {}", with_key(dialect, key)),
            kinds(&columns),
        )
    }

    /// Deletes the rows with these keys.
    pub fn delete(dialect: Dialect, table: &str, key: &[Column]) -> Self {
        let using = changed_rows(dialect, key, "USING");
        Self::new(format!("DELETE FROM {table} AS present{using} WHERE {}", with_key(dialect, key)), kinds(key))
    }

    fn new(sql: String, kinds: Vec<Kind>) -> Self {
        Self { sql, kinds, values: Vec::new() }
    }
}

/// Where PostgreSQL finds the rows of values, as `change` with columns `c1`, `c2`.
fn changed_rows(dialect: Dialect, columns: &[Column], word: &str) -> String {
    match dialect {
        Dialect::Sqlite => String::new(),
        Dialect::Postgres => {
            format!(" {word} {} AS change ({})", unnested(&kinds(columns)), numbered("c", 1..=columns.len()))
        }
    }
}

fn with_key(dialect: Dialect, key: &[Column]) -> String {
    let conditions = key.iter().enumerate().map(|(place, column)| match dialect {
        Dialect::Sqlite => format!("present.{} = ?{}", column.name, place + 1),
        Dialect::Postgres => format!("present.{} = change.c{}", column.name, place + 1),
    });
    join(conditions, " AND ")
}

/// What columns hold.
pub(super) fn kinds(columns: &[Column]) -> Vec<Kind> {
    columns.iter().map(|column| column.kind).collect()
}

/// Arrays of values as a table that PostgreSQL reads.
pub(super) fn unnested(kinds: &[Kind]) -> String {
    let arrays = kinds.iter().enumerate().map(|(place, kind)| {
        let element = match kind {
            Kind::Integer => "bigint",
            Kind::Text => "text",
            Kind::Blob => "bytea",
        };
        format!("${}::{element}[]", place + 1)
    });
    format!("unnest({})", join(arrays, ", "))
}

/// `?1, ?2, ?3`.
fn numbered(before: &str, numbers: std::ops::RangeInclusive<usize>) -> String {
    join(numbers.map(|number| format!("{before}{number}")), ", ")
}
