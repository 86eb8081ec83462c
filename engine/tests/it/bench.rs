//! A log in memory, commands and an engine over it, and workflow files in short.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_commands::credentials::keys::{Key, KeyError, PassingKeys};
use timeloom_commands::{Clock, CommandContext, Commands, Credentials, Ids, ImportWorkflow, StartExecution, SystemIds};
use timeloom_domain::event::Aggregate;
use timeloom_domain::execution::{Execution, ExecutionEvent, ExecutionMode};
use timeloom_domain::ids::{Actor, CommandId, ExecutionId, TenantId, WorkflowId};
use timeloom_domain::item::JsonObject;
use timeloom_engine::checkpoint::{Checkpoint, CheckpointStore};
use timeloom_engine::node::{NodeRegistry, OutboundPolicy, Services};
use timeloom_engine::sub_workflows::SubWorkflowCalls;
use timeloom_engine::{ContinueAsNew, Engine, EngineOptions, EngineParts};
use timeloom_expressions::evaluator::Evaluator;
use timeloom_expressions::port::Limits;
use timeloom_store::leases::{AllShards, Roles, WorkerId};
use timeloom_store::mark::Mark;
use timeloom_store::{
    Direction, EventLog, Filter, Leases, LogError, MemoryLog, Position, RecordedEvent, Revision, StreamKey,
    SubscriptionMessage, SystemClock, TenantScope, codec,
};
use uuid::Uuid;

use crate::node_types::{Calls, registry};

/// Longest time that a test waits for something.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Time that goes on by itself and can be moved on.
pub(crate) struct TestClock {
    began: Instant,
    ahead_ms: AtomicI64,
}

impl TestClock {
    /// Moves the time on.
    pub(crate) fn advance(&self, by_ms: i64) {
        self.ahead_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        1_700_000_000_000
            + i64::try_from(self.began.elapsed().as_millis()).unwrap()
            + self.ahead_ms.load(Ordering::SeqCst)
    }
}

/// Ids in order, and always the same chance. Each set begins elsewhere, as processes do.
pub(crate) struct TestIds(AtomicU64, u64);

static WORLDS: AtomicU64 = AtomicU64::new(1);

impl TestIds {
    fn new() -> Self {
        Self(AtomicU64::new(1), WORLDS.fetch_add(1, Ordering::SeqCst))
    }
}

impl Ids for TestIds {
    fn uuid(&self) -> Uuid {
        Uuid::from_u64_pair(self.1, self.0.fetch_add(1, Ordering::SeqCst))
    }

    fn seed(&self) -> u64 {
        42
    }
}

/// A checkpoint in memory, and everything that was saved.
#[derive(Default)]
pub(crate) struct MemoryCheckpoint(pub(crate) Mutex<Vec<Checkpoint>>);

#[async_trait]
impl CheckpointStore for MemoryCheckpoint {
    async fn load(&self) -> Result<Checkpoint, LogError> {
        Ok(self.0.lock().unwrap().last().cloned().unwrap_or_default())
    }

    async fn save(&self, checkpoint: &Checkpoint) -> Result<(), LogError> {
        self.0.lock().unwrap().push(checkpoint.clone());
        Ok(())
    }
}

/// A mark in memory.
#[derive(Default)]
pub(crate) struct MemoryMark(pub(crate) Mutex<Option<u64>>);

#[async_trait]
impl Mark for MemoryMark {
    async fn load(&self) -> Result<Option<u64>, LogError> {
        Ok(*self.0.lock().unwrap())
    }

    async fn save(&self, number: u64) -> Result<(), LogError> {
        *self.0.lock().unwrap() = Some(number);
        Ok(())
    }
}

/// Everything around an engine.
pub(crate) struct World {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) commands: Commands,
    pub(crate) credentials: Credentials,
    pub(crate) calls: Arc<Calls>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) checkpoints: Arc<MemoryCheckpoint>,
    /// When executions go on in another stream.
    pub(crate) continue_as_new: ContinueAsNew,
    registry: Arc<NodeRegistry>,
    ids: Arc<dyn Ids>,
}

