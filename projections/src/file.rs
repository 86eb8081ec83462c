//! The read models' file: how it is opened, what version it is of, how another takes its place.
//!
//! Invariant: a file that this build did not make, or that is damaged, is thrown away: its rows are in the log.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::ProjectionError;

/// Name of the file in the data folder.
pub(crate) const FILE: &str = "read-models.db";
/// Name of the file that is built beside it.
pub(crate) const NEXT_FILE: &str = "read-models.next.db";
/// Version of the file's own layout; each projection's tables have a version of their own.
const LAYOUT_VERSION: i32 = 1;
/// Statements kept prepared by each connection.
const STATEMENTS: usize = 64;

const LAYOUT: &str = "
    CREATE TABLE projections (
        name           TEXT    NOT NULL PRIMARY KEY,
        definition     TEXT    NOT NULL,
        position       INTEGER NOT NULL,
        error          TEXT,
        error_position INTEGER
    ) STRICT, WITHOUT ROWID;";

/// Opens the file to write, after throwing it away if it is not one of this build.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, ProjectionError> {
    match open_current(path) {
        Ok(Some(connection)) => return Ok(connection),
        Ok(None) => tracing::info!(path = %path.display(), "read models are of another version and are built again"),
        Err(error) if is_damage(&error) => {
            tracing::warn!(path = %path.display(), %error, "read models are damaged and are built again");
        }
        Err(error) => return Err(error.into()),
    }
    remove(path)?;
    let connection = Connection::open(path)?;
    prepare_writer(&connection)?;
    connection.execute_batch(LAYOUT)?;
    connection.pragma_update(None, "user_version", LAYOUT_VERSION)?;
    Ok(connection)
}

fn open_current(path: &Path) -> rusqlite::Result<Option<Connection>> {
    let connection = Connection::open(path)?;
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != LAYOUT_VERSION {
        return Ok(None);
    }
    prepare_writer(&connection)?;
    Ok(Some(connection))
}

fn prepare_writer(connection: &Connection) -> rusqlite::Result<()> {
    // Rows can be built again, so a lost last moment costs nothing: no sync at each commit.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// Opens the file to read.
pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

/// Removes the file with its log and index of it.
pub(crate) fn remove(path: &Path) -> std::io::Result<()> {
    // The database goes first: a log without its database is dropped by SQLite, the reverse would be damage.
    for suffix in ["", "-wal", "-shm"] {
        match fs::remove_file(beside(path, suffix)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Puts the file built beside in the place of the present one. Nobody may have either open.
pub(crate) fn swap(folder: &Path) -> Result<(), ProjectionError> {
    let (present, next) = (folder.join(FILE), folder.join(NEXT_FILE));
    if beside(&present, "-wal").exists() {
        // Left by a crash: it must not be taken for the log of the new file.
        remove(&present)?;
    }
    fs::File::open(&next)?.sync_all()?;
    fs::rename(&next, &present)?;
    fs::File::open(folder)?.sync_all()?;
    Ok(())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
