//! Erasing the data of a subject: what is in the way, what goes, and what a crash leaves.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::json;
use timeloom_commands::erasure::{Derived, destroy_erased};
use timeloom_commands::{
    CancelExecution, Clock, CommandContext, CommandError, Commands, Erasures, ErasuresParts, Ids as _, ImportWorkflow,
    RetryExecution, RetryFrom, RetryVersion, RowsChange, StartAgentRun, StartExecution, SystemIds,
};
use timeloom_domain::agent::AgentRecord;
use timeloom_domain::agent_memory::{AgentMemoryCommand, Exchange};
use timeloom_domain::agent_run::AgentCaller;
use timeloom_domain::data_table::{ColumnType, DataColumn, DataTableCommand, RowFilter};
use timeloom_domain::execution::{Execution, TriggerFacts};
use timeloom_domain::ids::{AccountId, Actor, CommandId, DataTableId, ExecutionId, Slug, WorkflowId};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_domain::vectors::{VectorCommand, VectorRow};
use timeloom_store::subjects::vault::{MasterKey, MasterKeys};
use timeloom_store::{
    BlobHash, BlobStore, Direction, EventLog, Filter, FoundKey, KeyId, MemoryBlobs, MemoryLog, MemorySubjectKeys,
    Position, SealingLog, StreamKey, SubjectKeyError, SubjectKeys, SystemClock, TenantScope,
};
use uuid::Uuid;

use crate::bench::{TENANT, by_hand, catalogue, file};

pub(crate) const SUBJECT: &str = "customer-4711";

struct OneMaster;

impl MasterKeys for OneMaster {
    fn newest(&self) -> Result<MasterKey, SubjectKeyError> {
        Ok(MasterKey { fingerprint: "one".to_owned(), bytes: [7; 32].into() })
    }

    fn find(&self, _: &str) -> Result<MasterKey, SubjectKeyError> {
        self.newest()
    }
}

/// A clock that stands until a test moves it, for commands and for what seals.
pub(crate) struct Moving(AtomicI64);

impl Moving {
    pub(crate) fn pass_days(&self, days: i64) {
        self.0.fetch_add(days * 24 * 60 * 60 * 1_000, Ordering::SeqCst);
    }
}

impl Clock for Moving {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl timeloom_store::Clock for Moving {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.now_ms()).unwrap()
    }
}

pub(crate) fn new_keys() -> Arc<MemorySubjectKeys> {
    Arc::new(MemorySubjectKeys::new(Arc::new(OneMaster)))
}

/// What is made of the log: it remembers what it was asked to make again, and fails when told to.
#[derive(Default)]
pub(crate) struct Made {
    pub(crate) fails: AtomicBool,
    pub(crate) scrubbed: Mutex<Vec<StreamKey>>,
}

#[async_trait]
impl Derived for Made {
    async fn scrub(&self, streams: &[StreamKey]) -> Result<(), String> {
        if self.fails.load(Ordering::SeqCst) {
            return Err("the disk is full".to_owned());
        }
        self.scrubbed.lock().unwrap().extend(streams.iter().cloned());
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) stored: Arc<MemoryLog>,
    pub(crate) keys: Arc<MemorySubjectKeys>,
    pub(crate) blobs: Arc<MemoryBlobs>,
    pub(crate) clock: Arc<Moving>,
    pub(crate) commands: Commands,
    pub(crate) erasures: Erasures,
    pub(crate) made: Arc<Made>,
}

impl World {
    pub(crate) fn new() -> Self {
        let keys = new_keys();
        Self::over(MemoryLog::new(Arc::new(SystemClock)), keys, MemoryBlobs::new())
    }

    pub(crate) fn over(stored: Arc<MemoryLog>, keys: Arc<MemorySubjectKeys>, blobs: Arc<MemoryBlobs>) -> Self {
        let clock = Arc::new(Moving(AtomicI64::new(1_700_000_000_000)));
        let log = SealingLog::new(Arc::clone(&stored) as _, Arc::clone(&keys) as _, Arc::clone(&clock) as _, true);
        let commands = Commands::new(log, Arc::new(catalogue()), Arc::clone(&clock) as _, Arc::new(SystemIds));
        let erasures = Erasures::new(ErasuresParts {
            commands: commands.clone(),
            stored: Arc::clone(&stored) as _,
            keys: Arc::clone(&keys) as _,
            blobs: Arc::clone(&blobs) as _,
        });
        let made = Arc::new(Made::default());
        erasures.scrubs(Arc::clone(&made) as _);
        Self { stored, keys, blobs, clock, commands, erasures, made }
    }

    /// A command of one of the users.
    pub(crate) fn by(&self, user: u128) -> CommandContext {
        let actor = Actor::User(AccountId(Uuid::from_u128(user)));
        CommandContext::trusted(TENANT, actor, CommandId(SystemIds.uuid()))
    }

