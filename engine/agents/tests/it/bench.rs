//! A log in memory, a model with lines to say, and nodes that note what they are asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_agents::{AgentRuns, AgentRunsParts, Drives};
use timeloom_commands::{Clock, CommandContext, Commands, Ids as _, StartAgentRun, SystemIds};
use timeloom_domain::agent::AgentRecord;
use timeloom_domain::agent_run::{AgentRun, AgentRunEvent, AgentRunStatus};
use timeloom_domain::catalogue::{NodeDefinition, NodeRole, Ports};
use timeloom_domain::chat::{ChatAnswer, ChatRequest, Choice, FinishReason, Part, Usage};
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{Actor, AgentRunId, CommandId, EventId, ModelCallId, Slug, TenantId};
use timeloom_domain::inference::port::{
    Answering, Asker, Chatted, Described, Embedded, InferencePort, ModelAnswer, ModelAsk, NotAnswered,
};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_domain::model::ModelReference;
use timeloom_domain::money::Money;
use timeloom_engine::node::{
    Behaviour, EffectNode, FixedCredentials, NodeError, NodeOutput, NodeRegistry, NodeRun, NodeType, OutboundPolicy,
    Services, SharedNodeType,
};
use timeloom_store::{
    Append, Direction, EventLog, Expected, MemoryLog, Metadata, NewEvent, Position, Revision, StreamKey, SystemClock,
    codec,
};
use tokio::sync::watch;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(20);
/// The secret of the one credential.
pub(crate) const SECRET: &str = "s3cr3t-t0ken-0f-the-sh0p";

/// What the model says next.
#[derive(Clone)]
pub(crate) enum Line {
    Says(Vec<Part>),
    Fails(NotAnswered),
    Never,
}

pub(crate) fn says(text: &str) -> Line {
    Line::Says(vec![Part::text(text)])
}

pub(crate) fn wants(tool: &str, arguments: Value) -> Line {
    Line::Says(vec![call(tool, arguments)])
}

pub(crate) fn call(tool: &str, arguments: Value) -> Part {
    Part::ToolCall { id: format!("id-{tool}"), name: tool.to_owned(), arguments: arguments.to_string() }
}

/// A model that says its lines, the last one again and again, and keeps what it was asked.
#[derive(Default)]
pub(crate) struct Script {
    lines: Mutex<VecDeque<Line>>,
    pub(crate) asked: Mutex<Vec<(Asker, ChatRequest)>>,
    count: watch::Sender<usize>,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Script")
    }
}

impl Script {
    pub(crate) fn questions(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// Waits until it was asked so often.
    pub(crate) async fn asked_times(&self, times: usize) {
        let mut count = self.count.subscribe();
        tokio::time::timeout(PATIENCE, count.wait_for(|count| *count >= times)).await.unwrap().unwrap();
    }

    pub(crate) fn last_request(&self) -> ChatRequest {
        self.asked.lock().unwrap().last().unwrap().1.clone()
    }
}

fn refused<T: Send + 'static>() -> Answering<'static, T> {
    Box::pin(async { Err(NotAnswered::Refused { code: "NO", message: "not here".to_owned() }) })
}

impl InferencePort for Script {
    fn describe<'a>(&'a self, _: &'a Asker, _: &'a ModelReference) -> Answering<'a, Described> {
        refused()
    }

    fn infer<'a>(&'a self, _: &'a Asker, _: ModelAsk) -> Answering<'a, ModelAnswer> {
        refused()
    }

    fn chat<'a>(&'a self, asker: &'a Asker, request: ChatRequest) -> Answering<'a, Chatted> {
        self.asked.lock().unwrap().push((asker.clone(), request));
        let line = {
            let mut lines = self.lines.lock().unwrap();
            if lines.len() > 1 { lines.pop_front() } else { lines.front().cloned() }
        };
        self.count.send_modify(|count| *count += 1);
        Box::pin(async move {
            let parts = match line {
                Some(Line::Says(parts)) => parts,
                Some(Line::Fails(reason)) => return Err(reason),
                Some(Line::Never) | None => return std::future::pending().await,
            };
            let usage = Some(Usage { input_tokens: 100, output_tokens: 10, ..Usage::default() });
            let choice = Choice { parts, finish: Some(FinishReason::Stop), ..Choice::default() };
            let answer =
                ChatAnswer { model: "scripted".to_owned(), choices: vec![choice], usage, ..Default::default() };
            let (call, cost) = (ModelCallId(Uuid::from_u128(9)), Some(Money(1_000_000)));
            Ok(Chatted { call, provider: Some("script".to_owned()), answer, cost })
        })
    }

    fn embed<'a>(&'a self, _: &'a Asker, _: timeloom_domain::chat::EmbedRequest) -> Answering<'a, Embedded> {
        refused()
    }
}

/// A node that notes its parameters and gives what it is told; with a credential it gives that away.
#[derive(Default)]
pub(crate) struct Note {
    pub(crate) runs: Mutex<Vec<(String, Value)>>,
    count: watch::Sender<usize>,
    /// Whether it never ends.
    pub(crate) hangs: std::sync::atomic::AtomicBool,
    /// Whether it waits for what others do.
    pub(crate) waits: std::sync::atomic::AtomicBool,
}

