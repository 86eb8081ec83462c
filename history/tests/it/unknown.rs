//! Events that this build does not know are told and never folded, and never an error.

use serde_json::json;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_history::{Kind, Moment, RAW_EVENTS_MAX, UNKNOWN_EVENTS_MAX, is_known, state_at};
use timeloom_store::Revision;

use crate::world::{add, golden, log, stream};

#[tokio::test]
async fn unknown_types_and_versions_are_left_out_and_told() {
    let log = log();
    let (stream, events) = golden::<ExecutionEvent>(&log, "x").await;
    let before = state_at(&*log, &stream, Moment::Newest).await.unwrap();
    let strangers = [
        add(&log, &stream, "ExecutionFrozen", 1, r#"{"type":"execution_frozen"}"#).await,
        add(&log, &stream, "ExecutionCompleted", 2, r#"{"type":"execution_completed","when":"late"}"#).await,
        add(&log, &stream, "ExecutionCompleted", 0, "[]").await,
        add(&log, &stream, "PluginRetired", 1, r#"{"type":"plugin_retired"}"#).await,
    ];
    let after = state_at(&*log, &stream, Moment::Newest).await.unwrap();
    assert_eq!((after.state, after.status), (before.state, before.status));
    assert_eq!((after.revision, &*after.last_event_type), (strangers[3].revision, "PluginRetired"));
    let told: Vec<_> = after.unknown.first.iter().map(|event| (&*event.event_type, event.event_version)).collect();
    let expected = [("ExecutionFrozen", 1), ("ExecutionCompleted", 2), ("ExecutionCompleted", 0), ("PluginRetired", 1)];
    assert_eq!((after.unknown.count, told.as_slice()), (4, expected.as_slice()));
    assert!(after.unknown.first.iter().zip(&strangers).all(|(told, event)| told.position == event.position));
    assert!(events.iter().all(|event| is_known(event)) && !strangers.iter().any(|event| is_known(event)));
    assert_eq!(before.unknown.count, 0);
}

#[tokio::test]
async fn a_stream_of_unknown_events_alone_has_an_empty_state() {
    let log = log();
    let stream = stream("workflow", "x");
    for number in 0..UNKNOWN_EVENTS_MAX + 5 {
        add(&log, &stream, "WorkflowPainted", 1, &json!({ "number": number }).to_string()).await;
    }
    let state = state_at(&*log, &stream, Moment::Newest).await.unwrap();
    assert_eq!(state.kind, Some(Kind::Workflow));
    assert_eq!((state.unknown.count, state.unknown.first.len()), (105, UNKNOWN_EVENTS_MAX));
}

#[tokio::test]
async fn a_stream_of_another_category_is_shown_by_its_newest_events() {
    let log = log();
    let stream = stream("order", "o1");
    for number in 1..=RAW_EVENTS_MAX + 20 {
        add(&log, &stream, "OrderPlaced", 7, &json!({ "number": number }).to_string()).await;
        add(&log, &crate::world::stream("order", "o2"), "OrderPlaced", 7, "{}").await;
    }
    let state = state_at(&*log, &stream, Moment::Newest).await.unwrap();
    assert_eq!((state.kind, state.status, state.revision), (None, None, Revision(120)));
    assert_eq!((&state.state["omitted"], state.unknown.count), (&json!(20), 120));
    let events = state.state["events"].as_array().unwrap();
    assert_eq!(events.len(), RAW_EVENTS_MAX);
    for (event, number) in events.iter().zip(21..) {
        assert_eq!((&event["payload"], &event["revision"]), (&json!({ "number": number }), &json!(number)));
        assert_eq!((&event["type"], &event["version"]), (&json!("OrderPlaced"), &json!(7)));
    }
    let earlier = state_at(&*log, &stream, Moment::Revision(Revision(2))).await.unwrap();
    assert_eq!(earlier.state["events"].as_array().unwrap().len(), 2);
    assert_eq!(earlier.state["omitted"], json!(0));
}

#[tokio::test]
async fn large_events_of_another_category_are_few() {
    let log = log();
    let stream = stream("order", "o1");
    let payload = json!({ "filling": "x".repeat(600_000) }).to_string();
    for _ in 0..30 {
        add(&log, &stream, "OrderPlaced", 7, &payload).await;
    }
    let state = state_at(&*log, &stream, Moment::Newest).await.unwrap();
    assert_eq!((state.state["events"].as_array().unwrap().len(), &state.state["omitted"]), (10, &json!(20)));
}

#[test]
fn every_category_of_ours_has_a_state() {
    for category in timeloom_domain::event::OWN_CATEGORIES {
        let kind = timeloom_history::Kind::of_category(category);
        assert_eq!(kind.map(timeloom_history::Kind::category), Some(category));
    }
}
