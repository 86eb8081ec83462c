//! Events in their order: positions, times, revisions, payloads, and the tree that they make.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::anchors::Anchors;
use super::part::{ReadPart, Referenced, Row};
use super::report::{Kind, Report};
use crate::export::{BLOBS, Manifest, Part};
use crate::key::time_text;
use crate::tree::{Frontier, perfect_nodes};

/// Most gaps that are remembered, to tell an event that stands elsewhere from one that is missing.
const GAPS_MAX: usize = 1_000;
/// Largest payload beside an event, in bytes.
const PAYLOAD_BYTES_MAX: u64 = 256 << 20;

pub(super) struct Fold<'run> {
    report: &'run mut Report,
    anchors: Anchors,
    /// The tree up to here; `None` once events are missing or were not read.
    tree: Option<Frontier>,
    /// The position that comes next.
    next: u64,
    /// Positions that were passed over: first to last.
    gaps: BTreeMap<u64, u64>,
    before: Option<(u64, i64)>,
    /// The newest revision of each stream.
    revisions: HashMap<u128, u64>,
    /// Whether the log's first event is there, so that every stream begins here.
    is_from_start: bool,
}

impl<'run> Fold<'run> {
    pub fn new(manifest: &Manifest, anchors: Anchors, report: &'run mut Report) -> Self {
        let tree = Frontier::from_parts(manifest.from - 1, manifest.left.clone());
        if tree.is_none() {
            report.add(Kind::File, None, "the manifest has not the hashes of the tree before the first event");
        }
        let is_from_start = manifest.from == 1;
        let mut fold = Self {
            report,
            anchors,
            tree,
            next: manifest.from,
            gaps: BTreeMap::new(),
            before: None,
            revisions: HashMap::new(),
            is_from_start,
        };
        fold.pass(None);
        fold
    }

    /// Takes what was read of a file.
    pub fn part(&mut self, part: Part, read: ReadPart, folder: &Path, with_payloads: bool) {
        let found = self.report.finding_count;
        for row in read.rows {
            match row {
                Ok(row) => self.row(&row, folder, with_payloads),
                Err(detail) => {
                    self.report.add(Kind::Changed, Some((self.next, self.next)), detail);
                    (self.tree, self.next) = (None, self.next + 1);
                }
            }
        }
        if self.next <= part.last && read.is_there && self.next > part.first {
            self.gap(self.next, part.last);
        } else if self.next <= part.last {
            self.gap(self.next.max(part.first), part.last);
        }
        // Whatever is wrong with the events was told by their positions.
        if !read.is_whole && self.report.finding_count == found && self.gaps.is_empty() {
            let detail = format!("{} is not the file that was exported", part.name("jsonl"));
            self.report.add(Kind::File, Some((part.first, part.last)), detail);
        }
    }

    fn gap(&mut self, from: u64, to: u64) {
        if self.gaps.len() < GAPS_MAX {
            self.gaps.insert(from, to);
        } else {
            self.report.add(Kind::Dropped, Some((from, to)), "these events are missing");
        }
        (self.tree, self.next) = (None, to + 1);
    }

    fn row(&mut self, row: &Row, folder: &Path, with_payloads: bool) {
        let position = row.position;
        self.report.events += 1;
        if !row.is_as_recorded {
            let detail = "it is not what was recorded: its hash differs";
            self.report.add(Kind::Changed, Some((position, position)), detail);
        }
        if position < self.next {
            return self.out_of_place(position);
        }
        if position > self.next {
            self.gap(self.next, position - 1);
        }
        self.next = position + 1;
        self.clock(position, row.recorded_at_us);
        self.revision(row);
        if let Some(payload) = row.payload.as_ref().filter(|_| with_payloads) {
            self.payload(position, payload, folder);
        }
        if let Some(tree) = &mut self.tree {
            tree.push(row.leaf);
        }
        self.pass(Some(row.recorded_at_us));
    }

