//! The log with its tree: how the tree follows it, and what can be proved of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use timeloom_verify::checkpoint::{Checkpoint, origin};
use timeloom_verify::key::PrivateKey;
use timeloom_verify::tree::{Frontier, Hash, Node, consistency_plan, fold, inclusion_plan, join, perfect_nodes};
use uuid::Uuid;

use super::{CHECKPOINTS_READ_MAX, Growth, ProofsError, StoredCheckpoint, TILE_HASHES, TILE_LEVELS, TileId, TreeStore};
use crate::envelope::Position;
use crate::leaf::Leaf;
use crate::log::{Direction, LogError};
use crate::stored::{EXPORT_EVENTS_MAX, LogTransfer};

/// Levels of tiles: the highest node is of level 63.
const LEVELS_OF_TILES: u8 = 8;

/// A log and the tree over it.
#[derive(Clone)]
pub struct ProofLog {
    log: Arc<dyn LogTransfer>,
    tree: Arc<dyn TreeStore>,
}

/// What one step of following the log did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Folded {
    /// How many leaves the tree has now.
    pub size: u64,
    /// Whether there may be more to do.
    pub has_more: bool,
}

/// What the tree is found to be beside its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edge {
    /// It is the tree of the log as far as can be seen from its edge.
    Sound,
    /// Its nodes are not whole: they have to be made again.
    Damaged(String),
}

/// The hashes that tie a range of events to a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// Roots of the full parts before the range.
    pub left: Vec<Hash>,
    /// Roots of the full parts after it.
    pub right: Vec<Hash>,
}

impl ProofLog {
    /// The log and where its tree is kept.
    pub fn new(log: Arc<dyn LogTransfer>, tree: Arc<dyn TreeStore>) -> Self {
        Self { log, tree }
    }

    /// Where the tree is kept.
    pub fn tree(&self) -> &dyn TreeStore {
        &*self.tree
    }

    /// Id of the log.
    ///
    /// # Errors
    /// [`ProofsError::Log`] when the storage fails.
    pub async fn log_id(&self) -> Result<Uuid, ProofsError> {
        Ok(self.log.identity().await?.log_id)
    }

    /// The log.
    pub(super) fn log(&self) -> &dyn LogTransfer {
        &*self.log
    }

    /// Looks whether the tree is that of the log, at its edge and at the newest checkpoint.
    ///
    /// # Errors
    /// [`ProofsError::HistoryChanged`] when the log is not the one of which a checkpoint was made.
    pub async fn look_at_edge(&self) -> Result<Edge, ProofsError> {
        let (size, head) = (self.tree.size().await?, self.log.identity().await?.head.0);
        let newest = self.newest_checkpoint().await?;
        if let Some(newest) = newest.as_ref().filter(|newest| newest.size > head) {
            let detail = format!("a checkpoint of {} events was made, and the log ends at {head}", newest.size);
            return Err(ProofsError::HistoryChanged { position: Position(head), detail });
        }
        if size > head {
            return Ok(Edge::Damaged(format!("it has {size} events, and the log ends at {head}")));
        }
        if size > 0 {
            let leaf = self.hashes(&[Node { level: 0, index: size - 1 }]).await;
            let row = self.log.leaves(Position(size - 1), 1).await?;
            match leaf {
                Ok(leaf) if row.first().is_some_and(|row| leaf.first() == Some(&row.leaf)) => {}
                Ok(_) => return Ok(Edge::Damaged(format!("its leaf {size} is not the log's"))),
                Err(error) => return Ok(Edge::Damaged(error.to_string())),
            }
        }
        let Some(newest) = newest.filter(|newest| newest.size <= size) else { return Ok(Edge::Sound) };
        match self.root_of(newest.size).await {
            Ok(root) if root == read(&newest)?.root => Ok(Edge::Sound),
            Ok(_) => Ok(Edge::Damaged(format!("its root of {} events is not the one that was signed", newest.size))),
            Err(error) => Ok(Edge::Damaged(error.to_string())),
        }
    }

    /// Adds events to the tree, as many as one page has, and none behind `up_to`.
    ///
    /// # Errors
    /// [`ProofsError::HistoryChanged`] when the tree would pass a checkpoint with another root; it is left as it was.
    /// [`ProofsError::Damaged`] when its edge is not whole; it is forgotten then, to be made again.
    pub async fn fold(&self, up_to: Position) -> Result<Folded, ProofsError> {
        self.or_forgotten(self.fold_page(up_to).await).await
    }

