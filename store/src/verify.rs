//! Reads a whole log and says whether it is what was recorded. Never changes anything, and goes on after a fault, so that
//! one reading finds them all.
//!
//! Checked: positions without gaps, times that increase, revisions without gaps in every stream, the leaf of every row,
//! and that every blob that a row names is there and whole. Memory grows with the number of streams, a few bytes for each.

use std::collections::{HashMap, HashSet};

use crate::blobs::{BlobHash, BlobStore};
use crate::envelope::{Position, StreamKey};
use crate::log::LogError;
use crate::spill::PayloadReference;
use crate::stored::{EXPORT_EVENTS_MAX, LogTransfer, StoredEvent};

/// Most faults that a report tells one by one.
pub const FAULTS_TOLD_MAX: usize = 100;
/// Hashes of blobs that are remembered as whole; one that was forgotten is only read again.
const BLOBS_REMEMBERED_MAX: usize = 100_000;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyFault {
    /// Where.
    pub position: Position,
    /// What.
    pub detail: String,
}

/// What a log is found to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Rows that were read.
    pub events: u64,
    /// Streams that they belong to.
    pub streams: u64,
    /// Blobs that were read.
    pub blobs: u64,
    /// Position of the last row.
    pub head: Position,
    /// Signed checkpoints that the log was compared with.
    pub checkpoints: u64,
    /// How many faults there are.
    pub faults: u64,
    /// The first [`FAULTS_TOLD_MAX`] of them.
    pub first_faults: Vec<VerifyFault>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.faults == 0
    }

    /// Adds a fault.
    pub fn fault(&mut self, position: Position, detail: impl Into<String>) {
        self.faults += 1;
        if self.first_faults.len() < FAULTS_TOLD_MAX {
            self.first_faults.push(VerifyFault { position, detail: detail.into() });
        }
    }
}

/// Reads everything up to the head as it is at the begin.
///
/// # Errors
/// [`LogError`] when rows cannot be read at all. What is wrong with rows is in the report.
pub async fn verify(
    source: &dyn LogTransfer,
    blobs: &dyn BlobStore,
    mut progress: impl FnMut(Position) + Send,
) -> Result<VerifyReport, LogError> {
    let end = source.identity().await?.head;
    let mut check = Check::default();
    while check.report.head < end {
        let mut page = source.export(check.report.head, EXPORT_EVENTS_MAX).await?;
        page.retain(|event| event.position <= end);
        let Some(last) = page.last().map(|last| last.position) else {
            let next = Position(check.report.head.0 + 1);
            check.report.fault(next, format!("the log ends before it, its head is {end}"));
            break;
        };
        for event in &page {
            check.row(event);
            check.blob(event, blobs).await;
        }
        check.report.head = last;
        progress(last);
    }
    if check.in_append > 0 {
        check.report.fault(check.report.head, "the last append has no end");
    }
    check.report.streams = check.revisions.len() as u64;
    Ok(check.report)
}

#[derive(Default)]
struct Check {
    report: VerifyReport,
    position: u64,
    recorded_at_us: Option<i64>,
    /// The newest revision of each stream, by a hash of its name.
    revisions: HashMap<[u8; 16], u64>,
    /// Rows since the last end of an append.
    in_append: u32,
    whole_blobs: HashSet<BlobHash>,
    buffer: Vec<u8>,
}

impl Check {
    fn row(&mut self, event: &StoredEvent) {
        let position = event.position;
        self.report.events += 1;
        if position.0 != self.position + 1 {
            self.report.fault(position, format!("the event before it is at {}, there is a gap", self.position));
        }
        self.position = position.0;
        if self.recorded_at_us.is_some_and(|before| before >= event.recorded_at_us) {
            self.report.fault(position, "it is not later than the event before it");
        }
        self.recorded_at_us = Some(event.recorded_at_us);
        let newest = self.revisions.entry(name_hash(&event.stream)).or_insert(0);
        let before = std::mem::replace(newest, event.revision.0);
        if event.revision.0 != before + 1 {
            let detail = format!("revision {} of {} follows {before}", event.revision, event.stream);
            self.report.fault(position, detail);
        }
        if event.computed_leaf(&mut self.buffer) != event.leaf {
            self.report.fault(position, "its hash differs: it is not what was recorded");
        }
        self.in_append += 1;
        if let Some(append) = event.append {
            if append.events != self.in_append {
                let detail = format!("its append has {} events, not {}", self.in_append, append.events);
                self.report.fault(position, detail);
            }
            self.in_append = 0;
        }
    }

    async fn blob(&mut self, event: &StoredEvent, blobs: &dyn BlobStore) {
        let reference = match PayloadReference::find(&event.payload) {
            Ok(None) => return,
            Ok(Some(reference)) => reference,
            Err(detail) => return self.report.fault(event.position, detail),
        };
        if self.whole_blobs.contains(&reference.hash) {
            return;
        }
        match blobs.get(reference.hash).await {
            Err(error) => self.report.fault(event.position, error.to_string()),
            Ok(content) if content.len() as u64 != reference.bytes => {
                self.report.fault(event.position, format!("blob {} has another length", reference.hash));
            }
            Ok(_) => {
                self.report.blobs += 1;
                if self.whole_blobs.len() >= BLOBS_REMEMBERED_MAX {
                    self.whole_blobs.clear();
                }
                self.whole_blobs.insert(reference.hash);
            }
        }
    }
}

fn name_hash(stream: &StreamKey) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&stream.tenant.0.to_be_bytes());
    hasher.update(&(stream.category.len() as u64).to_be_bytes());
    hasher.update(stream.category.as_bytes());
    hasher.update(stream.id.as_bytes());
    let mut hash = [0; 16];
    hasher.finalize_xof().fill(&mut hash);
    hash
}
