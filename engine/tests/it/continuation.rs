//! Long executions go on in other streams, and nobody can tell from what they give.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_commands::{CancelExecution, CommandContext, CommandError, StartExecution};
use timeloom_domain::event::Aggregate;
use timeloom_domain::execution::{
    Execution, ExecutionCommand, ExecutionEvent, ExecutionMode, ExecutionStatus, StartFacts,
};
use timeloom_domain::ids::{EventId, ExecutionId};
use timeloom_engine::ContinueAsNew;
use timeloom_store::{
    Append, EventLog, Expected, Metadata, NewEvent, Position, RequestFacts, SubscriptionMessage, codec,
};
use uuid::Uuid;

use crate::bench::{World, at, chain, execution, file, fold, node, trigger};
use crate::control::until;
use crate::crash::{copy, result};
use crate::recovery::Watched;

/// Goes round so often, then asks of what in `Start` the last item was made.
fn a_loop(rounds: u64, body: &str) -> Value {
    let nodes = [
        trigger(),
        node("Loop", "rounds", json!({"rounds": rounds, "outputs": 2}), json!({})),
        at("Body", body, 0, 0),
        node("After", "trace", json!({"of": "Start"}), json!({})),
    ];
    file("v1", &nodes, &["Start>Loop", "Loop>Body", "Body>Loop", "Loop.1>After"])
}

