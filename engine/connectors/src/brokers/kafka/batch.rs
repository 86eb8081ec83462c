//! Batches of records, in the second version of their format: read with limits, and written. Pure.

use std::collections::HashSet;

use timeloom_engine::node::NodeError;

use super::packing::Packing;
use super::words::{Reader, Writer, sum_of, wrong};

/// Bytes of a batch before its sum covers it: offset, length, epoch, version and the sum.
const HEAD_BYTES: usize = 21;
/// Most headers of a record.
const HEADERS_MAX: i64 = 1_000;

/// A record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub offset: i64,
    pub timestamp_ms: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
}

/// A transaction that was given up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aborted {
    pub producer: i64,
    pub first_offset: i64,
}

/// What was fetched.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fetched {
    /// Records from the offset that was asked for, without those of transactions that were given up.
    pub records: Vec<Record>,
    /// Where to go on; `None` when not even one batch was whole.
    pub next_offset: Option<i64>,
}

/// A batch with one record, packed like that.
///
/// # Errors
/// [`NodeError`] where it cannot be packed.
pub(super) fn write(record: &Record, packing: Packing, now_ms: i64) -> Result<Vec<u8>, NodeError> {
    let mut body = Writer::default();
    body.i8(0).varint(0).varint(0).var_bytes(record.key.as_deref()).var_bytes(record.value.as_deref());
    body.varint(i64::try_from(record.headers.len()).unwrap_or_default());
    for (name, value) in &record.headers {
        body.var_bytes(Some(name.as_bytes())).var_bytes(Some(value));
    }
    let mut records = Writer::default();
    records.varint(i64::try_from(body.0.len()).unwrap_or_default());
    records.0.extend(&body.0);
    let mut covered = Writer::default();
    covered.i16(packing.number()).i32(0).i64(now_ms).i64(now_ms).i64(-1).i16(-1).i32(-1).i32(1);
    covered.0.extend(packing.pack(records.0)?);
    let mut batch = Writer::default();
    // What follows the length: the epoch, the version, the sum, and what it covers.
    batch.i64(0).i32(i32::try_from(covered.0.len() + 9).unwrap_or(i32::MAX)).i32(-1).i8(2);
    batch.0.extend(sum_of(&covered.0).to_be_bytes());
    batch.0.extend(&covered.0);
    Ok(batch.0)
}

/// Reads the batches of a fetch; the last one may be cut off.
pub(super) fn read(bytes: &[u8], from: i64, aborted: &[Aborted]) -> Result<Fetched, NodeError> {
    let mut fetched = Fetched::default();
    let mut given_up: HashSet<i64> = HashSet::new();
    let mut ahead = aborted.to_vec();
    ahead.sort_unstable_by_key(|one| one.first_offset);
    let mut left = bytes;
    while left.len() > HEAD_BYTES {
        let mut head = Reader::new(left);
        let (base, length) = (head.i64()?, head.i32()?);
        let length = usize::try_from(length).map_err(|_| wrong("a batch has no length"))?;
        let Some(batch) = left.get(12..12 + length) else { break };
        left = left.get(12 + length..).unwrap_or_default();
        let batch = Batch::read(base, batch)?;
        // Those that began at or before this batch; each is over at its producer's next mark.
        while let Some(one) = ahead.first().filter(|one| one.first_offset <= batch.last_offset) {
            given_up.insert(one.producer);
            ahead.remove(0);
        }
        let is_given_up = batch.is_transactional && given_up.contains(&batch.producer);
        if batch.is_control {
            given_up.remove(&batch.producer);
        } else if !is_given_up {
            fetched.records.extend(batch.records()?.into_iter().filter(|record| record.offset >= from));
        }
        fetched.next_offset = Some(batch.last_offset + 1);
    }
    Ok(fetched)
}

/// One batch, still packed.
struct Batch<'b> {
    base: i64,
    last_offset: i64,
    first_timestamp: i64,
    max_timestamp: i64,
    producer: i64,
    is_transactional: bool,
    is_control: bool,
    /// Whether records have the time at which the broker stored them.
    has_broker_time: bool,
    packing: i16,
    count: i32,
    packed: &'b [u8],
}

