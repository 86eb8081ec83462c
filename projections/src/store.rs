//! Where read models are kept.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where read models are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum ReadModelStore {
    /// In SQLite: a file in this folder.
    Folder(PathBuf),
    /// In the PostgreSQL database at this address, in the schema that its `search_path` begins with.
    Postgres(String),
}

impl fmt::Debug for ReadModelStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => formatter.debug_tuple("Folder").field(folder).finish(),
            // An address may hold a password.
            Self::Postgres(_) => formatter.debug_tuple("Postgres").finish_non_exhaustive(),
        }
    }
}

impl From<&Path> for ReadModelStore {
    fn from(folder: &Path) -> Self {
        Self::Folder(folder.to_owned())
    }
}

impl From<&PathBuf> for ReadModelStore {
    fn from(folder: &PathBuf) -> Self {
        Self::Folder(folder.clone())
    }
}

impl From<&Self> for ReadModelStore {
    fn from(store: &Self) -> Self {
        store.clone()
    }
}
