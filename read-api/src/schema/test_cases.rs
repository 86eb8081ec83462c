//! Test cases of workflows: added from capsules that are proved, listed, removed, and what came of each in a replay check.
//!
//! Invariant: nothing is stored of a capsule before it is known to be whole, signed by a key that is believed, and of the
//! workflow that was named.

use std::io::Cursor;

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use timeloom_commands::CommandError;
use timeloom_domain::access::Permission;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::ids::{ExecutionId, TenantId, WorkflowId};
use timeloom_domain::replay::{CaseVerdict, ReplayedCase};
use timeloom_domain::test_case::{CASE_BYTES_MAX, CASE_UNPACKED_BYTES_MAX, KeptCase, TestCase};
use timeloom_history::capsule::CapsuleLog;
use timeloom_store::BlobHash;
use timeloom_verify::capsule::{Capsule, CapsuleError, Role};
use timeloom_verify::key::PublicKey;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::faults::{coded, fault};
use super::payloads::{UserError, Written, busy, refused, settle, user_error};
use super::reading::state;
use super::scalars::PositionScalar;
use super::time::ReplayedChange;
use crate::state::ApiState;

/// Capsules that are read at the same time: each may unpack to much.
const READING_MAX: usize = 2;
static READING: Semaphore = Semaphore::const_new(READING_MAX);
/// After how many milliseconds whoever finds all of them busy tries again.
const TRY_AGAIN_MS: u64 = 1_000;
/// Most texts of keys that come along with one capsule.
const KEY_TEXTS_MAX: usize = 100;

/// An execution that was recorded, which is to do the same under every definition of its workflow.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct WorkflowTestCase {
    /// Its id.
    id: Uuid,
    /// What people call it.
    name: String,
    /// The execution that was recorded; where its log is another one, it is not here.
    execution_id: Uuid,
    /// Length of its capsule, in bytes.
    bytes: u64,
    /// How many events its capsule has.
    event_count: u64,
    /// How many of them have fields that are sealed: what follows from these cannot be judged.
    sealed_event_count: u64,
    /// The log in which it was recorded.
    log_id: Uuid,
    /// The key that signed the capsule's checkpoint, as `NAME+ID`.
    signed_by: String,
    /// When it was added.
    added_at: Option<DateTime<Utc>>,
    /// Who added it, such as `user:ID`.
    added_by: String,
}

impl From<&KeptCase> for WorkflowTestCase {
    fn from(kept: &KeptCase) -> Self {
        let case = &kept.case;
        Self {
            id: case.id,
            name: case.name.clone(),
            execution_id: case.execution.0,
            bytes: case.bytes,
            event_count: case.events,
            sealed_event_count: case.sealed_events,
            log_id: case.log_id,
            signed_by: case.signed_by.clone(),
            added_at: DateTime::from_timestamp_millis(kept.at_ms),
            added_by: kept.by.to_string(),
        }
    }
}

/// How a test case compares with what was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum TestCaseVerdict {
    /// The same came of it.
    Same,
    /// Something else came of it.
    Changed,
    /// It fails where it did not, or cannot be run.
    Failed,
    /// As far as it can be told the same came of it; the rest follows from what is not in the capsule.
    CannotBeJudged,
}

impl From<CaseVerdict> for TestCaseVerdict {
    fn from(verdict: CaseVerdict) -> Self {
        match verdict {
            CaseVerdict::Same => Self::Same,
            CaseVerdict::Changed => Self::Changed,
            CaseVerdict::Failed => Self::Failed,
            CaseVerdict::CannotBeJudged => Self::CannotBeJudged,
        }
    }
}

/// What came of a test case.
#[derive(Debug, SimpleObject)]
pub(crate) struct ReplayedTestCase {
    /// Its id.
    id: Uuid,
    /// What it is called.
    name: String,
    /// How it compares with what was recorded.
    verdict: TestCaseVerdict,
    /// What is other, or why it cannot be told, in one sentence; absent when it does the same.
    summary: Option<String>,
    /// The node at whose run it begins to differ.
    node: Option<String>,
    /// Which run of that node; 0 is the first.
    run_index: Option<u32>,
    /// The first changes from what was recorded to what came now, of the first twenty cases that differ.
    changes: Vec<ReplayedChange>,
}

