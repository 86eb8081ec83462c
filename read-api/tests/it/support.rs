//! A server for one test, and clients for it.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use async_trait::async_trait;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tempfile::TempDir;
use timeloom_commands::credentials::keys::{Key, KeyError, KeySource, PassingKeys};
use timeloom_commands::{Access, Clock, Commands, Credentials, Erasures, ErasuresParts, Ids, RecordedCases, SystemIds};
use timeloom_domain::access::Principal;
use timeloom_domain::catalogue::{
    Choice, Constant, NodeCatalogue, NodeDefinition, NodeRole, ParameterDefinition, ParameterKind, Ports,
};
use timeloom_domain::evaluation::InferenceSelection;
use timeloom_domain::event::Event as DomainEvent;
use timeloom_domain::execution::{Continuation, ExecutionEvent, ExecutionMode, NodeFacts, RunOptions, StartFacts};
use timeloom_domain::gateway::{GatewayLimit, LimitMost};
use timeloom_domain::ids::{Actor, CommandId, EventId, ExecutionId, Slug, TenantId, WorkflowId};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_expressions::evaluator::Evaluator;
use timeloom_projections::ReadModels;
use timeloom_read_api::{
    ApiState, GraphqlOptions, InferenceCases, LimitCounts, LimitTaken, NotCounted, NotMade, ServerFacts, ServerOptions,
    SignIn, SignInOptions, WebhookOptions, Wiring, server,
};
use timeloom_store::leases::{AllShards, Roles, WorkerId, Workers};
use timeloom_store::log::AppendError;
use timeloom_store::{
    Append, Appended, Direction, EventLog, Expected, Filter, LogError, MemoryLog, Metadata, NewEvent, NoSubjectKeys,
    Payload, Position, RecordedEvent, Revision, StreamKey, Subscription, SubscriptionMessage, SystemClock, TenantScope,
    codec,
};
use tokio::task::JoinSet;
use uuid::Uuid;

pub(crate) const TENANT: TenantId = TenantId(1);
/// The tenant that runs an installation.
pub(crate) const FIRST_TENANT: TenantId = TenantId(0);

/// A process without models.
struct NoModels;

#[async_trait]
impl InferenceCases for NoModels {
    async fn cases(&self, _: TenantId, _: &Slug, _: &InferenceSelection) -> Result<Option<RecordedCases>, NotMade> {
        Ok(None)
    }
}

/// Half of every limit of a tenant is taken, by `busy`.
struct HalfTaken;

