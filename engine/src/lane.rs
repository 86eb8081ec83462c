//! What the first event of an execution's stream says about who runs it and when: its lane and its priority.

use std::sync::Arc;

use serde::Deserialize;
use timeloom_domain::execution::RunOptions;
use timeloom_domain::ids::ExecutionId;
use timeloom_store::leases::Shard;
use timeloom_store::{RecordedEvent, StreamKey};

use crate::chain::stream_of;

/// The events with which a stream begins.
pub(crate) const BEGINNINGS: [&str; 4] =
    ["ExecutionStarted", "ExecutionContinued", "ExecutionRetried", "ExecutionForked"];

/// Who is to run an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lane {
    /// The shard of the execution, in each of its streams.
    pub(crate) shard: Shard,
    /// The lane that it shares with others.
    pub(crate) name: Option<Arc<str>>,
    /// Of those that wait for a place, the highest is next.
    pub(crate) priority: i32,
    /// The stream that it left for this one.
    pub(crate) left: Option<StreamKey>,
}

/// The parts of first events that matter here; the rest may be large and is passed over.
#[derive(Deserialize, Default)]
#[serde(default)]
struct First {
    options: RunOptions,
    start: Option<FirstStart>,
    previous: Option<ExecutionId>,
    root: Option<ExecutionId>,
}

#[derive(Deserialize)]
struct FirstStart {
    #[serde(default)]
    options: RunOptions,
}

impl Lane {
    /// What the first event of a stream says. One that cannot be read is alone in its lane, and whoever drives it tells why
    /// it cannot.
    pub(crate) fn of(first: &RecordedEvent) -> Self {
        let facts: First = serde_json::from_str(first.payload.get()).unwrap_or_default();
        let RunOptions { priority, lane, .. } = facts.start.map_or(facts.options, |start| start.options);
        let root = facts.root.map(|root| root.to_string());
        let shard = Shard::of(lane.as_deref().or(root.as_deref()).unwrap_or(&first.stream.id));
        let left = facts.previous.map(|previous| stream_of(&first.stream, previous));
        Self { shard, name: lane.map(Arc::from), priority, left }
    }
}

/// Whether a stream begins with such an event.
pub(crate) fn begins(event: &RecordedEvent) -> bool {
    BEGINNINGS.contains(&&*event.event_type)
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;
    use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
    use timeloom_store::{Metadata, Position, Revision};
    use uuid::Uuid;

    use super::*;

    fn first(id: &str, event_type: &str, payload: &str) -> RecordedEvent {
        let metadata = Metadata {
            actor: Actor::System("engine".to_owned()),
            command_id: CommandId(Uuid::nil()),
            causation_id: None,
            correlation_id: None,
            request: None,
        };
        RecordedEvent {
            position: Position(1),
            stream: StreamKey::new(TenantId(3), "execution", id),
            revision: Revision(1),
            id: EventId(Uuid::nil()),
            event_type: event_type.into(),
            event_version: 2,
            payload: Arc::from(RawValue::from_string(payload.to_owned()).unwrap()),
            metadata: Arc::new(metadata),
            recorded_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_chain_stays_in_the_shard_of_its_root_and_a_lane_in_its_own() {
        let root = "0192a1b2-0000-7000-8000-000000000001";
        let next = "0192a1b2-0000-7000-8000-000000000002";
        let started = Lane::of(&first(root, "ExecutionStarted", r#"{"items":[{"json":{"options":1}}]}"#));
        assert_eq!((started.shard, started.name, started.left), (Shard::of(root), None, None));
        let continued = format!(r#"{{"previous":"{root}","root":"{root}","start":{{"options":{{"priority":4}}}}}}"#);
        let continued = Lane::of(&first(next, "ExecutionContinued", &continued));
        assert_eq!((continued.shard, continued.priority), (Shard::of(root), 4));
        assert_eq!(continued.left, Some(StreamKey::new(TenantId(3), "execution", root)));
        let in_lane = Lane::of(&first(root, "ExecutionStarted", r#"{"options":{"lane":"w1","priority":-2}}"#));
        assert_eq!((in_lane.shard, in_lane.name.as_deref(), in_lane.priority), (Shard::of("w1"), Some("w1"), -2));
        let retried = format!(r#"{{"of":"{next}","start":{{"options":{{"lane":"w1"}}}}}}"#);
        assert_eq!(Lane::of(&first(root, "ExecutionRetried", &retried)).shard, Shard::of("w1"));
        assert_eq!(Lane::of(&first(root, "ExecutionStarted", "null")).shard, Shard::of(root));
    }
}
