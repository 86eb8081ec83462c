//! Commands: who may, is it a repeat, load the aggregate, decide, append.
//!
//! cqrs-es gives the framework; the store under it is ours (see [`bridge`]). Nothing here carries out an action of a
//! workflow, and nothing here reads a projection.

pub mod access;
mod activation;
pub mod agent;
mod bisection;
pub mod bridge;
mod cache;
mod context;
mod control;
pub mod credentials;
mod data_table;
pub mod directory;
mod drafts;
mod drift;
pub mod erasure;
mod error;
mod evaluation;
mod evaluation_recorded;
mod evaluation_set;
mod execution;
mod flags;
mod fork;
mod gateway;
mod listener;
pub mod live;
mod model;
mod plugin;
mod ports;
mod recall;
mod redaction;
mod replay;
mod rollout;
mod snapshots;
mod states;
mod test_case;
mod turns;
mod vectors;
mod workflow;

use std::sync::{Arc, OnceLock};

use timeloom_domain::catalogue::NodeCatalogue;
use timeloom_domain::event::{Aggregate, Event};
use timeloom_store::{EventLog, StreamKey};

pub use access::Access;
use access::AccessDirectory;
pub use agent::{AgentForkTurn, ForkAgentRun, StartAgentRun};
pub use bisection::{BeginBisection, TriedPoint};
pub use bridge::StreamState;
use bridge::{AggregateBounds, Attempted, Base, EventBounds, LogStore};
pub use context::{CommandContext, Outcome};
pub use control::{ControlExecution, ExecutionControl, RetryExecution, RetryFrom, RetryVersion};
pub use credentials::{CredentialError, Credentials, KeyCheck, OpenedCredential, Rotated, SaveCredential};
pub use data_table::{RowsChange, data_table_id};
pub use directory::Directory;
pub use drafts::CheckedFile;
pub use drift::{DriftListing, StartDriftWatch, Watched};
pub use erasure::{Erasures, ErasuresParts};
pub use error::{CommandError, Refusal, WORKFLOW_NOT_ACTIVE};
pub use evaluation::StartEvaluation;
pub use evaluation_recorded::RecordedCases;
pub use evaluation_set::{AddEvaluationSetVersion, CreateEvaluationSet};
pub use execution::{CancelExecution, StartExecution};
pub use flags::{FlagEntry, FlagListing};
pub use fork::{FORK_CHANGES_MAX, ForkAt, ForkExecution, ForkVersion};
pub use gateway::GatewayListing;
pub use listener::{ListenerEntry, ListenerListing, ListenerStatus, Refused};
pub use live::Live;
use model::RolloutCounts;
pub use model::{AddModelVersion, ModelListing, ModelTimes, RejectModelVersion, StartModelRollout};
pub use plugin::AddPluginVersion;
pub use ports::{Clock, Ids, NoChance, SECRET_BYTES, Secrets, SystemIds};
pub use redaction::{Finder, Passage, SECRET_CHARACTERS_MIN, SecretTexts};
pub use replay::StartReplayCheck;
pub use rollout::StartWorkflowRollout;
pub use states::Keeping;
use states::States;
use turns::Turns;
pub use workflow::ImportWorkflow;

/// How often a command is decided again when somebody else appended first. Commands of this process take turns by then: it
/// is other processes that get in between.
const CONFLICT_RETRIES_MAX: usize = 16;

/// The entrance for every change. Cheap to clone.
#[derive(Clone)]
pub struct Commands {
    inner: Arc<Inner>,
}

struct Inner {
    log: Arc<dyn EventLog>,
    catalogue: Arc<NodeCatalogue>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    states: States,
    turns: Turns,
    directory: OnceLock<Directory>,
    models: OnceLock<Live<ModelListing>>,
    drift_watches: OnceLock<Live<DriftListing>>,
    rollouts: RolloutCounts,
    gateway: OnceLock<Live<GatewayListing>>,
    flags: OnceLock<Live<FlagListing>>,
    listeners: OnceLock<Live<ListenerListing>>,
    access: OnceLock<AccessDirectory>,
}

impl Commands {
    /// Commands over `log`, for workflows made of the nodes in `catalogue`.
    pub fn new(
        log: Arc<dyn EventLog>,
        catalogue: Arc<NodeCatalogue>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self::keeping(log, catalogue, clock, ids, Keeping::default())
    }

    /// The same, with folded states kept as said. With snapshots, it must be called within a runtime.
    pub fn keeping(
        log: Arc<dyn EventLog>,
        catalogue: Arc<NodeCatalogue>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        keeping: Keeping,
    ) -> Self {
        let states = States::new(Arc::clone(&log), keeping);
        Self {
            inner: Arc::new(Inner {
                log,
                catalogue,
                clock,
                ids,
                states,
                turns: Turns::default(),
                directory: OnceLock::new(),
                models: OnceLock::new(),
                drift_watches: OnceLock::new(),
                rollouts: RolloutCounts::default(),
                gateway: OnceLock::new(),
                flags: OnceLock::new(),
                listeners: OnceLock::new(),
                access: OnceLock::new(),
            }),
        }
    }