    async fn fold_page(&self, up_to: Position) -> Result<Folded, ProofsError> {
        let size = self.tree.size().await?;
        let more = up_to.0.saturating_sub(size).min(EXPORT_EVENTS_MAX as u64);
        if more == 0 {
            return Ok(Folded { size, has_more: false });
        }
        // Never more than a page has.
        let rows = self.log.leaves(Position(size), more as usize).await?;
        if rows.is_empty() {
            return Err(damaged_log(Position(size + 1), "the log ends before it").into());
        }
        let parts = self.hashes(&perfect_nodes(0, size)).await?;
        let mut frontier = Frontier::from_parts(size, parts).ok_or_else(|| damaged("its edge is not whole"))?;
        let mut signed = self.signed(size + 1, size + rows.len() as u64).await?;
        let mut tiles = self.edge_tiles(size).await?;
        for row in rows {
            if row.position.0 != frontier.size() + 1 {
                return Err(damaged_log(row.position, "the event before it is missing").into());
            }
            frontier.push_telling(row.leaf, |level, index, hash| {
                if level % TILE_LEVELS == 0 {
                    let tile = TileId { level: level / TILE_LEVELS, index: index / TILE_HASHES };
                    tiles.entry(tile).or_default().push(*hash);
                }
            });
            if signed.remove(&frontier.size()).is_some_and(|root| root != frontier.root()) {
                return Err(changed(row.position));
            }
        }
        let to = frontier.size();
        let grown = self.tree.grow(Growth { from: size, to, tiles: tiles.into_iter().collect() }).await?;
        // Where another process was faster, the next step goes on after it.
        let size = if grown { to } else { self.tree.size().await? };
        Ok(Folded { size, has_more: size < up_to.0 })
    }

    /// Roots that checkpoints sign of trees of these sizes.
    async fn signed(&self, from: u64, to: u64) -> Result<HashMap<u64, Hash>, ProofsError> {
        let kept = self.tree.checkpoints(from..=to, Direction::Forward, CHECKPOINTS_READ_MAX).await?;
        kept.iter().map(|kept| Ok((kept.size, read(kept)?.root))).collect()
    }

    /// The tiles that get more when the tree of this size grows.
    async fn edge_tiles(&self, size: u64) -> Result<BTreeMap<TileId, Vec<Hash>>, ProofsError> {
        let level = |level: u8| {
            let nodes = size >> (level * TILE_LEVELS);
            (TileId { level, index: nodes / TILE_HASHES }, nodes % TILE_HASHES)
        };
        let edge: Vec<_> = (0..LEVELS_OF_TILES).map(level).filter(|(_, hashes)| *hashes > 0).collect();
        let mut found = self.tiles(edge.iter().map(|(tile, _)| *tile).collect()).await?;
        let mut tiles = BTreeMap::new();
        for (tile, hashes) in edge {
            let mut kept = found.remove(&tile).unwrap_or_default();
            // Another process may have let the tree grow since: what was there before stays as it is.
            if (kept.len() as u64) < hashes {
                return Err(damaged("a tile of its edge is not whole"));
            }
            // Less than a tile has.
            kept.truncate(hashes as usize);
            tiles.insert(tile, kept);
        }
        Ok(tiles)
    }

    /// Signs and keeps a checkpoint of the tree as it is; `None` when one is kept already, or no key may be used.
    ///
    /// # Errors
    /// [`ProofsError`] when the tree is damaged, which is forgotten then, or the storage fails.
    pub async fn make_checkpoint(&self, keys: &[PrivateKey]) -> Result<Option<StoredCheckpoint>, ProofsError> {
        self.or_forgotten(self.sign_as_it_is(keys).await).await
    }

    async fn sign_as_it_is(&self, keys: &[PrivateKey]) -> Result<Option<StoredCheckpoint>, ProofsError> {
        let size = self.tree.size().await?;
        let row = self.log.leaves(Position(size.saturating_sub(1)), 1).await?;
        let Some(row) = row.first().filter(|row| row.position.0 == size) else { return Ok(None) };
        let newest = self.newest_checkpoint().await?;
        if newest.as_ref().is_some_and(|newest| newest.size == size) {
            return Ok(None);
        }
        let root = self.root_to_sign(size, newest.as_ref()).await?;
        let (log_id, recorded_at_us) = (self.log_id().await?, row.recorded_at_us);
        let checkpoint = Checkpoint { origin: origin(log_id), size, root, recorded_at_us };
        let may_sign = |key: &&PrivateKey| key.name() == checkpoint.origin && key.validity.holds(recorded_at_us);
        let keys: Vec<PrivateKey> = keys.iter().filter(may_sign).cloned().collect();
        if keys.is_empty() {
            return Ok(None);
        }
        let made = StoredCheckpoint { size, note: checkpoint.signed(&keys).to_string() };
        Ok(self.tree.keep(made.clone()).await?.then_some(made))
    }

