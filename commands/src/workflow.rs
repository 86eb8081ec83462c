//! Commands on workflows.

use std::sync::Arc;
use std::time::Duration;

use timeloom_domain::access::Permission;
use timeloom_domain::definition::{self, Gap, Node, Settings, WorkflowDefinition};
use timeloom_domain::event::Aggregate as _;
use timeloom_domain::ids::WorkflowId;
use timeloom_domain::item::Item;
use timeloom_domain::workflow::{Folder, Workflow, WorkflowCommand, WorkflowEvent};
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{Direction, Revision, codec};

use crate::activation::{Activation, check_listening, listens};
use crate::bridge::{Base, StreamState};
use crate::drafts::read;
use crate::error::{WORKFLOW_EXISTS, WORKFLOW_NOT_FOUND};
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal};

/// Longest time that a change of what starts a workflow waits until this process goes by it.
const IN_FORCE_TIME_MAX: Duration = Duration::from_secs(2);

/// A workflow file to take in.
#[derive(Debug, Clone)]
pub struct ImportWorkflow {
    /// The workflow to update; `None` makes a new one.
    pub workflow_id: Option<WorkflowId>,
    /// The file: JSON text in n8n's export shape.
    pub source: Vec<u8>,
}

impl Commands {
    /// Takes a workflow file in: a new workflow, or a new draft of an existing one. What it lacks to be run does not matter
    /// yet, see [`Commands::draft_problems`].
    ///
    /// # Errors
    /// A refusal of a file without the structure of a workflow, which lists all that is wrong with it, or a conflict or fault.
    pub async fn import_workflow(
        &self,
        context: &CommandContext,
        import: ImportWorkflow,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        context.require(Permission::WorkflowWrite)?;
        let definition = read(&import.source)?;
        self.take_in(context, import.workflow_id, definition).await
    }

    /// The same with HTTP Requests in place of the services' nodes that this build lacks; answers with these nodes.
    ///
    /// # Errors
    /// As [`Commands::import_workflow`].
    pub async fn import_workflow_replacing(
        &self,
        context: &CommandContext,
        import: ImportWorkflow,
    ) -> Result<(Outcome<WorkflowId>, Vec<Gap>), CommandError> {
        context.require(Permission::WorkflowWrite)?;
        let mut definition = read(&import.source)?;
        let replaced = definition::replace_service_nodes(&definition, self.catalogue(), &[]).unwrap_or_default();
        let new: Vec<Node> = replaced.iter().filter_map(|gap| Some(gap.service_replacement()?.node.clone())).collect();
        definition.replace_nodes(&new);
        Ok((self.take_in(context, import.workflow_id, definition).await?, replaced))
    }

    async fn take_in(
        &self,
        context: &CommandContext,
        workflow_id: Option<WorkflowId>,
        definition: WorkflowDefinition,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        let definition = Arc::new(definition);
        let create = || WorkflowCommand::Create { definition: Arc::clone(&definition) };
        let update = || WorkflowCommand::Update { definition: Arc::clone(&definition) };
        let Some(id) = workflow_id else {
            // A repeated import must find its first answer: the id follows from the command's.
            let id = WorkflowId(context.command_id.0);
            return self.change_workflow(context, id, create(), Base::New).await;
        };
        if self.current_workflow(context, id).await?.aggregate.draft.is_some() {
            match self.change_workflow(context, id, update(), Base::Current).await {
                // It is this very command that had brought it to be.
                Err(CommandError::Refused(refusal)) if refusal.code == WORKFLOW_NOT_FOUND => {}
                other => return other,
            }
        }
        match self.change_workflow(context, id, create(), Base::New).await {
            // Somebody else imported it first: this file comes after theirs.
            Err(CommandError::Refused(refusal)) if refusal.code == WORKFLOW_EXISTS => {}
            other => return other,
        }
        self.change_workflow(context, id, update(), Base::Current).await
    }

    /// Puts HTTP Requests in place of the draft's nodes of services that this build lacks: of the named ones, or of all for
    /// which the table of services has one. Answers with these nodes.
    ///
    /// # Errors
    /// A refusal that says of each named node why there is no HTTP Request for it, or a conflict or fault.
    pub async fn replace_service_nodes(
        &self,
        context: &CommandContext,
        id: WorkflowId,
        names: &[String],
    ) -> Result<(Outcome<WorkflowId>, Vec<Gap>), CommandError> {
        context.require(Permission::WorkflowWrite)?;
        let stream = self.stream::<WorkflowEvent>(context, id);
        // A repeated command gets its first answer, whatever the draft is by now.
        let state = match self.inner.states.before::<Workflow>(&stream, context.command_id).await? {
            Some(before) => before,
            None => self.current_workflow(context, id).await?,
        };
        let (mut replaced, mut replacements) = (Vec::new(), Vec::new());
        if let Some(draft) = &state.aggregate.draft {
            replaced =
                definition::replace_service_nodes(draft, self.catalogue(), names).map_err(Refusal::not_replaceable)?;
            replacements.extend(draft.nodes.iter().filter_map(|node| {
                let gap = replaced.iter().find(|gap| gap.node == node.name)?;
                Some((node.clone(), gap.service_replacement()?.node.clone()))
            }));
        }
        let command = WorkflowCommand::ReplaceNodes { replacements };
        Ok((self.change_workflow(context, id, command, Base::Current).await?, replaced))
    }

