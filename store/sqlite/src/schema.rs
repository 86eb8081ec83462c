//! The tables of the log's file, and their version. Never changes a stored event.
//!
//! `events` holds every column of the common cqrs-es tables under their names. One append is one run of positions and of
//! sequence numbers, so only its last event is in the indexes that find the events of a stream and of a command. Ids
//! begin with the time where they can, so that most writes to an index meet its last page. Texts that repeat those of the
//! event before them are [packed](crate::packed).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OptionalExtension};
use uuid::Uuid;

use crate::archive;
use crate::connections::LogFile;
use crate::error::{OpenError, StorageError};
use crate::kinds;
use crate::packed;

/// The newest schema that this build knows.
pub(crate) const SCHEMA_VERSION: u32 = 5;
/// Marks the file as ours: `TLog` in ASCII.
const APPLICATION_ID: u32 = 0x544c_6f67;
/// In `meta` while a copy was never finished.
pub(crate) const UNFINISHED_COPY: &str = "unfinished_copy";
/// In `meta` of a finished copy: up to which position it was compared with its source.
pub(crate) const COPY_VERIFIED: &str = "copy_verified";

/// What each version added to the one before it, by version. A step only adds, and takes no longer for a large log than
/// for a small one: what has to be filled is filled by the writer behind the head, between appends.
const STEPS: [(u32, &str); 4] =
    [(2, kinds::TABLES), (3, packed::COLUMN), (4, archive::TABLES), (5, archive::RESTORING_TRIGGERS)];

/// The first version.
const TABLES: &str = "
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE streams (
    stream_no      INTEGER PRIMARY KEY,
    tenant_id      INTEGER NOT NULL,
    aggregate_type TEXT    NOT NULL,
    aggregate_id   TEXT    NOT NULL,
    UNIQUE (tenant_id, aggregate_type, aggregate_id)
) STRICT;

CREATE TABLE events (
    position       INTEGER PRIMARY KEY,
    tenant_id      INTEGER NOT NULL,
    aggregate_type TEXT    NOT NULL,
    aggregate_id   TEXT    NOT NULL,
    sequence       INTEGER NOT NULL CHECK (sequence > 0),
    event_id       BLOB    NOT NULL UNIQUE,
    event_type     TEXT    NOT NULL,
    event_version  TEXT    NOT NULL,
    payload        TEXT    NOT NULL,
    metadata       TEXT    NOT NULL,
    recorded_at    INTEGER NOT NULL, -- microseconds since 1970
    leaf           BLOB    NOT NULL, -- RFC 6962 leaf hash of the canonical record
    stream_no      INTEGER NOT NULL,
    append_events  INTEGER,          -- on the last event of an append: how many events it has
    command_id     BLOB              -- on the last event of an append: its command
) STRICT;

CREATE UNIQUE INDEX appends_by_stream  ON events (stream_no, sequence)   WHERE append_events IS NOT NULL;
CREATE UNIQUE INDEX appends_by_command ON events (command_id, stream_no) WHERE append_events IS NOT NULL;
";

/// What every SQLite database begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The tables that only ever grow.
const APPEND_ONLY: [&str; 2] = ["events", "streams"];

/// Looks at the file before it is opened for writing, so that a file which is not for this build stays as it is.
pub(crate) fn refuse_foreign(folder: &Path, log_file: &LogFile) -> Result<(), OpenError> {
    let file = &*log_file.path;
    let mut header = [0; 100];
    let length = File::open(file).and_then(|mut file| file.read(&mut header));
    match length {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OpenError::Io { path: file.to_owned(), error }),
        // A process that died while it made the file: SQLite begins again.
        Ok(0) => return Ok(()),
        Ok(_) => {}
    }
    if header.starts_with(&[0; MAGIC.len()]) && has_journal(file) {
        // The power went while the file was made, before its beginning was there: SQLite takes back the rest.
        return Ok(());
    }
    if !header.starts_with(MAGIC) {
        return Err(OpenError::NotALog { path: file.to_owned() });
    }
    // The user version is at byte 60 of a database's header.
    let found = header.get(60..64).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
    check_version(folder, found)?;
    if has_journal(file) {
        return Ok(());
    }
    match log_file.open_to_look() {
        Ok(connection) => read_about(&connection, folder, file).map(drop),
        Err(error) if matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)) => Ok(()),
        Err(error) => Err(OpenError::Storage { path: file.to_owned(), error: StorageError::from(error) }),
    }
}

