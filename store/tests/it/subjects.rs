//! Personal fields are sealed on their way in, opened on their way out, and gone once their key is.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_domain::personal::Personal;
use timeloom_domain::subject::KEYS_STREAM_ID;
use timeloom_store::subjects::vault::{MasterKey, MasterKeys};
use timeloom_store::subjects::{check_keys, is_erased, is_sealed};
use timeloom_store::{
    Append, AppendError, Direction, EventLog, Expected, Filter, FoundKey, LogError, MemoryLog, MemorySubjectKeys,
    Metadata, NewEvent, Position, RecordedEvent, Revision, SealingLog, StreamKey, SubjectKeyError, SubjectKeys,
    SubscriptionMessage, SystemClock, TenantScope,
};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Master keys that never change.
pub(crate) struct OneMaster;

impl MasterKeys for OneMaster {
    fn newest(&self) -> Result<MasterKey, SubjectKeyError> {
        Ok(MasterKey { fingerprint: "one".to_owned(), bytes: Zeroizing::new([7; 32]) })
    }

    fn find(&self, fingerprint: &str) -> Result<MasterKey, SubjectKeyError> {
        if fingerprint == "one" {
            return self.newest();
        }
        Err(SubjectKeyError::NoMasterKey { fingerprint: fingerprint.to_owned() })
    }
}

pub(crate) fn keys() -> Arc<MemorySubjectKeys> {
    Arc::new(MemorySubjectKeys::new(Arc::new(OneMaster)))
}

const TENANT: TenantId = TenantId(1);
const SECRET: &str = "ada@example.org";

struct World {
    raw: Arc<MemoryLog>,
    keys: Arc<MemorySubjectKeys>,
    log: Arc<SealingLog>,
}

fn world() -> World {
    let (raw, keys) = (MemoryLog::new(Arc::new(SystemClock)), keys());
    let log = SealingLog::new(Arc::clone(&raw) as _, Arc::clone(&keys) as _, Arc::new(SystemClock), true);
    World { log, raw, keys }
}

fn event(number: u128, event_type: &str, payload: &str) -> NewEvent {
    let command_id = CommandId(Uuid::from_u128(number));
    NewEvent {
        id: EventId(Uuid::from_u128(number)),
        event_type: event_type.into(),
        event_version: 1,
        payload: Arc::from(RawValue::from_string(payload.to_owned()).unwrap()),
        metadata: Arc::new(Metadata::new(Actor::Local("owner".to_owned()), command_id)),
    }
}

fn execution() -> StreamKey {
    StreamKey::new(TENANT, "execution", "one")
}

fn append(expected: Expected, events: Vec<NewEvent>) -> Append {
    let command_id = events[0].metadata.command_id;
    Append::new(execution(), expected, events, command_id)
}

fn started() -> NewEvent {
    let payload =
        format!(r#"{{"type":"execution_started","items":[{{"json":{{"mail":"{SECRET}"}}}}],"subject":"ada"}}"#);
    event(1, "ExecutionStarted", &payload)
}

fn completed(number: u128) -> NewEvent {
    let blob = format!("blob:{}", "ab".repeat(32));
    let payload = format!(
        r#"{{"type":"node_completed","duration_us":3,"outputs":[[{{"json":{{"mail":"{SECRET}","file":"{blob}"}}}}]]}}"#
    );
    event(number, "NodeCompleted", &payload)
}

/// A log with an execution of `ada`.
async fn with_execution() -> World {
    let world = world();
    world.log.append(append(Expected::NoStream, vec![started()]).about(Some("ada"))).await.unwrap();
    // Who adds to the stream need not say whom it is about.
    world.log.append(append(Expected::Exact(Revision(1)), vec![completed(2)])).await.unwrap();
    world
}

/// Everything but what says that there are keys.
async fn all(log: &dyn EventLog) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
    let mut read = log.read_all(TenantScope::All, Position::START, Direction::Forward, &Filter::default(), 100).await?;
    read.retain(|event| *event.stream.id != *KEYS_STREAM_ID);
    Ok(read)
}

fn of_executions() -> Filter {
    Filter { categories: vec!["execution".into()], ..Filter::default() }
}

