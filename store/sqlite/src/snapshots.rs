//! Snapshots in a file of the data folder. The file is a cache: damaged or foreign, it is thrown away and begun again.
//!
//! Invariants: exactly one connection writes; a read never waits for a write; the file holds at most so many bytes of
//! states. What the machine's end takes from the file is missed by nobody, so a commit waits for no disk.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use timeloom_domain::ids::EventId;
use timeloom_store::snapshots::{SNAPSHOT_BYTES_MAX, SNAPSHOT_STORE_BYTES_MAX, SNAPSHOTS_PER_STREAM_MAX};
use timeloom_store::{
    FoldHash, LogError, Position, Revision, Snapshot, SnapshotError, SnapshotPlace, SnapshotStore, StreamKey,
};
use uuid::Uuid;

use crate::connections::LogFile;
use crate::error::{OpenError, log_error};
use crate::folder::DataFolder;

/// Name of the file in a data folder.
const FILE: &str = "snapshots.db";
/// Marks the file as ours: `TSnp` in ASCII.
const APPLICATION_ID: u32 = 0x5453_6e70;
/// Version of the table. A file of any other version is thrown away.
const SCHEMA_VERSION: u32 = 1;
/// Size to which the write-ahead log is cut after it grew over it.
const WAL_BYTES_KEPT: u32 = 32 << 20;

const TABLES: &str = "
CREATE TABLE snapshots (
    saved          INTEGER PRIMARY KEY, -- counts up: the greatest was saved last
    tenant_id      INTEGER NOT NULL,
    aggregate_type TEXT    NOT NULL,
    aggregate_id   TEXT    NOT NULL,
    sequence       INTEGER NOT NULL,
    position       INTEGER NOT NULL,
    event_id       BLOB    NOT NULL,
    fold_hash      BLOB    NOT NULL,
    checksum       BLOB    NOT NULL,
    bytes          INTEGER NOT NULL,
    state          BLOB    NOT NULL
) STRICT;
CREATE INDEX snapshots_by_stream ON snapshots (tenant_id, aggregate_type, aggregate_id, saved);
CREATE INDEX snapshots_by_size   ON snapshots (saved, bytes);
";

/// A [`SnapshotStore`] in a file of a data folder.
#[derive(Debug)]
pub struct SqliteSnapshots {
    files: Arc<Files>,
    /// The folder belongs to this process as long as this is used.
    _folder: Arc<DataFolder>,
}

#[derive(Debug)]
struct Files {
    path: PathBuf,
    bytes_max: u64,
    // Dropped before the writer, which then is the last and empties the write-ahead log.
    reader: Mutex<Connection>,
    writer: Mutex<Writer>,
}

/// The connection that writes.
#[derive(Debug)]
struct Writer {
    connection: Connection,
    /// Bytes of the states in the file.
    bytes: u64,
}

impl SqliteSnapshots {
    /// Opens the snapshots of a data folder, or begins them.
    ///
    /// # Errors
    /// [`OpenError`] when the file can be neither used nor replaced.
    pub fn open(folder: Arc<DataFolder>) -> Result<Arc<Self>, OpenError> {
        Self::open_with(folder, SNAPSHOT_STORE_BYTES_MAX)
    }

    /// The same for at most so many bytes of states.
    ///
    /// # Errors
    /// [`OpenError`] when the file can be neither used nor replaced.
    pub fn open_with(folder: Arc<DataFolder>, bytes_max: u64) -> Result<Arc<Self>, OpenError> {
        let path = folder.path().join(FILE);
        let failed = |error: rusqlite::Error| OpenError::Storage { path: path.clone(), error: error.into() };
        let opened = match open_pair(&path) {
            Ok(pair) => Ok(pair),
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "the snapshots cannot be read and are begun again");
                remove(&path).map_err(|error| OpenError::Io { path: path.clone(), error })?;
                open_pair(&path)
            }
        };
        let (writer, reader) = opened.map_err(failed)?;
        let files = Files { path, bytes_max, reader: Mutex::new(reader), writer: Mutex::new(writer) };
        Ok(Arc::new(Self { files: Arc::new(files), _folder: folder }))
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl Fn(&Files) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, SnapshotError> {
        let files = Arc::clone(&self.files);
        let worked = tokio::task::spawn_blocking(move || match work(&files) {
            Err(error) if is_damage(&error) => {
                files.begin_again(&error);
                work(&files)
            }
            result => result,
        });
        Ok(worked.await.map_err(LogError::storage)?.map_err(log_error)?)
    }
}

#[async_trait]
impl SnapshotStore for SqliteSnapshots {
    async fn load(&self, stream: &StreamKey, fold_hash: FoldHash) -> Result<Option<Snapshot>, SnapshotError> {
        let stream = stream.clone();
        self.work(move |files| read(&files.reader(), &stream, fold_hash)).await
    }

    async fn save(&self, snapshot: Snapshot) -> Result<(), SnapshotError> {
        if snapshot.state.len() > SNAPSHOT_BYTES_MAX {
            return Err(SnapshotError::TooLarge(snapshot.state.len()));
        }
        self.work(move |files| files.writer().save(&snapshot, files.bytes_max)).await
    }

    async fn forget(&self, stream: &StreamKey) -> Result<(), SnapshotError> {
        let stream = stream.clone();
        self.work(move |files| files.writer().forget(&stream)).await
    }

    async fn scrub(&self) -> Result<(), SnapshotError> {
        self.work(|files| {
            let _reader = files.reader();
            files.writer().scrub()
        })
        .await
    }
}

