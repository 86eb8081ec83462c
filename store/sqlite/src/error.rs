//! What can go wrong with the log's file, in words that say what to do next.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;
use timeloom_store::LogError;

use crate::folder::FolderError;

/// Why SQLite could not do what it was asked for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// No room for more.
    #[error("the disk is full, or the log has reached the size that it is allowed: make room, then try again")]
    Full,
    /// The disk failed.
    #[error("the disk failed ({0}): check the disk and the system's messages")]
    Disk(Arc<rusqlite::Error>),
    /// The file is not what it was.
    #[error("the log's file is damaged ({0}): restore it from a backup")]
    Damaged(Arc<rusqlite::Error>),
    /// The blobs beside the log cannot be written or read.
    #[error("the blobs in {} cannot be used ({error}): check that the folder is there and may be written", path.display())]
    Blobs {
        /// Their folder.
        path: PathBuf,
        /// Why.
        error: Arc<std::io::Error>,
    },
    /// Anything else.
    #[error("SQLite says: {0}")]
    Sqlite(Arc<rusqlite::Error>),
}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            _ if is_misfit(&error) => Self::Damaged(Arc::new(error)),
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::SystemIoFailure) => Self::Disk(Arc::new(error)),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(Arc::new(error)),
            _ => Self::Sqlite(Arc::new(error)),
        }
    }
}

/// Whether a table or a value is not what it was made as: our statements fit our tables, and our values their columns.
fn is_misfit(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::SqlInputError { .. }
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..)
    )
}

/// A failure of SQLite as the port's error.
pub(crate) fn log_error(error: rusqlite::Error) -> LogError {
    LogError::storage(StorageError::from(error))
}

/// A failure of a blob's file as the port's error.
pub(crate) fn blobs_error(path: &Path, error: std::io::Error) -> LogError {
    LogError::storage(match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StorageError::Full,
        _ => StorageError::Blobs { path: path.to_owned(), error: Arc::new(error) },
    })
}

/// Why the log in a folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Written by a build that knows more.
    #[error(
        "data folder {} was written by a newer Timeloom (schema {found}, this build knows up to {known}): run the newer version or give another --data folder",
        path.display()
    )]
    NewerSchema {
        /// The folder.
        path: PathBuf,
        /// What it was written in.
        found: u32,
        /// What this build knows.
        known: u32,
    },
    /// The file belongs to something else.
    #[error("{} is not a Timeloom event log: give another --data folder", path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
    },
    /// There is none.
    #[error("there is no event log in {}: check the path", path.display())]
    NoLog {
        /// The folder.
        path: PathBuf,
    },
    /// A copy that was cut off.
    #[error(
        "{} holds a copy that was not finished: run the `timeloom log` verb that was writing it again, which goes on where it stopped, or delete the folder",
        path.display()
    )]
    UnfinishedCopy {
        /// The folder.
        path: PathBuf,
    },
    /// SQLite could not open or read it.
    #[error("the event log {} cannot be opened: {error}", path.display())]
    Storage {
        /// The file.
        path: PathBuf,
        /// Why.
        error: StorageError,
    },
    /// A file, folder or thread could not be made.
    #[error("{} cannot be used: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}
