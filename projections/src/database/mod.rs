//! The two databases that rows can be in: SQLite, in a file of the data folder, and PostgreSQL.
//!
//! Folds and questions know neither. Statements are written once, with values numbered `?1`, `?2`, and rendered for one
//! of the two [`Dialect`]s; a table is data, from which everything that is done with it is rendered. Invariant: the same
//! events make the same rows in both.

mod change;
mod postgres;
mod readers;
mod sqlite;
mod table;
mod value;

use rusqlite::ErrorCode;
use tokio_postgres::error::SqlState;

use crate::read_model::Fold;

pub(crate) use change::Change;
pub(crate) use postgres::Postgres;
pub(crate) use readers::{Read, Readers};
pub(crate) use sqlite::Sqlite;
pub(crate) use table::{Column, Index, Kept, Named, Rows, Table, blob, bound, integer, interval, order, quoted, text};
pub(crate) use value::{Cells, FromValue, Kind, Value, damaged};

/// How a database wants to be spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// A schema as it is written for SQLite.
    pub fn schema(self, schema: &str) -> String {
        match self {
            Self::Sqlite => schema.to_owned(),
            Self::Postgres => schema
                .replace(" STRICT, WITHOUT ROWID", "")
                .replace(" INTEGER", " bigint")
                .replace(" BLOB", " bytea")
                // Ordered by its bytes, as in SQLite.
                .replace(" TEXT", " text COLLATE \"C\""),
        }
    }

    /// Makes the transaction wait a moment at most for what somebody else uses.
    pub fn impatient(self) -> &'static str {
        match self {
            // Its readers hold up no writer.
            Self::Sqlite => "",
            Self::Postgres => "SET LOCAL lock_timeout = '200ms'",
        }
    }

    /// A statement whose values are numbered from `before + 1` on.
    fn renumbered(self, sql: &str, before: usize) -> String {
        let mark = match self {
            Self::Sqlite => '?',
            Self::Postgres => '$',
        };
        let mut parts = sql.split(mark);
        let mut renumbered = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let digits = part.find(|character: char| !character.is_ascii_digit()).unwrap_or(part.len());
            let (number, rest) = part.split_at(digits);
            let number = number.parse::<usize>().map_or(String::new(), |number| (number + before).to_string());
            renumbered.push(mark);
            renumbered.push_str(&number);
            renumbered.push_str(rest);
        }
        renumbered
    }

    /// A statement whose values are numbered `?1`, `?2`.
    pub fn statement(self, sql: String) -> String {
        match self {
            Self::Sqlite => sql,
            Self::Postgres => sql.replace('?', "$"),
        }
    }
}

/// Longest statement that a connection keeps prepared, in bytes. Longer ones are many questions together, of which there are
/// as many as there are requests.
const KEPT_BYTES_MAX: usize = 4 << 10;

/// A statement with its values.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    sql: String,
    values: Vec<Value<'static>>,
}

impl Query {
    /// A statement whose values are numbered `?1`, `?2`.
    pub fn new(dialect: Dialect, sql: String, values: Vec<Value<'static>>) -> Self {
        Self { sql: dialect.statement(sql), values }
    }

    /// Many statements as one. Each row begins with the number of the statement that it answers.
    pub fn together(dialect: Dialect, queries: impl IntoIterator<Item = Self>) -> Self {
        let (mut sql, mut values) = (String::new(), Vec::new());
        for (place, query) in queries.into_iter().enumerate() {
            let between = if place == 0 { "" } else { " UNION ALL " };
            let own = dialect.renumbered(&query.sql, values.len());
            // The columns' names are those of the first statement, so that all have the same.
            sql.push_str(&format!("{between}SELECT CAST({place} AS bigint) AS place, answer.* FROM ({own}) AS answer"));
            values.extend(query.values);
        }
        Self { sql, values }
    }

    /// Whether a connection keeps it prepared.
    fn is_kept(&self) -> bool {
        self.sql.len() <= KEPT_BYTES_MAX
    }
}

