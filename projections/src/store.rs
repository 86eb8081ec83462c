//! Where read models are kept.

use std::fmt;
use std::path::{Path, PathBuf};

use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How a PostgreSQL database is reached: its parameters as they were read from an address, and how connections are secured.
#[derive(Clone)]
pub struct PostgresPlace {
    /// Host, user, database and the like.
    pub config: Config,
    /// What secures a connection, if the parameters ask for it.
    pub tls: MakeRustlsConnect,
}

/// Where read models are kept.
#[derive(Clone)]
pub enum ReadModelStore {
    /// In SQLite: a file in this folder.
    Folder(PathBuf),
    /// In a PostgreSQL database, in the schema that its `search_path` begins with.
    Postgres(Box<PostgresPlace>),
}

impl fmt::Debug for ReadModelStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => formatter.debug_tuple("Folder").field(folder).finish(),
            // The parameters may hold a password.
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
