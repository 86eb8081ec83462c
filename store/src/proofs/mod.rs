//! The tree over the log's leaves, which follows its head, and what is proved by it: where its nodes are kept, and how they
//! are read.
//!
//! The nodes can be made again from the log at any time. Invariant: what is made again has the root that every kept
//! checkpoint of its size signs, or else it is said that history was changed, and nothing more is signed.

mod log;
mod memory;
mod sound;

use std::collections::HashMap;
use std::ops::RangeInclusive;

use async_trait::async_trait;
use timeloom_verify::tree::{Hash, Node, WrongRange};

use crate::envelope::Position;
use crate::log::{Direction, LogError};

pub use log::{Edge, Folded, ProofLog, Surroundings};
pub use memory::MemoryTree;

/// Levels of the tree between those that are kept: a tile has the hashes of this many levels up.
pub const TILE_LEVELS: u8 = 8;
/// Hashes of a full tile.
pub const TILE_HASHES: u64 = 1 << TILE_LEVELS;
/// Most checkpoints of one read.
pub const CHECKPOINTS_READ_MAX: usize = 1_000;

/// Which hashes: of the nodes of level `8 * level`, those from `256 * index` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    /// 0 for leaves, 1 for the roots of 256 leaves each, and so on.
    pub level: u8,
    /// How many tiles of its level are before it.
    pub index: u64,
}

impl TileId {
    /// The tile that has what the hash of a node follows from, and which of its hashes: the first, and how many.
    pub fn of(node: Node) -> (Self, usize, usize) {
        let (level, below) = (node.level / TILE_LEVELS, node.level % TILE_LEVELS);
        let first = node.index << below;
        // Both are less than 256.
        (Self { level, index: first / TILE_HASHES }, (first % TILE_HASHES) as usize, 1 << below)
    }
}

/// New hashes of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// Leaves that the tree has before.
    pub from: u64,
    /// Leaves that it has then.
    pub to: u64,
    /// All hashes of every tile that is new or gets more.
    pub tiles: Vec<(TileId, Vec<Hash>)>,
}

/// A checkpoint that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// The size of its tree.
    pub size: u64,
    /// The signed note, with what witnesses added.
    pub note: String,
}

/// Where the nodes of the tree and the checkpoints are kept.
#[async_trait]
pub trait TreeStore: Send + Sync + 'static {
    /// How many leaves the tree has.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn size(&self) -> Result<u64, LogError>;

    /// The hashes of tiles; what is not there is left out.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn tiles(&self, wanted: Vec<TileId>) -> Result<HashMap<TileId, Vec<Hash>>, LogError>;

    /// Lets the tree grow; `false`, and nothing changes, when it has another size by now.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn grow(&self, growth: Growth) -> Result<bool, LogError>;

    /// Forgets all nodes, and no checkpoint.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn begin_again(&self) -> Result<(), LogError>;

    /// Checkpoints with sizes in a range, at most `limit`, itself at most [`CHECKPOINTS_READ_MAX`].
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn checkpoints(
        &self,
        sizes: RangeInclusive<u64>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<StoredCheckpoint>, LogError>;

    /// Keeps a checkpoint; `false` when one of its size was kept before, which stays.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn keep(&self, checkpoint: StoredCheckpoint) -> Result<bool, LogError>;

    /// Puts a note with more signatures in place of the one that is kept.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn cosigned(&self, checkpoint: StoredCheckpoint) -> Result<(), LogError>;
}

/// Why something was not proved.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProofsError {
    /// It is not in the tree.
    #[error(transparent)]
    Range(#[from] WrongRange),
    /// The tree is not as large yet.
    #[error("the tree has {size} events so far, not {asked}: it follows the log within seconds, try again")]
    Behind {
        /// The size that was asked for.
        asked: u64,
        /// The size that it has.
        size: u64,
    },
    /// No checkpoint covers it yet.
    #[error("no checkpoint covers position {asked} yet, the newest is of {newest} events: one is made within a minute")]
    NoCheckpoint {
        /// The position that was asked for.
        asked: u64,
        /// The size of the newest; 0 when there is none.
        newest: u64,
    },
    /// The nodes of the tree are not what was made of the log.
    #[error(
        "the tree over the log is damaged, {0}: it is made again from the log, ask again in a moment, or restart the server that has it"
    )]
    Damaged(String),
    /// The log is not the one of which checkpoints were made.
    #[error("history was changed: {detail}")]
    HistoryChanged {
        /// Up to where.
        position: Position,
        /// How that is known.
        detail: String,
    },
    /// The storage failed.
    #[error(transparent)]
    Log(#[from] LogError),
}
