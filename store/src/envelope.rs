//! An event with everything around its payload.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_domain::trace::TraceParent;

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
#[serde(from = "Stored")]
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
    /// The request that brought the command. What follows from its events has none of its own, but where a story goes on in
    /// another stream: there it has the span alone under which it goes on.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub request: Option<Arc<RequestFacts>>,
}

impl Metadata {
    /// That `actor` sent a command which follows from nothing else.
    pub fn new(actor: Actor, command_id: CommandId) -> Self {
        Self { actor, command_id, causation_id: None, correlation_id: None, request: None }
    }

    /// Under which span of a trace the event came to be, as W3C's `traceparent` has it.
    pub fn traceparent(&self) -> Option<&str> {
        self.request.as_deref()?.traceparent.as_deref()
    }
}

/// What is kept of the request that brought a command. Never holds a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestFacts {
    /// For whom an agent acted.
    #[serde(default, with = "optional_actor_text", skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Actor>,
    /// What let the sender in: `session:ID` or `key:ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// Why, in the sender's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The request's id, which its answer and the server's log lines carry as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The span of a trace that it came of, as W3C's `traceparent` has it: the request's own where requests are traced, or
    /// else the one that the caller named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What a program of others wrote of an event beside its payload, byte for byte; may be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_metadata: Option<String>,
    /// What such a program said of an event's content that is not JSON; the payload has the content in base64 then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_content_type: Option<String>,
}

impl RequestFacts {
    /// Nothing but the span under which something goes on.
    pub fn within(span: TraceParent) -> Self {
        Self { traceparent: Some(span.to_string()), ..Self::default() }
    }
}

/// Metadata as it is read. Plain fields: to flatten on reading would copy every text of every event first.
#[derive(Deserialize)]
struct Stored {
    #[serde(with = "actor_text")]
    actor: Actor,
    command_id: CommandId,
    #[serde(default)]
    causation_id: Option<EventId>,
    #[serde(default)]
    correlation_id: Option<EventId>,
    #[serde(default, with = "optional_actor_text")]
    on_behalf_of: Option<Actor>,
    #[serde(default)]
    via: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    traceparent: Option<String>,
    #[serde(default)]
    foreign_metadata: Option<String>,
    #[serde(default)]
    foreign_content_type: Option<String>,
}

impl From<Stored> for Metadata {
    fn from(stored: Stored) -> Self {
        let Stored {
            actor,
            command_id,
            causation_id,
            correlation_id,
            on_behalf_of,
            via,
            reason,
            request_id,
            traceparent,
            foreign_metadata,
            foreign_content_type,
        } = stored;
        let facts =
            RequestFacts { on_behalf_of, via, reason, request_id, traceparent, foreign_metadata, foreign_content_type };
        let request = (facts != RequestFacts::default()).then(|| Arc::new(facts));
        Self { actor, command_id, causation_id, correlation_id, request }
    }
}

mod actor_text {
    //! An actor as `kind:name`. The object with `kind` and `name` that was written before is read as well.

    use serde::{Deserialize, Deserializer, Serializer, de};
    use serde_json::Value;
    use timeloom_domain::ids::Actor;

    pub fn serialize<S: Serializer>(actor: &Actor, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(actor)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Actor, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => text.parse().map_err(de::Error::custom),
            object => serde_json::from_value(object).map_err(de::Error::custom),
        }
    }
}

mod optional_actor_text {
    //! The same for one that may be absent.

    use serde::{Deserialize, Deserializer, Serializer, de};
    use timeloom_domain::ids::Actor;

    pub fn serialize<S: Serializer>(actor: &Option<Actor>, serializer: S) -> Result<S::Ok, S::Error> {
        match actor {
            Some(actor) => serializer.collect_str(actor),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Actor>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
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

    use timeloom_domain::ids::AccountId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn metadata_is_a_flat_object_of_texts_and_its_older_form_is_read() {
        let metadata = Metadata {
            actor: Actor::System("engine:1".to_owned()),
            command_id: CommandId(Uuid::from_u128(1)),
            causation_id: Some(EventId(Uuid::from_u128(2))),
            correlation_id: None,
            request: None,
        };
        let text = serde_json::to_string(&metadata).unwrap();
        let flat: HashMap<String, String> = serde_json::from_str(&text).unwrap();
        assert_eq!(flat["actor"], "system:engine:1");
        assert_eq!(serde_json::from_str::<Metadata>(&text).unwrap(), metadata);
        let older = text.replace("\"system:engine:1\"", r#"{"kind":"system","name":"engine:1"}"#);
        assert_eq!(serde_json::from_str::<Metadata>(&older).unwrap(), metadata);
    }

    #[test]
    fn what_is_known_of_a_request_stays_flat_and_is_absent_where_nothing_is_known() {
        let account = AccountId(Uuid::from_u128(7));
        let facts = RequestFacts {
            on_behalf_of: Some(Actor::User(account)),
            via: Some("key:3Fa9xQ0b".to_owned()),
            reason: Some("the customer asked".to_owned()),
            request_id: Some("r-1".to_owned()),
            ..RequestFacts::default()
        };
        let request = Some(Arc::new(facts));
        let metadata = Metadata { request, ..Metadata::new(Actor::Agent(account), CommandId(Uuid::from_u128(1))) };
        let text = serde_json::to_string(&metadata).unwrap();
        let flat: HashMap<String, String> = serde_json::from_str(&text).unwrap();
        assert_eq!(flat["on_behalf_of"], format!("user:{account}"));
        assert_eq!(flat["reason"], "the customer asked");
        assert_eq!(serde_json::from_str::<Metadata>(&text).unwrap(), metadata);
        let bare = Metadata::new(Actor::Service(account), CommandId(Uuid::from_u128(1)));
        let text = serde_json::to_string(&bare).unwrap();
        assert_eq!(serde_json::from_str::<HashMap<String, String>>(&text).unwrap().len(), 2, "{text}");
        assert_eq!(serde_json::from_str::<Metadata>(&text).unwrap(), bare);
    }
}