impl Files {
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Throws a damaged file away. Where that fails, every use fails until the next start, and nobody needs a snapshot.
    fn begin_again(&self, damage: &rusqlite::Error) {
        tracing::warn!(file = %self.path.display(), error = %damage, "the snapshots are damaged and are begun again");
        let (mut writer, mut reader) = (self.writer(), self.reader());
        let closed = Connection::open_in_memory().and_then(|first| Ok((first, Connection::open_in_memory()?)));
        let Ok((first, second)) = closed else { return };
        (writer.connection, *reader) = (first, second);
        let begun = remove(&self.path).map_err(|error| error.to_string());
        match begun.and_then(|()| open_pair(&self.path).map_err(|error| error.to_string())) {
            Ok(pair) => (*writer, *reader) = pair,
            Err(error) => tracing::warn!(%error, "the snapshots cannot be begun again before the next start"),
        }
    }
}

impl Writer {
    /// Empties the file: what was deleted before lies in it no more, nor in what SQLite keeps beside it.
    fn scrub(&mut self) -> rusqlite::Result<()> {
        self.connection.execute_batch("DELETE FROM snapshots; VACUUM;")?;
        self.bytes = 0;
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    fn save(&mut self, snapshot: &Snapshot, bytes_max: u64) -> rusqlite::Result<()> {
        let place = &snapshot.place;
        let transaction = self.connection.transaction()?;
        transaction
            .prepare_cached(
                "INSERT INTO snapshots (tenant_id, aggregate_type, aggregate_id, sequence, position, event_id, \
                 fold_hash, checksum, bytes, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                place.stream.tenant.0,
                &*place.stream.category,
                &*place.stream.id,
                place.revision.0,
                place.position.0,
                place.event_id.0.as_bytes(),
                snapshot.fold_hash.0,
                snapshot.checksum,
                snapshot.state.len(),
                &*snapshot.state,
            ])?;
        let mut bytes = self.bytes + snapshot.state.len() as u64;
        let surplus = "SELECT saved, bytes FROM snapshots WHERE tenant_id = ?1 AND aggregate_type = ?2 AND \
                       aggregate_id = ?3 ORDER BY saved DESC LIMIT -1 OFFSET ?4";
        let stream = (place.stream.tenant.0, &*place.stream.category, &*place.stream.id, SNAPSHOTS_PER_STREAM_MAX);
        for (saved, freed) in listed(&transaction, surplus, stream)? {
            delete(&transaction, saved)?;
            bytes -= freed;
        }
        while bytes > bytes_max {
            let oldest = "SELECT saved, bytes FROM snapshots ORDER BY saved LIMIT 1";
            let Some((saved, freed)) = listed(&transaction, oldest, ())?.pop() else { break };
            delete(&transaction, saved)?;
            bytes -= freed;
        }
        transaction.commit()?;
        self.bytes = bytes;
        Ok(())
    }

    fn forget(&mut self, stream: &StreamKey) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        let of_stream = "SELECT saved, bytes FROM snapshots WHERE tenant_id = ?1 AND aggregate_type = ?2 AND \
                         aggregate_id = ?3";
        let mut bytes = self.bytes;
        for (saved, freed) in listed(&transaction, of_stream, (stream.tenant.0, &*stream.category, &*stream.id))? {
            delete(&transaction, saved)?;
            bytes -= freed;
        }
        transaction.commit()?;
        self.bytes = bytes;
        Ok(())
    }
}

/// Numbers of snapshots, and how many bytes the state of each has.
fn listed(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<Vec<(i64, u64)>> {
    connection.prepare_cached(sql)?.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn delete(connection: &Connection, saved: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM snapshots WHERE saved = ?1")?.execute([saved])?;
    Ok(())
}

fn read(connection: &Connection, stream: &StreamKey, fold_hash: FoldHash) -> rusqlite::Result<Option<Snapshot>> {
    let sql = "SELECT sequence, position, event_id, checksum, state FROM snapshots WHERE tenant_id = ?1 AND \
               aggregate_type = ?2 AND aggregate_id = ?3 AND fold_hash = ?4 ORDER BY saved DESC LIMIT 1";
    let values = (stream.tenant.0, &*stream.category, &*stream.id, fold_hash.0);
    let found = connection.prepare_cached(sql)?.query_row(values, |row| {
        let (revision, position) = (Revision(row.get(0)?), Position(row.get(1)?));
        let event_id = EventId(Uuid::from_bytes(row.get(2)?));
        let place = SnapshotPlace { stream: stream.clone(), revision, position, event_id };
        Ok(Snapshot { place, fold_hash, checksum: row.get(3)?, state: row.get::<_, Vec<u8>>(4)?.into() })
    });
    found.optional()
}

/// Opens the file, or makes it. Any failure means that it is not, or not any more, a file of snapshots of this build.
fn open_pair(path: &Path) -> rusqlite::Result<(Writer, Connection)> {
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
    let sum = "SELECT coalesce(sum(bytes), 0) FROM snapshots INDEXED BY snapshots_by_size";
    let bytes = connection.query_row(sum, [], |row| row.get(0))?;
    Ok((Writer { connection, bytes }, LogFile::at(path).open_reader()?))
}

fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        // A value that is not of its column's type was not written by us.
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) => true,
        _ => matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)),
    }
}

/// Removes the file and what SQLite keeps beside it.
fn remove(path: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
