//! The hash by which an event can be proved to be in the log and unchanged: a leaf of an RFC 6962 Merkle tree.
//!
//! The canonical record is a frozen format. In this order, numbers big-endian, every text led by its length in bytes as
//! four bytes: position (8 bytes), tenant (4), category, stream id, revision (8), event id (16), event type, event
//! version (2), time in microseconds since 1970 (8, two's complement), payload, metadata (both as their stored text).
//! A payload in a blob is stored as its reference, which has the hash of the content: the leaf proves the content too.
//! The leaf is SHA-256 over a zero byte and the record.

use sha2::{Digest, Sha256};

use crate::envelope::RecordedEvent;

/// A leaf of the log's Merkle tree.
pub type Leaf = [u8; 32];

/// The leaf of `event`, whose payload and metadata are stored as `payload` and `metadata`. `buffer` is scratch space that
/// callers keep.
pub fn leaf(event: &RecordedEvent, payload: &str, metadata: &str, buffer: &mut Vec<u8>) -> Leaf {
    buffer.clear();
    buffer.push(0);
    buffer.extend_from_slice(&event.position.0.to_be_bytes());
    buffer.extend_from_slice(&event.stream.tenant.0.to_be_bytes());
    push_text(buffer, &event.stream.category);
    push_text(buffer, &event.stream.id);
    buffer.extend_from_slice(&event.revision.0.to_be_bytes());
    buffer.extend_from_slice(event.id.0.as_bytes());
    push_text(buffer, &event.event_type);
    buffer.extend_from_slice(&event.event_version.to_be_bytes());
    buffer.extend_from_slice(&event.recorded_at.timestamp_micros().to_be_bytes());
    push_text(buffer, payload);
    push_text(buffer, metadata);
    Sha256::digest(&*buffer).into()
}

fn push_text(buffer: &mut Vec<u8>, text: &str) {
    // No text is longer than an append, which is far below four gigabytes.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    buffer.extend_from_slice(&length.to_be_bytes());
    buffer.extend_from_slice(text.as_bytes());
}
