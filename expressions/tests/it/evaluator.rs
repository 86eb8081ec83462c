//! Whole parameters: what is evaluated where, how often the engine is crossed into, and how errors land.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_expressions::evaluator::{Evaluator, Resolved, Session, has_expressions};
use timeloom_expressions::port::{CodeMode, Evaluated, ExpressionError, Job, Limits};

use super::support::{Recorder, recorded, scope};

fn is_send<T: Send + 'static>() {}
fn is_shared<T: Send + Sync + 'static>() {}

#[test]
fn sessions_can_move_to_other_threads() {
    is_send::<Session>();
    is_shared::<Evaluator>();
}

#[test]
fn a_parameter_without_expressions_is_borrowed() {
    let mut session = Evaluator::new(None).session();
    let scope = scope(vec![json!({}), json!({})]);
    let value = json!({ "a": [1, "text", { "b": "{{ 1 }}" }] });
    assert!(!has_expressions(&value));
    assert_eq!(session.resolve_value(&scope, &value, 0), Ok(Resolved::Unchanged(&value)));
    let resolved = session.resolve_for_items(&scope, &value, 0..2);
    assert!(resolved.iter().all(|value| matches!(value, Ok(Cow::Borrowed(_)))));
    assert_eq!(resolved.len(), 2);
}

#[test]
fn a_tree_is_resolved_at_any_depth_and_for_each_item() {
    let mut session = Evaluator::new(None).session();
    let scope = scope(vec![json!({ "n": 1 }), json!({ "n": 2 })]);
    let value = json!({
        "keep": "n", "one": "={{ $json.n }}", "text": "=n{{ $json.n }}", "gone": "={{ $json.x }}",
        "list": ["={{ $json.x }}", { "deep": "={{ $itemIndex }}" }], "literal": "=plain"
    });
    let resolved: Vec<Value> =
        session.resolve_for_items(&scope, &value, 0..2).into_iter().map(|value| value.unwrap().into_owned()).collect();
    let expected = |n: i64| {
        json!({
            "keep": "n", "one": n, "text": format!("n{n}"), "list": [null, { "deep": n - 1 }], "literal": "plain"
        })
    };
    assert_eq!(resolved, [expected(1), expected(2)]);
}

#[test]
fn undefined_is_seen_at_the_top() {
    let mut session = Evaluator::new(None).session();
    let scope = scope(vec![json!({})]);
    let value = json!("={{ $json.x }}");
    let resolved = session.resolve_value(&scope, &value, 0).unwrap();
    assert_eq!(resolved.clone().into_evaluated(), Evaluated::Undefined);
    assert_eq!(resolved.into_json(), None);
}

#[test]
fn what_the_subset_lacks_crosses_once_for_all_items() {
    let recorder = Arc::new(Recorder::default());
    let mut session = recorded(&recorder);
    let scope = scope(vec![json!({ "n": 1 }), json!({ "n": 2 })]);
    let value = json!({ "native": "={{ $json.n }}", "a": "={{ $now }}", "b": "={{ /x/ }}" });
    let resolved: Vec<Value> =
        session.resolve_for_items(&scope, &value, 0..2).into_iter().map(|value| value.unwrap().into_owned()).collect();
    assert_eq!(
        resolved,
        [
            json!({ "native": 1, "a": "{{ $NOW }}#0", "b": "{{ /X/ }}#0" }),
            json!({ "native": 2, "a": "{{ $NOW }}#1", "b": "{{ /X/ }}#1" })
        ]
    );
    let crossings = recorder.crossings.lock().unwrap();
    assert_eq!(crossings.len(), 1);
    assert_eq!(crossings[0].len(), 4);
}

#[test]
fn native_expressions_never_make_an_engine_session() {
    let recorder = Arc::new(Recorder::default());
    let mut session = recorded(&recorder);
    let scope = scope(vec![json!({ "n": 1 })]);
    let jobs = [Job { template: "{{ $json.n }}", item_index: 0 }, Job { template: "text", item_index: 0 }];
    let answers = session.resolve_batch(&scope, &jobs);
    assert_eq!(answers, [Ok(Evaluated::Json(json!(1))), Ok(Evaluated::Json(json!("text")))]);
    assert_eq!(*recorder.sessions.lock().unwrap(), 0);
}

#[test]
fn one_engine_session_serves_the_whole_execution() {
    let recorder = Arc::new(Recorder::default());
    let mut session = recorded(&recorder);
    let scope = scope(vec![json!({})]);
    for _ in 0..3 {
        session.resolve_template(&scope, "{{ $now }}", 0).unwrap();
    }
    let output = session.run_code(&scope, CodeMode::AllItems, "return []", Limits::CODE).unwrap();
    assert_eq!(output.items[0].json["code"], json!("return []"));
    assert_eq!(*recorder.sessions.lock().unwrap(), 1);
}

#[test]
fn a_broken_engine_session_is_replaced() {
    let recorder = Arc::new(Recorder { fails: true, ..Recorder::default() });
    let mut session = recorded(&recorder);
    let scope = scope(vec![json!({})]);
    for _ in 0..2 {
        let answer = session.resolve_template(&scope, "{{ $now }}", 0);
        assert_eq!(answer, Err(ExpressionError::Fault("it broke".into())));
    }
    assert_eq!(*recorder.sessions.lock().unwrap(), 2);
}

#[test]
fn one_items_error_leaves_the_others_alone() {
    let mut session = Evaluator::new(None).session();
    let scope = scope(vec![json!({ "n": 2 }), json!({ "n": -1 })]);
    // A negative count is left to the engine, and there is none.
    let value = json!({ "x": "={{ 'ab'.repeat($json.n) }}" });
    let resolved = session.resolve_for_items(&scope, &value, 0..2);
    assert_eq!(resolved[0].as_deref(), Ok(&json!({ "x": "abab" })));
    assert!(matches!(resolved[1], Err(ExpressionError::Fault(_))));
}

#[test]
fn the_cache_forgets_and_still_answers() {
    let evaluator = Evaluator::new(None);
    let mut session = evaluator.session();
    let scope = scope(vec![json!({ "n": 1 })]);
    for round in 0..2 {
        for number in 0..10_000 {
            let answer = session.resolve_template(&scope, &format!("{{{{ $json.n + {number} }}}}"), 0);
            assert_eq!(answer, Ok(Evaluated::Json(json!(number + 1))), "round {round}");
        }
    }
}
