//! What every request needs. Cheap to clone; made once by the server.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use actix_web::{HttpMessage as _, HttpRequest};
use serde_json::json;
use timeloom_archive::Archiver;
use timeloom_commands::access::NotLetIn;
use timeloom_commands::{Access, CommandContext, Commands, Credentials, Erasures, RecordedCases};
use timeloom_domain::access::{Forbidden, Permission, Permissions, Principal};
use timeloom_domain::catalogue::NodeCatalogue;
use timeloom_domain::evaluation::InferenceSelection;
use timeloom_domain::gateway::GatewayLimit;
use timeloom_domain::ids::{Actor, CommandId, Slug, TenantId};
use timeloom_expressions::evaluator::Evaluator;
use timeloom_history::{Kept, Past};
use timeloom_monitor::{Metrics, Tracer};
use timeloom_projections::ReadModels;
use timeloom_store::leases::Workers;
use timeloom_store::proofs::ProofLog;
use timeloom_store::{BlobStore, EventLog, LogTransfer, RequestFacts, Revision, StreamKey};
use timeloom_verify::key::PublicKey;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::http::WebhookOptions;
use crate::options::GraphqlOptions;
use crate::rates::Rates;

/// States that are folded at the same time: each may take some hundred megabytes before it is known how much of it is shown.
const FOLDS_MAX: usize = 2;
/// Read models that are at most this many events behind count as caught up.
const READY_LAG_MAX: u64 = 1_000;

/// The log and its blobs as they are stored: what backups of a running server are made from.
#[derive(Clone)]
pub struct StoredLog {
    /// Its rows.
    pub log: Arc<dyn LogTransfer>,
    /// Its blobs.
    pub blobs: Arc<dyn BlobStore>,
}

/// The keys that sign checkpoints, those that did as well; what is wrong where they cannot be read.
pub type PublicKeys = Arc<dyn Fn() -> Result<Vec<PublicKey>, String> + Send + Sync>;

/// What proves the log to others.
#[derive(Clone)]
pub struct Proofs {
    /// The log and the tree over it.
    pub log: ProofLog,
    /// The keys that sign it.
    pub keys: PublicKeys,
}

/// What counts what is taken of the limits of gateways.
#[async_graphql::async_trait::async_trait]
pub trait LimitCounts: Send + Sync {
    /// What is taken of these limits of a tenant now, in their order; `None` where this process counts nothing.
    ///
    /// # Errors
    /// [`NotCounted`] when it cannot be told.
    async fn taken(&self, tenant: TenantId, limits: &[GatewayLimit]) -> Result<Option<Vec<LimitTaken>>, NotCounted>;
}

/// What is taken of one limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitTaken {
    /// By whom: of many holders, the one that took most. Absent where nobody took anything.
    pub by: Option<String>,
    /// How much, in tokens, requests, calls, or billionths of the currency.
    pub used: u64,
    /// How much is left.
    pub left: u64,
    /// When nothing of it counts any more, if nothing more is taken, in milliseconds since 1970.
    pub resets_at_ms: Option<i64>,
}

/// What is taken of limits cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what is taken of the limits cannot be told: {0}")]
pub struct NotCounted(pub String);

/// What makes cases of recorded inferences.
#[async_graphql::async_trait::async_trait]
pub trait InferenceCases: Send + Sync {
    /// The cases of recorded inferences of a model; `None` where this process has no models.
    ///
    /// # Errors
    /// [`NotMade`] when they cannot be read.
    async fn cases(
        &self,
        tenant: TenantId,
        model: &Slug,
        selection: &InferenceSelection,
    ) -> Result<Option<RecordedCases>, NotMade>;
}

/// Recorded inferences cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("recorded inferences cannot be read: {0}")]
pub struct NotMade(pub String);

