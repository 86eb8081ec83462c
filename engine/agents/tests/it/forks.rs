//! Forks: earlier turns are taken from their records, later ones are asked anew.

use serde_json::json;
use timeloom_commands::{AgentForkTurn, CommandError, ForkAgentRun};
use timeloom_domain::access::{Permission, Permissions};
use timeloom_domain::agent_run::{AgentRunStatus, ToolResultChange};
use timeloom_domain::ids::AgentRunId;

use crate::bench::{World, noting, says, wants, with};

fn fork(run: AgentRunId) -> ForkAgentRun {
    ForkAgentRun {
        new_id: None,
        run,
        at: AgentForkTurn::Natural,
        prompt: None,
        model: None,
        limits: None,
        tool_results: Vec::new(),
        reason: "what if".to_owned(),
    }
}

#[tokio::test]
async fn a_fork_with_another_result_of_a_tool_asks_only_what_comes_after_it() {
    let world = World::new([wants("note", json!({"text": "rain"})), says("It rains."), says("The sun shines.")]);
    world.publish(noting(json!({}))).await;
    let process = world.process();
    let first = world.begin(json!("weather?")).await;
    world.over(first).await;
    let change = ToolResultChange { call: "1.0".to_owned(), content: "sun".to_owned() };
    let mut with_sun = fork(first);
    with_sun.tool_results = vec![change];
    let forked = world.commands.fork_agent_run(&world.context(), with_sun).await.unwrap().value;
    let run = world.over(forked).await;
    assert_eq!(run.output, Some(json!("The sun shines.")));
    assert_eq!(world.script.questions(), 3, "the first turn was not asked again");
    assert_eq!(world.note.runs.lock().unwrap().len(), 1, "the tool was not called again");
    let said = serde_json::to_string(&world.script.last_request().messages).unwrap();
    assert!(said.contains("sun") && !said.contains("<tool_result>\\n{\\\"text"), "{said}");
    let lineage = run.lineage.unwrap();
    assert_eq!((lineage.of, lineage.origin, lineage.turn), (first, first, 2));
    // A fork of the fork goes back to the same origin.
    let again = world.commands.fork_agent_run(&world.context(), fork(forked)).await.unwrap().value;
    let lineage = world.over(again).await.lineage.unwrap();
    assert_eq!((lineage.of, lineage.origin, lineage.turn), (forked, first, 2));
    process.stop().await;
}

#[tokio::test]
async fn a_fork_with_another_prompt_and_model_begins_anew_with_them() {
    let world = World::new([says("Hello."), says("Bonjour.")]);
    world.publish(noting(json!({}))).await;
    let process = world.process();
    let first = world.begin(json!("hi")).await;
    world.over(first).await;
    let mut french = fork(first);
    french.prompt = Some("Speak French.".to_owned());
    french.model = Some("slow".to_owned());
    let forked = world.commands.fork_agent_run(&world.context(), french).await.unwrap().value;
    assert_eq!(world.over(forked).await.output, Some(json!("Bonjour.")));
    let request = world.script.last_request();
    assert_eq!(request.model, "slow");
    assert!(request.messages[0].joined_text().starts_with("Speak French."));
    process.stop().await;
}

#[tokio::test]
async fn a_run_that_ran_out_goes_on_in_a_fork_with_more() {
    let world = World::new([wants("note", json!({"text": "a"})), wants("note", json!({"text": "b"})), says("done")]);
    world.publish(with(noting(json!({})), json!({"limits": {"turns": 2}}))).await;
    let process = world.process();
    let first = world.begin(json!("note")).await;
    World::failed(&world.over(first).await, "TURNS_EXHAUSTED");
    let mut more = fork(first);
    more.at = AgentForkTurn::Turn(3);
    more.limits = Some(json!({"turns": 5}));
    let mut of_a_user = world.context();
    of_a_user.permissions = Permissions::of(&[Permission::ExecutionRead, Permission::ExecutionRun]);
    let refused = world.commands.fork_agent_run(&of_a_user, more.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("registry:write"), "limits are the publisher's to set: {refused}");
    let forked = world.commands.fork_agent_run(&world.context(), more).await.unwrap().value;
    let run = world.over(forked).await;
    assert_eq!((run.status, run.output), (AgentRunStatus::Completed, Some(json!("done"))));
    assert_eq!(world.note.runs.lock().unwrap().len(), 2);
    let replay = world.commands.replay_agent_run(&world.context(), forked).await.unwrap();
    assert_eq!(replay.deviation, None);
    process.stop().await;
}

#[tokio::test]
async fn a_turn_that_never_was_is_no_place_to_fork() {
    let world = World::new([says("Hello.")]);
    world.publish(noting(json!({}))).await;
    let process = world.process();
    let first = world.begin(json!("hi")).await;
    world.over(first).await;
    let mut late = fork(first);
    late.at = AgentForkTurn::Turn(7);
    let error = world.commands.fork_agent_run(&world.context(), late).await.unwrap_err();
    assert!(matches!(&error, CommandError::Refused(refusal) if refusal.code == "INVALID_FORK"), "{error}");
    assert_eq!(error.to_string(), "the run has no turn 7 to go on from: it came to turn 1");
    process.stop().await;
}
