//! The rules by which every backend takes or refuses an append. Never touches storage.
//!
//! Invariant: the same append is judged the same by every backend.

use std::sync::Arc;

use chrono::DateTime;

use crate::blobs::BLOB_BYTES_MAX;
use crate::envelope::{NewEvent, Position, RecordedEvent, Revision, StreamKey};
use crate::log::{
    APPEND_BYTES_MAX, APPEND_EVENTS_MAX, APPEND_SPILLED_BYTES_MAX, Append, AppendError, Appended, Durability, Expected,
    LogError,
};
use crate::spill::{REFERENCE_BYTES_MAX, spills};

/// The limit of their sum is also the limit of each payload.
const _: () = assert!(APPEND_SPILLED_BYTES_MAX <= BLOB_BYTES_MAX, "every payload that is allowed fits a blob");

/// An append whose size is allowed.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The metadata of each event as JSON text; events that share their metadata share the text.
    pub metadata: Vec<Arc<str>>,
    /// Bytes of payload and metadata as stored.
    pub bytes: usize,
    /// Bytes of the payloads that go into blobs.
    pub spilled_bytes: usize,
}

impl Measured {
    /// Bytes of memory that the append takes while it waits.
    pub fn held_bytes(&self) -> usize {
        self.bytes.saturating_add(self.spilled_bytes)
    }
}

/// Checks the size of `append` and writes its metadata down.
///
/// # Errors
/// [`AppendError::TooLarge`] over [`APPEND_EVENTS_MAX`], [`APPEND_BYTES_MAX`] or [`APPEND_SPILLED_BYTES_MAX`].
pub fn measure(append: &Append) -> Result<Measured, AppendError> {
    let too_large = |what, actual, max| AppendError::TooLarge { what, actual, max };
    if append.events.len() > APPEND_EVENTS_MAX {
        return Err(too_large("the number of events", append.events.len(), APPEND_EVENTS_MAX));
    }
    let mut measured = Measured { metadata: Vec::with_capacity(append.events.len()), bytes: 0, spilled_bytes: 0 };
    let mut previous: Option<&NewEvent> = None;
    for event in &append.events {
        let shared = previous.filter(|previous| Arc::ptr_eq(&previous.metadata, &event.metadata));
        let text = match (shared, measured.metadata.last()) {
            (Some(_), Some(text)) => Arc::clone(text),
            _ => serde_json::to_string(&*event.metadata).map_err(LogError::storage)?.into(),
        };
        let payload_bytes = event.payload.get().len();
        if spills(&event.payload) {
            measured.spilled_bytes += payload_bytes;
            measured.bytes += REFERENCE_BYTES_MAX;
        } else {
            measured.bytes += payload_bytes;
        }
        measured.bytes += text.len();
        measured.metadata.push(text);
        previous = Some(event);
    }
    if measured.bytes > APPEND_BYTES_MAX {
        return Err(too_large("the size in bytes", measured.bytes, APPEND_BYTES_MAX));
    }
    if measured.spilled_bytes > APPEND_SPILLED_BYTES_MAX {
        return Err(too_large(
            "the size of its large payloads in bytes",
            measured.spilled_bytes,
            APPEND_SPILLED_BYTES_MAX,
        ));
    }
    Ok(measured)
}

/// Checks what the caller expects of `stream` against where it is.
///
/// # Errors
/// [`AppendError::WrongRevision`].
pub fn check_expected(stream: &StreamKey, expected: Expected, actual: Revision) -> Result<(), AppendError> {
    let met = match expected {
        Expected::Any => true,
        Expected::NoStream => actual.0 == 0,
        Expected::Exists => actual.0 > 0,
        Expected::Exact(revision) => actual == revision,
    };
    if met { Ok(()) } else { Err(AppendError::WrongRevision { stream: stream.clone(), expected, actual }) }
}

/// The answer to a command that is in its stream already: the first answer again.
///
/// A sender that decides again after a lost answer makes new event ids and may put another time into a payload; it gets
/// the first answer as long as it comes to events of the same types.
///
/// # Errors
/// [`AppendError::DuplicateId`] when the events are of other types, or have the same ids and other payloads.
pub fn answer_again(
    events: &[NewEvent],
    recorded: Vec<Arc<RecordedEvent>>,
    durability: Durability,
) -> Result<Appended, AppendError> {
    let same = |(new, old): (&NewEvent, &Arc<RecordedEvent>)| {
        new.event_type == old.event_type && (new.id != old.id || new.payload.get() == old.payload.get())
    };
    if events.len() != recorded.len() || !events.iter().zip(&recorded).all(same) {
        return Err(AppendError::DuplicateId);
    }
    let last = recorded.last().ok_or(AppendError::DuplicateId)?;
    let (position, revision) = (last.position, last.revision);
    Ok(Appended { position, revision, events: recorded, repeated: true, durability })
}

/// `event` with its place and time.
pub fn record(
    event: NewEvent,
    stream: StreamKey,
    position: Position,
    revision: Revision,
    recorded_at_us: i64,
) -> RecordedEvent {
    RecordedEvent {
        position,
        stream,
        revision,
        id: event.id,
        event_type: event.event_type,
        event_version: event.event_version,
        payload: event.payload,
        metadata: event.metadata,
        recorded_at: DateTime::from_timestamp_micros(recorded_at_us).unwrap_or_default(),
    }
}
