//! Between domain events and their stored form: type name, version, JSON text, and upcasters from old versions.

use std::io;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
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

/// Room for a payload of more bytes than this is taken at once: a text that grows is in memory twice each time it moves.
const GROWN_BYTES_MAX: usize = 256 << 10;

/// Writes an event down.
///
/// # Errors
/// [`LogError::Storage`] when it cannot be written as JSON.
pub fn encode<E: Event + Serialize>(event: &E) -> Result<Encoded, LogError> {
    let room = event.text_room();
    let payload = if room > GROWN_BYTES_MAX { written_into(room, event) } else { to_raw_value(event) };
    let payload = payload.map_err(LogError::storage)?;
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

/// Reads an event without its data, as [`Event::read_bare`] does; `None` when it has to be read whole.
pub fn decode_bare<E: Event>(recorded: &RecordedEvent) -> Option<E> {
    let (name, version) = (&recorded.event_type, recorded.event_version);
    let current = E::current_version(name)?;
    (version == current || E::reads_as_current(name, version)).then(|| E::read_bare(recorded.payload.get())).flatten()
}

fn written_into(room: usize, event: &impl Serialize) -> Result<Box<RawValue>, serde_json::Error> {
    let mut text = Vec::with_capacity(room);
    serde_json::to_writer(&mut text, event)?;
    RawValue::from_string(String::from_utf8(text).map_err(serde::ser::Error::custom)?)
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
    use timeloom_domain::execution::{ExecutionEvent, NodeFacts};
    use timeloom_domain::item::{Item, JsonObject};

    use super::*;

    #[test]
    fn a_large_event_is_written_as_a_small_one_is() {
        let item = |bytes: usize| Item::new(JsonObject::from_iter([("a".to_owned(), json!("ü\n".repeat(bytes)))]));
        let event = |bytes: usize| ExecutionEvent::NodeCompleted {
            run: NodeFacts { node: "Give".to_owned(), run_index: 0, execution_index: 0, sources: Vec::new() },
            started_at_ms: 1,
            duration_us: 2,
            outputs: vec![Arc::new(vec![item(bytes)])],
            memory: None,
            hints: Vec::new(),
            pinned: false,
        };
        for (bytes, is_large) in [(1, false), (GROWN_BYTES_MAX, true)] {
            let event = event(bytes);
            assert_eq!(event.text_room() > GROWN_BYTES_MAX, is_large);
            assert_eq!(encode(&event).unwrap().payload.get(), serde_json::to_string(&event).unwrap());
        }
    }

    #[test]
    fn bytes_are_those_of_the_text() {
        for value in [json!(null), json!("ü\n"), json!({ "a": [1, 2.5, { "b": "c" }] })] {
            assert_eq!(json_bytes(&value), value.to_string().len());
        }
    }
}
