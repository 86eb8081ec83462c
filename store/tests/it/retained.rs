//! What begins in a category that is kept for a limited time goes with the key of its day, or with its subject.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_domain::retention::bucket_name;
use timeloom_store::subjects::{is_erased, is_sealed, keys_of};
use timeloom_store::{
    Append, Clock, Direction, EventLog, Expected, Filter, LogError, MemoryLog, MemorySubjectKeys, Metadata, NewEvent,
    Position, RecordedEvent, Revision, SealingLog, StreamKey, SubjectKeys, SystemClock, TenantScope,
};
use uuid::Uuid;

use crate::subjects::keys;

const TENANT: TenantId = TenantId(1);
const SECRET: &str = "ada@example.org";
const DAY: i64 = 20_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

struct Day(AtomicI64);

impl Clock for Day {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0.load(Ordering::SeqCst) * DAY_MS).unwrap()
    }
}

struct World {
    raw: Arc<MemoryLog>,
    keys: Arc<MemorySubjectKeys>,
    day: Arc<Day>,
    log: Arc<SealingLog>,
    number: AtomicI64,
}

impl World {
    fn new() -> Self {
        let (raw, keys, day) = (MemoryLog::new(Arc::new(SystemClock)), keys(), Arc::new(Day(AtomicI64::new(DAY))));
        let log = SealingLog::new(Arc::clone(&raw) as _, Arc::clone(&keys) as _, Arc::clone(&day) as _, true);
        Self { raw, keys, day, log, number: AtomicI64::new(1) }
    }

    async fn add(&self, category: &str, id: &str, expected: Expected, event_type: &str, payload: &str) {
        self.add_about(None, category, id, expected, (event_type, payload)).await;
    }

    async fn add_about(
        &self,
        subject: Option<&str>,
        category: &str,
        id: &str,
        expected: Expected,
        (event_type, payload): (&str, &str),
    ) {
        let number = self.number.fetch_add(1, Ordering::SeqCst).unsigned_abs();
        let command_id = CommandId(Uuid::from_u128(number.into()));
        let event = NewEvent {
            id: EventId(command_id.0),
            event_type: event_type.into(),
            event_version: 1,
            payload: Arc::from(RawValue::from_string(payload.to_owned()).unwrap()),
            metadata: Arc::new(Metadata::new(Actor::Local("owner".to_owned()), command_id)),
        };
        let stream = StreamKey::new(TENANT, category, id);
        self.log.append(Append::new(stream, expected, vec![event], command_id).about(subject)).await.unwrap();
    }

    async fn set(&self, category: &str, days: Option<u32>) {
        let by = serde_json::json!({ "kind": "local", "name": "owner" });
        let set =
            serde_json::json!({ "type": "retention_set", "days": days, "reason": "policy", "by": by, "at_ms": 1 });
        self.add("retention", category, Expected::Any, "RetentionSet", &set.to_string()).await;
    }

