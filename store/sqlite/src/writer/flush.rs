//! When the disk has what was committed. A strict commit is on the disk when it ends; a relaxed one some time later.
//!
//! Invariant: what was committed first is on the disk first, so that what a loss of power takes is the end of the log.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use timeloom_store::{Append, Durability, DurabilityChoice, Position};

/// What the writer knows of the disk.
#[derive(Debug)]
pub(super) struct Flush {
    choice: DurabilityChoice,
    /// Whether the connection's commits wait for the disk now.
    waits: bool,
    /// Since when there is something that the disk may not have.
    owed_since: Option<Instant>,
    /// Whether the disk may lack what a flush that succeeds would not bring.
    in_doubt: bool,
}

impl Flush {
    /// For a connection as it was opened, which waits.
    pub(super) fn new(choice: DurabilityChoice) -> Self {
        Self { choice, waits: true, owed_since: None, in_doubt: false }
    }

    /// The connection is another one, as it was opened.
    pub(super) fn reopened(&mut self) {
        self.waits = true;
    }

    /// Whether commits wait for the disk as it is set now.
    pub(super) fn waits(&self) -> bool {
        self.waits
    }

    /// What appends survive that are answered after a commit which waits for the disk when `waits`.
    pub(super) fn durability(&self, waits: bool) -> Durability {
        if waits { Durability::Strict } else { Durability::Relaxed { loss_ms_max: self.choice.flush_ms() } }
    }

    /// Whether a commit with these appends waits for the disk: one that has to is enough.
    pub(super) fn must_wait<'append>(&self, mut appends: impl Iterator<Item = &'append Append>) -> bool {
        appends.any(|append| self.choice.is_strict_for(append))
    }

    /// Makes the next commit wait for the disk, or not. Not within a transaction.
    pub(super) fn prepare(&mut self, connection: &Connection, waits: bool) -> Result<(), FlushError> {
        if waits && self.in_doubt {
            self.write_again(connection)?;
        }
        if self.waits != waits {
            let level = if waits { "FULL" } else { "NORMAL" };
            connection.execute_batch(&format!("PRAGMA synchronous = {level}"))?;
            self.waits = waits;
        }
        Ok(())
    }

    /// A commit or a flush has failed. Systems forget after that what they have not written: the next flush would succeed
    /// without it, so it has to be written again.
    pub(super) fn failed(&mut self) {
        if let Some(since) = &mut self.owed_since {
            *since = Instant::now();
            self.in_doubt = true;
        }
    }

    /// Writes everything from the write-ahead log into the main file, and flushes that.
    fn write_again(&mut self, connection: &Connection) -> Result<(), FlushError> {
        let (busy, pages, moved): (i64, i64, i64) = connection
            .query_row("PRAGMA wal_checkpoint(FULL)", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        if busy != 0 || pages != moved {
            return Err(FlushError::Held);
        }
        self.in_doubt = false;
        self.owed_since = None;
        Ok(())
    }

    /// A commit has been made.
    pub(super) fn committed(&mut self, waited: bool) {
        if waited {
            // One flush is for everything before it too.
            self.owed_since = None;
        } else {
            self.owed_since.get_or_insert_with(Instant::now);
        }
    }

    /// How long the disk may still wait; `None` when it has everything.
    pub(super) fn due_in(&self) -> Option<Duration> {
        // Half of the time is for the flush itself and for the batch that is going on.
        let wait = Duration::from_millis(u64::from(self.choice.flush_ms()) / 2);
        self.owed_since.map(|since| wait.saturating_sub(since.elapsed()))
    }

    /// Puts everything on the disk. Notes how far, because only a commit that writes something is flushed.
    pub(super) fn flush(&mut self, connection: &Connection, file: &Path, head: Position) -> Result<(), FlushError> {
        let flushed = self.prepare(connection, true).and_then(|()| match self.owed_since {
            Some(_) => self.note(connection, file, head),
            None => Ok(()),
        });
        match flushed {
            Ok(()) => self.owed_since = None,
            Err(_) => self.failed(),
        }
        flushed
    }

    fn note(&self, connection: &Connection, file: &Path, head: Position) -> Result<(), FlushError> {
        let noted = connection
            .prepare_cached(
                "INSERT INTO meta (name, value) VALUES ('flushed', ?1) \
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )?
            .execute([head.0.to_string()]);
        match noted {
            // There is no room for the note, but what is there can be flushed.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                Ok(File::open(file.with_extension("db-wal"))?.sync_data()?)
            }
            noted => Ok(noted.map(drop)?),
        }
    }
}

/// Why the disk does not have everything.
#[derive(Debug, thiserror::Error)]
pub(super) enum FlushError {
    /// SQLite failed.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The write-ahead log could not be flushed by itself.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// What has to be written again is held back.
    #[error("readers hold the write-ahead log")]
    Held,
}
