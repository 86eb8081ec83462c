//! Which pieces of four bytes the payloads of some events have, and how that is written down.
//!
//! A piece is its four bytes as a number. The log is cut into groups of blocks of events; of a group it is known for every
//! piece in which of its blocks it is. A block with more pieces than are counted is full: every text may be in it.
//! Invariant: the events of a group alone decide what is written down of it, and a text that is in an event is found in its
//! block.
//!
//! What is written down is a frozen format: pieces ascending, each as the difference to the one before it (LEB128), then
//! its blocks: their number and as many bytes, or 255 and a bitmap of 16 bytes, little-endian, or 254 for all.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

use crate::database::{StorageError, damaged};

/// Bytes of a piece: a text that is looked for must have as many.
pub(crate) const GRAM_BYTES: usize = 4;
/// Events of a block.
pub(crate) const BLOCK_EVENTS: u64 = 128;
/// Blocks of a group.
pub(crate) const GROUP_BLOCKS: u64 = 128;
/// Events of a group.
pub(crate) const GROUP_EVENTS: u64 = BLOCK_EVENTS * GROUP_BLOCKS;
/// Largest payload whose pieces are counted, in bytes.
const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// Most pieces of one block that are counted.
const BLOCK_GRAMS_MAX: usize = 1 << 16;
/// Most pieces of one group that are counted.
const GROUP_GRAMS_MAX: usize = 1 << 19;
/// Bytes after which a row ends: so that four are on a page.
const ROW_BYTES: usize = 900;
/// Most pieces of one text that are looked for: more would hardly rule out more.
const GRAMS_ASKED_MAX: usize = 8;
/// Blocks that are listed one by one.
const LISTED_MAX: u32 = 15;
const ALL: u8 = 254;
const BITMAP: u8 = 255;

/// Blocks of a group, the lowest bit for the first.
pub(crate) type Blocks = u128;

/// The pieces of a text that are looked for; none when it is too short.
pub(crate) fn asked(text: &str) -> Vec<u32> {
    let all: Vec<u32> = grams(text.as_bytes()).collect();
    // Those beside each other first, which say most together.
    let apart = all.iter().step_by(GRAM_BYTES).chain(all.last());
    let mut asked: Vec<u32> = Vec::new();
    for gram in apart.chain(&all) {
        if asked.len() < GRAMS_ASKED_MAX && !asked.contains(gram) {
            asked.push(*gram);
        }
    }
    asked
}

fn grams(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.array_windows().map(|piece| u32::from_be_bytes(*piece))
}

/// Numbers that are spread well enough by a multiplication.
#[derive(Default)]
struct Spread(u64);

const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(SPREAD));
    }

    fn write_u32(&mut self, number: u32) {
        let spread = u64::from(number).wrapping_mul(SPREAD);
        // Tables look at the highest and at the lowest bits.
        self.0 = spread ^ (spread >> 32);
    }
}

/// Numbers of pieces that were met in the present block, as far as no other took their place: a power of two.
const MET: usize = 1 << 15;

/// A group whose events are being counted.
pub(crate) struct Group {
    grams: HashMap<u32, Blocks, BuildHasherDefault<Spread>>,
    full: Blocks,
    /// The present block, and how many of its pieces were counted.
    block: u64,
    block_grams: usize,
    /// Pieces of the present block, each with the block's number above it: most that come were there before.
    met: Box<[u64]>,
}

impl Default for Group {
    fn default() -> Self {
        Self { grams: HashMap::default(), full: 0, block: 0, block_grams: 0, met: vec![u64::MAX; MET].into() }
    }
}

/// A group that is complete, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counted {
    pub full: Blocks,
    /// The first piece of a row, and the row.
    pub rows: Vec<(u32, Vec<u8>)>,
}

