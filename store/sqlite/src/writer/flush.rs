//! When the disk has what was committed. A strict commit is on the disk when it ends; a relaxed one some time later.
//!
//! Invariant: what was committed first is on the disk first, so that what a loss of power takes is the end of the log.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use timeloom_store::{Append, Durability, DurabilityChoice, Position};

/// What the writer knows of the disk.
#[derive(Debug)]
pub(super) struct Flush {
    choice: DurabilityChoice,
    /// Whether the connection's commits wait for the disk now.
    waits: bool,
    /// Since when there is something that the disk may not have.
    owed_since: Option<Instant>,
}

impl Flush {
    /// For a connection as it was opened, which waits.
    pub(super) fn new(choice: DurabilityChoice) -> Self {
        Self { choice, waits: true, owed_since: None }
    }

    /// The connection is another one, as it was opened.
    pub(super) fn reopened(&mut self) {
        self.waits = true;
    }

    /// What an append survives once its batch is committed, which waits for the disk when `waits`.
    pub(super) fn durability(&self, append: &Append, waits: bool) -> Durability {
        if waits { Durability::Strict } else { self.choice.of(&append.stream.category) }
    }

    /// Whether a commit with these appends waits for the disk: one that has to is enough.
    pub(super) fn must_wait<'append>(&self, mut appends: impl Iterator<Item = &'append Append>) -> bool {
        self.choice == DurabilityChoice::Strict
            || appends.any(|append| self.choice.of(&append.stream.category) == Durability::Strict)
    }

    /// Makes the next commit wait for the disk, or not. Not within a transaction.
    pub(super) fn prepare(&mut self, connection: &Connection, waits: bool) -> Result<(), rusqlite::Error> {
        if self.waits != waits {
            let level = if waits { "FULL" } else { "NORMAL" };
            connection.execute_batch(&format!("PRAGMA synchronous = {level}"))?;
            self.waits = waits;
        }
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
        let DurabilityChoice::Relaxed { .. } = self.choice else { return None };
        let Durability::Relaxed { loss_ms_max } = self.choice.of("") else { return None };
        // Half of the time is for the flush itself and for the batch that is going on.
        let wait = Duration::from_millis(u64::from(loss_ms_max) / 2);
        self.owed_since.map(|since| wait.saturating_sub(since.elapsed()))
    }

    /// Puts everything on the disk. Notes how far, because only a commit that writes something is flushed.
    pub(super) fn flush(&mut self, connection: &Connection, file: &Path, head: Position) -> Result<(), FlushError> {
        let noted = self.prepare(connection, true).and_then(|()| {
            connection
                .prepare_cached(
                    "INSERT INTO meta (name, value) VALUES ('flushed', ?1) \
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                )?
                .execute([head.0.to_string()])
        });
        if let Err(error) = noted {
            // A full disk has no room for the note, but what it has can be flushed.
            let flushed = File::open(file.with_extension("db-wal")).and_then(|wal| wal.sync_data());
            flushed.map_err(|flush| FlushError { error, flush })?;
        }
        self.owed_since = None;
        Ok(())
    }

    /// The disk could not be flushed: it is tried again when as much time has gone by.
    pub(super) fn failed(&mut self) {
        self.owed_since = Some(Instant::now());
    }
}

/// Why the disk does not have everything.
#[derive(Debug, thiserror::Error)]
#[error("{flush}, after {error}")]
pub(super) struct FlushError {
    error: rusqlite::Error,
    flush: std::io::Error,
}