/// The parts that the API is made of.
#[derive(Clone)]
pub struct Wiring {
    /// Where changes go.
    pub commands: Commands,
    /// Where credentials are saved, and looked up for callers.
    pub credentials: Credentials,
    /// Who has access.
    pub access: Access,
    /// What can be erased.
    pub erasures: Erasures,
    /// Where rows come from.
    pub read_models: Arc<ReadModels>,
    /// Where events come from.
    pub log: Arc<dyn EventLog>,
    /// The nodes that this build runs.
    pub catalogue: Arc<NodeCatalogue>,
    /// Expressions, for watches over executions of the past.
    pub evaluator: Arc<Evaluator>,
    /// The processes of the log.
    pub workers: Arc<dyn Workers>,
    /// What is taken of the limits of gateways.
    pub limits: Arc<dyn LimitCounts>,
    /// What makes cases of recorded inferences.
    pub inference_cases: Arc<dyn InferenceCases>,
    /// What backups are made from; `None` where nothing is stored.
    pub stored: Option<StoredLog>,
    /// What proves the log; `None` where nothing is stored.
    pub proofs: Option<Proofs>,
    /// What moves old ranges of the log into the archive; `None` where that is not possible.
    pub archiver: Option<Arc<Archiver>>,
    /// Who asks where nobody signs in; calls of webhooks without a tenant in their path are for their tenant.
    pub principal: Principal,
    /// How webhooks are served.
    pub webhooks: WebhookOptions,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// How GraphQL is served.
    pub graphql: GraphqlOptions,
    /// Where requests are traced; `None` where nobody looks at traces.
    pub tracer: Option<Tracer>,
    /// What the process tells of itself.
    pub server: ServerFacts,
}

/// What a process tells of itself.
#[derive(Debug, Clone, Default)]
pub struct ServerFacts {
    /// What keeps the log: `sqlite`, `postgresql` or `memory`.
    pub backend: &'static str,
    /// What is switched on beside what every server does.
    pub features: Vec<&'static str>,
}

/// The state of the API, as whoever asks sees it.
#[derive(Clone)]
pub struct ApiState {
    inner: Arc<Inner>,
    principal: Arc<Principal>,
    /// Whether nobody is known to ask: the principal then only stands for that.
    is_nobody: bool,
    /// What is known of the request for which this is.
    facts: Option<Arc<RequestFacts>>,
    /// How much each account may ask for, where that is limited.
    rates: Option<Arc<Rates>>,
    /// Its key, where it has one.
    keyed: Option<Arc<KeyedRequest>>,
}

/// A request whose commands have ids that follow from its key.
struct KeyedRequest {
    key: String,
    commands: AtomicU32,
}

/// Why somebody who was let in is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LetOut {
    /// They would not be let in any more.
    #[error(transparent)]
    NotLetIn(NotLetIn),
    /// They may do less than when they were let in.
    #[error("what you may do has changed: subscribe again")]
    MayLess,
}

/// How often it is looked whether the time of a key or a session is up, for those who follow something.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// What calls of webhooks and visits to forms may do: begin executions, and let waiting ones go on.
const CALLERS_MAY: Permissions =
    Permissions::of(&[Permission::WorkflowRead, Permission::ExecutionRead, Permission::ExecutionRun]);

/// The space of the ids that follow from keys.
const KEYED_COMMANDS: Uuid = Uuid::from_u128(0x7c1f_5d0a_2b4e_4f6c_9a83_e0d7_51b2_c649);

struct Inner {
    wiring: Wiring,
    /// When it began, in milliseconds since 1970.
    began_at_ms: i64,
    caught_up: AtomicBool,
    folds: Arc<Semaphore>,
    kept: Kept,
    closing: CancellationToken,
    connections: TaskTracker,
}

impl fmt::Debug for ApiState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ApiState").field("principal", &self.principal.actor).finish_non_exhaustive()
    }
}

impl ApiState {
    /// The API over these parts, as the principal of the wiring sees it.
    pub fn new(wiring: Wiring) -> Self {
        Self {
            principal: Arc::new(wiring.principal.clone()),
            is_nobody: false,
            inner: Arc::new(Inner {
                began_at_ms: wiring.commands.clock().now_ms(),
                wiring,
                caught_up: AtomicBool::new(false),
                folds: Arc::new(Semaphore::new(FOLDS_MAX)),
                kept: Kept::default(),
                closing: CancellationToken::new(),
                connections: TaskTracker::new(),
            }),
            facts: None,
            rates: None,
            keyed: None,
        }
    }

    /// What the process tells of itself, and when it began, in milliseconds since 1970.
    pub(crate) fn server(&self) -> (&ServerFacts, i64) {
        (&self.inner.wiring.server, self.inner.began_at_ms)
    }

    /// The same as somebody else sees it, in a request of which these facts are known.
    pub(crate) fn seen_by(&self, principal: Arc<Principal>, facts: Option<Arc<RequestFacts>>) -> Self {
        Self { principal, facts, is_nobody: false, ..self.clone() }
    }

    /// The same, of which everybody may have only so much.
    pub(crate) fn with_rates(&self, rates: Rates) -> Self {
        Self { rates: Some(Arc::new(rates)), ..self.clone() }
    }

