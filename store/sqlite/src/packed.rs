//! The texts of neighbouring events of an append, stored together, because they repeat each other almost word for word.
//!
//! A run is an event whose row has its texts as they are, its head, and the events right behind it in the same append.
//! Their rows have an empty payload, which no JSON is, and empty metadata: their texts are in the column `packed` of the
//! head. It is a frozen format: for how many events it has texts; for each of them the bytes of its payload and those of
//! its metadata, these numbers all as LEB128; then an LZ4 block that gives the texts, payload before metadata, one event
//! after the other, with the payload and the metadata of the head as its dictionary.
//!
//! Invariants: a run ends within its append and has at most [`RUN_EVENTS_MAX`] events and [`RUN_BYTES_MAX`] bytes, so that
//! whoever reads one event reads one row beside its own at most. What is read is bounded by this, not by what the file says.
//! Never touches a leaf: it is the hash of the texts as they came in.

use lz4_flex::block::{compress_into_with_dict, decompress_into_with_dict, get_maximum_output_size};
use rusqlite::{Connection, OptionalExtension};
use timeloom_store::{LogError, Position};

use crate::error::log_error;
use crate::recorded::{signed, unsigned};

/// The third step of the schema.
pub(crate) const COLUMN: &str = "ALTER TABLE events ADD COLUMN packed BLOB;";
/// Events of a run, its head included.
pub(crate) const RUN_EVENTS_MAX: usize = 16;
/// Bytes of the texts of a run, those of its head included.
pub(crate) const RUN_BYTES_MAX: usize = 256 << 10;
/// A run is packed when that leaves this part of the texts behind its head, or less: three quarters.
const WORTH: (usize, usize) = (3, 4);

/// The texts of an event as they are proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Texts<'text> {
    pub(crate) payload: &'text str,
    pub(crate) metadata: &'text str,
}

impl Texts<'_> {
    fn bytes(self) -> usize {
        self.payload.len() + self.metadata.len()
    }

    fn push_to(self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(self.payload.as_bytes());
        buffer.extend_from_slice(self.metadata.as_bytes());
    }
}

/// What the row of an event has of texts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PackedRow<'row> {
    /// Its own; empty behind a head.
    pub(crate) texts: Texts<'row>,
    /// Those of the events behind it, when it is a head.
    pub(crate) packed: Option<&'row [u8]>,
}

/// Packs texts; its buffers are kept from append to append, and nothing else is.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    /// The texts of the run, from its head on.
    texts: Vec<u8>,
    packed: Vec<u8>,
    /// How many events are still to come behind the newest head.
    behind: usize,
}

impl Packer {
    /// Before the first event of an append.
    pub(crate) fn begin_append(&mut self) {
        self.behind = 0;
    }

    /// What the row of the next event has, whose texts are `own`; `rest` has those of the events after it in its append.
    pub(crate) fn row<'row, 'text: 'row>(
        &'row mut self,
        own: Texts<'text>,
        rest: impl Iterator<Item = Texts<'text>>,
    ) -> PackedRow<'row> {
        if self.behind > 0 {
            self.behind -= 1;
            return PackedRow { texts: Texts { payload: "", metadata: "" }, packed: None };
        }
        self.behind = self.pack(own, rest).unwrap_or(0);
        PackedRow { texts: own, packed: (self.behind > 0).then_some(&self.packed) }
    }

    /// Packs the texts behind `head`, and says of how many events; `None` when that is not worth it.
    fn pack<'text>(&mut self, head: Texts<'text>, rest: impl Iterator<Item = Texts<'text>>) -> Option<usize> {
        let mut rest = rest.take(RUN_EVENTS_MAX - 1).peekable();
        rest.peek()?;
        self.texts.clear();
        self.packed.clear();
        head.push_to(&mut self.texts);
        let head_bytes = self.texts.len();
        // One byte has room for the number of events, which is put in once it is known.
        self.packed.push(0);
        let mut behind: u8 = 0;
        for texts in rest {
            if self.texts.len() + texts.bytes() > RUN_BYTES_MAX {
                break;
            }
            texts.push_to(&mut self.texts);
            push_number(&mut self.packed, texts.payload.len());
            push_number(&mut self.packed, texts.metadata.len());
            behind += 1;
        }
        *self.packed.first_mut()? = behind;
        let (dictionary, plain) = self.texts.split_at_checked(head_bytes)?;
        let block_at = self.packed.len();
        self.packed.resize(block_at + get_maximum_output_size(plain.len()), 0);
        let block = self.packed.get_mut(block_at..)?;
        let block_bytes = compress_into_with_dict(plain, block, dictionary).ok()?;
        self.packed.truncate(block_at + block_bytes);
        let (part, whole) = WORTH;
        (self.packed.len() * whole <= plain.len() * part).then_some(usize::from(behind))
    }
}

const _: () = assert!(RUN_EVENTS_MAX <= 0x80, "the number of events has one byte");