/// Whether SQLite left a journal of changes that it did not finish.
fn has_journal(file: &Path) -> bool {
    std::fs::metadata(file.with_extension("db-journal")).is_ok_and(|journal| journal.len() > 0)
}

fn check_version(folder: &Path, found: u32) -> Result<(), OpenError> {
    if found <= SCHEMA_VERSION {
        return Ok(());
    }
    Err(OpenError::NewerSchema { path: folder.to_owned(), found, known: SCHEMA_VERSION })
}

/// Makes the tables in a new file, checks the version of an old one and lifts it to this build's, and says which log it is.
pub(crate) fn prepare(
    connection: &mut Connection,
    folder: &Path,
    file: &Path,
    new_id: Uuid,
) -> Result<Uuid, OpenError> {
    match read_about(connection, folder, file)? {
        Some(about) if about.unfinished => Err(OpenError::UnfinishedCopy { path: folder.to_owned() }),
        Some(about) => {
            migrate(connection, about.version)
                .map_err(|error| OpenError::Storage { path: file.to_owned(), error: StorageError::from(error) })?;
            Ok(about.log_id)
        }
        None => {
            create(connection, new_id, Made::Empty)
                .map_err(|error| OpenError::Storage { path: file.to_owned(), error: StorageError::from(error) })?;
            Ok(new_id)
        }
    }
}

/// What a file says of its log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    pub(crate) log_id: Uuid,
    /// The version of its tables.
    pub(crate) version: u32,
    /// Whether it is a copy that was never finished.
    pub(crate) unfinished: bool,
    /// Up to where a copy was compared with its source.
    pub(crate) verified: u64,
}

/// What the file says of its log, after its version was checked; `None` when it has no tables yet.
pub(crate) fn read_about(connection: &Connection, folder: &Path, file: &Path) -> Result<Option<About>, OpenError> {
    let storage =
        |error: rusqlite::Error| OpenError::Storage { path: file.to_owned(), error: StorageError::from(error) };
    let not_a_log = || OpenError::NotALog { path: file.to_owned() };
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(storage)?;
    if tables == 0 {
        return Ok(None);
    }
    let application: u32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(storage)?;
    if application != APPLICATION_ID {
        return Err(not_a_log());
    }
    let meta = |name: &str| {
        connection
            .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get::<_, String>(0))
            .optional()
            .map_err(storage)
    };
    let version = meta("schema_version")?.and_then(|version| version.parse().ok()).ok_or_else(not_a_log)?;
    check_version(folder, version)?;
    let log_id = meta("log_id")?.and_then(|id| id.parse().ok()).ok_or_else(not_a_log)?;
    let unfinished = meta(UNFINISHED_COPY)?.is_some();
    let verified = meta(COPY_VERIFIED)?.and_then(|position| position.parse().ok()).unwrap_or(0);
    Ok(Some(About { log_id, version, unfinished, verified }))
}

/// What a new file is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    /// Appends.
    Empty,
    /// The rows of another log.
    Copy,
}

/// Makes the tables.
pub(crate) fn create(connection: &mut Connection, log_id: Uuid, made: Made) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    for table in APPEND_ONLY {
        for (name, change) in [("no_update", "UPDATE"), ("no_delete", "DELETE")] {
            transaction.execute_batch(&format!(
                "CREATE TRIGGER {table}_{name} BEFORE {change} ON {table}
                 BEGIN SELECT RAISE(ABORT, 'the event log only ever grows'); END;"
            ))?;
        }
    }
    for (_, step) in STEPS {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    let mut insert = transaction.prepare("INSERT INTO meta (name, value) VALUES (?1, ?2)")?;
    insert.execute(["schema_version", &SCHEMA_VERSION.to_string()])?;
    insert.execute(["log_id", &log_id.to_string()])?;
    if made == Made::Copy {
        insert.execute([UNFINISHED_COPY, "yes"])?;
    }
    drop(insert);
    transaction.commit()?;
    // The version is to be readable in the file itself from the start.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// Adds what later versions than `from` have, each in one transaction.
pub(crate) fn migrate(connection: &mut Connection, from: u32) -> Result<(), rusqlite::Error> {
    for (version, step) in STEPS.into_iter().filter(|(version, _)| *version > from) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.execute("UPDATE meta SET value = ?1 WHERE name = 'schema_version'", [version.to_string()])?;
        transaction.commit()?;
        // As in a new file: an older build is to see it before it opens the file.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        tracing::info!(version, "the log's tables were lifted");
    }
    Ok(())
}
