//! Writes a segment: takes rows in order, and seals them once there are enough.
//!
//! Invariants: the same rows give the same bytes; a row whose leaf is not that of its content is refused; memory is bounded
//! by [`SEGMENT_TEXT_BYTES`] and one append.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use timeloom_store::{Position, StoredEvent};
use timeloom_verify::tree::RangeParts;
use uuid::Uuid;
use zstd::bulk::Compressor;

use crate::block::{Content, Filling, NAME_BYTES_MAX, ROW_TEXT_BYTES_MAX, Sections, write};
use crate::error::ArchiveError;
use crate::index::{BlockEntry, DICTIONARY_BYTES_MAX, END, KINDS_MAX, Kind, MAGIC, Piece, SegmentIndex, Subtree};

/// Bytes of text after which a segment is full.
pub const SEGMENT_TEXT_BYTES: u64 = 64 << 20;
/// Events after which a segment is full.
pub const SEGMENT_EVENTS_MAX: u64 = 200_000;
/// How hard is tried to make it small: a segment is written once.
const LEVEL: i32 = 12;
/// Bytes of each kind of text from which its dictionary is made, at most.
const SAMPLE_BYTES_MAX: usize = 2 << 20;
/// Bytes of one sample.
const SAMPLE_BYTES: usize = 4 << 10;
/// A text of so many times the bytes of a dictionary is worth one.
const WORTH_DICTIONARIES: usize = 8;
/// The smallest dictionary that is worth its place.
const DICTIONARY_BYTES_MIN: usize = 1 << 10;

/// A segment as it goes to its place.
#[derive(Debug, Clone)]
pub struct SealedSegment {
    /// What it is called: its range and the beginning of its hash.
    pub name: String,
    /// What is in it.
    pub index: SegmentIndex,
    /// All of it.
    pub bytes: Vec<u8>,
    /// SHA-256 of all of it.
    pub sha256: [u8; 32],
    /// SHA-256 of its index.
    pub index_sha256: [u8; 32],
}