impl<'b> Batch<'b> {
    fn read(base: i64, bytes: &'b [u8]) -> Result<Self, NodeError> {
        let mut reader = Reader::new(bytes);
        let (_epoch, version, sum) = (reader.i32()?, reader.i8()?, reader.u32()?);
        if version != 2 {
            return Err(NodeError::operation(format!(
                "the topic has messages of format {version}: only format 2 is read"
            ))
            .described("let the broker convert them: set message.format.version"));
        }
        if sum_of(reader.rest()) != sum {
            return Err(wrong("the sum of a batch is not that of its bytes"));
        }
        let attributes = reader.i16()?;
        let last_offset = base.saturating_add(reader.i32()?.into());
        let (first_timestamp, max_timestamp, producer) = (reader.i64()?, reader.i64()?, reader.i64()?);
        let (_epoch, _sequence, count) = (reader.i16()?, reader.i32()?, reader.i32()?);
        Ok(Self {
            base,
            last_offset,
            first_timestamp,
            max_timestamp,
            producer,
            is_transactional: attributes & 0x10 != 0,
            is_control: attributes & 0x20 != 0,
            has_broker_time: attributes & 0x08 != 0,
            packing: attributes & 0x07,
            count,
            packed: reader.rest(),
        })
    }

    fn records(&self) -> Result<Vec<Record>, NodeError> {
        let bytes = Packing::numbered(self.packing)?.unpack(self.packed)?;
        let mut reader = Reader::new(&bytes);
        (0..self.count).map(|_| self.record(&mut reader)).collect()
    }

    fn record(&self, reader: &mut Reader<'_>) -> Result<Record, NodeError> {
        let length = usize::try_from(reader.varint()?).map_err(|_| wrong("a record has no length"))?;
        let mut record = Reader::new(reader.take(length)?);
        let (_attributes, time, offset) = (record.i8()?, record.varint()?, record.varint()?);
        let timestamp_ms =
            if self.has_broker_time { self.max_timestamp } else { self.first_timestamp.saturating_add(time) };
        let (key, value) = (record.var_bytes()?, record.var_bytes()?);
        let count = record.varint()?;
        if !(0..=HEADERS_MAX).contains(&count) {
            return Err(wrong("a record has too many headers"));
        }
        let mut headers = Vec::new();
        for _ in 0..count {
            let name = String::from_utf8_lossy(record.var_bytes()?.unwrap_or_default()).into_owned();
            headers.push((name, record.var_bytes()?.unwrap_or_default().to_vec()));
        }
        let offset = self.base.saturating_add(offset);
        let (key, value) = (key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
        Ok(Record { offset, timestamp_ms, key, value, headers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            offset: 0,
            timestamp_ms: 1_700_000_000_000,
            key: Some(b"key".to_vec()),
            value: Some(b"value".to_vec()),
            headers: vec![("a".to_owned(), b"1".to_vec())],
        }
    }

    #[test]
    fn a_batch_is_read_as_it_was_written_and_again_when_it_is_cut_off_behind() {
        let written = write(&record(), Packing::Nothing, 1_700_000_000_000).unwrap();
        let expected = Fetched { records: vec![record()], next_offset: Some(1) };
        assert_eq!(read(&written, 0, &[]), Ok(expected));
        let two = [written.clone(), written[..written.len() - 3].to_vec()].concat();
        assert_eq!(read(&two, 0, &[]).unwrap().records.len(), 1);
        assert_eq!(read(&written[..30], 0, &[]), Ok(Fetched::default()));
    }

    #[test]
    fn a_bit_that_was_turned_is_seen() {
        let mut written = write(&record(), Packing::Nothing, 0).unwrap();
        let last = written.len() - 1;
        written[last] ^= 1;
        assert!(read(&written, 0, &[]).unwrap_err().message.contains("sum"));
    }

    #[test]
    fn a_packed_batch_is_read_as_it_was_written() {
        for name in ["gzip", "snappy", "lz4", "zstd"] {
            let long = Record { value: Some(b"again ".repeat(100)), ..record() };
            let written = write(&long, Packing::named(name).unwrap(), 1_700_000_000_000).unwrap();
            assert!(written.len() < 400, "{name}: {} bytes", written.len());
            assert_eq!(read(&written, 0, &[]).unwrap().records, [long], "{name}");
        }
    }

    #[test]
    fn a_codec_that_is_not_known_is_told() {
        let mut written = write(&record(), Packing::Nothing, 0).unwrap();
        // The low bits of the attributes, behind the head and the sum.
        written[HEAD_BYTES + 1] |= 7;
        let sum = sum_of(&written[HEAD_BYTES..]).to_be_bytes();
        written[HEAD_BYTES - 4..HEAD_BYTES].copy_from_slice(&sum);
        assert!(read(&written, 0, &[]).unwrap_err().message.contains("codec 7"));
    }
}
