//! What every read model is: a pure fold over events, and a table of row versions with the positions between which they
//! held.
//!
//! A batch is read and folded in memory, so that a version which comes and goes within it is written once, closed. An
//! event that cannot be read is parked, and with it every later event of its stream: a row is never folded with a hole.
//! Never commits: the writer puts rows and checkpoint into one transaction. Invariant: a row is folded from the events of
//! one stream alone, in their order, so that what is parked of one stream changes no row of another.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use timeloom_store::{Position, RecordedEvent};

use crate::database::{Cells, Change, Named, StorageError, Table, Value, interval};
use crate::error::FoldError;
use crate::parked::{ParkedEvent, ParkedStreams, Parking};

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
    /// Its table.
    const TABLE: &'static Table;
    /// What a row is found by.
    type Key: Ord + Send;
    /// A row.
    type Row: Clone + Send;
    /// What an event says about a row.
    type Fact: Send;

    /// The row that an event is about, and what it says.
    fn read(event: &RecordedEvent) -> Said<Self::Key, Self::Fact>;
    /// Folds what an event says into the row.
    fn fold(current: Option<&Self::Row>, fact: Self::Fact, event: &RecordedEvent) -> Folded<Self::Row>;
    /// The position from which a version of a row holds.
    fn from(row: &Self::Row) -> Position;
    /// The key as values: the tenant, then the table's key.
    fn key<'a>(key: &'a Self::Key, values: &mut Vec<Value<'a>>);
    /// A version as values of the table's columns.
    fn values<'a>(row: &'a Self::Row, values: &mut Vec<Value<'a>>) -> Result<(), StorageError>;
    /// A version from its cells, with what is kept unseen behind them.
    fn load(cells: &mut Cells<'_>) -> Result<Self::Row, StorageError>;
    /// What is kept unseen, as values of the columns of the table beside; whether there is anything.
    fn kept(_row: &Self::Row, _values: &mut Vec<Value<'_>>) -> bool {
        false
    }
}

/// A read model without its types: what the writer drives.
pub(crate) trait Projection: Sync {
    /// Its name.
    fn name(&self) -> &'static str;
    /// Its table.
    fn table(&self) -> &'static Table;
    /// Version and tables: rows made under another definition are built again.
    fn definition(&self) -> String;
    /// Whether an event can be read.
    fn check(&self, event: &RecordedEvent) -> Result<(), FoldError>;
    /// Reads what events say. `refused` = why the database did not take what comes of the only event.
    fn begin(&self, events: &[Arc<RecordedEvent>], parked: &ParkedStreams, refused: Option<&str>) -> Box<dyn Fold>;
}

/// Events that were read, on their way to rows.
pub(crate) trait Fold: Send {
    /// How many rows they are about.
    fn keys(&self) -> usize;
    /// Which: adds the values of a key.
    fn key<'a>(&'a self, place: usize, values: &mut Vec<Value<'a>>);
    /// Takes the newest version of a row.
    fn loaded(&mut self, place: usize, cells: &mut Cells<'_>) -> Result<(), StorageError>;
    /// Folds, once every row that there is has been taken.
    ///
    /// # Errors
    /// With what it panicked; nothing of it is of use then.
    fn fold(&mut self) -> Result<(), String>;
    /// The changes that write what came of it; how many versions that are new.
    fn changes<'a>(&'a self, named: &Named, changes: &mut Vec<Change<'a>>) -> Result<u64, StorageError>;
    /// What could not be folded.
    fn parked(&self) -> &[ParkedEvent];
    /// Where it stops, when it may not park more.
    fn stopped(&self) -> Option<&ParkedEvent>;
}

impl<M: ReadModel + 'static> Projection for M {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn table(&self) -> &'static Table {
        M::TABLE
    }

    fn definition(&self) -> String {
        format!("{}\n{}", M::VERSION, M::TABLE.definition())
    }

    fn check(&self, event: &RecordedEvent) -> Result<(), FoldError> {
        M::read(event).map(|_| ())
    }

    fn begin(&self, events: &[Arc<RecordedEvent>], parked: &ParkedStreams, refused: Option<&str>) -> Box<dyn Fold> {
        let mut parking = parked.parking();
        let mut said = Vec::with_capacity(events.len());
        for event in events.iter().filter(|event| *event.stream.category == *M::CATEGORY) {
            let read = if parking.holds(event) {
                parking.follow(event)
            } else if let Some(error) = refused {
                parking.begin(event, error.to_owned())
            } else {
                match unless_it_panics(|| M::read(event).map_err(|error| error.to_string())) {
                    Ok(read) => {
                        said.extend(read.map(|(key, fact)| (key, fact, Arc::clone(event))));
                        Ok(())
                    }
                    Err(error) => parking.begin(event, error),
                }
            };
            if read.is_err() {
                break;
            }
        }
        Box::new(Batch::<M>::new(said, parking))
    }
}

