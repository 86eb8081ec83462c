//! Every change. Each mutation takes one input and answers in the pattern of [`super::payloads`].

use async_graphql::{Context, InputObject, Object, Result};
use serde_json::Value;
use timeloom_commands::{AddPluginVersion, CancelExecution, ImportWorkflow, Refusal};
use timeloom_domain::definition::parse_settings;
use timeloom_domain::ids::{ExecutionId, Slug, WorkflowId};
use uuid::Uuid;

use super::access::because;
use super::archive::{
    ArchiveLogInput, ArchiveLogPayload, UnarchiveLogInput, UnarchiveLogPayload, archive_log, unarchive_log,
};
use super::control::{
    self, ChangeBreakpointsInput, DismissExecutionInput, PauseExecutionInput, ResumeExecutionInput,
    RetryExecutionInput, UnpauseExecutionInput,
};
use super::credentials::{
    self, CredentialInput, CredentialPayload, RotateCredentialsInput, RotateCredentialsPayload, SaveCredentialInput,
};
use super::execution::{Execution, execution};
use super::payloads::{UserError, payload, refused};
use super::projections::{
    RebuildProjectionsInput, RebuildProjectionsPayload, RetryParkedEventsInput, RetryParkedEventsPayload, rebuild,
    retry,
};
use super::query::{plugin, workflow};
use super::reading::state;
use super::redrive::{RedriveExecutionsInput, RedriveExecutionsPayload, redrive};
use super::registry::Plugin;
use super::service_nodes::{self, ReplaceServiceNodesInput, ServiceNodesPayload};
use super::start::{StartExecutionInput, StartExecutionPayload, items, start};
use super::time::{ReplayGateInput, gate};
use super::workflow::Workflow;

/// How long a draft listens for its call, in milliseconds.
const LISTEN_MS: i64 = 120_000;

payload! {
    /// What a command on a workflow came to.
    WorkflowPayload {
        workflow_id: WorkflowId => Uuid,
        /// The workflow, from the read models: asking for it waits until they show `position`.
        workflow: Workflow = workflow
    }
}
payload! {
    /// What a command on an execution came to.
    ExecutionPayload {
        execution_id: ExecutionId => Uuid,
        /// The execution, from the read models: asking for it waits until they show `position`.
        execution: Execution = execution
    }
}
payload! {
    /// What a command on a plugin came to.
    PluginPayload {
        name: Slug => String,
        /// The plugin, from the read models: asking for it waits until they show `position`.
        plugin: Plugin = plugin
    }
}
/// A workflow file to take in: exactly one of `source` and `definition`.
#[derive(Debug, InputObject)]
struct ImportWorkflowInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while the workflow is at this revision.
    expected_revision: Option<u64>,
    /// The workflow whose draft to replace; absent makes a new workflow.
    workflow_id: Option<Uuid>,
    /// The text of the file.
    source: Option<String>,
    /// The same as JSON.
    definition: Option<Value>,
    /// Whether HTTP Requests take the place of services' nodes that this build lacks, where the table of services has them.
    #[graphql(default)]
    replace_service_nodes: bool,
}

/// A workflow to do something with.
#[derive(Debug, InputObject)]
pub(crate) struct WorkflowInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// It is carried out only while the workflow is at this revision.
    pub expected_revision: Option<u64>,
    /// The workflow.
    pub workflow_id: Uuid,
    /// Why, for those who read its history; at most 1,000 characters.
    pub reason: Option<String>,
}

/// A draft to make a version of.
#[derive(Debug, InputObject)]
struct PublishWorkflowInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while the workflow is at this revision.
    expected_revision: Option<u64>,
    /// The workflow.
    workflow_id: Uuid,
    /// Only where the workflow's last executions do the same under the draft.
    replay_gate: Option<ReplayGateInput>,
    /// Whether the active version stays the active one, so that this one can be rolled out beside it.
    #[graphql(default)]
    keep_active: bool,
    /// Why, for those who read its history; at most 1,000 characters.
    reason: Option<String>,
}

