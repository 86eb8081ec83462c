//! Rules of the Execution aggregate.

use std::sync::Arc;

use serde_json::json;
use timeloom_domain::event::Aggregate;
use timeloom_domain::execution::{
    Execution, ExecutionCommand, ExecutionEvent, ExecutionRefusal, ExecutionStatus, NodeRunStatus,
};

use crate::given::given;
use crate::samples::{continuation, item, run, start};

fn started() -> ExecutionEvent {
    ExecutionEvent::ExecutionStarted(start())
}

fn node_started(node: &str, index: usize, attempt: u32) -> ExecutionEvent {
    let idempotency_key = format!("key-{index}");
    ExecutionEvent::NodeStarted { run: run(node, index), attempt, idempotency_key, at_ms: 1_100 }
}

fn completed(node: &str, index: usize) -> ExecutionEvent {
    ExecutionEvent::NodeCompleted {
        run: run(node, index),
        started_at_ms: 1_200,
        duration_us: 50,
        outputs: vec![Arc::new(vec![item(1)])],
        memory: None,
        hints: Vec::new(),
        pinned: false,
    }
}

fn failed(node: &str, index: usize) -> ExecutionEvent {
    let error = json!({"message": "no route"});
    ExecutionEvent::NodeFailed { run: run(node, index), started_at_ms: 1_200, duration_us: 50, error, outputs: None }
}

fn retried(node: &str, index: usize, attempt: u32) -> ExecutionEvent {
    let error = json!({"message": "no route"});
    ExecutionEvent::NodeRetried { run: run(node, index), attempt, error, retry_at_ms: 2_000 }
}

fn ended() -> ExecutionEvent {
    ExecutionEvent::ExecutionCompleted { at_ms: 3_000 }
}

fn cancelled() -> ExecutionEvent {
    ExecutionEvent::ExecutionCancelled { reason: "wrong file".to_owned() }
}

fn cancel() -> ExecutionCommand {
    ExecutionCommand::Cancel { reason: "wrong file".to_owned() }
}

fn record(event: ExecutionEvent) -> ExecutionCommand {
    ExecutionCommand::Record(Box::new(event))
}

fn out_of_order(event: &'static str, node: &str, detail: &str) -> ExecutionRefusal {
    ExecutionRefusal::OutOfOrder { event, node: node.to_owned(), detail: detail.to_owned() }
}

#[test]
fn an_execution_starts_once() {
    given::<Execution>([]).when(ExecutionCommand::Start(start())).then([started()]);
    given::<Execution>([started()]).when(ExecutionCommand::Start(start())).refused(ExecutionRefusal::AlreadyExists);
    given::<Execution>([started()]).when(record(started())).refused(ExecutionRefusal::AlreadyExists);
}

#[test]
fn a_running_or_sleeping_execution_can_be_cancelled_and_an_ended_one_cannot() {
    let waiting =
        ExecutionEvent::ExecutionWaiting { node: "Wait".to_owned(), until_ms: Some(9_000), run: None, resume: None };
    given::<Execution>([started()]).when(cancel()).then([cancelled()]);
    given::<Execution>([started(), waiting.clone()]).when(cancel()).then([cancelled()]);
    given::<Execution>([started(), cancelled()]).when(cancel()).changes_nothing();
    given::<Execution>([started(), ended()]).when(cancel()).refused(ExecutionRefusal::Ended("completed"));
    given::<Execution>([]).when(cancel()).refused(ExecutionRefusal::NotFound);
    let stopped = given::<Execution>([started(), waiting, cancelled()]).state;
    assert_eq!((stopped.status, stopped.waiting.clone()), (ExecutionStatus::Cancelled, None));
}

