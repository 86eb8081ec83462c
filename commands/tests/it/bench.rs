//! Commands over a log that can be made to fail, and workflow files in short.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_commands::{
    Clock, CommandContext, CommandError, Commands, Ids, ImportWorkflow, Keeping, Outcome, StartExecution,
};
use timeloom_domain::catalogue::{NodeCatalogue, NodeDefinition, NodeRole, ParameterDefinition, ParameterKind, Ports};
use timeloom_domain::ids::{Actor, CommandId, ExecutionId, TenantId, WorkflowId};
use timeloom_store::{
    Append, AppendError, Appended, Direction, EventLog, Filter, LogError, MemoryLog, Position, RecordedEvent, Revision,
    StreamKey, Subscription, SystemClock, TenantScope,
};
use uuid::Uuid;

pub(crate) const TENANT: TenantId = TenantId(1);

/// A log whose next appends or reads fail as the test says.
pub(crate) struct Moody {
    log: Arc<MemoryLog>,
    pub(crate) refusals: Mutex<VecDeque<AppendError>>,
    pub(crate) read_fault: Mutex<Option<LogError>>,
    /// Reads of streams.
    pub(crate) reads: AtomicUsize,
    /// Events that they brought.
    pub(crate) events_read: AtomicUsize,
}

#[async_trait]
impl EventLog for Moody {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        // Others get in between what a command was decided on and its append, as they do at a log on a disk.
        tokio::task::yield_now().await;
        let refusal = self.refusals.lock().unwrap().pop_front();
        match refusal {
            Some(refusal) => Err(refusal),
            None => self.log.append(append).await,
        }
    }

    async fn read_stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        let fault = self.read_fault.lock().unwrap().clone();
        match fault {
            Some(fault) => Err(fault),
            None => {
                let events = self.log.read_stream(stream, after, direction, limit).await?;
                self.reads.fetch_add(1, Ordering::SeqCst);
                self.events_read.fetch_add(events.len(), Ordering::SeqCst);
                Ok(events)
            }
        }
    }

    async fn read_all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.log.read_all(scope, after, direction, filter, limit).await
    }

    fn subscribe(&self, scope: TenantScope, after: Position, filter: Filter, capacity: usize) -> Subscription {
        self.log.subscribe(scope, after, filter, capacity)
    }

    fn head(&self) -> Position {
        self.log.head()
    }

    fn newest_of(&self, category: &str) -> Option<Position> {
        self.log.newest_of(category)
    }

    async fn wait_for(&self, position: Position) -> Result<(), LogError> {
        self.log.wait_for(position).await
    }

    async fn position_at(&self, time_us: i64) -> Result<Position, LogError> {
        self.log.position_at(time_us).await
    }
}

/// A clock that stands still until a test lets time go by.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Default)]
struct TestIds(AtomicU64);

impl Ids for TestIds {
    fn uuid(&self) -> Uuid {
        Uuid::from_u64_pair(7, self.0.fetch_add(1, Ordering::SeqCst))
    }

    fn seed(&self) -> u64 {
        42
    }
}