    /// How much each account may ask for, where that is limited.
    pub(crate) fn rates(&self) -> Option<&Rates> {
        self.rates.as_deref()
    }

    /// The same as nobody sees it: nothing may be read or changed.
    pub(crate) fn seen_by_nobody(&self) -> Self {
        let permissions = Permissions::NONE;
        let nobody = Principal { permissions, ..Principal::local(self.home(), "nobody") };
        Self { is_nobody: true, ..self.seen_by(Arc::new(nobody), None) }
    }

    /// Whether nobody is known to ask.
    pub(crate) fn is_seen_by_nobody(&self) -> bool {
        self.is_nobody
    }

    /// The same for calls of a tenant's webhooks and visits to its forms. Who calls is not known, and needs not be.
    pub(crate) fn seen_by_callers(&self, tenant: TenantId, facts: RequestFacts) -> Self {
        let actor = Actor::System("webhooks".to_owned());
        let callers = Principal { actor, permissions: CALLERS_MAY, ..Principal::local(tenant, "") };
        self.seen_by(Arc::new(callers), Some(Arc::new(facts)))
    }

    /// The same for one request: the ids of its commands follow from `key`, in their order.
    pub(crate) fn with_key(&self, key: String) -> Self {
        Self { keyed: Some(Arc::new(KeyedRequest { key, commands: AtomicU32::new(0) })), ..self.clone() }
    }