#[test]
fn nothing_is_recorded_before_the_start_or_after_the_end() {
    given::<Execution>([]).when(record(completed("Start", 0))).refused(ExecutionRefusal::NotFound);
    given::<Execution>([started(), ended()])
        .when(record(completed("Start", 0)))
        .refused(ExecutionRefusal::Ended("completed"));
    given::<Execution>([started(), cancelled()])
        .when(record(completed("Start", 0)))
        .refused(ExecutionRefusal::Ended("cancelled"));
}

#[test]
fn node_runs_follow_each_other_without_gaps() {
    given::<Execution>([started()]).when(record(completed("Start", 0))).then([completed("Start", 0)]);
    given::<Execution>([started()]).when(record(completed("Set", 1))).refused(out_of_order(
        "NodeCompleted",
        "Set",
        "run 0 comes before run 1",
    ));
}

#[test]
fn a_node_run_belongs_to_one_node_and_ends_once() {
    given::<Execution>([started(), node_started("Fetch", 0, 1)])
        .when(record(completed("Set", 0)))
        .refused(out_of_order("NodeCompleted", "Set", "run 0 is of 'Fetch'"));
    given::<Execution>([started(), completed("Start", 0)]).when(record(completed("Start", 0))).refused(out_of_order(
        "NodeCompleted",
        "Start",
        "this run has ended",
    ));
    given::<Execution>([started(), failed("Start", 0)]).when(record(retried("Start", 0, 1))).refused(out_of_order(
        "NodeRetried",
        "Start",
        "this run has ended",
    ));
}

#[test]
fn a_retried_node_keeps_its_first_start_and_counts_its_attempts() {
    let history = [
        started(),
        ExecutionEvent::NodeScheduled { run: run("Fetch", 0) },
        node_started("Fetch", 0, 1),
        retried("Fetch", 0, 1),
    ];
    let between = given::<Execution>(history.clone()).state;
    assert_eq!(between.node_runs[0].status, NodeRunStatus::Retrying);
    assert_eq!(between.node_runs[0].error, Some(json!({"message": "no route"})));

    let done =
        given::<Execution>(history.into_iter().chain([node_started("Fetch", 0, 2), completed("Fetch", 0)])).state;
    let fetch = done.newest_run("Fetch").unwrap();
    assert_eq!((fetch.status, fetch.attempts, fetch.started_at_ms), (NodeRunStatus::Completed, 2, Some(1_100)));
    assert_eq!((fetch.error.as_ref(), fetch.outputs.as_ref().unwrap()[0].len()), (None, 1));
    assert_eq!(done.node_runs.len(), 1);
}

#[test]
fn the_attempts_of_a_node_that_records_no_starts_are_counted_too() {
    let retried_once = given::<Execution>([started(), retried("Code", 0, 1), failed("Code", 0)]).state;
    assert_eq!(retried_once.node_runs[0].attempts, 2);
    let at_once = given::<Execution>([started(), completed("Code", 0)]).state;
    assert_eq!(at_once.node_runs[0].attempts, 1);
}

#[test]
fn the_newest_run_of_a_node_is_the_last_one() {
    let looped = given::<Execution>([started(), completed("Loop", 0), completed("Set", 1), failed("Loop", 2)]).state;
    assert_eq!(looped.newest_run("Loop").unwrap().status, NodeRunStatus::Failed);
    assert_eq!(looped.newest_run("Nobody"), None);
}

#[test]
fn a_failed_execution_says_which_node_and_why() {
    let failed = ExecutionEvent::ExecutionFailed {
        node: Some("Fetch".to_owned()),
        error: json!({"message": "no route"}),
        at_ms: 3_000,
    };
    let execution = given::<Execution>([started(), failed]).state;
    assert_eq!(execution.status, ExecutionStatus::Failed);
    assert_eq!(execution.failed_node.as_deref(), Some("Fetch"));
    assert_eq!(execution.error, Some(json!({"message": "no route"})));
    assert_eq!(execution.ended_at_ms, Some(3_000));
}

