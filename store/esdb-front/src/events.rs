//! Between events of the protocol and events of the log.
//!
//! Payloads of the log are JSON. Content that is not JSON is kept as `{"$base64":"…"}` with its content type beside it, and
//! is given back as it came in.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use timeloom_domain::access::Principal;
use timeloom_domain::ids::{CommandId, EventId};
use timeloom_store::{Metadata, NewEvent, Payload, RecordedEvent, RequestFacts};
use tonic::Status;
use uuid::Uuid;

use crate::names;
use crate::status;
use crate::wire::{self, Ids, WireUuid};

/// Longest type of an event, in bytes.
const TYPE_BYTES_MAX: usize = 255;
/// Longest content type, in bytes.
const CONTENT_TYPE_BYTES_MAX: usize = 100;
/// Largest metadata of one event, in bytes.
const METADATA_BYTES_MAX: usize = 64 << 10;

const JSON: &str = "application/json";
const BINARY: &str = "application/octet-stream";
const WRAPPED: &str = "$base64";
const CORRELATION: &str = "$correlationId";
const CAUSATION: &str = "$causationId";

/// An event as a client proposes it.
#[derive(Debug)]
pub(crate) struct Proposed {
    pub(crate) id: Option<WireUuid>,
    pub(crate) about: HashMap<String, String>,
    pub(crate) metadata: Bytes,
    pub(crate) data: Bytes,
}

impl Proposed {
    /// Bytes of what the client wrote.
    pub(crate) fn bytes(&self) -> usize {
        self.data.len() + self.metadata.len()
    }

    /// Its id.
    pub(crate) fn id(&self) -> Result<Uuid, Status> {
        wire::read_id(self.id.as_ref()).ok_or_else(|| status::invalid("every event needs an id, a UUID"))
    }

    /// The event as the log takes it.
    pub(crate) fn into_new(self, principal: &Principal, command_id: CommandId) -> Result<NewEvent, Status> {
        let id = EventId(self.id()?);
        let event_type = self.about.get("type").filter(|name| !name.is_empty());
        let event_type = event_type.ok_or_else(|| status::missing_metadata(format!("event {id} has no type")))?;
        if event_type.len() > TYPE_BYTES_MAX || event_type.starts_with('$') {
            let message =
                format!("the type of event {id} must have at most {TYPE_BYTES_MAX} bytes and not begin with '$'");
            return Err(status::invalid(message));
        }
        let content_type = self.about.get("content-type").map_or(BINARY, String::as_str);
        let (payload, foreign_content_type) = payload(id, content_type, &self.data)?;
        if self.metadata.len() > METADATA_BYTES_MAX {
            return Err(status::invalid(format!(
                "the metadata of event {id} has more than {METADATA_BYTES_MAX} bytes"
            )));
        }
        let foreign = std::str::from_utf8(&self.metadata);
        let foreign = foreign.map_err(|_| status::invalid(format!("the metadata of event {id} is not UTF-8 text")))?;
        let facts = RequestFacts {
            on_behalf_of: principal.on_behalf_of.clone(),
            via: principal.via.as_deref().map(str::to_owned),
            foreign_metadata: Some(foreign.to_owned()),
            foreign_content_type,
            ..RequestFacts::default()
        };
        let named: Option<Map<String, Value>> = serde_json::from_str(foreign).ok();
        let event_of = |key| named.as_ref()?.get(key)?.as_str()?.parse().ok().map(EventId);
        let metadata = Metadata {
            causation_id: event_of(CAUSATION),
            correlation_id: event_of(CORRELATION),
            request: Some(Arc::new(facts)),
            ..Metadata::new(principal.actor.clone(), command_id)
        };
        Ok(NewEvent {
            id,
            event_type: event_type.as_str().into(),
            event_version: 1,
            payload,
            metadata: Arc::new(metadata),
        })
    }
}

