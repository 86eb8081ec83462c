//! The index of a segment: what is in it, and where. A frozen format, see `docs/archive.md`.

use std::collections::BTreeSet;

use timeloom_store::Position;
use uuid::Uuid;

use crate::block::{BLOCK_EVENTS_MAX, BLOCK_TEXT_BYTES_MAX, NAME_BYTES_MAX};
use crate::numbers::{Fault, Input, push, push_bytes, push_length, push_signed};

/// What a segment begins with; the last digits are the version of the format.
pub(crate) const MAGIC: &[u8; 8] = b"TLSEGM01";
/// What it ends with.
pub(crate) const END: &[u8; 8] = b"TLSEGEND";
/// Bytes behind the index: its length in four bytes, its SHA-256, and [`END`].
pub(crate) const TRAILER_BYTES: usize = 4 + 32 + END.len();
/// Most bytes of a segment.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 512 << 20;
/// Most bytes of an index.
pub(crate) const INDEX_BYTES_MAX: usize = 8 << 20;
/// Most kinds of events in a segment.
pub(crate) const KINDS_MAX: usize = 4_096;
/// Most blocks of a segment.
const BLOCKS_MAX: usize = 100_000;
/// Most bytes of a block as it is in the file.
const BLOCK_BYTES_MAX: usize = 2 * BLOCK_TEXT_BYTES_MAX;
/// Most bytes of a dictionary.
pub(crate) const DICTIONARY_BYTES_MAX: usize = 32 << 10;
/// Most subtrees that a range can have: two of each level.
const SUBTREES_MAX: usize = 128;

/// What a segment says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentIndex {
    /// Id of the log that its events are of.
    pub log_id: Uuid,
    /// Position of its first event.
    pub first: Position,
    /// Position of its last event.
    pub last: Position,
    /// When the log took its first event, in microseconds since 1970.
    pub first_us: i64,
    /// When it took its last one.
    pub last_us: i64,
    /// Bytes of all payloads, as they were stored.
    pub payload_bytes: u64,
    /// Bytes of all metadata.
    pub metadata_bytes: u64,
    /// The complete subtrees of the log's Merkle tree within its range, from left to right.
    pub subtrees: Vec<Subtree>,
    pub(crate) kinds: Vec<Kind>,
    /// The number of the dictionary of metadata.
    pub(crate) metadata_dictionary: Option<usize>,
    /// The bytes of each dictionary; they follow each other from the head on.
    pub(crate) dictionaries: Vec<Piece>,
    pub(crate) blocks: Vec<BlockEntry>,
}

/// A complete subtree of the log's Merkle tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subtree {
    /// It has 2^level leaves.
    pub level: u8,
    /// Its root.
    pub hash: [u8; 32],
}

/// A type and version of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) event_type: String,
    pub(crate) event_version: String,
    /// The number of the dictionary of its payloads.
    pub(crate) dictionary: Option<usize>,
}

/// Where something is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) offset: u64,
    pub(crate) bytes: usize,
    pub(crate) sha256: [u8; 32],
}

/// A block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockEntry {
    /// Position of its first row.
    pub(crate) first: Position,
    pub(crate) rows: usize,
    /// Bytes of all its texts.
    pub(crate) text_bytes: usize,
    pub(crate) piece: Piece,
}

impl SegmentIndex {
    /// How many events the segment has.
    pub fn events(&self) -> u64 {
        self.last.0 - self.first.0 + 1
    }

