//! Rules of the Subject aggregate, and what stands for erased fields.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use timeloom_domain::account::{Account, AccountEvent};
use timeloom_domain::agent_memory::AgentMemory;
use timeloom_domain::agent_run::{AgentRun, AgentRunEvent};
use timeloom_domain::data_table::{TableRows, TableRowsEvent};
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::execution::{Execution, ExecutionEvent};
use timeloom_domain::ids::{AccountId, Actor};
use timeloom_domain::inference::Inferences;
use timeloom_domain::model_call::ModelCalls;
use timeloom_domain::personal::{Personal, PersonalField};
use timeloom_domain::session::{Session, SessionEvent};
use timeloom_domain::subject::{
    Subject, SubjectCommand, SubjectEvent, SubjectRefusal, account_of, check_name, of_account,
};
use timeloom_domain::vectors::{VectorCollection, VectorEvent};
use uuid::Uuid;

use crate::given::given;

const KEY: Uuid = Uuid::from_u128(5);

fn user(number: u128) -> Actor {
    Actor::User(AccountId(Uuid::from_u128(number)))
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn requested(by: Actor) -> SubjectEvent {
    SubjectEvent::ErasureRequested { subject: text("customer-1"), reason: text("asked"), by }
}

fn held() -> SubjectEvent {
    let (hold, subject, reason) = (text("case 7"), text("customer-1"), text("court"));
    SubjectEvent::LegalHoldPlaced { hold, subject, reason, by: user(1) }
}

fn approve(by: Actor) -> SubjectCommand {
    SubjectCommand::ApproveErasure { by, keys: vec![KEY], under_way: 0, lets_in: false, at_ms: 9 }
}

fn erased(by: Actor) -> [SubjectEvent; 2] {
    [SubjectEvent::ErasureApproved { by }, SubjectEvent::SubjectErased { keys: vec![KEY], at_ms: 9 }]
}

#[test]
fn an_erasure_takes_one_who_asks_and_another_who_approves() {
    let request = |by| SubjectCommand::RequestErasure { subject: text("customer-1"), reason: text("asked"), by };
    given::<Subject>([]).when(approve(user(2))).refused(SubjectRefusal::NotRequested);
    given::<Subject>([]).when(request(user(1))).then([requested(user(1))]);
    given::<Subject>([requested(user(1))]).when(request(user(1))).changes_nothing();
    given::<Subject>([requested(user(1))]).when(request(user(2))).refused(SubjectRefusal::AlreadyRequested);
    given::<Subject>([requested(user(1))]).when(approve(user(1))).refused(SubjectRefusal::SamePerson);
    given::<Subject>([requested(user(1))]).when(approve(user(2))).then(erased(user(2)));
    let machine = |name: &str| Actor::Local(text(name));
    given::<Subject>([requested(machine("a"))]).when(approve(machine("b"))).refused(SubjectRefusal::SamePerson);
    given::<Subject>([requested(machine("a"))]).when(approve(user(2))).then(erased(user(2)));
    let service = Actor::Service(AccountId(Uuid::from_u128(3)));
    given::<Subject>([requested(user(1))]).when(approve(service)).refused(SubjectRefusal::NotAPerson);
}

#[test]
fn what_was_withdrawn_cannot_be_approved_and_what_is_erased_stays_so() {
    let withdrawn = SubjectEvent::ErasureWithdrawn { reason: text("mistake"), by: user(1) };
    let history = [requested(user(1)), withdrawn];
    given::<Subject>(history).when(approve(user(2))).refused(SubjectRefusal::NotRequested);
    let gone = || [vec![requested(user(1))], erased(user(2)).to_vec()].concat();
    given::<Subject>(gone()).when(approve(user(3))).changes_nothing();
    let again = SubjectCommand::RequestErasure { subject: text("customer-1"), reason: text("again"), by: user(1) };
    given::<Subject>(gone()).when(again).refused(SubjectRefusal::Erased);
    let withdraw = SubjectCommand::WithdrawErasure { reason: text("no"), by: user(1) };
    given::<Subject>(gone()).when(withdraw).refused(SubjectRefusal::Erased);
    let complete = SubjectCommand::CompleteErasure { streams: 1, events: 2, at_ms: 10 };
    let completed = SubjectEvent::ErasureCompleted { streams: 1, events: 2, at_ms: 10 };
    given::<Subject>(gone()).when(complete.clone()).then([completed.clone()]);
    given::<Subject>([gone(), vec![completed]].concat()).when(complete).changes_nothing();
}

#[test]
fn holds_and_work_under_way_are_in_the_way_of_an_erasure() {
    let on_hold = || [held(), requested(user(1))];
    given::<Subject>(on_hold()).when(approve(user(2))).refused(SubjectRefusal::OnHold(text("case 7")));
    let under_way = |under_way, lets_in| SubjectCommand::ApproveErasure {
        by: user(2),
        keys: vec![KEY],
        under_way,
        lets_in,
        at_ms: 9,
    };
    given::<Subject>([requested(user(1))]).when(under_way(3, false)).refused(SubjectRefusal::UnderWay(3));
    given::<Subject>([requested(user(1))]).when(under_way(0, true)).refused(SubjectRefusal::AccountEnabled);
}

#[test]
fn a_hold_ends_when_one_asks_and_another_approves() {
    let release = |by| SubjectCommand::ApproveRelease { hold: text("case 7"), by };
    let ask = |by| SubjectCommand::RequestRelease { hold: text("case 7"), reason: text("closed"), by };
    let asked = |by| SubjectEvent::LegalHoldReleaseRequested { hold: text("case 7"), reason: text("closed"), by };
    given::<Subject>([]).when(ask(user(1))).refused(SubjectRefusal::NoSuchHold(text("case 7")));
    given::<Subject>([held()]).when(release(user(2))).refused(SubjectRefusal::ReleaseNotRequested);
    given::<Subject>([held()]).when(ask(user(1))).then([asked(user(1))]);
    given::<Subject>([held(), asked(user(1))]).when(release(user(1))).refused(SubjectRefusal::SamePerson);
    let released = SubjectEvent::LegalHoldReleased { hold: text("case 7"), by: user(2) };
    given::<Subject>([held(), asked(user(1))]).when(release(user(2))).then([released.clone()]);
    let free = [held(), asked(user(1)), released, requested(user(1))];
    given::<Subject>(free).when(approve(user(2))).then(erased(user(2)));
}

#[test]
fn names_are_checked() {
    assert_eq!(account_of(&of_account(AccountId(KEY))), Some(AccountId(KEY)));
    assert_eq!(account_of("customer-1"), None);
    for wrong in ["", " a", "a\n", "[erased]", &"x".repeat(201)] {
        assert_eq!(check_name(wrong), Err(SubjectRefusal::InvalidName), "{wrong:?}");
    }
}

fn golden(event_type: &str, version: u16) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{event_type}.v{version}.json"));
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// The field at a path; `None` when it is not there.
fn at<'a>(payload: &'a mut Value, field: &PersonalField) -> Option<&'a mut Value> {
    field.path.split('.').try_fold(payload, |value, name| value.get_mut(name))
}