fn bytes(event: &ExecutionEvent) -> usize {
    serde_json::to_vec(event).unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_rounds_in_many_streams_give_what_they_give_in_one() {
    let file = a_loop(3_000, "mark");
    let whole = World::in_links_of(1_000_000).run(&file).await;
    let world = World::in_links_of(500);
    let chained = world.run(&file).await;
    assert_eq!(whole.state.status, ExecutionStatus::Completed);
    assert_eq!(result(&chained.state), result(&whole.state));
    assert_eq!(chained.gave("After"), json!([[{"found": {}}]]), "traced back through every stream");

    let links = world.links(chained.id).await;
    assert_eq!(links.len(), whole.events.len().div_ceil(500 - 2), "{} events", whole.events.len());
    assert!(links.iter().all(|events| events.len() <= 501), "a stream ends when it is long");
    // What the seams cost does not grow with what lies behind.
    let summaries: Vec<usize> = links.iter().skip(1).map(|events| bytes(&events[0])).collect();
    let (first, most) = (summaries[0], summaries.iter().max().unwrap());
    assert!(*most <= first + 100, "{summaries:?}");
    let written = |events: &[ExecutionEvent]| events.iter().map(bytes).sum::<usize>();
    let (chained, whole) = (written(&chained.events), written(&whole.events));
    assert!(chained < whole + whole / 20, "{chained} bytes in many streams, {whole} in one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_stream_folds_by_itself_and_names_its_neighbours() {
    let world = World::in_links_of(5);
    let finished = world.run(&a_loop(4, "effect")).await;
    let links = world.links(finished.id).await;
    assert!(links.len() > 3, "{}", links.len());
    let states: Vec<Execution> = links.iter().map(|events| fold(events)).collect();
    let mut id = finished.id;
    for (number, state) in states.iter().enumerate() {
        let place = state.continued_from;
        assert_eq!(place.map_or(0, |place| place.link as usize), number);
        assert!(place.is_none_or(|place| place.root == finished.id));
        assert_eq!(state.start.as_ref().unwrap().seed, 42);
        assert_eq!(state.earlier_runs, states[..number].iter().map(|state| state.node_runs.len()).sum::<usize>());
        let Some(next) = state.continued_as else { break };
        assert_eq!(
            (state.status, states[number + 1].continued_from.unwrap().previous),
            (ExecutionStatus::Continued, id)
        );
        id = next;
    }
    assert_eq!(states.last().unwrap().status, ExecutionStatus::Completed);

    // Outside it is one execution: its calls have one id, and one event leads to all others.
    assert!(finished.calls.iter().all(|key| key.starts_with(&finished.id.to_string())), "{:?}", finished.calls);
    let root = world.recorded(finished.id).await[0].id;
    let last = world.recorded(id).await;
    assert!(last.iter().all(|event| event.metadata.correlation_id == Some(root)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_stream_begins_under_the_span_under_which_the_first_one_did() {
    const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let world = World::in_links_of(5);
    let engine = world.engine();
    engine.start().await.unwrap();
    let workflow = world.import(&a_loop(4, "effect")).await;
    let facts = RequestFacts {
        request_id: Some("r".to_owned()),
        traceparent: Some(CALLER.to_owned()),
        ..RequestFacts::default()
    };
    let context = CommandContext { request: Some(Arc::new(facts)), ..world.context() };
    let start = StartExecution { mode: ExecutionMode::Manual, ..StartExecution::by_hand(workflow) };
    let root = world.commands.start_execution(&context, start).await.unwrap().value;
    world.ended(root).await;
    let (mut next, mut streams) = (Some(root), 0);
    while let Some(id) = next {
        let recorded = world.recorded(id).await;
        let first = &recorded[0].metadata;
        assert_eq!(first.traceparent(), Some(CALLER));
        assert_eq!(first.request.as_ref().unwrap().request_id.is_some(), streams == 0, "only the first is a request's");
        assert!(recorded[1..].iter().all(|event| event.metadata.request.is_none()));
        streams += 1;
        next = fold(&world.events(id).await).continued_as;
    }
    assert!(streams > 3, "{streams}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_in_the_middle_of_something_large_stays_in_its_stream() {
    let mut world = World::new();
    world.continue_as_new = ContinueAsNew { events_max: 3, summary_bytes_max: 50_000 };
    let small = node("Small", "give", json!({"give": [[{"n": 1}]]}), json!({}));
    let large = node("Large", "large", json!({"bytes": 100_000}), json!({}));
    let marks = |names: [&str; 3]| names.map(|name| at(name, "mark", 0, 0));
    let steps = [vec![large], marks(["A", "B", "C"]).into(), vec![small], marks(["D", "E", "F"]).into()].concat();
    let finished = world.run(&chain(&steps)).await;
    assert_eq!(finished.state.status, ExecutionStatus::Completed);
    assert_eq!(finished.order(), ["Start", "Large", "A", "B", "C", "Small", "D", "E", "F"]);
    let lengths: Vec<usize> = world.links(finished.id).await.iter().map(Vec::len).collect();
    // Behind events 3 and 6 what is due is large, behind event 9 it is small.
    assert_eq!(lengths, [10, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_an_execution_reaches_the_stream_in_which_it_is() {
    let world = World::in_links_of(4);
    let stuck = node("Stuck", "effect", json!({"stuck": 1}), json!({}));
    let steps = [at("A", "effect", 0, 0), at("B", "effect", 0, 0), stuck];
    let engine = world.engine();
    engine.start().await.unwrap();
    let workflow = world.import(&chain(&steps)).await;
    let id = world.start(workflow, ExecutionMode::Manual).await;
    until("the third call is under way", || world.calls.made().len() == 3).await;
    let (context, reason) = (world.context(), "enough".to_owned());
    let cancel = || CancelExecution { execution_id: id, reason: reason.clone() };
    let cancelled = world.commands.cancel_execution(&context, cancel()).await.unwrap();
    let finished = world.ended(id).await;
    assert_eq!(finished.state.status, ExecutionStatus::Cancelled);
    assert_ne!(cancelled.value, id, "the answer names the stream that was ended");
    assert_eq!(
        world
            .events(cancelled.value)
            .await
            .last()
            .map(|event| matches!(event, ExecutionEvent::ExecutionCancelled { .. })),
        Some(true)
    );
    until("it is let go", || engine.open_count() == 0).await;
    let again = world.commands.cancel_execution(&context, cancel()).await.unwrap();
    assert_eq!((again.value, again.position, again.repeated), (cancelled.value, cancelled.position, true));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_begins_where_the_last_stream_began_after_a_restart() {
    let world = World::in_links_of(4);
    let stuck = node("Stuck", "effect", json!({"stuck": 1}), json!({}));
    let workflow = world.import(&chain(&[at("A", "effect", 0, 0), at("B", "effect", 0, 0), stuck])).await;
    let engine = world.engine();
    engine.start().await.unwrap();
    let id = world.start(workflow, ExecutionMode::Manual).await;
    until("the third call is under way", || world.calls.made().len() == 3).await;
    engine.stop().await;
    let links = world.links(id).await;
    let last = fold(&links[links.len() - 2]).continued_as.unwrap();
    let began = world.recorded(last).await[0].position;
    let saved = world.checkpoints.0.lock().unwrap().last().cloned().unwrap();
    assert_eq!(saved.settled, Position(began.0 - 1));
    let engine = world.engine();
    engine.start().await.unwrap();
    assert_eq!(world.ended(id).await.state.status, ExecutionStatus::Completed);
    assert_eq!(world.calls.made().len(), 4, "the call that had been under way is made again, no other");
    until("it is let go", || engine.open_count() == 0).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_reads_a_chain_again_drives_it_once() {
    let world = World::in_links_of(4);
    let stuck = node("Stuck", "effect", json!({"stuck": 1}), json!({}));
    let workflow = world.import(&chain(&[at("A", "effect", 0, 0), at("B", "effect", 0, 0), stuck])).await;
    let (watched, feed) = Watched::fed(&world);
    let engine = world.engine_over(Arc::clone(&watched) as Arc<dyn EventLog>, 8);
    engine.start().await.unwrap();
    feed.send(SubscriptionMessage::CaughtUp(world.log.head())).await.unwrap();
    let id = world.start(workflow, ExecutionMode::Manual).await;
    let root = world.recorded(id).await.remove(0);
    feed.send(SubscriptionMessage::Event(Arc::clone(&root))).await.unwrap();
    until("the third call is under way", || world.calls.made().len() == 3).await;
    let links = world.links(id).await;
    let second = world.recorded(fold(&links[0]).continued_as.unwrap()).await.remove(0);
    assert!(links.len() > 2);

    // Everything again: the streams that were left, and the one in which it is.
    feed.send(SubscriptionMessage::Event(root)).await.unwrap();
    feed.send(SubscriptionMessage::Event(second)).await.unwrap();
    feed.send(SubscriptionMessage::FellBehind(Position::START)).await.unwrap();
    let other = world.import(&chain(&[at("Mark", "mark", 0, 0)])).await;
    let later = world.start(other, ExecutionMode::Manual).await;
    world.ended(later).await;
    until("the streams that were left are let go", || engine.open_count() == 1).await;
    assert_eq!((world.calls.made().len(), world.links(id).await), (3, links), "nothing was done twice");
    let cancel = CancelExecution { execution_id: id, reason: "enough".to_owned() };
    world.commands.cancel_execution(&world.context(), cancel).await.unwrap();
    until("it is let go", || engine.open_count() == 0).await;
    engine.stop().await;
}

/// Appends events to a stream as they are.
async fn write(world: &World, id: ExecutionId, events: &[ExecutionEvent]) {
    let command_id = world.context().command_id;
    let actor = world.context().actor;
    let metadata = Arc::new(Metadata { actor, command_id, causation_id: None, correlation_id: None, request: None });
    let new = |event: &ExecutionEvent| {
        let encoded = codec::encode(event).unwrap();
        NewEvent {
            id: EventId(world.context().command_id.0),
            event_type: encoded.event_type.into(),
            event_version: encoded.event_version,
            payload: encoded.payload,
            metadata: Arc::clone(&metadata),
        }
    };
    let (stream, events) = (execution(id), events.iter().map(new).collect());
    world.log.append(Append::new(stream, Expected::NoStream, events, command_id)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_between_two_streams_is_a_conflict() {
    let world = World::new();
    let workflow = world.import(&chain(&[at("Mark", "mark", 0, 0)])).await;
    let id = world.start(workflow, ExecutionMode::Manual).await;
    let started = world.events(id).await;
    let left = ExecutionId(Uuid::from_u128(77));
    let next = ExecutionId(Uuid::from_u128(78));
    let as_new = fold(&started)
        .decide(&ExecutionCommand::Record(Box::new(ExecutionEvent::ExecutionContinuedAsNew { next, at_ms: 1 })))
        .unwrap();
    write(&world, left, &[started, as_new].concat()).await;
    let cancel = CancelExecution { execution_id: left, reason: String::new() };
    let answer = world.commands.cancel_execution(&world.context(), cancel.clone()).await;
    assert!(matches!(&answer, Err(CommandError::Conflict { message }) if message.ends_with("try again")), "{answer:?}");
    // An engine begins the next stream; then it can be cancelled, or has ended.
    let engine = world.engine();
    engine.start().await.unwrap();
    assert_eq!(world.ended(left).await.state.status, ExecutionStatus::Completed);
    let answer = world.commands.cancel_execution(&world.context(), cancel).await;
    assert!(matches!(&answer, Err(CommandError::Refused(refusal)) if refusal.code == "EXECUTION_ENDED"), "{answer:?}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_whose_earlier_streams_are_not_there_fails_and_says_so() {
    let first = World::in_links_of(4);
    let finished = first.run_in(&a_loop(3, "mark"), ExecutionMode::Manual).await;
    let links = first.links(finished.id).await;
    let previous = fold(&links[2]).continued_from.unwrap().previous;
    let last = fold(&links[1]).continued_as.unwrap();
    let StartFacts { workflow_id, .. } = *finished.state.start.unwrap();
    let workflow = first.workflow(workflow_id).await;
    let kept = first.recorded(last).await;

    let world = World::in_links_of(1_000);
    copy(&world, &workflow).await;
    copy(&world, &kept[..1]).await;
    let engine = world.engine();
    engine.start().await.unwrap();
    let ended = world.ended(last).await.state;
    engine.stop().await;
    assert_eq!(ended.status, ExecutionStatus::Failed);
    let message = ended.error.unwrap()["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&previous.to_string()) && message.ends_with("restore the log from a backup"), "{message}");
}
