//! The hash by which an event can be proved to be in the log and unchanged: a leaf of an RFC 6962 Merkle tree.
//!
//! The canonical record is a frozen format. In this order, numbers big-endian, every text led by its length in bytes as
//! four bytes: position (8 bytes), tenant (4), category, stream id, revision (8), event id (16), event type, event
//! version (2), time in microseconds since 1970 (8, two's complement), payload, metadata (both as their stored text).
//! A payload in a blob is stored as its reference, which has the hash of the content: the leaf proves the content too.
//! The leaf is SHA-256 over a zero byte and the record.

use sha2::{Digest as _, Sha256};

/// A leaf of the log's tree.
pub type Leaf = [u8; 32];

/// What a leaf is the hash of: everything that is kept of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'event> {
    /// Its place in the log; 1 is the first.
    pub position: u64,
    /// Whose it is.
    pub tenant: u32,
    /// Kind of what it is about.
    pub category: &'event str,
    /// Id of what it is about.
    pub stream: &'event str,
    /// Its place in its stream; 1 is the first.
    pub revision: u64,
    /// Its id.
    pub id: [u8; 16],
    /// Name of its type.
    pub event_type: &'event str,
    /// Version of the payload's shape.
    pub event_version: u16,
    /// When the log took it, in microseconds since 1970.
    pub recorded_at_us: i64,
    /// The payload as it is stored: JSON text, or the reference to a blob.
    pub payload: &'event str,
    /// The metadata as it is stored: JSON text.
    pub metadata: &'event str,
}

impl Record<'_> {
    /// The canonical record after a zero byte: what is hashed.
    pub fn write(&self, buffer: &mut Vec<u8>) {
        buffer.clear();
        buffer.push(0);
        buffer.extend_from_slice(&self.position.to_be_bytes());
        buffer.extend_from_slice(&self.tenant.to_be_bytes());
        push_text(buffer, self.category);
        push_text(buffer, self.stream);
        buffer.extend_from_slice(&self.revision.to_be_bytes());
        buffer.extend_from_slice(&self.id);
        push_text(buffer, self.event_type);
        buffer.extend_from_slice(&self.event_version.to_be_bytes());
        buffer.extend_from_slice(&self.recorded_at_us.to_be_bytes());
        push_text(buffer, self.payload);
        push_text(buffer, self.metadata);
    }

    /// The leaf. `buffer` is scratch space that callers keep.
    pub fn leaf(&self, buffer: &mut Vec<u8>) -> Leaf {
        self.write(buffer);
        Sha256::digest(&*buffer).into()
    }
}

fn push_text(buffer: &mut Vec<u8>, text: &str) {
    // No text is longer than an append, which is far below four gigabytes.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    buffer.extend_from_slice(&length.to_be_bytes());
    buffer.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_frozen() {
        let record = Record {
            position: 7,
            tenant: 2,
            category: "order",
            stream: "o-1",
            revision: 3,
            id: [5; 16],
            event_type: "OrderPlaced",
            event_version: 1,
            recorded_at_us: -1,
            payload: "{}",
            metadata: "[]",
        };
        let mut buffer = Vec::new();
        record.write(&mut buffer);
        let expected = b"\0\0\0\0\0\0\0\0\x07\0\0\0\x02\0\0\0\x05order\0\0\0\x03o-1\0\0\0\0\0\0\0\x03\
            \x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\x05\0\0\0\x0bOrderPlaced\0\x01\
            \xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x02{}\0\0\0\x02[]";
        assert_eq!(buffer, expected);
    }
}