impl Note {
    pub(crate) async fn ran_times(&self, times: usize) {
        let mut count = self.count.subscribe();
        tokio::time::timeout(PATIENCE, count.wait_for(|count| *count >= times)).await.unwrap().unwrap();
    }
}

struct NoteType(Arc<Note>, &'static str);

impl NodeType for NoteType {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: self.1,
            display_name: "Note",
            description: "Notes.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: Ports { inputs: 1, outputs: 1, closes_loops: false },
            ..NodeDefinition::BLANK
        }
    }

    fn waits_for_others(&self) -> bool {
        self.0.waits.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for NoteType {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let parameters = run.node.parameters.clone();
        let text = run.parameter("text", 0)?.unwrap_or_default();
        self.0.runs.lock().unwrap().push((run.idempotency_key.to_owned(), parameters));
        self.0.count.send_modify(|count| *count += 1);
        if self.0.hangs.load(std::sync::atomic::Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let token = run.credential("httpHeaderAuth").await?;
        let mut json = JsonObject::new();
        json.insert("text".to_owned(), text.clone());
        if let Some(token) = token {
            json.insert("sent".to_owned(), json!(format!("Authorization: {}", token["value"].as_str().unwrap())));
        }
        if text == json!("fail") {
            return Err(NodeError::api(format!("refused with {SECRET}")));
        }
        Ok(NodeOutput::single(vec![Item::new(json)]))
    }
}

/// A server of tools, as the node that asks servers finds it.
#[derive(Default)]
pub(crate) struct Shop {
    /// What it lists.
    pub(crate) tools: Mutex<Value>,
    /// What its tools give: the node's item, or why it fails.
    pub(crate) gives: Mutex<Value>,
    /// The parameters with which the node was asked.
    pub(crate) asked: Mutex<Vec<Value>>,
}

impl Shop {
    pub(crate) fn asked_to(&self, operation: &str) -> Vec<Value> {
        self.asked.lock().unwrap().iter().filter(|asked| asked["operation"] == operation).cloned().collect()
    }
}

struct ShopType(Arc<Shop>);

impl NodeType for ShopType {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "timeloom.mcp",
            display_name: "MCP",
            description: "Asks a server.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: Ports { inputs: 1, outputs: 1, closes_loops: false },
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for ShopType {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let parameters = run.node.parameters.clone();
        let lists = parameters["operation"] == "list";
        self.0.asked.lock().unwrap().push(parameters);
        let opened = run.credential("httpHeaderAuth").await?.filter(|_| run.node.credentials.is_some());
        let secret = opened.map(|fields| fields["value"].clone());
        let mut given = match lists {
            true => json!({
                "protocolVersion": "2025-11-25", "server": {"name": "Shop", "version": "1"},
                "tools": self.0.tools.lock().unwrap().clone(),
            }),
            false => self.0.gives.lock().unwrap().clone(),
        };
        if let Some(why) = given.as_str() {
            return Err(NodeError::api(why));
        }
        if let (Some(secret), false) = (secret, lists) {
            given["text"] = secret;
        }
        Ok(NodeOutput::single(vec![Item::new(given.as_object().unwrap().clone())]))
    }
}

struct RealClock;

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "runs wait for the machine's own time here")]
    fn now_ms(&self) -> i64 {
        i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()).unwrap()
    }
}

/// Everything around the runs of one process.
pub(crate) struct World {
    log: Arc<MemoryLog>,
    pub(crate) commands: Commands,
    pub(crate) script: Arc<Script>,
    pub(crate) note: Arc<Note>,
    pub(crate) shop: Arc<Shop>,
    registry: Arc<NodeRegistry>,
    services: Arc<Services>,
}

impl World {
    pub(crate) fn new(lines: impl IntoIterator<Item = Line>) -> Self {
        let log = MemoryLog::new(Arc::new(SystemClock));
        let note = Arc::new(Note::default());
        let types = ["test.note", "n8n-nodes-base.httpRequest"];
        let types = types.map(|name| Arc::new(NoteType(Arc::clone(&note), name)) as SharedNodeType);
        let shop = Arc::new(Shop::default());
        let asking = Arc::new(ShopType(Arc::clone(&shop))) as SharedNodeType;
        let registry = Arc::new(NodeRegistry::new(types.into_iter().chain([asking])));
        let script = Arc::new(Script { lines: Mutex::new(lines.into_iter().collect()), ..Script::default() });
        let commands = Commands::new(
            Arc::clone(&log) as Arc<dyn EventLog>,
            Arc::new(registry.catalogue()),
            Arc::new(RealClock),
            Arc::new(SystemIds),
        );
        let fields = json!({"name": "Authorization", "value": SECRET}).as_object().unwrap().clone();
        let credentials = FixedCredentials::new(BTreeMap::from([("httpHeaderAuth".to_owned(), fields)]));
        let mut services = Services::new(OutboundPolicy::default());
        services.models = Arc::clone(&script) as _;
        services.credentials = Arc::new(credentials);
        Self { log, commands, script, note, shop, registry, services: Arc::new(services) }
    }

