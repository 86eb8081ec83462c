//! Rows as they are stored, out of a data folder and into one: its side of copies, backups and checks.
//!
//! A log that is in use gives its rows through its readers while appends go on. A folder that nobody uses is opened as a
//! source, which writes nothing into the log, or as a target, in which this module's connection is the one that writes.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, params};
use timeloom_store::archive::{NoSegments, Segments};
use timeloom_store::heads::Heads;
use timeloom_store::stored::check_page;
use timeloom_store::{
    Begun, EventLog as _, ImportError, LogError, LogIdentity, LogImport, LogTransfer, Position, StoredEvent, StoredLeaf,
};
use uuid::Uuid;

use crate::archive;
use crate::blobs::SqliteBlobs;
use crate::connections::LogFile;
use crate::error::{OpenError, StorageError, log_error};
use crate::export::{OfDamaged, export};
use crate::folder::DataFolder;
use crate::log::{LOG_FILE, SqliteLog};
use crate::packed::{Packer, Texts};
use crate::readers::{self, Readers};
use crate::recorded::{Head, signed};
use crate::schema::{self, COPY_VERIFIED, Made, UNFINISHED_COPY};

const IMPORT: &str = "INSERT INTO events (position, tenant_id, aggregate_type, aggregate_id, sequence, event_id, \
     event_type, event_version, payload, metadata, recorded_at, leaf, stream_no, append_events, command_id, packed) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

#[async_trait]
impl LogTransfer for SqliteLog {
    async fn identity(&self) -> Result<LogIdentity, LogError> {
        Ok(LogIdentity { log_id: self.log_id(), head: self.head() })
    }

    async fn export(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, LogError> {
        self.readers().export(after, limit, OfDamaged::Nothing).await
    }

    async fn leaves(&self, after: Position, limit: usize) -> Result<Vec<StoredLeaf>, LogError> {
        self.readers().leaves(after, limit).await
    }
}

/// The log of a folder that this process has, to read from. Nothing is written into the log.
#[derive(Debug)]
pub struct SqliteSource {
    log_id: Uuid,
    readers: Readers,
    folder: Arc<DataFolder>,
}

impl SqliteSource {
    /// The folder that the log is in.
    pub fn folder(&self) -> &Arc<DataFolder> {
        &self.folder
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.readers
    }

    /// Takes the folder at `path`, which nobody else may use meanwhile, and opens the log and blobs in it.
    ///
    /// # Errors
    /// [`OpenError`] when there is no log, it is a copy that was not finished, or it cannot be read.
    pub fn open(path: impl Into<PathBuf>) -> Result<(Arc<Self>, Arc<SqliteBlobs>), OpenError> {
        Self::open_with(path, Arc::new(NoSegments))
    }

    /// The same with what has the rows that were dropped.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(
        path: impl Into<PathBuf>,
        segments: Arc<dyn Segments>,
    ) -> Result<(Arc<Self>, Arc<SqliteBlobs>), OpenError> {
        let path = path.into();
        let file = path.join(LOG_FILE);
        if !file.exists() {
            return Err(OpenError::NoLog { path });
        }
        let folder = Arc::new(DataFolder::acquire(&path)?);
        let log_file = LogFile::at(&file);
        schema::refuse_foreign(folder.path(), &log_file)?;
        let connection = log_file
            .open_reader()
            .map_err(|error| OpenError::Storage { path: file.clone(), error: StorageError::from(error) })?;
        let about = schema::read_about(&connection, folder.path(), &file)?;
        let about = about.ok_or_else(|| OpenError::NoLog { path: path.clone() })?;
        if about.unfinished {
            return Err(OpenError::UnfinishedCopy { path });
        }
        let blobs = SqliteBlobs::open(Arc::clone(&folder))?;
        let readers = Readers::new(log_file, blobs.files(), segments);
        Ok((Arc::new(Self { log_id: about.log_id, readers, folder }), blobs))
    }
}

#[async_trait]
impl LogTransfer for SqliteSource {
    async fn identity(&self) -> Result<LogIdentity, LogError> {
        let newest = self.readers.read(|connection| readers::newest(connection).map_err(log_error)).await?;
        Ok(LogIdentity { log_id: self.log_id, head: newest.0 })
    }

