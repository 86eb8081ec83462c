//! What drafts lack: told to whoever edits them, and refused where it matters.
//!
//! A draft is kept whatever it lacks. Invariant: what is told of a draft and what is refused because of it come of the same
//! checks.

use std::sync::Arc;

use timeloom_domain::access::Permission;
use timeloom_domain::definition::{
    self, DefinitionError, DraftProblem, Graph, PROBLEMS_MAX, Problem, Step, WorkflowDefinition, run_problems,
};
use timeloom_domain::ids::WorkflowId;
use timeloom_store::LogError;
use uuid::Uuid;

use crate::activation::Activation;
use crate::{CommandContext, CommandError, Commands, Refusal};

/// What is known of a workflow file that was not taken in.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedFile {
    /// What it holds.
    pub definition: Arc<WorkflowDefinition>,
    /// What it lacks.
    pub problems: Vec<DraftProblem>,
}

impl Commands {
    /// What a definition lacks as the draft of a workflow, `None` for one that is not there yet: what matters most first, at
    /// most [`PROBLEMS_MAX`].
    ///
    /// # Errors
    /// A fault when the log fails.
    pub async fn draft_problems(
        &self,
        context: &CommandContext,
        id: Option<WorkflowId>,
        draft: &Arc<WorkflowDefinition>,
    ) -> Result<Vec<DraftProblem>, CommandError> {
        let (catalogue, own) = (Arc::clone(self.catalogue()), Arc::clone(draft));
        // Expressions are read by the JavaScript engine.
        let told = tokio::task::spawn_blocking(move || definition::draft_problems(&own, &catalogue)).await;
        let mut problems = told.map_err(|error| CommandError::Fault(LogError::storage(error)))?;
        let listing = self.directory().caught_up().await?;
        let activation = Activation {
            tenant: context.tenant,
            workflow_id: id.unwrap_or(WorkflowId(Uuid::nil())),
            definition: draft,
            catalogue: self.catalogue(),
            listing: &listing,
        };
        let at = problems.partition_point(|problem| problem.hinders(Step::Activate));
        problems.splice(at..at, activation.place_problems().into_iter().map(DraftProblem::inactive));
        problems.truncate(PROBLEMS_MAX);
        Ok(problems)
    }

    /// Reads a workflow file and tells what it lacks, without taking it in.
    ///
    /// # Errors
    /// A refusal of a file that no workflow could have as its draft, or a fault.
    pub async fn check_file(
        &self,
        context: &CommandContext,
        id: Option<WorkflowId>,
        source: &[u8],
    ) -> Result<CheckedFile, CommandError> {
        context.require(Permission::WorkflowRead)?;
        let definition = Arc::new(read(source)?);
        let problems = self.draft_problems(context, id, &definition).await?;
        Ok(CheckedFile { definition, problems })
    }

    /// Refuses to publish a draft that is not complete.
    pub(crate) async fn check_publishable(
        &self,
        context: &CommandContext,
        id: WorkflowId,
        draft: &Arc<WorkflowDefinition>,
    ) -> Result<(), CommandError> {
        let problems = self.draft_problems(context, Some(id), draft).await?;
        let hindering = problems.into_iter().filter(|problem| problem.hinders(Step::Publish));
        Ok(self.refuse(draft, hindering.map(|hindering| hindering.problem).collect())?)
    }

    /// Refuses to run a draft from a node, as far as the run can reach; with `None`, as far as it goes.
    pub(crate) fn check_runnable(&self, draft: &WorkflowDefinition, start: Option<usize>) -> Result<(), Refusal> {
        let problems = match start {
            Some(start) => run_problems(draft, self.catalogue(), start),
            None => match definition::validate(draft, self.catalogue()) {
                Ok(()) => return self.check_complete(draft),
                Err(DefinitionError::Invalid(problems)) => problems,
                Err(unreadable) => return Err(unreadable.into()),
            },
        };
        self.refuse(draft, problems)
    }

    /// The same from the node of that name.
    pub(crate) fn check_runnable_from(&self, draft: &WorkflowDefinition, start: &str) -> Result<(), Refusal> {
        self.check_runnable(draft, Graph::new(draft).index(start))
    }

    fn refuse(&self, draft: &WorkflowDefinition, problems: Vec<Problem>) -> Result<(), Refusal> {
        if problems.is_empty() {
            return Ok(());
        }
        // Nodes that this build lacks have words of their own.
        if problems.iter().all(|problem| matches!(problem.field.as_str(), "type" | "typeVersion")) {
            self.check_complete(draft)?;
        }
        Err(Refusal::draft_incomplete(problems))
    }
}

/// The definition in a file, where it has the structure of one.
pub(crate) fn read(source: &[u8]) -> Result<WorkflowDefinition, Refusal> {
    let definition = definition::parse(source)?;
    definition::check_structure(&definition)?;
    Ok(definition)
}
