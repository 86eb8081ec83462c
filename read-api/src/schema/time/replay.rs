//! Replay checks over the API: asked for, waited for, told, and as a gate before a version is published.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_commands::{CommandError, ForkVersion, Outcome, StartReplayCheck};
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionStatus;
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_domain::replay::{
    CaseVerdict, REPLAYS_MAX, ReplayAgainst, ReplayCheck as Check, ReplayCheckEvent, ReplayCheckStatus as CheckStatus,
    ReplayReport,
};
use timeloom_projections::{ExecutionFilter, PAGE_ROWS_MAX, Page};
use timeloom_store::{Filter, Position, StreamKey, SubscriptionMessage, TenantScope};
use uuid::Uuid;

use super::fork::{ForkVersionOf, RunVersion};
use crate::schema::faults::{coded, fault};
use crate::schema::payloads::{UserError, Written, refused, settle, user_error};
use crate::schema::reading::{rows, state, wait_for_rows};
use crate::schema::scalars::PositionScalar;
use crate::schema::test_cases::ReplayedTestCase;
use crate::state::ApiState;

/// Longest time that somebody waits for a report, in milliseconds.
const TIMEOUT_MAX_MS: u64 = 300_000;
/// Events of one check that may wait to be looked at.
const QUEUE_EVENTS_MAX: usize = 16;
/// Rows that are looked at for each execution that is wanted: the others were forks, or have not ended.
const LOOKED_AT_FOR_EACH: usize = 10;

/// A replay check to ask for: of some executions, or of the last ones of a workflow.
#[derive(Debug, InputObject)]
pub(crate) struct StartReplayCheckInput {
    /// Makes this the same command as an earlier one with this id; it is the check's id, too.
    command_id: Option<Uuid>,
    /// The workflow; absent = that of the first execution.
    workflow_id: Option<Uuid>,
    /// The executions, at most a thousand; absent = the last ones of the workflow.
    #[graphql(default)]
    execution_ids: Vec<Uuid>,
    /// How many of the workflow's last executions that ended, 1 to 1,000; 0 with test cases alone.
    #[graphql(default = 100)]
    last: u32,
    /// Whether the workflow's test cases are run as well.
    #[graphql(default = false)]
    test_cases: bool,
    /// What they are run under; absent = what each of them ran.
    against: Option<RunVersion>,
    /// How long to wait for the report, in milliseconds; at most 300,000.
    #[graphql(default = 0)]
    timeout_ms: u64,
}

/// What has to be so before a version is published.
#[derive(Debug, Clone, Copy, InputObject)]
pub(crate) struct ReplayGateInput {
    /// How many of the workflow's last executions are run again under the draft, at most 1,000; 0 for its test cases alone,
    /// which are always run.
    last: u32,
    /// How many of them may differ, and how many test cases may not hold, together.
    #[graphql(default = 0)]
    max_differ: u32,
    /// How long to wait for the report, in milliseconds; at most 300,000.
    #[graphql(default = 60_000)]
    timeout_ms: u64,
}

/// How far a replay check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ReplayCheckStatus {
    /// A worker is to do it, or does.
    Requested,
    /// It has a report.
    Completed,
    /// It could not be carried out.
    Failed,
}

/// Executions that were run again without touching the world, and what came of it.
#[derive(Debug, Clone)]
pub(crate) struct ReplayCheck {
    id: Uuid,
    check: Arc<Check>,
}

#[Object]
impl ReplayCheck {
    /// Its id.
    async fn id(&self) -> Uuid {
        self.id
    }

    /// The workflow whose executions they are.
    async fn workflow_id(&self) -> Option<Uuid> {
        self.check.request.as_ref().map(|request| request.workflow_id.0)
    }

    /// How many executions it is about.
    async fn execution_count(&self) -> usize {
        self.check.request.as_ref().map_or(0, |request| request.executions.len())
    }

    /// The published version under which they were run; absent for a draft, and for what each of them ran.
    async fn against_version(&self) -> Option<u32> {
        match self.check.request.as_ref()?.against {
            ReplayAgainst::Definition { workflow_version, .. } => workflow_version,
            ReplayAgainst::Same => None,
        }
    }

    /// The revision of the workflow under which they were run; absent for what each of them ran.
    async fn against_revision(&self) -> Option<u64> {
        match self.check.request.as_ref()?.against {
            ReplayAgainst::Definition { workflow_revision, .. } => Some(workflow_revision),
            ReplayAgainst::Same => None,
        }
    }

    /// How far it is.
    async fn status(&self) -> ReplayCheckStatus {
        match self.check.status {
            CheckStatus::New | CheckStatus::Requested => ReplayCheckStatus::Requested,
            CheckStatus::Completed => ReplayCheckStatus::Completed,
            CheckStatus::Failed => ReplayCheckStatus::Failed,
        }
    }