/// A version of a workflow that is to take calls and schedules.
#[derive(Debug, InputObject)]
struct ActivateWorkflowInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while the workflow is at this revision.
    expected_revision: Option<u64>,
    /// The workflow.
    workflow_id: Uuid,
    /// The published version; absent = the newest.
    version: Option<u32>,
    /// Why, for those who read its history; at most 1,000 characters.
    reason: Option<String>,
}

/// New settings of a draft.
#[derive(Debug, InputObject)]
struct ChangeWorkflowSettingsInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while the workflow is at this revision.
    expected_revision: Option<u64>,
    /// The workflow.
    workflow_id: Uuid,
    /// All settings, as a workflow file has them: what is not named is unset. `concurrency` is 1 to 10,000, `priority`
    /// -1,000 to 1,000, `durability` `strict` or `relaxed`; the type `WorkflowSettings` tells what each means.
    settings: Value,
}

/// Items that stand in for a node's output in manual runs.
#[derive(Debug, InputObject)]
struct ChangeWorkflowPinsInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while the workflow is at this revision.
    expected_revision: Option<u64>,
    /// The workflow.
    workflow_id: Uuid,
    /// Name of the node.
    node: String,
    /// The items; absent unpins the node.
    items: Option<Value>,
}

/// A run to stop.
#[derive(Debug, InputObject)]
struct CancelExecutionInput {
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

/// A name to take for a plugin or model.
#[derive(Debug, InputObject)]
pub(crate) struct RegisterInput {
    /// Makes this the same command as an earlier one with this id.
    pub command_id: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// What it is for.
    #[graphql(default)]
    pub description: String,
}

/// A plugin version to add.
#[derive(Debug, InputObject)]
struct AddPluginVersionInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while the plugin is at this revision.
    expected_revision: Option<u64>,
    /// The plugin.
    name: String,
    /// The version, as its author writes it.
    version: String,
    /// SHA-256 of the package, hexadecimal.
    digest: String,
}

/// A plugin version that workflows may use.
#[derive(Debug, InputObject)]
struct EnablePluginInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while the plugin is at this revision.
    expected_revision: Option<u64>,
    /// The plugin.
    name: String,
    /// The version.
    version: String,
}

/// A plugin to take out of use.
#[derive(Debug, InputObject)]
struct DisablePluginInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while it is at this revision.
    expected_revision: Option<u64>,
    /// Its name.
    name: String,
    /// Why.
    #[graphql(default)]
    reason: String,
}

/// A plugin to do something with.
#[derive(Debug, InputObject)]
struct PluginInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// It is carried out only while it is at this revision.
    expected_revision: Option<u64>,
    /// Its name.
    name: String,
}

/// A name as the domain takes it, or the payload that says why not.
macro_rules! slug {
    ($payload:ident, $name:expr) => {
        match Slug::try_new($name) {
            Ok(name) => name,
            Err(error) => return Ok($payload::from(refused("INVALID_NAME", error.to_string()))),
        }
    };
}

/// The context of a command with its reason, or the payload that says why not.
macro_rules! because {
    ($payload:ident, $state:expr, $input:expr) => {
        match because($state, $input.command_id, $input.expected_revision, $input.reason.clone()) {
            Ok(context) => context,
            Err(error) => return Ok($payload::from(error)),
        }
    };
}

/// The root of all changes.
#[derive(Debug)]
pub struct Mutation;

