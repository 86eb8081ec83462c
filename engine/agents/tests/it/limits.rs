//! Loops without end, budgets that end in the middle, tools that never do: each ends with a word for it, and all is recorded.

use std::sync::atomic::Ordering;

use serde_json::json;
use timeloom_domain::agent_run::{AgentRunEvent, AgentRunStatus};
use timeloom_domain::inference::port::NotAnswered;

use crate::bench::{Line, World, noting, says, wants, with};

#[tokio::test]
async fn a_loop_without_end_ends_at_each_limit() {
    for (limits, code, questions) in [
        (json!({"turns": 4}), "TURNS_EXHAUSTED", 4),
        (json!({"tool_calls": 2}), "TOOL_CALLS_EXHAUSTED", 3),
        (json!({"tokens": 250}), "TOKENS_EXHAUSTED", 3),
        (json!({"cost": "0.002"}), "BUDGET_EXHAUSTED", 2),
    ] {
        let world = World::new([wants("note", json!({"text": "again"}))]);
        world.publish(with(noting(json!({})), json!({ "limits": limits }))).await;
        let process = world.process();
        let id = world.begin(json!("loop")).await;
        World::failed(&world.over(id).await, code);
        assert_eq!(world.script.questions(), questions, "{code}");
        let replay = world.commands.replay_agent_run(&world.context(), id).await.unwrap();
        assert_eq!((replay.deviation, replay.questions as usize), (None, questions));
        process.stop().await;
    }
}

#[tokio::test]
async fn a_budget_of_the_gateway_that_ends_in_the_middle_fails_the_run_and_keeps_what_was_done() {
    let held = NotAnswered::Held {
        code: "BUDGET_EXCEEDED",
        message: "the budget of tenant 0 is used up until tomorrow".to_owned(),
        retry_after_ms: Some(40_000_000),
    };
    let world = World::new([wants("note", json!({"text": "one"})), Line::Fails(held)]);
    world.publish(noting(json!({}))).await;
    let process = world.process();
    let id = world.begin(json!("note")).await;
    let run = world.over(id).await;
    World::failed(&run, "BUDGET_EXCEEDED");
    assert_eq!((run.spent.turns, run.spent.tool_calls, run.spent.tokens()), (1, 1, 110));
    assert_eq!(
        world.types(id).await[4..],
        ["AgentToolAnswered", "AgentModelAsked", "AgentModelFailed", "AgentRunFailed",]
    );
    process.stop().await;
}

#[tokio::test]
async fn a_tool_that_never_ends_is_given_up_in_time() {
    let world = World::new([wants("note", json!({"text": "slow"})), says("It took too long.")]);
    world.publish(noting(json!({"time_ms_max": 50}))).await;
    world.note.hangs.store(true, Ordering::SeqCst);
    let process = world.process();
    let id = world.begin(json!("note")).await;
    assert_eq!(world.over(id).await.status, AgentRunStatus::Completed);
    let codes: Vec<String> = world
        .events(id)
        .await
        .into_iter()
        .filter_map(|event| match event {
            AgentRunEvent::AgentToolFailed { code, .. } => Some(code),
            _ => None,
        })
        .collect();
    assert_eq!(codes, ["TOOL_TIMEOUT"]);
    process.stop().await;
}

#[tokio::test]
async fn a_model_that_never_answers_ends_the_run_at_its_limit_of_time() {
    let world = World::new([Line::Never]);
    world.publish(with(noting(json!({})), json!({"limits": {"time_ms": 100}}))).await;
    let process = world.process();
    let id = world.begin(json!("think")).await;
    World::failed(&world.over(id).await, "TIME_EXHAUSTED");
    process.stop().await;
}

#[tokio::test]
async fn a_result_that_is_too_long_is_cut_off_and_says_so() {
    let world = World::new([wants("note", json!({"text": "é".repeat(5_000)})), says("Long.")]);
    world.publish(noting(json!({"result_bytes_max": 1_000}))).await;
    let process = world.process();
    let id = world.begin(json!("note")).await;
    world.over(id).await;
    let (content, from) = world
        .events(id)
        .await
        .into_iter()
        .find_map(|event| match event {
            AgentRunEvent::AgentToolAnswered { content, cut_off_from_bytes, .. } => Some((content, cut_off_from_bytes)),
            _ => None,
        })
        .unwrap();
    assert!(content.len() <= 1_000 && from > Some(10_000), "{} {from:?}", content.len());
    process.stop().await;
}

#[tokio::test]
async fn tools_that_wait_for_others_leave_room_for_those_they_wait_for() {
    /// As many as there are places.
    const WAITING: usize = 64;
    let lines = std::iter::repeat_n(wants("note", json!({"text": "ask another"})), WAITING);
    let world = World::new(lines.chain([says("Here I am.")]));
    world.publish(noting(json!({}))).await;
    world.note.waits.store(true, Ordering::SeqCst);
    world.note.hangs.store(true, Ordering::SeqCst);
    let process = world.process();
    for _ in 0..WAITING {
        world.begin(json!("ask")).await;
    }
    world.note.ran_times(WAITING).await;
    let asked = world.begin(json!("answer")).await;
    assert_eq!(world.over(asked).await.output, Some(json!("Here I am.")));
    process.stop().await;
}
