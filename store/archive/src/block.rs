//! Neighbouring rows in columns: how a block is written and read. A frozen format, see `docs/archive.md`.
//!
//! Invariant: what is read has no more rows, bytes and ids than the index says of the block, and these are bounded.

use std::collections::BTreeMap;
use std::sync::Arc;

use timeloom_domain::ids::{CommandId, EventId, TenantId};
use timeloom_store::{Position, Revision, StoredAppend, StoredEvent, StreamKey};

use crate::index::{BlockEntry, Kind};
use crate::numbers::{Fault, Input, push, push_bytes, push_length, push_signed};
use crate::squeeze::{Recent, Restorer, Squeezer};

/// Bytes of text after which a block ends.
pub(crate) const BLOCK_TEXT_BYTES: usize = 256 << 10;
/// Rows after which it ends.
pub(crate) const BLOCK_EVENTS_MAX: usize = 4_096;
/// Most bytes of text of one row that can be archived.
pub(crate) const ROW_TEXT_BYTES_MAX: usize = 16 << 20;
/// Most bytes of text of a block.
pub(crate) const BLOCK_TEXT_BYTES_MAX: usize = BLOCK_TEXT_BYTES + ROW_TEXT_BYTES_MAX;
/// Most bytes of a name: of a category, a type, a version or a stream.
pub(crate) const NAME_BYTES_MAX: usize = 4 << 10;
/// Columns beside the texts.
const COLUMNS: usize = 10;
/// No section has more bytes: the columns of the most rows, each number with the most bytes, beside all names.
const SECTION_BYTES_MAX: usize = 2 * BLOCK_TEXT_BYTES_MAX;
/// Number of the section with the columns, of that with the ids, and of that with the metadata; payloads follow, by kind.
const COLUMNS_SECTION: u64 = 0;
const IDS_SECTION: u64 = 1;
const METADATA_SECTION: u64 = 2;
const PAYLOAD_SECTIONS: u64 = 3;

/// Sections of a block before they are compressed, by their numbers.
pub(crate) type Sections = BTreeMap<u64, Vec<u8>>;

/// Which dictionary a section is compressed with: metadata has one, and each kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Content {
    /// Columns and ids, which have none.
    Plain,
    /// Metadata.
    Metadata,
    /// Payloads of a kind, by its number.
    Payloads(usize),
}

impl Content {
    /// What the section with this number has.
    pub(crate) fn of(section: u64) -> Self {
        match section {
            METADATA_SECTION => Self::Metadata,
            _ => section
                .checked_sub(PAYLOAD_SECTIONS)
                .and_then(|kind| usize::try_from(kind).ok())
                .map_or(Self::Plain, Self::Payloads),
        }
    }
}

/// A block that is being filled.
#[derive(Debug, Default)]
pub(crate) struct Filling {
    pub(crate) rows: usize,
    pub(crate) text_bytes: usize,
    columns: Columns,
    squeezer: Squeezer,
    sections: Sections,
    streams: Recent<StreamKey>,
    revisions: BTreeMap<StreamKey, u64>,
    categories: Recent<Arc<str>>,
    last_us: i64,
    in_append: u64,
}

/// The columns beside the texts, in their order.
#[derive(Debug, Default)]
struct Columns([Vec<u8>; COLUMNS]);

const KIND: usize = 0;
const STREAM: usize = 1;
const STREAM_NAMES: usize = 2;
const REVISION: usize = 3;
const TIME: usize = 4;
const ID: usize = 5;
const APPEND: usize = 6;
const COMMAND: usize = 7;
const METADATA_BYTES: usize = 8;
const PAYLOAD_BYTES: usize = 9;

impl Columns {
    fn get(&mut self, column: usize) -> &mut Vec<u8> {
        let Self(columns) = self;
        let last = COLUMNS - 1;
        // There are as many as there are names for them.
        &mut columns[column.min(last)]
    }
}

impl Filling {
    pub(crate) fn is_full(&self) -> bool {
        self.rows >= BLOCK_EVENTS_MAX || self.text_bytes >= BLOCK_TEXT_BYTES
    }

    /// Adds the next row, whose kind has the number `kind`.
    pub(crate) fn add(&mut self, event: &StoredEvent, kind: usize) {
        push_length(self.columns.get(KIND), kind);
        self.add_stream(&event.stream);
        let revision = self.revisions.entry(event.stream.clone()).or_insert(0);
        let expected = revision.wrapping_add(1);
        *revision = event.revision.0;
        push_signed(self.columns.get(REVISION), event.revision.0.wrapping_sub(expected).cast_signed());
        push_signed(self.columns.get(TIME), event.recorded_at_us.wrapping_sub(self.last_us));
        self.last_us = event.recorded_at_us;
        let id = self.squeezer.id(event.id.0);
        push(self.columns.get(ID), id);
        self.add_append(event.append);
        let metadata = self.sections.entry(METADATA_SECTION).or_default();
        let squeezed = self.squeezer.text(&event.metadata, metadata);
        push_length(self.columns.get(METADATA_BYTES), squeezed);
        let payloads = self.sections.entry(PAYLOAD_SECTIONS + kind as u64).or_default();
        let squeezed = self.squeezer.text(&event.payload, payloads);
        push_length(self.columns.get(PAYLOAD_BYTES), squeezed);
        self.rows += 1;
        self.text_bytes += event.text_bytes();
    }