    /// Writes the snapshots that wait, and no more, and lets the directory follow the log no more. Commands may still be
    /// sent; nothing is lost without it.
    pub async fn close(&self) {
        if let Some(directory) = self.inner.directory.get() {
            directory.close().await;
        }
        if let Some(models) = self.inner.models.get() {
            models.close().await;
        }
        if let Some(watches) = self.inner.drift_watches.get() {
            watches.close().await;
        }
        if let Some(gateway) = self.inner.gateway.get() {
            gateway.close().await;
        }
        if let Some(flags) = self.inner.flags.get() {
            flags.close().await;
        }
        if let Some(listeners) = self.inner.listeners.get() {
            listeners.close().await;
        }
        self.inner.states.close().await;
    }

    /// All workflows at a glance. The first call lets it begin to follow the log, and must be made within a runtime.
    pub fn directory(&self) -> &Directory {
        self.inner.directory.get_or_init(|| Directory::follow(Arc::clone(&self.inner.log)))
    }

    /// Lets go of what is kept of streams, in memory and as snapshots: their data was erased.
    ///
    /// # Errors
    /// [`CommandError::Fault`] when snapshots cannot be dropped.
    pub async fn forget(&self, streams: &[StreamKey]) -> Result<(), CommandError> {
        Ok(self.inner.states.forget(streams).await?)
    }

    /// Where ids and chance come from.
    pub fn ids(&self) -> &Arc<dyn Ids> {
        &self.inner.ids
    }

    /// Where time comes from.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The nodes that workflows may use.
    pub fn catalogue(&self) -> &Arc<NodeCatalogue> {
        &self.inner.catalogue
    }

    /// Runs one command on one stream: load, decide, append; again on a conflict, a few times.
    async fn execute<A>(
        &self,
        context: &CommandContext,
        stream: StreamKey,
        command: A::Command,
        mut base: Base<A>,
    ) -> Result<Outcome<()>, CommandError>
    where
        A: Aggregate + AggregateBounds,
        A::Event: Event + EventBounds,
        A::Command: Clone + Send + Sync,
        A::Refusal: Send + Sync + Into<Refusal>,
    {
        let Inner { log, states, ids, turns, .. } = &*self.inner;
        let mut turn = match &base {
            Base::Current => turns.if_contended(&stream).await,
            Base::New | Base::Known(_) | Base::Whatever => None,
        };
        let store = LogStore { log, states, ids, context, stream };
        let (mut attempts, mut is_decided_before) = (0, false);
        loop {
            let Attempted { result, from_kept } = store.execute::<A>(command.clone(), &base).await;
            let looks_done = match &result {
                Err(CommandError::Conflict { .. })
                    if attempts < CONFLICT_RETRIES_MAX && !matches!(base, Base::Known(_)) =>
                {
                    attempts += 1;
                    // What was to be new is there: what it is decides.
                    base = Base::Current;
                    if turn.is_none() {
                        turn = Some(turns.take(&store.stream).await);
                    }
                    continue;
                }
                Err(CommandError::Refused(_)) => from_kept,
                // Its own events may be what makes the difference.
                Err(CommandError::Unexpected { .. }) => true,
                Ok(outcome) => outcome.repeated && from_kept,
                Err(_) => false,
            };
            if !looks_done || is_decided_before {
                return result;
            }
            // A repeated command is to be decided on what it was decided on, and a kept state has its own events in it.
            match states.before::<A>(&store.stream, context.command_id).await? {
                Some(before) => (base, is_decided_before) = (Base::Known(before), true),
                None => return result,
            }
        }
    }

    /// Refuses to begin anything for a tenant that is suspended, where it is known who is.
    fn check_tenant(&self, context: &CommandContext) -> Result<(), Refusal> {
        let suspended =
            |access: &AccessDirectory| access.now().tenant(context.tenant).is_some_and(|tenant| tenant.suspended);
        if !self.inner.access.get().is_some_and(suspended) {
            return Ok(());
        }
        let message = "the tenant is suspended: nothing of it is started until it is resumed";
        Err(Refusal::new("TENANT_SUSPENDED", message))
    }

    fn stream<E: Event>(&self, context: &CommandContext, id: impl ToString) -> StreamKey {
        StreamKey::new(context.tenant, E::CATEGORY, id.to_string())
    }

    /// The folded state of a stream as the log has it.
    ///
    /// # Errors
    /// [`CommandError::Fault`] when the log fails.
    pub async fn load<A>(&self, stream: &StreamKey) -> Result<Arc<StreamState<A>>, CommandError>
    where
        A: Aggregate + AggregateBounds,
        A::Event: Event + EventBounds,
    {
        Ok(self.inner.states.load::<A>(stream, None).await?.folded.state)
    }
}
