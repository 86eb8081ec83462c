//! Long streams: read in several pages at once, kept in memory, and always the same fold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::event::{Aggregate as _, Event as _};
use timeloom_domain::execution::{Execution, ExecutionEvent, ExecutionMode, NodeFacts, RunOptions, StartFacts};
use timeloom_domain::ids::{Actor, CommandId, EventId, WorkflowId};
use timeloom_domain::item::Item;
use timeloom_history::{HistoryError, Kept, Moment, Past, Story, diff, look_at, provenance, state_at};
use timeloom_store::log::AppendError;
use timeloom_store::{
    Append, Appended, Direction, EventLog, Expected, Filter, LogError, MemoryLog, Metadata, NewEvent, Position,
    RecordedEvent, Revision, StreamKey, Subscription, TenantScope, codec,
};
use uuid::Uuid;

use crate::world::{log, stream};

/// A log that counts how often it is read.
struct Counting {
    log: Arc<MemoryLog>,
    reads: AtomicUsize,
}

impl Counting {
    fn new(log: &Arc<MemoryLog>) -> Self {
        Self { log: Arc::clone(log), reads: AtomicUsize::new(0) }
    }

    fn reads(&self) -> usize {
        self.reads.swap(0, Ordering::Relaxed)
    }
}

#[async_trait]
impl EventLog for Counting {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.log.append(append).await
    }

    async fn read_stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.log.read_stream(stream, after, direction, limit).await
    }

    async fn read_all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.log.read_all(scope, after, direction, filter, limit).await
    }

    fn subscribe(&self, scope: TenantScope, after: Position, filter: Filter, capacity: usize) -> Subscription {
        self.log.subscribe(scope, after, filter, capacity)
    }

    fn head(&self) -> Position {
        self.log.head()
    }

    async fn wait_for(&self, position: Position) -> Result<(), LogError> {
        self.log.wait_for(position).await
    }

    async fn position_at(&self, time_us: i64) -> Result<Position, LogError> {
        self.log.position_at(time_us).await
    }
}

/// What happens in an execution, from one of its events on.
fn events(places: std::ops::Range<usize>) -> Vec<ExecutionEvent> {
    places
        .map(|place| {
            let Some(index) = place.checked_sub(1) else {
                return ExecutionEvent::ExecutionStarted(Arc::new(StartFacts {
                    workflow_id: WorkflowId(Uuid::from_u128(9)),
                    workflow_revision: 1,
                    workflow_version: None,
                    mode: ExecutionMode::Manual,
                    start_node: "N0".to_owned(),
                    items: vec![Item::default()],
                    pins: std::collections::BTreeMap::new(),
                    seed: 1,
                    at_ms: 0,
                    trigger: None,
                    options: RunOptions::default(),
                    subject: None,
                }));
            };
            let json = json!({ "n": index, "text": "x".repeat(index % 300) });
            ExecutionEvent::NodeCompleted {
                run: NodeFacts {
                    node: format!("N{}", index % 7),
                    run_index: index / 7,
                    execution_index: index,
                    sources: Vec::new(),
                },
                started_at_ms: 1,
                duration_us: 2,
                outputs: vec![Arc::new(vec![Item::new(json.as_object().cloned().unwrap())])],
                memory: None,
                hints: Vec::new(),
                pinned: false,
            }
        })
        .collect()
}

async fn add(log: &MemoryLog, stream: &StreamKey, events: &[ExecutionEvent]) -> Position {
    let id = || Uuid::from_u128(u128::from(log.head().0) << 32 | u128::from(stream.id.len() as u64) << 100);
    for chunk in events.chunks(500) {
        let command_id = CommandId(id());
        let actor = Actor::System("test".to_owned());
        let metadata =
            Arc::new(Metadata { actor, command_id, causation_id: None, correlation_id: None, request: None });
        let new = |(index, event): (usize, &ExecutionEvent)| NewEvent {
            id: EventId(Uuid::from_u128(command_id.0.as_u128() + index as u128 + 1)),
            event_type: event.event_type().into(),
            event_version: event.event_version(),
            payload: codec::encode(event).unwrap().payload,
            metadata: Arc::clone(&metadata),
        };
        let events = chunk.iter().enumerate().map(new).collect();
        log.append(Append::new(stream.clone(), Expected::Any, events, command_id)).await.unwrap();
    }
    log.head()
}