#[test]
fn a_sleeping_execution_wakes() {
    let waiting =
        ExecutionEvent::ExecutionWaiting { node: "Wait".to_owned(), until_ms: Some(9_000), run: None, resume: None };
    let asleep = given::<Execution>([started(), waiting.clone()]).state;
    assert_eq!(
        (asleep.status, asleep.waiting.as_ref().and_then(|wait| wait.until_ms)),
        (ExecutionStatus::Waiting, Some(9_000))
    );
    let resumed = ExecutionEvent::ExecutionResumed { node: "Wait".to_owned(), cause: None, items: None };
    let awake = given::<Execution>([started(), waiting, resumed]).state;
    assert_eq!((awake.status, awake.waiting.clone()), (ExecutionStatus::Running, None));
}

fn continued() -> ExecutionEvent {
    ExecutionEvent::ExecutionContinued(continuation())
}

fn continued_as_new() -> ExecutionEvent {
    ExecutionEvent::ExecutionContinuedAsNew { next: continuation().root, at_ms: 2_000 }
}

#[test]
fn an_execution_goes_on_in_another_stream_and_nothing_more_happens_in_the_first() {
    let next = continuation().root;
    given::<Execution>([started()]).when(record(continued_as_new())).then([continued_as_new()]);
    let left = || given::<Execution>([started(), continued_as_new()]);
    left().when(cancel()).refused(ExecutionRefusal::Continued(next));
    left().when(record(completed("Set", 0))).refused(ExecutionRefusal::Ended("continued"));
    let mut state = Execution::default();
    [started(), continued_as_new()].iter().for_each(|event| state.apply(event));
    assert_eq!(
        (state.status, state.continued_as, state.ended_at_ms),
        (ExecutionStatus::Continued, Some(next), Some(2_000))
    );
}

#[test]
fn a_stream_is_begun_once_and_counts_its_runs_on_from_those_before() {
    given::<Execution>([]).when(ExecutionCommand::Continue(continuation())).then([continued()]);
    for begun in [started(), continued()] {
        let again = ExecutionCommand::Continue(continuation());
        given::<Execution>([begun.clone()]).when(again).refused(ExecutionRefusal::AlreadyExists);
        given::<Execution>([begun.clone()]).when(record(continued())).refused(ExecutionRefusal::AlreadyExists);
        given::<Execution>([begun]).when(ExecutionCommand::Start(start())).refused(ExecutionRefusal::AlreadyExists);
    }
    let next = || given::<Execution>([continued()]);
    next().when(record(completed("Set", 1))).then([completed("Set", 1)]);
    next().when(record(completed("Set", 0))).refused(out_of_order(
        "NodeCompleted",
        "Set",
        "run 0 was before this stream",
    ));
    next().when(record(completed("Set", 2))).refused(out_of_order("NodeCompleted", "Set", "run 1 comes before run 2"));
    next().when(cancel()).then([cancelled()]);
    let mut state = Execution::default();
    [continued(), completed("Set", 1)].iter().for_each(|event| state.apply(event));
    assert_eq!((state.status, state.earlier_runs, state.node_runs.len()), (ExecutionStatus::Running, 1, 1));
    assert_eq!(state.continued_from.unwrap().root, continuation().root);
    assert_eq!(state.start.unwrap().seed, 42);
}

#[test]
fn links_are_joined_to_the_execution_that_they_are() {
    let fold = |events: &[ExecutionEvent]| {
        let mut state = Execution::default();
        events.iter().for_each(|event| state.apply(event));
        state
    };
    let first = [started(), completed("Start", 0), continued_as_new()];
    let second = [
        continued(),
        failed("Set", 1),
        ExecutionEvent::ExecutionFailed {
            node: Some("Set".to_owned()),
            error: json!({"message": "no route"}),
            at_ms: 3_000,
        },
    ];
    let whole = [&first[..2], &second[1..]].concat();
    assert_eq!(fold(&first).joined(fold(&second)), fold(&whole));
}