    /// Ends every subscription, so that open connections do not hold up a stop, and waits for them.
    pub async fn close(&self) {
        self.inner.closing.cancel();
        self.inner.connections.close();
        self.inner.connections.wait().await;
    }

    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.inner.closing
    }

    pub(crate) fn connections(&self) -> &TaskTracker {
        &self.inner.connections
    }

    pub(crate) fn commands(&self) -> &Commands {
        &self.inner.wiring.commands
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.inner.wiring.credentials
    }

    pub(crate) fn access(&self) -> &Access {
        &self.inner.wiring.access
    }

    pub(crate) fn erasures(&self) -> &Erasures {
        &self.inner.wiring.erasures
    }

    /// Lets go of what is kept in memory of streams whose data was erased.
    pub fn forget(&self, streams: &[StreamKey]) {
        self.inner.kept.forget(streams);
    }

    pub(crate) fn read_models(&self) -> &ReadModels {
        &self.inner.wiring.read_models
    }

    /// A turn to fold a state, kept until what is shown of it was counted.
    pub(crate) async fn turn_to_fold(&self) -> Option<OwnedSemaphorePermit> {
        // An error says that turns are not given any more, which never happens.
        Arc::clone(&self.inner.folds).acquire_owned().await.ok()
    }

    /// The past of the log.
    pub(crate) fn past(&self) -> Past<'_> {
        Past::new(self.log(), &self.inner.kept)
    }

    pub fn metrics(&self) -> &Metrics {
        &self.inner.wiring.metrics
    }

    pub(crate) fn tracer(&self) -> Option<&Tracer> {
        self.inner.wiring.tracer.as_ref()
    }

    pub(crate) fn log(&self) -> &dyn EventLog {
        &*self.inner.wiring.log
    }

    pub(crate) fn stored(&self) -> Option<&StoredLog> {
        self.inner.wiring.stored.as_ref()
    }

    pub(crate) fn proofs(&self) -> Option<&Proofs> {
        self.inner.wiring.proofs.as_ref()
    }

    pub(crate) fn archiver(&self) -> Option<&Arc<Archiver>> {
        self.inner.wiring.archiver.as_ref()
    }

    pub(crate) fn workers(&self) -> &dyn Workers {
        &*self.inner.wiring.workers
    }

    pub(crate) fn limits(&self) -> &dyn LimitCounts {
        &*self.inner.wiring.limits
    }

    pub(crate) fn inference_cases(&self) -> &dyn InferenceCases {
        &*self.inner.wiring.inference_cases
    }

    pub(crate) fn evaluator(&self) -> &Arc<Evaluator> {
        &self.inner.wiring.evaluator
    }

    pub(crate) fn catalogue(&self) -> &Arc<NodeCatalogue> {
        &self.inner.wiring.catalogue
    }

    pub(crate) fn webhooks(&self) -> &WebhookOptions {
        &self.inner.wiring.webhooks
    }

    pub(crate) fn graphql(&self) -> &GraphqlOptions {
        &self.inner.wiring.graphql
    }

    /// Who asks.
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Refuses whoever asks what they may not have.
    pub fn require(&self, needed: Permission) -> Result<(), Forbidden> {
        self.principal.require(needed)
    }

    /// The same as whoever asks sees it now, which may be less than when they were let in.
    ///
    /// # Errors
    /// [`NotLetIn`] when they would not be let in any more.
    pub(crate) fn renewed(&self) -> Result<Self, NotLetIn> {
        let principal = self.access().renewed(&self.principal)?;
        Ok(Self { principal: Arc::new(principal), ..self.clone() })
    }

    /// Resolves once whoever asks would not be let in any more, or may do less than when they were. Never, where they need
    /// not be let in.
    pub(crate) async fn let_out(self) -> LetOut {
        if self.principal.via.is_none() {
            return std::future::pending().await;
        }
        let mut changes = self.access().directory().changes();
        loop {
            match self.access().renewed(&self.principal) {
                Err(why) => return LetOut::NotLetIn(why),
                Ok(now) if !self.principal.permissions.without(now.permissions).is_empty() => return LetOut::MayLess,
                Ok(_) => {}
            }
            // Time is up without anything that happens; an error says that the process stops.
            let _ = tokio::time::timeout(LOOK_AGAIN_AFTER, changes.changed()).await;
            if self.closing().is_cancelled() {
                return std::future::pending().await;
            }
        }
    }

    /// The API as whoever sends a request sees it, for routes beside its own; `None` where no door let them in.
    pub fn asking(request: &HttpRequest) -> Option<Self> {
        let state = request.extensions().get::<Self>().cloned();
        state.filter(|state| !state.is_seen_by_nobody())
    }

    /// Id of the API key by which whoever asks was let in.
    pub fn api_key(&self) -> Option<&str> {
        self.principal.via.as_deref().and_then(|via| via.strip_prefix("key:"))
    }

    /// Whose data whoever asks sees.
    pub fn tenant(&self) -> TenantId {
        self.principal.tenant
    }

    /// Where the webhooks and forms of whoever asks are reached from outside.
    pub(crate) fn callers_url(&self) -> String {
        format!("{}{}", self.webhooks().public_url, self.callers_path())
    }

    /// What comes before the paths of the webhooks and forms of whoever asks.
    pub(crate) fn callers_path(&self) -> String {
        if self.tenant() == self.home() { String::new() } else { self.tenant().path() }
    }

    /// The tenant that this installation began with.
    pub(crate) fn home(&self) -> TenantId {
        self.inner.wiring.principal.tenant
    }

    /// The context of a command whose sender says why it is sent.
    pub(crate) fn context_because(&self, command_id: Option<Uuid>, reason: Option<String>) -> CommandContext {
        let context = self.context(command_id);
        let Some(reason) = reason else { return context };
        let facts = context.request.as_deref().cloned().unwrap_or_default();
        CommandContext { request: Some(Arc::new(RequestFacts { reason: Some(reason), ..facts })), ..context }
    }

    /// The context of a command that came in now; `command_id` makes it the same command as an earlier one.
    pub fn context(&self, command_id: Option<Uuid>) -> CommandContext {
        CommandContext {
            tenant: self.tenant(),
            actor: self.principal.actor.clone(),
            command_id: CommandId(command_id.unwrap_or_else(|| self.command_id())),
            causation_id: None,
            correlation_id: None,
            expected_revision: None,
            request: self.facts.clone(),
            permissions: self.principal.permissions,
        }
    }

    /// The same for a command that is carried out only while what it is about is at this revision.
    pub(crate) fn context_at(&self, command_id: Option<Uuid>, expected_revision: Option<u64>) -> CommandContext {
        let expected_revision = expected_revision.map(Revision);
        CommandContext { expected_revision, ..self.context(command_id) }
    }

    /// The id of the next command that has none.
    fn command_id(&self) -> Uuid {
        let Some(request) = &self.keyed else { return self.commands().ids().uuid() };
        let number = request.commands.fetch_add(1, Ordering::Relaxed);
        // As it is stored, so that it stays the same.
        let name = json!([self.tenant(), self.principal.actor, request.key, number]);
        Uuid::new_v5(&KEYED_COMMANDS, name.to_string().as_bytes())
    }

    /// Whether reads show what is in the log: the read models caught up once, and nothing is shutting down.
    pub(crate) fn is_ready(&self) -> bool {
        if self.closing().is_cancelled() {
            return false;
        }
        let lag = self.log().head().0.saturating_sub(self.read_models().position().0);
        if lag <= READY_LAG_MAX {
            self.inner.caught_up.store(true, Ordering::Relaxed);
        }
        self.inner.caught_up.load(Ordering::Relaxed)
    }
}