fn fold(events: &[ExecutionEvent]) -> Value {
    let mut folded = Execution::default();
    events.iter().for_each(|event| folded.apply(event));
    serde_json::to_value(&folded).unwrap()
}

#[tokio::test]
async fn a_long_stream_is_its_fold_at_any_moment_however_it_is_read() {
    let (memory, events) = (log(), events(0..1_500));
    let stream = stream("execution", "long");
    add(&memory, &stream, &events).await;
    let kept = Kept::default();
    for revision in [1, 99, 100, 101, 640, 641, 1_499, 1_500, 3, 1_200] {
        let moment = Moment::Revision(Revision(revision));
        let wanted = fold(&events[..usize::try_from(revision).unwrap()]);
        for past in [Past::from(&*memory), Past::new(&*memory, &kept)] {
            let state = state_at(past, &stream, moment).await.unwrap();
            assert_eq!(state.revision, Revision(revision));
            assert!(state.state == wanted, "revision {revision}");
        }
    }
}

#[tokio::test]
async fn what_was_read_is_not_read_again_and_what_came_since_is_seen() {
    let (memory, all) = (log(), events(0..1_501));
    let stream = stream("execution", "long");
    add(&memory, &stream, &all[..1_500]).await;
    let (log, kept) = (Counting::new(&memory), Kept::default());
    let past = Past::new(&log, &kept);
    state_at(past, &stream, Moment::Newest).await.unwrap();
    let bytes = kept.bytes();
    assert!(log.reads() > 2 && bytes > 0);

    // One read finds the position of the revision.
    state_at(past, &stream, Moment::Revision(Revision(700))).await.unwrap();
    assert_eq!((log.reads(), kept.bytes()), (1, bytes));
    provenance(past, &stream, Moment::Position(Position(700)), "/node_runs/600/outputs/0/0/json/n").await.unwrap();
    let reads_of_the_workflow_and_the_beginning = 3;
    assert!(log.reads() <= reads_of_the_workflow_and_the_beginning);

    add(&memory, &stream, &all[1_500..]).await;
    let state = state_at(past, &stream, Moment::Newest).await.unwrap();
    assert!(log.reads() == 1 && state.state == fold(&all));
    assert!(kept.bytes() > bytes, "the new event is kept as well");
}

