//! The events that a run is mostly made of, read by their variant. See [`crate::tagged`].

use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::event::{ExecutionEvent, NodeFacts, StartFacts};
use crate::item::{Outputs, SharedObject};
use crate::tagged::Tagged;

/// The same fields as those of [`ExecutionEvent`]: a difference does not compile, or is found by the golden files.
#[derive(Deserialize)]
#[serde(remote = "ExecutionEvent", rename_all = "snake_case")]
enum Frequent {
    ExecutionStarted(Arc<StartFacts>),
    NodeScheduled {
        run: NodeFacts,
    },
    NodeStarted {
        run: NodeFacts,
        attempt: u32,
        idempotency_key: String,
        at_ms: i64,
    },
    NodeCompleted {
        run: NodeFacts,
        started_at_ms: i64,
        duration_us: u64,
        outputs: Outputs,
        #[serde(default)]
        memory: Option<SharedObject>,
        #[serde(default)]
        hints: Vec<String>,
        #[serde(default)]
        pinned: bool,
    },
    ExecutionCompleted {
        at_ms: i64,
    },
}

/// The one of them that has most of the data, without it.
#[derive(Deserialize)]
#[serde(remote = "ExecutionEvent", rename_all = "snake_case")]
enum Bare {
    NodeCompleted {
        run: NodeFacts,
        started_at_ms: i64,
        duration_us: u64,
        #[serde(deserialize_with = "passed_over")]
        outputs: Outputs,
        #[serde(default, deserialize_with = "passed_over")]
        memory: Option<SharedObject>,
        #[serde(default)]
        hints: Vec<String>,
        #[serde(default)]
        pinned: bool,
    },
}

fn passed_over<'de, D: Deserializer<'de>, T: Default>(deserializer: D) -> Result<T, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| T::default())
}

/// A completed node run without its items and its memory; `None` when it is another event, or not as it should be.
pub(super) fn read_bare(payload: &str) -> Option<ExecutionEvent> {
    Tagged::split(payload).and_then(|tagged| Bare::deserialize(tagged).ok())
}

/// The event in `payload`; `None` when it is none of these, or not as it should be.
pub(super) fn read(payload: &str) -> Option<ExecutionEvent> {
    Tagged::split(payload).and_then(|tagged| Frequent::deserialize(tagged).ok())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn these_events_are_read_by_their_variant_and_others_are_left() {
        for (name, is_frequent) in [
            ("ExecutionStarted", true),
            ("NodeScheduled", true),
            ("NodeStarted", true),
            ("NodeCompleted", true),
            ("ExecutionCompleted", true),
            ("NodeFailed", false),
            ("ExecutionCancelled", false),
        ] {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.v1.json"));
            let event: ExecutionEvent = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
            let read = read(&serde_json::to_string(&event).unwrap());
            assert_eq!(read, is_frequent.then_some(event), "{name}");
        }
    }

    #[test]
    fn a_completed_node_run_is_read_without_its_data_and_with_everything_else() {
        let golden = |name: &str| {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.v1.json"));
            serde_json::from_str::<ExecutionEvent>(&fs::read_to_string(file).unwrap()).unwrap()
        };
        let whole = golden("NodeCompleted");
        let bare = read_bare(&serde_json::to_string(&whole).unwrap()).unwrap();
        let ExecutionEvent::NodeCompleted { run, started_at_ms, duration_us, outputs, memory, hints, pinned } = whole
        else {
            panic!("the golden file has another event")
        };
        assert!(!outputs.is_empty() && memory.is_some(), "the golden file has what is left out");
        let (outputs, memory) = (Outputs::new(), None);
        let left = ExecutionEvent::NodeCompleted { run, started_at_ms, duration_us, outputs, memory, hints, pinned };
        assert_eq!(bare, left);
        for other in ["NodeFailed", "NodeStarted"] {
            assert_eq!(read_bare(&serde_json::to_string(&golden(other)).unwrap()), None, "{other}");
        }
    }
}