    /// The block that has the event at `position`.
    pub(crate) fn block_of(&self, position: Position) -> Option<(usize, &BlockEntry)> {
        let behind = self.blocks.partition_point(|block| block.first <= position);
        let number = behind.checked_sub(1)?;
        let block = self.blocks.get(number)?;
        (position.0 - block.first.0 < block.rows as u64).then_some((number, block))
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut buffer = Vec::new();
        buffer.extend_from_slice(self.log_id.as_bytes());
        push(&mut buffer, self.first.0);
        push(&mut buffer, self.last.0);
        push_signed(&mut buffer, self.first_us);
        push_signed(&mut buffer, self.last_us);
        push(&mut buffer, self.payload_bytes);
        push(&mut buffer, self.metadata_bytes);
        push_length(&mut buffer, self.dictionaries.len());
        for dictionary in &self.dictionaries {
            push_piece(&mut buffer, dictionary);
        }
        push_length(&mut buffer, self.metadata_dictionary.map_or(0, |number| number + 1));
        push_length(&mut buffer, self.kinds.len());
        for kind in &self.kinds {
            push_bytes(&mut buffer, kind.event_type.as_bytes());
            push_bytes(&mut buffer, kind.event_version.as_bytes());
            push_length(&mut buffer, kind.dictionary.map_or(0, |number| number + 1));
        }
        push_length(&mut buffer, self.blocks.len());
        for block in &self.blocks {
            push_length(&mut buffer, block.rows);
            push_length(&mut buffer, block.text_bytes);
            push_piece(&mut buffer, &block.piece);
        }
        push_length(&mut buffer, self.subtrees.len());
        for subtree in &self.subtrees {
            buffer.push(subtree.level);
            buffer.extend_from_slice(&subtree.hash);
        }
        buffer
    }

    /// Reads the index of a segment of `bytes` bytes.
    pub(crate) fn read(index: &[u8], bytes: u64) -> Result<Self, Fault> {
        let mut input = Input::new(index);
        let mut read = Self {
            log_id: Uuid::from_bytes(input.array()?),
            first: Position(input.number()?),
            last: Position(input.number()?),
            first_us: input.signed()?,
            last_us: input.signed()?,
            payload_bytes: input.number()?,
            metadata_bytes: input.number()?,
            subtrees: Vec::new(),
            kinds: Vec::new(),
            metadata_dictionary: None,
            dictionaries: Vec::new(),
            blocks: Vec::new(),
        };
        if read.first.0 == 0 || read.last < read.first || read.last.0 > i64::MAX.cast_unsigned() {
            return Err("its range is none".to_owned());
        }
        let mut offset = MAGIC.len() as u64;
        for _ in 0..input.length(KINDS_MAX + 1)? {
            read.dictionaries.push(piece(&mut input, &mut offset, DICTIONARY_BYTES_MAX)?);
        }
        let dictionaries = read.dictionaries.len();
        read.metadata_dictionary = input.length(dictionaries)?.checked_sub(1);
        let mut names = BTreeSet::new();
        for _ in 0..input.length(KINDS_MAX)? {
            let (event_type, event_version) = (input.text(NAME_BYTES_MAX)?, input.text(NAME_BYTES_MAX)?);
            if !names.insert((event_type, event_version)) {
                return Err("it has a kind twice".to_owned());
            }
            let dictionary = input.length(dictionaries)?.checked_sub(1);
            let (event_type, event_version) = (event_type.to_owned(), event_version.to_owned());
            read.kinds.push(Kind { event_type, event_version, dictionary });
        }
        let mut next = read.first.0;
        for _ in 0..input.length(BLOCKS_MAX)? {
            let (rows, text_bytes) = (input.length(BLOCK_EVENTS_MAX)?, input.length(BLOCK_TEXT_BYTES_MAX)?);
            let piece = piece(&mut input, &mut offset, BLOCK_BYTES_MAX)?;
            read.blocks.push(BlockEntry { first: Position(next), rows, text_bytes, piece });
            next = next.saturating_add(rows as u64);
        }
        for _ in 0..input.length(SUBTREES_MAX)? {
            let [level] = input.array()?;
            read.subtrees.push(Subtree { level, hash: input.array()? });
        }
        if next != read.last.0 + 1 || read.blocks.iter().any(|block| block.rows == 0) {
            return Err("its blocks are not those of its range".to_owned());
        }
        if !input.is_empty() || offset + (index.len() + TRAILER_BYTES) as u64 != bytes {
            return Err("its parts do not fill it".to_owned());
        }
        Ok(read)
    }
}

fn push_piece(buffer: &mut Vec<u8>, piece: &Piece) {
    push_length(buffer, piece.bytes);
    buffer.extend_from_slice(&piece.sha256);
}

/// A piece that begins at `offset`, which moves behind it.
fn piece(input: &mut Input<'_>, offset: &mut u64, max: usize) -> Result<Piece, Fault> {
    let bytes = input.length(max)?;
    let piece = Piece { offset: *offset, bytes, sha256: input.array()? };
    *offset = offset.saturating_add(bytes as u64);
    Ok(piece)
}