    /// Makes the draft a version. Of an active workflow it is the active one from then on.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn publish_workflow(
        &self,
        context: &CommandContext,
        id: WorkflowId,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        self.publish_on(context, id, WorkflowCommand::Publish, Base::Current).await
    }

    /// Makes the draft a version and leaves active what is, so that it can be rolled out beside it.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn publish_beside(
        &self,
        context: &CommandContext,
        id: WorkflowId,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        self.publish_on(context, id, WorkflowCommand::PublishBeside, Base::Current).await
    }

    /// The one or the other, where the workflow has not changed since `revision`, at which its draft was checked.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn publish_checked(
        &self,
        context: &CommandContext,
        id: WorkflowId,
        revision: u64,
        keeps_active: bool,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        context.require(Permission::WorkflowWrite)?;
        let now = self.current_workflow(context, id).await?;
        if now.revision.0 != revision {
            let now = now.revision;
            let message =
                format!("the workflow went from revision {revision} to {now} while it was checked: try again");
            return Err(CommandError::Conflict { message });
        }
        let command = if keeps_active { WorkflowCommand::PublishBeside } else { WorkflowCommand::Publish };
        self.publish_on(context, id, command, Base::Known(now)).await
    }

    async fn publish_on(
        &self,
        context: &CommandContext,
        id: WorkflowId,
        command: WorkflowCommand,
        base: Base<Workflow>,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        context.require(Permission::WorkflowWrite)?;
        let workflow = &self.current_workflow(context, id).await?.aggregate;
        if let Some(draft) = &workflow.draft {
            self.check_publishable(context, id, draft).await?;
        }
        let activates = command == WorkflowCommand::Publish && workflow.active_version.is_some();
        if let (Some(draft), true) = (&workflow.draft, activates) {
            self.check_activation(context, id, draft).await?;
        }
        self.change_in_force_on(context, id, command, base).await
    }

    /// Refuses a definition that needs nodes which this build does not have.
    pub(crate) fn check_complete(&self, definition: &WorkflowDefinition) -> Result<(), Refusal> {
        let gaps = definition::gaps(definition, self.catalogue());
        if gaps.is_empty() { Ok(()) } else { Err(Refusal::incomplete(&gaps)) }
    }

    /// Lets a published version take calls and schedules, in place of any other; `None` takes the newest.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn activate_workflow(
        &self,
        context: &CommandContext,
        id: WorkflowId,
        version: Option<u32>,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        context.require(Permission::WorkflowWrite)?;
        let workflow = &self.current_workflow(context, id).await?.aggregate;
        let version = version.or_else(|| workflow.versions.last().map(|newest| newest.version));
        if let Some(definition) = version.and_then(|version| workflow.definition(Some(version))) {
            self.check_activation(context, id, definition).await?;
        }
        self.change_in_force(context, id, WorkflowCommand::Activate { version }).await
    }

    /// Lets a workflow take no calls and schedules any more. What runs goes on.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn deactivate_workflow(
        &self,
        context: &CommandContext,
        id: WorkflowId,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        context.require(Permission::WorkflowWrite)?;
        self.change_in_force(context, id, WorkflowCommand::Deactivate).await
    }

    /// Lets the draft take one call at its test address until a time, in milliseconds since 1970.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn listen_for_test(
        &self,
        context: &CommandContext,
        id: WorkflowId,
        until_ms: i64,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        context.require(Permission::WorkflowWrite)?;
        if let Some(draft) = &self.current_workflow(context, id).await?.aggregate.draft {
            check_listening(draft)?;
            for node in draft.nodes.iter().filter(|node| !node.disabled && listens(node)) {
                self.check_runnable_from(draft, &node.name)?;
            }
        }
        self.change_in_force(context, id, WorkflowCommand::ListenForTest { until_ms }).await
    }

    /// Puts a workflow into a folder, or out of all.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn move_workflow(
        &self,
        context: &CommandContext,
        id: WorkflowId,
        folder: Folder,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        context.require(Permission::WorkflowWrite)?;
        self.change_workflow(context, id, WorkflowCommand::Move { folder }, Base::Current).await
    }

    /// Takes a workflow out again that was put away. None of its versions is active then.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn unarchive_workflow(
        &self,
        context: &CommandContext,
        id: WorkflowId,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        context.require(Permission::WorkflowWrite)?;
        self.change_in_force(context, id, WorkflowCommand::Unarchive).await
    }

    /// Puts a workflow away.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn archive_workflow(
        &self,
        context: &CommandContext,
        id: WorkflowId,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        context.require(Permission::WorkflowWrite)?;
        self.change_in_force(context, id, WorkflowCommand::Archive).await
    }

    /// Replaces the draft's settings.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn change_workflow_settings(
        &self,
        context: &CommandContext,
        id: WorkflowId,
        settings: Settings,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        context.require(Permission::WorkflowWrite)?;
        definition::validate_settings(&settings).map_err(Refusal::of_settings)?;
        self.change_workflow(context, id, WorkflowCommand::ChangeSettings { settings }, Base::Current).await
    }

    /// Pins items to a node of the draft; `None` unpins it.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn change_workflow_pins(
        &self,
        context: &CommandContext,
        id: WorkflowId,
        node: String,
        items: Option<Vec<Item>>,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        context.require(Permission::WorkflowWrite)?;
        self.change_workflow(context, id, WorkflowCommand::ChangePins { node, items }, Base::Current).await
    }

    /// Refuses a definition that cannot take calls and schedules.
    pub(crate) async fn check_activation(
        &self,
        context: &CommandContext,
        id: WorkflowId,
        definition: &WorkflowDefinition,
    ) -> Result<(), CommandError> {
        let listing = self.directory().caught_up().await?;
        let (tenant, catalogue) = (context.tenant, &**self.catalogue());
        let activation = Activation { tenant, workflow_id: id, definition, catalogue, listing: &listing };
        Ok(activation.check()?)
    }

    /// Changes what starts a workflow. When it is answered, this process calls and schedules by it.
    pub(crate) async fn change_in_force(
        &self,
        context: &CommandContext,
        id: WorkflowId,
        command: WorkflowCommand,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        self.change_in_force_on(context, id, command, Base::Current).await
    }

    async fn change_in_force_on(
        &self,
        context: &CommandContext,
        id: WorkflowId,
        command: WorkflowCommand,
        base: Base<Workflow>,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        let outcome = self.change_workflow(context, id, command, base).await?;
        if let Some(directory) = self.inner.directory.get() {
            let in_force = directory.wait_for(outcome.position);
            if tokio::time::timeout(IN_FORCE_TIME_MAX, in_force).await.is_err() {
                tracing::warn!(workflow_id = %id, "the change is in the log, and not in force here yet");
            }
        }
        Ok(outcome)
    }

    async fn change_workflow(
        &self,
        context: &CommandContext,
        id: WorkflowId,
        command: WorkflowCommand,
        base: Base<Workflow>,
    ) -> Result<Outcome<WorkflowId>, CommandError> {
        let stream = self.stream::<WorkflowEvent>(context, id);
        Ok(self.execute::<Workflow>(context, stream, command, base).await?.with(id))
    }

    /// A workflow as it was right after a revision; `None` when it had no events then.
    ///
    /// # Errors
    /// A fault when the log fails.
    pub async fn workflow_at(
        &self,
        context: &CommandContext,
        id: WorkflowId,
        revision: Revision,
    ) -> Result<Option<Workflow>, CommandError> {
        let stream = self.stream::<WorkflowEvent>(context, id);
        let (mut workflow, mut after) = (Workflow::default(), Revision(0));
        while after < revision {
            let left = usize::try_from(revision.0 - after.0).unwrap_or(READ_EVENTS_MAX);
            let limit = left.min(READ_EVENTS_MAX);
            let read = self.inner.log.read_stream(&stream, after, Direction::Forward, limit).await?;
            let Some(last) = read.last() else { return Ok(None) };
            after = last.revision;
            for recorded in &read {
                workflow.apply(&codec::decode::<WorkflowEvent>(recorded)?);
            }
        }
        Ok((revision > Revision(0)).then_some(workflow))
    }

    /// A workflow as it is now.
    ///
    /// # Errors
    /// A fault when the log fails.
    pub async fn current_workflow(
        &self,
        context: &CommandContext,
        id: WorkflowId,
    ) -> Result<Arc<StreamState<Workflow>>, CommandError> {
        self.load(&self.stream::<WorkflowEvent>(context, id)).await
    }
}
