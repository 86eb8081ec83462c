//! What is done with a capsule here: its execution is run again in memory, by an engine over the capsule alone.
//!
//! No data folder is opened, no effect happens and nothing is written. Invariant: what comes of it depends on the capsule, the
//! definition and this build.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use timeloom_commands::SystemIds;
use timeloom_domain::definition::{Node, WorkflowDefinition};
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::{ExecutionEvent, StartFacts};
use timeloom_domain::ids::{ExecutionId, TenantId};
use timeloom_domain::replay::ReplayAgainst;
use timeloom_domain::workflow::WorkflowEvent;
use timeloom_engine::checkpoint::NoCheckpoint;
use timeloom_engine::node::{Binaries, NodeRegistry, Services};
use timeloom_engine::replay::{Replay, ReplayOnceError, replay_once};
use timeloom_engine::{Engine, EngineParts};
use timeloom_expressions::evaluator::Evaluator;
use timeloom_history::capsule::CapsuleLog;
use timeloom_history::{Moment, StateAt, position_of, state_at, workflow_at};
use timeloom_store::memory::MemoryBlobs;
use timeloom_store::{BlobStore, EventLog, Revision, StreamKey};
use timeloom_verify::Capsule;

use crate::app::{engine_options, evaluator_and_catalogue};
use crate::clock::MachineClock;
use crate::config::Config;
use crate::store::all_shards;

/// A capsule that is open.
pub struct OpenCapsule {
    log: Arc<CapsuleLog>,
    tenant: TenantId,
    execution: ExecutionId,
    start: StartFacts,
}

impl OpenCapsule {
    /// Opens a capsule that was read.
    ///
    /// # Errors
    /// When its events are not those of an execution.
    pub fn new(capsule: &Capsule) -> anyhow::Result<Self> {
        let manifest = capsule.manifest();
        let log = CapsuleLog::open(capsule)?;
        let (tenant, link) = (TenantId(manifest.tenant), ExecutionId(manifest.execution));
        let beginning = log.beginning(tenant, link)?;
        let (execution, start) = beginning.ok_or_else(|| anyhow!("its execution does not begin in it"))?;
        Ok(Self { log, tenant, execution, start })
    }

    /// The stream of the execution.
    pub fn stream(&self) -> StreamKey {
        StreamKey::new(self.tenant, ExecutionEvent::CATEGORY, self.execution.to_string())
    }

    /// Its events as a log.
    pub fn log(&self) -> &CapsuleLog {
        &self.log
    }

    /// The execution as it ended.
    ///
    /// # Errors
    /// When its events cannot be folded.
    pub async fn end(&self) -> anyhow::Result<StateAt> {
        Ok(state_at(&*self.log, &self.stream(), Moment::Newest).await?)
    }

    /// What was run.
    ///
    /// # Errors
    /// When the workflow's events cannot be folded.
    pub async fn definition(&self) -> anyhow::Result<Arc<WorkflowDefinition>> {
        let stream = StreamKey::new(self.tenant, WorkflowEvent::CATEGORY, self.start.workflow_id.to_string());
        let revision = Revision(self.start.workflow_revision);
        let position = position_of(&*self.log, Some(&stream), Moment::Revision(revision)).await?;
        let found = workflow_at(&*self.log, &stream, position).await?;
        let definition = found.and_then(|(workflow, _)| workflow.definition(self.start.workflow_version).cloned());
        definition.ok_or_else(|| anyhow!("the workflow that was run is not in it"))
    }

    /// What runs the execution again, under what it ran or under another definition.
    ///
    /// # Errors
    /// When the sandbox of expressions cannot be opened.
    pub async fn rig(self, capsule: &Capsule, config: &Config) -> anyhow::Result<Rig> {
        let blobs = MemoryBlobs::new();
        for content in capsule.blobs().values() {
            blobs.put(Bytes::from(content.clone())).await.context("an attachment cannot be kept in memory")?;
        }
        let registry = timeloom_nodes::registry::all();
        let (evaluator, _) = evaluator_and_catalogue(&registry)?;
        Ok(Rig { open: self, registry: Arc::new(registry), evaluator, blobs, config: config.clone() })
    }
}

/// Runs what a capsule recorded again, as often as it is asked to.
pub struct Rig {
    open: OpenCapsule,
    registry: Arc<NodeRegistry>,
    evaluator: Arc<Evaluator>,
    blobs: Arc<MemoryBlobs>,
    config: Config,
}

impl Rig {
    /// What evaluates expressions.
    pub fn evaluator(&self) -> &Arc<Evaluator> {
        &self.evaluator
    }

    /// Whether this build has what runs nodes of that type.
    pub fn has_code(&self, node_type: &str) -> bool {
        self.registry.get(node_type).is_some()
    }

    /// The first node that is switched on and that this build has not the code of.
    pub fn without_code<'d>(&self, definition: &'d WorkflowDefinition) -> Option<&'d Node> {
        definition.nodes.iter().find(|node| !node.disabled && !self.has_code(&node.node_type))
    }

    /// Runs the execution again: under what it ran, or under another definition. Effects are answered from what was recorded.
    ///
    /// # Errors
    /// [`ReplayOnceError::CannotRun`] when it cannot be run under that definition.
    pub async fn replay(&self, definition: Option<WorkflowDefinition>) -> Result<Replay, ReplayOnceError> {
        let (open, workflow) = (&self.open, self.open.start.workflow_id);
        let (log, against) = match definition {
            None => (Arc::clone(&open.log), ReplayAgainst::Same),
            Some(definition) => {
                let (log, workflow_revision) = open.log.with_draft(open.tenant, workflow, definition)?;
                (log, ReplayAgainst::Definition { workflow_revision, workflow_version: None })
            }
        };
        replay_once(&self.engine(log), &open.stream(), workflow, against, open.execution).await
    }

    /// An engine over a log, which drives nothing.
    fn engine(&self, log: Arc<dyn EventLog>) -> Engine {
        let blobs: Arc<dyn BlobStore> = Arc::clone(&self.blobs) as _;
        let services = Services { binaries: Binaries::new(blobs), ..Services::new(self.config.outbound()) };
        let parts = EngineParts {
            log,
            registry: Arc::clone(&self.registry),
            evaluator: Arc::clone(&self.evaluator),
            clock: Arc::new(MachineClock),
            ids: Arc::new(SystemIds),
            services: Arc::new(services),
            checkpoints: Arc::new(NoCheckpoint),
            leases: all_shards(),
        };
        Engine::new(parts, engine_options(&self.config))
    }
}
