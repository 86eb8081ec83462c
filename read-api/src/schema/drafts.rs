//! What drafts lack: told before anything is refused because of it.

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use serde_json::Value;
use timeloom_commands::{CommandError, Commands};
use timeloom_domain::definition as domain;
use timeloom_domain::ids::WorkflowId;
use uuid::Uuid;

use super::faults::{bad_input, coded, fault};
use super::reading::state;
use crate::state::ApiState;

/// Reads about drafts.
#[derive(Debug, Default)]
pub struct DraftQuery;

/// A step that is refused while a problem of a draft is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::Step")]
pub(crate) enum DraftStep {
    /// Running the draft, where the run can reach the node.
    Run,
    /// Making the draft a version.
    Publish,
    /// Letting a version take calls and schedules.
    Activate,
}

/// How much a problem of a draft matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::Severity")]
pub(crate) enum DraftProblemSeverity {
    /// The draft is not published while it is there.
    Error,
    /// The draft is published all the same, and something of it may not be as it was meant.
    Warning,
}

/// One thing that is missing in a draft, or wrong. The draft is kept all the same.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct DraftProblem {
    /// Name of the node, where it is about one.
    node: Option<String>,
    /// The field in the file, such as `parameters.url`.
    field: String,
    /// What is wrong and what to do.
    message: String,
    /// How much it matters.
    severity: DraftProblemSeverity,
    /// What is refused while it is there; nothing for a hint.
    hinders: Vec<DraftStep>,
}

impl From<domain::DraftProblem> for DraftProblem {
    fn from(found: domain::DraftProblem) -> Self {
        let severity = found.severity().into();
        let hinders = found.hinders.iter().map(|step| (*step).into()).collect();
        let domain::Problem { node, field, message } = found.problem;
        Self { node, field, message, severity, hinders }
    }
}

/// A workflow file that was looked at and not taken in.
#[derive(Debug, SimpleObject)]
struct CheckedWorkflow {
    /// The name in it.
    name: String,
    /// How many nodes it has.
    node_count: usize,
    /// What it lacks: what matters most first, at most 100.
    problems: Vec<DraftProblem>,
}

#[Object]
impl DraftQuery {
    /// What a workflow file lacks, without taking it in: exactly one of `source` and `definition`.
    #[graphql(complexity = "child_complexity + 50")]
    async fn check_workflow(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The text of the file.")] source: Option<String>,
        #[graphql(desc = "The same as JSON.")] definition: Option<Value>,
        #[graphql(desc = "The workflow whose draft it is to be; absent = a new one.")] workflow_id: Option<Uuid>,
    ) -> Result<CheckedWorkflow> {
        let source = match (source, definition) {
            (Some(source), None) => source.into_bytes(),
            (None, Some(definition)) => definition.to_string().into_bytes(),
            _ => return Err(bad_input("give exactly one of source (the file's text) and definition (its JSON)")),
        };
        let state = state(context)?;
        let _turn = state.turn_to_fold().await;
        let commands: &Commands = state.commands();
        let checked = commands.check_file(&state.context(None), workflow_id.map(WorkflowId), &source).await;
        let checked = checked.map_err(|error| match error {
            CommandError::Refused(refusal) => coded(refusal.code, refusal.message),
            other => fault(&other),
        })?;
        Ok(CheckedWorkflow {
            name: checked.definition.name.clone(),
            node_count: checked.definition.nodes.len(),
            problems: checked.problems.into_iter().map(DraftProblem::from).collect(),
        })
    }
}

/// What a definition lacks as the draft of a workflow.
pub(crate) async fn problems(
    state: &ApiState,
    id: WorkflowId,
    draft: &std::sync::Arc<domain::WorkflowDefinition>,
) -> Result<Vec<DraftProblem>> {
    let _turn = state.turn_to_fold().await;
    let found = state.commands().draft_problems(&state.context(None), Some(id), draft).await;
    Ok(found.map_err(|error| fault(&error))?.into_iter().map(DraftProblem::from).collect())
}
