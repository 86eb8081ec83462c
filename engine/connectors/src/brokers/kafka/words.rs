//! Numbers and texts of Kafka's protocol, as bytes. Pure.

use timeloom_engine::node::NodeError;

use crate::wire::garbled;

/// What a broker sends is not of its protocol.
pub(super) fn wrong(what: impl std::fmt::Display) -> NodeError {
    garbled("Kafka's protocol", what)
}

/// What is being written.
#[derive(Default)]
pub(super) struct Writer(pub Vec<u8>);

impl Writer {
    pub fn i8(&mut self, number: i8) -> &mut Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub fn i16(&mut self, number: i16) -> &mut Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub fn i32(&mut self, number: i32) -> &mut Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub fn i64(&mut self, number: i64) -> &mut Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
        self.0.extend(text.as_bytes().iter().take(i16::MAX as usize));
        self
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        self.0.extend(bytes);
        self
    }

    /// A number of variable length, small ones short whatever their sign.
    pub fn varint(&mut self, number: i64) -> &mut Self {
        let mut left = ((number << 1) ^ (number >> 63)) as u64;
        while left >= 0x80 {
            self.0.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        self.0.push(left as u8);
        self
    }

    pub fn var_bytes(&mut self, bytes: Option<&[u8]>) -> &mut Self {
        match bytes {
            Some(bytes) => {
                self.varint(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
                self.0.extend(bytes);
                self
            }
            None => self.varint(-1),
        }
    }
}

/// Bytes that are being read.
pub(super) struct Reader<'b> {
    left: &'b [u8],
}

impl<'b> Reader<'b> {
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { left: bytes }
    }

    pub fn rest(&self) -> &'b [u8] {
        self.left
    }

    pub fn take(&mut self, count: usize) -> Result<&'b [u8], NodeError> {
        let (taken, left) = self.left.split_at_checked(count).ok_or_else(|| wrong("an answer is cut off"))?;
        self.left = left;
        Ok(taken)
    }

    fn array<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], NodeError> {
        self.take(COUNT)?.try_into().map_err(|_| wrong("an answer is cut off"))
    }

    pub fn i8(&mut self) -> Result<i8, NodeError> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    pub fn i16(&mut self) -> Result<i16, NodeError> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub fn i32(&mut self) -> Result<i32, NodeError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32, NodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub fn i64(&mut self) -> Result<i64, NodeError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// A text; empty where there is none.
    pub fn text(&mut self) -> Result<String, NodeError> {
        match self.i16()? {
            length if length < 0 => Ok(String::new()),
            length => Ok(String::from_utf8_lossy(self.take(length as usize)?).into_owned()),
        }
    }

    /// Bytes; none where there are none.
    pub fn bytes(&mut self) -> Result<&'b [u8], NodeError> {
        match self.i32()? {
            length if length < 0 => Ok(&[]),
            length => self.take(length as usize),
        }
    }

    /// How many of something follow, each of at least one byte.
    pub fn count(&mut self) -> Result<usize, NodeError> {
        let count = usize::try_from(self.i32()?).unwrap_or(0);
        if count > self.left.len() { Err(wrong("a list is longer than its answer")) } else { Ok(count) }
    }

    pub fn varint(&mut self) -> Result<i64, NodeError> {
        let (mut number, mut shift) = (0_u64, 0);
        loop {
            let [byte] = self.array()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
            if shift > 63 {
                return Err(wrong("a number is too long"));
            }
        }
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub fn var_bytes(&mut self) -> Result<Option<&'b [u8]>, NodeError> {
        match self.varint()? {
            length if length < 0 => Ok(None),
            length => self.take(usize::try_from(length).unwrap_or(usize::MAX)).map(Some),
        }
    }
}

/// The partition to which messages of a key go, as Kafka's own clients choose it (MurmurHash2).
pub(super) fn partition_of(key: &[u8], count: i32) -> i32 {
    const MIX: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c_u32 ^ u32::try_from(key.len()).unwrap_or(u32::MAX);
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(MIX);
        mixed = (mixed ^ mixed >> 24).wrapping_mul(MIX);
        hash = hash.wrapping_mul(MIX) ^ mixed;
    }
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(MIX);
    }
    hash = (hash ^ hash >> 13).wrapping_mul(MIX);
    hash ^= hash >> 15;
    (hash & 0x7fff_ffff) as i32 % count.max(1)
}

/// The sum by which a batch is checked (CRC-32C).
pub(super) fn sum_of(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_partitions_are_those_that_others_compute() {
        assert_eq!(sum_of(b"123456789"), 0xe306_9283);
        // As Kafka's own client has them for 2^31 - 1 partitions: the hash itself, without its sign.
        let hash = |key: &[u8]| partition_of(key, i32::MAX);
        assert_eq!(hash(b"21"), -973_932_308_i32 & 0x7fff_ffff);
        assert_eq!(hash(b"foobar"), -790_332_482_i32 & 0x7fff_ffff);
        assert_eq!(hash(b"a-little-bit-long-string"), -985_981_536_i32 & 0x7fff_ffff);
    }

    #[test]
    fn numbers_of_variable_length_are_read_as_they_were_written() {
        for number in [0, 1, -1, 63, -64, 64, 300, i64::MAX, i64::MIN] {
            let mut writer = Writer::default();
            writer.varint(number);
            assert_eq!(Reader::new(&writer.0).varint(), Ok(number));
        }
        assert!(Reader::new(&[0xff; 12]).varint().is_err());
    }
}