    pub(crate) async fn import(&self, settings: serde_json::Value) -> WorkflowId {
        let mut source = file("sample");
        source["settings"] = settings;
        let import = ImportWorkflow { workflow_id: None, source: source.to_string().into_bytes() };
        self.commands.import_workflow(&self.by(1), import).await.unwrap().value
    }

    /// An execution of the subject, which waits for an engine.
    pub(crate) async fn begun(&self, attachment: Option<BlobHash>) -> ExecutionId {
        let workflow = self.import(json!({})).await;
        let json = JsonObject::from_iter([
            ("mail".to_owned(), json!("ada@example.org")),
            ("file".to_owned(), json!(attachment.map(|hash| hash.attachment_id()))),
        ]);
        let items = Some(vec![Item::new(json)]);
        let start = StartExecution { items, subject: Some(SUBJECT.to_owned()), ..by_hand(workflow) };
        self.commands.start_execution(&self.by(1), start).await.unwrap().value
    }

    pub(crate) async fn cancel(&self, id: ExecutionId) {
        let cancel = CancelExecution { execution_id: id, reason: "ada called".to_owned() };
        self.commands.cancel_execution(&self.by(1), cancel).await.unwrap();
    }

    pub(crate) async fn subject_of(&self, id: ExecutionId) -> Option<String> {
        let stream = StreamKey::new(TENANT, "execution", id.to_string());
        let state = self.commands.load::<Execution>(&stream).await.unwrap();
        state.aggregate.start.as_ref().and_then(|start| start.subject.clone())
    }

    /// Everything as it is stored.
    pub(crate) async fn stored(&self) -> Vec<String> {
        let filter = Filter::default();
        let read = self.stored.read_all(TenantScope::All, Position::START, Direction::Forward, &filter, 1_000).await;
        read.unwrap().iter().map(|event| event.payload.get().to_owned()).collect()
    }

    async fn requested(&self) -> KeyId {
        self.erasures.request(&self.by(1), SUBJECT, "asked for".to_owned()).await.unwrap().value
    }
}

pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, CommandError>) -> &'static str {
    match result {
        Err(CommandError::Refused(refusal)) => refusal.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_erasure_waits_for_what_is_under_way_and_then_takes_everything() {
    let world = World::new();
    let blob = world.blobs.put("a letter".into()).await.unwrap();
    let shared = world.blobs.put("a picture".into()).await.unwrap();
    let execution = world.begun(Some(blob)).await;
    let other = world.begun(Some(shared)).await;
    // Somebody else has the same picture.
    let json = JsonObject::from_iter([("file".to_owned(), json!(shared.attachment_id()))]);
    let start = StartExecution { items: Some(vec![Item::new(json)]), ..by_hand(world.import(json!({})).await) };
    world.commands.start_execution(&world.by(1), start).await.unwrap();

    let id = world.requested().await;
    let affected = world.erasures.affected(&world.by(1), SUBJECT).await.unwrap();
    assert_eq!((affected.id, affected.found.under_way, affected.lets_in), (id, 2, false));
    assert_eq!(affected.found.attachments.iter().collect::<Vec<_>>(), [&blob]);
    assert_eq!(code(world.erasures.approve(&world.by(2), id).await), "EXECUTIONS_UNDER_WAY");
    world.cancel(execution).await;
    world.cancel(other).await;
    assert_eq!(code(world.erasures.approve(&world.by(1), id).await), "SECOND_PERSON_NEEDED");
    let before = world.stored().await;
    world.erasures.approve(&world.by(2), id).await.unwrap();
    assert_eq!(world.subject_of(execution).await.as_deref(), Some("[erased]"), "nothing is kept in memory");
    world.erasures.close().await;

    let after = world.stored().await;
    assert_eq!(before[..], after[..before.len()], "what is stored stays as it was");
    assert!(matches!(world.keys.open(id).await.unwrap(), FoundKey::Erased));
    assert!(world.blobs.get(blob).await.is_err() && world.blobs.get(shared).await.is_ok());
    let subject = world.erasures.subject(TENANT, id).await.unwrap();
    assert_eq!((subject.name.as_str(), subject.completed_at_ms.is_some()), ("[erased]", true));
    assert!(world.made.scrubbed.lock().unwrap().iter().any(|stream| *stream.id == *execution.to_string()));
    assert_eq!(world.erasures.list(&world.by(1)).await.unwrap().len(), 1);
    assert_eq!(code(world.erasures.request(&world.by(1), SUBJECT, "again".to_owned()).await), "SUBJECT_NOT_FOUND");
    let (from, version) = (RetryFrom::Start, RetryVersion::Same);
    let retry = RetryExecution { new_id: None, execution_id: execution, from, version };
    assert_eq!(code(world.commands.retry_execution(&world.by(1), retry).await), "EXECUTION_ERASED");
}

#[tokio::test]
async fn an_erasure_that_was_cut_off_is_finished_at_the_next_start_whatever_keys_are_there() {
    let world = World::new();
    let execution = world.begun(None).await;
    world.cancel(execution).await;
    let id = world.requested().await;
    let old_keys = world.keys.backup().await.unwrap();
    world.made.fails.store(true, Ordering::SeqCst);
    world.erasures.approve(&world.by(2), id).await.unwrap();
    world.erasures.close().await;
    assert!(world.erasures.subject(TENANT, id).await.unwrap().completed_at_ms.is_none());

    // Another process, with the keys as they were before.
    let keys = new_keys();
    keys.restore(&old_keys).await.unwrap();
    let next = World::over(Arc::clone(&world.stored), keys, Arc::clone(&world.blobs));
    destroy_erased(&*next.stored, &*next.keys).await.unwrap();
    next.erasures.finish().await.unwrap();
    assert!(next.erasures.subject(TENANT, id).await.unwrap().completed_at_ms.is_some());
    assert_eq!(next.subject_of(execution).await.as_deref(), Some("[erased]"));
    assert!(!next.made.scrubbed.lock().unwrap().is_empty());
    next.made.scrubbed.lock().unwrap().clear();
    next.erasures.finish().await.unwrap();
    assert!(next.made.scrubbed.lock().unwrap().is_empty(), "what is done is not done again");
}

#[tokio::test]
async fn a_hold_keeps_the_data_until_two_let_it_go() {
    let world = World::new();
    let execution = world.begun(None).await;
    world.cancel(execution).await;
    let hold = || "case 7".to_owned();
    world.erasures.place_hold(&world.by(1), SUBJECT, hold(), "court".to_owned()).await.unwrap();
    let id = world.requested().await;
    assert_eq!(code(world.erasures.approve(&world.by(2), id).await), "ON_LEGAL_HOLD");
    assert_eq!(code(world.erasures.approve_release(&world.by(2), id, hold()).await), "RELEASE_NOT_REQUESTED");
    world.erasures.request_release(&world.by(1), id, hold(), "closed".to_owned()).await.unwrap();
    assert_eq!(code(world.erasures.approve_release(&world.by(1), id, hold()).await), "SECOND_PERSON_NEEDED");
    world.erasures.approve_release(&world.by(2), id, hold()).await.unwrap();
    world.erasures.approve(&world.by(2), id).await.unwrap();
    world.erasures.close().await;
    assert!(world.stored().await.iter().all(|payload| !payload.contains(SUBJECT)), "the log names nobody");
}

#[tokio::test]
async fn a_workflow_says_whom_its_executions_are_about() {
    let world = World::new();
    let workflow = world.import(json!({ "subject": "={{ $json.customer.id }}" })).await;
    let start = |item: serde_json::Value| {
        let json = JsonObject::from_iter([("customer".to_owned(), item)]);
        StartExecution { items: Some(vec![Item::new(json)]), ..by_hand(workflow) }
    };
    let begun = world.commands.start_execution(&world.by(1), start(json!({ "id": 17 }))).await.unwrap().value;
    assert_eq!(world.subject_of(begun).await.as_deref(), Some("17"));
    let refused = world.commands.start_execution(&world.by(1), start(json!({}))).await;
    assert_eq!(code(refused), "SUBJECT_MISSING");
    // What runs because of it is about the same.
    let trigger = TriggerFacts::SubWorkflow { execution: begun, node: "Call".to_owned(), depth: 1 };
    let below = StartExecution { trigger: Some(trigger), ..by_hand(world.import(json!({})).await) };
    let below = world.commands.start_execution(&world.by(1), below).await.unwrap().value;
    assert_eq!(world.subject_of(below).await.as_deref(), Some("17"));
    let stored = world.stored().await;
    assert!(!stored.iter().any(|payload| payload.contains(r#""subject":"17""#)), "{stored:?}");
}

#[tokio::test]
async fn what_an_agent_is_given_and_what_a_collection_takes_in_for_an_execution_goes_with_its_subject() {
    let world = World::new();
    let execution = world.begun(None).await;
    let agent = Slug::try_new("support").unwrap();
    let record: AgentRecord = serde_json::from_value(json!({ "kind": "llm", "model": "fast" })).unwrap();
    let start = StartAgentRun {
        run_id: None,
        agent: agent.clone(),
        version: None,
        record: Some(Box::new(record)),
        input: json!("grace@example.org wants to know"),
        session: None,
        caller: Some(AgentCaller {
            workflow: WorkflowId(SystemIds.uuid()),
            execution,
            node: "Agent".to_owned(),
            depth: 1,
        }),
    };
    let run = world.commands.start_agent_run(&world.by(1), start).await.unwrap().value;
    let (asked, answered) = ("grace@example.org asks".to_owned(), "yes".to_owned());
    let exchange = Exchange { run, asked, answered };
    let session = "grace".to_owned();
    let remember = AgentMemoryCommand::Remember { agent: agent.clone(), session, exchange, exchanges_max: 5 };
    world.commands.change_agent_memory(&world.by(1), &agent, "grace", remember).await.unwrap();
    let collection = SystemIds.uuid();
    let row = |text: &str| VectorRow {
        id: text.into(),
        text: text.to_owned(),
        metadata: JsonObject::default(),
        vector: vec![1.0],
    };
    let add = |by: String, text: &str| VectorCommand::Add {
        collection: "letters".into(),
        by: by.into(),
        rows: vec![Arc::new(row(text))],
        clears: false,
    };
    let about = add(format!("{execution}-1"), "grace@example.org wrote");
    world.commands.change_vectors(&world.by(1), collection, about).await.unwrap();
    let nobody = add(format!("{}-1", SystemIds.uuid()), "the weather");
    world.commands.change_vectors(&world.by(1), collection, nobody).await.unwrap();
    let stored = world.stored().await;
    assert!(stored.iter().all(|payload| !payload.contains("grace")), "{stored:?}");
    let rows = async || world.commands.vectors(&world.by(1), collection).await.unwrap().aggregate.rows.len();
    let memory = async || world.commands.agent_memory(&world.by(1), &agent, "grace").await.unwrap().exchanges;
    assert_eq!((rows().await, memory().await[0].asked.as_str()), (2, "grace@example.org asks"));

    let id = world.requested().await;
    world.cancel(execution).await;
    assert_eq!(code(world.erasures.approve(&world.by(2), id).await), "EXECUTIONS_UNDER_WAY", "the run is");
    world.commands.cancel_agent_run(&world.by(1), run, "no longer".to_owned()).await.unwrap();
    world.erasures.approve(&world.by(2), id).await.unwrap();
    world.erasures.close().await;
    assert_eq!((rows().await, memory().await[0].asked.as_str()), (1, "[erased]"));
    let state = world.commands.agent_run(&world.by(1), run).await.unwrap();
    assert!(!serde_json::to_string(&state.aggregate).unwrap().contains("grace"));
}

#[tokio::test]
async fn what_an_execution_writes_into_a_data_table_goes_with_its_subject_and_nothing_else_does() {
    let world = World::new();
    let execution = world.begun(None).await;
    let (id, columns) =
        (DataTableId(SystemIds.uuid()), vec![DataColumn { name: "name".into(), column_type: ColumnType::String }]);
    let create = DataTableCommand::Create { table: id, name: "Letters".into(), columns, at_ms: 1 };
    world.commands.change_data_tables(&world.by(1), create).await.unwrap();
    let tables = world.commands.data_tables(&world.by(1)).await.unwrap();
    let table = Arc::clone(tables.aggregate.named("Letters").unwrap());
    let cells = |name: &str| JsonObject::from_iter([("name".to_owned(), json!(name))]);
    let insert = async |by: Option<Arc<str>>, name: &str| {
        let rows = RowsChange::Insert(vec![Arc::new(cells(name))]);
        world.commands.change_table_rows(&world.by(1), &table, by, rows).await.unwrap().value[0].id
    };
    let run: Arc<str> = format!("{execution}-1").into();
    assert_eq!(insert(Some(Arc::clone(&run)), "grace@example.org").await, 1);
    assert_eq!(insert(None, "the weather").await, 2);
    let filter = RowFilter { all: true, conditions: vec![table.condition("id", "eq", &json!(2)).unwrap()] };
    let update = RowsChange::Update { filter, cells: cells("grace again"), or_insert: false };
    let written = world.commands.change_table_rows(&world.by(1), &table, Some(run), update).await.unwrap().value;
    assert_eq!(written[0].cells["name"], "grace again");
    let stored = world.stored().await;
    assert!(stored.iter().all(|payload| !payload.contains("grace")), "{stored:?}");

    let subject = world.requested().await;
    world.cancel(execution).await;
    world.erasures.approve(&world.by(2), subject).await.unwrap();
    world.erasures.close().await;
    let state = world.commands.table_rows(&world.by(1), id).await.unwrap();
    let left: Vec<(u64, &serde_json::Value)> =
        state.aggregate.rows.values().map(|row| (row.id, &row.cells["name"])).collect();
    assert_eq!(left, [(2, &json!("the weather"))], "the row is out, and the cell is as it was");
    assert_eq!(insert(None, "another").await, 3, "the number of an erased row is not given again");
}
