//! Signed checkpoints that a history must pass through, and where it was found to leave them.

use std::collections::BTreeMap;

use super::report::{Kind, Report};
use crate::checkpoint::Checkpoint;
use crate::export::Manifest;
use crate::key::time_text;
use crate::tree::{Hash, check_consistency};

/// One signed checkpoint.
#[derive(Debug)]
pub(super) struct Anchor {
    place: String,
    checkpoint: Checkpoint,
    is_kept: bool,
}

/// All of them, by the size of their tree.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    at: BTreeMap<u64, Vec<Anchor>>,
    from: u64,
    to: u64,
    /// The size up to which the history is the signed one.
    holds_up_to: u64,
    /// Whether it was found to leave the checkpoints that were kept, and those that the export brings along.
    left: [bool; 2],
}

impl Anchors {
    pub fn new(manifest: &Manifest) -> Self {
        let before = manifest.from.saturating_sub(1);
        Self { from: before, to: manifest.to, holds_up_to: before, ..Self::default() }
    }

    /// A checkpoint of the export. They come in the order of their sizes, and time goes forward with them.
    pub fn add_earlier(&mut self, place: String, checkpoint: Checkpoint, report: &mut Report) {
        if !(self.from..=self.to).contains(&checkpoint.size) {
            return report.add(Kind::File, None, format!("{place}: its tree ends outside of the export"));
        }
        if let Some((size, newest)) = self.at.last_key_value()
            && let Some(newest) = newest.last()
        {
            if *size >= checkpoint.size {
                return report.add(
                    Kind::File,
                    None,
                    format!("{place}: it is not of a larger tree than the one before"),
                );
            }
            if newest.checkpoint.recorded_at_us > checkpoint.recorded_at_us {
                let (before, now) = (newest.checkpoint.recorded_at_us, checkpoint.recorded_at_us);
                let detail = format!("{place}: time goes back from {} to {}", time_text(before), time_text(now));
                report.add(Kind::Clock, Some((size + 1, checkpoint.size)), detail);
            }
        }
        self.at.entry(checkpoint.size).or_default().push(Anchor { place, checkpoint, is_kept: false });
    }

    /// A checkpoint that whoever checks kept.
    pub fn add_kept(&mut self, place: String, checkpoint: Checkpoint) {
        self.at.entry(checkpoint.size).or_default().push(Anchor { place, checkpoint, is_kept: true });
    }

    /// Whether a checkpoint is of this size: the root need be computed only then.
    pub fn has(&self, size: u64) -> bool {
        self.at.contains_key(&size)
    }

    /// The tree of `size` has this root, and its last event this time where it is known.
    pub fn pass(&mut self, size: u64, root: Hash, recorded_at_us: Option<i64>, report: &mut Report) {
        let mut holds = true;
        for anchor in self.at.remove(&size).unwrap_or_default() {
            if anchor.checkpoint.root != root {
                (self.left, holds) = (anchor.leave(self.left, (self.holds_up_to + 1, size), report), false);
                continue;
            }
            if recorded_at_us.is_some_and(|time| time != anchor.checkpoint.recorded_at_us) {
                let (says, is) = (anchor.checkpoint.recorded_at_us, recorded_at_us.unwrap_or_default());
                let detail = format!(
                    "{} says that its last event is of {}, and it is of {}",
                    anchor.place,
                    time_text(says),
                    time_text(is)
                );
                report.add(Kind::Clock, Some((size, size)), detail);
            }
            anchor.told(report);
        }
        if holds {
            self.holds_up_to = size;
        }
    }

    /// Where the history that was read leaves the signed one, as far as that is known.
    pub fn unknown(&self, size: u64) -> (u64, u64) {
        (self.holds_up_to + 1, size)
    }

    /// Whether it was found to leave one.
    pub fn has_left(&self) -> bool {
        self.left.contains(&true)
    }

    /// What was not passed, because its tree ends outside of what was exported, or because events are missing.
    pub fn rest(self, manifest: &Manifest, was_folded: bool, report: &mut Report) {
        let mut left = self.left;
        for (size, anchors) in self.at {
            for anchor in anchors {
                let is_inside = (self.from..=self.to).contains(&size);
                if size == manifest.tree_size && anchor.checkpoint.root == manifest.root {
                    anchor.told(report);
                } else if size == manifest.tree_size {
                    left = anchor.leave(left, (1, size), report);
                } else if is_inside && !was_folded {
                    // What is missing was told.
                } else {
                    anchor.outside(manifest, report);
                }
            }
        }
    }
}

impl Anchor {
    fn told(&self, report: &mut Report) {
        if self.is_kept {
            report.kept.push(self.checkpoint.size);
        } else {
            report.earlier += 1;
        }
    }

    /// The history is another one. That is told once for those that were kept and once for the others: all that follow
    /// have been left as well.
    fn leave(&self, mut left: [bool; 2], (from, to): (u64, u64), report: &mut Report) -> [bool; 2] {
        if !left[usize::from(self.is_kept)] {
            let (kind, what) = match self.is_kept {
                true => (Kind::Forked, "this is not the history of which it was made: one of its events is another"),
                false => (Kind::Rewritten, "this is not the history that was signed: one of its events is another"),
            };
            report.add(kind, Some((from, to)), format!("{}: {what}", self.place));
        }
        left[usize::from(self.is_kept)] = true;
        left
    }

    fn outside(&self, manifest: &Manifest, report: &mut Report) {
        let (size, root) = (self.checkpoint.size, &self.checkpoint.root);
        let here = (manifest.tree_size, &manifest.root);
        let (smaller, larger) = if size < here.0 { ((size, root), here) } else { (here, (size, root)) };
        let proofs = manifest.consistency.iter();
        let mut proofs = proofs.filter(|proof| (proof.from, proof.to) == (smaller.0, larger.0));
        match proofs.next() {
            Some(proof) => match check_consistency(smaller, larger, &proof.path) {
                Ok(()) => self.told(report),
                Err(error) => {
                    let detail = format!("{}: this is not the history of which it was made ({error})", self.place);
                    report.add(Kind::Forked, Some((1, smaller.0)), detail);
                }
            },
            None if size > here.0 => {
                let detail = format!(
                    "{} knows {size} events, and this tree ends at {}: the rest was cut off, or ask for an export up to it",
                    self.place, here.0
                );
                report.add(Kind::Truncated, Some((here.0 + 1, size)), detail);
            }
            None => {
                let detail = format!(
                    "{}: nothing proves that it belongs to this history: ask for an export with --older {size}",
                    self.place
                );
                report.add(Kind::Unlinked, None, detail);
            }
        }
    }
}
