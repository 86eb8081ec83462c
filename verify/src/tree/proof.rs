//! Proofs that a leaf is in a tree, and that one tree is the beginning of another.

use super::{Hash, join};

/// Most hashes of a proof: the tree has at most 63 levels, and a proof at most one hash for each and one more.
pub const PROOF_HASHES_MAX: usize = 64;

/// A full part of a tree: `2^level` leaves, of which `index` others of the same size are to the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    /// Its height; leaves have 0.
    pub level: u8,
    /// How many of its level are to the left of it.
    pub index: u64,
}

/// What was asked for is not in the tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {given}: give a number from {first} to {last}")]
pub struct WrongRange {
    /// What is out of range.
    pub what: &'static str,
    /// What was given.
    pub given: u64,
    /// The least that may be.
    pub first: u64,
    /// The most that may be.
    pub last: u64,
}

/// Why a proof does not prove what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It has not as many hashes as such a proof has.
    #[error("the proof has {given} hashes, not {needed}")]
    Length {
        /// How many there are.
        given: usize,
        /// How many there should be.
        needed: usize,
    },
    /// What is to be proved cannot be.
    #[error("nothing can be proved of {first} in a tree of {size}")]
    Range {
        /// The position or the smaller size.
        first: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The hashes lead to another root than the tree's.
    #[error("the proof leads to another root")]
    Root,
    /// The hashes lead to another root than the smaller tree's.
    #[error("the proof leads to another root of the smaller tree")]
    OldRoot,
}

/// The largest full parts that lie side by side from leaf `begin` up to leaf `end`, which is not among them.
pub fn perfect_nodes(begin: u64, end: u64) -> Vec<Node> {
    let (mut at, mut nodes) = (begin, Vec::new());
    while at < end {
        let level = at.trailing_zeros().min((end - at).ilog2());
        // At most 63, as there are no more bits.
        nodes.push(Node { level: level as u8, index: at >> level });
        at += 1 << level;
    }
    nodes
}

/// The hash over parts that get smaller from left to right, as those of [`perfect_nodes`] for an end of a tree.
pub fn fold(parts: &[Hash]) -> Option<Hash> {
    let (last, rest) = parts.split_last()?;
    Some(rest.iter().rfold(*last, |right, left| join(left, &right)))
}

/// What a proof is made of that the event at `position` is in the tree of `size`: for each of its hashes the nodes to
/// [`fold`].
///
/// # Errors
/// [`WrongRange`] when the tree does not have it.
pub fn inclusion_plan(position: u64, size: u64) -> Result<Vec<Vec<Node>>, WrongRange> {
    if position == 0 || position > size {
        return Err(WrongRange { what: "the position", given: position, first: 1, last: size });
    }
    let (mut begin, mut end, mut plan) = (0, size, Vec::new());
    // From the root down; the proof is given from the leaf up.
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if position <= middle {
            plan.push(perfect_nodes(middle, end));
            end = middle;
        } else {
            plan.push(perfect_nodes(begin, middle));
            begin = middle;
        }
    }
    plan.reverse();
    Ok(plan)
}

/// What a proof is made of that the tree of size `from` is the beginning of the tree of size `to`.
///
/// # Errors
/// [`WrongRange`] when it cannot be.
pub fn consistency_plan(from: u64, to: u64) -> Result<Vec<Vec<Node>>, WrongRange> {
    if from == 0 || from > to {
        return Err(WrongRange { what: "the smaller size", given: from, first: 1, last: to });
    }
    let (mut begin, mut end, mut plan, mut is_whole) = (0, to, Vec::new(), true);
    while end != from {
        let middle = begin + split(end - begin);
        if from <= middle {
            plan.push(perfect_nodes(middle, end));
            end = middle;
        } else {
            plan.push(perfect_nodes(begin, middle));
            (begin, is_whole) = (middle, false);
        }
    }
    if !is_whole {
        plan.push(perfect_nodes(begin, end));
    }
    plan.reverse();
    Ok(plan)
}

