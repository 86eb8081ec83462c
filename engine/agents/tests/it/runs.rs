//! Runs from their beginning to their end, across crashes too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use timeloom_commands::CommandError;
use timeloom_domain::agent_run::{AgentRunEvent, AgentRunStatus};
use timeloom_domain::chat::{ErrorClass, Role};
use timeloom_domain::ids::{AccountId, Actor};
use timeloom_domain::inference::port::NotAnswered;
use uuid::Uuid;

use crate::bench::{Line, World, noting, says, wants, with};

#[tokio::test]
async fn a_run_asks_its_model_calls_a_tool_and_answers() {
    let world = World::new([wants("note", json!({"text": "milk"})), says("Noted.")]);
    world.publish(noting(json!({}))).await;
    let process = world.process();
    let id = world.begin(json!("note milk")).await;
    let run = world.over(id).await;
    assert_eq!((run.status, run.output), (AgentRunStatus::Completed, Some(json!("Noted."))));
    assert_eq!(
        world.types(id).await,
        [
            "AgentRunStarted",
            "AgentModelAsked",
            "AgentModelAnswered",
            "AgentToolCalled",
            "AgentToolAnswered",
            "AgentModelAsked",
            "AgentModelAnswered",
            "AgentRunCompleted",
        ]
    );
    assert_eq!(*world.note.runs.lock().unwrap(), [(format!("{id}/1.0"), json!({"text": "milk"}))]);
    let (asker, request) = world.script.asked.lock().unwrap()[1].clone();
    assert_eq!((asker.agent.unwrap().as_str(), asker.agent_run), ("helper", Some(id)));
    assert_eq!(asker.key, Some(format!("{id}/2")));
    let last = request.messages.last().unwrap();
    assert_eq!(last.role, Role::Tool);
    let told = serde_json::to_string(last).unwrap();
    assert!(told.contains("<tool_result>") && told.contains("milk"), "{told}");
    let replay = world.commands.replay_agent_run(&world.context(), id).await.unwrap();
    assert_eq!((replay.deviation, replay.events, replay.questions), (None, 8, 2));
    assert_eq!(world.script.questions(), 2, "a replay asks nobody");
    process.stop().await;
}

#[tokio::test]
async fn a_question_that_the_model_cannot_answer_goes_to_the_one_that_stands_in_for_it() {
    let failed = || {
        let message = "it is down".to_owned();
        Line::Fails(NotAnswered::Failed { class: ErrorClass::Unreachable, message, call: None })
    };
    let fallback = json!({"model": "steady", "sampling": {"temperature": 0.5}});
    let world = World::new([failed(), wants("note", json!({"text": "milk"})), failed(), says("Noted.")]);
    world.publish(with(noting(json!({})), json!({"fallback": fallback}))).await;
    let process = world.process();
    let id = world.begin(json!("note milk")).await;
    let run = world.over(id).await;
    assert_eq!((run.status, run.output), (AgentRunStatus::Completed, Some(json!("Noted."))));
    let asked: Vec<_> = world.script.asked.lock().unwrap().iter().map(|(_, request)| request.clone()).collect();
    let models: Vec<&str> = asked.iter().map(|request| request.model.as_str()).collect();
    assert_eq!(models, ["fast", "steady", "fast", "steady"], "each turn asks the first one first");
    assert_eq!((asked[0].sampling.temperature, asked[1].sampling.temperature), (None, Some(0.5)));
    assert_eq!(asked[0].messages, asked[1].messages);
    assert!(!world.types(id).await.contains(&"AgentModelFailed"));
    let replay = world.commands.replay_agent_run(&world.context(), id).await.unwrap();
    assert_eq!((replay.deviation, replay.questions), (None, 2));
    process.stop().await;
}

#[tokio::test]
async fn a_question_that_is_refused_is_not_passed_on() {
    let refused = NotAnswered::Refused { code: "ROUTE_NOT_FOUND", message: "there is no route 'fast'".to_owned() };
    let world = World::new([Line::Fails(refused), says("I stand in.")]);
    world.publish(with(noting(json!({})), json!({"fallback": {"model": "steady"}}))).await;
    let process = world.process();
    let id = world.begin(json!("note milk")).await;
    World::failed(&world.over(id).await, "ROUTE_NOT_FOUND");
    assert_eq!(world.script.questions(), 1);
    process.stop().await;
}