/// Rows on their way into a segment.
#[derive(Debug)]
pub struct SegmentWriter {
    log_id: Uuid,
    first: Position,
    next: u64,
    first_us: i64,
    last_us: i64,
    payload_bytes: u64,
    metadata_bytes: u64,
    kinds: BTreeMap<(Arc<str>, String), usize>,
    subtrees: RangeParts,
    filling: Filling,
    filled: Vec<Filled>,
    /// For the record that a leaf is the hash of.
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Filled {
    rows: usize,
    text_bytes: usize,
    sections: Sections,
}

impl SegmentWriter {
    /// A segment of the log with this id whose first event is at `first`.
    pub fn new(log_id: Uuid, first: Position) -> Self {
        Self {
            log_id,
            first,
            next: first.0,
            first_us: 0,
            last_us: 0,
            payload_bytes: 0,
            metadata_bytes: 0,
            kinds: BTreeMap::new(),
            // The event at position 1 is the leaf 0.
            subtrees: RangeParts::from_leaf(first.0.saturating_sub(1)),
            filling: Filling::default(),
            filled: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// Whether nothing more should go in.
    pub fn is_full(&self) -> bool {
        self.payload_bytes + self.metadata_bytes >= SEGMENT_TEXT_BYTES || self.events() >= SEGMENT_EVENTS_MAX
    }

    /// How many events it has.
    pub fn events(&self) -> u64 {
        self.next - self.first.0
    }

    /// Adds the next row.
    ///
    /// # Errors
    /// [`ArchiveError::Row`] when it is not the next one, is not what was recorded, or is larger than a segment takes.
    pub fn add(&mut self, event: &StoredEvent) -> Result<(), ArchiveError> {
        self.check(event).map_err(|detail| ArchiveError::Row { position: event.position, detail })?;
        let kinds = self.kinds.len();
        let kind = (Arc::clone(&event.event_type), event.event_version.clone());
        let kind = *self.kinds.entry(kind).or_insert(kinds);
        if self.events() == 0 {
            self.first_us = event.recorded_at_us;
        }
        self.last_us = event.recorded_at_us;
        self.filling.add(event, kind);
        self.subtrees.push(event.leaf);
        self.payload_bytes += event.payload.len() as u64;
        self.metadata_bytes += event.metadata.len() as u64;
        self.next += 1;
        if self.filling.is_full() {
            self.end_block();
        }
        Ok(())
    }

    fn check(&mut self, event: &StoredEvent) -> Result<(), String> {
        if event.position.0 != self.next {
            return Err(format!("the one before it is missing: {} is next", self.next));
        }
        let names = [&*event.stream.category, &*event.stream.id, &*event.event_type, event.event_version.as_str()];
        if event.text_bytes() > ROW_TEXT_BYTES_MAX || names.iter().any(|name| name.len() > NAME_BYTES_MAX) {
            return Err(format!("it is too large: at most {ROW_TEXT_BYTES_MAX} bytes, and {NAME_BYTES_MAX} of a name"));
        }
        if self.kinds.len() >= KINDS_MAX {
            return Err(format!("there are more than {KINDS_MAX} types of events before it in one segment"));
        }
        if event.computed_leaf(&mut self.buffer) != event.leaf {
            return Err("its hash differs: the log is damaged, restore it from a backup".to_owned());
        }
        Ok(())
    }

    fn end_block(&mut self) {
        let block = std::mem::take(&mut self.filling);
        let (rows, text_bytes) = (block.rows, block.text_bytes);
        self.filled.push(Filled { rows, text_bytes, sections: block.into_sections() });
    }

    /// Compresses everything. Takes seconds for a full segment: it runs where computing is allowed.
    ///
    /// # Errors
    /// [`ArchiveError::Refused`] when there are no rows; [`ArchiveError::Compression`].
    pub fn seal(mut self) -> Result<SealedSegment, ArchiveError> {
        if self.events() == 0 {
            return Err(ArchiveError::Refused("there are no events to archive".to_owned()));
        }
        if self.filling.rows > 0 {
            self.end_block();
        }
        let compression = |error: std::io::Error| ArchiveError::Compression(Arc::new(error));
        let mut bytes = MAGIC.to_vec();
        let mut dictionaries = Vec::new();
        let mut compressors = BTreeMap::new();
        let mut add_dictionary = |content: Content, bytes: &mut Vec<u8>| -> Result<Option<usize>, ArchiveError> {
            let Some(dictionary) = train(&self.filled, content) else { return Ok(None) };
            let compressor = Compressor::with_dictionary(LEVEL, &dictionary).map_err(compression)?;
            compressors.insert(content, compressor);
            dictionaries.push(append_piece(bytes, &dictionary));
            Ok(Some(dictionaries.len() - 1))
        };
        let metadata_dictionary = add_dictionary(Content::Metadata, &mut bytes)?;
        let mut kinds: Vec<_> = self.kinds.into_iter().collect();
        kinds.sort_unstable_by_key(|(_, number)| *number);
        let kinds = kinds.into_iter().map(|((event_type, event_version), number)| {
            let dictionary = add_dictionary(Content::Payloads(number), &mut bytes)?;
            Ok(Kind { event_type: event_type.to_string(), event_version, dictionary })
        });
        let kinds = kinds.collect::<Result<Vec<_>, ArchiveError>>()?;
        let mut plain = Compressor::new(LEVEL).map_err(compression)?;
        let mut blocks = Vec::with_capacity(self.filled.len());
        let mut next = self.first.0;
        for Filled { rows, text_bytes, sections } in self.filled {
            let block = write(&sections, |content, section| match compressors.get_mut(&content) {
                Some(compressor) => compressor.compress(section),
                None => plain.compress(section),
            });
            let piece = append_piece(&mut bytes, &block.map_err(compression)?);
            blocks.push(BlockEntry { first: Position(next), rows, text_bytes, piece });
            next += rows as u64;
        }
        let index = SegmentIndex {
            log_id: self.log_id,
            first: self.first,
            last: Position(self.next - 1),
            first_us: self.first_us,
            last_us: self.last_us,
            payload_bytes: self.payload_bytes,
            metadata_bytes: self.metadata_bytes,
            subtrees: self.subtrees.nodes().map(|(node, hash)| Subtree { level: node.level, hash }).collect(),
            kinds,
            metadata_dictionary,
            dictionaries,
            blocks,
        };
        Ok(finish(bytes, index))
    }
}

fn append_piece(bytes: &mut Vec<u8>, piece: &[u8]) -> Piece {
    let offset = bytes.len() as u64;
    bytes.extend_from_slice(piece);
    Piece { offset, bytes: piece.len(), sha256: Sha256::digest(piece).into() }
}

fn finish(mut bytes: Vec<u8>, index: SegmentIndex) -> SealedSegment {
    let written = index.write();
    let index_sha256: [u8; 32] = Sha256::digest(&written).into();
    bytes.extend_from_slice(&written);
    // An index is far below four gigabytes.
    bytes.extend_from_slice(&u32::try_from(written.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(&index_sha256);
    bytes.extend_from_slice(END);
    let sha256: [u8; 32] = Sha256::digest(&bytes).into();
    let digits: String = sha256.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("{:016}-{:016}-{digits}.segment", index.first.0, index.last.0);
    SealedSegment { name, index, bytes, sha256, index_sha256 }
}

/// A dictionary for a kind of text, of samples from all blocks; `None` where there is too little of it to be worth one.
fn train(blocks: &[Filled], content: Content) -> Option<Vec<u8>> {
    let texts = || {
        let of_content = |(number, section): (&u64, _)| (Content::of(*number) == content).then_some(section);
        blocks.iter().flat_map(move |block| block.sections.iter().filter_map(of_content))
    };
    let whole: usize = texts().map(|text: &Vec<u8>| text.len()).sum();
    let size = (whole / WORTH_DICTIONARIES / 4).min(DICTIONARY_BYTES_MAX);
    if size < DICTIONARY_BYTES_MIN {
        return None;
    }
    // Every so many pieces one, so that all of the range has its part.
    let every = whole.div_ceil(SAMPLE_BYTES_MAX);
    let pieces = texts().flat_map(|text| text.chunks(SAMPLE_BYTES)).step_by(every);
    let (mut samples, mut sizes) = (Vec::new(), Vec::new());
    for piece in pieces {
        samples.extend_from_slice(piece);
        sizes.push(piece.len());
    }
    // Without enough to learn from there is none.
    zstd::dict::from_continuous(&samples, &sizes, size).ok()
}
