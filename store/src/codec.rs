//! Between domain events and their stored form: type name, version, JSON text, and upcasters from old versions.

use std::io;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::to_raw_value;
use timeloom_domain::event::Event;

use crate::envelope::{Payload, RecordedEvent};
use crate::log::LogError;

/// The stored form of a domain event.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// Name of its type.
    pub event_type: &'static str,
    /// Version of its shape.
    pub event_version: u16,
    /// Its payload.
    pub payload: Payload,
}

/// Writes an event down.
///
/// # Errors
/// [`LogError::Storage`] when it cannot be written as JSON.
pub fn encode<E: Event + Serialize>(event: &E) -> Result<Encoded, LogError> {
    let payload = to_raw_value(event).map_err(LogError::storage)?;
    Ok(Encoded { event_type: event.event_type(), event_version: event.event_version(), payload: Arc::from(payload) })
}

/// Reads an event, whatever version it was written in: old shapes are lifted by the event's own upcasters first.
///
/// # Errors
/// [`LogError::Unknown`] when this build does not know the type or version, and [`LogError::Corrupt`] when the payload does
/// not have the shape that they say.
pub fn decode<E: Event + DeserializeOwned>(recorded: &RecordedEvent) -> Result<E, LogError> {
    let corrupt = |detail: String| LogError::Corrupt { position: recorded.position, detail };
    let unknown = |detail: String| LogError::Unknown { position: recorded.position, detail };
    let name = &recorded.event_type;
    let current = E::current_version(name)
        .ok_or_else(|| unknown(format!("unknown event type '{name}': run the version of Timeloom that wrote it")))?;
    if recorded.event_version == current || E::reads_as_current(name, recorded.event_version) {
        return E::read(recorded.payload.get()).map_err(|error| corrupt(error.to_string()));
    }
    if recorded.event_version > current {
        return Err(unknown(format!(
            "event type '{name}' has version {}, this build reads up to {current}: run a newer Timeloom",
            recorded.event_version
        )));
    }
    let value = serde_json::from_str(recorded.payload.get()).map_err(|error| corrupt(error.to_string()))?;
    let lifted = E::upcast(&recorded.event_type, recorded.event_version, value).map_err(corrupt)?;
    serde_json::from_value(lifted).map_err(|error| corrupt(error.to_string()))
}

/// How many bytes a value has as JSON text, without keeping it.
pub fn json_bytes(value: &impl Serialize) -> usize {
    let mut counter = Counter(0);
    // What cannot be written down counts as far as it was written.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bytes_are_those_of_the_text() {
        for value in [json!(null), json!("ü\n"), json!({ "a": [1, 2.5, { "b": "c" }] })] {
            assert_eq!(json_bytes(&value), value.to_string().len());
        }
    }
}