/// Reads texts of rows, in any order; what the run that was met last has is kept.
#[derive(Debug, Default)]
pub(crate) struct Unpacker {
    /// Position of the head whose row is kept.
    head: Option<u64>,
    /// The head's own texts.
    dictionary: Vec<u8>,
    packed: Vec<u8>,
    /// The texts behind the head, and where each ends; no ends: not unpacked yet.
    texts: Vec<u8>,
    ends: Vec<usize>,
}

impl Unpacker {
    /// The texts of the event at `position`, whose row has `stored` and `packed`.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] about the event when there is no such text; [`LogError::Storage`].
    pub(crate) fn texts<'text>(
        &'text mut self,
        connection: &Connection,
        position: Position,
        stored: Texts<'text>,
        packed: Option<&[u8]>,
    ) -> Result<Texts<'text>, LogError> {
        if let Some(packed) = packed {
            self.keep(position.0, stored, packed);
        }
        if !stored.payload.is_empty() {
            return Ok(stored);
        }
        let corrupt = |detail: String| LogError::Corrupt { position, detail };
        if !self.reaches(position) {
            self.find_head(connection, position)?;
            if !self.reaches(position) {
                return Err(corrupt("its texts are in no row before it".to_owned()));
            }
        }
        self.behind(position).map_err(corrupt)
    }

    /// Whether the run that is kept has the event behind its head.
    fn reaches(&self, position: Position) -> bool {
        let behind = self.packed.first().copied().map_or(0, u64::from);
        self.head.is_some_and(|head| head < position.0 && position.0 - head <= behind)
    }

    fn keep(&mut self, position: u64, own: Texts<'_>, packed: &[u8]) {
        self.head = Some(position);
        self.dictionary.clear();
        own.push_to(&mut self.dictionary);
        self.packed.clear();
        self.packed.extend_from_slice(packed);
        self.ends.clear();
    }

    /// Reads the row of the nearest head before `position`.
    fn find_head(&mut self, connection: &Connection, position: Position) -> Result<(), LogError> {
        self.head = None;
        let mut statement = connection
            .prepare_cached(
                "SELECT position, payload, metadata, packed FROM events \
                 WHERE position > ?1 - ?2 AND position < ?1 AND packed IS NOT NULL ORDER BY position DESC LIMIT 1",
            )
            .map_err(log_error)?;
        let parameters = (signed(position.0), signed(RUN_EVENTS_MAX as u64));
        let found = statement.query_row(parameters, |row| {
            let own = Texts { payload: row.get_ref(1)?.as_str()?, metadata: row.get_ref(2)?.as_str()? };
            self.keep(unsigned(row.get(0)?), own, row.get_ref(3)?.as_blob()?);
            Ok(())
        });
        found.optional().map_err(log_error)?;
        Ok(())
    }

    fn behind(&mut self, position: Position) -> Result<Texts<'_>, String> {
        let head = self.head.ok_or("its texts are in no row before it")?;
        if self.ends.is_empty() {
            self.unpack().inspect_err(|_| self.ends.clear())?;
        }
        // Two texts for each event behind the head, which is at the distance 0.
        let second = usize::try_from(position.0 - head).unwrap_or(usize::MAX) * 2 - 1;
        let end = |index: usize| self.ends.get(index).copied().ok_or("its texts are not in the row before it");
        let (first_end, second_end) = (end(second - 1)?, end(second)?);
        let start = if second > 1 { end(second - 2)? } else { 0 };
        let text = |from: usize, to: usize| {
            let bytes = self.texts.get(from..to).ok_or("its texts end before they begin")?;
            std::str::from_utf8(bytes).map_err(|error| format!("its texts are not text: {error}"))
        };
        Ok(Texts { payload: text(start, first_end)?, metadata: text(first_end, second_end)? })
    }

    fn unpack(&mut self) -> Result<(), String> {
        let mut rest = self.packed.as_slice();
        let mut number = || take_number(&mut rest).ok_or("the row with its texts is cut off");
        let behind = number()?;
        if behind == 0 || behind >= RUN_EVENTS_MAX {
            return Err(format!("the row with its texts has those of {behind} events"));
        }
        let mut bytes = 0;
        for _ in 0..2 * behind {
            bytes += number()?;
            if bytes > RUN_BYTES_MAX {
                return Err(format!("the row with its texts has more than {RUN_BYTES_MAX} bytes of them"));
            }
            self.ends.push(bytes);
        }
        self.texts.resize(bytes, 0);
        let unpacked = decompress_into_with_dict(rest, &mut self.texts, &self.dictionary)
            .map_err(|error| format!("its texts cannot be unpacked: {error}"))?;
        if unpacked == bytes { Ok(()) } else { Err(format!("its texts have {unpacked} bytes in place of {bytes}")) }
    }
}

/// Appends `number` as LEB128: seven bits a byte, the lowest first, and the eighth bit where more follow.
fn push_number(buffer: &mut Vec<u8>, mut number: usize) {
    loop {
        let bits = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            return buffer.push(bits);
        }
        buffer.push(bits | 0x80);
    }
}