impl Group {
    /// Counts the pieces of an event of the group.
    pub fn add(&mut self, block: u64, payload: &str) {
        if block != self.block {
            (self.block, self.block_grams) = (block, 0);
        }
        let bit: Blocks = 1 << block;
        if payload.len() > PAYLOAD_BYTES_MAX {
            self.full |= bit;
        }
        if self.full & bit != 0 {
            return;
        }
        for gram in grams(payload.as_bytes()) {
            let place = (u64::from(gram).wrapping_mul(SPREAD) >> (64 - MET.ilog2())) as usize;
            let met = (block << 32) | u64::from(gram);
            match self.met.get_mut(place) {
                Some(known) if *known == met => continue,
                Some(known) => *known = met,
                None => {}
            }
            if !self.count(gram, bit) {
                self.full |= bit;
                return;
            }
        }
    }

    /// Takes down that a piece is in a block; whether there was room.
    fn count(&mut self, gram: u32, bit: Blocks) -> bool {
        let has_room = self.grams.len() < GROUP_GRAMS_MAX;
        match self.grams.entry(gram) {
            Entry::Occupied(blocks) if blocks.get() & bit != 0 => return true,
            Entry::Occupied(mut blocks) => *blocks.get_mut() |= bit,
            Entry::Vacant(none) if has_room => {
                none.insert(bit);
            }
            Entry::Vacant(_) => return false,
        }
        self.block_grams += 1;
        self.block_grams <= BLOCK_GRAMS_MAX
    }

    /// Ends the group; the next one begins.
    pub fn end(&mut self) -> Counted {
        let mut grams: Vec<(u32, Blocks)> = self.grams.drain().collect();
        grams.sort_unstable_by_key(|(gram, _)| *gram);
        let full = std::mem::take(&mut self.full);
        (self.block, self.block_grams) = (0, 0);
        self.met.fill(u64::MAX);
        let mut rows: Vec<(u32, Vec<u8>)> = Vec::new();
        let mut before = 0;
        for (gram, blocks) in grams {
            let row = match rows.last_mut() {
                Some((_, row)) if row.len() < ROW_BYTES => row,
                _ => {
                    before = gram;
                    &mut rows.push_mut((gram, Vec::with_capacity(ROW_BYTES + 32))).1
                }
            };
            push_number(row, gram - before);
            push_blocks(row, blocks);
            before = gram;
        }
        Counted { full, rows }
    }
}

fn push_number(row: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        row.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    row.push(number as u8);
}

fn push_blocks(row: &mut Vec<u8>, blocks: Blocks) {
    if blocks == Blocks::MAX {
        row.push(ALL);
    } else if blocks.count_ones() <= LISTED_MAX {
        row.push(blocks.count_ones() as u8);
        row.extend((0..128u8).filter(|block| blocks & (1 << block) != 0));
    } else {
        row.push(BITMAP);
        row.extend(blocks.to_le_bytes());
    }
}

/// The blocks that a row has for a piece; none when the piece is not in it.
pub(crate) fn blocks_of(first: u32, row: &[u8], wanted: u32) -> Result<Blocks, StorageError> {
    let (mut rest, mut gram) = (row, first);
    while !rest.is_empty() {
        gram = gram.wrapping_add(take_number(&mut rest)?);
        let blocks = take_blocks(&mut rest)?;
        if gram >= wanted {
            return Ok(if gram == wanted { blocks } else { 0 });
        }
    }
    Ok(0)
}

fn take_byte(rest: &mut &[u8]) -> Result<u8, StorageError> {
    let (byte, others) = rest.split_first().ok_or_else(|| damaged("the index of texts has a row that ends early"))?;
    *rest = others;
    Ok(*byte)
}

