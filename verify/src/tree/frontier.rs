//! What must be known of leaves side by side to add more of them: the roots of their largest full parts, at most 126 of them.

use super::{Hash, Node, empty_root, join, perfect_nodes};

/// The largest full parts of a tree that leaves in a row make up; the first may be any leaf of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeParts {
    /// Index of the first leaf.
    begin: u64,
    /// Index behind the last.
    end: u64,
    /// Roots, from left to right, of the nodes that [`perfect_nodes`] names.
    parts: Vec<Hash>,
}

impl RangeParts {
    /// No leaves yet; the first will have the index `begin`.
    pub fn from_leaf(begin: u64) -> Self {
        Self { begin, end: begin, parts: Vec::new() }
    }

    /// Adds one leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.grow(0, leaf, |_, _, _| {});
    }

    /// The parts, from left to right.
    pub fn nodes(&self) -> impl Iterator<Item = (Node, Hash)> {
        perfect_nodes(self.begin, self.end).into_iter().zip(self.parts.iter().copied())
    }

    fn grow(&mut self, level: u8, root: Hash, mut tell: impl FnMut(u8, u64, &Hash)) {
        let (mut hash, mut level) = (root, level);
        let mut index = self.end >> level;
        tell(level, index, &hash);
        let end = self.end + (1 << level);
        // Every part that the new one completes is joined with it.
        while index & 1 == 1 && (index - 1) << level >= self.begin {
            let Some(left) = self.parts.pop() else { break };
            hash = join(&left, &hash);
            (level, index) = (level + 1, index >> 1);
            tell(level, index, &hash);
        }
        self.parts.push(hash);
        self.end = end;
    }
}

/// A tree of which only the edge is kept: the parts of all its leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier(RangeParts);

impl Frontier {
    /// The tree of this size whose largest full parts have these roots, from left to right; `None` when it has not as
    /// many.
    pub fn from_parts(size: u64, parts: Vec<Hash>) -> Option<Self> {
        (parts.len() == size.count_ones() as usize).then_some(Self(RangeParts { begin: 0, end: size, parts }))
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.0.end
    }

    /// The roots of its largest full parts, from left to right. Their sizes are the bits of its own from the highest.
    pub fn parts(&self) -> &[Hash] {
        &self.0.parts
    }

    /// Adds one leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.0.push(leaf);
    }

    /// Adds one leaf, and tells of each node that is full with it: its level, its index there, its hash. The leaf is the
    /// first of them, of level 0.
    pub fn push_telling(&mut self, leaf: Hash, tell: impl FnMut(u8, u64, &Hash)) {
        self.0.grow(0, leaf, tell);
    }

    /// Adds a full part of `2^level` leaves by its root; `false` when it cannot stand there.
    #[must_use]
    pub fn push_part(&mut self, level: u8, root: Hash) -> bool {
        let size = self.size();
        let fits = level < 63 && size.trailing_zeros() >= u32::from(level) && size < 1 << 62;
        if fits {
            self.0.grow(level, root, |_, _, _| {});
        }
        fits
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let Some((last, rest)) = self.parts().split_last() else { return empty_root() };
        rest.iter().rfold(*last, |right, left| join(left, &right))
    }
}