#[async_trait]
impl LimitCounts for HalfTaken {
    async fn taken(&self, _: TenantId, limits: &[GatewayLimit]) -> Result<Option<Vec<LimitTaken>>, NotCounted> {
        let half = |limit: &GatewayLimit| {
            let half = match limit.most {
                LimitMost::Money { most, .. } => most.0 / 2,
                LimitMost::RequestsPerMinute { most }
                | LimitMost::TokensPerMinute { most }
                | LimitMost::CallsAtOnce { most } => most / 2,
            };
            let by = Some("busy".to_owned());
            LimitTaken { by, used: half, left: half, resets_at_ms: Some(1_700_000_060_000) }
        };
        Ok(Some(limits.iter().map(half).collect()))
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

/// A log that takes no events of a category while a test says so.
pub(crate) struct Refusing {
    log: Arc<MemoryLog>,
    category: &'static str,
    pub refuses: AtomicBool,
}

#[async_trait]
impl EventLog for Refusing {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        if *append.stream.category == *self.category && self.refuses.load(Ordering::SeqCst) {
            return Err(LogError::storage(std::io::Error::other("the disk is full")).into());
        }
        self.log.append(append).await
    }

    async fn read_stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
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

const CHOICES: &[Choice] = &[
    Choice { value: Constant::Text("fast"), label: "Fast", description: None },
    Choice { value: Constant::Text("slow"), label: "Slow", description: Some("With care.") },
];
const PARAMETERS: &[ParameterDefinition] =
    &[ParameterDefinition::new("mode", ParameterKind::Options(CHOICES), "How.").or_text("fast")];

fn catalogue() -> NodeCatalogue {
    let ports = |inputs| Ports { inputs, outputs: 1, closes_loops: false };
    let definition = |node_type, role, inputs| NodeDefinition {
        node_type,
        display_name: "A node",
        description: "Does something in tests.",
        versions: &[1.0],
        role,
        ports: ports(inputs),
        parameters: PARAMETERS,
        ..NodeDefinition::BLANK
    };
    let request = definition("n8n-nodes-base.httpRequest", NodeRole::Effect, 1);
    NodeCatalogue::new([
        definition("test.trigger", NodeRole::Trigger, 0),
        definition("test.pure", NodeRole::Pure, 1),
        NodeDefinition { versions: &[4.2], ..request },
        definition("n8n-nodes-base.webhook", NodeRole::Trigger, 0),
        definition("@n8n/n8n-nodes-langchain.chatTrigger", NodeRole::Trigger, 0),
    ])
}

/// A file with a trigger and a node.
pub(crate) fn workflow_file(name: &str) -> Value {
    json!({
        "name": name,
        "nodes": [
            {"id": "1", "name": "Start", "type": "test.trigger", "typeVersion": 1, "position": [0, 0], "parameters": {}},
            {"id": "2", "name": "Fill", "type": "test.pure", "typeVersion": 1, "position": [200, 0], "parameters": {}},
        ],
        "connections": {"Start": {"main": [[{"node": "Fill", "type": "main", "index": 0}]]}},
        "settings": {},
    })
}

/// Everything that one test needs.
pub(crate) struct TestServer {
    pub log: Arc<MemoryLog>,
    pub port: u16,
    pub client: reqwest::Client,
    pub state: ApiState,
    pub access: Access,
    pub clock: Arc<TestClock>,
    handle: ServerHandle,
    tasks: JoinSet<()>,
    read_models: Arc<ReadModels>,
    _folder: TempDir,
}

impl TestServer {
    /// A server whose read models follow the log.
    pub(crate) fn start() -> Self {
        let server = Self::start_behind();
        server.catch_up();
        server
    }

    /// A server that serves GraphQL as said.
    pub(crate) fn start_with(graphql: GraphqlOptions) -> Self {
        let server = Self::behind(graphql);
        server.catch_up();
        server
    }

    /// A server whose read models stand still until [`Self::catch_up`].
    pub(crate) fn start_behind() -> Self {
        Self::behind(GraphqlOptions::default())
    }

    /// Another process over the same log, whose read models follow it.
    pub(crate) fn beside(&self) -> Self {
        let log = Arc::clone(&self.log);
        let server = Self::over(log, None, GraphqlOptions::default(), TENANT, SignIn::Off, None);
        server.catch_up();
        server
    }

    /// A server over a log that can be told to take no events of a category.
    pub(crate) fn start_refusing(category: &'static str) -> (Self, Arc<Refusing>) {
        let log = MemoryLog::new(Arc::new(SystemClock));
        let refusing = Refusing { log: Arc::clone(&log), category, refuses: AtomicBool::new(false) };
        let refusing = Arc::new(refusing);
        let told = Some(Arc::clone(&refusing) as Arc<dyn EventLog>);
        let server = Self::over(log, told, GraphqlOptions::default(), TENANT, SignIn::Off, None);
        server.catch_up();
        (server, refusing)
    }

    fn behind(graphql: GraphqlOptions) -> Self {
        Self::over(MemoryLog::new(Arc::new(SystemClock)), None, graphql, TENANT, SignIn::Off, None)
    }

    /// A server that lets in those alone who show who they are. It begins with the tenant that runs an installation.
    pub(crate) fn start_asking(options: SignInOptions) -> Self {
        Self::asking_at(None, options)
    }

    /// The same for a deployment that is reached at a public address.
    pub(crate) fn start_asking_at(public_url: &str, options: SignInOptions) -> Self {
        Self::asking_at(Some(public_url), options)
    }

    fn asking_at(public_url: Option<&str>, options: SignInOptions) -> Self {
        let log = MemoryLog::new(Arc::new(SystemClock));
        let (graphql, sign_in) = (GraphqlOptions::default(), SignIn::Required(options));
        let server = Self::over(log, None, graphql, FIRST_TENANT, sign_in, public_url);
        server.catch_up();
        server
    }

    /// A server over `log`, or over `told` where something stands before it.
    fn over(
        log: Arc<MemoryLog>,
        told: Option<Arc<dyn EventLog>>,
        graphql: GraphqlOptions,
        tenant: TenantId,
        sign_in: SignIn,
        public_url: Option<&str>,
    ) -> Self {
        let default = WebhookOptions::default();
        let public_url = public_url.map_or(default.public_url.clone(), str::to_owned);
        let port_log = told.unwrap_or_else(|| Arc::clone(&log) as Arc<dyn EventLog>);
        let clock = Arc::new(TestClock(AtomicI64::new(1_700_000_000_000)));
        let folder = tempfile::tempdir().unwrap();
        let read_models = ReadModels::open(folder.path(), Arc::clone(&port_log)).unwrap();
        let catalogue = Arc::new(catalogue());
        let commands = Commands::new(
            Arc::clone(&port_log),
            Arc::clone(&catalogue),
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(SystemIds),
        );
        let workers = Arc::new(AllShards::new(WorkerId(Uuid::from_u128(77)), Roles::all(), Arc::new(SystemClock)));
        workers.join("http://127.0.0.1:1");
        let keys = PassingKeys::new(|| Key::decode(&format!("{}Bwc=", "BwcH".repeat(10))).ok_or(KeyError::None));
        let keys: Arc<dyn KeySource> = Arc::new(keys);
        let credentials = Credentials::new(commands.clone(), Arc::clone(&keys), Arc::new(SystemIds));
        let access = Access::new(commands.clone(), keys, Arc::new(SystemIds));
        let erasures = Erasures::new(ErasuresParts {
            commands: commands.clone(),
            stored: Arc::clone(&log) as Arc<dyn EventLog>,
            keys: Arc::new(NoSubjectKeys("this is a test")),
            blobs: timeloom_store::MemoryBlobs::new(),
        });
        let state = ApiState::new(Wiring {
            erasures,
            evaluator: Evaluator::new(None),
            commands,
            credentials,
            access: access.clone(),
            read_models: Arc::clone(&read_models),
            log: port_log,
            catalogue,
            workers: Arc::clone(&workers) as Arc<dyn Workers>,
            limits: Arc::new(HalfTaken),
            inference_cases: Arc::new(NoModels),
            stored: None,
            proofs: None,
            archiver: None,
            principal: Principal::local(tenant, "api"),
            // Tests say from where somebody calls.
            webhooks: WebhookOptions { proxy_hops: 1, public_url, ..default },
            metrics: Arc::default(),
            graphql,
            tracer: None,
            server: ServerFacts { backend: "memory", features: vec!["traces"] },
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let options = ServerOptions { workers: 1, shutdown_seconds: 1, sign_in, ..ServerOptions::default() };
        let running = server(state.clone(), listener, &options).unwrap();
        let handle = running.handle();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { running.await.unwrap() });
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy().build().unwrap();
        Self { log, port, client, state, access, clock, handle, tasks, read_models, _folder: folder }
    }

    /// Waits until the read models show all that the log holds.
    pub(crate) async fn wait_for_rows(&self) {
        self.read_models.wait_for(self.log.head(), Duration::from_secs(30)).await.unwrap();
    }

    /// Lets read models that stood still follow the log.
    pub(crate) fn catch_up(&self) {
        self.read_models.start().unwrap();
    }

    /// Plays the engine: every execution that starts gets one node run and then ends as `ended` says.
    pub(crate) fn play_engine(&mut self, ended: fn() -> ExecutionEvent) {
        let log = Arc::clone(&self.log);
        let filter = Filter { event_types: vec![Arc::from("ExecutionStarted")], ..Filter::default() };
        let mut started = log.subscribe(TenantScope::All, Position::START, filter, 100);
        self.tasks.spawn(async move {
            while let Some(message) = started.next().await {
                if let SubscriptionMessage::Event(event) = message {
                    append(&log, &event.stream, vec![node_completed("Start", 0, json!({"n": 1})), ended()]).await;
                }
            }
        });
    }

    /// Plays an engine that goes on in stream `next` after one node run.
    pub(crate) fn play_engine_that_goes_on(&mut self, next: Uuid) {
        let log = Arc::clone(&self.log);
        let filter = Filter { event_types: vec![Arc::from("ExecutionStarted")], ..Filter::default() };
        let mut started = log.subscribe(TenantScope::All, Position::START, filter, 100);
        self.tasks.spawn(async move {
            while let Some(message) = started.next().await {
                let SubscriptionMessage::Event(event) = message else { continue };
                let next_stream = StreamKey { id: next.to_string().into(), ..event.stream.clone() };
                let (previous, next) = (ExecutionId(event.stream.id.parse().unwrap()), ExecutionId(next));
                let ExecutionEvent::ExecutionStarted(start) = codec::decode(&event).unwrap() else { continue };
                let left = ExecutionEvent::ExecutionContinuedAsNew { next, at_ms: 1_002 };
                append(&log, &event.stream, vec![node_completed("Start", 0, json!({"n": 1})), left]).await;
                let goes_on = ExecutionEvent::ExecutionContinued(Box::new(Continuation {
                    previous,
                    root: previous,
                    link: 1,
                    start: start.without_items(),
                    earlier_runs: 1,
                    run_counts: Default::default(),
                    due: Vec::new(),
                    waiting: Vec::new(),
                    memory: Default::default(),
                    is_fork: false,
                    at_ms: 1_002,
                }));
                append(&log, &next_stream, vec![goes_on, node_completed("Fill", 1, json!({"n": 2})), completed()])
                    .await;
            }
        });
    }

    /// Position of the newest event.
    pub(crate) fn log_head(&self) -> String {
        self.log.head().to_string()
    }

    /// How many statements the rows were asked by so far.
    pub(crate) fn statements(&self) -> u64 {
        self.read_models.statements()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The answer to a document.
    pub(crate) async fn ask(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        let response = self.client.post(self.url("/graphql")).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    /// The data of an answer that must have no errors.
    pub(crate) async fn data(&self, query: &str, variables: Value) -> Value {
        let answer = self.ask(query, variables).await;
        assert_eq!(answer.get("errors"), None, "{answer}");
        answer["data"].clone()
    }

    /// Imports a workflow; its id and the position from which it can be read.
    pub(crate) async fn import(&self, name: &str) -> (String, String) {
        let query = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) {
            workflowId position errors { code message } } }";
        let data = self.data(query, json!({ "input": { "definition": workflow_file(name) } })).await;
        let payload = &data["importWorkflow"];
        assert_eq!(payload["errors"], json!([]));
        (text(&payload["workflowId"]), text(&payload["position"]))
    }

    /// Appends a whole execution of two node runs; its id and stream.
    pub(crate) async fn execution(&self, workflow_id: &str) -> (String, StreamKey) {
        let id = SystemIds.uuid().to_string();
        let stream = StreamKey::new(TENANT, ExecutionEvent::CATEGORY, id.as_str());
        let events = vec![
            started(workflow_id),
            node_completed("Start", 0, json!({"n": 1})),
            node_completed("Fill", 1, json!({"n": 2})),
            completed(),
        ];
        append(&self.log, &stream, events).await;
        (id, stream)
    }

    /// Stops everything; fails when something hangs.
    pub(crate) async fn stop(self) {
        self.state.close().await;
        self.access.close().await;
        self.handle.stop(true).await;
        self.read_models.close().await.unwrap();
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

pub(crate) fn started(workflow_id: &str) -> ExecutionEvent {
    ExecutionEvent::ExecutionStarted(Arc::new(StartFacts {
        workflow_id: WorkflowId(workflow_id.parse().unwrap()),
        workflow_revision: 1,
        workflow_version: None,
        mode: ExecutionMode::Manual,
        start_node: "Start".to_owned(),
        items: vec![Item::default()],
        pins: Default::default(),
        seed: 7,
        at_ms: 1_000,
        trigger: None,
        options: RunOptions::default(),
        subject: None,
    }))
}

pub(crate) fn node_completed(node: &str, index: usize, json: Value) -> ExecutionEvent {
    let Value::Object(fields) = json else { panic!("items are objects") };
    ExecutionEvent::NodeCompleted {
        run: NodeFacts { node: node.to_owned(), run_index: 0, execution_index: index, sources: Vec::new() },
        started_at_ms: 1_001,
        duration_us: 250,
        outputs: vec![Arc::new(vec![Item::new(JsonObject::from_iter(fields))])],
        memory: None,
        hints: Vec::new(),
        pinned: false,
    }
}

pub(crate) fn completed() -> ExecutionEvent {
    ExecutionEvent::ExecutionCompleted { at_ms: 1_002 }
}

pub(crate) fn failed() -> ExecutionEvent {
    ExecutionEvent::ExecutionFailed {
        node: Some("Fill".to_owned()),
        error: json!({ "name": "NodeOperationError", "message": "no luck" }),
        at_ms: 1_002,
    }
}

/// Appends events of an execution; the position of the last.
pub(crate) async fn append(log: &MemoryLog, stream: &StreamKey, events: Vec<ExecutionEvent>) -> Position {
    tell(log, stream, &events).await
}

/// Appends events of any kind of thing; the position of the last.
pub(crate) async fn tell<E: DomainEvent + Serialize>(log: &MemoryLog, stream: &StreamKey, events: &[E]) -> Position {
    let encoded = events.iter().map(|event| codec::encode(event).unwrap());
    let events = encoded.map(|encoded| (Arc::from(encoded.event_type), encoded.event_version, encoded.payload));
    append_all(log, stream, events.collect()).await
}

/// Appends one event, whatever it is.
pub(crate) async fn append_raw(log: &MemoryLog, stream: &StreamKey, event_type: &str, version: u16, payload: &str) {
    let payload = Payload::from(RawValue::from_string(payload.to_owned()).unwrap());
    append_all(log, stream, vec![(Arc::from(event_type), version, payload)]).await;
}

async fn append_all(log: &MemoryLog, stream: &StreamKey, events: Vec<(Arc<str>, u16, Payload)>) -> Position {
    let command_id = CommandId(SystemIds.uuid());
    let metadata = Arc::new(Metadata {
        actor: Actor::System("engine".to_owned()),
        command_id,
        causation_id: None,
        correlation_id: None,
        request: None,
    });
    let new_event = |(event_type, event_version, payload)| NewEvent {
        id: EventId(SystemIds.uuid()),
        event_type,
        event_version,
        payload,
        metadata: Arc::clone(&metadata),
    };
    let events = events.into_iter().map(new_event).collect();
    let append = Append::new(stream.clone(), Expected::Any, events, command_id);
    log.append(append).await.unwrap().position
}

/// An id that nothing has.
pub(crate) fn unknown_id() -> Uuid {
    Uuid::from_u128(0x0123_4567_89ab_cdef)
}
