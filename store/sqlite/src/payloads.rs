//! Large payloads on their way into blobs and back. A row has a reference in their place.
//!
//! Invariants: a blob is durable before the append that names it is queued; what is given out has the hash that the row
//! says, or an error names the position. Everything here blocks: it runs where blocking is allowed.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::value::RawValue;
use timeloom_store::spill::{PayloadReference, is_reference, spills};
use timeloom_store::{BlobError, LogError, NewEvent, Position, RecordedEvent};

use crate::blobs::BlobFiles;

/// The references that are stored in place of payloads, by the index of the event in its append.
#[derive(Debug, Default)]
pub(crate) struct References(HashMap<usize, Arc<RawValue>>);

impl References {
    /// Writes the payloads that spill into `blobs`, durably.
    pub(crate) fn spill(blobs: &BlobFiles, events: &[NewEvent]) -> Result<Self, LogError> {
        let mut references = HashMap::new();
        for (index, event) in events.iter().enumerate().filter(|(_, event)| spills(&event.payload)) {
            let bytes = event.payload.get().as_bytes();
            let hash = blobs.put(bytes).map_err(storage_of)?;
            let reference = PayloadReference { hash, bytes: bytes.len() as u64 }.to_string();
            references.insert(index, Arc::from(RawValue::from_string(reference).map_err(LogError::storage)?));
        }
        Ok(Self(references))
    }

    /// The payload of the event at `index` as it is stored.
    pub(crate) fn stored<'event>(&'event self, index: usize, event: &'event NewEvent) -> &'event Arc<RawValue> {
        self.0.get(&index).unwrap_or(&event.payload)
    }

    /// `events` with their payloads as they are stored, to be compared with rows; `None` when that changes nothing.
    pub(crate) fn stored_events(&self, events: &[NewEvent]) -> Option<Vec<NewEvent>> {
        let stored = |(index, event)| NewEvent { payload: Arc::clone(self.stored(index, event)), ..event.clone() };
        (!self.0.is_empty()).then(|| events.iter().enumerate().map(stored).collect())
    }
}

/// Whether any of `events` has a reference in place of its payload.
pub(crate) fn any_reference(events: &[Arc<RecordedEvent>]) -> bool {
    events.iter().any(|event| is_reference(&event.payload))
}

/// How many bytes the payload of an event has once it is restored.
pub(crate) fn restored_bytes(event: &RecordedEvent) -> usize {
    let referenced = is_reference(&event.payload).then(|| PayloadReference::read(&event.payload).ok()).flatten();
    referenced.map_or(event.payload.get().len(), |reference| usize::try_from(reference.bytes).unwrap_or(usize::MAX))
}

/// `events` as read from rows, each reference replaced by what it refers to, one after the other.
pub(crate) fn restore(
    blobs: &BlobFiles,
    mut events: Vec<Arc<RecordedEvent>>,
) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
    for event in events.iter_mut().filter(|event| is_reference(&event.payload)) {
        let payload = content(blobs, event.position, &event.payload)?;
        *event = Arc::new(RecordedEvent { payload, ..RecordedEvent::clone(event) });
    }
    Ok(events)
}

fn content(blobs: &BlobFiles, position: Position, stored: &RawValue) -> Result<Arc<RawValue>, LogError> {
    let corrupt = |detail: String| LogError::Corrupt { position, detail };
    let reference = PayloadReference::read(stored).map_err(corrupt)?;
    let bytes = blobs.get(reference.hash).map_err(|error| match error {
        BlobError::Log(error) => error,
        lost => corrupt(format!("its payload is lost: {lost}; restore the folder 'blobs' from a backup")),
    })?;
    if bytes.len() as u64 != reference.bytes {
        return Err(corrupt(format!("its payload has {} bytes, not {}", bytes.len(), reference.bytes)));
    }
    let text = String::from_utf8(bytes).map_err(|error| corrupt(format!("its payload is not text: {error}")))?;
    let payload = RawValue::from_string(text).map_err(|error| corrupt(format!("its payload is not JSON: {error}")))?;
    Ok(Arc::from(payload))
}

fn storage_of(error: BlobError) -> LogError {
    match error {
        BlobError::Log(error) => error,
        other => LogError::storage(other),
    }
}
