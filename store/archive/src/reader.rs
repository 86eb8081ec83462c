//! Reads segments: block by block for reads of the log, and whole to compare them. Everything is checked by hashes that
//! lead to the one that the log has of the segment.
//!
//! Invariant: memory is bounded by [`INDEXES_KEPT`] indexes and [`BLOCKS_KEPT`] blocks, whatever is read.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use timeloom_store::archive::{Rows, Segment, Segments};
use timeloom_store::{LogError, Position, StoredEvent};
use zstd::bulk::Decompressor;

use crate::block::{Content, read_rows, read_sections};
use crate::error::ArchiveError;
use crate::index::{BlockEntry, END, INDEX_BYTES_MAX, MAGIC, SegmentIndex, TRAILER_BYTES};
use crate::numbers::Fault;
use crate::places::{Place, Places};

/// Indexes that are kept.
const INDEXES_KEPT: usize = 32;
/// Blocks that are kept as rows.
const BLOCKS_KEPT: usize = 64;
/// Bytes of the end of a segment that are read at once, in the hope that the index is among them.
const END_BYTES: u64 = 64 << 10;

/// Reads the segments of a log, wherever they are. Blocks that were read lately are kept.
#[derive(Debug)]
pub struct SegmentReader {
    places: Places,
    opened: Kept<Arc<Opened>>,
    blocks: Kept<Rows>,
}

/// A segment whose index was read.
#[derive(Debug)]
struct Opened {
    segment: Segment,
    place: Arc<dyn Place>,
    index: SegmentIndex,
    dictionaries: Vec<Bytes>,
}

impl SegmentReader {
    /// Reads segments in these places.
    pub fn new(places: Places) -> Self {
        Self { places, opened: Kept::new(INDEXES_KEPT), blocks: Kept::new(BLOCKS_KEPT) }
    }

    async fn open(&self, segment: &Segment) -> Result<Arc<Opened>, ArchiveError> {
        let key = (segment.index_sha256, 0);
        if let Some(opened) = self.opened.get(key).filter(|opened| opened.segment == *segment) {
            return Ok(opened);
        }
        let opened = Arc::new(Opened::read(self.places.open(&segment.place)?, segment).await?);
        self.opened.put(key, Arc::clone(&opened));
        Ok(opened)
    }

    async fn block(&self, segment: &Segment, position: Position) -> Result<Rows, ArchiveError> {
        let opened = self.open(segment).await?;
        let (number, block) = opened
            .index
            .block_of(position)
            .map(|(number, block)| (number, *block))
            .ok_or_else(|| damaged(segment, format!("it has no event at {position}")))?;
        let key = (segment.index_sha256, number);
        if let Some(rows) = self.blocks.get(key) {
            return Ok(rows);
        }
        let bytes = opened.place.part(&segment.name, block.piece.offset, block.piece.bytes).await?;
        let (unpacking, named) = (Arc::clone(&opened), segment.clone());
        let rows = tokio::task::spawn_blocking(move || {
            rows_of(&unpacking.index, &unpacking.dictionaries, &block, &bytes).map_err(|fault| damaged(&named, fault))
        });
        let rows = Arc::new(rows.await.map_err(|error| damaged(segment, error.to_string()))??);
        self.blocks.put(key, Arc::clone(&rows));
        Ok(rows)
    }
}

#[async_trait]
impl Segments for SegmentReader {
    async fn rows(&self, segment: &Segment, position: Position) -> Result<Rows, LogError> {
        let rows = self.block(segment, position).await;
        rows.map_err(|error| {
            tracing::error!(%error, first = segment.first.0, last = segment.last.0, "a segment of the archive cannot be read");
            LogError::from(error)
        })
    }
}

impl Opened {
    async fn read(place: Arc<dyn Place>, segment: &Segment) -> Result<Self, ArchiveError> {
        let wrong = |fault: Fault| damaged(segment, fault);
        let end_bytes = END_BYTES.min(segment.bytes);
        let length = usize::try_from(end_bytes).unwrap_or(0);
        let mut end = place.part(&segment.name, segment.bytes - end_bytes, length).await?;
        let index_bytes = index_length(&end).map_err(wrong)?;
        if index_bytes + TRAILER_BYTES > end.len() {
            let (whole, offset) = (index_bytes + TRAILER_BYTES, (index_bytes + TRAILER_BYTES) as u64);
            let offset = segment.bytes.checked_sub(offset).ok_or_else(|| wrong("it is cut off".to_owned()))?;
            end = place.part(&segment.name, offset, whole).await?;
        }
        let index = index_of(&end, segment.bytes, Some(&segment.index_sha256)).map_err(wrong)?;
        if (index.first, index.last) != (segment.first, segment.last) {
            return Err(wrong("it has another range".to_owned()));
        }
        let head_bytes = MAGIC.len() + index.dictionaries.iter().map(|piece| piece.bytes).sum::<usize>();
        let head = place.part(&segment.name, 0, head_bytes).await?;
        let dictionaries = dictionaries_of(&index, &head).map_err(wrong)?;
        Ok(Self { segment: segment.clone(), place, index, dictionaries })
    }
}

fn damaged(segment: &Segment, detail: Fault) -> ArchiveError {
    ArchiveError::Damaged { name: segment.name.clone(), place: segment.place.clone(), detail }
}

