//! The tree over the log's leaves, and the checkpoints that were signed, in a file of the data folder. The tree can be made
//! again from the log; the checkpoints cannot, so a file that is damaged is put aside, never thrown away.
//!
//! Invariant: exactly one connection writes.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use timeloom_store::proofs::{CHECKPOINTS_READ_MAX, Growth, StoredCheckpoint, TileId, TreeStore};
use timeloom_store::{Direction, LogError, Position};

use crate::error::{OpenError, StorageError, log_error};
use crate::folder::DataFolder;
use crate::recorded::{signed, unsigned};

/// Name of the file in a data folder.
const FILE: &str = "audit.db";
/// What is added to its name when it is put aside.
const ASIDE: &str = ".damaged";
/// Marks the file as ours: `TAud` in ASCII.
const APPLICATION_ID: u32 = 0x5441_7564;
/// Version of the tables.
const SCHEMA_VERSION: u32 = 1;
/// Size to which the write-ahead log is cut after it grew over it.
const WAL_BYTES_KEPT: u32 = 8 << 20;

const TABLES: &str = "
CREATE TABLE tree (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    size     INTEGER NOT NULL -- how many leaves it has
) STRICT;
INSERT INTO tree (only_row, size) VALUES (1, 0);
-- Hashes of nodes of the levels 0, 8, 16 and so on, 256 in a row.
CREATE TABLE tree_tiles (
    level  INTEGER NOT NULL, -- 0 for leaves, 1 for the roots of 256 of them, and so on
    tile   INTEGER NOT NULL,
    hashes BLOB    NOT NULL,
    PRIMARY KEY (level, tile)
) STRICT;
CREATE TABLE checkpoints (
    size INTEGER PRIMARY KEY,
    note TEXT    NOT NULL -- a signed note
) STRICT;
";

/// A [`TreeStore`] in a file of a data folder.
#[derive(Debug)]
pub struct SqliteTree {
    connection: Arc<Mutex<Connection>>,
    /// The folder belongs to this process as long as this is used.
    _folder: Arc<DataFolder>,
}

impl SqliteTree {
    /// Opens the tree of a data folder, or begins it.
    ///
    /// # Errors
    /// [`OpenError`] when the file can be neither used nor put aside, or was written by a newer version.
    pub fn open(folder: Arc<DataFolder>) -> Result<Arc<Self>, OpenError> {
        let path = folder.path().join(FILE);
        let failed =
            |error: rusqlite::Error| OpenError::Storage { path: path.clone(), error: StorageError::from(error) };
        let connection = match open(&path) {
            Ok(connection) => connection,
            Err(error) => {
                let aside = aside(&path).map_err(|error| OpenError::Io { path: path.clone(), error })?;
                tracing::error!(
                    file = %path.display(), aside = %aside.display(), %error,
                    "the tree over the log cannot be read: it is put aside with the checkpoints in it, and made again"
                );
                open(&path).map_err(failed)?
            }
        };
        Ok(Arc::new(Self { connection: Arc::new(Mutex::new(connection)), _folder: folder }))
    }

    /// Whether a data folder has one.
    pub fn is_in(folder: &DataFolder) -> bool {
        folder.path().join(FILE).exists()
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LogError> {
        let connection = Arc::clone(&self.connection);
        let worked = tokio::task::spawn_blocking(move || {
            work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner)).map_err(log_error)
        });
        worked.await.map_err(LogError::storage)?
    }
}

#[async_trait]
impl TreeStore for SqliteTree {
    async fn size(&self) -> Result<u64, LogError> {
        self.work(|connection| size(connection)).await
    }

    async fn tiles(&self, wanted: Vec<TileId>) -> Result<HashMap<TileId, Vec<[u8; 32]>>, LogError> {
        let read = self.work(move |connection| {
            let sql = "SELECT hashes FROM tree_tiles WHERE level = ?1 AND tile = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let mut tiles: Vec<(TileId, Vec<u8>)> = Vec::with_capacity(wanted.len());
            for tile in wanted {
                let hashes =
                    statement.query_row(params![tile.level, signed(tile.index)], |row| row.get(0)).optional()?;
                tiles.extend(hashes.map(|hashes| (tile, hashes)));
            }
            Ok(tiles)
        });
        let whole = |(tile, bytes): (TileId, Vec<u8>)| match bytes.as_chunks() {
            (hashes, []) => Ok((tile, hashes.to_vec())),
            _ => Err(LogError::Corrupt { position: Position(tile.index), detail: "a tile is not whole".to_owned() }),
        };
        read.await?.into_iter().map(whole).collect()
    }

