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

/// Why and by whom an event came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// Who sent the command.
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
    pub payload: Arc<RawValue>,
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
    pub payload: Arc<RawValue>,
    /// Why and by whom.
    pub metadata: Arc<Metadata>,
    /// When the log took it, to the microsecond; strictly increasing with position.
    pub recorded_at: DateTime<Utc>,
}
