//! A value is traced to the event that wrote it, and in an item through expressions and inputs back to the trigger.

use serde_json::json;
use timeloom_history::{HistoryError, Moment, Origin, Provenance, provenance, state_at, writers};
use timeloom_store::{Position, Revision};

use crate::runs::{execution, workflow};
use crate::world::{golden, log};

/// Node, path and inputs of each step.
fn chain(found: &Provenance) -> Vec<(&str, &str, Vec<usize>)> {
    found.steps.iter().map(|step| (&*step.node, &*step.path, step.inputs.clone())).collect()
}

#[tokio::test]
async fn a_value_of_an_expression_leads_through_its_inputs_to_the_trigger() {
    let log = log();
    let revision = workflow(&log, "={{ 'hi' }}").await;
    let stream = execution(&log, 1, revision, "Ada", "hi").await;
    let found = provenance(&*log, &stream, Moment::Newest, "/node_runs/2/outputs/0/0/json/text").await.unwrap();
    assert_eq!((&found.value, found.written_by.revision), (&json!("hi from Ada"), Revision(4)));
    assert_eq!(
        chain(&found),
        [("Use", "/json/text", vec![1, 2]), ("Make", "/json/greeting", vec![]), ("Start", "/json/from", vec![]),]
    );
    let expression = "={{ $json.greeting }} from {{ $('Start').item.json.from }}".to_owned();
    let parameter = "/assignments/assignments/0/value".to_owned();
    assert_eq!(found.steps[0].origin, Origin::Expression { parameter, expression });
    assert_eq!(found.steps[2].origin, Origin::Given);
    assert_eq!(found.steps[2].value, Some(json!("Ada")));
    assert_eq!(found.steps[2].written_by.as_ref().unwrap().revision, Revision(2));
    assert!(!found.is_cut);
}

#[tokio::test]
async fn what_is_passed_on_leads_back_to_where_it_was_given_and_what_is_written_down_says_where() {
    let log = log();
    let revision = workflow(&log, "={{ 'hi' }}").await;
    let stream = execution(&log, 1, revision, "Ada", "hi").await;
    let why = async |path: &str| provenance(&*log, &stream, Moment::Newest, path).await.unwrap();
    let mail = why("/node_runs/2/outputs/0/0/json/mail").await;
    assert_eq!(
        chain(&mail),
        [("Use", "/json/mail", vec![1]), ("Make", "/json/mail", vec![2]), ("Start", "/json/mail", vec![])]
    );
    assert_eq!(mail.steps[0].origin, Origin::PassedOn);
    let sign = why("/node_runs/2/outputs/0/0/json/sign").await;
    let parameter = "/assignments/assignments/1/value".to_owned();
    assert_eq!((sign.steps.len(), &sign.steps[0].origin), (1, &Origin::Written { parameter }));
    let status = why("/status").await;
    assert_eq!((&*status.written_by.event_type, status.steps.len()), ("ExecutionCompleted", 0));
    let node = why("/node_runs/1/node").await;
    assert_eq!((&node.value, node.written_by.revision), (&json!("Make"), Revision(3)));
}

#[tokio::test]
async fn as_of_a_moment_the_value_is_that_of_the_moment_and_what_is_not_there_is_refused() {
    let log = log();
    let revision = workflow(&log, "={{ 'hi' }}").await;
    let stream = execution(&log, 1, revision, "Ada", "hi").await;
    let early = Moment::Revision(Revision(3));
    let status = provenance(&*log, &stream, early, "/status").await.unwrap();
    assert_eq!((&status.value, status.written_by.revision), (&json!("running"), Revision(1)));
    for path in ["/node_runs/2/outputs/0/0/json/text", "/nothing", "node_runs", "/node_runs/x"] {
        let refused = provenance(&*log, &stream, early, path).await.unwrap_err();
        assert!(matches!(refused, HistoryError::NoValue { .. }), "{path}: {refused}");
    }
}

/// Whatever the events are: the state right after the event that is named has the value, and right before it another.
#[tokio::test]
async fn the_event_that_is_named_is_the_last_that_changed_the_value() {
    let log = log();
    let (stream, events) = golden::<timeloom_domain::execution::ExecutionEvent>(&log, "x").await;
    for event in &events {
        let state = state_at(&*log, &stream, Moment::Position(event.position)).await.unwrap().state;
        let mut paths: Vec<String> = state.as_object().unwrap().keys().map(|key| format!("/{key}")).collect();
        paths.extend((0..state["node_runs"].as_array().unwrap().len()).flat_map(|run| {
            ["", "/status", "/outputs", "/outputs/1/0/json/error", "/stubbed"]
                .map(|rest| format!("/node_runs/{run}{rest}"))
        }));
        let paths: Vec<&str> = paths.iter().map(String::as_str).filter(|path| state.pointer(path).is_some()).collect();
        let found = writers(&*log, &stream, event.position, &paths).await.unwrap();
        for (path, writer) in paths.iter().zip(found) {
            let Some(writer) = writer else { panic!("nobody wrote {path}") };
            let now = state.pointer(path);
            let at = async |position: Position| match state_at(&*log, &stream, Moment::Position(position)).await {
                Ok(found) => found.state.pointer(path).cloned(),
                Err(_) => None,
            };
            assert_eq!(at(writer.position).await.as_ref(), now, "{path} right after {}", writer.position);
            let before = Position(writer.position.0 - 1);
            assert_ne!(at(before).await.as_ref(), now, "{path} right before {}", writer.position);
        }
    }
}