    async fn grow(&self, growth: Growth) -> Result<bool, LogError> {
        self.work(move |connection| {
            let transaction = connection.transaction()?;
            if size(&transaction)? != growth.from {
                return Ok(false);
            }
            {
                let sql = "INSERT INTO tree_tiles (level, tile, hashes) VALUES (?1, ?2, ?3) \
                           ON CONFLICT (level, tile) DO UPDATE SET hashes = excluded.hashes";
                let mut statement = transaction.prepare_cached(sql)?;
                for (tile, hashes) in &growth.tiles {
                    statement.execute(params![tile.level, signed(tile.index), hashes.as_flattened()])?;
                }
            }
            transaction.execute("UPDATE tree SET size = ?1", [signed(growth.to)])?;
            transaction.commit()?;
            Ok(true)
        })
        .await
    }

    async fn begin_again(&self) -> Result<(), LogError> {
        self.work(|connection| {
            let transaction = connection.transaction()?;
            transaction.execute_batch("UPDATE tree SET size = 0; DELETE FROM tree_tiles;")?;
            transaction.commit()
        })
        .await
    }

    async fn checkpoints(
        &self,
        sizes: RangeInclusive<u64>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<StoredCheckpoint>, LogError> {
        self.work(move |connection| {
            let sql = match direction {
                Direction::Forward => {
                    "SELECT size, note FROM checkpoints WHERE size BETWEEN ?1 AND ?2 ORDER BY size LIMIT ?3"
                }
                Direction::Backward => {
                    "SELECT size, note FROM checkpoints WHERE size BETWEEN ?1 AND ?2 ORDER BY size DESC LIMIT ?3"
                }
            };
            let limit = signed(limit.min(CHECKPOINTS_READ_MAX) as u64);
            let read =
                |row: &rusqlite::Row<'_>| Ok(StoredCheckpoint { size: unsigned(row.get(0)?), note: row.get(1)? });
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_map([signed(*sizes.start()), signed(*sizes.end()), limit], read)?.collect()
        })
        .await
    }

    async fn keep(&self, checkpoint: StoredCheckpoint) -> Result<bool, LogError> {
        self.work(move |connection| {
            let sql = "INSERT INTO checkpoints (size, note) VALUES (?1, ?2) ON CONFLICT (size) DO NOTHING";
            Ok(connection.execute(sql, params![signed(checkpoint.size), checkpoint.note])? == 1)
        })
        .await
    }

    async fn cosigned(&self, checkpoint: StoredCheckpoint) -> Result<(), LogError> {
        self.work(move |connection| {
            let sql = "UPDATE checkpoints SET note = ?2 WHERE size = ?1";
            connection.execute(sql, params![signed(checkpoint.size), checkpoint.note]).map(|_| ())
        })
        .await
    }
}

fn size(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT size FROM tree", [], |row| row.get(0)).map(unsigned)
}

/// Opens the file, or makes it.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = NORMAL;
         PRAGMA journal_size_limit = {WAL_BYTES_KEPT};
         PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF;
         PRAGMA busy_timeout = 5000;"
    ))?;
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, u32>(0));
    if number("SELECT count(*) FROM sqlite_schema")? == 0 {
        connection.execute_batch(&format!(
            "BEGIN; {TABLES}
             PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        ))?;
    } else if number("PRAGMA application_id")? != APPLICATION_ID || number("PRAGMA user_version")? != SCHEMA_VERSION {
        return Err(rusqlite::Error::InvalidQuery);
    }
    Ok(connection)
}

/// Gives the file, and what SQLite keeps beside it, another name. What was put aside before makes room.
fn aside(path: &Path) -> std::io::Result<PathBuf> {
    let named = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    for suffix in ["-wal", "-shm", ""] {
        match std::fs::rename(named(suffix), named(&format!("{ASIDE}{suffix}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(named(ASIDE))
}
