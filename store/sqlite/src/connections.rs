//! Connections to the log's file and their settings. One kind writes and checkpoints, the other only reads.

use std::path::PathBuf;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

/// Size of a page of a new file. An append fills several: larger pages mean fewer writes for each commit.
const PAGE_BYTES: u32 = 8 << 10;
/// Pages in the write-ahead log before the writer moves them into the main file.
const CHECKPOINT_PAGES: u32 = 4_000;
/// Size to which the write-ahead log is cut after it grew over it.
const WAL_BYTES_KEPT: u32 = 64 << 20;
/// Kibibytes of pages that the writer keeps.
const WRITER_CACHE_KIB: u32 = 16 << 10;
/// Kibibytes of pages that each reader keeps.
const READER_CACHE_KIB: u32 = 2 << 10;
/// Prepared statements that a connection keeps.
const STATEMENTS_KEPT: usize = 32;

/// The log's file, and how it is opened.
#[derive(Debug, Clone)]
pub(crate) struct LogFile {
    pub(crate) path: PathBuf,
    /// Largest size in pages; `None`: the disk decides.
    pub(crate) pages_max: Option<u32>,
    /// What SQLite reads and writes files with; `None`: the operating system.
    pub(crate) vfs: Option<String>,
}

impl LogFile {
    /// The file at `path`, as large as the disk allows.
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), pages_max: None, vfs: None }
    }

    /// Opens the one connection that writes and checkpoints.
    pub(crate) fn open_writer(&self) -> Result<Connection, rusqlite::Error> {
        let connection = self.open(OpenFlags::default())?;
        connection.execute_batch(&format!(
            "PRAGMA page_size = {PAGE_BYTES};
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};
             PRAGMA journal_size_limit = {WAL_BYTES_KEPT};
             PRAGMA cache_size = -{WRITER_CACHE_KIB};
             PRAGMA temp_store = MEMORY;
             PRAGMA trusted_schema = OFF;
             PRAGMA busy_timeout = 5000;"
        ))?;
        if let Some(pages) = self.pages_max {
            connection.pragma_update(None, "max_page_count", pages)?;
        }
        Ok(connection)
    }

    /// Opens a connection that can only read.
    pub(crate) fn open_reader(&self) -> Result<Connection, rusqlite::Error> {
        let connection = self.open(OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.execute_batch(&format!(
            "PRAGMA query_only = ON;
             PRAGMA wal_autocheckpoint = 0;
             PRAGMA cache_size = -{READER_CACHE_KIB};
             PRAGMA temp_store = MEMORY;
             PRAGMA trusted_schema = OFF;
             PRAGMA busy_timeout = 5000;"
        ))?;
        Ok(connection)
    }

    /// Opens a connection that can only read and leaves the write-ahead log as it finds it, also when it is the last.
    pub(crate) fn open_to_look(&self) -> Result<Connection, rusqlite::Error> {
        let connection = self.open_reader()?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Ok(connection)
    }

    fn open(&self, flags: OpenFlags) -> Result<Connection, rusqlite::Error> {
        let connection = match &self.vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(&self.path, flags, vfs.as_str()),
            None => Connection::open_with_flags(&self.path, flags),
        }?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        Ok(connection)
    }
}