    fn out_of_place(&mut self, position: u64) {
        self.tree = None;
        let gap = self.gaps.range(..=position).next_back().map(|(from, to)| (*from, *to));
        match gap.filter(|(_, to)| *to >= position) {
            Some((from, to)) => {
                self.gaps.remove(&from);
                if from < position {
                    self.gaps.insert(from, position - 1);
                }
                if position < to {
                    self.gaps.insert(position + 1, to);
                }
                let detail = format!("it stands after the event at {}: the order was changed", self.next - 1);
                self.report.add(Kind::Reordered, Some((position, position)), detail);
            }
            None => {
                let detail = "there is another event at this position before it: one of them was put in";
                self.report.add(Kind::Inserted, Some((position, position)), detail);
            }
        }
    }

    fn clock(&mut self, position: u64, recorded_at_us: i64) {
        if let Some((before, time)) = self.before.replace((position, recorded_at_us))
            && time >= recorded_at_us
        {
            let (time, now) = (time_text(time), time_text(recorded_at_us));
            let detail = format!("it is of {now}, not later than the event at {before}, which is of {time}");
            self.report.add(Kind::Clock, Some((position, position)), detail);
        }
    }

    fn revision(&mut self, row: &Row) {
        let before = self.revisions.insert(row.stream, row.revision);
        let expected = before.map(|before| before + 1).or(self.is_from_start.then_some(1));
        // Where events are missing, those of their streams are as well.
        if let Some(expected) = expected.filter(|expected| *expected != row.revision && self.gaps.is_empty()) {
            let detail = format!(
                "it is revision {} of its stream, and {expected} comes next: an event was taken out or put in",
                row.revision
            );
            self.report.add(Kind::Revision, Some((row.position, row.position)), detail);
        }
    }

    fn payload(&mut self, position: u64, payload: &Referenced, folder: &Path) {
        let path = folder.join(BLOBS).join(&payload.hash);
        let is_small = std::fs::metadata(&path).is_ok_and(|found| found.len() <= PAYLOAD_BYTES_MAX);
        let content = if is_small { std::fs::read(&path).ok() } else { None };
        match content {
            None => self.report.add(Kind::Payload, Some((position, position)), "its payload is not among the files"),
            Some(content) => {
                let hash = blake3::hash(&content).to_hex();
                if hash.as_str() != payload.hash || content.len() as u64 != payload.bytes {
                    self.report.add(
                        Kind::Payload,
                        Some((position, position)),
                        "its payload is not the one that was recorded",
                    );
                }
                self.report.payloads += 1;
            }
        }
    }

    /// Compares with the checkpoints of the size that the tree has now.
    fn pass(&mut self, recorded_at_us: Option<i64>) {
        if let Some(tree) = self.tree.as_ref().filter(|tree| self.anchors.has(tree.size())) {
            self.anchors.pass(tree.size(), tree.root(), recorded_at_us, self.report);
        }
    }

    /// Everything was read.
    pub fn end(mut self, manifest: &Manifest) {
        let gaps = std::mem::take(&mut self.gaps);
        for (from, to) in gaps {
            let (kind, detail) = match to == manifest.to {
                true => (Kind::Truncated, "the end is missing: events from here on were cut off"),
                false => (Kind::Dropped, "nothing is there: events were taken out"),
            };
            self.report.add(kind, Some((from, to)), detail);
        }
        let was_folded = self.tree.is_some();
        if let Some(mut tree) = self.tree.take() {
            let nodes = perfect_nodes(manifest.to, manifest.tree_size);
            let fits = nodes.len() == manifest.right.len()
                && nodes.iter().zip(&manifest.right).all(|(node, hash)| tree.push_part(node.level, *hash));
            if !fits {
                self.report.add(Kind::File, None, "the manifest has not the hashes of the tree after the last event");
            } else if tree.root() != manifest.root && !self.anchors.has_left() {
                let detail = "this is not the history that the checkpoint signs: one of its events is another";
                self.report.add(Kind::Rewritten, Some(self.anchors.unknown(manifest.to)), detail);
            }
        }
        let newest = self.report.recorded_at_us.filter(|_| manifest.to == manifest.tree_size);
        if let Some((says, (position, is))) =
            newest.zip(self.before).filter(|(says, (position, is))| *position == manifest.to && says != is)
        {
            let detail = format!(
                "the checkpoint says that its last event is of {}, and it is of {}",
                time_text(says),
                time_text(is)
            );
            self.report.add(Kind::Clock, Some((position, position)), detail);
        }
        self.anchors.rest(manifest, was_folded, self.report);
        self.report.kept.sort_unstable();
    }
}
