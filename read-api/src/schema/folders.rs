//! Folders in which people keep workflows. A folder is there as long as a workflow lies in it or in one within it.

use std::collections::BTreeMap;

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use timeloom_domain::ids::WorkflowId;
use timeloom_domain::workflow::Folder;
use uuid::Uuid;

use super::access::because;
use super::faults::fault;
use super::mutation::WorkflowPayload;
use super::payloads::refused;
use super::reading::state;

/// Reads about folders.
#[derive(Debug, Default)]
pub struct FolderQuery;

/// Changes of where workflows lie.
#[derive(Debug, Default)]
pub struct FolderMutation;

/// A folder of workflows.
#[derive(Debug, SimpleObject)]
struct WorkflowFolder {
    /// Names of folders with '/' between them, the outermost first; empty for the workflows that lie in none.
    path: String,
    /// How many workflows lie in it itself, those that were put away left out.
    workflow_count: u32,
}

/// Where to put a workflow.
#[derive(Debug, InputObject)]
struct MoveWorkflowInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while the workflow is at this revision.
    expected_revision: Option<u64>,
    /// The workflow.
    workflow_id: Uuid,
    /// Names of folders with '/' between them, the outermost first; empty = none. It need not be there yet.
    folder: String,
    /// Why, for those who read its history; at most 1,000 characters.
    reason: Option<String>,
}

#[Object]
impl FolderQuery {
    /// The folders that workflows lie in now, by their paths.
    #[graphql(complexity = "child_complexity + 20")]
    async fn workflow_folders(&self, context: &Context<'_>) -> Result<Vec<WorkflowFolder>> {
        let state = state(context)?;
        let listing = state.commands().directory().caught_up().await.map_err(|error| fault(&error))?;
        let mut counts = BTreeMap::<Folder, u32>::new();
        for workflow in listing.workflows().filter(|entry| entry.tenant == state.tenant() && !entry.archived) {
            *counts.entry(workflow.folder.clone()).or_default() += 1;
        }
        let folders = counts.into_iter();
        Ok(folders.map(|(path, workflow_count)| WorkflowFolder { path: path.into(), workflow_count }).collect())
    }
}

#[Object]
impl FolderMutation {
    /// Puts a workflow into a folder, or out of all. Nothing about how it runs changes.
    async fn move_workflow(&self, context: &Context<'_>, input: MoveWorkflowInput) -> Result<WorkflowPayload> {
        let folder = match Folder::try_new(input.folder) {
            Ok(folder) => folder,
            Err(error) => return Ok(WorkflowPayload::from(refused("INVALID_FOLDER", error.to_string()))),
        };
        let (state, id) = (state(context)?, WorkflowId(input.workflow_id));
        let context = match because(state, input.command_id, input.expected_revision, input.reason) {
            Ok(context) => context,
            Err(error) => return Ok(WorkflowPayload::from(error)),
        };
        WorkflowPayload::of(state.commands().move_workflow(&context, id, folder).await)
    }
}