    /// Lets a process drive runs.
    pub(crate) fn process(&self) -> AgentRuns {
        self.process_that_drives(Arc::new(|_| true))
    }

    /// Lets a process drive those runs that are its own.
    pub(crate) fn process_that_drives(&self, drives: Drives) -> AgentRuns {
        let runs = AgentRuns::new(AgentRunsParts {
            log: Arc::clone(&self.log) as Arc<dyn EventLog>,
            commands: self.commands.clone(),
            registry: Arc::clone(&self.registry),
            services: Arc::clone(&self.services),
            drives,
        });
        runs.start();
        runs
    }

    pub(crate) fn context(&self) -> CommandContext {
        CommandContext::trusted(TenantId(0), Actor::Local("owner".to_owned()), CommandId(SystemIds.uuid()))
    }

    pub(crate) async fn publish(&self, record: Value) -> Slug {
        let name = Slug::try_new("helper").unwrap();
        let _ = self.commands.register_agent(&self.context(), name.clone(), String::new(), None).await;
        let record = AgentRecord::read(record).unwrap();
        self.commands.publish_agent_version(&self.context(), name.clone(), record).await.unwrap();
        name
    }

    pub(crate) fn start(&self, input: Value) -> StartAgentRun {
        let agent = Slug::try_new("helper").unwrap();
        StartAgentRun { run_id: None, agent, version: None, record: None, input, session: None, caller: None }
    }

    pub(crate) async fn begin(&self, input: Value) -> AgentRunId {
        self.commands.start_agent_run(&self.context(), self.start(input)).await.unwrap().value
    }

    pub(crate) async fn events(&self, run: AgentRunId) -> Vec<AgentRunEvent> {
        let stream = StreamKey::new(TenantId(0), AgentRunEvent::CATEGORY, run.to_string());
        let read = self.log.read_stream(&stream, Revision::default(), Direction::Forward, 1_000).await.unwrap();
        read.iter().map(|event| codec::decode(event).unwrap()).collect()
    }

    /// Appends so many thousand ends of other runs.
    pub(crate) async fn pass(&self, thousands: u32) {
        let encoded = codec::encode(&AgentRunEvent::AgentRunCancelled { reason: "old".to_owned(), at_ms: 1 }).unwrap();
        for _ in 0..thousands {
            let command_id = CommandId(SystemIds.uuid());
            let metadata = Arc::new(Metadata::new(Actor::System("test".to_owned()), command_id));
            let event = |_| NewEvent {
                id: EventId(SystemIds.uuid()),
                event_type: encoded.event_type.into(),
                event_version: encoded.event_version,
                payload: Arc::clone(&encoded.payload),
                metadata: Arc::clone(&metadata),
            };
            let stream = StreamKey::new(TenantId(0), AgentRunEvent::CATEGORY, command_id.0.to_string());
            let append = Append::new(stream, Expected::Any, (0..1_000).map(event).collect(), command_id);
            self.log.append(append).await.unwrap();
        }
    }

    pub(crate) async fn types(&self, run: AgentRunId) -> Vec<&'static str> {
        self.events(run).await.iter().map(|event| event.event_type()).collect()
    }

    /// The run, once that holds of it.
    pub(crate) async fn until(&self, run: AgentRunId, holds: impl Fn(&AgentRun) -> bool) -> AgentRun {
        let look = async {
            loop {
                let position = self.log.head();
                let state = self.commands.agent_run(&self.context(), run).await.unwrap().aggregate.clone();
                if holds(&state) {
                    return state;
                }
                self.log.wait_for(Position(position.0 + 1)).await.unwrap();
            }
        };
        match tokio::time::timeout(PATIENCE, look).await {
            Ok(state) => state,
            Err(_) => panic!("{:?}", self.types(run).await),
        }
    }

    pub(crate) async fn over(&self, run: AgentRunId) -> AgentRun {
        self.until(run, |run| run.status.is_over()).await
    }

    #[track_caller]
    pub(crate) fn failed(run: &AgentRun, code: &str) {
        let failure = run.failure.as_ref().map(|(code, _)| code.as_str());
        assert_eq!((run.status, failure), (AgentRunStatus::Failed, Some(code)), "{:?}", run.failure);
    }
}

/// An agent with one tool, which notes the text that the model fills in.
pub(crate) fn noting(tool: Value) -> Value {
    let mut note = json!({
        "name": "note",
        "does": {"kind": "node", "node_type": "test.note", "version": 1, "parameters": {"text": ""}, "fills": {"text": "/text"}},
        "parameters": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    });
    note.as_object_mut().unwrap().extend(tool.as_object().unwrap().clone());
    json!({"model": "fast", "prompt": "You note.", "tools": [note]})
}

pub(crate) fn with(mut record: Value, changes: Value) -> Value {
    record.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    record
}