impl World {
    pub(crate) fn new() -> Self {
        let log = MemoryLog::new(Arc::new(SystemClock));
        let calls = Arc::new(Calls::default());
        let clock = Arc::new(TestClock { began: Instant::now(), ahead_ms: AtomicI64::new(0) });
        let registry = Arc::new(registry(&calls, &log));
        let ids: Arc<dyn Ids> = Arc::new(TestIds::new());
        let commands = Commands::new(
            Arc::clone(&log) as Arc<dyn EventLog>,
            Arc::new(registry.catalogue()),
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::clone(&ids),
        );
        let keys = PassingKeys::new(|| Key::decode(&format!("{}Bwc=", "BwcH".repeat(10))).ok_or(KeyError::None));
        let credentials = Credentials::new(commands.clone(), Arc::new(keys), Arc::new(SystemIds));
        let continue_as_new = ContinueAsNew::default();
        Self { log, commands, credentials, calls, clock, checkpoints: Arc::default(), continue_as_new, registry, ids }
    }

    /// A world in which executions go on in another stream after so many events.
    pub(crate) fn in_links_of(events_max: u64) -> Self {
        Self { continue_as_new: ContinueAsNew { events_max, ..ContinueAsNew::default() }, ..Self::new() }
    }

    /// Runs of other workflows, as the engine has them.
    pub(crate) fn sub_workflows(&self) -> SubWorkflowCalls {
        let log = Arc::clone(&self.log) as Arc<dyn EventLog>;
        SubWorkflowCalls::new(log, self.commands.clone(), self.commands.directory().clone())
    }

    /// An engine that was not started.
    pub(crate) fn engine(&self) -> Engine {
        self.engine_with(1_000)
    }

    /// An engine for so many executions at once.
    pub(crate) fn engine_with(&self, executions_max: usize) -> Engine {
        self.engine_over(Arc::clone(&self.log) as Arc<dyn EventLog>, executions_max)
    }

    /// An engine over a log of the test's own.
    pub(crate) fn engine_over(&self, log: Arc<dyn EventLog>, executions_max: usize) -> Engine {
        let id = WorkerId(self.ids.uuid());
        let leases = AllShards::new(id, Roles::all(), Arc::new(SystemClock));
        self.engine_by(log, executions_max, Arc::new(leases))
    }

    /// An engine with leases of the test's own.
    pub(crate) fn engine_by(&self, log: Arc<dyn EventLog>, executions_max: usize, leases: Arc<dyn Leases>) -> Engine {
        let parts = EngineParts {
            log,
            registry: Arc::clone(&self.registry),
            evaluator: Evaluator::new(None),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            ids: Arc::clone(&self.ids),
            services: Arc::new(Services {
                credentials: Arc::new(self.credentials.clone()),
                sub_workflows: Arc::new(self.sub_workflows()),
                ..Services::new(OutboundPolicy::default())
            }),
            checkpoints: Arc::clone(&self.checkpoints) as Arc<dyn CheckpointStore>,
            leases,
        };
        let empty = Arc::new(JsonObject::new());
        let options = EngineOptions {
            timezone: chrono_tz::UTC,
            vars: Arc::clone(&empty),
            env: empty,
            executions_max,
            tenant_executions_max: executions_max,
            bursts_max: 4,
            code_limits: Limits::EXPRESSION,
            continue_as_new: self.continue_as_new,
            public_url: Arc::from("http://localhost:8080"),
        };
        Engine::new(parts, options)
    }

    pub(crate) fn registry(&self) -> &NodeRegistry {
        &self.registry
    }

    /// A command of somebody.
    pub(crate) fn context(&self) -> CommandContext {
        CommandContext::trusted(TenantId(1), Actor::Local("somebody".to_owned()), CommandId(self.ids.uuid()))
    }

    pub(crate) async fn import(&self, file: &Value) -> WorkflowId {
        let import = ImportWorkflow { workflow_id: None, source: file.to_string().into_bytes() };
        self.commands.import_workflow(&self.context(), import).await.unwrap().value
    }

    pub(crate) async fn start(&self, workflow_id: WorkflowId, mode: ExecutionMode) -> ExecutionId {
        let (version, start_node, items) = (None, None, None);
        let start = StartExecution { version, mode, start_node, items, ..StartExecution::by_hand(workflow_id) };
        self.commands.start_execution(&self.context(), start).await.unwrap().value
    }