/// Takes a number off the front; `None` when there is none, or it has more than three bytes, which no length needs.
fn take_number(rest: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in [0, 7, 14] {
        let (&byte, others) = rest.split_first()?;
        *rest = others;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

const _: () = assert!(RUN_BYTES_MAX < 1 << 21, "a length has three bytes at most");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts<'text>((payload, metadata): &'text (String, String)) -> Texts<'text> {
        Texts { payload, metadata }
    }

    /// The rows that an append of events with these texts gets.
    fn rows(append: &[(String, String)]) -> Vec<(Position, String, String, Option<Vec<u8>>)> {
        let mut packer = Packer::default();
        packer.begin_append();
        let row = |(index, event)| {
            let row = packer.row(texts(event), append.iter().skip(index + 1).map(texts));
            let Texts { payload, metadata } = row.texts;
            (Position(index as u64 + 1), payload.to_owned(), metadata.to_owned(), row.packed.map(<[u8]>::to_vec))
        };
        append.iter().enumerate().map(row).collect()
    }

    fn of_length(bytes: usize, metadata: &str) -> (String, String) {
        (format!("\"{}\"", "x".repeat(bytes - 2)), metadata.to_owned())
    }

    #[test]
    fn the_form_is_frozen() {
        let long_ago = [
            // Of two events, whose payloads and metadata have seven bytes each.
            &[2, 7, 7, 7, 7][..],
            // {"a": of the dictionary; 2 itself and }{"m":1} of the dictionary; {"a":2}{" of the first event; the rest itself.
            &[0x01, 14, 0, 0x14, b'2', 14, 0, 0x05, 14, 0, 0x50, b'm', b'"', b':', b'1', b'}'],
        ];
        let connection = Connection::open_in_memory().unwrap();
        let mut unpacker = Unpacker::default();
        let head = Texts { payload: r#"{"a":1}"#, metadata: r#"{"m":1}"# };
        assert_eq!(unpacker.texts(&connection, Position(7), head, Some(&long_ago.concat())).unwrap(), head);
        let none = Texts { payload: "", metadata: "" };
        for position in [9, 8, 9] {
            let read = unpacker.texts(&connection, Position(position), none, None).unwrap();
            assert_eq!(read, Texts { payload: r#"{"a":2}"#, metadata: r#"{"m":1}"# });
        }
    }

    #[test]
    fn runs_have_so_many_events_and_bytes_at_most() {
        let heads = |append: &[(String, String)]| -> Vec<u64> {
            let own = rows(append).into_iter().filter(|(_, payload, ..)| !payload.is_empty());
            own.map(|(position, ..)| position.0).collect()
        };
        assert_eq!(heads(&vec![of_length(100, "{}"); 40]), [1, 17, 33]);
        // Four of them have as many bytes as a run may have; one byte more of one is too much.
        let mut append = vec![of_length(RUN_BYTES_MAX / 4 - 2, "{}"); 8];
        assert_eq!(heads(&append), [1, 5]);
        append[3] = of_length(RUN_BYTES_MAX / 4 - 1, "{}");
        assert_eq!(heads(&append), [1, 4, 7]);
        let different = [(r#""abcdefgh""#, "{}"), (r#""ijklmnop""#, "{}"), (r#""qrstuvwx""#, "{}")];
        let different = different.map(|(payload, metadata)| (payload.to_owned(), metadata.to_owned()));
        assert_eq!(heads(&different), [1, 2, 3], "what saves nothing stays as it is");
        assert_eq!(heads(&[of_length(100, "{}")]), [1]);
    }

    proptest! {
        #[test]
        fn whatever_the_file_says_is_refused_or_text(
            packed in prop::collection::vec(any::<u8>(), 0..200),
            events in 0..20u8,
            dictionary in ".{0,60}",
        ) {
            let lengths = vec![3; 2 * usize::from(events)];
            for packed in [packed.clone(), [&[events][..], &lengths, &packed].concat()] {
                let mut unpacker = Unpacker::default();
                unpacker.keep(1, Texts { payload: &dictionary, metadata: "{}" }, &packed);
                for position in 2..20 {
                    let read = unpacker.behind(Position(position));
                    prop_assert!(read.is_err() || read.unwrap().bytes() <= RUN_BYTES_MAX);
                }
            }
        }

        #[test]
        fn a_flipped_byte_of_what_was_packed_is_refused_or_text(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let append: Vec<_> = (0..16).map(|n| (format!(r#"{{"order":{n},"text":"Zoë"}}"#), r#"{"m":1}"#.to_owned())).collect();
            let rows = rows(&append);
            let mut packed = rows[0].3.clone().unwrap();
            let at = at.index(packed.len());
            packed[at] ^= byte;
            let mut unpacker = Unpacker::default();
            unpacker.keep(1, texts(&append[0]), &packed);
            for position in 2..18 {
                let read = unpacker.behind(Position(position));
                prop_assert!(read.is_err() || read.unwrap().bytes() <= RUN_BYTES_MAX);
            }
        }
    }
}