    /// Makes every root again from the log's leaves, without its tree, and compares it with what checkpoints sign. How many
    /// were compared. `progress` is told how far it is.
    ///
    /// # Errors
    /// [`ProofsError::HistoryChanged`] at the first that differs, or that knows more events than there are.
    pub async fn compare_with_checkpoints(
        &self,
        mut progress: impl FnMut(Position) + Send,
    ) -> Result<u64, ProofsError> {
        let mut checked = 0;
        let Some(newest) = self.newest_checkpoint().await? else { return Ok(checked) };
        let mut frontier = Frontier::default();
        while frontier.size() < newest.size {
            let page = self.log.leaves(Position(frontier.size()), EXPORT_EVENTS_MAX).await?;
            let Some(last) = page.last() else { break };
            let mut signed = self.signed(frontier.size() + 1, last.position.0).await?;
            for row in &page {
                if row.position.0 != frontier.size() + 1 {
                    return Err(damaged_log(row.position, "the event before it is missing").into());
                }
                frontier.push(row.leaf);
                if let Some(root) = signed.remove(&frontier.size()) {
                    checked += 1;
                    if root != frontier.root() {
                        return Err(changed(row.position));
                    }
                }
            }
            progress(last.position);
        }
        if frontier.size() < newest.size {
            let detail =
                format!("a checkpoint of {} events was made, and the log ends at {}", newest.size, frontier.size());
            return Err(ProofsError::HistoryChanged { position: Position(frontier.size()), detail });
        }
        Ok(checked)
    }

