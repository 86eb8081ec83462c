//! The leaf of an event of the log. What it is the hash of is the record of [`timeloom_verify::leaf`], which whoever checks
//! the log without us computes as well.

use crate::envelope::RecordedEvent;
use crate::stored::{StoredEvent, read_version};

pub use timeloom_verify::leaf::{Leaf, Record};

/// The leaf of `event`, whose payload and metadata are stored as `payload` and `metadata`. `buffer` is scratch space that
/// callers keep.
pub fn leaf(event: &RecordedEvent, payload: &str, metadata: &str, buffer: &mut Vec<u8>) -> Leaf {
    let record = Record {
        position: event.position.0,
        tenant: event.stream.tenant.0,
        category: &event.stream.category,
        stream: &event.stream.id,
        revision: event.revision.0,
        id: *event.id.0.as_bytes(),
        event_type: &event.event_type,
        event_version: event.event_version,
        recorded_at_us: event.recorded_at.timestamp_micros(),
        payload,
        metadata,
    };
    record.leaf(buffer)
}

/// What the leaf of an event is the hash of, as a backend stores the event.
pub fn record_of(event: &StoredEvent) -> Record<'_> {
    Record {
        position: event.position.0,
        tenant: event.stream.tenant.0,
        category: &event.stream.category,
        stream: &event.stream.id,
        revision: event.revision.0,
        id: *event.id.0.as_bytes(),
        event_type: &event.event_type,
        event_version: read_version(&event.event_version),
        recorded_at_us: event.recorded_at_us,
        payload: &event.payload,
        metadata: &event.metadata,
    }
}

/// The leaf of an event as a backend stores it.
pub fn leaf_of(event: &StoredEvent, buffer: &mut Vec<u8>) -> Leaf {
    record_of(event).leaf(buffer)
}
