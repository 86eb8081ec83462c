//! What can happen to a subject.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::Event;
use crate::ids::Actor;

/// A fact about one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SubjectEvent {
    /// From here on there are keys of subjects, of which this is one: in the stream [`KEYS_STREAM_ID`](super::KEYS_STREAM_ID)
    /// of the first tenant. Where that key is lost, so are the others.
    SubjectKeysBegun {
        /// The id of the key.
        key: Uuid,
    },
    /// Somebody asked for its data to be erased.
    ErasureRequested {
        /// Its name; sealed under its own key.
        subject: String,
        /// Why. It stays when the data is gone.
        reason: String,
        /// Who asked.
        by: Actor,
    },
    /// Nobody asks for it any more.
    ErasureWithdrawn {
        /// Why.
        reason: String,
        /// Who withdrew it.
        by: Actor,
    },
    /// Another one approved it.
    ErasureApproved {
        /// Who.
        by: Actor,
    },
    /// From here on its data is gone: its keys are destroyed at once, and at every start after which they should be there again.
    SubjectErased {
        /// The ids of its keys.
        keys: Vec<Uuid>,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// What was made of its data is gone as well: read models, snapshots, states in memory.
    ErasureCompleted {
        /// How many streams had data of it.
        streams: u64,
        /// How many events had data of it.
        events: u64,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Its data must be kept.
    LegalHoldPlaced {
        /// What the hold is called.
        hold: String,
        /// The subject's name; sealed under its own key.
        subject: String,
        /// Why.
        reason: String,
        /// Who placed it.
        by: Actor,
    },
    /// Somebody asked for a hold to end.
    LegalHoldReleaseRequested {
        /// What the hold is called.
        hold: String,
        /// Why.
        reason: String,
        /// Who asked.
        by: Actor,
    },
    /// Another one approved it: the hold has ended.
    LegalHoldReleased {
        /// What the hold was called.
        hold: String,
        /// Who.
        by: Actor,
    },
}

impl Event for SubjectEvent {
    const CATEGORY: &'static str = "subject";
    const TYPES: &'static [(&'static str, u16)] = &[
        ("ErasureRequested", 1),
        ("ErasureWithdrawn", 1),
        ("ErasureApproved", 1),
        ("SubjectErased", 1),
        ("ErasureCompleted", 1),
        ("LegalHoldPlaced", 1),
        ("LegalHoldReleaseRequested", 1),
        ("LegalHoldReleased", 1),
        ("SubjectKeysBegun", 1),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::SubjectKeysBegun { .. } => "SubjectKeysBegun",
            Self::ErasureRequested { .. } => "ErasureRequested",
            Self::ErasureWithdrawn { .. } => "ErasureWithdrawn",
            Self::ErasureApproved { .. } => "ErasureApproved",
            Self::SubjectErased { .. } => "SubjectErased",
            Self::ErasureCompleted { .. } => "ErasureCompleted",
            Self::LegalHoldPlaced { .. } => "LegalHoldPlaced",
            Self::LegalHoldReleaseRequested { .. } => "LegalHoldReleaseRequested",
            Self::LegalHoldReleased { .. } => "LegalHoldReleased",
        }
    }

    fn subject(&self, _: &str) -> Option<String> {
        match self {
            Self::ErasureRequested { subject, .. } | Self::LegalHoldPlaced { subject, .. } => Some(subject.clone()),
            _ => None,
        }
    }
}
