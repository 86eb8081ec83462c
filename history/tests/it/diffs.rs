//! A difference leads from the one state to the other, whichever is earlier, and tells the events between them.

use serde_json::{Value, json};
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::plugin::PluginEvent;
use timeloom_domain::workflow::WorkflowEvent;
use timeloom_history::{BETWEEN_EVENTS_MAX, Difference, HistoryError, Moment, compare, diff, state_at};
use timeloom_store::{EventLog, MemoryLog, Position, Revision, StreamKey};

use crate::world::{add, golden, log, stream};

async fn state(log: &MemoryLog, stream: &StreamKey, revision: u64) -> Value {
    match state_at(log, stream, Moment::Revision(Revision(revision))).await {
        Ok(state) => state.state,
        Err(_) => Value::Null,
    }
}

/// The state that the patch makes of another; by the standard's rules and by the changes in words.
fn patched(mut from: Value, difference: &Difference) -> Value {
    for change in &difference.changes {
        match change.operation {
            "add" => assert_eq!(change.before, None),
            _ => assert_eq!(change.before.as_ref(), from.pointer(&change.path), "{}", change.path),
        }
        let mut step = json!({ "op": change.operation, "path": change.path });
        if let Some(after) = &change.after {
            step["value"] = after.clone();
        }
        let step: json_patch::Patch = serde_json::from_value(json!([step])).unwrap();
        json_patch::patch(&mut from, &step).unwrap();
    }
    from
}

#[tokio::test]
async fn a_patch_leads_from_each_state_to_each_other_and_back() {
    let log = log();
    for (stream, count) in [
        (golden::<ExecutionEvent>(&log, "x").await.0, ExecutionEvent::TYPES.len() as u64),
        (golden::<WorkflowEvent>(&log, "x").await.0, WorkflowEvent::TYPES.len() as u64),
    ] {
        for from in 1..=count {
            for to in 1..=count {
                let moments = [from, to].map(|revision| Moment::Revision(Revision(revision)));
                let difference = diff(&*log, &stream, moments[0], moments[1]).await.unwrap();
                let (before, after) = (state(&log, &stream, from).await, state(&log, &stream, to).await);
                let mut by_patch = before.clone();
                json_patch::patch(&mut by_patch, &difference.patch).unwrap();
                assert_eq!(by_patch, after, "{stream} from {from} to {to}");
                assert_eq!(patched(before, &difference), after, "{stream} from {from} to {to}");
                let between: Vec<u64> = difference.events.iter().map(|event| event.revision.0).collect();
                assert_eq!(between, (from.min(to) + 1..=from.max(to)).collect::<Vec<_>>());
                assert_eq!((difference.from.revision.0, difference.to.revision.0), (from, to));
                assert_eq!(difference.patch.0.is_empty(), difference.changes.is_empty());
            }
        }
    }
}

#[tokio::test]
async fn a_change_is_told_with_what_was_there_before() {
    let log = log();
    let (stream, events) = golden::<PluginEvent>(&log, "acme/mailer").await;
    let (from, to) = (Moment::Position(events[2].position), Moment::Time(events[3].recorded_at));
    let difference = diff(&*log, &stream, from, to).await.unwrap();
    let change = difference.changes.iter().find(|change| change.path == "/enabled_version").unwrap();
    assert_eq!(change.operation, "replace");
    let version = state(&log, &stream, 3).await["enabled_version"].clone();
    assert!(version.is_string());
    assert_eq!((change.before.as_ref(), change.after.as_ref()), (Some(&version), Some(&Value::Null)));
    assert_eq!(&*difference.events[0].event_type, "PluginDisabled");
    assert_eq!(difference.to.recorded_at, Some(events[3].recorded_at));
}

#[tokio::test]
async fn what_had_not_come_to_be_is_null_and_what_never_was_is_refused() {
    let log = log();
    let (stream_key, events) = golden::<ExecutionEvent>(&log, "x").await;
    let start = Moment::Position(Position::START);
    let difference = diff(&*log, &stream_key, start, Moment::Revision(Revision(1))).await.unwrap();
    assert_eq!((difference.from.position, difference.from.recorded_at), (Position(0), None));
    assert_eq!(difference.changes[0].before, Some(Value::Null));
    assert_eq!(difference.changes[0].after, Some(state(&log, &stream_key, 1).await));
    assert_eq!(difference.events[0].position, events[0].position);
    assert!(diff(&*log, &stream_key, start, start).await.unwrap().patch.0.is_empty());
    let refused = diff(&*log, &stream("execution", "y"), start, Moment::Newest).await.unwrap_err();
    assert!(matches!(refused, HistoryError::UnknownStream(_)), "{refused}");
    let beyond = Moment::Position(Position(log.head().0 + 1));
    let refused = diff(&*log, &stream_key, start, beyond).await.unwrap_err();
    assert!(matches!(refused, HistoryError::PositionNotReached { .. }), "{refused}");
}

