//! Large payloads on their way into blobs and back. A row has a reference in their place.
//!
//! Invariants: a blob is durable before the append that names it is queued; what is given out has the hash that the row
//! says, or an error names the position.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;
use timeloom_store::spill::{PayloadReference, References, is_reference, spills};
use timeloom_store::{BlobError, BlobStore, LogError, NewEvent, Payload, Position, RecordedEvent};

use crate::blobs::PostgresBlobs;

/// Writes the payloads that spill into `blobs`, durably.
pub(crate) async fn spill(blobs: &PostgresBlobs, events: &[NewEvent]) -> Result<References, LogError> {
    let mut references = References::default();
    for (index, event) in events.iter().enumerate().filter(|(_, event)| spills(&event.payload)) {
        let bytes = event.payload.get().as_bytes();
        let hash = blobs.put(Bytes::copy_from_slice(bytes)).await.map_err(storage_of)?;
        references.add(index, PayloadReference { hash, bytes: bytes.len() as u64 })?;
    }
    Ok(references)
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

async fn content(blobs: &PostgresBlobs, position: Position, stored: &RawValue) -> Result<Payload, LogError> {
    let corrupt = |detail: String| LogError::Corrupt { position, detail };
    let reference = PayloadReference::read(stored).map_err(corrupt)?;
    let bytes = blobs.get(reference.hash).await.map_err(|error| match error {
        BlobError::Log(error) => error,
        lost => corrupt(format!("its payload is lost: {lost}; restore the table 'blobs' from a backup")),
    })?;
    reference.payload(bytes.into()).map_err(corrupt)
}

fn storage_of(error: BlobError) -> LogError {
    match error {
        BlobError::Log(error) => error,
        other => LogError::storage(other),
    }
}