fn take_number(rest: &mut &[u8]) -> Result<u32, StorageError> {
    let mut number = 0;
    for shift in [0, 7, 14, 21, 28] {
        let byte = take_byte(rest)?;
        number |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(damaged("the index of texts has a number that is too large"))
}

fn take_blocks(rest: &mut &[u8]) -> Result<Blocks, StorageError> {
    match take_byte(rest)? {
        ALL => Ok(Blocks::MAX),
        BITMAP => {
            let (bitmap, others) =
                rest.split_first_chunk().ok_or_else(|| damaged("the index of texts has a row that ends early"))?;
            *rest = others;
            Ok(Blocks::from_le_bytes(*bitmap))
        }
        listed => {
            let mut blocks = 0;
            for _ in 0..listed {
                let block = take_byte(rest)?;
                blocks |= Blocks::from(1u8).checked_shl(u32::from(block)).unwrap_or(0);
            }
            Ok(blocks)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The blocks in which a group has all pieces of a text.
    fn found(counted: &Counted, text: &str) -> Blocks {
        let of = |gram: u32| {
            let row = counted.rows.iter().rev().find(|(first, _)| *first <= gram);
            row.map_or(0, |(first, row)| blocks_of(*first, row, gram).unwrap())
        };
        asked(text).into_iter().map(of).fold(Blocks::MAX, |all, blocks| all & blocks) | counted.full
    }

    #[test]
    fn the_form_is_frozen() {
        let mut group = Group::default();
        group.add(0, "abcde");
        group.add(3, "abcd");
        (0..128).for_each(|block| group.add(block, "bbbb"));
        (0..16).for_each(|block| group.add(block * 2, "cccc"));
        let counted = group.end();
        let abcd = u32::from_be_bytes(*b"abcd");
        let to_bbbb = [0xfe, 0xfd, 0xff, 0x07];
        let wanted: Vec<u8> = [
            &[0, 2, 0, 3][..],
            // bbbb and bcde after abcd, then cccc.
            &encoded(u32::from_be_bytes(*b"bbbb") - abcd),
            &[254],
            &encoded(u32::from_be_bytes(*b"bcde") - u32::from_be_bytes(*b"bbbb")),
            &[1, 0],
            &encoded(u32::from_be_bytes(*b"cccc") - u32::from_be_bytes(*b"bcde")),
            &[255, 0x55, 0x55, 0x55, 0x55, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        assert_eq!(encoded(u32::from_be_bytes(*b"bbbb") - abcd), to_bbbb);
        assert_eq!(counted, Counted { full: 0, rows: vec![(abcd, wanted)] });
        assert_eq!(group.end(), Counted { full: 0, rows: Vec::new() }, "the next group begins with nothing");
    }

    fn encoded(number: u32) -> Vec<u8> {
        let mut row = Vec::new();
        push_number(&mut row, number);
        row
    }

    #[test]
    fn what_is_too_much_to_count_is_full() {
        let mut group = Group::default();
        group.add(1, &"x".repeat(PAYLOAD_BYTES_MAX + 1));
        let mut chance = 1u64;
        let mut character = || {
            chance = chance.wrapping_mul(SPREAD).wrapping_add(1);
            char::from(b'!' + (chance >> 58) as u8)
        };
        let many: String = std::iter::repeat_with(&mut character).take(2 * BLOCK_GRAMS_MAX).collect();
        group.add(2, &many);
        group.add(3, "small");
        let counted = group.end();
        assert_eq!(counted.full, 0b0110);
        assert_eq!(found(&counted, "smal"), 0b1110);
    }

    #[test]
    fn few_pieces_of_a_text_are_asked_for() {
        assert_eq!(asked("abc"), Vec::<u32>::new());
        assert_eq!(asked("abcd"), [u32::from_be_bytes(*b"abcd")]);
        assert_eq!(asked("abcdefgh")[..2], [*b"abcd", *b"efgh"].map(u32::from_be_bytes));
        assert_eq!(asked(&"abcdefghij".repeat(20)).len(), GRAMS_ASKED_MAX);
    }

    proptest! {
        #[test]
        fn a_text_of_an_event_is_found_in_its_block(
            payloads in prop::collection::vec((0..128u64, "[a-f\"é]{0,40}"), 0..60),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut payloads = payloads;
            payloads.sort_by_key(|(block, _)| *block);
            let mut group = Group::default();
            payloads.iter().for_each(|(block, payload)| group.add(*block, payload));
            let counted = group.end();
            for (block, payload) in &payloads {
                let characters: Vec<char> = payload.chars().collect();
                let text: String = characters[cut.index(characters.len() + 1)..].iter().collect();
                prop_assert!(found(&counted, &text) & (1 << block) != 0, "{text}");
            }
        }

        #[test]
        fn whatever_a_row_says_is_read_or_refused(row in prop::collection::vec(any::<u8>(), 0..60), wanted in any::<u32>()) {
            let _ = blocks_of(0, &row, wanted);
        }
    }
}
