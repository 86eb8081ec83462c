//! Large payloads on their way into blobs and back. A row has a reference in their place.
//!
//! Invariants: a blob is durable before the append that names it is queued; what is given out has the hash that the row
//! says, or an error names the position.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;
use timeloom_store::spill::{PayloadReference, is_reference, spills};
use timeloom_store::{BlobError, BlobStore, LogError, NewEvent, Position, RecordedEvent};

use crate::blobs::PostgresBlobs;

/// The references that are stored in place of payloads, by the index of the event in its append.
#[derive(Debug, Default)]
pub(crate) struct References(HashMap<usize, Arc<RawValue>>);

impl References {
    /// Writes the payloads that spill into `blobs`, durably.
    pub(crate) async fn spill(blobs: &PostgresBlobs, events: &[NewEvent]) -> Result<Self, LogError> {
        let mut references = HashMap::new();
        for (index, event) in events.iter().enumerate().filter(|(_, event)| spills(&event.payload)) {
            let content = Bytes::copy_from_slice(event.payload.get().as_bytes());
            blobs.put(content).await.map_err(storage_of)?;
            let text = PayloadReference::to(&event.payload).to_string();
            let reference = RawValue::from_string(text).map_err(LogError::storage)?;
            references.insert(index, Arc::from(reference));
        }
        Ok(Self(references))
    }

    /// What is stored as the payload of the event at `index`.
    pub(crate) fn stored<'event>(&'event self, index: usize, event: &'event NewEvent) -> &'event Arc<RawValue> {
        self.0.get(&index).unwrap_or(&event.payload)
    }

    /// The events as they are stored.
    pub(crate) fn stored_events(&self, events: &[NewEvent]) -> Vec<NewEvent> {
        let stored = |(index, event): (usize, &NewEvent)| match self.0.get(&index) {
            Some(reference) => NewEvent { payload: Arc::clone(reference), ..event.clone() },
            None => event.clone(),
        };
        events.iter().enumerate().map(stored).collect()
    }
}

/// Bytes of payload that `event`, as read from a row, has after it was restored.
pub(crate) fn restored_bytes(event: &RecordedEvent) -> usize {
    let stored = event.payload.get().len();
    if !is_reference(&event.payload) {
        return stored;
    }
    PayloadReference::read(&event.payload)
        .map_or(stored, |reference| usize::try_from(reference.bytes).unwrap_or(usize::MAX))
}

/// `events` as read from rows, each reference replaced by what it refers to, one after the other.
pub(crate) async fn restore(
    blobs: &PostgresBlobs,
    mut events: Vec<Arc<RecordedEvent>>,
) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
    for event in events.iter_mut().filter(|event| is_reference(&event.payload)) {
        let payload = content(blobs, event.position, &event.payload).await?;
        *event = Arc::new(RecordedEvent { payload, ..RecordedEvent::clone(event) });
    }
    Ok(events)
}

async fn content(blobs: &PostgresBlobs, position: Position, stored: &RawValue) -> Result<Arc<RawValue>, LogError> {
    let corrupt = |detail: String| LogError::Corrupt { position, detail };
    let reference = PayloadReference::read(stored).map_err(corrupt)?;
    let bytes = blobs.get(reference.hash).await.map_err(|error| match error {
        BlobError::Log(error) => error,
        lost => corrupt(format!("its payload is lost: {lost}; restore the table 'blobs' from a backup")),
    })?;
    if bytes.len() as u64 != reference.bytes {
        return Err(corrupt(format!("its payload has {} bytes, not {}", bytes.len(), reference.bytes)));
    }
    let text = String::from_utf8(bytes.into()).map_err(|error| corrupt(format!("its payload is not text: {error}")))?;
    let payload = RawValue::from_string(text).map_err(|error| corrupt(format!("its payload is not JSON: {error}")))?;
    Ok(Arc::from(payload))
}

fn storage_of(error: BlobError) -> LogError {
    match error {
        BlobError::Log(error) => error,
        other => LogError::storage(other),
    }
}