#[tokio::test]
async fn what_is_stored_names_nobody_and_what_is_read_is_what_came_in() {
    let world = with_execution().await;
    for stored in all(&*world.raw).await.unwrap() {
        let text = stored.payload.get();
        assert!(is_sealed(&stored.payload) && !text.contains(SECRET) && !text.contains("\"ada\""), "{text}");
        assert!(text.contains(r#""type":"#) && !text.contains("one@"), "what is not personal stays: {text}");
    }
    let stored = all(&*world.raw).await.unwrap();
    assert!(stored[1].payload.get().contains(&format!("blob:{}", "ab".repeat(32))), "copies find attachments");
    let read = all(&*world.log).await.unwrap();
    assert_eq!(read[0].payload.get(), started().payload.get());
    assert_eq!(read[1].payload.get(), completed(2).payload.get());
    let mut live = world.log.subscribe(TenantScope::All, Position::START, of_executions(), 10);
    let Some(SubscriptionMessage::Event(first)) = live.next().await else { panic!("no event") };
    assert_eq!(first.payload.get(), started().payload.get());
    let Some(SubscriptionMessage::Event(second)) = live.try_next() else { panic!("no event") };
    assert_eq!(second.payload.get(), completed(2).payload.get());
}

#[tokio::test]
async fn the_same_append_again_gets_the_first_answer() {
    let world = with_execution().await;
    let again = world.log.append(append(Expected::NoStream, vec![started()]).about(Some("ada"))).await.unwrap();
    assert!(again.repeated && again.events[0].payload.get() == started().payload.get());
    let other = NewEvent { payload: completed(1).payload, ..started() };
    let refused = world.log.append(append(Expected::NoStream, vec![other]).about(Some("ada"))).await;
    assert!(matches!(refused, Err(AppendError::DuplicateId)), "{refused:?}");
}

#[tokio::test]
async fn an_erased_subject_is_nowhere_and_the_stored_bytes_are_what_they_were() {
    let world = with_execution().await;
    let before: Vec<String> =
        all(&*world.raw).await.unwrap().iter().map(|event| event.payload.get().to_owned()).collect();
    let ids = world.keys.find(TENANT, "ada").await.unwrap();
    world.keys.destroy(&ids).await.unwrap();
    let after: Vec<String> =
        all(&*world.raw).await.unwrap().iter().map(|event| event.payload.get().to_owned()).collect();
    assert_eq!(before, after);
    let read = all(&*world.log).await.unwrap();
    assert!(read.iter().all(|event| is_erased(&event.payload)));
    let expected = r#"{"$erased":["items","subject"],"type":"execution_started","items":[],"subject":"[erased]"}"#;
    assert_eq!(read[0].payload.get(), expected);
    // What is added afterwards is not kept.
    world.log.append(append(Expected::Exact(Revision(2)), vec![completed(3)])).await.unwrap();
    let third = all(&*world.raw).await.unwrap().pop().unwrap();
    assert!(is_erased(&third.payload) && !third.payload.get().contains(SECRET), "{}", third.payload.get());
    // Somebody of the same name is somebody else.
    assert_ne!(world.keys.of_subject(TENANT, "ada").await.unwrap().id, ids[0]);
}

#[tokio::test]
async fn a_lost_key_is_a_fault_and_never_looks_erased() {
    let world = with_execution().await;
    let backup = world.keys.backup().await.unwrap();
    assert!(!backup.contains("ada") && !backup.contains(SECRET));
    let others = keys();
    let log = SealingLog::new(Arc::clone(&world.raw) as _, Arc::clone(&others) as _, Arc::new(SystemClock), true);
    let fault = all(&*log).await.unwrap_err();
    assert!(fault.to_string().contains("subject-keys restore"), "{fault}");
    let mut live = log.subscribe(TenantScope::All, Position::START, Filter::default(), 10);
    assert!(matches!(live.next().await, Some(SubscriptionMessage::Failed(_))));
    assert!(live.next().await.is_none(), "the subscription ends with the fault");
    assert_eq!(others.restore(&backup).await.unwrap(), 1);
    assert_eq!(all(&*log).await.unwrap()[0].payload.get(), started().payload.get());
    assert_eq!(others.find(TENANT, "ada").await.unwrap(), world.keys.find(TENANT, "ada").await.unwrap());
}

#[tokio::test]
async fn where_all_keys_are_lost_nothing_is_kept_under_new_ones_until_somebody_accepts_it() {
    let world = with_execution().await;
    check_keys(&*world.raw, &*world.keys).await.unwrap();
    let others = keys();
    let lost = check_keys(&*world.raw, &*others).await.unwrap_err();
    assert!(matches!(lost, SubjectKeyError::AllLost) && lost.to_string().contains("subject-keys restore"), "{lost}");
    let log = SealingLog::new(Arc::clone(&world.raw) as _, Arc::clone(&others) as _, Arc::new(SystemClock), true);
    let begin = |number| {
        let stream = StreamKey::new(TENANT, "execution", format!("new {number}"));
        let begun = NewEvent { id: EventId(Uuid::from_u128(number)), ..started() };
        Append::new(stream, Expected::NoStream, vec![begun], CommandId(Uuid::from_u128(number))).about(Some("bob"))
    };
    let refused = log.append(begin(50)).await;
    assert!(matches!(refused, Err(AppendError::Subject(SubjectKeyError::AllLost))), "{refused:?}");
    assert!(others.find(TENANT, "bob").await.unwrap().is_empty(), "no key was made");
    log.accept_lost_keys();
    log.append(begin(51)).await.unwrap();
    check_keys(&*world.raw, &*others).await.unwrap();
    // A key that was erased is not lost, whichever file of keys is there.
    let first = world.keys.find(TENANT, "ada").await.unwrap();
    let empty = keys();
    empty.destroy(&[first, others.find(TENANT, "bob").await.unwrap()].concat()).await.unwrap();
    check_keys(&*world.raw, &*empty).await.unwrap();
}

#[tokio::test]
async fn an_old_backup_of_keys_revives_nobody() {
    let world = with_execution().await;
    let backup = world.keys.backup().await.unwrap();
    let ids = world.keys.find(TENANT, "ada").await.unwrap();
    world.keys.destroy(&ids).await.unwrap();
    assert_eq!(world.keys.restore(&backup).await.unwrap(), 0);
    assert!(matches!(world.keys.open(ids[0]).await.unwrap(), FoundKey::Erased));
    // As after a start with another file of keys: the log says first who was erased.
    let others = keys();
    others.destroy(&ids).await.unwrap();
    assert_eq!(others.restore(&backup).await.unwrap(), 0);
}

#[tokio::test]
async fn a_sealed_event_that_was_moved_does_not_open() {
    let world = with_execution().await;
    let stored = all(&*world.raw).await.unwrap();
    let moved = NewEvent { payload: Arc::clone(&stored[1].payload), ..event(9, "NodeCompleted", "{}") };
    let other = StreamKey::new(TENANT, "execution", "two");
    let command_id = moved.metadata.command_id;
    world.raw.append(Append::new(other, Expected::NoStream, vec![moved], command_id)).await.unwrap();
    let fault = all(&*world.log).await.unwrap_err();
    assert!(matches!(fault, LogError::Corrupt { position: Position(4), .. }), "{fault}");
}

#[tokio::test]
async fn what_others_write_is_left_alone_however_it_looks() {
    let world = world();
    let stream = StreamKey::new(TENANT, "order", "7");
    let placed = event(1, "OrderPlaced", r#"{"$sealed":{"key":1},"a":1}"#);
    let command_id = placed.metadata.command_id;
    world
        .log
        .append(Append::new(stream, Expected::NoStream, vec![placed], command_id).about(Some("ada")))
        .await
        .unwrap();
    assert_eq!(all(&*world.log).await.unwrap()[0].payload.get(), r#"{"$sealed":{"key":1},"a":1}"#);
}

#[tokio::test]
async fn accounts_are_sealed_where_that_is_asked_for() {
    for seals in [true, false] {
        let World { raw, keys, .. } = world();
        let log = SealingLog::new(Arc::clone(&raw) as _, keys as _, Arc::new(SystemClock), seals);
        let stream = StreamKey::new(TENANT, "account", "7");
        let made =
            event(1, "AccountCreated", &format!(r#"{{"type":"account_created","name":"Ada","email":"{SECRET}"}}"#));
        let command_id = made.metadata.command_id;
        log.append(Append::new(stream, Expected::NoStream, vec![made], command_id).about(Some("account:7")))
            .await
            .unwrap();
        assert_eq!(all(&*raw).await.unwrap()[0].payload.get().contains(SECRET), !seals);
    }
}

/// Every stored event that has personal fields, in each version.
fn golden() -> Vec<(String, String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain/tests/golden");
    let mut found = Vec::new();
    for category in [
        "execution",
        "account",
        "subject",
        "model-call",
        "inference",
        "session",
        "agent-run",
        "agent-memory",
        "vector-collection",
        "data-table",
        "evaluation-set",
    ] {
        for (event_type, _) in Personal::of(category).unwrap().types {
            for version in 1.. {
                let Ok(text) = fs::read_to_string(folder.join(format!("{event_type}.v{version}.json"))) else { break };
                found.push((category.to_owned(), (*event_type).to_owned(), serde_json::from_str(&text).unwrap()));
            }
        }
    }
    found
}

#[tokio::test]
async fn every_event_with_personal_fields_comes_back_byte_for_byte_and_keeps_none_of_them_once_erased() {
    let events = golden();
    assert!(events.len() > 25, "the golden files were found");
    for (number, (category, event_type, value)) in (1u128..).zip(events) {
        let world = world();
        let payload = value.to_string();
        let new = event(number, &event_type, &payload);
        let command_id = new.metadata.command_id;
        let stream = StreamKey::new(TENANT, category.as_str(), "one");
        let append = Append::new(stream, Expected::NoStream, vec![new], command_id).about(Some("ada"));
        world.log.append(append).await.unwrap();
        assert_eq!(all(&*world.log).await.unwrap()[0].payload.get(), payload);
        let ids = world.keys.find(TENANT, "ada").await.unwrap();
        world.keys.destroy(&ids).await.unwrap();
        let erased: Value = serde_json::from_str(all(&*world.log).await.unwrap()[0].payload.get()).unwrap();
        let gone = erased.get("$erased").and_then(Value::as_array).cloned().unwrap_or_default();
        for field in Personal::of(&category).unwrap().fields(&event_type) {
            let at =
                |value: &Value| field.path.split('.').try_fold(value.clone(), |value, name| value.get(name).cloned());
            if at(&value).is_none() {
                continue;
            }
            let placeholder: Value = serde_json::from_str(field.erased).unwrap();
            assert_eq!(at(&erased), Some(placeholder), "{event_type} {}", field.path);
            assert!(gone.contains(&field.path.into()), "{event_type} tells that {} is gone", field.path);
        }
    }
}
