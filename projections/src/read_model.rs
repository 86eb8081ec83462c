//! What every read model is: a pure fold over events, and a table of row versions with the positions between which they
//! held.
//!
//! A batch is folded in memory first, so that a version which comes and goes within it is written once, closed. Never
//! commits: the writer puts rows and checkpoint into one transaction.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use rusqlite::Connection;
use timeloom_store::{Position, RecordedEvent};

use crate::error::FoldError;

/// What an event does to a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Folded<Row> {
    /// Nothing.
    Nothing,
    /// Something that a later version needs and no reader sees.
    Kept(Row),
    /// A new version of the row, from this event on.
    Version(Row),
}

/// What an event says, and about which row; `None` when it is about none.
pub(crate) type Said<Key, Fact> = Result<Option<(Key, Fact)>, FoldError>;

/// A fold and its table.
pub(crate) trait ReadModel: Sync {
    /// Name of the projection.
    const NAME: &'static str;
    /// To be raised when the fold changes: the rows are then built again.
    const VERSION: u32;
    /// Category of the streams that it is folded from.
    const CATEGORY: &'static str;
    /// Its tables.
    const TABLES: &'static [&'static str];
    /// What makes them.
    const SCHEMA: &'static str;
    /// What a row is found by.
    type Key: Ord;
    /// A row.
    type Row: Clone;
    /// What an event says about a row.
    type Fact;

    /// The row that an event is about, and what it says.
    fn read(event: &RecordedEvent) -> Said<Self::Key, Self::Fact>;
    /// Folds what an event says into the row.
    fn fold(current: Option<&Self::Row>, fact: Self::Fact, event: &RecordedEvent) -> Folded<Self::Row>;
    /// The position from which a version of a row holds.
    fn from(row: &Self::Row) -> Position;
    /// The newest version of a row.
    fn load(connection: &Connection, key: &Self::Key) -> rusqlite::Result<Option<Self::Row>>;
    /// Writes a version that holds until `to`.
    fn insert(connection: &Connection, key: &Self::Key, row: &Self::Row, to: Option<Position>) -> rusqlite::Result<()>;
    /// Ends the version that holds from `from`.
    fn close(connection: &Connection, key: &Self::Key, from: Position, to: Position) -> rusqlite::Result<()>;
    /// Writes what was [`Folded::Kept`].
    fn keep(_connection: &Connection, _key: &Self::Key, _row: &Self::Row) -> rusqlite::Result<()> {
        Ok(())
    }
}

/// A read model without its types: what the writer drives.
pub(crate) trait Projection: Sync {
    /// Its name.
    fn name(&self) -> &'static str;
    /// Version and tables: rows made under another definition are built again.
    fn definition(&self) -> String;
    /// Makes its tables, without rows.
    fn reset(&self, connection: &Connection) -> rusqlite::Result<()>;
    /// Folds events into its tables; up to the first that it cannot fold, which it gives back.
    fn apply(&self, connection: &Connection, events: &[Arc<RecordedEvent>]) -> rusqlite::Result<Option<Poison>>;
}

/// An event that cannot be folded, and why.
#[derive(Debug)]
pub(crate) struct Poison {
    pub position: Position,
    pub error: FoldError,
}

impl<M: ReadModel> Projection for M {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn definition(&self) -> String {
        format!("{}\n{}", M::VERSION, M::SCHEMA)
    }

    fn reset(&self, connection: &Connection) -> rusqlite::Result<()> {
        for table in M::TABLES {
            connection.execute_batch(&format!("DROP TABLE IF EXISTS {table}"))?;
        }
        connection.execute_batch(M::SCHEMA)
    }

    fn apply(&self, connection: &Connection, events: &[Arc<RecordedEvent>]) -> rusqlite::Result<Option<Poison>> {
        let mut batch = Batch::<M> { rows: BTreeMap::new() };
        let mut poison = None;
        for event in events.iter().filter(|event| *event.stream.category == *M::CATEGORY) {
            match M::read(event) {
                Ok(Some((key, fact))) => batch.fold(connection, key, fact, event)?,
                Ok(None) => {}
                Err(error) => {
                    poison = Some(Poison { position: event.position, error });
                    break;
                }
            }
        }
        batch.write(connection)?;
        Ok(poison)
    }
}

struct Batch<M: ReadModel> {
    rows: BTreeMap<M::Key, Pending<M::Row>>,
}

/// A row that a batch changes.
struct Pending<Row> {
    /// Its newest version, with what is kept unseen.
    current: Option<Row>,
    /// Whether the newest version is the stored one, or one of `versions`.
    stored: bool,
    /// Where the stored version held from, and until where since this batch.
    closed: Option<(Position, Position)>,
    /// New versions, each until where it holds.
    versions: Vec<(Row, Option<Position>)>,
    /// Whether something is kept that no version shows.
    kept: bool,
}

impl<M: ReadModel> Batch<M> {
    fn fold(
        &mut self,
        connection: &Connection,
        key: M::Key,
        fact: M::Fact,
        event: &RecordedEvent,
    ) -> rusqlite::Result<()> {
        let pending = match self.rows.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let current = M::load(connection, entry.key())?;
                let stored = current.is_some();
                entry.insert(Pending { current, stored, closed: None, versions: Vec::new(), kept: false })
            }
        };
        match M::fold(pending.current.as_ref(), fact, event) {
            Folded::Nothing => {}
            Folded::Kept(row) => {
                pending.current = Some(row);
                pending.kept = true;
            }
            Folded::Version(row) => {
                if pending.stored {
                    pending.closed = pending.current.as_ref().map(|old| (M::from(old), event.position));
                    pending.stored = false;
                } else if let Some((_, to)) = pending.versions.last_mut() {
                    *to = Some(event.position);
                }
                pending.versions.push((row.clone(), None));
                pending.current = Some(row);
                pending.kept = false;
            }
        }
        Ok(())
    }

    fn write(self, connection: &Connection) -> rusqlite::Result<()> {
        for (key, pending) in self.rows {
            if let Some((from, to)) = pending.closed {
                M::close(connection, &key, from, to)?;
            }
            for (row, to) in &pending.versions {
                M::insert(connection, &key, row, *to)?;
            }
            if let Some(row) = pending.current.filter(|_| pending.kept) {
                M::keep(connection, &key, &row)?;
            }
        }
        Ok(())
    }
}
