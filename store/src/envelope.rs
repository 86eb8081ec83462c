//! An event with everything around its payload.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};

/// Place of an event in the one order of the whole log; 1 is the first, 0 is before everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Position(pub u64);

impl Position {
    /// Before the first event.
    pub const START: Self = Self(0);
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Place of an event in its stream; 1 is the first, 0 is before everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Name of a stream: whose it is, what kind of aggregate, which one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StreamKey {
    /// Whose it is.
    pub tenant: TenantId,
    /// Kind of aggregate, for example `execution`.
    pub category: Arc<str>,
    /// Id of the aggregate.
    pub id: Arc<str>,
}

impl StreamKey {
    /// A stream of `tenant`.
    pub fn new(tenant: TenantId, category: impl Into<Arc<str>>, id: impl Into<Arc<str>>) -> Self {
        Self { tenant, category: category.into(), id: id.into() }
    }
}

impl fmt::Display for StreamKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.category, self.id)
    }
}

/// Why and by whom an event came to be. Stored as a flat object of texts, which programs of cqrs-es expect of metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// Who sent the command.
    #[serde(with = "actor_text")]
    pub actor: Actor,
    /// The command: the same id appended again to the same stream is the same append.
    pub command_id: CommandId,
    /// The event that led to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<EventId>,
    /// The event that everything of one story goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<EventId>,
}

mod actor_text {
    //! An actor as `kind:name`. The object with `kind` and `name` that was written before is read as well.

    use serde::{Deserialize, Deserializer, Serializer, de};
    use serde_json::Value;
    use timeloom_domain::ids::Actor;

    pub fn serialize<S: Serializer>(actor: &Actor, serializer: S) -> Result<S::Ok, S::Error> {
        match actor {
            Actor::Local(name) => serializer.collect_str(&format_args!("local:{name}")),
            Actor::System(name) => serializer.collect_str(&format_args!("system:{name}")),
            Actor::External(name) => serializer.collect_str(&format_args!("external:{name}")),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Actor, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            object => return serde_json::from_value(object).map_err(de::Error::custom),
        };
        match text.split_once(':') {
            Some(("local", name)) => Ok(Actor::Local(name.to_owned())),
            Some(("system", name)) => Ok(Actor::System(name.to_owned())),
            Some(("external", name)) => Ok(Actor::External(name.to_owned())),
            _ => Err(de::Error::custom(format_args!("unknown actor '{text}'"))),
        }
    }
}

/// The JSON text of an event, shared by all who have the event in hand. The text stays where it was written: it may be
/// large, and must not be in memory twice.
pub type Payload = Arc<Box<RawValue>>;

/// An event that is not in the log yet.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id.
    pub id: EventId,
    /// Name of its type, for example `ExecutionStarted`.
    pub event_type: Arc<str>,
    /// Version of the payload's shape.
    pub event_version: u16,
    /// The payload as JSON text.
    pub payload: Payload,
    /// Why and by whom.
    pub metadata: Arc<Metadata>,
}

/// An event in the log.
#[derive(Debug, Clone)]
pub struct RecordedEvent {
    /// Its place in the log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamKey,
    /// Its place in the stream.
    pub revision: Revision,
    /// Its id.
    pub id: EventId,
    /// Name of its type.
    pub event_type: Arc<str>,
    /// Version of the payload's shape.
    pub event_version: u16,
    /// The payload as JSON text, byte for byte as it came in.
    pub payload: Payload,
    /// Why and by whom.
    pub metadata: Arc<Metadata>,
    /// When the log took it, to the microsecond; strictly increasing with position.
    pub recorded_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use uuid::Uuid;

    use super::*;

    #[test]
    fn metadata_is_a_flat_object_of_texts_and_its_older_form_is_read() {
        let metadata = Metadata {
            actor: Actor::System("engine:1".to_owned()),
            command_id: CommandId(Uuid::from_u128(1)),
            causation_id: Some(EventId(Uuid::from_u128(2))),
            correlation_id: None,
        };
        let text = serde_json::to_string(&metadata).unwrap();
        let flat: HashMap<String, String> = serde_json::from_str(&text).unwrap();
        assert_eq!(flat["actor"], "system:engine:1");
        assert_eq!(serde_json::from_str::<Metadata>(&text).unwrap(), metadata);
        let older = text.replace("\"system:engine:1\"", r#"{"kind":"system","name":"engine:1"}"#);
        assert_eq!(serde_json::from_str::<Metadata>(&older).unwrap(), metadata);
    }
}
