//! The index of texts: in which blocks of the log a text can be.
//!
//! It says where a text is not, so that whoever looks for a rare one reads the few blocks in which it can be; whether it is
//! there, the events themselves tell. The writer of the read models counts the pieces of every payload as it passes, and
//! writes a group of events down when it is complete: what was counted of the last one is counted again after a restart.
//! Never: a row that changes, a word about events behind the last complete group. Invariant: the rows are those that the
//! log alone makes, whenever and by whomever they were written.

mod grams;
mod search;

use std::borrow::Cow;
use std::sync::Arc;

use timeloom_store::{Position, RecordedEvent};

pub use self::search::{INDEXED_TEXT_BYTES_MIN, PositionRange, TEXT_PLACES_EVENTS_MAX};

use self::grams::{BLOCK_EVENTS, Blocks, Counted, GROUP_EVENTS, Group};
use crate::database::{Change, Column, Database, Dialect, Query, StorageError, Value, blob, integer};

/// To be raised when other pieces are counted or they are written down otherwise; the number is behind the tables' names.
const VERSION: u32 = 1;

const GROUP: Column = integer("group_number");
const FULL: Column = blob("full_blocks");
const FIRST: Column = integer("first_gram");
const GRAMS: Column = blob("grams");

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS text_groups_1 (
        group_number INTEGER NOT NULL,
        full_blocks  BLOB NOT NULL,
        PRIMARY KEY (group_number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS text_grams_1 (
        group_number INTEGER NOT NULL,
        first_gram   INTEGER NOT NULL,
        grams        BLOB NOT NULL,
        PRIMARY KEY (group_number, first_gram)
    ) STRICT, WITHOUT ROWID;";
const GROUPS_TABLE: &str = "text_groups_1";
const GRAMS_TABLE: &str = "text_grams_1";

const _: () = assert!(VERSION == 1, "the names of the tables end with the version");

/// The index, on the side of its writer.
pub(crate) struct TextIndex {
    /// Every event up to there is counted.
    position: Position,
    group: Group,
    /// Groups that are complete and not written yet, with their numbers.
    complete: Vec<(u64, Counted)>,
}

impl TextIndex {
    /// Makes its tables, where they are not there, and goes on behind the last group. Rows of another log are dropped.
    pub fn open(database: &mut dyn Database, head: Position) -> Result<Self, StorageError> {
        let dialect = database.dialect();
        database.run(&dialect.schema(SCHEMA))?;
        let mut written = Position::START;
        database.query(&indexed(dialect), &mut |cells| {
            written = end_of(cells.take()?);
            Ok(())
        })?;
        if written > head {
            tracing::info!(%written, %head, "the index of texts is of another log and is made again");
            drop_rows(database)?;
            written = Position::START;
        }
        Ok(Self { position: written, group: Group::default(), complete: Vec::new() })
    }

    /// Up to which event it has counted.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Counts those of `events` that come next; others are counted when their turn comes.
    pub fn count(&mut self, events: &[Arc<RecordedEvent>]) {
        for event in events {
            if event.position.0 != self.position.0 + 1 {
                continue;
            }
            let place = self.position.0 % GROUP_EVENTS;
            self.group.add(place / BLOCK_EVENTS, event.payload.get());
            self.position = event.position;
            if place + 1 == GROUP_EVENTS {
                self.complete.push(((event.position.0 - 1) / GROUP_EVENTS, self.group.end()));
            }
        }
    }

    /// Writes down the groups that are complete.
    pub fn write(&mut self, database: &mut dyn Database) -> Result<(), StorageError> {
        if self.complete.is_empty() {
            return Ok(());
        }
        database.begin()?;
        let written = write(database, &self.complete).and_then(|()| database.commit());
        if written.is_err() {
            database.rollback();
        }
        written?;
        self.complete.clear();
        Ok(())
    }

    /// Drops every row, to make them again from the first event.
    pub fn begin_again(&mut self, database: &mut dyn Database) -> Result<(), StorageError> {
        drop_rows(database)?;
        *self = Self { position: Position::START, group: Group::default(), complete: Vec::new() };
        Ok(())
    }
}

/// The position of the last event of a group.
fn end_of(group: Option<u64>) -> Position {
    Position(group.map_or(0, |group| (group + 1) * GROUP_EVENTS))
}

/// The last group.
fn indexed(dialect: Dialect) -> Query {
    Query::new(dialect, format!("SELECT max(group_number) FROM {GROUPS_TABLE}"), Vec::new())
}

fn drop_rows(database: &mut dyn Database) -> Result<(), StorageError> {
    // The groups first: without its group no row is looked at.
    database.run(&format!("DELETE FROM {GROUPS_TABLE}; DELETE FROM {GRAMS_TABLE};"))
}

fn write(database: &mut dyn Database, complete: &[(u64, Counted)]) -> Result<(), StorageError> {
    let dialect = database.dialect();
    let mut groups = Change::insert(dialect, GROUPS_TABLE, &[GROUP, FULL], "");
    let mut grams = Change::insert(dialect, GRAMS_TABLE, &[GROUP, FIRST, GRAMS], "");
    for (number, counted) in complete {
        groups.values.extend([(*number).into(), as_value(counted.full)]);
        for (first, row) in &counted.rows {
            grams.values.extend([(*number).into(), (*first).into(), Value::Blob(Cow::Borrowed(row))]);
        }
    }
    let changes: Vec<Change<'_>> = [groups, grams].into_iter().filter(|change| !change.values.is_empty()).collect();
    database.write(&changes).map_err(|failed| failed.error)?;
    Ok(())
}

fn as_value(blocks: Blocks) -> Value<'static> {
    Value::Blob(Cow::Owned(blocks.to_le_bytes().to_vec()))
}
