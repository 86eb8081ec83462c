//! Cases of what was recorded: which executions and inferences are meant.

use async_graphql::{InputObject, Result};
use chrono::{DateTime, Utc};
use timeloom_commands::RecordedCases;
use timeloom_domain::access::Permission;
use timeloom_domain::evaluation::{CASES_MAX, InferenceSelection};
use timeloom_domain::execution::ExecutionStatus;
use timeloom_domain::ids::{ExecutionId, InferenceId, WorkflowId};
use timeloom_projections::{Cursor, ExecutionFilter, PAGE_ROWS_MAX, Page};
use uuid::Uuid;

use super::slug;
use crate::schema::faults::fault;
use crate::schema::payloads::{UserError, refused, user_error};
use crate::schema::permitted::check as permitted;
use crate::schema::reading::rows;
use crate::state::ApiState;

/// Completed executions to make cases of: the items with which one began, and what its last node gave. Executions about a
/// subject are left out.
#[derive(Debug, InputObject)]
pub(crate) struct EvaluationExecutionsInput {
    /// The executions; absent = the newest completed ones of the workflow.
    #[graphql(default)]
    execution_ids: Vec<Uuid>,
    /// The workflow.
    workflow_id: Option<Uuid>,
    /// How many of the newest, 1 to 1,000.
    #[graphql(default = 100)]
    last: u32,
}

/// Recorded inferences to make cases of: what a model was given, and what it answered. Those about a subject, and those whose
/// inputs or outputs were not kept, are left out.
#[derive(Debug, InputObject)]
pub(crate) struct EvaluationInferencesInput {
    /// The model.
    model: String,
    /// The inferences; absent = the newest that meet the rest.
    #[graphql(default)]
    inference_ids: Vec<Uuid>,
    /// Only those that this version answered.
    of_version: Option<u32>,
    /// Only those that came in at or after this.
    from: Option<DateTime<Utc>>,
    /// Only those that came in before this.
    until: Option<DateTime<Utc>>,
    /// How many of the newest, 1 to 1,000.
    #[graphql(default = 100)]
    last: u32,
}

/// Refuses too many, and none.
fn check(named: usize, last: u32) -> std::result::Result<(), UserError> {
    let count = if named > 0 { named } else { last as usize };
    if (1..=CASES_MAX).contains(&count) {
        return Ok(());
    }
    Err(refused("CASES_OUT_OF_RANGE", format!("a version has 1 to {CASES_MAX} cases: ask for that many")))
}

/// The cases of executions.
pub(super) async fn of_executions(
    state: &ApiState,
    input: EvaluationExecutionsInput,
) -> Result<std::result::Result<RecordedCases, UserError>> {
    if let Err(error) = check(input.execution_ids.len(), input.last) {
        return Ok(Err(error));
    }
    let named: Vec<ExecutionId> = input.execution_ids.into_iter().map(ExecutionId).collect();
    let executions = match (named.is_empty(), input.workflow_id) {
        (false, _) => named,
        (true, Some(workflow)) => newest(state, WorkflowId(workflow), input.last as usize).await?,
        (true, None) => {
            let message = "name the executions, or the workflow whose newest ones are meant";
            return Ok(Err(refused("EXECUTIONS_MISSING", message)));
        }
    };
    match state.commands().cases_of_executions(&state.context(None), &executions).await {
        Ok(recorded) => Ok(Ok(recorded)),
        Err(error) => Ok(Err(user_error(error)?)),
    }
}

/// The newest completed executions of a workflow.
async fn newest(state: &ApiState, workflow: WorkflowId, last: usize) -> Result<Vec<ExecutionId>> {
    let filter = ExecutionFilter {
        workflow_id: Some(workflow),
        status: Some(ExecutionStatus::Completed),
        ..ExecutionFilter::default()
    };
    let mut found: Vec<ExecutionId> = Vec::new();
    let mut page = Page::first(PAGE_ROWS_MAX.min(last));
    loop {
        let next = rows(state.read_models().executions(state.tenant(), None, &page, &filter).await)?;
        let cursor = next.rows.last().map(|row| Cursor(row.created_position));
        found.extend(next.rows.iter().map(|row| row.id));
        match cursor.filter(|_| next.has_next && found.len() < last) {
            Some(cursor) => page = Page::after(PAGE_ROWS_MAX.min(last - found.len()), cursor),
            None => return Ok(found),
        }
    }
}

/// The cases of inferences.
pub(super) async fn of_inferences(
    state: &ApiState,
    input: EvaluationInferencesInput,
) -> Result<std::result::Result<RecordedCases, UserError>> {
    permitted(state, Permission::ExecutionRead)?;
    let model = match (check(input.inference_ids.len(), input.last), slug(input.model)) {
        (Ok(()), Ok(model)) => model,
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
    };
    let selection = InferenceSelection {
        inferences: input.inference_ids.into_iter().map(InferenceId).collect(),
        version: input.of_version,
        from_ms: input.from.map(|from| from.timestamp_millis()),
        until_ms: input.until.map(|until| until.timestamp_millis()),
        last: input.last,
        ..InferenceSelection::default()
    };
    match state.inference_cases().cases(state.tenant(), &model, &selection).await {
        Ok(Some(recorded)) => Ok(Ok(recorded)),
        Ok(None) => Ok(Err(refused("NO_MODELS", "this process has no models: ask a server that does"))),
        Err(error) => Err(fault(&error)),
    }
}
