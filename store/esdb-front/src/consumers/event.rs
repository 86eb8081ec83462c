//! What happens to a group of consumers. Stored forms are frozen: `tests/golden` of this crate has one of each.

use serde::{Deserialize, Serialize};
use timeloom_domain::event::Event;
use timeloom_domain::ids::EventId;
use timeloom_store::Position;

/// A fact about one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "types of events are named in full, wherever they are read")]
pub(crate) enum GroupEvent {
    /// It was made.
    ConsumerGroupCreated {
        /// What it is called.
        name: String,
        /// Where its events come from.
        source: Source,
        /// Its events are those after this position.
        after: Position,
        /// The same as whoever made it said it.
        start_from: String,
        /// How it works.
        settings: Settings,
    },
    /// It works otherwise now.
    ConsumerGroupUpdated {
        /// How it works.
        settings: Settings,
    },
    /// It is gone, and what it had parked with it.
    ConsumerGroupDeleted {},
    /// An event was put aside.
    ConsumerEventParked {
        /// The event's position.
        position: Position,
        /// The event.
        event: EventId,
        /// Why, as whoever put it aside said it.
        reason: String,
    },
    /// Events that had been put aside are given again.
    ConsumerParkedReplayed {
        /// Their positions.
        positions: Vec<Position>,
    },
    /// An event that was given again is settled.
    ConsumerParkedSettled {
        /// Its position.
        position: Position,
    },
}

/// Where the events of a group come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Source {
    /// A stream, by its name.
    Stream {
        /// The name.
        name: String,
    },
    /// The whole log of the tenant.
    All {
        /// Which of its events.
        filter: Option<GroupFilter>,
    },
}

/// Which events of the whole log a group wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupFilter {
    pub(crate) of_streams: bool,
    pub(crate) regex: String,
    pub(crate) prefixes: Vec<String>,
}

/// How a group works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) resolve_links: bool,
    pub(crate) extra_statistics: bool,
    pub(crate) max_retry_count: i32,
    pub(crate) message_timeout_ms: i32,
    pub(crate) checkpoint_after_ms: i32,
    pub(crate) min_checkpoint_count: i32,
    pub(crate) max_checkpoint_count: i32,
    pub(crate) max_subscriber_count: i32,
    pub(crate) live_buffer_size: i32,
    pub(crate) read_batch_size: i32,
    pub(crate) history_buffer_size: i32,
    pub(crate) strategy: String,
}

impl Event for GroupEvent {
    const CATEGORY: &'static str = super::CATEGORY;
    const TYPES: &'static [(&'static str, u16)] = &[
        ("ConsumerGroupCreated", 1),
        ("ConsumerGroupUpdated", 1),
        ("ConsumerGroupDeleted", 1),
        ("ConsumerEventParked", 1),
        ("ConsumerParkedReplayed", 1),
        ("ConsumerParkedSettled", 1),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::ConsumerGroupCreated { .. } => "ConsumerGroupCreated",
            Self::ConsumerGroupUpdated { .. } => "ConsumerGroupUpdated",
            Self::ConsumerGroupDeleted {} => "ConsumerGroupDeleted",
            Self::ConsumerEventParked { .. } => "ConsumerEventParked",
            Self::ConsumerParkedReplayed { .. } => "ConsumerParkedReplayed",
            Self::ConsumerParkedSettled { .. } => "ConsumerParkedSettled",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_forms_of_events_are_frozen() {
        for (event_type, version) in GroupEvent::TYPES {
            let name = format!("tests/golden/{event_type}.v{version}.json");
            let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&name)).unwrap();
            let event: GroupEvent = serde_json::from_str(&text).unwrap();
            assert_eq!(event.event_type(), *event_type);
            assert_eq!(serde_json::to_string(&event).unwrap(), text.trim(), "{name} is written otherwise now");
        }
    }
}