/// Reads a whole segment: what it says of itself, and then its rows, block by block, in order.
///
/// # Errors
/// What is wrong with it, or what `rows` answers.
pub fn read_segment<E: From<String>>(
    bytes: &Bytes,
    mut rows: impl FnMut(Vec<StoredEvent>) -> Result<(), E>,
) -> Result<SegmentIndex, E> {
    let index = index_of(bytes, bytes.len() as u64, None)?;
    let dictionaries = dictionaries_of(&index, bytes)?;
    for block in &index.blocks {
        let start = usize::try_from(block.piece.offset).unwrap_or(usize::MAX);
        let piece = bytes.get(start..start.saturating_add(block.piece.bytes)).ok_or("it is cut off".to_owned())?;
        rows(rows_of(&index, &dictionaries, block, piece)?)?;
    }
    Ok(index)
}

/// The length of the index of a segment that ends with `end`.
fn index_length(end: &[u8]) -> Result<usize, Fault> {
    let trailer = end.len().checked_sub(TRAILER_BYTES).and_then(|start| end.get(start..)).ok_or("it is cut off")?;
    if !trailer.ends_with(END) {
        return Err("it does not end as a segment does".to_owned());
    }
    let length = trailer.first_chunk().map_or(0, |length| u32::from_be_bytes(*length) as usize);
    if length > INDEX_BYTES_MAX {
        return Err("its index is too long".to_owned());
    }
    Ok(length)
}

/// The index of a segment of `bytes` bytes that ends with `end`, checked against `wanted` or else against what is there.
fn index_of(end: &[u8], bytes: u64, wanted: Option<&[u8; 32]>) -> Result<SegmentIndex, Fault> {
    let index_bytes = index_length(end)?;
    let start = end.len().checked_sub(index_bytes + TRAILER_BYTES).ok_or("it is cut off")?;
    let index = end.get(start..start + index_bytes).ok_or("it is cut off")?;
    let said = end.get(start + index_bytes + 4..).and_then(|rest| rest.first_chunk::<32>());
    let wanted = wanted.or(said).ok_or("it is cut off")?;
    if <[u8; 32]>::from(Sha256::digest(index)) != *wanted {
        return Err("its index has another hash".to_owned());
    }
    SegmentIndex::read(index, bytes)
}

/// The dictionaries of a segment that begins with `head`.
fn dictionaries_of(index: &SegmentIndex, head: &Bytes) -> Result<Vec<Bytes>, Fault> {
    if !head.starts_with(MAGIC) {
        return Err("it does not begin as a segment does, or is of a newer version of Timeloom".to_owned());
    }
    let dictionary = |piece: &crate::index::Piece| {
        let start = usize::try_from(piece.offset).unwrap_or(usize::MAX);
        let range = start..start.saturating_add(piece.bytes);
        let found = head.get(range.clone()).ok_or("it is cut off")?;
        if <[u8; 32]>::from(Sha256::digest(found)) != piece.sha256 {
            return Err("a dictionary has another hash".to_owned());
        }
        Ok(head.slice(range))
    };
    index.dictionaries.iter().map(dictionary).collect()
}

fn rows_of(
    index: &SegmentIndex,
    dictionaries: &[Bytes],
    block: &BlockEntry,
    bytes: &[u8],
) -> Result<Vec<StoredEvent>, Fault> {
    if <[u8; 32]>::from(Sha256::digest(bytes)) != block.piece.sha256 {
        return Err(format!("its block from {} on has another hash", block.first));
    }
    let fault = |fault: Fault| format!("its block from {} on: {fault}", block.first);
    let dictionary_of = |content| match content {
        Content::Plain => None,
        Content::Metadata => index.metadata_dictionary,
        Content::Payloads(kind) => index.kinds.get(kind).and_then(|kind| kind.dictionary),
    };
    let sections = read_sections(bytes, index.kinds.len(), |content, compressed, plain| {
        let dictionary = dictionary_of(content).and_then(|number| dictionaries.get(number));
        let dictionary = dictionary.map_or(&[][..], |dictionary| dictionary);
        let unpacked = Decompressor::with_dictionary(dictionary).and_then(|mut one| one.decompress(compressed, plain));
        unpacked.map_err(|error| format!("it cannot be decompressed: {error}"))
    });
    read_rows(&sections.map_err(fault)?, block, &index.kinds).map_err(fault)
}

/// What was used lately, a bounded number of things.
#[derive(Debug)]
struct Kept<T> {
    max: usize,
    items: Mutex<Vec<(Key, T)>>,
}

/// Hash of a segment's index, and the number of a block.
type Key = ([u8; 32], usize);

impl<T: Clone> Kept<T> {
    fn new(max: usize) -> Self {
        Self { max, items: Mutex::new(Vec::new()) }
    }

    fn get(&self, key: Key) -> Option<T> {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let found = items.iter().position(|(kept, _)| *kept == key)?;
        items.get_mut(..=found)?.rotate_right(1);
        items.first().map(|(_, item)| item.clone())
    }

    fn put(&self, key: Key, item: T) {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.retain(|(kept, _)| *kept != key);
        items.insert(0, (key, item));
        items.truncate(self.max);
    }
}
