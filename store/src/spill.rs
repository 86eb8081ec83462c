//! Which payloads are kept in blobs, and the reference that a stored event has in their place. Never touches storage.
//!
//! The reference is a frozen format, exactly these bytes: `{"$blob":{"hash":"<64 hexadecimal digits>","bytes":<length>}}`.
//! Invariant: a stored payload that begins with `{"$blob":` is a reference and nothing else, because a payload that comes
//! in with such a beginning goes into a blob whatever its size.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::blobs::{BLOB_THRESHOLD_BYTES, BlobHash};
use crate::envelope::{NewEvent, Payload, RecordedEvent};
use crate::log::LogError;

/// What a reference begins with and no other stored payload does.
const REFERENCE_START: &str = r#"{"$blob":"#;
/// No reference is longer than this; each counts as this many bytes of its append.
pub const REFERENCE_BYTES_MAX: usize = 128;

/// Whether a payload that comes in is kept in a blob.
pub fn spills(payload: &RawValue) -> bool {
    payload.get().len() > BLOB_THRESHOLD_BYTES || is_reference(payload)
}

/// Whether a stored payload is a reference to a blob that has the payload.
pub fn is_reference(stored: &RawValue) -> bool {
    stored.get().starts_with(REFERENCE_START)
}

/// Where the payload of a stored event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadReference {
    /// Hash of the payload's bytes.
    pub hash: BlobHash,
    /// How many bytes the payload has.
    pub bytes: u64,
}

/// What is stored in place of the payloads of an append that are in blobs, by the index of their event.
#[derive(Debug, Default)]
pub struct References(HashMap<usize, Payload>);

impl References {
    /// The payload of the event at `index` is in a blob by now.
    ///
    /// # Errors
    /// [`LogError::Storage`] when the reference cannot be written, which does not happen.
    pub fn add(&mut self, index: usize, reference: PayloadReference) -> Result<(), LogError> {
        let text = RawValue::from_string(reference.to_string()).map_err(LogError::storage)?;
        self.0.insert(index, Arc::from(text));
        Ok(())
    }

    /// The payload of the event at `index` as it is stored.
    pub fn stored<'event>(&'event self, index: usize, event: &'event NewEvent) -> &'event Payload {
        self.0.get(&index).unwrap_or(&event.payload)
    }

    /// `events` with their payloads as they are stored, to be compared with rows; `None` when that changes nothing.
    pub fn stored_events(&self, events: &[NewEvent]) -> Option<Vec<NewEvent>> {
        let stored = |(index, event)| NewEvent { payload: Arc::clone(self.stored(index, event)), ..event.clone() };
        (!self.0.is_empty()).then(|| events.iter().enumerate().map(stored).collect())
    }
}

/// How many bytes the payload of an event that was read from a row has once it is restored.
pub fn restored_bytes(event: &RecordedEvent) -> usize {
    let referenced = is_reference(&event.payload).then(|| PayloadReference::read(&event.payload).ok()).flatten();
    referenced.map_or(event.payload.get().len(), |reference| usize::try_from(reference.bytes).unwrap_or(usize::MAX))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredReference {
    #[serde(rename = "$blob")]
    reference: PayloadReference,
}

impl PayloadReference {
    /// The reference to `payload`.
    pub fn to(payload: &RawValue) -> Self {
        let bytes = payload.get().as_bytes();
        Self { hash: BlobHash::of(bytes), bytes: bytes.len() as u64 }
    }

    /// The reference that a stored payload is, if it is one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn find(stored: &str) -> Result<Option<Self>, String> {
        if !stored.starts_with(REFERENCE_START) {
            return Ok(None);
        }
        let read: StoredReference =
            serde_json::from_str(stored).map_err(|error| format!("the reference to a blob is wrong: {error}"))?;
        Ok(Some(read.reference))
    }

    /// The payload, from the content of its blob.
    ///
    /// # Errors
    /// What is wrong with the content.
    pub fn payload(self, content: Vec<u8>) -> Result<Payload, String> {
        if content.len() as u64 != self.bytes {
            return Err(format!("its payload has {} bytes, not {}", content.len(), self.bytes));
        }
        let text = String::from_utf8(content).map_err(|error| format!("its payload is not text: {error}"))?;
        let payload = RawValue::from_string(text).map_err(|error| format!("its payload is not JSON: {error}"))?;
        Ok(Arc::from(payload))
    }

    /// Reads a stored payload that [`is_reference`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(stored: &RawValue) -> Result<Self, String> {
        let read: StoredReference =
            serde_json::from_str(stored.get()).map_err(|error| format!("the reference to a blob is wrong: {error}"))?;
        Ok(read.reference)
    }
}

/// The frozen form.
impl fmt::Display for PayloadReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, r#"{REFERENCE_START}{{"hash":"{}","bytes":{}}}}}"#, self.hash, self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn the_form_of_a_reference_is_frozen() {
        let reference = PayloadReference::to(&raw(r#"{"a":1}"#));
        let text = reference.to_string();
        let hash = blake3::hash(br#"{"a":1}"#).to_hex();
        assert_eq!(text, format!(r#"{{"$blob":{{"hash":"{hash}","bytes":7}}}}"#));
        assert!(is_reference(&raw(&text)));
        assert_eq!(PayloadReference::read(&raw(&text)).unwrap(), reference);
        assert_eq!(PayloadReference::find(&text).unwrap(), Some(reference));
        assert_eq!(PayloadReference::find(r#"{"a":1}"#).unwrap(), None);
        let longest = PayloadReference { bytes: u64::MAX, ..reference };
        assert!(longest.to_string().len() <= REFERENCE_BYTES_MAX);
    }

    #[test]
    fn large_payloads_and_those_that_look_like_references_spill() {
        let of_length = |length: usize| raw(&format!("\"{}\"", "x".repeat(length - 2)));
        assert!(!spills(&of_length(BLOB_THRESHOLD_BYTES)));
        assert!(spills(&of_length(BLOB_THRESHOLD_BYTES + 1)));
        assert!(spills(&raw(r#"{"$blob":1}"#)));
        assert!(!spills(&raw(r#"{"a":1,"$blob":1}"#)), "it does not begin as a reference does");
    }

    #[test]
    fn a_reference_that_is_not_whole_is_refused() {
        for wrong in [r#"{"$blob":1}"#, r#"{"$blob":{"hash":"00","bytes":1}}"#, r#"{"$blob":{"bytes":1}}"#] {
            let refused = PayloadReference::read(&raw(wrong)).unwrap_err();
            assert!(refused.starts_with("the reference to a blob is wrong"), "{refused}");
        }
    }
}
