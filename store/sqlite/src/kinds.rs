//! Which positions have events of a tenant, category and type: an index that the writer fills behind the head, and that
//! selective reads use as far as it goes. What is behind it is found by looking at every row.
//!
//! The log is cut into blocks of [`BLOCK_EVENTS`] positions. A block that is complete has one row for each kind of event
//! in it, with the places of its events; the rows of a block are written in one transaction and never change. So the
//! newest block there says how far the index goes, and a log without any is only slower to select from.
//!
//! The places in a block are a frozen format: each as two bytes, little-endian and ascending, while that takes less than
//! [`BITMAP_BYTES`]; otherwise a bitmap of that length, the lowest bit of a byte first.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use timeloom_store::{Direction, Filter, LogError, Position, TenantScope};

use crate::error::log_error;
use crate::recorded::{signed, unsigned};

/// Positions in a block.
pub(crate) const BLOCK_EVENTS: u64 = 4_096;
/// Bytes of the places as a bitmap.
const BITMAP_BYTES: usize = BLOCK_EVENTS as usize / 8;
/// Numbers of kinds that the writer remembers.
const KINDS_REMEMBERED_MAX: usize = 4_096;

/// The tables of the index, the second step of the schema.
pub(crate) const TABLES: &str = "
CREATE TABLE kinds (
    kind_no        INTEGER PRIMARY KEY,
    tenant_id      INTEGER NOT NULL,
    aggregate_type TEXT    NOT NULL,
    event_type     TEXT    NOT NULL,
    UNIQUE (tenant_id, aggregate_type, event_type)
) STRICT;

CREATE TABLE kind_blocks (
    block          INTEGER NOT NULL, -- of the positions from 4096 * block + 1 on
    kind_no        INTEGER NOT NULL,
    places         BLOB    NOT NULL,
    PRIMARY KEY (block, kind_no)
) STRICT, WITHOUT ROWID;
";

/// How far the index goes: every event up to there is in it.
pub(crate) fn indexed_up_to(connection: &Connection) -> Result<Position, rusqlite::Error> {
    let mut newest = match connection.prepare_cached("SELECT max(block) FROM kind_blocks") {
        Ok(statement) => statement,
        // The file of an older build, opened only to read: every row is looked at.
        Err(rusqlite::Error::SqlInputError { .. }) => return Ok(Position::START),
        Err(error) => return Err(error),
    };
    let block: Option<i64> = newest.query_row([], |row| row.get(0))?;
    Ok(block.map_or(Position::START, |block| Position((unsigned(block) + 1) * BLOCK_EVENTS)))
}

/// The kinds that a reader selects.
#[derive(Debug)]
pub(crate) struct Selection {
    kinds: HashSet<i64>,
}

impl Selection {
    /// The kinds of indexed events that pass `filter`; `None` when all do, so that there is nothing to select.
    pub(crate) fn read(connection: &Connection, scope: TenantScope, filter: &Filter) -> Result<Option<Self>, LogError> {
        let mut statement = connection
            .prepare_cached("SELECT kind_no, tenant_id, aggregate_type, event_type FROM kinds")
            .map_err(log_error)?;
        let mut rows = statement.query([]).map_err(log_error)?;
        let mut kinds = HashSet::new();
        let mut all = true;
        while let Some(row) = rows.next().map_err(log_error)? {
            let passes = passes(row, scope, filter).map_err(log_error)?;
            all &= passes;
            if passes {
                kinds.insert(row.get(0).map_err(log_error)?);
            }
        }
        Ok((!all).then_some(Self { kinds }))
    }

