//! Two executions are laid side by side: what differs, where that begins, and because of what.

use std::sync::Arc;

use serde_json::json;
use timeloom_domain::execution::{ExecutionEvent, ForkEffects, ForkFacts, RetryFacts};
use timeloom_domain::ids::ExecutionId;
use timeloom_history::{
    CauseReason, ExecutionComparison, HistoryError, Moment, StepOutcome, Story, compare_executions,
};
use timeloom_store::{MemoryLog, StreamKey};
use uuid::Uuid;

use crate::runs::{completed, execution, facts, item, start, workflow};
use crate::world::{log, stream, tell};

async fn compared(log: &MemoryLog, left: &StreamKey, right: &StreamKey) -> ExecutionComparison {
    compare_executions(log, (left, Moment::Newest), (right, Moment::Newest)).await.unwrap()
}

fn cause(comparison: &ExecutionComparison) -> (&str, CauseReason) {
    let cause = comparison.cause.unwrap();
    (&comparison.steps[cause.step].node, cause.reason)
}

#[tokio::test]
async fn two_runs_that_did_the_same_are_alike_whatever_their_ids_are() {
    let log = log();
    let revision = workflow(&log, "={{ 'hi' }}").await;
    let [one, other] = [1, 2].map(|number| Uuid::from_u128(number).to_string());
    let left = execution(&log, 1, revision, &one, "hi").await;
    let right = execution(&log, 2, revision, &other, "hi").await;
    let comparison = compared(&log, &left, &right).await;
    assert!(comparison.is_same() && comparison.cause.is_none());
    assert_eq!(comparison.count(StepOutcome::Same), 3);
    assert!(comparison.output_changes(2).unwrap().is_empty());
}

#[tokio::test]
async fn the_first_step_that_differs_is_named_with_the_earliest_cause_upstream() {
    let log = log();
    let before = workflow(&log, "={{ 'hi' }}").await;
    let after = workflow(&log, "={{ 'hello' }}").await;
    let left = execution(&log, 1, before, "Ada", "hi").await;
    // The same definition gave something else.
    let outside = compared(&log, &left, &execution(&log, 2, before, "Ada", "hello").await).await;
    assert_eq!((outside.first_divergence, cause(&outside)), (Some(1), ("Make", CauseReason::Output)));
    let changed = compared(&log, &left, &execution(&log, 3, after, "Ada", "hello").await).await;
    assert_eq!(cause(&changed), ("Make", CauseReason::Node));
    assert_eq!(changed.node_changes(1).unwrap()[0].path, "/parameters/assignments/assignments/0/value");
    let used = changed.cause_of(2);
    assert_eq!((used.step, used.reason), (1, CauseReason::Node), "what follows differs because of what came before");
    assert!(changed.steps[2].inputs_differ && !changed.steps[2].node_differs && !changed.steps[1].inputs_differ);
    let change = &changed.input_changes(2).unwrap()[0];
    assert_eq!((&*change.path, change.before.as_ref()), ("/0/0/json/greeting", Some(&json!("hi"))));
    assert_eq!(changed.output_changes(1).unwrap()[0].after, Some(json!("hello")));
    let given = compared(&log, &left, &execution(&log, 4, before, "Bob", "hi").await).await;
    assert_eq!((given.first_divergence, cause(&given)), (Some(0), ("Start", CauseReason::GivenItems)));
}

#[tokio::test]
async fn a_run_that_only_one_has_is_told_with_why() {
    let log = log();
    let revision = workflow(&log, "={{ 'hi' }}").await;
    let whole = execution(&log, 1, revision, "Ada", "hi").await;
    let short = stream("execution", &Uuid::from_u128(2).to_string());
    let given = item(json!({ "from": "Ada", "mail": "a@b.c" }));
    let retried = |attempt| ExecutionEvent::NodeRetried {
        run: facts("Make", 0, 1, Some("Start")),
        attempt,
        error: json!({ "message": "busy" }),
        retry_at_ms: 3,
    };
    for event in [
        ExecutionEvent::ExecutionStarted(Arc::new(start(revision, vec![given.clone()]))),
        completed(facts("Start", 0, 0, None), vec![given]),
        retried(1),
        retried(2),
    ] {
        tell(&log, &short, &event).await;
    }
    let comparison = compared(&log, &whole, &short).await;
    let outcomes: Vec<StepOutcome> = comparison.steps.iter().map(|step| step.outcome).collect();
    assert_eq!(outcomes, [StepOutcome::Same, StepOutcome::Changed, StepOutcome::OnlyLeft]);
    let numbers: Vec<u32> = comparison.attempts(1).iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(comparison.attempts(1)[0].right, Some(json!({ "message": "busy" })));
    let other = compared(&log, &short, &whole).await;
    assert_eq!(other.steps[2].outcome, StepOutcome::OnlyRight);
    assert_eq!(comparison.times(1)[0].began_after_ms, Some(10));
}

#[tokio::test]
async fn a_retry_and_a_fork_are_told_with_what_came_before_them() {
    let log = log();
    let revision = workflow(&log, "={{ 'hi' }}").await;
    let whole = execution(&log, 1, revision, "Ada", "hi").await;
    let of = ExecutionId(Uuid::from_u128(1));
    let facts_of = start(revision, Vec::new());
    let (reason, changes, effects) = (String::new(), Vec::new(), ForkEffects::Stub);
    let fork = ForkFacts {
        of,
        origin: of,
        revision: 3,
        position: 3,
        reason,
        start: facts_of.clone(),
        earlier_runs: 2,
        changes,
        effects,
    };
    let forked = stream("execution", &Uuid::from_u128(5).to_string());
    let text = json!({ "from": "Ada", "mail": "a@b.c", "text": "hi from Ada", "sign": "yours" });
    for event in [
        ExecutionEvent::ExecutionForked(Box::new(fork)),
        completed(facts("Use", 0, 2, Some("Make")), vec![item(text)]),
        ExecutionEvent::ExecutionCompleted { at_ms: 9 },
    ] {
        tell(&log, &forked, &event).await;
    }
    let comparison = compared(&log, &whole, &forked).await;
    assert!(comparison.is_same(), "{:?}", comparison.steps);
    assert_eq!(comparison.steps.len(), 3);
    let retried = stream("execution", &Uuid::from_u128(6).to_string());
    let retry = RetryFacts { of: ExecutionId(Uuid::from_u128(5)), revision: 3, start: facts_of, earlier_runs: 3 };
    tell(&log, &retried, &ExecutionEvent::ExecutionRetried(Box::new(retry))).await;
    let story = Story::load(&*log, &retried, Moment::Newest).await.unwrap();
    let order: Vec<&str> = story.runs.iter().map(|run| run.state.node.as_str()).collect();
    assert_eq!((order, story.ids.len()), (vec!["Start", "Make", "Use"], 3));
    let refused = Story::load(&*log, &stream("workflow", "x"), Moment::Newest).await.unwrap_err();
    assert!(matches!(refused, HistoryError::NotAnExecution(_)), "{refused}");
}
