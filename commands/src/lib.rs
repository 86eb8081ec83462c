//! Commands: who may, is it a repeat, load the aggregate, decide, append.
//!
//! cqrs-es gives the framework; the store under it is ours (see [`bridge`]). Nothing here carries out an action of a
//! workflow, and nothing here reads a projection.

pub mod bridge;
mod cache;
mod context;
mod error;
mod execution;
mod model;
mod plugin;
mod ports;
mod workflow;

use std::sync::{Arc, Mutex};

use timeloom_domain::catalogue::NodeCatalogue;
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::workflow::Workflow;
use timeloom_store::{EventLog, StreamKey};

pub use bridge::StreamState;
use bridge::{AggregateBounds, EventBounds, LogStore};
use cache::StateCache;
pub use context::{CommandContext, Outcome};
pub use error::{CommandError, Refusal};
pub use execution::{CancelExecution, StartExecution};
pub use model::AddModelVersion;
pub use plugin::AddPluginVersion;
pub use ports::{Clock, Ids, SystemIds};
pub use workflow::ImportWorkflow;

/// How often a command is decided again when somebody else appended first.
const CONFLICT_RETRIES_MAX: usize = 10;
/// Workflows whose folded state is kept.
const CACHED_WORKFLOWS_MAX: usize = 256;

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
    workflows: StateCache<Workflow>,
}

impl Commands {
    /// Commands over `log`, for workflows made of the nodes in `catalogue`.
    pub fn new(
        log: Arc<dyn EventLog>,
        catalogue: Arc<NodeCatalogue>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        let workflows = StateCache::new(CACHED_WORKFLOWS_MAX);
        Self { inner: Arc::new(Inner { log, catalogue, clock, ids, workflows }) }
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
        mut expectation: Expectation,
    ) -> Result<Outcome<()>, CommandError>
    where
        A: Aggregate + AggregateBounds,
        A::Event: Event + EventBounds,
        A::Command: Clone + Send + Sync,
        A::Refusal: Send + Sync + Into<Refusal>,
    {
        let known = Mutex::new(StreamState::default());
        let mut attempts = 0;
        loop {
            let store = LogStore::new(&self.inner.log, &self.inner.ids, context, stream.clone(), expectation);
            match store.execute::<A>(command.clone(), &known).await {
                Err(CommandError::Conflict { .. }) if attempts < CONFLICT_RETRIES_MAX => {
                    attempts += 1;
                    // What was to be new is there: what it is decides.
                    expectation = Expectation::Current;
                }
                other => return other,
            }
        }
    }

    fn stream<E: Event>(&self, context: &CommandContext, id: impl ToString) -> StreamKey {
        StreamKey::new(context.tenant, E::CATEGORY, id.to_string())
    }

    /// The folded state of a stream, read from the log.
    ///
    /// # Errors
    /// [`CommandError::Fault`] when the log fails.
    pub async fn load<A>(&self, stream: &StreamKey) -> Result<StreamState<A>, CommandError>
    where
        A: Aggregate + AggregateBounds,
        A::Event: Event + EventBounds,
    {
        self.load_after(stream, StreamState::default()).await
    }

    /// The folded state of a stream, from a state folded before and what the log holds after it.
    ///
    /// # Errors
    /// [`CommandError::Fault`] when the log fails.
    pub async fn load_after<A>(&self, stream: &StreamKey, known: StreamState<A>) -> Result<StreamState<A>, CommandError>
    where
        A: Aggregate + AggregateBounds,
        A::Event: Event + EventBounds,
    {
        Ok(bridge::load(&self.inner.log, stream, known, None).await?)
    }
}

/// What a command expects of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expectation {
    /// Load it and append to what was loaded.
    Current,
    /// It does not exist: nothing is loaded.
    New,
}