    /// The events of one stream as recorded.
    pub(crate) async fn recorded(&self, id: ExecutionId) -> Vec<Arc<RecordedEvent>> {
        let mut recorded: Vec<Arc<RecordedEvent>> = Vec::new();
        loop {
            let after = recorded.last().map_or(Revision::default(), |last| last.revision);
            let page = self.log.read_stream(&execution(id), after, Direction::Forward, 1_000).await.unwrap();
            let complete = page.len() < 1_000;
            recorded.extend(page);
            if complete {
                return recorded;
            }
        }
    }

    /// The events of a workflow as recorded.
    pub(crate) async fn workflow(&self, id: WorkflowId) -> Vec<Arc<RecordedEvent>> {
        let stream = StreamKey::new(TenantId(1), "workflow", id.to_string());
        self.log.read_stream(&stream, Revision::default(), Direction::Forward, 1_000).await.unwrap()
    }

    pub(crate) async fn events(&self, id: ExecutionId) -> Vec<ExecutionEvent> {
        self.recorded(id).await.iter().map(|event| codec::decode(event).unwrap()).collect()
    }

    /// The events of all links of the execution's chain.
    pub(crate) async fn links(&self, root: ExecutionId) -> Vec<Vec<ExecutionEvent>> {
        let (mut links, mut next) = (Vec::new(), Some(root));
        while let Some(id) = next {
            let events = self.events(id).await;
            next = left_for(events.last());
            links.push(events);
        }
        links
    }

    /// Waits until the execution holds an event that passes `wanted`.
    pub(crate) async fn saw(&self, id: ExecutionId, wanted: impl Fn(&ExecutionEvent) -> bool) {
        let filter = Filter { stream: Some(execution(id)), ..Filter::default() };
        let subscribe = |after| self.log.subscribe(TenantScope::All, after, filter.clone(), 1_000);
        let found = async {
            let mut subscription = subscribe(Position::START);
            loop {
                match subscription.next().await.unwrap() {
                    SubscriptionMessage::Event(event) if wanted(&codec::decode(&event).unwrap()) => return,
                    SubscriptionMessage::FellBehind(last) => subscription = subscribe(last),
                    _ => {}
                }
            }
        };
        if tokio::time::timeout(PATIENCE, found).await.is_err() {
            panic!("waited in vain; the execution holds {:#?}", self.events(id).await);
        }
    }

    /// Waits for the execution's end, in whatever stream that is.
    pub(crate) async fn ended(&self, id: ExecutionId) -> Finished {
        let mut link = id;
        loop {
            self.saw(link, ends).await;
            match left_for(self.events(link).await.last()) {
                Some(next) => link = next,
                None => break,
            }
        }
        let links = self.links(id).await;
        let state = links.iter().map(|events| fold(events)).reduce(Execution::joined).unwrap();
        Finished { id, state, events: links.concat(), calls: self.calls.made() }
    }

    /// Runs a file by hand from beginning to end.
    pub(crate) async fn run(&self, file: &Value) -> Finished {
        self.run_in(file, ExecutionMode::Manual).await
    }

    pub(crate) async fn run_in(&self, file: &Value, mode: ExecutionMode) -> Finished {
        let engine = self.engine();
        engine.start().await.unwrap();
        let workflow = self.import(file).await;
        if mode == ExecutionMode::Production {
            self.commands.publish_workflow(&self.context(), workflow).await.unwrap();
        }
        let id = self.start(workflow, mode).await;
        let finished = self.ended(id).await;
        engine.stop().await;
        finished
    }
}

/// The stream of an execution.
pub(crate) fn execution(id: ExecutionId) -> StreamKey {
    StreamKey::new(TenantId(1), "execution", id.to_string())
}

/// The stream in which an execution goes on that was left with `event`.
fn left_for(event: Option<&ExecutionEvent>) -> Option<ExecutionId> {
    match event {
        Some(ExecutionEvent::ExecutionContinuedAsNew { next, .. }) => Some(*next),
        _ => None,
    }
}