impl From<&ReplayedCase> for ReplayedTestCase {
    fn from(case: &ReplayedCase) -> Self {
        let difference = case.difference.as_deref();
        Self {
            id: case.id,
            name: case.name.clone(),
            verdict: case.verdict.into(),
            summary: case.summary.clone(),
            node: difference.and_then(|difference| difference.node.clone()),
            run_index: difference.and_then(|difference| difference.run_index),
            changes: difference.into_iter().flat_map(|difference| &difference.changes).map(Into::into).collect(),
        }
    }
}

/// A capsule to make a test case of.
#[derive(Debug, InputObject)]
struct AddWorkflowTestCaseInput {
    /// Makes this the same command as an earlier one with this id; it is the case's id, too.
    command_id: Option<Uuid>,
    /// The workflow that the capsule's execution ran.
    workflow_id: Uuid,
    /// What the case is called, 1 to 100 characters.
    name: String,
    /// The capsule in base64; it has at most 8 MiB.
    capsule: String,
    /// Keys that are believed besides those of this log, as `timeloom audit keys` prints them: of whom you trust with them.
    #[graphql(default)]
    keys: Vec<String>,
}

/// A test case to remove.
#[derive(Debug, InputObject)]
struct RemoveWorkflowTestCaseInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// The workflow.
    workflow_id: Uuid,
    /// The case.
    test_case_id: Uuid,
}

/// What a command on the test cases of a workflow came to.
#[derive(Debug)]
pub(crate) struct WorkflowTestCasePayload {
    workflow_id: WorkflowId,
    id: Option<Uuid>,
    written: Written,
}

impl WorkflowTestCasePayload {
    fn refused(workflow_id: WorkflowId, error: UserError) -> Self {
        Self { workflow_id, id: None, written: Written { errors: vec![error], ..Written::default() } }
    }
}

#[Object]
impl WorkflowTestCasePayload {
    /// The case; absent when it was not added, or is removed.
    #[graphql(complexity = "child_complexity + 5")]
    async fn test_case(&self, context: &Context<'_>) -> Result<Option<WorkflowTestCase>> {
        let Some(id) = self.id else { return Ok(None) };
        let cases = kept(state(context)?, self.workflow_id).await?;
        Ok(cases.iter().find(|kept| kept.case.id == id).map(WorkflowTestCase::from))
    }

    /// The position of what was written.
    async fn position(&self) -> Option<PositionScalar> {
        self.written.position()
    }

    /// Whether the command had been carried out before.
    async fn repeated(&self) -> bool {
        self.written.repeated
    }

    /// Why the command was not carried out; empty when it was.
    async fn errors(&self) -> &[UserError] {
        &self.written.errors
    }
}

/// The reads of test cases.
#[derive(Debug, Default)]
pub struct TestCaseQuery;

/// The changes of test cases.
#[derive(Debug, Default)]
pub struct TestCaseMutation;

#[Object]
impl TestCaseQuery {
    /// The test cases of a workflow, in the order in which they were added; at most fifty.
    #[graphql(complexity = "50 * child_complexity + 5")]
    async fn workflow_test_cases(&self, context: &Context<'_>, workflow_id: Uuid) -> Result<Vec<WorkflowTestCase>> {
        let cases = kept(state(context)?, WorkflowId(workflow_id)).await?;
        Ok(cases.iter().map(WorkflowTestCase::from).collect())
    }
}

