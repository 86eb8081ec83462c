//! Who did something, when and why, as a row keeps it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use timeloom_domain::ids::Actor;
use timeloom_store::{Position, RecordedEvent};

/// Who did something, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// For whom an agent did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Actor>,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Position of the event that says so.
    pub position: Position,
    /// When the log took it.
    pub at: DateTime<Utc>,
}

impl From<&RecordedEvent> for By {
    fn from(event: &RecordedEvent) -> Self {
        let facts = event.metadata.request.as_deref();
        Self {
            actor: event.metadata.actor.clone(),
            on_behalf_of: facts.and_then(|facts| facts.on_behalf_of.clone()),
            reason: facts.and_then(|facts| facts.reason.clone()),
            position: event.position,
            at: event.recorded_at,
        }
    }
}