/// Whether an event is the last of its stream.
pub(crate) fn ends(event: &ExecutionEvent) -> bool {
    matches!(
        event,
        ExecutionEvent::ExecutionCompleted { .. }
            | ExecutionEvent::ExecutionFailed { .. }
            | ExecutionEvent::ExecutionCancelled { .. }
            | ExecutionEvent::ExecutionContinuedAsNew { .. }
    )
}

pub(crate) fn fold(events: &[ExecutionEvent]) -> Execution {
    let mut state = Execution::default();
    events.iter().for_each(|event| state.apply(event));
    state
}

/// An execution that ended.
pub(crate) struct Finished {
    pub(crate) id: ExecutionId,
    pub(crate) state: Execution,
    pub(crate) events: Vec<ExecutionEvent>,
    pub(crate) calls: Vec<String>,
}

impl Finished {
    /// Nodes in the order in which they ran.
    pub(crate) fn order(&self) -> Vec<&str> {
        self.state.node_runs.iter().map(|run| run.node.as_str()).collect()
    }

    /// What a node's newest run gave: JSON by output and item.
    pub(crate) fn gave(&self, node: &str) -> Value {
        let run = self.state.newest_run(node).unwrap_or_else(|| panic!("{node} did not run: {:#?}", self.events));
        let outputs = run.outputs.as_ref().unwrap_or_else(|| panic!("{node} gave nothing: {:?}", run.error));
        json!(outputs.iter().map(|items| items.iter().map(|item| &item.json).collect()).collect::<Vec<Vec<_>>>())
    }

    /// The origins of what a node's newest run gave: `pairedItem` by output and item.
    pub(crate) fn pairs(&self, node: &str) -> Value {
        let outputs = self.state.newest_run(node).unwrap().outputs.clone().unwrap();
        json!(outputs.iter().map(|items| items.iter().map(|item| &item.paired_item).collect()).collect::<Vec<Vec<_>>>())
    }

    /// Names of its events.
    pub(crate) fn story(&self) -> Vec<&'static str> {
        self.events.iter().map(timeloom_domain::event::Event::event_type).collect()
    }
}

/// A node; `fields` are added to it as files write them.
pub(crate) fn node(name: &str, node_type: &str, parameters: Value, fields: Value) -> Value {
    let mut node = json!({
        "name": name, "type": format!("test.{node_type}"), "typeVersion": 1, "position": [0, 0], "parameters": parameters,
    });
    node.as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap());
    node
}

/// The same without parameters, at a height on the canvas.
pub(crate) fn at(name: &str, node_type: &str, x: i64, y: i64) -> Value {
    node(name, node_type, json!({}), json!({"position": [x, y]}))
}

/// A trigger named `Start`.
pub(crate) fn trigger() -> Value {
    at("Start", "trigger", 0, 0)
}

/// A file; links read `"From>To"`, with `"From.1>To.2"` for other outputs and inputs than 0.
pub(crate) fn file(order: &str, nodes: &[Value], links: &[&str]) -> Value {
    let mut connections = json!({});
    let end = |text: &str| match text.split_once('.') {
        Some((name, place)) => (name.to_owned(), place.parse::<usize>().unwrap()),
        None => (text.to_owned(), 0),
    };
    for link in links {
        let (from, to) = link.split_once('>').unwrap();
        let ((from, output), (to, input)) = (end(from), end(to));
        if connections.get(&from).is_none() {
            connections[&from] = json!({"main": []});
        }
        let outputs = connections[&from]["main"].as_array_mut().unwrap();
        while outputs.len() <= output {
            outputs.push(json!([]));
        }
        outputs[output].as_array_mut().unwrap().push(json!({"node": to, "type": "main", "index": input}));
    }
    json!({"name": "Sample", "nodes": nodes, "connections": connections, "settings": {"executionOrder": order}})
}

/// A chain of nodes after a trigger, in order v1.
pub(crate) fn chain(nodes: &[Value]) -> Value {
    let nodes = [&[trigger()], nodes].concat();
    let names: Vec<&str> = nodes.iter().map(|node| node["name"].as_str().unwrap()).collect();
    let links: Vec<String> = names.windows(2).map(|pair| format!("{}>{}", pair[0], pair[1])).collect();
    file("v1", &nodes, &links.iter().map(String::as_str).collect::<Vec<_>>())
}