#[Object]
impl TestCaseMutation {
    /// Makes a capsule a test case of its workflow: replay checks and the gate of a publication run what it recorded under the
    /// definition that is to be published. Refused when the capsule was changed, is signed by none of the keys, is of another
    /// workflow, or of a newer version.
    async fn add_workflow_test_case(
        &self,
        context: &Context<'_>,
        input: AddWorkflowTestCaseInput,
    ) -> Result<WorkflowTestCasePayload> {
        let (state, workflow_id) = (state(context)?, WorkflowId(input.workflow_id));
        match add(state, input).await? {
            Ok((id, written)) => Ok(WorkflowTestCasePayload { workflow_id, id, written }),
            Err(error) => Ok(WorkflowTestCasePayload::refused(workflow_id, error)),
        }
    }

    /// Removes a test case of a workflow. What earlier checks reported of it stays.
    async fn remove_workflow_test_case(
        &self,
        context: &Context<'_>,
        input: RemoveWorkflowTestCaseInput,
    ) -> Result<WorkflowTestCasePayload> {
        let (state, workflow_id) = (state(context)?, WorkflowId(input.workflow_id));
        let command = state.context(input.command_id);
        let removed = state.commands().remove_test_case(&command, workflow_id, input.test_case_id).await;
        let (_, written) = Written::of(settle(removed)?);
        Ok(WorkflowTestCasePayload { workflow_id, id: None, written })
    }
}

async fn kept(state: &ApiState, workflow_id: WorkflowId) -> Result<Vec<KeptCase>> {
    match state.commands().test_cases(&state.context(None), workflow_id).await {
        Ok(cases) => Ok(cases.cases),
        Err(CommandError::Fault(error)) => Err(fault(&error)),
        Err(error) => Err(coded("UNKNOWN_EVENT", error.to_string())),
    }
}

async fn add(
    state: &ApiState,
    input: AddWorkflowTestCaseInput,
) -> Result<std::result::Result<(Option<Uuid>, Written), UserError>> {
    let AddWorkflowTestCaseInput { command_id, workflow_id, name, capsule, keys } = input;
    let (context, workflow_id) = (state.context(command_id), WorkflowId(workflow_id));
    // Before anything that takes time is done for them.
    if let Err(error) = context.require(Permission::WorkflowWrite) {
        return Ok(Err(user_error(error.into())?));
    }
    let Some(stored) = state.stored() else {
        let message = "the log of this server is in memory: it keeps no test cases";
        return Ok(Err(refused("NOTHING_STORED", message)));
    };
    let keys = match believed(state, &keys) {
        Ok(keys) => keys,
        Err(error) => return Ok(Err(error)),
    };
    let Ok(_turn) = READING.try_acquire() else {
        let message = format!("{READING_MAX} capsules are being read at this moment: try again");
        return Ok(Err(busy(message, TRY_AGAIN_MS)));
    };
    let id = context.command_id.0;
    let read = move || {
        let content = decoded(&capsule)?;
        let case = case(id, name, &content, &keys, workflow_id)?;
        Ok::<_, UserError>((content, case))
    };
    // Unpacking and hashing take time.
    let (content, case) = match tokio::task::spawn_blocking(read).await.map_err(|error| fault(&error))? {
        Ok(read) => read,
        Err(error) => return Ok(Err(error)),
    };
    // Nothing is stored of what would be refused.
    if let Err(error) = state.commands().check_test_case(&context, workflow_id, &case).await {
        return Ok(Err(user_error(error)?));
    }
    // The blob is durable before the event that names it.
    stored.blobs.put(content).await.map_err(|error| fault(&error))?;
    let added = state.commands().add_test_case(&context, workflow_id, case).await;
    Ok(Ok(Written::of(settle(added)?)))
}

/// The keys of this log, and those that came along.
fn believed(state: &ApiState, given: &[String]) -> std::result::Result<Vec<PublicKey>, UserError> {
    if given.len() > KEY_TEXTS_MAX {
        return Err(refused(
            "TOO_MANY_KEYS",
            format!("at most {KEY_TEXTS_MAX} texts of keys come along with a capsule"),
        ));
    }
    let own = state.proofs().map_or_else(|| Ok(Vec::new()), |proofs| (proofs.keys)());
    let mut keys = own.map_err(|message| refused("NO_KEYS", message))?;
    for text in given {
        let parsed = PublicKey::parse_all(text);
        keys.extend(parsed.map_err(|error| refused("INVALID_KEY", format!("a key cannot be read: {error}")))?);
    }
    Ok(keys)
}