/// The payload that is kept of some content, and its content type where it is not kept as it is.
fn payload(id: EventId, content_type: &str, data: &Bytes) -> Result<(Payload, Option<String>), Status> {
    if content_type == JSON && !data.is_empty() {
        let text = String::from_utf8(data.to_vec()).ok();
        let payload = text.and_then(|text| RawValue::from_string(text).ok());
        let payload = payload.ok_or_else(|| {
            status::invalid(format!("event {id} says that it is JSON and is not: append it as {BINARY}"))
        })?;
        return Ok((Arc::from(payload), None));
    }
    if content_type.len() > CONTENT_TYPE_BYTES_MAX {
        let message = format!("the content type of event {id} has more than {CONTENT_TYPE_BYTES_MAX} bytes");
        return Err(status::invalid(message));
    }
    let wrapped = json!({ WRAPPED: STANDARD.encode(data) }).to_string();
    let payload = RawValue::from_string(wrapped).map_err(|error| Status::internal(error.to_string()))?;
    Ok((Arc::from(payload), Some(content_type.to_owned())))
}

/// An event of the log as every service of the protocol shows it.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) id: WireUuid,
    pub(crate) stream: String,
    /// Place in the stream, from 0.
    pub(crate) revision: u64,
    pub(crate) position: u64,
    pub(crate) about: HashMap<String, String>,
    pub(crate) metadata: Bytes,
    pub(crate) data: Bytes,
}

impl Shown {
    /// `event` for a client that wants ids like that.
    pub(crate) fn of(event: &RecordedEvent, ids: Ids) -> Self {
        let (content_type, data) = content(event);
        // The protocol counts in steps of 100 nanoseconds.
        let created = event.recorded_at.timestamp_micros().saturating_mul(10);
        let about = [
            ("type", event.event_type.to_string()),
            ("content-type", content_type.to_owned()),
            ("created", created.to_string()),
        ];
        Self {
            id: wire::id(event.id.0, ids),
            stream: names::name(&event.stream),
            revision: event.revision.0.saturating_sub(1),
            position: event.position.0,
            about: about.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            metadata: metadata(event),
            data,
        }
    }
}

/// What an event contains, and what it says of it.
fn content(event: &RecordedEvent) -> (&str, Bytes) {
    let whole = || Bytes::from_owner(Text(Arc::clone(&event.payload)));
    let facts = event.metadata.request.as_deref();
    let Some(content_type) = facts.and_then(|facts| facts.foreign_content_type.as_deref()) else {
        return (JSON, whole());
    };
    let wrapped: Option<Map<String, Value>> = serde_json::from_str(event.payload.get()).ok();
    let decoded = wrapped.as_ref().and_then(|wrapped| STANDARD.decode(wrapped.get(WRAPPED)?.as_str()?).ok());
    match decoded {
        Some(decoded) => (content_type, decoded.into()),
        None => (JSON, whole()),
    }
}

/// The metadata that a client wrote, as it is; of our own events, what is known of them.
fn metadata(event: &RecordedEvent) -> Bytes {
    let facts = event.metadata.request.as_deref();
    if let Some(foreign) = facts.and_then(|facts| facts.foreign_metadata.as_deref()) {
        return Bytes::copy_from_slice(foreign.as_bytes());
    }
    let Ok(Value::Object(mut known)) = serde_json::to_value(&*event.metadata) else { return Bytes::new() };
    let about = [(CORRELATION, event.metadata.correlation_id), (CAUSATION, event.metadata.causation_id)];
    for (key, of) in about {
        if let Some(of) = of {
            known.insert(key.to_owned(), Value::String(of.0.to_string()));
        }
    }
    known.insert("event_version".to_owned(), Value::from(event.event_version));
    Bytes::from(Value::Object(known).to_string())
}

/// The text of a payload, shared with whoever else has the event.
struct Text(Payload);

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.get().as_bytes()
    }
}
