//! The hash by which an event can be proved to be in the log and unchanged: a leaf of an RFC 6962 Merkle tree.
//!
//! The canonical record is a frozen format. In this order, numbers big-endian, every text led by its length in bytes as
//! four bytes: position (8 bytes), tenant (4), category, stream id, revision (8), event id (16), event type, event
//! version (2), time in microseconds since 1970 (8, two's complement), payload, metadata (both as their stored text).
//! A payload in a blob is stored as its reference, which has the hash of the content: the leaf proves the content too.
//! The leaf is SHA-256 over a zero byte and the record.

use sha2::{Digest, Sha256};

use timeloom_domain::ids::EventId;

use crate::envelope::{Position, RecordedEvent, Revision, StreamKey};
use crate::stored::{StoredEvent, read_version};

/// A leaf of the log's Merkle tree.
pub type Leaf = [u8; 32];

/// The leaf of `event`, whose payload and metadata are stored as `payload` and `metadata`. `buffer` is scratch space that
/// callers keep.
pub fn leaf(event: &RecordedEvent, payload: &str, metadata: &str, buffer: &mut Vec<u8>) -> Leaf {
    let record = Record {
        position: event.position,
        stream: &event.stream,
        revision: event.revision,
        id: event.id,
        event_type: &event.event_type,
        event_version: event.event_version,
        recorded_at_us: event.recorded_at.timestamp_micros(),
        payload,
        metadata,
    };
    record.leaf(buffer)
}

/// The leaf of an event as a backend stores it.
pub fn leaf_of(event: &StoredEvent, buffer: &mut Vec<u8>) -> Leaf {
    let record = Record {
        position: event.position,
        stream: &event.stream,
        revision: event.revision,
        id: event.id,
        event_type: &event.event_type,
        event_version: read_version(&event.event_version),
        recorded_at_us: event.recorded_at_us,
        payload: &event.payload,
        metadata: &event.metadata,
    };
    record.leaf(buffer)
}

/// What a leaf is the hash of.
struct Record<'event> {
    position: Position,
    stream: &'event StreamKey,
    revision: Revision,
    id: EventId,
    event_type: &'event str,
    event_version: u16,
    recorded_at_us: i64,
    payload: &'event str,
    metadata: &'event str,
}

impl Record<'_> {
    fn leaf(&self, buffer: &mut Vec<u8>) -> Leaf {
        buffer.clear();
        buffer.push(0);
        buffer.extend_from_slice(&self.position.0.to_be_bytes());
        buffer.extend_from_slice(&self.stream.tenant.0.to_be_bytes());
        push_text(buffer, &self.stream.category);
        push_text(buffer, &self.stream.id);
        buffer.extend_from_slice(&self.revision.0.to_be_bytes());
        buffer.extend_from_slice(self.id.0.as_bytes());
        push_text(buffer, self.event_type);
        buffer.extend_from_slice(&self.event_version.to_be_bytes());
        buffer.extend_from_slice(&self.recorded_at_us.to_be_bytes());
        push_text(buffer, self.payload);
        push_text(buffer, self.metadata);
        Sha256::digest(&*buffer).into()
    }
}

fn push_text(buffer: &mut Vec<u8>, text: &str) {
    // No text is longer than an append, which is far below four gigabytes.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    buffer.extend_from_slice(&length.to_be_bytes());
    buffer.extend_from_slice(text.as_bytes());
}