fn decoded(capsule: &str) -> std::result::Result<Bytes, UserError> {
    // Four characters for three bytes, and what fills the last four up.
    if capsule.len() > CASE_BYTES_MAX.div_ceil(3) * 4 {
        let message = format!(
            "the capsule has more than {CASE_BYTES_MAX} bytes, which that of a test case may have: make it without attachments"
        );
        return Err(refused("CAPSULE_TOO_LARGE", message));
    }
    let content = STANDARD.decode(capsule);
    content.map(Bytes::from).map_err(|error| refused("INVALID_INPUT", format!("capsule is not base64: {error}")))
}

/// The case that a capsule makes, once everything about it was checked.
fn case(
    id: Uuid,
    name: String,
    content: &Bytes,
    keys: &[PublicKey],
    workflow_id: WorkflowId,
) -> std::result::Result<TestCase, UserError> {
    let capsule = Capsule::read(Cursor::new(content)).map_err(|error| match error {
        error @ CapsuleError::Newer { .. } => refused("CAPSULE_NEWER", error.to_string()),
        error => refused("CAPSULE_INVALID", error.to_string()),
    })?;
    let manifest = capsule.manifest();
    if manifest.files.iter().map(|file| file.bytes).sum::<u64>() > CASE_UNPACKED_BYTES_MAX {
        let message = format!(
            "the capsule unpacks to more than {CASE_UNPACKED_BYTES_MAX} bytes, which that of a test case may have: make it \
             without attachments"
        );
        return Err(refused("CAPSULE_TOO_LARGE", message));
    }
    let signer = capsule.signer(keys).map_err(|error| {
        let message = format!("the capsule is not proved: {error}. Give the keys of the log that it comes from");
        refused("CAPSULE_NOT_PROVED", message)
    })?;
    let found = workflow_of(&capsule)?;
    if found != workflow_id {
        let message = format!("the capsule is of an execution of workflow {found}, not of {workflow_id}: add it there");
        return Err(refused("OTHER_WORKFLOW", message));
    }
    if is_cancelled(&capsule) {
        let message = "its execution was cancelled: there is nothing that another run could be held against";
        return Err(refused("NOT_COMPARABLE", message));
    }
    Ok(TestCase {
        id,
        name,
        execution: ExecutionId(manifest.execution),
        capsule: BlobHash::of(content).attachment_id(),
        bytes: content.len() as u64,
        events: capsule.event_count() as u64,
        sealed_events: manifest.sealed_events,
        log_id: manifest.log_id,
        signed_by: format!("{}+{}", signer.name, signer.id_text()),
    })
}

/// The workflow that the execution of a capsule ran.
fn workflow_of(capsule: &Capsule) -> std::result::Result<WorkflowId, UserError> {
    let manifest = capsule.manifest();
    let invalid = |message: String| refused("CAPSULE_INVALID", message);
    let log = CapsuleLog::open(capsule).map_err(|error| invalid(error.to_string()))?;
    let beginning = log.beginning(TenantId(manifest.tenant), ExecutionId(manifest.execution));
    match beginning.map_err(|error| invalid(error.to_string()))? {
        Some((_, start)) => Ok(start.workflow_id),
        None => Err(invalid("its execution does not begin in it".to_owned())),
    }
}

fn is_cancelled(capsule: &Capsule) -> bool {
    let streams = capsule.manifest().streams.iter().filter(|stream| stream.role == Role::Execution);
    let own: Vec<&str> = streams.map(|stream| &*stream.id).collect();
    capsule.events().flatten().any(|line| {
        let record = line.record();
        record.category == ExecutionEvent::CATEGORY
            && record.event_type == "ExecutionCancelled"
            && own.contains(&record.stream)
    })
}
