//! What happens to a memory.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::Event;

/// A fact about one memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RecallEvent {
    /// Keys were seen for the first time.
    RecallKeysAdded {
        /// The node run that saw them: its idempotency key.
        by: Arc<str>,
        /// Digests of the keys, in the order in which they were seen.
        keys: Vec<Arc<str>>,
        /// How many keys are kept; the oldest beyond are forgotten.
        keys_max: u32,
    },
    /// The mark below which everything counts as seen was looked at, and perhaps raised.
    RecallMarkRaised {
        /// The node run that did: its idempotency key.
        by: Arc<str>,
        /// What it saw.
        mark: f64,
    },
    /// Everything was forgotten.
    RecallCleared {},
}

impl Event for RecallEvent {
    const CATEGORY: &'static str = "recall";
    const TYPES: &'static [(&'static str, u16)] =
        &[("RecallKeysAdded", 1), ("RecallMarkRaised", 1), ("RecallCleared", 1)];

    fn event_type(&self) -> &'static str {
        match self {
            Self::RecallKeysAdded { .. } => "RecallKeysAdded",
            Self::RecallMarkRaised { .. } => "RecallMarkRaised",
            Self::RecallCleared {} => "RecallCleared",
        }
    }
}