    /// What came of it in one line, such as "997 same, 3 differ"; absent before.
    async fn summary(&self) -> Option<String> {
        let report = self.check.report.as_ref()?;
        let skipped = if report.skipped > 0 { format!(", {} skipped", report.skipped) } else { String::new() };
        let cases = if report.cases.is_empty() { String::new() } else { format!("; {}", cases_in_words(report)) };
        Some(format!("{} same, {} differ{skipped}{cases}", report.same, report.differ))
    }

    /// Executions that did the same again.
    async fn same_count(&self) -> Option<u32> {
        self.check.report.as_ref().map(|report| report.same)
    }

    /// Executions that did something else.
    async fn differ_count(&self) -> Option<u32> {
        self.check.report.as_ref().map(|report| report.differ)
    }

    /// Executions that cannot be run again: they have not ended by themselves, or their events are not all there.
    async fn skipped_count(&self) -> Option<u32> {
        self.check.report.as_ref().map(|report| report.skipped)
    }

    /// The first twenty of those that differ.
    async fn differences(&self) -> Vec<ReplayDifference> {
        let told = self.check.report.iter().flat_map(|report| &report.differences);
        told.map(ReplayDifference::from).collect()
    }

    /// How many test cases it is about.
    async fn test_case_count(&self) -> usize {
        self.check.request.as_ref().map_or(0, |request| request.cases.len())
    }

    /// What came of each test case, in the order in which they were added.
    async fn test_cases(&self) -> Vec<ReplayedTestCase> {
        self.check.report.iter().flat_map(|report| &report.cases).map(ReplayedTestCase::from).collect()
    }

    /// Why it could not be carried out.
    async fn failure(&self) -> Option<&str> {
        self.check.failure.as_deref()
    }

    /// When it was asked for.
    async fn requested_at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.check.request.as_ref()?.at_ms)
    }

    /// When it ended.
    async fn ended_at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.check.ended_at_ms?)
    }
}

/// How one execution differs when it is run again.
#[derive(Debug, SimpleObject)]
pub(crate) struct ReplayDifference {
    /// The execution.
    pub execution_id: Uuid,
    /// The node at whose run it begins to differ; absent when only the end is another.
    pub node: Option<String>,
    /// Which run of that node; 0 is the first.
    pub run_index: Option<u32>,
    /// What is other, in one sentence.
    pub summary: String,
    /// The first changes from what was recorded to what came now.
    pub changes: Vec<ReplayedChange>,
}

/// One change, with its values as JSON text that may be cut off.
#[derive(Debug, SimpleObject)]
pub(crate) struct ReplayedChange {
    /// Where in what the node gave, as a JSON pointer.
    pub path: String,
    /// What was recorded there.
    pub before: Option<String>,
    /// What came now.
    pub after: Option<String>,
}

impl From<&timeloom_domain::replay::ReplayDifference> for ReplayDifference {
    fn from(difference: &timeloom_domain::replay::ReplayDifference) -> Self {
        let changes = difference.changes.iter().map(ReplayedChange::from);
        Self {
            execution_id: difference.execution.0,
            node: difference.node.clone(),
            run_index: difference.run_index,
            summary: difference.summary.clone(),
            changes: changes.collect(),
        }
    }
}

impl From<&timeloom_domain::replay::ReplayedChange> for ReplayedChange {
    fn from(change: &timeloom_domain::replay::ReplayedChange) -> Self {
        Self { path: change.path.clone(), before: change.before.clone(), after: change.after.clone() }
    }
}

/// What asking for a replay check came to.
#[derive(Debug, Default)]
pub(crate) struct StartReplayCheckPayload {
    id: Option<Uuid>,
    timed_out: bool,
    written: Written,
}

#[Object]
impl StartReplayCheckPayload {
    /// The check; absent when none was asked for.
    #[graphql(complexity = "child_complexity + 5")]
    async fn replay_check(&self, context: &Context<'_>) -> Result<Option<ReplayCheck>> {
        match self.id {
            Some(id) => replay_check(state(context)?, id).await,
            None => Ok(None),
        }
    }

    /// Whether the time was up before it had a report: it goes on.
    async fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// The position of the request.
    async fn position(&self) -> Option<PositionScalar> {
        self.written.position()
    }

    /// Whether this command had been carried out before.
    async fn repeated(&self) -> bool {
        self.written.repeated
    }

    /// Why it was not asked for; empty when it was.
    async fn errors(&self) -> &[UserError] {
        &self.written.errors
    }
}

impl From<UserError> for StartReplayCheckPayload {
    fn from(error: UserError) -> Self {
        Self { written: Written { errors: vec![error], ..Written::default() }, ..Self::default() }
    }
}