#[tokio::test]
async fn unknown_events_between_are_told_and_change_nothing() {
    let log = log();
    let (stream, events) = golden::<PluginEvent>(&log, "x").await;
    let last = events.last().unwrap().position;
    add(&log, &stream, "PluginPainted", 1, r#"{"colour":"blue"}"#).await;
    let difference = diff(&*log, &stream, Moment::Position(last), Moment::Newest).await.unwrap();
    assert!(difference.patch.0.is_empty());
    assert_eq!((difference.events.len(), difference.events[0].known, difference.unknown.count), (1, false, 1));
}

#[tokio::test]
async fn streams_of_another_category_differ_by_their_events_of_which_so_many_are_listed() {
    let log = log();
    let stream = stream("order", "o1");
    for number in 0..BETWEEN_EVENTS_MAX + 50 {
        add(&log, &stream, "OrderPlaced", 1, &json!({ "number": number }).to_string()).await;
    }
    let from = Moment::Revision(Revision(2));
    let short = diff(&*log, &stream, from, Moment::Revision(Revision(5))).await.unwrap();
    assert_eq!((short.events.len(), short.events_omitted, short.kind), (3, 0, None));
    let added = short.changes.iter().filter(|change| change.path.starts_with("/events/")).count();
    assert_eq!(added, 3);
    let long = diff(&*log, &stream, from, Moment::Newest).await.unwrap();
    assert_eq!((long.events.len(), long.events_omitted), (BETWEEN_EVENTS_MAX, 48));
}

#[tokio::test]
async fn two_executions_differ_by_what_they_did_and_not_by_when_or_under_which_id() {
    let log = log();
    let ids = ["0199aaaa-0000-7000-8000-000000000001", "0199aaaa-0000-7000-8000-000000000002"];
    let streams = ids.map(|id| stream("execution", id));
    for (number, stream) in (1..).zip(&streams) {
        let started = json!({
            "type": "execution_started", "workflow_id": "0199aaaa-0000-7000-8000-00000000000a", "workflow_revision": 1,
            "mode": "manual", "start_node": "Start", "items": [{ "json": { "of": stream.id } }], "seed": number,
            "at_ms": 1_000 * number,
        });
        add(&log, stream, "ExecutionStarted", 1, &started.to_string()).await;
        let completed = json!({
            "type": "node_completed",
            "run": { "node": "Start", "run_index": 0, "execution_index": 0, "sources": [] },
            "started_at_ms": 1_001 * number, "duration_us": 7 * number,
            "outputs": [[{ "json": { "seed": number / 2, "link": format!("/runs/{}", stream.id) } }]],
        });
        add(&log, stream, "NodeCompleted", 1, &completed.to_string()).await;
    }
    let [left, right] = &streams;
    let early = Moment::Revision(Revision(1));
    assert!(compare(&*log, (left, early), (right, early)).await.unwrap().changes.is_empty());
    let comparison = compare(&*log, (left, Moment::Newest), (right, Moment::Newest)).await.unwrap();
    let paths: Vec<&str> = comparison.changes.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(
        paths,
        ["/node_runs/0/outputs/0/0/json/seed"],
        "the data of nodes counts, whatever its fields are called"
    );
    assert_eq!((comparison.left.revision, comparison.right.position), (Revision(2), Position(4)));

    let other = stream("workflow", "x");
    let refused = compare(&*log, (left, early), (&other, early)).await.unwrap_err();
    assert!(refused.to_string().ends_with("are of different kinds: compare two of the same"), "{refused}");
    let nothing = stream("execution", "y");
    let refused = compare(&*log, (left, early), (&nothing, Moment::Newest)).await.unwrap_err();
    assert!(matches!(refused, HistoryError::UnknownStream(stream) if stream == nothing));
}