    /// How many events the tree has.
    ///
    /// # Errors
    /// [`ProofsError::Log`] when the storage fails.
    pub async fn size(&self) -> Result<u64, ProofsError> {
        Ok(self.tree.size().await?)
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// [`ProofsError::Log`] when the storage fails.
    pub async fn newest_checkpoint(&self) -> Result<Option<StoredCheckpoint>, ProofsError> {
        Ok(self.tree.checkpoints(0..=u64::MAX >> 1, Direction::Backward, 1).await?.pop())
    }

    /// The first checkpoint that covers a position.
    ///
    /// # Errors
    /// [`ProofsError::NoCheckpoint`] when none does yet.
    pub async fn checkpoint_over(&self, position: u64) -> Result<StoredCheckpoint, ProofsError> {
        let found = self.tree.checkpoints(position..=u64::MAX >> 1, Direction::Forward, 1).await?.pop();
        match found {
            Some(found) => Ok(found),
            None => {
                let newest = self.newest_checkpoint().await?.map_or(0, |newest| newest.size);
                Err(ProofsError::NoCheckpoint { asked: position, newest })
            }
        }
    }

    /// The root of the tree over the first `size` events.
    ///
    /// # Errors
    /// [`ProofsError`] when the tree is not as large.
    pub async fn root(&self, size: u64) -> Result<Hash, ProofsError> {
        self.reaches(size).await?;
        self.root_of(size).await
    }

    /// The same of a tree that is known to be as large.
    pub(super) async fn root_of(&self, size: u64) -> Result<Hash, ProofsError> {
        let parts = self.hashes(&perfect_nodes(0, size)).await?;
        Ok(fold(&parts).unwrap_or_else(timeloom_verify::tree::empty_root))
    }

    /// The leaf of the event at a position.
    ///
    /// # Errors
    /// [`ProofsError`] when the tree does not reach it.
    pub async fn leaf(&self, position: u64) -> Result<Leaf, ProofsError> {
        inclusion_plan(position, self.size().await?)?;
        let hashes = self.hashes(&[Node { level: 0, index: position - 1 }]).await?;
        hashes.first().copied().ok_or_else(|| damaged("a leaf is missing"))
    }

    /// The proof that the event at `position` is in the tree of `size`.
    ///
    /// # Errors
    /// [`ProofsError`] when it is not, or the tree is not as large. A tree that is damaged there is forgotten, to be made
    /// again: nothing is given that does not hold.
    pub async fn inclusion(&self, position: u64, size: u64) -> Result<Vec<Hash>, ProofsError> {
        let made = async {
            self.reaches(size).await?;
            let path = self.carry_out(inclusion_plan(position, size)?).await?;
            self.includes(position, size, &path).await?;
            Ok(path)
        };
        self.or_forgotten(made.await).await
    }

    /// The proof that the tree of size `from` is the beginning of the tree of size `to`.
    ///
    /// # Errors
    /// As [`Self::inclusion`].
    pub async fn consistency(&self, from: u64, to: u64) -> Result<Vec<Hash>, ProofsError> {
        let made = async {
            self.reaches(to).await?;
            let path = self.carry_out(consistency_plan(from, to)?).await?;
            self.continues(from, to, &path).await?;
            Ok(path)
        };
        self.or_forgotten(made.await).await
    }

    /// What ties the events from one position to another to the tree of `size`.
    ///
    /// # Errors
    /// As [`Self::inclusion`].
    pub async fn surroundings(&self, from: u64, to: u64, size: u64) -> Result<Surroundings, ProofsError> {
        let made = async {
            self.reaches(size).await?;
            inclusion_plan(from, to)?;
            inclusion_plan(to, size)?;
            let left = self.hashes(&perfect_nodes(0, from - 1)).await?;
            let right = self.hashes(&perfect_nodes(to, size)).await?;
            let around = Surroundings { left, right };
            self.surrounds((from, to), size, &around).await?;
            Ok(around)
        };
        self.or_forgotten(made.await).await
    }

    async fn reaches(&self, asked: u64) -> Result<(), ProofsError> {
        let size = self.tree.size().await?;
        if asked <= size { Ok(()) } else { Err(ProofsError::Behind { asked, size }) }
    }

    async fn carry_out(&self, plan: Vec<Vec<Node>>) -> Result<Vec<Hash>, ProofsError> {
        let all: Vec<Node> = plan.iter().flatten().copied().collect();
        let hashes = self.hashes(&all).await?;
        let (mut rest, mut proof) = (hashes.as_slice(), Vec::with_capacity(plan.len()));
        for nodes in plan {
            let (these, others) = rest.split_at(nodes.len().min(rest.len()));
            proof.push(fold(these).ok_or_else(|| damaged("a node is missing"))?);
            rest = others;
        }
        Ok(proof)
    }

    /// The hashes of full parts of the tree, in their order.
    pub(super) async fn hashes(&self, nodes: &[Node]) -> Result<Vec<Hash>, ProofsError> {
        let wanted: HashSet<TileId> = nodes.iter().map(|node| TileId::of(*node).0).collect();
        let tiles = if wanted.is_empty() { HashMap::new() } else { self.tiles(wanted.into_iter().collect()).await? };
        let hash = |node: &Node| {
            let (tile, first, count) = TileId::of(*node);
            let hashes = tiles.get(&tile)?.get(first..first + count)?;
            full_root(hashes)
        };
        let hashes: Option<Vec<Hash>> = nodes.iter().map(hash).collect();
        hashes.ok_or_else(|| damaged("a tile is missing or too short"))
    }

    /// Tiles of the tree; one that cannot be read is damage.
    pub(super) async fn tiles(&self, wanted: Vec<TileId>) -> Result<HashMap<TileId, Vec<Hash>>, ProofsError> {
        match self.tree.tiles(wanted).await {
            Err(LogError::Corrupt { detail, .. }) => Err(damaged(&detail)),
            read => Ok(read?),
        }
    }
}

/// The root over hashes that are as many as a power of two.
pub(super) fn full_root(hashes: &[Hash]) -> Option<Hash> {
    match hashes {
        [] => None,
        [hash] => Some(*hash),
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            Some(join(&full_root(left)?, &full_root(right)?))
        }
    }
}

pub(super) fn read(kept: &StoredCheckpoint) -> Result<Checkpoint, ProofsError> {
    let parsed = Checkpoint::parse(&kept.note);
    let failed =
        |error| damaged_log(Position(kept.size), &format!("the checkpoint that is kept of it cannot be read: {error}"));
    Ok(parsed.map_err(failed)?.0)
}

/// The log is not the one of which a checkpoint of this size was made.
fn changed(position: Position) -> ProofsError {
    let detail = format!("the first {position} events have another root than the one that was signed");
    ProofsError::HistoryChanged { position, detail }
}

/// The tree can be made again from the log.
pub(super) fn damaged(detail: &str) -> ProofsError {
    ProofsError::Damaged(detail.to_owned())
}

pub(super) fn damaged_log(position: Position, detail: &str) -> LogError {
    LogError::Corrupt { position, detail: detail.to_owned() }
}