    async fn export(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, LogError> {
        self.readers.export(after, limit, OfDamaged::Nothing).await
    }

    async fn leaves(&self, after: Position, limit: usize) -> Result<Vec<StoredLeaf>, LogError> {
        self.readers.leaves(after, limit).await
    }
}

/// A folder that is being written from another log.
#[derive(Debug)]
pub struct SqliteImport {
    target: Arc<Target>,
}

#[derive(Debug)]
struct Target {
    folder: Arc<DataFolder>,
    file: PathBuf,
    writer: Mutex<Writer>,
}

#[derive(Debug)]
struct Writer {
    connection: Connection,
    /// The numbers of streams that were met lately.
    streams: Heads<Head>,
    packer: Packer,
}

impl SqliteImport {
    /// Takes the folder at `path` for this process to write the rows of another log into; makes what is not there.
    ///
    /// # Errors
    /// [`OpenError`], whose message says what to do.
    pub fn open(path: impl Into<PathBuf>) -> Result<(Arc<Self>, Arc<SqliteBlobs>), OpenError> {
        let folder = Arc::new(DataFolder::acquire(path)?);
        let file = folder.path().join(LOG_FILE);
        let log_file = LogFile::at(&file);
        schema::refuse_foreign(folder.path(), &log_file)?;
        let connection = log_file
            .open_writer()
            .map_err(|error| OpenError::Storage { path: file.clone(), error: StorageError::from(error) })?;
        schema::read_about(&connection, folder.path(), &file)?;
        let blobs = SqliteBlobs::open(Arc::clone(&folder))?;
        let writer = Mutex::new(Writer { connection, streams: Heads::default(), packer: Packer::default() });
        Ok((Arc::new(Self { target: Arc::new(Target { folder, file, writer }) }), blobs))
    }

