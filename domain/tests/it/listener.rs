//! Rules of the Listener aggregate.

use serde_json::{Value, json};
use timeloom_domain::ids::WorkflowId;
use timeloom_domain::listener::{
    CURSOR_BYTES_MAX, LISTENING_TYPES, Listener, ListenerCommand, ListenerEvent, ListenerFacts, ListenerRefusal,
    REFUSED_KEPT_MAX, RefusedMessage, WORDS_CHARACTERS_MAX, listener_id, message_execution,
};
use uuid::Uuid;

use crate::given::given;

fn facts(place: &str) -> ListenerFacts {
    ListenerFacts {
        workflow_id: WorkflowId(Uuid::from_u128(7)),
        node: "Orders".to_owned(),
        node_type: "n8n-nodes-base.mqttTrigger".to_owned(),
        place: place.to_owned(),
    }
}

fn opened(place: &str) -> ListenerEvent {
    ListenerEvent::ListenerOpened { facts: facts(place), worker: "one".to_owned() }
}

fn open(place: &str, worker: &str) -> ListenerCommand {
    ListenerCommand::Open { facts: facts(place), worker: worker.to_owned() }
}

fn failed(attempts: u32) -> ListenerEvent {
    ListenerEvent::ListenerFailed { facts: facts("here"), attempts, error: "away".to_owned() }
}

fn fail(attempts: u32) -> ListenerCommand {
    ListenerCommand::Fail { facts: facts("here"), attempts, error: "away".to_owned() }
}

fn advanced(cursor: Value) -> ListenerEvent {
    ListenerEvent::ListenerAdvanced { messages: 1, cursor: Some(cursor) }
}

fn message(position: &str) -> RefusedMessage {
    RefusedMessage { position: position.to_owned(), reason: "too large".to_owned(), bytes: 9, digest: "d".repeat(64) }
}

fn state(events: impl IntoIterator<Item = ListenerEvent>) -> Listener {
    given::<Listener>(events).state
}

#[test]
fn a_worker_opens_once_until_it_fails_or_another_opens() {
    given::<Listener>([]).when(open("here", "one")).then([opened("here")]);
    given::<Listener>([opened("here")]).when(open("here", "one")).changes_nothing();
    given::<Listener>([opened("here"), failed(1)]).when(open("here", "one")).then([opened("here")]);
    let other = ListenerEvent::ListenerOpened { facts: facts("here"), worker: "two".to_owned() };
    given::<Listener>([opened("here")]).when(open("here", "two")).then([other]);
}

#[test]
fn failures_in_a_row_are_counted_and_none_is_told_twice() {
    given::<Listener>([]).when(fail(1)).then([failed(1)]);
    given::<Listener>([failed(2)]).when(fail(2)).changes_nothing();
    given::<Listener>([failed(2)]).when(fail(4)).then([failed(4)]);
    assert_eq!(state([failed(4), opened("here")]).attempts, 0);
}

#[test]
fn a_cursor_belongs_to_its_place() {
    let events = [opened("here"), advanced(json!({ "offset": 7 }))];
    assert_eq!(state(events.clone()).cursor_at(&facts("here")), Some(&json!({ "offset": 7 })));
    assert_eq!(state(events.clone()).cursor_at(&facts("there")), None);
    let moved = events.into_iter().chain([opened("there"), opened("here")]);
    assert_eq!(state(moved).cursor_at(&facts("here")), None, "what was there before may be gone");
}

#[test]
fn a_cursor_that_does_not_move_without_messages_is_not_written_down() {
    let advance = |messages, cursor| ListenerCommand::Advance { messages, cursor };
    let events = [opened("here"), advanced(json!(7))];
    given::<Listener>(events.clone()).when(advance(0, Some(json!(7)))).changes_nothing();
    given::<Listener>(events.clone()).when(advance(0, None)).changes_nothing();
    given::<Listener>(events.clone()).when(advance(1, Some(json!(8)))).then([advanced(json!(8))]);
    let large = json!("x".repeat(CURSOR_BYTES_MAX));
    let refusal = ListenerRefusal::CursorTooLarge(CURSOR_BYTES_MAX + 2);
    given::<Listener>(events).when(advance(1, Some(large))).refused(refusal);
}

#[test]
fn a_message_that_comes_again_is_refused_once_and_few_are_kept_at_a_glance() {
    let refused = |position: &str| ListenerEvent::ListenerMessageRefused { message: message(position) };
    given::<Listener>([refused("1")]).when(ListenerCommand::Refuse(message("1"))).changes_nothing();
    given::<Listener>([refused("1")]).when(ListenerCommand::Refuse(message("2"))).then([refused("2")]);
    let many = state((0..=REFUSED_KEPT_MAX).map(|number| refused(&number.to_string())));
    assert_eq!((many.refused, many.newest_refused.len()), (REFUSED_KEPT_MAX as u64 + 1, REFUSED_KEPT_MAX));
    assert_eq!(many.newest_refused[0].position, "1");
}

#[test]
fn words_of_the_other_side_are_cut_to_length() {
    let error = "x".repeat(2 * WORDS_CHARACTERS_MAX);
    let command = ListenerCommand::Fail { facts: facts("here"), attempts: 1, error };
    let cut =
        ListenerEvent::ListenerFailed { facts: facts("here"), attempts: 1, error: "x".repeat(WORDS_CHARACTERS_MAX) };
    given::<Listener>([]).when(command).then([cut]);
}

#[test]
fn ids_follow_from_workflow_node_and_position_and_never_change() {
    assert!(LISTENING_TYPES.is_sorted());
    let id = listener_id(WorkflowId(Uuid::from_u128(7)), "Orders");
    assert_eq!(id, listener_id(WorkflowId(Uuid::from_u128(7)), "Orders"));
    assert_ne!(id, listener_id(WorkflowId(Uuid::from_u128(8)), "Orders"));
    assert_ne!(message_execution(id, "1"), message_execution(id, "2"));
    assert_eq!(id.to_string(), "a2d44419-fdd8-50e6-b375-02cad6f784ae");
    assert_eq!(message_execution(id, "orders/0/42").to_string(), "8fd92254-8523-56dc-89fc-fc68d8987d7f");
}