#[tokio::test]
async fn no_more_is_kept_than_may_be_and_the_least_used_goes_first() {
    let (log, events) = (log(), events(0..400));
    let streams = ["a", "bb", "ccc"].map(|id| stream("execution", id));
    for stream in &streams {
        add(&log, stream, &events).await;
    }
    let one = Kept::default();
    state_at(Past::new(&*log, &one), &streams[0], Moment::Newest).await.unwrap();
    let (kept, each) = (Kept::new(one.bytes() * 2 + 1), one.bytes());
    let counted = Counting::new(&log);
    let past = Past::new(&counted, &kept);
    for stream in [&streams[0], &streams[1], &streams[0], &streams[2]] {
        state_at(past, stream, Moment::Newest).await.unwrap();
    }
    assert_eq!(kept.bytes(), each * 2);
    counted.reads();
    for (stream, is_kept) in [(&streams[0], true), (&streams[2], true), (&streams[1], false)] {
        let first = Moment::Position(Position(1_200));
        state_at(past, stream, first).await.unwrap();
        assert_eq!(counted.reads() <= 1, is_kept, "{stream}");
    }

    let (tight, short) = (Kept::new(each - 1), stream("execution", "dddd"));
    add(&log, &short, &events[..150]).await;
    for stream in [&streams[0], &short] {
        let state = state_at(Past::new(&*log, &tight), stream, Moment::Newest).await.unwrap();
        assert!(state.state == fold(&events[..usize::try_from(state.revision.0).unwrap()]));
        assert_eq!(tight.bytes(), 0, "what is too large and what is short is read again");
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_read_stands_in_the_way_of_what_comes_after_it_alone() {
    let (log, events) = (log(), events(0..300));
    let stream = stream("execution", "x");
    add(&log, &stream, &events).await;
    crate::world::add(&log, &stream, "NodeCompleted", 1, r#"{"type":"node_completed"}"#).await;
    let kept = Kept::default();
    for _ in 0..2 {
        let past = Past::new(&*log, &kept);
        let before = state_at(past, &stream, Moment::Revision(Revision(300))).await.unwrap();
        assert!(before.state == fold(&events));
        let after = state_at(past, &stream, Moment::Newest).await.unwrap_err();
        assert!(
            matches!(&after, HistoryError::Log(LogError::Corrupt { position, .. }) if position.0 == 301),
            "{after}"
        );
    }
}

#[tokio::test]
async fn data_that_cannot_be_read_is_a_fault_for_whoever_asks_for_it() {
    let (log, events) = (log(), events(0..300));
    let stream = stream("execution", "x");
    add(&log, &stream, &events).await;
    let run = json!({ "node": "Last", "run_index": 0, "execution_index": 300, "sources": [] });
    let damaged =
        json!({ "type": "node_completed", "run": run, "started_at_ms": 1, "duration_us": 2, "outputs": "all" });
    crate::world::add(&log, &stream, "NodeCompleted", 1, &damaged.to_string()).await;
    let kept = Kept::default();
    let is_told = |error: HistoryError| {
        assert!(matches!(&error, HistoryError::Log(LogError::Corrupt { position: Position(301), .. })), "{error}");
    };
    for _ in 0..2 {
        let past = Past::new(&*log, &kept);
        let look = look_at(past, &stream, Moment::Newest).await.unwrap();
        assert_eq!((look.about().status, look.about().revision), (Some("running"), Revision(301)));
        assert_eq!(look.part("/node_runs/299/node").unwrap(), Some(json!("Last")));
        assert_eq!(look.part("/node_runs/298/outputs/0/0/json/n").unwrap(), Some(json!(298)));
        is_told(look.part("/node_runs/299/outputs").unwrap_err());
        is_told(look.state().unwrap_err());
        is_told(Story::load(past, &stream, Moment::Newest).await.unwrap_err());
        assert!(Story::load(past, &stream, Moment::Revision(Revision(300))).await.is_ok());
    }
}

#[tokio::test]
async fn parts_and_differences_are_those_of_the_whole_states() {
    let (log, events) = (log(), events(0..700));
    let stream = stream("execution", "x");
    add(&log, &stream, &events).await;
    let kept = Kept::default();
    let past = Past::new(&*log, &kept);
    let look = look_at(past, &stream, Moment::Revision(Revision(500))).await.unwrap();
    let whole = look.state().unwrap();
    assert!(whole == fold(&events[..500]));
    for path in ["", "/status", "/node_runs/3", "/node_runs/498/outputs/0/0/json/n", "/start/seed", "/nothing"] {
        assert!(look.part(path).unwrap().as_ref() == whole.pointer(path), "{path}");
    }
    for (from, to) in [(500, 501), (501, 500), (500, 500), (1, 700), (650, 300)] {
        let [one, other] = [from, to].map(|revision: usize| fold(&events[..revision]));
        let moments = [from, to].map(|revision| Moment::Revision(Revision(revision as u64)));
        let difference = diff(past, &stream, moments[0], moments[1]).await.unwrap();
        assert!(difference.patch == json_patch::diff(&one, &other), "{from} {to}");
        let before = difference.changes.iter().filter_map(|change| change.before.as_ref());
        assert!(before.into_iter().all(|before| !before.is_null() || from < to), "{from} {to}");
    }
}