fn stream(state: &ApiState, id: Uuid) -> StreamKey {
    StreamKey::new(state.tenant(), ReplayCheckEvent::CATEGORY, id.to_string())
}

/// A check; `None` when there is none.
pub(super) async fn replay_check(state: &ApiState, id: Uuid) -> Result<Option<ReplayCheck>> {
    match state.commands().load::<Check>(&stream(state, id)).await {
        Ok(loaded) => {
            let is_there = loaded.aggregate.request.is_some();
            Ok(is_there.then(|| ReplayCheck { id, check: Arc::new(loaded.aggregate.clone()) }))
        }
        Err(CommandError::Fault(error)) => Err(fault(&error)),
        Err(error) => Err(coded("UNKNOWN_EVENT", error.to_string())),
    }
}

/// Asks for a check, and waits for its report as long as is asked.
pub(super) async fn start(state: &ApiState, input: StartReplayCheckInput) -> Result<StartReplayCheckPayload> {
    if input.timeout_ms > TIMEOUT_MAX_MS {
        let message = format!("timeoutMs is {}, at most {TIMEOUT_MAX_MS} are allowed", input.timeout_ms);
        return Ok(refused("TIMEOUT_TOO_LONG", message).into());
    }
    let executions: Vec<ExecutionId> = input.execution_ids.iter().copied().map(ExecutionId).collect();
    let (workflow_id, executions) = match (input.workflow_id, executions.first()) {
        (Some(workflow_id), None) => {
            let workflow_id = WorkflowId(workflow_id);
            let last = match input.last {
                0 if input.test_cases => Ok(Vec::new()),
                last => last_executions(state, workflow_id, last).await?,
            };
            match last {
                Ok(executions) => (workflow_id, executions),
                Err(error) => return Ok(error.into()),
            }
        }
        (Some(workflow_id), Some(_)) => (WorkflowId(workflow_id), executions),
        (None, Some(first)) => {
            wait_for_rows(state, state.log().head()).await?;
            match rows(state.read_models().execution(state.tenant(), *first, None).await)? {
                Some(row) => (row.workflow_id, executions),
                None => return Ok(refused("EXECUTION_NOT_FOUND", format!("there is no execution {first}")).into()),
            }
        }
        (None, None) => return Ok(refused("INVALID_INPUT", "give executionIds, or workflowId").into()),
    };
    let against = ForkVersionOf::from(input.against).0;
    let check = StartReplayCheck { workflow_id, executions, against, with_cases: input.test_cases };
    let before = state.log().head();
    let result = state.commands().start_replay_check(&state.context(input.command_id), check).await;
    let (id, written) = Written::of(settle(result)?);
    let Some(id) = id else { return Ok(StartReplayCheckPayload { written, ..StartReplayCheckPayload::default() }) };
    let from = if written.repeated { Position::START } else { before };
    let timed_out = input.timeout_ms > 0 && !ended_within(state, id, from, input.timeout_ms).await;
    Ok(StartReplayCheckPayload { id: Some(id), timed_out, written })
}

