//! Where a text can be: asked of the index by whoever looks for it.

use std::ops::RangeInclusive;

use timeloom_store::Position;

use super::grams::{self, BLOCK_EVENTS, Blocks, GROUP_BLOCKS, GROUP_EVENTS};
use super::{GRAMS_TABLE, GROUPS_TABLE, end_of, indexed};
use crate::database::{Cells, Dialect, FromValue, Query, StorageError, Value, damaged};
use crate::error::ProjectionError;
use crate::read_models::ReadModels;

/// Groups that one statement asks about.
const GROUPS_ASKED_MAX: u64 = 256;
/// Shortest text that is found by the index, in bytes.
pub const INDEXED_TEXT_BYTES_MIN: usize = grams::GRAM_BYTES;
/// Most events that one question of [`ReadModels::text_places`] looks over.
pub const TEXT_PLACES_EVENTS_MAX: u64 = GROUPS_ASKED_MAX * GROUP_EVENTS;

/// Positions one after the other, the first and the last among them.
pub type PositionRange = (Position, Position);

/// The bytes of blocks.
struct Bitmap(Blocks);

impl FromValue for Bitmap {
    fn from_value(value: Value<'_>) -> Option<Self> {
        let Value::Blob(bytes) = value else { return None };
        Some(Self(Blocks::from_le_bytes((&*bytes).try_into().ok()?)))
    }
}

struct Row(Vec<u8>);

impl FromValue for Row {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Blob(bytes) = value { Some(Self(bytes.into_owned())) } else { None }
    }
}

impl ReadModels {
    /// Up to which event the index of texts goes; 0 where there is none.
    ///
    /// # Errors
    /// [`ProjectionError`] when the database fails.
    pub async fn texts_indexed(&self) -> Result<Position, ProjectionError> {
        if !self.readers.is_made().await? {
            return Ok(Position::START);
        }
        match self.readers.ask(indexed(self.readers.dialect()), |cells| Ok(end_of(cells.take()?))).await {
            Ok(found) => Ok(found.first().copied().unwrap_or_default()),
            // The process that writes is of a version that makes none.
            Err(ProjectionError::Storage(error)) if error.is_missing_table() => Ok(Position::START),
            Err(error) => Err(error),
        }
    }

    /// Where among the positions of `range`, which are indexed, a text can be: ascending. It is nowhere else there. At
    /// most [`TEXT_PLACES_EVENTS_MAX`] positions can be asked about, and the text must have [`INDEXED_TEXT_BYTES_MIN`] bytes:
    /// otherwise it can be anywhere.
    ///
    /// # Errors
    /// [`ProjectionError`] when the database fails.
    pub async fn text_places(
        &self,
        text: &str,
        (first, last): PositionRange,
    ) -> Result<Vec<PositionRange>, ProjectionError> {
        let asked = grams::asked(text);
        let too_many = last.0.saturating_sub(first.0) >= TEXT_PLACES_EVENTS_MAX;
        if first > last || asked.is_empty() || too_many {
            return Ok(if first > last { Vec::new() } else { vec![(first, last)] });
        }
        let group = |position: Position| position.0.saturating_sub(1) / GROUP_EVENTS;
        let groups = group(first)..=group(last);
        let dialect = self.readers.dialect();
        let full = self.readers.ask(full_blocks(dialect, &groups), read_full).await?;
        let mut found: Vec<(u64, Blocks)> = full.iter().map(|(group, _)| (*group, Blocks::MAX)).collect();
        for gram in asked {
            if found.iter().all(|(_, blocks)| *blocks == 0) {
                break;
            }
            let read = move |cells: &mut Cells<'_>| read_blocks(cells, gram);
            let has = self.readers.ask(rows_with(dialect, &groups, gram), read).await?;
            for ((group, blocks), (of, has)) in found.iter_mut().zip(has) {
                if *group != of {
                    // It was made again meanwhile.
                    return Ok(vec![(first, last)]);
                }
                *blocks &= has;
            }
        }
        let blocks = found.iter().zip(full).flat_map(|((group, blocks), (_, full))| {
            let can_have = *blocks | full;
            let numbered = (0..GROUP_BLOCKS).filter(move |block| can_have & (1 << block) != 0);
            numbered.map(move |block| group * GROUP_BLOCKS + block)
        });
        let mut places: Vec<PositionRange> = Vec::new();
        for block in blocks {
            let own = (Position(block * BLOCK_EVENTS + 1).max(first), Position((block + 1) * BLOCK_EVENTS).min(last));
            match places.last_mut() {
                Some((_, end)) if end.0 + 1 == own.0.0 => *end = own.1,
                _ if own.0 <= own.1 => places.push(own),
                _ => {}
            }
        }
        Ok(places)
    }
}

fn full_blocks(dialect: Dialect, groups: &RangeInclusive<u64>) -> Query {
    let sql = format!(
        "SELECT group_number, full_blocks FROM {GROUPS_TABLE} WHERE group_number BETWEEN ?1 AND ?2 ORDER BY group_number"
    );
    Query::new(dialect, sql, vec![(*groups.start()).into(), (*groups.end()).into()])
}

fn read_full(cells: &mut Cells<'_>) -> Result<(u64, Blocks), StorageError> {
    let (group, Bitmap(full)) = (cells.take()?, cells.take()?);
    Ok((group, full))
}

/// Of each group the row in which a piece is, if it is in any.
fn rows_with(dialect: Dialect, groups: &RangeInclusive<u64>, gram: u32) -> Query {
    let of_row = |column: &str| {
        format!(
            "(SELECT {column} FROM {GRAMS_TABLE} AS own WHERE own.group_number = present.group_number \
             AND own.first_gram <= ?3 ORDER BY own.first_gram DESC LIMIT 1)"
        )
    };
    let sql = format!(
        "SELECT group_number, {}, {} FROM {GROUPS_TABLE} AS present WHERE group_number BETWEEN ?1 AND ?2 \
         ORDER BY group_number",
        of_row("first_gram"),
        of_row("grams")
    );
    Query::new(dialect, sql, vec![(*groups.start()).into(), (*groups.end()).into(), gram.into()])
}

fn read_blocks(cells: &mut Cells<'_>, gram: u32) -> Result<(u64, Blocks), StorageError> {
    let group = cells.take()?;
    let (first, row): (Option<u32>, Option<Row>) = (cells.take()?, cells.take()?);
    match (first, row) {
        (Some(first), Some(Row(row))) => Ok((group, grams::blocks_of(first, &row, gram)?)),
        (None, None) => Ok((group, 0)),
        _ => Err(damaged("the index of texts has half a row")),
    }
}
