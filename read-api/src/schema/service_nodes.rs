//! Nodes of services: a file is taken in with HTTP Requests in their place, or those of a draft are replaced later.
//!
//! Never replaces what was not asked for. Invariant: whatever a replacement cannot carry is in the answer.

use async_graphql::{Context, InputObject, Object, Result};
use timeloom_commands::{CommandContext, CommandError, ImportWorkflow, Outcome};
use timeloom_domain::definition::Gap;
use timeloom_domain::ids::WorkflowId;
use uuid::Uuid;

use super::drafts::{self, DraftProblem};
use super::faults::fault;
use super::payloads::{UserError, Written, refused, settle};
use super::query::workflow;
use super::scalars::PositionScalar;
use super::workflow::{MissingNode, Workflow};
use crate::state::ApiState;

/// Nodes of a draft to replace by HTTP Requests.
#[derive(Debug, InputObject)]
pub(super) struct ReplaceServiceNodesInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the workflow is at this revision.
    pub expected_revision: Option<u64>,
    /// The workflow.
    pub workflow_id: Uuid,
    /// Names of the nodes; absent replaces all for which the table of services has an HTTP Request.
    pub nodes: Option<Vec<String>>,
}

/// What taking a workflow file in, or replacing nodes, came to.
#[derive(Debug)]
pub(super) struct ServiceNodesPayload {
    id: Option<WorkflowId>,
    replaced: Vec<MissingNode>,
    written: Written,
}

impl From<UserError> for ServiceNodesPayload {
    fn from(error: UserError) -> Self {
        let (id, written) = Written::of(Err(error));
        Self { id, replaced: Vec::new(), written }
    }
}

impl ServiceNodesPayload {
    pub(super) fn of(result: Result<(Outcome<WorkflowId>, Vec<Gap>), CommandError>) -> Result<Self> {
        let (result, gaps) = match result {
            Ok((outcome, gaps)) => (Ok(outcome), gaps),
            Err(error) => (Err(error), Vec::new()),
        };
        let (id, written) = Written::of(settle(result)?);
        let replaced = gaps.into_iter().map(MissingNode::of).collect::<Result<_>>()?;
        Ok(Self { id, replaced, written })
    }
}

#[Object(name = "ServiceNodesPayload")]
impl ServiceNodesPayload {
    /// Which one was changed; absent when nothing was.
    async fn workflow_id(&self) -> Option<Uuid> {
        self.id.map(|id| id.0)
    }

    /// The nodes that were replaced, as they were, each with its replacement and what is to be known of it.
    async fn replaced_nodes(&self) -> &[MissingNode] {
        &self.replaced
    }

    /// What the draft lacks now, what matters most first, at most 100: it is saved all the same.
    #[graphql(complexity = "20 + 20 * child_complexity")]
    async fn draft_problems(&self, context: &Context<'_>) -> Result<Vec<DraftProblem>> {
        let Some(id) = self.id else { return Ok(Vec::new()) };
        let state = super::reading::state(context)?;
        let workflow = state.commands().current_workflow(&state.context(None), id).await;
        match &workflow.map_err(|error| fault(&error))?.aggregate.draft {
            Some(draft) => drafts::problems(state, id, draft).await,
            None => Ok(Vec::new()),
        }
    }

    /// The workflow, from the read models: asking for it waits until they show `position`.
    #[graphql(complexity = "child_complexity + 5")]
    async fn workflow(&self, context: &Context<'_>) -> Result<Option<Workflow>> {
        let Some(id) = self.id else { return Ok(None) };
        let state = super::reading::state(context)?;
        self.written.visible(state).await?;
        workflow(state, id, None).await
    }

    /// The position from which reads show it: give it as `waitFor`.
    async fn position(&self) -> Option<PositionScalar> {
        self.written.position()
    }

    /// How many events it has had.
    async fn revision(&self) -> Option<u64> {
        self.written.revision()
    }

    /// Whether this command had been carried out before.
    async fn repeated(&self) -> bool {
        self.written.repeated
    }

    /// Why the command was not carried out; empty when it was.
    async fn errors(&self) -> &[UserError] {
        &self.written.errors
    }
}

/// Takes a file in, with HTTP Requests in place of services' nodes when that is asked for.
pub(super) async fn import(
    state: &ApiState,
    context: &CommandContext,
    import: ImportWorkflow,
    replace: bool,
) -> Result<ServiceNodesPayload> {
    let commands = state.commands();
    ServiceNodesPayload::of(match replace {
        true => commands.import_workflow_replacing(context, import).await,
        false => commands.import_workflow(context, import).await.map(|outcome| (outcome, Vec::new())),
    })
}

/// Replaces nodes of a draft.
pub(super) async fn replace(state: &ApiState, input: ReplaceServiceNodesInput) -> Result<ServiceNodesPayload> {
    let context = state.context_at(input.command_id, input.expected_revision);
    let id = WorkflowId(input.workflow_id);
    if input.nodes.as_ref().is_some_and(Vec::is_empty) {
        let message = "no node is named: name some, or leave `nodes` out to replace all that can be";
        return Ok(ServiceNodesPayload::from(refused("INVALID_INPUT", message)));
    }
    let names = input.nodes.unwrap_or_default();
    ServiceNodesPayload::of(state.commands().replace_service_nodes(&context, id, &names).await)
}