/// Whether a check ends in so many milliseconds.
async fn ended_within(state: &ApiState, id: Uuid, from: Position, timeout_ms: u64) -> bool {
    let filter = Filter { stream: Some(stream(state, id)), ..Filter::default() };
    let mut events = state.log().subscribe(TenantScope::One(state.tenant()), from, filter, QUEUE_EVENTS_MAX);
    let end = async {
        loop {
            match events.next().await {
                Some(SubscriptionMessage::Event(event)) if &*event.event_type != "ReplayCheckRequested" => return true,
                Some(SubscriptionMessage::FellBehind(_) | SubscriptionMessage::Failed(_)) | None => return false,
                Some(_) => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_millis(timeout_ms), end).await.unwrap_or(false)
}

/// The newest executions of a workflow that ended by themselves and were not forked.
async fn last_executions(
    state: &ApiState,
    workflow_id: WorkflowId,
    last: u32,
) -> Result<std::result::Result<Vec<ExecutionId>, UserError>> {
    let wanted = last as usize;
    if !(1..=REPLAYS_MAX).contains(&wanted) {
        let message = format!("last is {last}, it must be 1 to {REPLAYS_MAX}");
        return Ok(Err(refused("LAST_OUT_OF_RANGE", message)));
    }
    wait_for_rows(state, state.log().head()).await?;
    let filter = ExecutionFilter { workflow_id: Some(workflow_id), ..ExecutionFilter::default() };
    let (mut found, mut after) = (Vec::new(), None);
    for _ in 0..(wanted * LOOKED_AT_FOR_EACH).div_ceil(PAGE_ROWS_MAX) {
        let page = Page { after, ..Page::first(PAGE_ROWS_MAX) };
        let read = rows(state.read_models().executions(state.tenant(), None, &page, &filter).await)?;
        let is_whole = |status| {
            matches!(status, ExecutionStatus::Completed | ExecutionStatus::Failed | ExecutionStatus::Continued)
        };
        let fits = read.rows.iter().filter(|row| row.forked_from.is_none() && row.continued_from.is_none());
        found.extend(fits.filter(|row| is_whole(row.status)).map(|row| row.id));
        if found.len() >= wanted || !read.has_next {
            break;
        }
        after = read.end_cursor;
    }
    found.truncate(wanted);
    Ok(Ok(found))
}

/// What came of the test cases of a report, such as "2 test cases same, 1 changed".
fn cases_in_words(report: &ReplayReport) -> String {
    let count = |wanted: CaseVerdict| report.cases.iter().filter(|case| case.verdict == wanted).count();
    let told = [
        (CaseVerdict::Changed, "changed"),
        (CaseVerdict::Failed, "failed"),
        (CaseVerdict::CannotBeJudged, "cannot be judged"),
    ];
    let others = told.map(|(verdict, word)| (count(verdict), word)).into_iter().filter(|(count, _)| *count > 0);
    let others: String = others.map(|(count, word)| format!(", {count} {word}")).collect();
    format!("{} test cases same{others}", count(CaseVerdict::Same))
}

/// Why a version must not be published.
fn held_up(id: Uuid, report: &ReplayReport, max_differ: u32) -> UserError {
    let (same, differ) = (report.same, report.differ);
    let names = report.cases.iter().filter(|case| case.verdict.is_held_against()).map(|case| {
        let word = if case.verdict == CaseVerdict::Failed { "failed" } else { "changed" };
        format!("'{}' {word}", case.name)
    });
    let names: Vec<String> = names.collect();
    let cases = match names.is_empty() {
        true => String::new(),
        false => format!(" of the test cases {};", names.join(", ")),
    };
    let message = format!(
        "of the last executions {same} do the same under the draft and {differ} differ,{cases} at most {max_differ} may: see \
         the replay check {id}"
    );
    refused("REPLAY_DIFFERS", message)
}

/// Runs the last executions of a workflow, and its test cases, again under its draft. `Err` says why it must not be published; else the answer is
/// the revision of the workflow that was checked.
pub(crate) async fn gate(
    state: &ApiState,
    workflow_id: WorkflowId,
    gate: ReplayGateInput,
) -> Result<std::result::Result<u64, UserError>> {
    let timeout_ms = gate.timeout_ms.min(TIMEOUT_MAX_MS);
    let last = match gate.last {
        0 => Ok(Vec::new()),
        last => last_executions(state, workflow_id, last).await?,
    };
    let executions = match last {
        Ok(executions) => executions,
        Err(error) => return Ok(Err(error)),
    };
    let context = state.context(None);
    let cases = match state.commands().test_cases(&context, workflow_id).await {
        Ok(cases) => cases.cases,
        Err(error) => return Ok(Err(user_error(error)?)),
    };
    if executions.is_empty() && cases.is_empty() {
        // A workflow that never ran has nothing that could differ.
        return match state.commands().current_workflow(&context, workflow_id).await {
            Ok(workflow) => Ok(Ok(workflow.revision.0)),
            Err(error) => Ok(Err(user_error(error)?)),
        };
    }
    let before = state.log().head();
    let check = StartReplayCheck { workflow_id, executions, against: ForkVersion::Draft, with_cases: true };
    let id = match settle(state.commands().start_replay_check(&context, check).await)? {
        Ok(Outcome { value, .. }) => value,
        Err(error) => return Ok(Err(error)),
    };
    if !ended_within(state, id, before, timeout_ms).await {
        let message =
            format!("the replay check {id} had no report after {timeout_ms} ms: look at it, and publish again");
        return Ok(Err(refused("REPLAY_CHECK_TIMED_OUT", message)));
    }
    let Some(ReplayCheck { check, .. }) = replay_check(state, id).await? else {
        return Ok(Err(refused("REPLAY_CHECK_NOT_FOUND", format!("there is no replay check {id}"))));
    };
    let revision = match check.request.as_ref().map(|request| request.against) {
        Some(ReplayAgainst::Definition { workflow_revision, .. }) => workflow_revision,
        _ => 0,
    };
    match &check.report {
        Some(report) if report.held_against() <= gate.max_differ => Ok(Ok(revision)),
        Some(report) => Ok(Err(held_up(id, report, gate.max_differ))),
        None => {
            let why = check.failure.as_deref().unwrap_or("it has no report");
            Ok(Err(refused("REPLAY_CHECK_FAILED", format!("the replay check {id} could not be carried out: {why}"))))
        }
    }
}
