//! Test cases: what a capsule recorded, run again in memory under the definition of a check.
//!
//! No effect happens, and what the capsule has stands in for the log. Invariant: a definition is judged by what is in the capsule
//! alone. What follows from data that is sealed in it, or was left out of it, is never held against the definition.

use std::io::Cursor;
use std::sync::Arc;

use bytes::Bytes;
use timeloom_domain::definition::WorkflowDefinition;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::ids::{ExecutionId, TenantId, WorkflowId};
use timeloom_domain::replay::{CaseVerdict, ReplayAgainst, ReplayCase, ReplayDifference, ReplayedCase};
use timeloom_history::capsule::CapsuleLog;
use timeloom_store::subjects::is_erased;
use timeloom_store::{
    BlobError, BlobHash, BlobStore, Direction, EventLog, Filter, LogError, MemoryBlobs, Position, READ_EVENTS_MAX,
    StreamKey, TenantScope, codec,
};
use timeloom_verify::capsule::{Capsule, CapsuleError, LeftOutKind, Role};

use super::outcome::{Compared, Outcome};
use super::run::{self, ReplayError};
use crate::checkpoint::NoCheckpoint;
use crate::node::{Binaries, Services};
use crate::runner::{Engine, EngineParts};

/// Why a case cannot be run.
#[derive(Debug, thiserror::Error)]
pub(super) enum CaseError {
    #[error("its capsule is not named as blobs are")]
    Name,
    #[error("its capsule cannot be read: {0}")]
    Blob(#[from] BlobError),
    #[error("its capsule cannot be read: {0}")]
    Capsule(#[from] CapsuleError),
    #[error("its capsule cannot be read: {0}")]
    Log(#[from] LogError),
    #[error("the execution does not begin in its capsule")]
    NoBeginning,
    #[error("its capsule is of another workflow")]
    OtherWorkflow,
    #[error("it cannot be run: {0}")]
    Replay(#[from] ReplayError),
    #[error("the computation was torn down: {0}")]
    Torn(#[from] tokio::task::JoinError),
}

/// What is said of a case.
struct Judged {
    verdict: CaseVerdict,
    summary: Option<String>,
    difference: Option<Box<ReplayDifference>>,
}

impl Judged {
    fn same() -> Self {
        Self { verdict: CaseVerdict::Same, summary: None, difference: None }
    }

    fn untold(why: impl Into<String>) -> Self {
        Self { verdict: CaseVerdict::CannotBeJudged, summary: Some(why.into()), difference: None }
    }

    fn failed(why: &CaseError) -> Self {
        Self { verdict: CaseVerdict::Failed, summary: Some(why.to_string()), difference: None }
    }
}

/// Runs a case under a definition of the workflow, or under what it ran where none is given.
///
/// # Errors
/// [`LogError::Storage`] when the capsule cannot be fetched at this moment: another time it can.
pub(super) async fn replay(
    engine: &Engine,
    workflow: WorkflowId,
    definition: Option<&WorkflowDefinition>,
    case: &ReplayCase,
) -> Result<ReplayedCase, LogError> {
    let judged = match Opened::open(engine, workflow, case).await {
        Ok(opened) => opened.judged(engine, workflow, definition).await,
        Err(error) => Err(error),
    };
    let Judged { verdict, summary, difference } = match judged {
        Ok(judged) => judged,
        Err(
            CaseError::Blob(BlobError::Log(error)) | CaseError::Replay(ReplayError::Log(error @ LogError::Storage(_))),
        ) => {
            return Err(error);
        }
        // A test that cannot be run must not look like one that holds.
        Err(error) => Judged::failed(&error),
    };
    Ok(ReplayedCase { id: case.id, name: case.name.clone(), verdict, summary, difference })
}

/// A capsule that is open.
struct Opened {
    capsule: Capsule,
    log: Arc<CapsuleLog>,
    tenant: TenantId,
    execution: ExecutionId,
}

impl Opened {
    async fn open(engine: &Engine, workflow: WorkflowId, case: &ReplayCase) -> Result<Self, CaseError> {
        let hash = BlobHash::of_attachment(&case.capsule).ok_or(CaseError::Name)?;
        let content = engine.inner.parts.services.binaries.blob(hash).await?;
        // Unpacking and hashing take time.
        tokio::task::spawn_blocking(move || Self::read(workflow, &content)).await?
    }

    fn read(workflow: WorkflowId, content: &Bytes) -> Result<Self, CaseError> {
        let capsule = Capsule::read(Cursor::new(content))?;
        let log = CapsuleLog::open(&capsule)?;
        let tenant = TenantId(capsule.manifest().tenant);
        let link = ExecutionId(capsule.manifest().execution);
        let (execution, start) = log.beginning(tenant, link)?.ok_or(CaseError::NoBeginning)?;
        if start.workflow_id != workflow {
            return Err(CaseError::OtherWorkflow);
        }
        Ok(Self { capsule, log, tenant, execution })
    }

    async fn judged(
        &self,
        engine: &Engine,
        workflow: WorkflowId,
        definition: Option<&WorkflowDefinition>,
    ) -> Result<Judged, CaseError> {
        let most = self.runs_before_what_is_sealed().await?;
        if most == Some(0) {
            return Ok(Judged::untold("its first node run follows from data that is sealed in its capsule"));
        }
        let (log, against) = match definition {
            None => (Arc::clone(&self.log), ReplayAgainst::Same),
            Some(definition) => {
                let (log, workflow_revision) = self.log.with_draft(self.tenant, workflow, definition.clone())?;
                (log, ReplayAgainst::Definition { workflow_revision, workflow_version: None })
            }
        };
        let over = self.engine(engine, log).await?;
        let stream = StreamKey::new(self.tenant, ExecutionEvent::CATEGORY, self.execution.to_string());
        match run::outcomes(&over, &stream, (workflow, against), self.execution).await {
            Ok(Some((before, now))) => Ok(self.compared(&before, &now, most)),
            Ok(None) => {
                Ok(Judged::untold("it was cancelled or cut off: there is nothing to hold a second run against"))
            }
            Err(error) if most.is_some() => {
                let why =
                    format!("it cannot be run to its end without the data that is sealed in its capsule: {error}");
                Ok(Judged::untold(why))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What is said of what came of it, of the first node runs alone where so many are given.
    fn compared(&self, before: &Outcome, now: &Outcome, most: Option<usize>) -> Judged {
        let difference = match (before.compared_up_to(self.execution, now, most), most) {
            (Compared::Differs(difference), _) => difference,
            (Compared::Same | Compared::Skipped, None) => return Judged::same(),
            (Compared::Same | Compared::Skipped, Some(runs)) => {
                return Judged::untold(format!(
                    "its first {runs} node runs do the same; what comes after them follows from data that is sealed in its capsule"
                ));
            }
        };
        let asks_otherwise = now.not_answered().is_some_and(|node| before.not_answered() != Some(node));
        let fails = !asks_otherwise && before.fails_now(now, &difference);
        if fails && self.lacks_attachments() {
            let why = format!("{}; files that it may need were left out of its capsule", difference.summary);
            return Judged::untold(why);
        }
        let verdict = if fails { CaseVerdict::Failed } else { CaseVerdict::Changed };
        Judged { verdict, summary: Some(difference.summary.clone()), difference: Some(difference) }
    }

    fn lacks_attachments(&self) -> bool {
        self.capsule.manifest().left_out.iter().any(|left_out| left_out.what == LeftOutKind::Attachment)
    }

    /// How many node runs ended before the first event of which something is sealed; `None` where nothing is.
    async fn runs_before_what_is_sealed(&self) -> Result<Option<usize>, LogError> {
        if self.capsule.manifest().sealed_events == 0 {
            return Ok(None);
        }
        let filter = Filter { categories: vec![ExecutionEvent::CATEGORY.into()], ..Filter::default() };
        let scope = TenantScope::One(self.tenant);
        let (mut before, mut after) = (Outcome::default(), Position::START);
        loop {
            let page = self.log.read_all(scope, after, Direction::Forward, &filter, READ_EVENTS_MAX).await?;
            for event in &page {
                after = event.position;
                match self.role_of(&event.stream) {
                    Some(Role::Execution) if is_erased(&event.payload) => return Ok(Some(before.runs())),
                    // It goes on from what nobody can see here.
                    Some(Role::Earlier) if is_erased(&event.payload) => return Ok(Some(0)),
                    Some(Role::Execution) => before.take(&codec::decode(event)?),
                    // What was called gave it to a node, whose event is sealed as well.
                    _ => {}
                }
            }
            if page.len() < READ_EVENTS_MAX {
                return Ok(None);
            }
        }
    }

    fn role_of(&self, stream: &StreamKey) -> Option<Role> {
        let streams = &self.capsule.manifest().streams;
        let found = streams.iter().find(|one| one.category == *stream.category && one.id == *stream.id);
        found.map(|one| one.role)
    }

    /// An engine over a capsule, which drives nothing.
    async fn engine(&self, like: &Engine, log: Arc<CapsuleLog>) -> Result<Engine, CaseError> {
        let blobs = MemoryBlobs::new();
        for content in self.capsule.blobs().values() {
            blobs.put(Bytes::from(content.clone())).await?;
        }
        let blobs: Arc<dyn BlobStore> = blobs;
        let parts = &like.inner.parts;
        let outbound = parts.services.outbound.clone();
        let services = Services { binaries: Binaries::new(blobs), ..Services::new(outbound) };
        let parts = EngineParts {
            log,
            registry: Arc::clone(&parts.registry),
            evaluator: Arc::clone(&parts.evaluator),
            clock: Arc::clone(&parts.clock),
            ids: Arc::clone(&parts.ids),
            services: Arc::new(services),
            checkpoints: Arc::new(NoCheckpoint),
            leases: Arc::clone(&parts.leases),
        };
        Ok(Engine::new(parts, like.inner.options.clone()))
    }
}
