//! The Merkle tree of RFC 6962 over the leaves of a log: what its nodes are, its frontier, and proofs.
//!
//! The leaf of position `p` has index `p - 1`; the tree of size `n` has the events up to position `n`. Nothing here keeps
//! nodes: proofs are planned as nodes that somebody else has, and checked from hashes alone.

mod frontier;
mod proof;

use sha2::{Digest as _, Sha256};

pub use frontier::{Frontier, RangeParts};
pub use proof::{
    Node, PROOF_HASHES_MAX, ProofError, WrongRange, check_consistency, check_inclusion, consistency_plan, fold,
    inclusion_plan, perfect_nodes,
};

/// The hash of a node, of a leaf as well.
pub type Hash = [u8; 32];

/// The hash of the node over two others.
pub fn join(left: &Hash, right: &Hash) -> Hash {
    let mut hash = Sha256::new();
    hash.update([1]);
    hash.update(left);
    hash.update(right);
    hash.finalize().into()
}

/// The root of a tree without leaves.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}