/// The largest power of two that is less than `leaves`, which are at least two.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// Checks that the leaf of the event at `position` is in the tree of `size` with this root.
///
/// # Errors
/// [`ProofError`] when that is not proved.
pub fn check_inclusion(position: u64, size: u64, leaf: &Hash, path: &[Hash], root: &Hash) -> Result<(), ProofError> {
    if position == 0 || position > size {
        return Err(ProofError::Range { first: position, size });
    }
    let (mut node, mut last) = (position - 1, size - 1);
    let mut hashes = path.iter();
    let mut hash = *leaf;
    // As RFC 9162 section 2.1.3.2 has it.
    while last > 0 {
        if node & 1 == 1 || node < last {
            let Some(sibling) = hashes.next() else { return Err(wrong_length(path, position, size)) };
            hash = if node & 1 == 1 { join(sibling, &hash) } else { join(&hash, sibling) };
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if hashes.next().is_some() {
        return Err(wrong_length(path, position, size));
    }
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

fn wrong_length(path: &[Hash], position: u64, size: u64) -> ProofError {
    let needed = inclusion_plan(position, size).map_or(0, |plan| plan.len());
    ProofError::Length { given: path.len(), needed }
}

/// Checks that the tree of size `from` with the first root is the beginning of the tree of size `to` with the second.
///
/// # Errors
/// [`ProofError`] when that is not proved.
pub fn check_consistency(
    (from, old_root): (u64, &Hash),
    (to, new_root): (u64, &Hash),
    path: &[Hash],
) -> Result<(), ProofError> {
    let plan = consistency_plan(from, to).map_err(|_| ProofError::Range { first: from, size: to })?;
    if path.len() != plan.len() {
        return Err(ProofError::Length { given: path.len(), needed: plan.len() });
    }
    if from == to {
        return if old_root == new_root { Ok(()) } else { Err(ProofError::Root) };
    }
    // Where the smaller tree is a full part, it is itself the first hash.
    let (mut old, mut new, rest) = match path.split_first() {
        Some((first, rest)) if !from.is_power_of_two() => (*first, *first, rest),
        _ => (*old_root, *old_root, path),
    };
    let (mut node, mut last) = (from - 1, to - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    // As RFC 9162 section 2.1.4.2 has it.
    for hash in rest {
        if last == 0 {
            return Err(ProofError::Root);
        }
        if node & 1 == 1 || node == last {
            old = join(hash, &old);
            new = join(hash, &new);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            new = join(&new, hash);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if old != *old_root {
        return Err(ProofError::OldRoot);
    }
    if new == *new_root && last == 0 { Ok(()) } else { Err(ProofError::Root) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Frontier, RangeParts};
    use super::*;

    /// The definition of RFC 6962, as it stands there.
    fn naive_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => super::super::empty_root(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(naive_split(leaves.len()));
                join(&naive_root(left), &naive_root(right))
            }
        }
    }

    fn naive_split(leaves: usize) -> usize {
        let mut power = 1;
        while power * 2 < leaves {
            power *= 2;
        }
        power
    }

    fn naive_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() <= 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(naive_split(leaves.len()));
        let (mut path, last) = match index.checked_sub(left.len()) {
            None => (naive_path(index, left), naive_root(right)),
            Some(index) => (naive_path(index, right), naive_root(left)),
        };
        path.push(last);
        path
    }

    fn naive_subproof(size: usize, leaves: &[Hash], is_whole: bool) -> Vec<Hash> {
        if size == leaves.len() {
            return if is_whole { Vec::new() } else { vec![naive_root(leaves)] };
        }
        let (left, right) = leaves.split_at(naive_split(leaves.len()));
        let (mut proof, last) = if size <= left.len() {
            (naive_subproof(size, left, is_whole), naive_root(right))
        } else {
            (naive_subproof(size - left.len(), right, false), naive_root(left))
        };
        proof.push(last);
        proof
    }

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|number| *blake3::hash(&number.to_be_bytes()).as_bytes()).collect()
    }

    fn carried_out(plan: Vec<Vec<Node>>, leaves: &[Hash]) -> Vec<Hash> {
        let hash = |node: Node| {
            let (from, count) = ((node.index << node.level) as usize, 1 << node.level);
            naive_root(&leaves[from..from + count])
        };
        plan.into_iter().map(|nodes| fold(&nodes.into_iter().map(hash).collect::<Vec<_>>()).unwrap()).collect()
    }

    fn frontier(leaves: &[Hash]) -> Frontier {
        let mut frontier = Frontier::default();
        leaves.iter().for_each(|leaf| frontier.push(*leaf));
        frontier
    }

    #[test]
    fn every_small_tree_is_as_the_definition_has_it_and_every_proof_holds() {
        let all = leaves(33);
        for size in 0..=all.len() {
            let (tree, root) = (&all[..size], naive_root(&all[..size]));
            assert_eq!(frontier(tree).root(), root, "{size}");
            for position in 1..=size {
                let path = carried_out(inclusion_plan(position as u64, size as u64).unwrap(), tree);
                assert_eq!(path, naive_path(position - 1, tree), "{position} in {size}");
                let leaf = &tree[position - 1];
                assert_eq!(check_inclusion(position as u64, size as u64, leaf, &path, &root), Ok(()));
                let proof = carried_out(consistency_plan(position as u64, size as u64).unwrap(), tree);
                assert_eq!(proof, naive_subproof(position, tree, true), "{position} of {size}");
                let old = naive_root(&tree[..position]);
                assert_eq!(check_consistency((position as u64, &old), (size as u64, &root), &proof), Ok(()));
            }
        }
    }

    #[test]
    fn what_is_not_in_the_tree_cannot_be_proved() {
        assert!(inclusion_plan(0, 5).is_err() && inclusion_plan(6, 5).is_err());
        assert!(consistency_plan(0, 5).is_err() && consistency_plan(6, 5).is_err());
        assert_eq!(consistency_plan(6, 5).unwrap_err().to_string(), "the smaller size is 6: give a number from 1 to 5");
        let root = naive_root(&leaves(5));
        assert_eq!(check_inclusion(6, 5, &root, &[], &root), Err(ProofError::Range { first: 6, size: 5 }));
    }

    proptest! {
        #[test]
        fn a_proof_holds_for_nothing_else(size in 2..300_usize, position in 1..300_usize, at in 0..64_usize, bit in 0..256_usize) {
            let (size, position) = (size as u64, (position % size + 1) as u64);
            let all = leaves(size as usize);
            let root = naive_root(&all);
            let leaf = all[position as usize - 1];
            let path = carried_out(inclusion_plan(position, size).unwrap(), &all);
            prop_assert_eq!(check_inclusion(position, size, &leaf, &path, &root), Ok(()));
            let mut wrong = path.clone();
            let at = at % wrong.len();
            wrong[at][bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(check_inclusion(position, size, &leaf, &wrong, &root), Err(ProofError::Root));
            let other = position % size + 1;
            prop_assert!(check_inclusion(other, size, &leaf, &path, &root).is_err());
            prop_assert!(check_inclusion(position, size, &leaf, &path[1..], &root).is_err());
            let longer = [&path[..], &[root]].concat();
            prop_assert!(check_inclusion(position, size, &leaf, &longer, &root).is_err());
        }

        #[test]
        fn a_tree_that_was_changed_is_not_the_beginning_of_another(to in 2..300_usize, from in 1..300_usize, changed in 0..300_usize) {
            let from = from % (to - 1) + 1;
            let all = leaves(to);
            let (old, new) = (naive_root(&all[..from]), naive_root(&all));
            let proof = carried_out(consistency_plan(from as u64, to as u64).unwrap(), &all);
            prop_assert_eq!(check_consistency((from as u64, &old), (to as u64, &new), &proof), Ok(()));
            let mut forked = all.clone();
            forked[changed % from][0] ^= 1;
            let forged_root = naive_root(&forked);
            let forged = carried_out(consistency_plan(from as u64, to as u64).unwrap(), &forked);
            prop_assert!(check_consistency((from as u64, &old), (to as u64, &forged_root), &forged).is_err());
            prop_assert!(check_consistency((from as u64, &old), (to as u64, &forged_root), &proof).is_err());
            if let Some((_, shorter)) = proof.split_first() {
                prop_assert!(check_consistency((from as u64, &old), (to as u64, &new), shorter).is_err());
            }
        }

        #[test]
        fn a_range_between_its_neighbours_gives_the_root(size in 1..400_u64, begin in 0..400_u64, end in 0..400_u64) {
            let (begin, end) = (begin % (size + 1), end % (size + 1));
            let (begin, end) = (begin.min(end), begin.max(end));
            let all = leaves(size as usize);
            let part = |node: &Node| naive_root(&all[(node.index << node.level) as usize..((node.index + 1) << node.level) as usize]);
            let left = perfect_nodes(0, begin).iter().map(part).collect();
            let mut tree = Frontier::from_parts(begin, left).unwrap();
            all[begin as usize..end as usize].iter().for_each(|leaf| tree.push(*leaf));
            for node in perfect_nodes(end, size) {
                prop_assert!(tree.push_part(node.level, part(&node)));
            }
            prop_assert_eq!(tree.root(), naive_root(&all));
        }

        #[test]
        fn parts_of_any_range_are_those_of_the_tree(begin in 0..200_u64, count in 0..200_u64) {
            let all = leaves((begin + count) as usize);
            let mut range = RangeParts::from_leaf(begin);
            all[begin as usize..].iter().for_each(|leaf| range.push(*leaf));
            let part = |node: Node| naive_root(&all[(node.index << node.level) as usize..((node.index + 1) << node.level) as usize]);
            let wanted: Vec<(Node, Hash)> =
                perfect_nodes(begin, begin + count).into_iter().map(|node| (node, part(node))).collect();
            prop_assert_eq!(range.nodes().collect::<Vec<_>>(), wanted);
        }
    }
}