#[tokio::test]
async fn what_was_answered_is_never_asked_again_and_a_call_that_was_cut_off_has_the_same_key() {
    let world = World::new([wants("note", json!({"text": "milk"})), says("Noted.")]);
    world.publish(noting(json!({}))).await;
    world.note.hangs.store(true, Ordering::SeqCst);
    let process = world.process();
    let id = world.begin(json!("note milk")).await;
    world.note.ran_times(1).await;
    process.stop().await;
    world.note.hangs.store(false, Ordering::SeqCst);
    let process = world.process();
    let run = world.over(id).await;
    assert_eq!(run.status, AgentRunStatus::Completed);
    assert_eq!(world.script.questions(), 2, "the first question had its answer");
    let runs = world.note.runs.lock().unwrap().clone();
    assert_eq!((runs.len(), &runs[0]), (2, &runs[1]), "the same call again");
    let attempts = world.events(id).await.into_iter().filter_map(|event| match event {
        AgentRunEvent::AgentToolCalled { attempt, .. } => Some(attempt),
        _ => None,
    });
    assert_eq!(attempts.collect::<Vec<_>>(), [1, 2]);
    assert_eq!(run.spent.tool_calls, 1);
    process.stop().await;
}

#[tokio::test]
async fn a_call_that_may_not_be_made_again_asks_somebody_after_a_crash() {
    let world = World::new([wants("note", json!({"text": "pay"})), says("Paid.")]);
    world.publish(noting(json!({"repeatable": false}))).await;
    world.note.hangs.store(true, Ordering::SeqCst);
    let process = world.process();
    let id = world.begin(json!("pay")).await;
    world.note.ran_times(1).await;
    process.stop().await;
    world.note.hangs.store(false, Ordering::SeqCst);
    let process = world.process();
    world.until(id, |run| run.status == AgentRunStatus::WaitingForApproval).await;
    assert_eq!(world.note.runs.lock().unwrap().len(), 1, "nothing is paid twice by itself");
    let deny = world.commands.answer_agent_approval(&world.context(), id, None, false, "I paid it".to_owned()).await;
    deny.unwrap();
    assert_eq!(world.over(id).await.status, AgentRunStatus::Completed);
    assert_eq!(world.note.runs.lock().unwrap().len(), 1);
    process.stop().await;
}

#[tokio::test]
async fn a_person_lets_a_call_happen_and_an_agent_cannot() {
    let world = World::new([wants("note", json!({"text": "pay"})), says("Paid.")]);
    world.publish(noting(json!({"approval": "always"}))).await;
    let process = world.process();
    let id = world.begin(json!("pay")).await;
    world.until(id, |run| run.status == AgentRunStatus::WaitingForApproval).await;
    let mut by_agent = world.context();
    by_agent.actor = Actor::Agent(AccountId(Uuid::from_u128(5)));
    let refused = world.commands.answer_agent_approval(&by_agent, id, None, true, String::new()).await.unwrap_err();
    assert!(matches!(refused, CommandError::Refused(refusal) if refusal.code == "APPROVAL_BY_AGENT"));
    assert!(world.note.runs.lock().unwrap().is_empty());
    let approve = world.commands.answer_agent_approval(&world.context(), id, None, true, "ok".to_owned()).await;
    approve.unwrap();
    assert_eq!(world.over(id).await.status, AgentRunStatus::Completed);
    assert_eq!(world.note.runs.lock().unwrap().len(), 1);
    process.stop().await;
}

#[tokio::test]
async fn a_run_that_is_cancelled_while_the_model_thinks_ends_at_once() {
    let world = World::new([Line::Never]);
    world.publish(noting(json!({}))).await;
    let process = world.process();
    let id = world.begin(json!("think")).await;
    world.script.asked_times(1).await;
    world.commands.cancel_agent_run(&world.context(), id, "enough".to_owned()).await.unwrap();
    assert_eq!(world.over(id).await.status, AgentRunStatus::Cancelled);
    process.stop().await;
}