#[Object(name = "GeneralMutation")]
impl Mutation {
    /// Takes a workflow file in: a new workflow, or a new draft of an existing one. What it lacks to be run is told as
    /// `draftProblems`, and keeps nobody from saving it.
    async fn import_workflow(&self, context: &Context<'_>, input: ImportWorkflowInput) -> Result<ServiceNodesPayload> {
        let source = match (input.source, input.definition) {
            (Some(source), None) => source.into_bytes(),
            (None, Some(definition)) => definition.to_string().into_bytes(),
            _ => {
                let message = "give exactly one of source (the file's text) and definition (its JSON)";
                return Ok(ServiceNodesPayload::from(refused("INVALID_INPUT", message)));
            }
        };
        let import = ImportWorkflow { workflow_id: input.workflow_id.map(WorkflowId), source };
        let state = state(context)?;
        let asked = state.context_at(input.command_id, input.expected_revision);
        service_nodes::import(state, &asked, import, input.replace_service_nodes).await
    }

    /// Puts HTTP Requests in place of the draft's nodes of services that this build lacks.
    async fn replace_service_nodes(
        &self,
        context: &Context<'_>,
        input: ReplaceServiceNodesInput,
    ) -> Result<ServiceNodesPayload> {
        service_nodes::replace(state(context)?, input).await
    }

    /// Makes the draft a version, which never changes again. Of an active workflow it is the active one from then on, unless
    /// `keepActive` says otherwise.
    async fn publish_workflow(&self, context: &Context<'_>, input: PublishWorkflowInput) -> Result<WorkflowPayload> {
        let (state, id) = (state(context)?, WorkflowId(input.workflow_id));
        let context = because!(WorkflowPayload, state, input);
        let (commands, beside) = (state.commands(), input.keep_active);
        let Some(wanted) = input.replay_gate else {
            return WorkflowPayload::of(match beside {
                true => commands.publish_beside(&context, id).await,
                false => commands.publish_workflow(&context, id).await,
            });
        };
        match gate(state, id, wanted).await? {
            Ok(revision) => WorkflowPayload::of(commands.publish_checked(&context, id, revision, beside).await),
            Err(error) => Ok(error.into()),
        }
    }

    /// Lets a published version take calls and schedules, in place of any other. Refused when it could not work.
    async fn activate_workflow(&self, context: &Context<'_>, input: ActivateWorkflowInput) -> Result<WorkflowPayload> {
        let (state, id) = (state(context)?, WorkflowId(input.workflow_id));
        let context = because!(WorkflowPayload, state, input);
        WorkflowPayload::of(state.commands().activate_workflow(&context, id, input.version).await)
    }

    /// Lets a workflow take no calls and schedules any more. What runs goes on.
    async fn deactivate_workflow(&self, context: &Context<'_>, input: WorkflowInput) -> Result<WorkflowPayload> {
        let (state, id) = (state(context)?, WorkflowId(input.workflow_id));
        let context = because!(WorkflowPayload, state, input);
        WorkflowPayload::of(state.commands().deactivate_workflow(&context, id).await)
    }

    /// Lets the draft take one call at its test address, or one message that one of its triggers listens for, for two minutes.
    async fn listen_for_test_webhook(&self, context: &Context<'_>, input: WorkflowInput) -> Result<WorkflowPayload> {
        let (state, id) = (state(context)?, WorkflowId(input.workflow_id));
        let until_ms = state.commands().clock().now_ms().saturating_add(LISTEN_MS);
        let context = because!(WorkflowPayload, state, input);
        WorkflowPayload::of(state.commands().listen_for_test(&context, id, until_ms).await)
    }

    /// Puts a workflow away: it starts no more executions.
    async fn archive_workflow(&self, context: &Context<'_>, input: WorkflowInput) -> Result<WorkflowPayload> {
        let (state, id) = (state(context)?, WorkflowId(input.workflow_id));
        let context = because!(WorkflowPayload, state, input);
        WorkflowPayload::of(state.commands().archive_workflow(&context, id).await)
    }

    /// Takes a workflow out again that was put away. None of its versions is active then.
    async fn unarchive_workflow(&self, context: &Context<'_>, input: WorkflowInput) -> Result<WorkflowPayload> {
        let (state, id) = (state(context)?, WorkflowId(input.workflow_id));
        let context = because!(WorkflowPayload, state, input);
        WorkflowPayload::of(state.commands().unarchive_workflow(&context, id).await)
    }

