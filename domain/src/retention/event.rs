//! What can happen to the retention of a category.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::Event;
use crate::ids::Actor;

/// The data of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// The day (UTC), as days since 1970.
    pub day: i64,
    /// The id of its key.
    pub key: Uuid,
}

/// A fact about the retention of one category.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RetentionEvent {
    /// Somebody asked for data to be kept less long.
    RetentionRequested {
        /// For how many days.
        days: u32,
        /// Why.
        reason: String,
        /// Who asked.
        by: Actor,
    },
    /// Nobody asks for that any more.
    RetentionRequestWithdrawn {
        /// Why.
        reason: String,
        /// Who withdrew it.
        by: Actor,
    },
    /// From here on data is kept so long.
    RetentionSet {
        /// For how many days; for ever without.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        days: Option<u32>,
        /// Why.
        reason: String,
        /// Who set it: where it keeps data less long, who approved it.
        by: Actor,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// All data of the category must be kept.
    RetentionHoldPlaced {
        /// What the hold is called.
        hold: String,
        /// Why.
        reason: String,
        /// Who placed it.
        by: Actor,
    },
    /// Somebody asked for a hold to end.
    RetentionHoldReleaseRequested {
        /// What the hold is called.
        hold: String,
        /// Why.
        reason: String,
        /// Who asked.
        by: Actor,
    },
    /// Another one approved it: the hold has ended.
    RetentionHoldReleased {
        /// What the hold was called.
        hold: String,
        /// Who.
        by: Actor,
    },
    /// The time of these days is over: their keys are destroyed at once, and at every start after which they should be there
    /// again.
    RetentionApplied {
        /// The days, with their keys.
        buckets: Vec<Bucket>,
        /// For how many days data was to be kept.
        days: u32,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// What was made of that data is gone as well.
    RetentionCompleted {
        /// How many streams had data of those days.
        streams: u64,
        /// How many events had data of those days.
        events: u64,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
}

impl Event for RetentionEvent {
    const CATEGORY: &'static str = "retention";
    const TYPES: &'static [(&'static str, u16)] = &[
        ("RetentionRequested", 1),
        ("RetentionRequestWithdrawn", 1),
        ("RetentionSet", 1),
        ("RetentionHoldPlaced", 1),
        ("RetentionHoldReleaseRequested", 1),
        ("RetentionHoldReleased", 1),
        ("RetentionApplied", 1),
        ("RetentionCompleted", 1),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::RetentionRequested { .. } => "RetentionRequested",
            Self::RetentionRequestWithdrawn { .. } => "RetentionRequestWithdrawn",
            Self::RetentionSet { .. } => "RetentionSet",
            Self::RetentionHoldPlaced { .. } => "RetentionHoldPlaced",
            Self::RetentionHoldReleaseRequested { .. } => "RetentionHoldReleaseRequested",
            Self::RetentionHoldReleased { .. } => "RetentionHoldReleased",
            Self::RetentionApplied { .. } => "RetentionApplied",
            Self::RetentionCompleted { .. } => "RetentionCompleted",
        }
    }
}