#[tokio::test]
async fn a_session_remembers_what_was_said_and_another_one_does_not() {
    let world = World::new([says("Hello Ann."), says("You are Ann."), says("I do not know.")]);
    world.publish(with(noting(json!({})), json!({"memory": {"exchanges_max": 2}}))).await;
    let process = world.process();
    let begin = async |input: &str, session: &str| {
        let mut start = world.start(json!(input));
        start.session = Some(session.to_owned());
        let id = world.commands.start_agent_run(&world.context(), start).await.unwrap().value;
        world.over(id).await;
        id
    };
    let first = begin("I am Ann.", "one").await;
    assert!(world.types(first).await.contains(&"AgentMemoryWritten"));
    begin("Who am I?", "one").await;
    let said: Vec<String> = world.script.last_request().messages.iter().map(|said| said.joined_text()).collect();
    assert_eq!(said[1..], ["I am Ann.", "Hello Ann.", "Who am I?"]);
    begin("Who am I?", "two").await;
    assert_eq!(world.script.last_request().messages.len(), 2);
    process.stop().await;
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_sent_back_and_fails_in_the_end() {
    let schema = json!({"output_schema": {"type": "object", "required": ["age"]}});
    let world = World::new([says("It is 3."), says("```json\n{\"age\": 3}\n```")]);
    world.publish(with(noting(json!({})), schema.clone())).await;
    let process = world.process();
    let id = world.begin(json!("how old?")).await;
    assert_eq!(world.over(id).await.output, Some(json!({"age": 3})));
    assert_eq!(world.types(id).await.iter().filter(|name| **name == "AgentOutputRejected").count(), 1);
    process.stop().await;

    let world = World::new([says("It is 3.")]);
    world.publish(with(noting(json!({})), schema)).await;
    let process = world.process();
    let id = world.begin(json!("how old?")).await;
    World::failed(&world.over(id).await, "INVALID_OUTPUT");
    assert_eq!(world.script.questions(), 3);
    process.stop().await;
}

#[tokio::test]
async fn a_model_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let busy = NotAnswered::Held { code: "LIMIT_REACHED", message: "wait".to_owned(), retry_after_ms: Some(5) };
    let world = World::new([Line::Fails(busy), says("Here.")]);
    world.publish(noting(json!({}))).await;
    let process = world.process();
    let id = world.begin(json!("hi")).await;
    assert_eq!(world.over(id).await.status, AgentRunStatus::Completed);
    process.stop().await;

    let gone = NotAnswered::Refused { code: "ROUTE_NOT_FOUND", message: "there is no route 'fast'".to_owned() };
    let world = World::new([Line::Fails(gone)]);
    world.publish(noting(json!({}))).await;
    let process = world.process();
    let id = world.begin(json!("hi")).await;
    World::failed(&world.over(id).await, "ROUTE_NOT_FOUND");
    assert_eq!(world.script.questions(), 1);
    process.stop().await;
}

#[tokio::test]
async fn a_run_that_was_lost_for_a_moment_goes_on_by_itself() {
    let busy = NotAnswered::Held { code: "LIMIT_REACHED", message: "wait".to_owned(), retry_after_ms: Some(300) };
    let world = World::new([Line::Fails(busy), says("Here.")]);
    world.publish(noting(json!({}))).await;
    let lapses = Arc::new(AtomicBool::new(false));
    let lapse = Arc::clone(&lapses);
    let process = world.process_that_drives(Arc::new(move |_| !lapse.swap(false, Ordering::SeqCst)));
    let id = world.begin(json!("hi")).await;
    world.until(id, |run| run.retry_at_ms.is_some()).await;
    lapses.store(true, Ordering::SeqCst);
    assert_eq!(world.over(id).await.status, AgentRunStatus::Completed);
    assert!(!lapses.load(Ordering::SeqCst), "it was lost");
    process.stop().await;
}

#[tokio::test]
async fn a_run_that_waited_while_very_many_others_ended_is_found_at_the_next_start() {
    let world = World::new([wants("note", json!({"text": "pay"})), says("Paid.")]);
    world.publish(noting(json!({"approval": "always"}))).await;
    let process = world.process();
    let id = world.begin(json!("pay")).await;
    world.until(id, |run| run.status == AgentRunStatus::WaitingForApproval).await;
    process.stop().await;
    world.pass(101).await;
    let process = world.process();
    world.commands.answer_agent_approval(&world.context(), id, None, true, String::new()).await.unwrap();
    assert_eq!(world.over(id).await.status, AgentRunStatus::Completed);
    process.stop().await;
}