    async fn begin(&self, id: &str, subject: Option<&str>) {
        let payload = format!(r#"{{"type":"execution_started","items":[{{"mail":"{SECRET}"}}]}}"#);
        self.add_about(subject, "execution", id, Expected::NoStream, ("ExecutionStarted", &payload)).await;
    }

    async fn go_on(&self, id: &str, revision: u64) {
        let payload = format!(r#"{{"type":"node_completed","outputs":[["{SECRET}"]]}}"#);
        self.add("execution", id, Expected::Exact(Revision(revision)), "NodeCompleted", &payload).await;
    }

    async fn of(&self, log: &dyn EventLog, id: &str) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let stream = StreamKey::new(TENANT, "execution", id);
        log.read_stream(&stream, Revision::default(), Direction::Forward, 100).await
    }

    async fn destroy(&self, name: &str) {
        let ids = self.keys.find(TENANT, name).await.unwrap();
        assert!(!ids.is_empty(), "there is such a key");
        self.keys.destroy(&ids).await.unwrap();
    }
}

#[tokio::test]
async fn what_begins_is_sealed_under_the_key_of_its_day_to_its_end() {
    let world = World::new();
    world.begin("before", None).await;
    world.set("execution", Some(30)).await;
    world.begin("first", None).await;
    world.day.0.store(DAY + 1, Ordering::SeqCst);
    world.begin("second", None).await;
    world.go_on("first", 1).await;
    world.go_on("before", 1).await;
    let sealed = async |id: &str| world.of(&*world.raw, id).await.unwrap();
    assert!(sealed("before").await.iter().all(|event| !is_sealed(&event.payload)), "what was there stays as it is");
    let first = sealed("first").await;
    assert!(first.iter().all(|event| !event.payload.get().contains(SECRET)));
    assert_eq!(keys_of(&first[0].payload), keys_of(&first[1].payload), "a stream stays in its day");
    assert_ne!(keys_of(&first[0].payload), keys_of(&sealed("second").await[0].payload));
    assert!(world.of(&*world.log, "first").await.unwrap()[1].payload.get().contains(SECRET), "it is read as it was");

    world.destroy(&bucket_name("execution", DAY)).await;
    let read = world.of(&*world.log, "first").await.unwrap();
    assert!(read.iter().all(|event| is_erased(&event.payload) && !event.payload.get().contains(SECRET)));
    assert!(read[0].payload.get().contains(r#""subject":"[erased]""#), "it is told from one that had no items");
    assert!(world.of(&*world.log, "second").await.unwrap()[0].payload.get().contains(SECRET));
    assert_eq!(sealed("first").await, first, "what is stored stays as it was");
}

#[tokio::test]
async fn what_has_a_subject_goes_with_whichever_goes_first() {
    for goes_first in [bucket_name("execution", DAY), "ada".to_owned()] {
        let world = World::new();
        world.set("execution", Some(30)).await;
        world.begin("one", Some("ada")).await;
        world.go_on("one", 1).await;
        let stored = world.of(&*world.raw, "one").await.unwrap();
        assert!(stored.iter().all(|event| keys_of(&event.payload).len() == 2));
        let read = world.of(&*world.log, "one").await.unwrap();
        assert!(read.iter().all(|event| event.payload.get().contains(SECRET)));
        world.destroy(&goes_first).await;
        let read = world.of(&*world.log, "one").await.unwrap();
        assert!(read.iter().all(|event| is_erased(&event.payload)), "{goes_first:?} is enough");
    }
}

#[tokio::test]
async fn one_of_two_keys_that_is_lost_is_a_fault_and_never_looks_erased() {
    let world = World::new();
    world.set("execution", Some(30)).await;
    world.begin("one", Some("ada")).await;
    let others = keys();
    let one = world.keys.find(TENANT, "ada").await.unwrap();
    let backup = world.keys.backup().await.unwrap();
    let line = backup.lines().find(|line| line.contains(&one[0].to_string())).unwrap();
    others.restore(&format!("timeloom subject keys 1\n{line}\n")).await.unwrap();
    let log = SealingLog::new(Arc::clone(&world.raw) as _, others, Arc::clone(&world.day) as _, true);
    let fault = world.of(&*log, "one").await.unwrap_err();
    assert!(fault.to_string().contains("subject-keys restore"), "{fault}");
}

#[tokio::test]
async fn another_process_and_the_end_of_a_retention_are_seen() {
    let world = World::new();
    world.set("execution", Some(30)).await;
    let other =
        SealingLog::new(Arc::clone(&world.raw) as _, Arc::clone(&world.keys) as _, Arc::clone(&world.day) as _, true);
    let other = World { log: other, number: AtomicI64::new(100), ..world };
    other.begin("sealed", None).await;
    assert!(is_sealed(&other.of(&*other.raw, "sealed").await.unwrap()[0].payload));
    other.set("execution", None).await;
    other.begin("clear", None).await;
    assert!(!is_sealed(&other.of(&*other.raw, "clear").await.unwrap()[0].payload));
}

#[tokio::test]
async fn each_call_of_a_model_goes_with_its_own_day() {
    let world = World::new();
    world.set("execution", Some(30)).await;
    world.set("model-call", Some(7)).await;
    world.begin("asks", None).await;
    let call = format!(r#"{{"type":"model_call_refused","call":{{"request":{{"prompt":"{SECRET}"}}}},"reason":"no"}}"#);
    world.add("model-call", "worker", Expected::Any, "ModelCallRefused", &call).await;
    world.day.0.store(DAY + 1, Ordering::SeqCst);
    world.add("model-call", "worker", Expected::Any, "ModelCallRefused", &call).await;
    let filter = Filter { categories: vec!["model-call".into()], ..Filter::default() };
    let read = async |log: &dyn EventLog| {
        log.read_all(TenantScope::All, Position::START, Direction::Forward, &filter, 10).await.unwrap()
    };
    let stored = read(&*world.raw).await;
    assert_ne!(keys_of(&stored[0].payload), keys_of(&stored[1].payload), "each call is in its own day");
    world.destroy(&bucket_name("model-call", DAY)).await;
    let seen = read(&*world.log).await;
    assert!(is_erased(&seen[0].payload) && seen[1].payload.get().contains(SECRET));
}