    /// Positions of indexed events of these kinds after `after` and up to `up_to`, at most `limit`.
    pub(crate) fn positions(
        &self,
        connection: &Connection,
        (after, up_to): (Position, Position),
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Position>, LogError> {
        let mut positions = Vec::new();
        if self.kinds.is_empty() || up_to <= after || limit == 0 {
            return Ok(positions);
        }
        for block in blocks(after.0 / BLOCK_EVENTS, (up_to.0 - 1) / BLOCK_EVENTS, direction) {
            if positions.len() >= limit {
                break;
            }
            let places = self.places(connection, block).map_err(log_error)?;
            let within = places.positions(block).filter(|position| *position > after && *position <= up_to);
            match direction {
                Direction::Forward => positions.extend(within),
                Direction::Backward => positions.extend(within.collect::<Vec<_>>().into_iter().rev()),
            }
        }
        positions.truncate(limit);
        Ok(positions)
    }

    fn places(&self, connection: &Connection, block: u64) -> Result<Places, rusqlite::Error> {
        let mut statement = connection.prepare_cached("SELECT kind_no, places FROM kind_blocks WHERE block = ?1")?;
        let mut rows = statement.query([signed(block)])?;
        let mut places = Places::default();
        while let Some(row) = rows.next()? {
            if self.kinds.contains(&row.get(0)?) {
                places.add_stored(row.get_ref(1)?.as_blob()?);
            }
        }
        Ok(places)
    }
}

/// Numbers of blocks, in the order in which they are read.
fn blocks(first: u64, last: u64, direction: Direction) -> Box<dyn Iterator<Item = u64>> {
    match direction {
        Direction::Forward => Box::new(first..=last),
        Direction::Backward => Box::new((first..=last).rev()),
    }
}

fn passes(row: &rusqlite::Row<'_>, scope: TenantScope, filter: &Filter) -> Result<bool, rusqlite::Error> {
    let one_of = |index, names: &[Arc<str>]| -> Result<bool, rusqlite::Error> {
        let name = row.get_ref(index)?.as_str()?;
        Ok(names.is_empty() || names.iter().any(|one| **one == *name))
    };
    let tenant: u32 = row.get(1)?;
    let tenant_passes = match scope {
        TenantScope::All => true,
        TenantScope::One(one) => one.0 == tenant,
    };
    Ok(tenant_passes && one_of(2, &filter.categories)? && one_of(3, &filter.event_types)?)
}

/// The places of some events in a block.
struct Places([u8; BITMAP_BYTES]);

impl Default for Places {
    fn default() -> Self {
        Self([0; BITMAP_BYTES])
    }
}

impl Places {
    fn add(&mut self, place: u16) {
        if let Some(byte) = self.0.get_mut(usize::from(place / 8)) {
            *byte |= 1 << (place % 8);
        }
    }

    fn add_stored(&mut self, stored: &[u8]) {
        if stored.len() == BITMAP_BYTES {
            self.0.iter_mut().zip(stored).for_each(|(byte, stored)| *byte |= stored);
            return;
        }
        let (places, _) = stored.as_chunks::<2>();
        places.iter().for_each(|place| self.add(u16::from_le_bytes(*place)));
    }

    fn places(&self) -> impl Iterator<Item = u16> {
        (0u16..).zip(&self.0).flat_map(|(index, byte)| {
            let set = move |bit: &u16| byte & (1 << bit) != 0;
            (0..8).filter(set).map(move |bit| index * 8 + bit)
        })
    }

    fn positions(&self, block: u64) -> impl Iterator<Item = Position> {
        self.places().map(move |place| Position(block * BLOCK_EVENTS + u64::from(place) + 1))
    }

    fn stored(&self) -> Vec<u8> {
        let list: Vec<u8> = self.places().flat_map(u16::to_le_bytes).collect();
        if list.len() < BITMAP_BYTES { list } else { self.0.to_vec() }
    }
}

/// Tenant, category and type of an event.
type Kind = (u32, String, String);

/// A block whose rows are being read.
#[derive(Default)]
pub(crate) struct Filling {
    block: u64,
    /// Rows of it that were read.
    read: u64,
    places: HashMap<Kind, Box<Places>>,
    numbers: HashMap<Kind, i64>,
}

impl Filling {
    /// Goes on after `indexed`.
    pub(crate) fn after(indexed: Position) -> Self {
        Self { block: indexed.0 / BLOCK_EVENTS, ..Self::default() }
    }

    /// How far the index goes.
    pub(crate) fn indexed(&self) -> Position {
        Position(self.block * BLOCK_EVENTS)
    }

    /// Whether all of the next block is there when the log ends at `head`.
    pub(crate) fn can_go_on(&self, head: Position) -> bool {
        head.0 >= (self.block + 1) * BLOCK_EVENTS
    }

