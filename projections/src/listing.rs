//! The two questions that every table of row versions answers the same way: one row, and a page of rows newest first.
//!
//! Both as of any position, in time that does not depend on how many rows or versions there are: a page walks the index
//! of newest versions by creation, and finds each row's version at the asked position by the primary key.

use rusqlite::types::{ToSql, Value};
use rusqlite::{Connection, Row, params_from_iter};
use timeloom_domain::ids::TenantId;
use timeloom_store::Position;

use crate::page::AsOf;

/// A table of row versions with columns `tenant`, `created_position`, `from_position` and `to_position`.
pub(crate) struct Table {
    /// Its name.
    pub name: &'static str,
    /// The column that, with the tenant, finds a row.
    pub key: &'static str,
    /// Columns to read, in order.
    pub columns: &'static [&'static str],
}

/// Which rows a page is made of.
pub(crate) struct Rows {
    /// Whose.
    pub tenant: TenantId,
    /// As of when.
    pub as_of: AsOf,
    /// Created at or before this position.
    pub newest: u64,
    /// At most so many.
    pub limit: usize,
    /// The index to walk: it holds exactly the newest version of every row, by what the condition needs, then by creation.
    pub index: &'static str,
    /// Further conditions, over the aliases `newest` and `version`, each with one `?`.
    pub conditions: Vec<(&'static str, Value)>,
}

/// A position as SQLite holds it; beyond that there is none.
pub(crate) fn stored(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

/// The last position that counts.
pub(crate) fn bound(as_of: AsOf) -> i64 {
    stored(as_of.unwrap_or(Position(u64::MAX)).0)
}

impl Table {
    /// The version of one row that held at `as_of`.
    pub fn one<R>(
        &self,
        connection: &Connection,
        (tenant, key): (TenantId, &dyn ToSql),
        as_of: AsOf,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<R>,
    ) -> rusqlite::Result<Option<R>> {
        let sql = format!(
            "SELECT {} FROM {} AS version WHERE tenant = ?1 AND {} = ?2 AND from_position <= ?3 \
             ORDER BY from_position DESC LIMIT 1",
            self.selected(),
            self.name,
            self.key,
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query((tenant.0, key, bound(as_of)))?;
        rows.next()?.map(read).transpose()
    }

    /// A page of rows, newest first.
    pub fn page<R>(
        &self,
        connection: &Connection,
        rows: Rows,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<R>,
    ) -> rusqlite::Result<Vec<R>> {
        let mut parameters = Vec::with_capacity(rows.conditions.len() + 4);
        let version = match rows.as_of {
            None => String::new(),
            Some(as_of) => {
                parameters.push(Value::Integer(stored(as_of.0)));
                self.version_join()
            }
        };
        // Without a moment the newest version is the one wanted, and has both names.
        let newest = if rows.as_of.is_some() { "newest" } else { "version" };
        parameters.extend([Value::Integer(rows.tenant.0.into()), Value::Integer(stored(rows.newest))]);
        let mut sql = format!(
            "SELECT {} FROM {} AS {newest} INDEXED BY {} {version} WHERE {newest}.tenant = ? \
             AND {newest}.to_position IS NULL AND {newest}.created_position <= ?",
            self.selected(),
            self.name,
            rows.index,
        );
        for (condition, value) in rows.conditions {
            sql.push_str(" AND ");
            sql.push_str(&condition.replace("newest.", &format!("{newest}.")));
            parameters.push(value);
        }
        sql.push_str(&format!(" ORDER BY {newest}.created_position DESC LIMIT ?"));
        parameters.push(Value::Integer(stored(rows.limit as u64)));
        let mut statement = connection.prepare_cached(&sql)?;
        statement.query_map(params_from_iter(parameters), read)?.collect()
    }

    fn version_join(&self) -> String {
        let Self { name, key, .. } = self;
        format!(
            "CROSS JOIN {name} AS version ON version.tenant = newest.tenant AND version.{key} = newest.{key} \
             AND version.from_position = (SELECT max(earlier.from_position) FROM {name} AS earlier \
             WHERE earlier.tenant = newest.tenant AND earlier.{key} = newest.{key} AND earlier.from_position <= ?)"
        )
    }

    /// The columns, of the alias `version`.
    pub fn selected(&self) -> String {
        let columns: Vec<String> = self.columns.iter().map(|column| format!("version.{column}")).collect();
        columns.join(", ")
    }
}

/// What [`from_json`] and [`word`] answer when a column does not hold what this crate wrote there.
pub(crate) fn damaged(column: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error.into())
}

/// A column that holds JSON text.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| damaged(column, error))
}

/// JSON text for a column.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// A column that holds one of these words.
pub(crate) fn word<T: Copy>(row: &Row<'_>, column: usize, words: &[(T, &str)]) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    let found = words.iter().find(|(_, word)| *word == text).map(|(value, _)| *value);
    found.ok_or_else(|| damaged(column, format!("unknown word '{text}'")))
}

/// A column that holds a UUID.
pub(crate) fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<uuid::Uuid> {
    uuid::Uuid::from_slice(row.get_ref(column)?.as_blob()?).map_err(|error| damaged(column, error))
}
