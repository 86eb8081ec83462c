//! Whether the tree is still what was made of the log: what a disk did to its nodes is found before anything is proved or
//! signed by them. The nodes are made again, the checkpoints bind what comes of it.

use timeloom_verify::tree::{Frontier, Hash, check_consistency, check_inclusion, perfect_nodes};

use super::log::{damaged, damaged_log, full_root, read};
use super::{ProofLog, ProofsError, StoredCheckpoint, Surroundings, TILE_HASHES, TileId};
use crate::envelope::Position;
use crate::log::{Direction, LogError};
use crate::stored::EXPORT_EVENTS_MAX;

/// How many levels of tiles can be over one another.
const TILES_UP_MAX: u8 = 8;

impl ProofLog {
    /// Looks at the 65,536 leaves from the one with index `65,536 * part` on, and at what stands over them: whether every
    /// full tile is what the one above has of it. The number of the next part; `None` when it was the last.
    ///
    /// # Errors
    /// [`ProofsError::Damaged`] when it is not; the tree is forgotten then, to be made again.
    pub async fn look_inside(&self, part: u64) -> Result<Option<u64>, ProofsError> {
        self.or_forgotten(self.part_is_sound(part).await).await
    }

    async fn part_is_sound(&self, part: u64) -> Result<Option<u64>, ProofsError> {
        let full = self.size().await? / TILE_HASHES;
        let (first, end) = (part * TILE_HASHES, full.min((part + 1) * TILE_HASHES));
        if first >= end {
            return Ok(None);
        }
        let below: Vec<TileId> = (first..end).map(|index| TileId { level: 0, index }).collect();
        self.stands_under(&below).await?;
        // What this part completed: the tile over it, the one over that where it is full with it, and so on.
        let (mut index, mut level) = (part, 1);
        let mut is_full = end == (part + 1) * TILE_HASHES;
        while is_full && level < TILES_UP_MAX {
            self.stands_under(&[TileId { level, index }]).await?;
            is_full = (index + 1).is_multiple_of(TILE_HASHES);
            (index, level) = (index / TILE_HASHES, level + 1);
        }
        Ok((end < full).then_some(part + 1))
    }

    /// Whether the roots of full tiles of one level, which have the same tile above, are what that one has of them.
    async fn stands_under(&self, tiles: &[TileId]) -> Result<(), ProofsError> {
        let Some(above) = tiles.first().map(|tile| TileId { level: tile.level + 1, index: tile.index / TILE_HASHES })
        else {
            return Ok(());
        };
        let found = self.tiles([tiles, &[above]].concat()).await?;
        for tile in tiles {
            // Less than a tile has.
            let at = (tile.index % TILE_HASHES) as usize;
            let kept = found.get(&above).and_then(|hashes| hashes.get(at));
            let made = found.get(tile).filter(|hashes| hashes.len() as u64 == TILE_HASHES);
            let made = made.and_then(|hashes| full_root(hashes));
            if made.is_none() || made.as_ref() != kept {
                let (level, index) = (tile.level, tile.index);
                return Err(damaged(&format!("its tile {index} of level {level} is not what stands over it")));
            }
        }
        Ok(())
    }

    /// Whether a proof that was made of the tree leads from its leaf to its root, and to the one that was signed.
    pub(super) async fn includes(&self, position: u64, size: u64, path: &[Hash]) -> Result<(), ProofsError> {
        let (leaf, root) = (self.leaf(position).await?, self.root_of(size).await?);
        self.is_signed(size, &root).await?;
        check_inclusion(position, size, &leaf, path, &root).map_err(|error| damaged(&error.to_string()))
    }

    /// The same of a proof that one tree is the beginning of another.
    pub(super) async fn continues(&self, from: u64, to: u64, path: &[Hash]) -> Result<(), ProofsError> {
        let (old, new) = (self.root_of(from).await?, self.root_of(to).await?);
        self.is_signed(from, &old).await?;
        self.is_signed(to, &new).await?;
        check_consistency((from, &old), (to, &new), path).map_err(|error| damaged(&error.to_string()))
    }

    /// The same of what ties a range to a tree.
    pub(super) async fn surrounds(
        &self,
        (from, to): (u64, u64),
        size: u64,
        around: &Surroundings,
    ) -> Result<(), ProofsError> {
        let (within, after) = (perfect_nodes(from - 1, to), perfect_nodes(to, size));
        let hashes = self.hashes(&within).await?;
        let mut tree =
            Frontier::from_parts(from - 1, around.left.clone()).ok_or_else(|| damaged("its edge is not whole"))?;
        let mut parts = within.iter().zip(&hashes).chain(after.iter().zip(&around.right));
        let fits = parts.all(|(node, hash)| tree.push_part(node.level, *hash));
        let root = self.root_of(size).await?;
        if !fits || tree.root() != root {
            return Err(damaged("its parts lead to another root"));
        }
        self.is_signed(size, &root).await
    }

    /// Whether a root is the one that a checkpoint of its size has, if there is one.
    async fn is_signed(&self, size: u64, root: &Hash) -> Result<(), ProofsError> {
        let kept = self.tree().checkpoints(size..=size, Direction::Forward, 1).await?.pop();
        match kept {
            Some(kept) if read(&kept)?.root != *root => {
                Err(damaged(&format!("its root of {size} events is not the one that was signed")))
            }
            _ => Ok(()),
        }
    }

    /// The root of the whole tree, made once more from the newest checkpoint on out of the log's own leaves: what is going to
    /// be signed must not rest on what a disk did to the tree.
    pub(super) async fn root_to_sign(&self, size: u64, newest: Option<&StoredCheckpoint>) -> Result<Hash, ProofsError> {
        let begun = newest.map(read).transpose()?.filter(|newest| newest.size <= size);
        let mut tree = match begun {
            None => Frontier::default(),
            Some(begun) => {
                let parts = self.hashes(&perfect_nodes(0, begun.size)).await?;
                let tree = Frontier::from_parts(begun.size, parts).filter(|tree| tree.root() == begun.root);
                tree.ok_or_else(|| {
                    damaged(&format!("its root of {} events is not the one that was signed", begun.size))
                })?
            }
        };
        while tree.size() < size {
            // No more than a page has.
            let limit = (size - tree.size()).min(EXPORT_EVENTS_MAX as u64) as usize;
            let page = self.log().leaves(Position(tree.size()), limit).await?;
            if page.is_empty() {
                return Err(damaged_log(Position(tree.size() + 1), "the log ends before it").into());
            }
            page.iter().for_each(|row| tree.push(row.leaf));
        }
        let root = self.root_of(size).await?;
        if tree.root() == root { Ok(root) } else { Err(damaged("its newest part is not the log's")) }
    }

    /// Forgets the nodes of a tree that was found to be damaged, so that whoever follows the log makes them again.
    pub(super) async fn or_forgotten<T: Send>(&self, made: Result<T, ProofsError>) -> Result<T, ProofsError> {
        if let Err(ProofsError::Damaged(reason)) = &made {
            match self.tree().begin_again().await {
                Ok(()) => tracing::warn!(reason, "the tree over the log is damaged and is made again"),
                // It is another process's tree.
                Err(LogError::Closed) => {}
                Err(error) => {
                    tracing::error!(%error, reason, "the tree over the log is damaged and cannot be made again")
                }
            }
        }
        made
    }
}