    /// Reads at most `rows` rows more, and writes the block down when it is complete.
    pub(crate) fn go_on(&mut self, connection: &Connection, rows: u64) -> Result<(), rusqlite::Error> {
        let first = self.block * BLOCK_EVENTS + self.read + 1;
        let last = (first + rows - 1).min((self.block + 1) * BLOCK_EVENTS);
        let mut statement = connection.prepare_cached(
            "SELECT position, tenant_id, aggregate_type, event_type FROM events WHERE position BETWEEN ?1 AND ?2 \
             UNION ALL \
             SELECT position, tenant_id, aggregate_type, event_type FROM unindexed WHERE position BETWEEN ?1 AND ?2",
        )?;
        let mut found = statement.query([signed(first), signed(last)])?;
        while let Some(row) = found.next()? {
            let place = (unsigned(row.get(0)?) - 1) % BLOCK_EVENTS;
            let kind: Kind = (row.get(1)?, row.get(2)?, row.get(3)?);
            self.places.entry(kind).or_default().add(u16::try_from(place).unwrap_or(0));
        }
        drop(found);
        self.read += last + 1 - first;
        if self.read == BLOCK_EVENTS {
            // When it fails the block is read again.
            self.read = 0;
            let places = std::mem::take(&mut self.places);
            self.write(connection, places)?;
            self.block += 1;
        }
        Ok(())
    }

    fn write(&mut self, connection: &Connection, places: HashMap<Kind, Box<Places>>) -> Result<(), rusqlite::Error> {
        let transaction = connection.unchecked_transaction()?;
        let written = self.insert(&transaction, places).and_then(|()| transaction.commit());
        if written.is_err() {
            // Some may have been given in the transaction that is gone.
            self.numbers.clear();
        }
        written
    }

    fn insert(&mut self, connection: &Connection, places: HashMap<Kind, Box<Places>>) -> Result<(), rusqlite::Error> {
        let mut insert =
            connection.prepare_cached("INSERT INTO kind_blocks (block, kind_no, places) VALUES (?1, ?2, ?3)")?;
        for (kind, places) in places {
            let number = self.number(connection, kind)?;
            insert.execute(params![signed(self.block), number, places.stored()])?;
        }
        connection
            .prepare_cached("DELETE FROM unindexed WHERE position <= ?1")?
            .execute([signed((self.block + 1) * BLOCK_EVENTS)])?;
        Ok(())
    }

    fn number(&mut self, connection: &Connection, kind: Kind) -> Result<i64, rusqlite::Error> {
        if let Some(number) = self.numbers.get(&kind) {
            return Ok(*number);
        }
        let (tenant, category, event_type) = &kind;
        let key = params![tenant, category, event_type];
        let found = connection
            .prepare_cached(
                "SELECT kind_no FROM kinds WHERE tenant_id = ?1 AND aggregate_type = ?2 AND event_type = ?3",
            )?
            .query_row(key, |row| row.get(0))
            .optional()?;
        let number = match found {
            Some(number) => number,
            None => connection
                .prepare_cached(
                    "INSERT INTO kinds (tenant_id, aggregate_type, event_type) VALUES (?1, ?2, ?3) RETURNING kind_no",
                )?
                .query_row(key, |row| row.get(0))?,
        };
        if self.numbers.len() >= KINDS_REMEMBERED_MAX {
            self.numbers.clear();
        }
        self.numbers.insert(kind, number);
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_from_both_forms_which_are_frozen() {
        let mut few = Places::default();
        [4_095, 0, 258].into_iter().for_each(|place| few.add(place));
        assert_eq!(few.stored(), [0, 0, 2, 1, 255, 15]);
        let mut many = Places::default();
        (0..4_096).step_by(3).for_each(|place| many.add(place));
        let stored = many.stored();
        assert_eq!((stored.len(), &stored[..3]), (512, &[0b0100_1001, 0b1001_0010, 0b0010_0100][..]));
        let mut both = Places::default();
        both.add_stored(&few.stored());
        both.add_stored(&stored);
        let wanted: Vec<u16> = (0..4_096).filter(|place| place % 3 == 0 || *place == 258 || *place == 4_095).collect();
        assert_eq!(both.places().collect::<Vec<_>>(), wanted);
        assert_eq!(both.positions(2).next(), Some(Position(2 * 4_096 + 1)));
        // As many as make both forms equally long are a bitmap: the length says which form it is.
        let mut edge = Places::default();
        (0..256).for_each(|place| edge.add(place));
        assert_eq!(edge.stored()[..33], [&[255; 32][..], &[0]].concat());
    }
}
