//! Roll-outs of workflows: a published version runs for a part of the executions beside the active one.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_commands::StartWorkflowRollout;
use timeloom_domain::ids::WorkflowId;
use timeloom_domain::workflow::{ArmFigures, RolloutGuard};
use timeloom_projections::{ArmFilter, RolloutRow};
use timeloom_store::Position;
use uuid::Uuid;

use super::access::because;
use super::mutation::{WorkflowInput, WorkflowPayload};
use super::reading::{rows, state};
use super::scalars::PositionScalar;

/// Milliseconds of a minute.
const MINUTE_MS: u64 = 60_000;

/// Changes of roll-outs.
#[derive(Debug, Default)]
pub struct RolloutMutation;

/// A version that a part of the production executions runs beside the active one.
#[derive(Debug, Clone)]
pub(super) struct WorkflowRollout {
    pub workflow_id: WorkflowId,
    pub row: RolloutRow,
    /// The active version.
    pub active: u32,
    /// As of when the workflow was read.
    pub as_of: Option<Position>,
}

/// How executions of one version ended that began since a roll-out did. Of more than 10,000 the newest count; forks, manual
/// runs and what was cancelled do not.
#[derive(Debug, Clone, SimpleObject)]
struct WorkflowRolloutArm {
    /// The version.
    version: u32,
    /// How many completed.
    completed: u64,
    /// How many failed.
    failed: u64,
    /// The part of them that failed, 0 to 1; absent when none has ended.
    error_rate: Option<f64>,
}

/// When a version that is tried out is given up without anybody asking.
#[derive(Debug, Clone, SimpleObject)]
struct WorkflowRolloutGuard {
    /// When more than so many of a hundred of its executions failed.
    error_percent_max: u8,
    /// Not before so many have ended.
    executions_min: u32,
    /// Only what ended within so many minutes counts; absent = everything since the roll-out began.
    window_minutes: Option<u64>,
    /// Only if those of the active version fail less often.
    only_if_worse: bool,
}

impl From<&RolloutGuard> for WorkflowRolloutGuard {
    fn from(guard: &RolloutGuard) -> Self {
        Self {
            error_percent_max: guard.error_percent_max,
            executions_min: guard.executions_min,
            window_minutes: guard.window_ms.map(|window| window / MINUTE_MS),
            only_if_worse: guard.only_if_worse,
        }
    }
}

/// When a version that is tried out is to be given up without anybody asking.
#[derive(Debug, InputObject)]
struct WorkflowRolloutGuardInput {
    /// When more than so many of a hundred of its executions failed, 0 to 99.
    error_percent_max: u8,
    /// Not before so many have ended, 1 to 5,000.
    #[graphql(default = 20)]
    executions_min: u32,
    /// Only what ended within so many minutes counts, 1 to 43,200; absent = everything since the roll-out began.
    window_minutes: Option<u32>,
    /// Only if those of the active version fail less often.
    #[graphql(default)]
    only_if_worse: bool,
}

impl From<WorkflowRolloutGuardInput> for RolloutGuard {
    fn from(input: WorkflowRolloutGuardInput) -> Self {
        Self {
            error_percent_max: input.error_percent_max,
            executions_min: input.executions_min,
            window_ms: input.window_minutes.map(|minutes| u64::from(minutes) * MINUTE_MS),
            only_if_worse: input.only_if_worse,
        }
    }
}

/// A version to try out beside the active one.
#[derive(Debug, InputObject)]
struct StartWorkflowRolloutInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while the workflow is at this revision.
    expected_revision: Option<u64>,
    /// The workflow.
    workflow_id: Uuid,
    /// The published version; absent = the newest.
    version: Option<u32>,
    /// How many of a hundred production executions run it, 1 to 99.
    percent: u8,
    /// When it is given up without anybody asking; absent = never.
    guard: Option<WorkflowRolloutGuardInput>,
    /// Why, for those who read its history; at most 1,000 characters.
    reason: Option<String>,
}

/// Another part of the executions for the version that is tried out.
#[derive(Debug, InputObject)]
struct ChangeWorkflowRolloutInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while the workflow is at this revision.
    expected_revision: Option<u64>,
    /// The workflow.
    workflow_id: Uuid,
    /// How many of a hundred production executions run it, 1 to 99. What ran it goes on running it when the number grows.
    percent: u8,
    /// Why, for those who read its history; at most 1,000 characters.
    reason: Option<String>,
}

#[Object]
impl WorkflowRollout {
    /// 1 for the workflow's first.
    async fn number(&self) -> u32 {
        self.row.rollout.number
    }