    /// Replaces the draft's settings.
    async fn change_workflow_settings(
        &self,
        context: &Context<'_>,
        input: ChangeWorkflowSettingsInput,
    ) -> Result<WorkflowPayload> {
        let settings = match parse_settings(input.settings) {
            Ok(settings) => settings,
            Err(error) => return Ok(WorkflowPayload::from(UserError::from(Refusal::of_settings(error)))),
        };
        let (state, id) = (state(context)?, WorkflowId(input.workflow_id));
        let context = state.context_at(input.command_id, input.expected_revision);
        WorkflowPayload::of(state.commands().change_workflow_settings(&context, id, settings).await)
    }

    /// Pins items to a node of the draft, or unpins it.
    async fn change_workflow_pins(
        &self,
        context: &Context<'_>,
        input: ChangeWorkflowPinsInput,
    ) -> Result<WorkflowPayload> {
        let items = match input.items.map(items).transpose() {
            Ok(items) => items,
            Err(error) => return Ok(WorkflowPayload::from(error)),
        };
        let (state, id) = (state(context)?, WorkflowId(input.workflow_id));
        let context = state.context_at(input.command_id, input.expected_revision);
        WorkflowPayload::of(state.commands().change_workflow_pins(&context, id, input.node, items).await)
    }

    /// Starts an execution, and waits for its end when asked to.
    async fn start_execution(
        &self,
        context: &Context<'_>,
        input: StartExecutionInput,
    ) -> Result<StartExecutionPayload> {
        start(state(context)?, input).await
    }

    /// Stops an execution: nothing of it begins after this.
    async fn cancel_execution(&self, context: &Context<'_>, input: CancelExecutionInput) -> Result<ExecutionPayload> {
        let state = state(context)?;
        let cancel = CancelExecution { execution_id: ExecutionId(input.execution_id), reason: input.reason };
        ExecutionPayload::of(
            state
                .commands()
                .cancel_execution(&state.context_at(input.command_id, input.expected_revision), cancel)
                .await,
        )
    }

    /// Lets an execution stand still before its next node. An effect that is under way comes to its end.
    async fn pause_execution(&self, context: &Context<'_>, input: PauseExecutionInput) -> Result<ExecutionPayload> {
        control::pause(state(context)?, input).await
    }

    /// Lets an execution go on that stands still: to its end, or for one node.
    async fn unpause_execution(&self, context: &Context<'_>, input: UnpauseExecutionInput) -> Result<ExecutionPayload> {
        control::unpause(state(context)?, input).await
    }

    /// Changes before which nodes an execution pauses.
    async fn change_breakpoints(
        &self,
        context: &Context<'_>,
        input: ChangeBreakpointsInput,
    ) -> Result<ExecutionPayload> {
        control::change_breakpoints(state(context)?, input).await
    }

    /// Ends the wait of a node, as a person.
    async fn resume_execution(&self, context: &Context<'_>, input: ResumeExecutionInput) -> Result<ExecutionPayload> {
        control::resume(state(context)?, input).await
    }

    /// Tries an execution again that failed or was cancelled. The answer is about the new execution.
    async fn retry_execution(&self, context: &Context<'_>, input: RetryExecutionInput) -> Result<ExecutionPayload> {
        control::retry(state(context)?, input).await
    }

    /// Takes down that a failure needs no attention any more.
    async fn dismiss_execution(&self, context: &Context<'_>, input: DismissExecutionInput) -> Result<ExecutionPayload> {
        control::dismiss(state(context)?, input).await
    }

    /// Tries many dead letters again, each as an execution of its own.
    #[graphql(complexity = "child_complexity + 1000")]
    async fn redrive_executions(
        &self,
        context: &Context<'_>,
        input: RedriveExecutionsInput,
    ) -> Result<RedriveExecutionsPayload> {
        redrive(state(context)?, input).await
    }