/// How newest versions are found by their keys. PostgreSQL's statement gives the number of the key first.
#[derive(Debug)]
pub(crate) struct Load {
    pub sql: String,
    pub kinds: Vec<Kind>,
}

/// The connection that writes.
pub(crate) trait Database: Send {
    /// How it is spoken to.
    fn dialect(&self) -> Dialect;
    /// Whether it can be used on after a failure, or has to be opened anew.
    fn outlives_failures(&self) -> bool;
    /// Whether it is still connected, as far as is known without asking.
    fn check(&self) -> Result<(), StorageError>;
    /// Begins a transaction.
    fn begin(&mut self) -> Result<(), StorageError>;
    /// Ends it: all of it is kept.
    fn commit(&mut self) -> Result<(), StorageError>;
    /// Ends it, if one is open: nothing of it is kept.
    fn rollback(&mut self);
    /// Carries out statements without values.
    fn run(&mut self, sql: &str) -> Result<(), StorageError>;
    /// Carries out a statement; how many rows it changed.
    fn execute(&mut self, query: &Query) -> Result<u64, StorageError>;
    /// Reads every row.
    fn query(
        &mut self,
        query: &Query,
        read: &mut dyn FnMut(&mut Cells<'_>) -> Result<(), StorageError>,
    ) -> Result<(), StorageError>;
    /// Gives every fold the newest versions of the rows that it needs.
    fn load(&mut self, folds: &mut [(Load, &mut dyn Fold)]) -> Result<(), StorageError>;
    /// Makes changes in order; how many rows each changed.
    fn write(&mut self, changes: &[Change<'_>]) -> Result<Vec<u64>, WriteError>;
    /// Leaves nothing on the disk of rows that are gone, as far as that is its own to see to.
    fn scrub(&mut self) -> Result<(), StorageError>;
    /// Closes it.
    fn close(self: Box<Self>) -> Result<(), StorageError>;
}

/// A change was not made.
#[derive(Debug)]
pub(crate) struct WriteError {
    /// Which.
    pub change: usize,
    /// Why.
    pub error: StorageError,
}

/// A database failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// SQLite.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL.
    #[error("{}", describe(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// No connection to PostgreSQL was free in time.
    #[error("no connection to PostgreSQL: {0}")]
    Pool(String),
    /// The database is one of something else, or of a newer version.
    #[error("{0}")]
    Foreign(String),
    /// A column does not hold what was written there.
    #[error("{0}: build the rows again with `timeloom projections rebuild`")]
    Damaged(String),
}

/// What PostgreSQL says, which its client keeps in the source of the error.
fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{} ({})", said.message(), said.code().code()),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

impl StorageError {
    /// Whether somebody else uses what was to be changed: it can be changed later.
    pub(crate) fn is_in_use(&self) -> bool {
        matches!(self, Self::Postgres(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE))
    }

    /// Whether there is no such table.
    pub(crate) fn is_missing_table(&self) -> bool {
        matches!(self, Self::Postgres(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE))
    }

    /// Whether the database works and refuses what was to be written: trying it again cannot help.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch)
            ),
            // Data exceptions, integrity constraints, and limits of the program.
            Self::Postgres(error) => error
                .code()
                .map(SqlState::code)
                .is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class))),
            Self::Damaged(_) | Self::Pool(_) | Self::Foreign(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_together_have_numbers_of_their_own() {
        let one = |value: i64| Query::new(Dialect::Postgres, "SELECT ?1, ?2 + ?1".to_owned(), vec![value.into(); 2]);
        let both = Query::together(Dialect::Postgres, [one(1), one(2)]);
        assert_eq!(
            both.sql,
            "SELECT CAST(0 AS bigint) AS place, answer.* FROM (SELECT $1, $2 + $1) AS answer UNION ALL \
             SELECT CAST(1 AS bigint) AS place, answer.* FROM (SELECT $3, $4 + $3) AS answer"
        );
        assert_eq!(both.values.len(), 4);
    }
}