/// Does what must not panic and might: an event that makes a fold panic is no better than one that cannot be read, and no
/// reason to end the thread that folds all the others.
fn unless_it_panics<R>(work: impl FnOnce() -> Result<R, String>) -> Result<R, String> {
    // Whatever it leaves half-way is thrown away.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(format!("folding it panicked, which is a bug: {text}"))
    })
}

/// A batch of what events say, by row.
struct Batch<M: ReadModel> {
    rows: Vec<Pending<M>>,
    /// What events say, by the place of the row: all of one row together, in the order of the events.
    facts: Vec<(usize, M::Fact, Arc<RecordedEvent>)>,
    parking: Parking,
}

/// A row that a batch changes.
struct Pending<M: ReadModel> {
    key: M::Key,
    /// Its newest version, with what is kept unseen.
    current: Option<M::Row>,
    /// Whether the newest version is the stored one, or one of `versions`.
    stored: bool,
    /// Whether something is stored that no version shows.
    kept: bool,
    /// Whether the batch changed anything.
    changed: bool,
    /// Where the stored version held from, and until where since this batch.
    closed: Option<(Position, Position)>,
    /// New versions, each until where it holds.
    versions: Vec<(M::Row, Option<Position>)>,
}

impl<M: ReadModel> Batch<M> {
    fn new(mut said: Vec<(M::Key, M::Fact, Arc<RecordedEvent>)>, parking: Parking) -> Self {
        // Stable: what is said about one row stays in the order of the events.
        said.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        let mut batch = Self { rows: Vec::new(), facts: Vec::with_capacity(said.len()), parking };
        for (key, fact, event) in said {
            if batch.rows.last().is_none_or(|row| row.key != key) {
                batch.rows.push(Pending::new(key));
            }
            batch.facts.push((batch.rows.len() - 1, fact, event));
        }
        batch
    }
}

impl<M: ReadModel> Pending<M> {
    fn new(key: M::Key) -> Self {
        Self { key, current: None, stored: false, kept: false, changed: false, closed: None, versions: Vec::new() }
    }

    fn fold(&mut self, fact: M::Fact, event: &RecordedEvent) {
        match M::fold(self.current.as_ref(), fact, event) {
            Folded::Nothing => return,
            Folded::Kept(row) => self.current = Some(row),
            Folded::Version(row) => {
                if self.stored {
                    self.closed = self.current.as_ref().map(|old| (M::from(old), event.position));
                    self.stored = false;
                } else if let Some((_, to)) = self.versions.last_mut() {
                    *to = Some(event.position);
                }
                self.versions.push((row.clone(), None));
                self.current = Some(row);
            }
        }
        self.changed = true;
    }
}

impl<M: ReadModel> Fold for Batch<M> {
    fn keys(&self) -> usize {
        self.rows.len()
    }

    fn key<'a>(&'a self, place: usize, values: &mut Vec<Value<'a>>) {
        if let Some(row) = self.rows.get(place) {
            M::key(&row.key, values);
        }
    }

    fn loaded(&mut self, place: usize, cells: &mut Cells<'_>) -> Result<(), StorageError> {
        if let Some(pending) = self.rows.get_mut(place) {
            let row = M::load(cells)?;
            pending.kept = M::kept(&row, &mut Vec::new());
            pending.current = Some(row);
            pending.stored = true;
        }
        Ok(())
    }

    fn fold(&mut self) -> Result<(), String> {
        unless_it_panics(|| {
            for (place, fact, event) in self.facts.drain(..) {
                if let Some(row) = self.rows.get_mut(place) {
                    row.fold(fact, &event);
                }
            }
            Ok(())
        })
    }

    fn changes<'a>(&'a self, named: &Named, changes: &mut Vec<Change<'a>>) -> Result<u64, StorageError> {
        let (mut close, mut insert) = (named.close(), named.insert());
        let mut versions = 0;
        for row in &self.rows {
            if let Some((from, to)) = row.closed {
                M::key(&row.key, &mut close.values);
                interval(M::TABLE, from, Some(to), &mut close.values);
            }
            for (version, to) in &row.versions {
                M::key(&row.key, &mut insert.values);
                interval(M::TABLE, M::from(version), *to, &mut insert.values);
                M::values(version, &mut insert.values)?;
                versions += 1;
            }
        }
        changes.extend([close, insert]);
        if let Some(kept) = &M::TABLE.kept {
            let (mut keep, mut forget) = named.keep(kept);
            for row in self.rows.iter().filter(|row| row.changed) {
                let mut values = Vec::new();
                let kept = row.current.as_ref().is_some_and(|row| M::kept(row, &mut values));
                if kept {
                    M::key(&row.key, &mut keep.values);
                    keep.values.append(&mut values);
                } else if row.kept {
                    M::key(&row.key, &mut forget.values);
                }
            }
            changes.extend([keep, forget]);
        }
        Ok(versions)
    }

    fn parked(&self) -> &[ParkedEvent] {
        &self.parking.events
    }

    fn stopped(&self) -> Option<&ParkedEvent> {
        self.parking.stopped.as_ref()
    }
}