    fn add_stream(&mut self, stream: &StreamKey) {
        let code = self.streams.code(stream);
        push(self.columns.get(STREAM), code);
        if code > 0 {
            return;
        }
        let names = self.columns.get(STREAM_NAMES);
        push(names, u64::from(stream.tenant.0));
        let category = self.categories.code(&stream.category);
        push(names, category);
        if category == 0 {
            push_bytes(names, stream.category.as_bytes());
        }
        let mut id = Vec::with_capacity(stream.id.len());
        self.squeezer.text(&stream.id, &mut id);
        push_bytes(names, &id);
    }

    /// 0: not the last of an append; 1: the last of one that has the rows since the last one; else its events, and 2 more.
    fn add_append(&mut self, append: Option<StoredAppend>) {
        self.in_append += 1;
        let Some(append) = append else { return push(self.columns.get(APPEND), 0) };
        let events = u64::from(append.events);
        push(self.columns.get(APPEND), if events == self.in_append { 1 } else { events + 2 });
        self.in_append = 0;
        let command = self.squeezer.id(append.command_id.0);
        push(self.columns.get(COMMAND), command);
    }

    /// The sections, complete.
    pub(crate) fn into_sections(mut self) -> Sections {
        let mut columns = Vec::new();
        self.columns.0.iter().for_each(|column| push_bytes(&mut columns, column));
        self.sections.insert(COLUMNS_SECTION, columns);
        self.sections.insert(IDS_SECTION, self.squeezer.list());
        self.sections
    }
}