/// Folds every event with personal fields, in each version, as it is once it is erased; tells which fields were found.
fn fold_erased<A>()
where
    A: Aggregate,
    A::Event: DeserializeOwned,
{
    let personal = Personal::of(A::Event::CATEGORY).unwrap();
    for (event_type, fields) in personal.types {
        let current = A::Event::current_version(event_type).unwrap();
        let mut state = A::default();
        for version in 1..=current {
            let mut payload = golden(event_type, version);
            for field in *fields {
                let placeholder: Value = serde_json::from_str(field.erased).unwrap();
                match at(&mut payload, field) {
                    Some(value) => *value = placeholder,
                    None if version < current => {}
                    // What is there in another kind of the same event only.
                    None => assert_eq!(*event_type, "ExecutionPaused", "{event_type} has no '{}'", field.path),
                }
            }
            payload["$erased"] = Value::Array(Vec::new());
            let event = A::Event::read(&payload.to_string()).unwrap_or_else(|error| panic!("{event_type}: {error}"));
            state.apply(&event);
        }
    }
}

#[test]
fn every_event_is_read_and_folded_with_what_stands_for_its_erased_fields() {
    fold_erased::<Execution>();
    fold_erased::<Account>();
    fold_erased::<ModelCalls>();
    fold_erased::<Inferences>();
    fold_erased::<Subject>();
    fold_erased::<Session>();
    fold_erased::<AgentRun>();
    fold_erased::<AgentMemory>();
    fold_erased::<VectorCollection>();
    fold_erased::<TableRows>();
}

#[test]
fn the_first_event_of_an_execution_says_whom_it_is_about() {
    for event_type in ["ExecutionStarted", "ExecutionRetried", "ExecutionForked", "ExecutionContinued"] {
        let version = ExecutionEvent::current_version(event_type).unwrap();
        let event: ExecutionEvent = serde_json::from_value(golden(event_type, version)).unwrap();
        assert_eq!(event.subject("an id").as_deref(), Some("customer-4711"), "{event_type}");
    }
    let created: AccountEvent = serde_json::from_value(golden("AccountCreated", 1)).unwrap();
    assert_eq!(created.subject("7").as_deref(), Some("account:7"));
    let session: SessionEvent = serde_json::from_value(golden("SessionStarted", 1)).unwrap();
    assert_eq!(session.subject("a session").as_deref(), Some("account:01920000-0000-7000-8000-00000000000a"));
}

#[test]
fn what_an_execution_or_a_run_brings_is_about_the_same_as_it() {
    let of = |event: Option<(&'static str, String)>| event.map(|(category, id)| format!("{category}/{id}"));
    let vectors: VectorEvent = serde_json::from_value(golden("VectorsAdded", 1)).unwrap();
    let expected = "execution/0190f3c0-0000-7000-8000-000000000009";
    assert_eq!(of(vectors.subject_stream()).as_deref(), Some(expected));
    for event_type in ["TableRowsInserted", "TableRowsUpdated"] {
        let rows: TableRowsEvent = serde_json::from_value(golden(event_type, 1)).unwrap();
        assert_eq!(of(rows.subject_stream()).as_deref(), Some(expected), "{event_type}");
    }
    let forked: AgentRunEvent = serde_json::from_value(golden("AgentRunForked", 1)).unwrap();
    let expected = "agent-run/01920000-0000-7000-8000-000000000001";
    assert_eq!(of(forked.subject_stream()).as_deref(), Some(expected));
    let started: AgentRunEvent = serde_json::from_value(golden("AgentRunStarted", 1)).unwrap();
    let AgentRunEvent::AgentRunStarted(facts) = &started else { panic!("{started:?}") };
    let caller = facts.caller.as_ref().map(|caller| format!("execution/{}", caller.execution));
    assert!(caller.is_some() && of(started.subject_stream()) == caller);
}
