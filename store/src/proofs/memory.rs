//! The tree in memory: for checks that keep nothing.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use timeloom_verify::tree::Hash;

use super::{CHECKPOINTS_READ_MAX, Growth, StoredCheckpoint, TileId, TreeStore};
use crate::log::{Direction, LogError};

/// A [`TreeStore`] whose content ends with it.
#[derive(Debug, Default)]
pub struct MemoryTree(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    size: u64,
    tiles: HashMap<TileId, Vec<Hash>>,
    checkpoints: BTreeMap<u64, String>,
}

impl MemoryTree {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TreeStore for MemoryTree {
    async fn size(&self) -> Result<u64, LogError> {
        Ok(self.kept().size)
    }

    async fn tiles(&self, wanted: Vec<TileId>) -> Result<HashMap<TileId, Vec<Hash>>, LogError> {
        let kept = self.kept();
        Ok(wanted.into_iter().filter_map(|tile| Some((tile, kept.tiles.get(&tile)?.clone()))).collect())
    }

    async fn grow(&self, growth: Growth) -> Result<bool, LogError> {
        let mut kept = self.kept();
        let may_grow = kept.size == growth.from;
        if may_grow {
            kept.tiles.extend(growth.tiles);
            kept.size = growth.to;
        }
        Ok(may_grow)
    }

    async fn begin_again(&self) -> Result<(), LogError> {
        let mut kept = self.kept();
        kept.tiles.clear();
        kept.size = 0;
        Ok(())
    }

    async fn checkpoints(
        &self,
        sizes: RangeInclusive<u64>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<StoredCheckpoint>, LogError> {
        if sizes.is_empty() {
            return Ok(Vec::new());
        }
        let kept = self.kept();
        let limit = limit.min(CHECKPOINTS_READ_MAX);
        let found = kept.checkpoints.range(sizes);
        let found = found.map(|(size, note)| StoredCheckpoint { size: *size, note: note.clone() });
        Ok(match direction {
            Direction::Forward => found.take(limit).collect(),
            Direction::Backward => found.rev().take(limit).collect(),
        })
    }

    async fn keep(&self, checkpoint: StoredCheckpoint) -> Result<bool, LogError> {
        let mut kept = self.kept();
        let is_new = !kept.checkpoints.contains_key(&checkpoint.size);
        kept.checkpoints.entry(checkpoint.size).or_insert(checkpoint.note);
        Ok(is_new)
    }

    async fn cosigned(&self, checkpoint: StoredCheckpoint) -> Result<(), LogError> {
        self.kept().checkpoints.insert(checkpoint.size, checkpoint.note);
        Ok(())
    }
}
