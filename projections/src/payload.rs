//! Reads from payloads what rows need and no more: items are counted, never built.
//!
//! Invariant: what is read is what the domain's own types would read; a payload of a newer version is refused.

use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use timeloom_domain::event::Event;
use timeloom_domain::ids::Slug;
use timeloom_store::RecordedEvent;
use uuid::Uuid;

use crate::error::FoldError;

/// Longest error text that a row keeps, in characters; the whole error is in the log.
pub(crate) const ERROR_CHARACTERS_MAX: usize = 1_000;

/// The parts `T` of the payload of an event of `E`, lifted to its current version.
pub(crate) fn read_payload<E: Event, T: DeserializeOwned>(event: &RecordedEvent) -> Result<T, FoldError> {
    let text = event.payload.get();
    if check_type::<E>(event)? == event.event_version {
        return serde_json::from_str(text).map_err(|error| undecodable(event, error));
    }
    let old = serde_json::from_str::<Value>(text).map_err(|error| undecodable(event, error))?;
    let lifted = E::upcast(&event.event_type, event.event_version, old).map_err(|detail| undecodable(event, detail))?;
    serde_json::from_value(lifted).map_err(|error| undecodable(event, error))
}

/// Checks that the type and version of an event of `E` are known; gives the current version of the type.
pub(crate) fn check_type<E: Event>(event: &RecordedEvent) -> Result<u16, FoldError> {
    let current = E::current_version(&event.event_type)
        .ok_or_else(|| undecodable(event, format!("unknown event type '{}'", event.event_type)))?;
    if event.event_version > current {
        let (name, version) = (&event.event_type, event.event_version);
        let detail = format!("'{name}' has version {version}, this build reads up to {current}: run a newer Timeloom");
        return Err(undecodable(event, detail));
    }
    Ok(current)
}

/// The stream's id as a UUID.
pub(crate) fn stream_uuid(event: &RecordedEvent) -> Result<Uuid, FoldError> {
    Uuid::parse_str(&event.stream.id)
        .map_err(|_| FoldError::InvalidStream { position: event.position, id: event.stream.id.to_string() })
}

/// The stream's id as a name.
pub(crate) fn stream_name(event: &RecordedEvent) -> Result<Slug, FoldError> {
    Slug::try_new(&*event.stream.id)
        .map_err(|_| FoldError::InvalidStream { position: event.position, id: event.stream.id.to_string() })
}

pub(crate) fn undecodable(event: &RecordedEvent, detail: impl fmt::Display) -> FoldError {
    FoldError::Undecodable { position: event.position, detail: detail.to_string() }
}

/// How many elements an array has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count(pub u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(CountVisitor)
    }
}

struct CountVisitor;

impl<'de> Visitor<'de> for CountVisitor {
    type Value = Count;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Count, A::Error> {
        let mut count = 0;
        while elements.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Count(count))
    }
}

/// The message of an error as nodes write it: an object with a `message`, a bare text, or anything else as JSON.
pub(crate) fn error_message(error: &Value) -> String {
    let message = match error.get("message").unwrap_or(error) {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    shorten(message)
}

/// The text, cut to what a row keeps.
pub(crate) fn shorten(text: String) -> String {
    match text.char_indices().nth(ERROR_CHARACTERS_MAX) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn items_are_counted_by_output_whatever_they_hold() {
        let text = r#"[[{"json":{"a":[1,2,{"b":"]"}]}},{"json":{}}],[],[{"json":{"x":"\"["}}]]"#;
        let counts: Vec<Count> = serde_json::from_str(text).unwrap();
        assert_eq!(counts, [Count(2), Count(0), Count(1)]);
        assert!(serde_json::from_str::<Vec<Count>>("[[1,]]").is_err());
    }

    #[test]
    fn an_error_is_told_by_its_message() {
        assert_eq!(error_message(&json!({"name": "E", "message": "boom"})), "boom");
        assert_eq!(error_message(&json!("plain")), "plain");
        assert_eq!(error_message(&json!({"code": 7})), r#"{"code":7}"#);
        assert_eq!(error_message(&json!("é".repeat(2_000))).chars().count(), ERROR_CHARACTERS_MAX);
    }
}
