//! What can go wrong with the database, in words that say what to do next.

use std::sync::Arc;

use timeloom_store::LogError;
use tokio_postgres::error::SqlState;

use crate::connect::{AddressError, describe};

/// Why PostgreSQL could not do what it was asked for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PostgresError {
    /// No connection, or it was lost.
    #[error("the database cannot be reached ({0}): check that it runs and that the address is right")]
    Unreachable(String),
    /// It takes connections, but cannot do this now.
    #[error("the database cannot do this now ({0}): try again")]
    Busy(String),
    /// No room for more.
    #[error("the database's disk is full: make room, then try again")]
    Full,
    /// The role may not do what the log needs.
    #[error("the database refuses ({0}): the log needs the role that made its tables")]
    Denied(String),
    /// What is stored is not what it was.
    #[error("the database is damaged ({0}): restore it from a backup")]
    Damaged(String),
    /// Anything else.
    #[error("PostgreSQL says: {0}")]
    Other(String),
}

/// What a failure means for whoever meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The connection is gone, or leads to a server that cannot write: a new one is needed, and what was sent may have happened.
    Connection,
    /// The statement did not happen, and may go well when it is tried again.
    Transient,
    /// A unique index refused it.
    Taken,
    /// It goes wrong again.
    Lasting,
}

/// What `error` means.
pub(crate) fn kind(error: &tokio_postgres::Error) -> Kind {
    let Some(state) = error.code() else {
        // Not an answer of the server: the connection, except for values that the client could not write or read.
        let ours =
            describe(error).starts_with("error serializing") || describe(error).starts_with("error deserializing");
        return if ours { Kind::Lasting } else { Kind::Connection };
    };
    match *state {
        SqlState::UNIQUE_VIOLATION => Kind::Taken,
        SqlState::LOCK_NOT_AVAILABLE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::QUERY_CANCELED => Kind::Transient,
        // A standby took the place of the server, or is about to.
        SqlState::READ_ONLY_SQL_TRANSACTION
        | SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        | SqlState::TOO_MANY_CONNECTIONS => Kind::Connection,
        _ if state.code().starts_with("08") => Kind::Connection,
        _ => Kind::Lasting,
    }
}

impl From<tokio_postgres::Error> for PostgresError {
    fn from(error: tokio_postgres::Error) -> Self {
        let text = describe(&error);
        match (kind(&error), error.code()) {
            (Kind::Connection, _) => Self::Unreachable(text),
            (Kind::Transient, _) => Self::Busy(text),
            (_, Some(state)) if *state == SqlState::DISK_FULL => Self::Full,
            (_, Some(state)) if *state == SqlState::INSUFFICIENT_PRIVILEGE => Self::Denied(text),
            (_, Some(state)) if *state == SqlState::DATA_CORRUPTED || *state == SqlState::INDEX_CORRUPTED => {
                Self::Damaged(text)
            }
            _ => Self::Other(text),
        }
    }
}

/// A failure of the database as the port's error.
pub(crate) fn log_error(error: tokio_postgres::Error) -> LogError {
    LogError::Storage(Arc::new(PostgresError::from(error)))
}

/// A failure to get a connection as the port's error.
pub(crate) fn pool_error(error: deadpool_postgres::PoolError) -> LogError {
    let failure = match error {
        deadpool_postgres::PoolError::Backend(error) => PostgresError::from(error),
        deadpool_postgres::PoolError::Closed => return LogError::Closed,
        deadpool_postgres::PoolError::Timeout(_) => PostgresError::Busy("every connection is in use".to_owned()),
        other => PostgresError::Unreachable(describe(&other)),
    };
    LogError::Storage(Arc::new(failure))
}

/// Why the log in a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is wrong.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The database cannot be used.
    #[error("the event log in {address} cannot be opened: {error}")]
    Database {
        /// Where.
        address: String,
        /// Why.
        error: PostgresError,
    },
    /// The database is one that the log cannot live in.
    #[error("{address} cannot hold an event log: {reason}")]
    Unfit {
        /// Where.
        address: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// The tables belong to something else.
    #[error(
        "schema '{schema}' of {address} has a table '{table}' that is not of a Timeloom event log: give another database, or another schema by ?options=-csearch_path%3DNAME"
    )]
    NotALog {
        /// Where.
        address: String,
        /// The schema.
        schema: String,
        /// The table.
        table: String,
    },
    /// Written by a build that knows more.
    #[error(
        "the event log in {address} was written by a newer Timeloom (schema {found}, this build knows up to {known}): run the newer version or give another database"
    )]
    NewerSchema {
        /// Where.
        address: String,
        /// What it was written in.
        found: u32,
        /// What this build knows.
        known: u32,
    },
    /// There is none.
    #[error("there is no event log in {address}: check the address and the schema")]
    NoLog {
        /// Where.
        address: String,
    },
    /// A copy into it did not come to its end.
    #[error(
        "the event log in {address} is an unfinished copy: run the same `timeloom log copy` again, it goes on where it stopped"
    )]
    UnfinishedCopy {
        /// Where.
        address: String,
    },
}