    /// Takes a name for a plugin.
    async fn register_plugin(&self, context: &Context<'_>, input: RegisterInput) -> Result<PluginPayload> {
        let (state, name) = (state(context)?, slug!(PluginPayload, input.name));
        let context = state.context(input.command_id);
        PluginPayload::of(state.commands().register_plugin(&context, name, input.description).await)
    }

    /// Adds a version to a plugin.
    async fn add_plugin_version(&self, context: &Context<'_>, input: AddPluginVersionInput) -> Result<PluginPayload> {
        let (state, name) = (state(context)?, slug!(PluginPayload, input.name));
        let add = AddPluginVersion { version: input.version, digest: input.digest };
        PluginPayload::of(
            state
                .commands()
                .add_plugin_version(&state.context_at(input.command_id, input.expected_revision), name, add)
                .await,
        )
    }

    /// Lets workflows use a version of a plugin.
    async fn enable_plugin(&self, context: &Context<'_>, input: EnablePluginInput) -> Result<PluginPayload> {
        let (state, name) = (state(context)?, slug!(PluginPayload, input.name));
        PluginPayload::of(
            state
                .commands()
                .enable_plugin(&state.context_at(input.command_id, input.expected_revision), name, input.version)
                .await,
        )
    }

    /// Forbids a plugin to workflows.
    async fn disable_plugin(&self, context: &Context<'_>, input: DisablePluginInput) -> Result<PluginPayload> {
        let (state, name) = (state(context)?, slug!(PluginPayload, input.name));
        PluginPayload::of(
            state
                .commands()
                .disable_plugin(&state.context_at(input.command_id, input.expected_revision), name, input.reason)
                .await,
        )
    }

    /// Puts a plugin away for good.
    async fn retire_plugin(&self, context: &Context<'_>, input: PluginInput) -> Result<PluginPayload> {
        let (state, name) = (state(context)?, slug!(PluginPayload, input.name));
        PluginPayload::of(
            state.commands().retire_plugin(&state.context_at(input.command_id, input.expected_revision), name).await,
        )
    }

    /// Takes the fields of a credential: of a new one, or in place of those of the one of that type and name.
    async fn save_credential(&self, context: &Context<'_>, input: SaveCredentialInput) -> Result<CredentialPayload> {
        credentials::save(state(context)?, input).await
    }

    /// Lets nobody use a credential any more.
    async fn delete_credential(&self, context: &Context<'_>, input: CredentialInput) -> Result<CredentialPayload> {
        credentials::delete(state(context)?, input).await
    }

    /// Seals every credential anew under the newest key.
    async fn rotate_credentials(
        &self,
        context: &Context<'_>,
        input: RotateCredentialsInput,
    ) -> Result<RotateCredentialsPayload> {
        credentials::rotate(state(context)?, input).await
    }

    /// Builds projections again from the log, beside the present rows, which go on answering.
    async fn rebuild_projections(
        &self,
        context: &Context<'_>,
        input: RebuildProjectionsInput,
    ) -> Result<RebuildProjectionsPayload> {
        rebuild(state(context)?, input).await
    }

    /// Moves old events of the log into the archive, one segment with each call.
    async fn archive_log(&self, context: &Context<'_>, input: ArchiveLogInput) -> Result<ArchiveLogPayload> {
        archive_log(state(context)?, input).await
    }

    /// Brings archived events back among the rows of the log, one segment with each call.
    async fn unarchive_log(&self, context: &Context<'_>, input: UnarchiveLogInput) -> Result<UnarchiveLogPayload> {
        unarchive_log(state(context)?, input).await
    }

    /// Tries again to fold what projections have parked.
    async fn retry_parked_events(
        &self,
        context: &Context<'_>,
        input: RetryParkedEventsInput,
    ) -> Result<RetryParkedEventsPayload> {
        retry(state(context)?, input).await
    }
}