    /// The version that is tried out.
    async fn version(&self) -> u32 {
        self.row.rollout.version
    }

    /// How many of a hundred production executions run it.
    async fn percent(&self) -> u8 {
        self.row.rollout.percent
    }

    /// When it is given up without anybody asking; absent = never.
    async fn guard(&self) -> Option<WorkflowRolloutGuard> {
        self.row.rollout.guard.as_ref().map(WorkflowRolloutGuard::from)
    }

    /// When it began.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.row.since_ms)
    }

    /// Position of the event that began it.
    async fn position(&self) -> PositionScalar {
        PositionScalar(self.row.since)
    }

    /// How the version does that is tried out.
    #[graphql(complexity = 20)]
    async fn candidate(&self, context: &Context<'_>) -> Result<WorkflowRolloutArm> {
        self.arm(context, self.row.rollout.version).await
    }

    /// How the active version does meanwhile.
    #[graphql(complexity = 20)]
    async fn active(&self, context: &Context<'_>) -> Result<WorkflowRolloutArm> {
        self.arm(context, self.active).await
    }
}

impl WorkflowRollout {
    async fn arm(&self, context: &Context<'_>, version: u32) -> Result<WorkflowRolloutArm> {
        let state = state(context)?;
        let filter = ArmFilter { workflow_id: self.workflow_id, version, since: self.row.since, ended_from_ms: None };
        let figures = rows(state.read_models().arm_figures(state.tenant(), self.as_of, filter).await)?;
        let ArmFigures { completed, failed } = figures;
        Ok(WorkflowRolloutArm { version, completed, failed, error_rate: error_rate(&figures) })
    }
}

/// The part that failed. Counts are at most some thousands, which are whole numbers as they are.
fn error_rate(figures: &ArmFigures) -> Option<f64> {
    let number = |count: u64| u32::try_from(count).map_or(f64::MAX, f64::from);
    (figures.finished() > 0).then(|| number(figures.failed) / number(figures.finished()))
}

#[Object]
impl RolloutMutation {
    /// Lets a published version run for a part of the calls and schedules beside the active one, which has the same triggers.
    /// The same cause falls to the same version each time.
    async fn start_workflow_rollout(
        &self,
        context: &Context<'_>,
        input: StartWorkflowRolloutInput,
    ) -> Result<WorkflowPayload> {
        let (state, id) = (state(context)?, WorkflowId(input.workflow_id));
        let context = match because(state, input.command_id, input.expected_revision, input.reason) {
            Ok(context) => context,
            Err(error) => return Ok(WorkflowPayload::from(error)),
        };
        let guard = input.guard.map(RolloutGuard::from);
        let start = StartWorkflowRollout { version: input.version, percent: input.percent, guard };
        WorkflowPayload::of(state.commands().start_rollout(&context, id, start).await)
    }

    /// Lets the version that is tried out run for another part.
    async fn change_workflow_rollout(
        &self,
        context: &Context<'_>,
        input: ChangeWorkflowRolloutInput,
    ) -> Result<WorkflowPayload> {
        let (state, id) = (state(context)?, WorkflowId(input.workflow_id));
        let context = match because(state, input.command_id, input.expected_revision, input.reason) {
            Ok(context) => context,
            Err(error) => return Ok(WorkflowPayload::from(error)),
        };
        WorkflowPayload::of(state.commands().change_rollout(&context, id, input.percent).await)
    }

    /// Lets the version that is tried out take all calls and schedules.
    async fn promote_workflow_rollout(&self, context: &Context<'_>, input: WorkflowInput) -> Result<WorkflowPayload> {
        let (state, id) = (state(context)?, WorkflowId(input.workflow_id));
        let context = match because(state, input.command_id, input.expected_revision, input.reason) {
            Ok(context) => context,
            Err(error) => return Ok(WorkflowPayload::from(error)),
        };
        WorkflowPayload::of(state.commands().promote_rollout(&context, id).await)
    }

    /// Lets the active version take all calls and schedules again. What runs goes on.
    async fn roll_back_workflow_rollout(&self, context: &Context<'_>, input: WorkflowInput) -> Result<WorkflowPayload> {
        let (state, id) = (state(context)?, WorkflowId(input.workflow_id));
        let context = match because(state, input.command_id, input.expected_revision, input.reason) {
            Ok(context) => context,
            Err(error) => return Ok(WorkflowPayload::from(error)),
        };
        WorkflowPayload::of(state.commands().roll_back_rollout(&context, id).await)
    }
}
