//! Rows in SQLite: the file, what version it is of, and the one connection that writes it.
//!
//! Invariant: a file that this build did not make, or that is damaged, is thrown away: its rows are in the log.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, params_from_iter};

use super::value::{Cells, Row, Value};
use super::{Change, Database, Dialect, Load, Query, StorageError, WriteError};
use crate::error::ProjectionError;
use crate::read_model::Fold;

/// Name of the file in the data folder.
pub(crate) const FILE: &str = "read-models.db";
/// Name of the file that builds before this one made beside it.
const FORMER_NEXT_FILE: &str = "read-models.next.db";
/// Version of the file's own layout; each projection's tables have a version of their own.
const LAYOUT_VERSION: i32 = 2;
/// How often the write-ahead log is tried to be emptied, which waits for those who read each time.
const SCRUB_TRIES_MAX: u32 = 5;
/// Statements kept prepared by each connection.
const STATEMENTS: usize = 64;

/// The connection that writes the file.
pub(crate) struct Sqlite {
    connection: Connection,
}

impl Sqlite {
    /// Opens the file in `folder` to write, after throwing it away if it is not one of this build.
    pub fn open(folder: &Path, layout: &str) -> Result<Self, ProjectionError> {
        fs::create_dir_all(folder)?;
        remove(&folder.join(FORMER_NEXT_FILE))?;
        let path = folder.join(FILE);
        match open_current(&path) {
            Ok(Some(connection)) => return Ok(Self { connection }),
            Ok(None) => {
                tracing::info!(path = %path.display(), "read models are of another version and are built again")
            }
            Err(error) if is_damage(&error) => {
                tracing::warn!(path = %path.display(), %error, "read models are damaged and are built again");
            }
            Err(error) => return Err(StorageError::from(error).into()),
        }
        remove(&path)?;
        let connection = open_new(&path, layout).map_err(StorageError::from)?;
        Ok(Self { connection })
    }
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

fn open_new(path: &Path, layout: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    prepare_writer(&connection)?;
    connection.execute_batch(layout)?;
    connection.pragma_update(None, "user_version", LAYOUT_VERSION)?;
    Ok(connection)
}

fn prepare_writer(connection: &Connection) -> rusqlite::Result<()> {
    // Rows can be built again, so a lost last moment costs nothing: no sync at each commit.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// Opens the file to read.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Reads every row of an answer.
pub(super) fn read_all(
    connection: &Connection,
    query: &Query,
    read: &mut dyn FnMut(&mut Cells<'_>) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    if query.is_kept() {
        read_each(&mut *connection.prepare_cached(&query.sql)?, query, read)
    } else {
        read_each(&mut connection.prepare(&query.sql)?, query, read)
    }
}

fn read_each(
    statement: &mut Statement<'_>,
    query: &Query,
    read: &mut dyn FnMut(&mut Cells<'_>) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let mut rows = statement.query(params_from_iter(&query.values))?;
    while let Some(row) = rows.next()? {
        read(&mut Cells::from(Row::Sqlite(row), 0))?;
    }
    Ok(())
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

/// Removes the file with its log and index of it.
fn remove(path: &Path) -> std::io::Result<()> {
    // The database goes first: a log without its database is dropped by SQLite, the reverse would be damage.
    for suffix in ["", "-wal", "-shm"] {
        match fs::remove_file(beside(path, suffix)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

impl Database for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn outlives_failures(&self) -> bool {
        true
    }

    fn check(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn begin(&mut self) -> Result<(), StorageError> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StorageError> {
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    fn rollback(&mut self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::warn!(%error, "a transaction of the read models could not be taken back");
        }
    }

    fn run(&mut self, sql: &str) -> Result<(), StorageError> {
        Ok(self.connection.execute_batch(sql)?)
    }

    fn execute(&mut self, query: &Query) -> Result<u64, StorageError> {
        let changed = self.connection.prepare_cached(&query.sql)?.execute(params_from_iter(&query.values))?;
        Ok(changed as u64)
    }

    fn query(
        &mut self,
        query: &Query,
        read: &mut dyn FnMut(&mut Cells<'_>) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        read_all(&self.connection, query, read)
    }

    fn load(&mut self, folds: &mut [(Load, &mut dyn Fold)]) -> Result<(), StorageError> {
        for (load, fold) in folds {
            let mut statement = self.connection.prepare_cached(&load.sql)?;
            for place in 0..fold.keys() {
                let mut key = Vec::with_capacity(load.kinds.len());
                fold.key(place, &mut key);
                bind(&mut statement, &key)?;
                let mut rows = statement.raw_query();
                if let Some(row) = rows.next()? {
                    fold.loaded(place, &mut Cells::from(Row::Sqlite(row), 0))?;
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, changes: &[Change<'_>]) -> Result<Vec<u64>, WriteError> {
        let write = |change: &Change<'_>| -> Result<u64, StorageError> {
            let mut statement = self.connection.prepare_cached(&change.sql)?;
            let mut changed = 0;
            for row in change.values.chunks_exact(change.kinds.len()) {
                bind(&mut statement, row)?;
                changed += statement.raw_execute()? as u64;
            }
            Ok(changed)
        };
        let numbered = changes.iter().enumerate();
        numbered.map(|(number, change)| write(change).map_err(|error| WriteError { change: number, error })).collect()
    }

    fn scrub(&mut self) -> Result<(), StorageError> {
        // Writes the file anew. What it needs beside it holds only what is there still, and need not be in memory.
        self.connection.flush_prepared_statement_cache();
        let written = self.connection.execute_batch("PRAGMA temp_store = FILE; VACUUM;");
        self.connection.pragma_update(None, "temp_store", "MEMORY")?;
        written?;
        for _ in 0..SCRUB_TRIES_MAX {
            let busy: i64 = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            if busy == 0 {
                return Ok(());
            }
        }
        Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
            Some("somebody reads the rows for long".to_owned()),
        )
        .into())
    }

    fn close(self: Box<Self>) -> Result<(), StorageError> {
        // The last connection leaves nothing in the write-ahead log.
        self.connection.close().map_err(|(_, error)| error.into())
    }
}

fn bind(statement: &mut rusqlite::Statement<'_>, values: &[Value<'_>]) -> rusqlite::Result<()> {
    for (place, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(place + 1, value)?;
    }
    Ok(())
}
