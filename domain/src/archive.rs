//! The Archive aggregate: which ranges of the log were moved into segments, and by which hashes these are known.
//!
//! One stream, in the first tenant. Invariant: the ranges follow each other from position 1 on, without a gap; only the newest
//! one can be brought back.

use serde::{Deserialize, Serialize};

use crate::event::{Aggregate, Event};

/// Id of the only stream.
pub const STREAM_ID: &str = "log";
/// Digits of a SHA-256.
const DIGEST_DIGITS: usize = 64;

/// A fact about the archive of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ArchiveEvent {
    /// A range is in a segment, which was read back and compared; its rows may be dropped from now on.
    RangeArchived(ArchivedRange),
    /// The rows of the newest range are back in the log, and were compared with what was archived; its segment is not needed
    /// any more.
    RangeRestored(RestoredRange),
}

/// A range of the log and the segment that has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedRange {
    /// Position of its first event.
    pub first: u64,
    /// Position of its last event.
    pub last: u64,
    /// Where the segment is: a folder, or `s3://bucket/prefix`.
    pub place: String,
    /// Its name there.
    pub segment: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// SHA-256 of all of them, hexadecimal.
    pub sha256: String,
    /// SHA-256 of its index, hexadecimal.
    pub index_sha256: String,
    /// When the log took its last event, in microseconds since 1970.
    pub last_us: i64,
    /// Bytes of all its payloads as they were stored.
    pub payload_bytes: u64,
    /// The complete subtrees of the log's Merkle tree within the range, from left to right: the level of each, a colon, and
    /// its hash, hexadecimal.
    pub subtrees: Vec<String>,
}

/// A range of the log that is among its rows again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredRange {
    /// Position of its first event.
    pub first: u64,
    /// Position of its last event.
    pub last: u64,
    /// Where the segment is that had it.
    pub place: String,
    /// Its name there.
    pub segment: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// SHA-256 of all of them, hexadecimal.
    pub sha256: String,
}

impl From<&ArchivedRange> for RestoredRange {
    fn from(range: &ArchivedRange) -> Self {
        Self {
            first: range.first,
            last: range.last,
            place: range.place.clone(),
            segment: range.segment.clone(),
            bytes: range.bytes,
            sha256: range.sha256.clone(),
        }
    }
}

impl Event for ArchiveEvent {
    const CATEGORY: &'static str = "archive";
    const TYPES: &'static [(&'static str, u16)] = &[("RangeArchived", 1), ("RangeRestored", 1)];

    fn event_type(&self) -> &'static str {
        match self {
            Self::RangeArchived(_) => "RangeArchived",
            Self::RangeRestored(_) => "RangeRestored",
        }
    }
}

/// The archive, as events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Archive {
    /// Position of the last event that is archived.
    pub last: u64,
    /// How many segments there are.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A request to the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveCommand {
    /// Write down that a range is in a segment.
    Note(ArchivedRange),
    /// Write down that the newest range is back.
    Restore(RestoredRange),
}

/// Why it is not written down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveRefusal {
    /// It does not follow what is archived.
    #[error("the events from {found} on do not follow what is archived: archive from {wanted} on")]
    NotNext {
        /// Where it begins.
        found: u64,
        /// Where it has to begin.
        wanted: u64,
    },
    /// It is not the newest one that is archived.
    #[error(
        "the events from {first} to {last} are not the newest that are archived, which end at {newest}: bring those back first"
    )]
    NotNewest {
        /// Where it begins.
        first: u64,
        /// Where it ends.
        last: u64,
        /// Where the newest one ends.
        newest: u64,
    },
    /// It is no range, or names no segment.
    #[error("the range has no events, or no segment with its hashes: give all of them")]
    NoRange,
}

impl Aggregate for Archive {
    const FOLD_VERSION: u32 = 1;

    type Event = ArchiveEvent;
    type Command = ArchiveCommand;
    type Refusal = ArchiveRefusal;

    fn apply(&mut self, event: &ArchiveEvent) {
        match event {
            ArchiveEvent::RangeArchived(range) => {
                self.last = range.last;
                self.segments += 1;
                self.bytes = self.bytes.saturating_add(range.bytes);
            }
            ArchiveEvent::RangeRestored(range) => {
                self.last = range.first.saturating_sub(1);
                self.segments = self.segments.saturating_sub(1);
                self.bytes = self.bytes.saturating_sub(range.bytes);
            }
        }
    }

    fn decide(&self, command: &ArchiveCommand) -> Result<Vec<ArchiveEvent>, ArchiveRefusal> {
        match command {
            ArchiveCommand::Note(range) => self.note(range),
            ArchiveCommand::Restore(range) => self.restore(range),
        }
    }
}

impl Archive {
    fn note(&self, range: &ArchivedRange) -> Result<Vec<ArchiveEvent>, ArchiveRefusal> {
        let is_digest = |text: &str| text.len() == DIGEST_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let named = !range.place.is_empty() && !range.segment.is_empty();
        if range.last < range.first || !named || !is_digest(&range.sha256) || !is_digest(&range.index_sha256) {
            return Err(ArchiveRefusal::NoRange);
        }
        let wanted = self.last.saturating_add(1);
        if range.first != wanted {
            return Err(ArchiveRefusal::NotNext { found: range.first, wanted });
        }
        Ok(vec![ArchiveEvent::RangeArchived(range.clone())])
    }

    fn restore(&self, range: &RestoredRange) -> Result<Vec<ArchiveEvent>, ArchiveRefusal> {
        let RestoredRange { first, last, .. } = *range;
        if last < first || range.place.is_empty() || range.segment.is_empty() {
            return Err(ArchiveRefusal::NoRange);
        }
        if last != self.last || self.segments == 0 {
            return Err(ArchiveRefusal::NotNewest { first, last, newest: self.last });
        }
        Ok(vec![ArchiveEvent::RangeRestored(range.clone())])
    }
}
