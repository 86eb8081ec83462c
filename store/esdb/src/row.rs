//! An event of the log as it is on the server. The form is frozen: `tests/golden/row.json` has it.
//!
//! Type, id and payload are the server's own, so that its tools show them; everything else is under `timeloom` in the
//! metadata, beside the ids of causation and correlation under the names that the server's users know.

use std::sync::Arc;

use bytes::Bytes;
use eventstore::{EventData, RecordedEvent as ServerEvent};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use timeloom_domain::ids::{CommandId, EventId};
use timeloom_store::{LogError, Metadata, NewEvent, Payload, Revision, StreamKey};
use uuid::Uuid;

use crate::error::EsdbError;

/// The metadata of an event on the server.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct About {
    #[serde(rename = "$correlationId", default, skip_serializing_if = "Option::is_none")]
    correlation_id: Option<Uuid>,
    #[serde(rename = "$causationId", default, skip_serializing_if = "Option::is_none")]
    causation_id: Option<Uuid>,
    timeloom: Place,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Place {
    stream: StreamKey,
    revision: Revision,
    version: u16,
    at_us: i64,
    /// On the last event of an append: how many events it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    append: Option<u32>,
    /// Of the append, which may be another than that of the event's own metadata.
    command: CommandId,
    metadata: Arc<Metadata>,
}

/// An event that is to be on the server, or is.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) event: NewEvent,
    pub(crate) stream: StreamKey,
    pub(crate) revision: Revision,
    pub(crate) at_us: i64,
    pub(crate) append: Option<u32>,
    pub(crate) command_id: CommandId,
}

impl Row {
    /// As the server takes it; `payload` is what it gets in place of a payload that is kept by itself.
    pub(crate) fn to_server(&self, payload: &Payload) -> Result<EventData, LogError> {
        let about = About {
            correlation_id: self.event.metadata.correlation_id.map(|id| id.0),
            causation_id: self.event.metadata.causation_id.map(|id| id.0),
            timeloom: Place {
                stream: self.stream.clone(),
                revision: self.revision,
                version: self.event.event_version,
                at_us: self.at_us,
                append: self.append,
                command: self.command_id,
                metadata: Arc::clone(&self.event.metadata),
            },
        };
        let about = serde_json::to_vec(&about).map_err(LogError::storage)?;
        let event = EventData::json(&self.event.event_type, &**payload).map_err(LogError::storage)?;
        Ok(event.id(self.event.id.0).metadata(Bytes::from(about)))
    }

    /// As it is on the server; a payload that is kept by itself is its reference.
    pub(crate) fn from_server(event: &ServerEvent) -> Result<Self, EsdbError> {
        let foreign = |detail: String| EsdbError::Foreign { revision: event.revision, detail };
        let about: About = serde_json::from_slice(&event.custom_metadata)
            .map_err(|error| foreign(format!("its metadata cannot be read: {error}")))?;
        let text = String::from_utf8(event.data.to_vec()).map_err(|_| foreign("its data is not text".to_owned()))?;
        let payload = RawValue::from_string(text).map_err(|error| foreign(format!("its data is not JSON: {error}")))?;
        let Place { stream, revision, version, at_us, append, command, metadata } = about.timeloom;
        let new = NewEvent {
            id: EventId(event.id),
            event_type: event.event_type.as_str().into(),
            event_version: version,
            payload: Arc::from(payload),
            metadata,
        };
        Ok(Self { event: new, stream, revision, at_us, append, command_id: command })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_metadata_on_the_server_is_frozen() {
        let text = include_str!("../tests/golden/row.json").trim();
        let about: About = serde_json::from_str(text).unwrap();
        assert_eq!(about.timeloom.append, Some(2));
        assert_eq!(serde_json::to_string(&about).unwrap(), text);
        let inside = text.replace(r#","append":2"#, "");
        let about: About = serde_json::from_str(&inside).unwrap();
        assert_eq!((about.timeloom.append, serde_json::to_string(&about).unwrap()), (None, inside));
    }
}