    /// Whether the folder at `path`, which nobody may use meanwhile, holds a copy that was not finished.
    ///
    /// # Errors
    /// [`OpenError`] when that cannot be found out.
    pub fn is_unfinished_copy(path: impl Into<PathBuf>) -> Result<bool, OpenError> {
        match SqliteSource::open(path) {
            Ok(_) | Err(OpenError::NoLog { .. }) => Ok(false),
            Err(OpenError::UnfinishedCopy { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn work<T: Send + 'static, E: From<LogError> + Send + 'static>(
        &self,
        work: impl FnOnce(&Target, &mut Writer) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let target = Arc::clone(&self.target);
        let done = tokio::task::spawn_blocking(move || {
            let mut writer = target.writer.lock().unwrap_or_else(PoisonError::into_inner);
            work(&target, &mut writer)
        });
        done.await.map_err(LogError::storage)?
    }
}

#[async_trait]
impl LogTransfer for SqliteImport {
    async fn identity(&self) -> Result<LogIdentity, LogError> {
        self.work(|target, writer| {
            let about = schema::read_about(&writer.connection, target.folder.path(), &target.file);
            let about = about.map_err(LogError::storage)?;
            let about =
                about.ok_or_else(|| LogError::storage(OpenError::NoLog { path: target.folder.path().to_owned() }))?;
            let (head, _) = readers::newest(&writer.connection).map_err(log_error)?;
            Ok(LogIdentity { log_id: about.log_id, head })
        })
        .await
    }

    async fn export(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, LogError> {
        self.work(move |_, writer| {
            let archived = archive::archived(&writer.connection)?.dropped;
            if after < archived {
                let detail = format!("the events up to {archived} are in an archive: give another target");
                return Err(LogError::Corrupt { position: after, detail });
            }
            export(&writer.connection, after, limit, OfDamaged::Nothing)
        })
        .await
    }
}

#[async_trait]
impl LogImport for SqliteImport {
    async fn begin(&self, log_id: Uuid) -> Result<Begun, ImportError> {
        self.work(move |target, writer| {
            let about = schema::read_about(&writer.connection, target.folder.path(), &target.file);
            let Some(about) = about.map_err(LogError::storage)? else {
                schema::create(&mut writer.connection, log_id, Made::Copy).map_err(log_error)?;
                return Ok(Begun { head: Position::START, verified: Position::START });
            };
            if about.log_id != log_id {
                return Err(ImportError::OtherLog { found: about.log_id, wanted: log_id });
            }
            schema::migrate(&mut writer.connection, about.version).map_err(log_error)?;
            let (head, _) = readers::newest(&writer.connection).map_err(log_error)?;
            Ok(Begun { head, verified: Position(about.verified).min(head) })
        })
        .await
    }

    async fn import(&self, events: Vec<StoredEvent>) -> Result<(), ImportError> {
        self.work(move |_, writer| {
            let (head, _) = readers::newest(&writer.connection).map_err(log_error)?;
            check_page(head, &events, &mut Vec::new())?;
            let written = writer.write(&events);
            if written.is_err() {
                writer.streams.clear();
            }
            written.map_err(|error| ImportError::Log(log_error(error)))
        })
        .await
    }

    async fn finish(&self, verified: Position) -> Result<(), ImportError> {
        self.work(move |_, writer| writer.finish(verified).map_err(|error| ImportError::Log(log_error(error)))).await
    }
}

impl Writer {
    /// Writes the rows in one transaction, which is rolled back when it is dropped before its end.
    fn write(&mut self, events: &[StoredEvent]) -> Result<(), rusqlite::Error> {
        let transaction = self.connection.transaction()?;
        write_rows(&transaction, &mut self.streams, &mut self.packer, events)?;
        transaction.commit()
    }

    fn finish(&mut self, verified: Position) -> Result<(), rusqlite::Error> {
        let transaction = self.connection.transaction()?;
        transaction.execute("DELETE FROM meta WHERE name = ?1", [UNFINISHED_COPY])?;
        transaction.execute(
            "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            [COPY_VERIFIED, &verified.to_string()],
        )?;
        transaction.commit()?;
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }
}

/// Writes rows, whole appends, as they are stored elsewhere; `streams` has the numbers of streams that were met lately.
pub(crate) fn write_rows(
    connection: &Connection,
    streams: &mut Heads<Head>,
    packer: &mut Packer,
    events: &[StoredEvent],
) -> Result<(), rusqlite::Error> {
    let mut insert = connection.prepare_cached(IMPORT)?;
    for append in events.split_inclusive(|event| event.append.is_some()) {
        let mut rest = append.iter().map(|event| Texts { payload: &event.payload, metadata: &event.metadata });
        packer.begin_append();
        for event in append {
            let Some(texts) = rest.next() else { break };
            let row = packer.row(texts, rest.clone());
            let stream_no = stream_no(connection, streams, event)?;
            insert.execute(params![
                signed(event.position.0),
                event.stream.tenant.0,
                &*event.stream.category,
                &*event.stream.id,
                signed(event.revision.0),
                event.id.0.as_bytes(),
                &*event.event_type,
                event.event_version,
                row.texts.payload,
                row.texts.metadata,
                event.recorded_at_us,
                event.leaf,
                stream_no,
                event.append.map(|append| append.events),
                event.append.as_ref().map(|append| append.command_id.0.as_bytes()),
                row.packed,
            ])?;
        }
    }
    Ok(())
}

/// The number of the event's stream, which is given one when it has none.
fn stream_no(connection: &Connection, known: &mut Heads<Head>, event: &StoredEvent) -> Result<i64, rusqlite::Error> {
    let stream = &event.stream;
    if let Some(head) = known.get(stream) {
        return Ok(head.stream_no);
    }
    let found = connection
        .prepare_cached(
            "INSERT INTO streams (tenant_id, aggregate_type, aggregate_id) VALUES (?1, ?2, ?3) \
             ON CONFLICT DO NOTHING RETURNING stream_no",
        )?
        .query_row((stream.tenant.0, &*stream.category, &*stream.id), |row| row.get(0));
    let stream_no = match found {
        Err(rusqlite::Error::QueryReturnedNoRows) => connection
            .prepare_cached(
                "SELECT stream_no FROM streams WHERE tenant_id = ?1 AND aggregate_type = ?2 AND aggregate_id = ?3",
            )?
            .query_row((stream.tenant.0, &*stream.category, &*stream.id), |row| row.get(0))?,
        other => other?,
    };
    known.put(stream, Head { stream_no, revision: event.revision });
    Ok(stream_no)
}
