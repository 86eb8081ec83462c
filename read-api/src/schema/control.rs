//! Executions under control: pause, step, breakpoints, the end of a wait, retry, dismiss.

use async_graphql::{Enum, InputObject, Result};
use serde_json::Value;
use timeloom_commands::{ControlExecution, ExecutionControl, RetryExecution};
use timeloom_domain::execution::ResumeCause;
use timeloom_domain::ids::ExecutionId;
use uuid::Uuid;

use super::execution_facts::Breakpoint;
use super::mutation::ExecutionPayload;
use super::start::items;
use crate::state::ApiState;

/// A run to hold up.
#[derive(Debug, InputObject)]
pub(crate) struct PauseExecutionInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while the execution is at this revision.
    expected_revision: Option<u64>,
    /// The execution.
    execution_id: Uuid,
    /// Why, for those who read its history.
    #[graphql(default)]
    reason: String,
}

/// A run to let go.
#[derive(Debug, InputObject)]
pub(crate) struct UnpauseExecutionInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while the execution is at this revision.
    expected_revision: Option<u64>,
    /// The execution.
    execution_id: Uuid,
    /// Run the next node alone, and pause again before the one after it.
    #[graphql(default)]
    step: bool,
}

/// Where a run is to pause.
#[derive(Debug, InputObject)]
pub(crate) struct ChangeBreakpointsInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while the execution is at this revision.
    expected_revision: Option<u64>,
    /// The execution.
    execution_id: Uuid,
    /// All that count from now on, at most 200; none lets it run through.
    breakpoints: Vec<Breakpoint>,
}

/// A wait to end.
#[derive(Debug, InputObject)]
pub(crate) struct ResumeExecutionInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while the execution is at this revision.
    expected_revision: Option<u64>,
    /// The execution.
    execution_id: Uuid,
    /// What the waiting node gives: a list of objects, wrapped as `{"json": …}` or bare. Absent = its input.
    items: Option<Value>,
}

/// Where a retry begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "timeloom_commands::RetryFrom")]
pub(crate) enum RetryFrom {
    /// At the node that failed, with what the nodes before it gave: they do not run again.
    FailedNode,
    /// At its trigger, with the same items.
    Start,
}

/// What a retry runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "timeloom_commands::RetryVersion")]
pub(crate) enum RetryVersion {
    /// What the execution ran that ended.
    Same,
    /// What would run now: the active version, or the newest one; of a run by hand the draft.
    Newest,
}

/// A run that failed or was cancelled, to be tried again as a new one.
#[derive(Debug, InputObject)]
pub(crate) struct RetryExecutionInput {
    /// Makes this the same command as an earlier one with this id; it is the new execution's id, too.
    command_id: Option<Uuid>,
    /// The execution that ended.
    execution_id: Uuid,
    /// Where the new one begins.
    #[graphql(default_with = "RetryFrom::FailedNode")]
    from: RetryFrom,
    /// What the new one runs.
    #[graphql(default_with = "RetryVersion::Same")]
    version: RetryVersion,
}

/// A failure that needs no attention any more.
#[derive(Debug, InputObject)]
pub(crate) struct DismissExecutionInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while the execution is at this revision.
    expected_revision: Option<u64>,
    /// The execution.
    execution_id: Uuid,
    /// Why, for those who read its history.
    #[graphql(default)]
    reason: String,
}

pub(crate) async fn pause(state: &ApiState, input: PauseExecutionInput) -> Result<ExecutionPayload> {
    let control = ExecutionControl::Pause { reason: input.reason };
    ask(state, (input.command_id, input.expected_revision), input.execution_id, control).await
}

pub(crate) async fn unpause(state: &ApiState, input: UnpauseExecutionInput) -> Result<ExecutionPayload> {
    let control = ExecutionControl::Unpause { step: input.step };
    ask(state, (input.command_id, input.expected_revision), input.execution_id, control).await
}

pub(crate) async fn change_breakpoints(state: &ApiState, input: ChangeBreakpointsInput) -> Result<ExecutionPayload> {
    let breakpoints = input.breakpoints.into_iter().map(Into::into).collect();
    ask(
        state,
        (input.command_id, input.expected_revision),
        input.execution_id,
        ExecutionControl::ChangeBreakpoints { breakpoints },
    )
    .await
}

pub(crate) async fn resume(state: &ApiState, input: ResumeExecutionInput) -> Result<ExecutionPayload> {
    let items = match input.items.map(items).transpose() {
        Ok(items) => items,
        Err(error) => return Ok(ExecutionPayload::from(error)),
    };
    let control = ExecutionControl::Resume { cause: ResumeCause::Person, items };
    ask(state, (input.command_id, input.expected_revision), input.execution_id, control).await
}

async fn ask(
    state: &ApiState,
    (command_id, expected_revision): (Option<Uuid>, Option<u64>),
    execution_id: Uuid,
    control: ExecutionControl,
) -> Result<ExecutionPayload> {
    let request = ControlExecution { execution_id: ExecutionId(execution_id), control };
    ExecutionPayload::of(
        state.commands().control_execution(&state.context_at(command_id, expected_revision), request).await,
    )
}

pub(crate) async fn retry(state: &ApiState, input: RetryExecutionInput) -> Result<ExecutionPayload> {
    let retry = RetryExecution {
        new_id: None,
        execution_id: ExecutionId(input.execution_id),
        from: input.from.into(),
        version: input.version.into(),
    };
    ExecutionPayload::of(state.commands().retry_execution(&state.context(input.command_id), retry).await)
}

pub(crate) async fn dismiss(state: &ApiState, input: DismissExecutionInput) -> Result<ExecutionPayload> {
    let context = state.context_at(input.command_id, input.expected_revision);
    let id = ExecutionId(input.execution_id);
    ExecutionPayload::of(state.commands().dismiss_execution(&context, id, &input.reason).await)
}