/// Writes a block of sections: how many there are, the number of each with its length and its compressed length, then all
/// that was compressed. `compress` is told what it compresses.
pub(crate) fn write<E>(
    sections: &Sections,
    mut compress: impl FnMut(Content, &[u8]) -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, E> {
    let (mut block, mut content) = (Vec::new(), Vec::new());
    push_length(&mut block, sections.len());
    for (number, plain) in sections {
        let compressed = compress(Content::of(*number), plain)?;
        push(&mut block, *number);
        push_length(&mut block, plain.len());
        push_bytes_length(&mut block, &compressed);
        content.extend_from_slice(&compressed);
    }
    block.extend_from_slice(&content);
    Ok(block)
}

fn push_bytes_length(buffer: &mut Vec<u8>, bytes: &[u8]) {
    push_length(buffer, bytes.len());
}

/// Reads the sections of a block back; `decompress` is told the length that its answer may have at most.
pub(crate) fn read_sections(
    block: &[u8],
    kinds: usize,
    mut decompress: impl FnMut(Content, &[u8], usize) -> Result<Vec<u8>, Fault>,
) -> Result<Sections, Fault> {
    let mut input = Input::new(block);
    let count = input.length(kinds + 3)?;
    let mut left = SECTION_BYTES_MAX;
    let mut headers = Vec::with_capacity(count);
    for _ in 0..count {
        let (number, plain) = (input.number()?, input.length(left)?);
        left -= plain;
        headers.push((number, plain, input.length(block.len())?));
    }
    let mut sections = Sections::new();
    for (number, plain, compressed) in headers {
        let section = decompress(Content::of(number), input.take(compressed)?, plain)?;
        if section.len() != plain || sections.insert(number, section).is_some() {
            return Err("a section is not what it says".to_owned());
        }
    }
    if !input.is_empty() {
        return Err("there is more behind its sections".to_owned());
    }
    Ok(sections)
}

/// The rows of a block.
pub(crate) fn read_rows(sections: &Sections, entry: &BlockEntry, kinds: &[Kind]) -> Result<Vec<StoredEvent>, Fault> {
    let section = |number| sections.get(&number).map_or(&[][..], Vec::as_slice);
    let mut all = Input::new(section(COLUMNS_SECTION));
    let mut columns = [Input::new(&[]); COLUMNS];
    for column in &mut columns {
        *column = Input::new(all.bytes(SECTION_BYTES_MAX)?);
    }
    let payloads = (0..kinds.len()).map(|kind| Input::new(section(PAYLOAD_SECTIONS + kind as u64))).collect();
    let mut reading = Reading {
        columns,
        kinds,
        metadata: Input::new(section(METADATA_SECTION)),
        payloads,
        restorer: Restorer::new(section(IDS_SECTION))?,
        streams: Recent::default(),
        revisions: BTreeMap::new(),
        categories: Recent::default(),
        event_types: kinds.iter().map(|kind| Arc::from(kind.event_type.as_str())).collect(),
        last_us: 0,
        in_append: 0,
        text_left: entry.text_bytes,
        buffer: Vec::new(),
    };
    let rows = (0..entry.rows as u64).map(|row| reading.row(Position(entry.first.0 + row)));
    let rows = rows.collect::<Result<Vec<_>, Fault>>()?;
    let used = reading.columns.iter().chain([&reading.metadata]).chain(&reading.payloads).all(|input| input.is_empty());
    if used && all.is_empty() && reading.restorer.is_done() && reading.text_left == 0 {
        Ok(rows)
    } else {
        Err("it has more than its rows".to_owned())
    }
}

/// A block that is being read.
struct Reading<'block> {
    columns: [Input<'block>; COLUMNS],
    kinds: &'block [Kind],
    metadata: Input<'block>,
    payloads: Vec<Input<'block>>,
    restorer: Restorer<'block>,
    streams: Recent<StreamKey>,
    revisions: BTreeMap<StreamKey, u64>,
    categories: Recent<Arc<str>>,
    event_types: Vec<Arc<str>>,
    last_us: i64,
    in_append: u64,
    text_left: usize,
    /// For the record that a leaf is the hash of.
    buffer: Vec<u8>,
}

impl<'block> Reading<'block> {
    fn column(&mut self, column: usize) -> &mut Input<'block> {
        let last = COLUMNS - 1;
        &mut self.columns[column.min(last)]
    }

    fn row(&mut self, position: Position) -> Result<StoredEvent, Fault> {
        let kinds = self.kinds;
        let kind_no = self.column(KIND).length(kinds.len().saturating_sub(1))?;
        let kind = kinds.get(kind_no).ok_or("a kind is not there")?;
        let event_type = self.event_types.get(kind_no).cloned().ok_or("a kind is not there")?;
        let stream = self.stream()?;
        let revision = self.revisions.entry(stream.clone()).or_insert(0);
        let expected = revision.wrapping_add(1);
        let [_, _, _, revisions, times, ids, ..] = &mut self.columns;
        *revision = expected.wrapping_add(revisions.signed()?.cast_unsigned());
        let revision = Revision(*revision);
        self.last_us = self.last_us.wrapping_add(times.signed()?);
        let id = EventId(self.restorer.id(ids)?);
        let append = self.append()?;
        let metadata_bytes = self.column(METADATA_BYTES).length(SECTION_BYTES_MAX)?;
        let metadata = self.metadata.take(metadata_bytes)?;
        let metadata = self.text(metadata)?;
        let payload_bytes = self.column(PAYLOAD_BYTES).length(SECTION_BYTES_MAX)?;
        let payload = self.payloads.get_mut(kind_no).ok_or("a kind is not there")?.take(payload_bytes)?;
        let payload = self.text(payload)?;
        let mut event = StoredEvent {
            position,
            stream,
            revision,
            id,
            event_type,
            event_version: kind.event_version.clone(),
            payload,
            metadata,
            recorded_at_us: self.last_us,
            leaf: [0; 32],
            append,
        };
        event.leaf = event.computed_leaf(&mut self.buffer);
        Ok(event)
    }

    fn text(&mut self, squeezed: &[u8]) -> Result<String, Fault> {
        let text = self.restorer.text(squeezed, self.text_left)?;
        self.text_left -= text.len();
        Ok(text)
    }

    fn stream(&mut self) -> Result<StreamKey, Fault> {
        let code = self.column(STREAM).number()?;
        if code > 0 {
            return self.streams.coded(code);
        }
        let [_, _, names, ..] = &mut self.columns;
        let tenant = u32::try_from(names.number()?).map_err(|_| "a tenant is out of range")?;
        let category = match names.number()? {
            0 => {
                let category: Arc<str> = names.text(NAME_BYTES_MAX)?.into();
                self.categories.remember(Arc::clone(&category));
                category
            }
            code => self.categories.coded(code)?,
        };
        let id = self.restorer.text(names.bytes(NAME_BYTES_MAX)?, NAME_BYTES_MAX)?;
        let stream = StreamKey::new(TenantId(tenant), category, id);
        self.streams.remember(stream.clone());
        Ok(stream)
    }

    fn append(&mut self) -> Result<Option<StoredAppend>, Fault> {
        self.in_append += 1;
        let events = match self.column(APPEND).number()? {
            0 => return Ok(None),
            1 => self.in_append,
            events => events - 2,
        };
        self.in_append = 0;
        let events = u32::try_from(events).map_err(|_| "an append is too large")?;
        let [.., commands, _, _] = &mut self.columns;
        let command_id = CommandId(self.restorer.id(commands)?);
        Ok(Some(StoredAppend { events, command_id }))
    }
}