/// Commands and the log under them.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) log: Arc<Moody>,
    pub(crate) commands: Commands,
    pub(crate) clock: Arc<TestClock>,
    ids: Arc<dyn Ids>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::keeping(Keeping::default())
    }

    /// A world whose commands keep folded states so.
    pub(crate) fn keeping(keeping: Keeping) -> Self {
        let log = MemoryLog::new(Arc::new(SystemClock));
        let log = Moody {
            log,
            refusals: Mutex::default(),
            read_fault: Mutex::default(),
            reads: AtomicUsize::default(),
            events_read: AtomicUsize::default(),
        };
        Self::over(Arc::new(log), Arc::new(TestIds::default()), keeping)
    }

    fn over(log: Arc<Moody>, ids: Arc<dyn Ids>, keeping: Keeping) -> Self {
        let shared = Arc::clone(&log) as Arc<dyn EventLog>;
        let clock = Arc::new(TestClock(AtomicI64::new(1_700_000_000_000)));
        let told = Arc::clone(&clock) as Arc<dyn Clock>;
        let commands = Commands::keeping(shared, Arc::new(catalogue()), told, Arc::clone(&ids), keeping);
        Self { log, commands, clock, ids }
    }

    /// Another process over the same log: its memory is empty.
    pub(crate) fn restarted(&self, keeping: Keeping) -> Self {
        Self::over(Arc::clone(&self.log), Arc::clone(&self.ids), keeping)
    }

    /// A new command of somebody.
    pub(crate) fn context(&self) -> CommandContext {
        CommandContext::trusted(TENANT, Actor::Local("somebody".to_owned()), CommandId(self.ids.uuid()))
    }

    pub(crate) async fn import(&self, name: &str) -> WorkflowId {
        let import = ImportWorkflow { workflow_id: None, source: source(name) };
        self.commands.import_workflow(&self.context(), import).await.unwrap().value
    }

    pub(crate) async fn start(&self, workflow_id: WorkflowId) -> ExecutionId {
        self.commands.start_execution(&self.context(), by_hand(workflow_id)).await.unwrap().value
    }

    /// Event types of a stream, oldest first.
    pub(crate) async fn story(&self, category: &str, id: impl ToString) -> Vec<String> {
        let stream = StreamKey::new(TENANT, category, id.to_string());
        let read = self.log.log.read_stream(&stream, Revision::default(), Direction::Forward, 1_000).await.unwrap();
        read.iter().map(|event| event.event_type.to_string()).collect()
    }
}

/// A manual run of the draft.
pub(crate) fn by_hand(workflow_id: WorkflowId) -> StartExecution {
    StartExecution::by_hand(workflow_id)
}

pub(crate) fn catalogue() -> NodeCatalogue {
    let known = |node_type, role| NodeDefinition {
        node_type,
        display_name: "Sample",
        description: "A node for tests.",
        versions: &[1.0],
        role,
        ports: Ports { inputs: 1, outputs: 1, closes_loops: false },
        ..NodeDefinition::BLANK
    };
    const NEEDED: ParameterDefinition =
        ParameterDefinition { required: true, ..ParameterDefinition::new("url", ParameterKind::Text, "Where to.") };
    NodeCatalogue::new([
        known("test.trigger", NodeRole::Trigger),
        known("test.set", NodeRole::Pure),
        NodeDefinition { parameters: &[NEEDED], ..known("test.fetch", NodeRole::Effect) },
        known("n8n-nodes-base.webhook", NodeRole::Trigger),
        known("@n8n/n8n-nodes-langchain.chatTrigger", NodeRole::Trigger),
        known("n8n-nodes-base.scheduleTrigger", NodeRole::Trigger),
        known("n8n-nodes-base.errorTrigger", NodeRole::Trigger),
        known("n8n-nodes-base.executeWorkflowTrigger", NodeRole::Trigger),
    ])
}

/// A workflow of a trigger and a node after it.
pub(crate) fn file(name: &str) -> Value {
    json!({
        "name": name,
        "nodes": [
            {"name": "Start", "type": "test.trigger", "typeVersion": 1, "position": [0, 0], "parameters": {}},
            {"name": "Set", "type": "test.set", "typeVersion": 1, "position": [1, 0], "parameters": {}},
        ],
        "connections": {"Start": {"main": [[{"node": "Set", "type": "main", "index": 0}]]}},
    })
}

pub(crate) fn source(name: &str) -> Vec<u8> {
    file(name).to_string().into_bytes()
}

/// The word of a refusal.
#[track_caller]
pub(crate) fn code<T: std::fmt::Debug>(answer: Result<Outcome<T>, CommandError>) -> &'static str {
    match answer {
        Err(CommandError::Refused(refusal)) => {
            assert!(!refusal.message.is_empty(), "a refusal says what to do");
            refusal.code
        }
        other => panic!("not refused: {other:?}"),
    }
}
