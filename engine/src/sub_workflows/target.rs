//! Which version of which workflow a call runs, and with which node that begins.

use std::time::Duration;

use serde_json::{Value, json};
use timeloom_commands::{CommandError, ImportWorkflow};
use timeloom_domain::definition::{Settings, WorkflowDefinition};
use timeloom_domain::ids::{CommandId, ExecutionId, TenantId, WorkflowId};
use timeloom_domain::workflow::Workflow;
use uuid::Uuid;

use super::{FAULT_PAUSE, SubWorkflowCalls, context, runs_drafts, wait_out};
use crate::node::{CallTarget, Caller, NodeError, SubWorkflowCall};

/// The trigger of a workflow that others call.
const SUB_WORKFLOW_TRIGGER: &str = "n8n-nodes-base.executeWorkflowTrigger";
/// Nodes with which a workflow begins that has no such trigger.
const START_TYPES: [&str; 2] = ["n8n-nodes-base.manualTrigger", "n8n-nodes-base.start"];
/// Longest wait for a workflow that is not known yet: it may have come by another process a moment ago.
const LOOK_TIME_MAX: Duration = Duration::from_millis(1_500);

/// What a call runs.
pub(super) struct Target {
    pub(super) workflow_id: WorkflowId,
    /// The published version; `None` for the draft.
    pub(super) version: Option<u32>,
    pub(super) start_node: String,
}

impl SubWorkflowCalls {
    /// `first` is the execution of the call's first try, so that all its tries run the same version of a roll-out.
    pub(super) async fn target(
        &self,
        caller: &Caller,
        call: &SubWorkflowCall,
        first: ExecutionId,
    ) -> Result<Target, NodeError> {
        let workflow_id = match &call.target {
            CallTarget::Named { reference, name } => self.named(caller.tenant, reference, name.as_deref()).await?,
            CallTarget::Inline { source } => self.inline(caller, &call.node, source).await?,
        };
        let workflow = self.workflow(caller.tenant, workflow_id).await?;
        let version = if runs_drafts(caller.mode) {
            None
        } else {
            Some(workflow.production_version(first).ok_or_else(|| {
                let message = format!("the workflow '{}' has no published version", name_of(&workflow));
                NodeError::operation(message).described("publish it: drafts run only when the caller is run by hand")
            })?)
        };
        let definition = workflow.definition(version).ok_or_else(|| not_there(&workflow_id.to_string()))?;
        if let CallTarget::Named { .. } = &call.target {
            self.check_policy(caller, &definition.settings, &definition.name)?;
        }
        Ok(Target { workflow_id, version, start_node: start_node(definition)? })
    }

    /// The workflow that is meant by a reference, or else by its name.
    async fn named(&self, tenant: TenantId, reference: &str, name: Option<&str>) -> Result<WorkflowId, NodeError> {
        if let Ok(id) = reference.parse::<Uuid>()
            && self.workflow(tenant, WorkflowId(id)).await?.draft.is_some()
        {
            return Ok(WorkflowId(id));
        }
        let mut changes = self.directory.changes();
        let references = [Some(reference), name];
        let find = |listing: &timeloom_commands::directory::Listing| {
            references.into_iter().flatten().find_map(|text| listing.find(tenant, text)).map(|entry| entry.id)
        };
        let found = changes.wait_for(|listing| listing.is_caught_up() && find(listing).is_some());
        match tokio::time::timeout(LOOK_TIME_MAX, found).await {
            Ok(Ok(listing)) => find(&listing).ok_or_else(|| not_there(reference)),
            _ => Err(not_there(name.unwrap_or(reference))),
        }
    }

    /// The workflow that a node brings along. It becomes one of its own, the same for the same text.
    async fn inline(&self, caller: &Caller, node: &str, source: &str) -> Result<WorkflowId, NodeError> {
        let id = Uuid::new_v5(&caller.workflow_id.0, format!("inline/{source}").as_bytes());
        let workflow_id = WorkflowId(id);
        if self.workflow(caller.tenant, workflow_id).await?.versions.is_empty() {
            let source = nameless(node, source)?;
            let import = ImportWorkflow { workflow_id: Some(workflow_id), source: source.into_bytes() };
            let command = |what: &[u8]| context(caller.tenant, CommandId(Uuid::new_v5(&id, what)));
            let (import_by, publish_by) = (command(b"import"), command(b"publish"));
            persist(|| self.commands.import_workflow(&import_by, import.clone())).await?;
            persist(|| self.commands.publish_workflow(&publish_by, workflow_id)).await?;
        }
        Ok(workflow_id)
    }

    async fn workflow(&self, tenant: TenantId, id: WorkflowId) -> Result<Workflow, NodeError> {
        let context = context(tenant, CommandId(id.0));
        Ok(persist(|| self.commands.current_workflow(&context, id)).await?.aggregate.clone())
    }

    /// Whether a workflow lets itself be called by this one.
    fn check_policy(&self, caller: &Caller, settings: &Settings, name: &str) -> Result<(), NodeError> {
        let text = |field: &str| settings.extra.get(field).and_then(Value::as_str);
        let allowed = match text("callerPolicy") {
            Some("none") => false,
            Some("workflowsFromAList") => {
                let listing = self.directory.now();
                let entry = listing.workflow(caller.tenant, caller.workflow_id);
                let own = [Some(caller.workflow_id.to_string()), entry.and_then(|entry| entry.draft.file_id.clone())];
                let allowed = text("callerIds").unwrap_or_default();
                allowed.split(',').any(|id| own.iter().flatten().any(|own| own == id.trim()))
            }
            _ => true,
        };
        if allowed {
            return Ok(());
        }
        Err(NodeError::operation(format!("the workflow '{name}' may not be called by this one"))
            .described("change which workflows may call it in its settings, and publish it"))
    }
}

/// The node with which a workflow begins that is called.
fn start_node(definition: &WorkflowDefinition) -> Result<String, NodeError> {
    let of_type = |wanted: &str| definition.nodes.iter().find(|node| !node.disabled && node.node_type == wanted);
    let found = std::iter::once(SUB_WORKFLOW_TRIGGER).chain(START_TYPES).find_map(of_type);
    found.map(|node| node.name.clone()).ok_or_else(|| {
        NodeError::operation(format!("the workflow '{}' has no node with which a call begins", definition.name))
            .described("add the trigger 'When Executed by Another Workflow' to it")
    })
}

/// A workflow file under a name that no other workflow has, and without the id of another.
fn nameless(node: &str, source: &str) -> Result<String, NodeError> {
    let invalid = |message: String| NodeError::operation(format!("the workflow's JSON cannot be used: {message}"));
    let mut file: Value = serde_json::from_str(source).map_err(|error| invalid(error.to_string()))?;
    let fields = file.as_object_mut().ok_or_else(|| invalid("it is not an object".to_owned()))?;
    fields.remove("id");
    let name = fields.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()).unwrap_or(node);
    fields.insert("name".to_owned(), json!(format!("{name} (inline)")));
    Ok(file.to_string())
}

fn name_of(workflow: &Workflow) -> &str {
    workflow.draft.as_deref().map(|draft| draft.name.as_str()).unwrap_or_default()
}

fn not_there(reference: &str) -> NodeError {
    NodeError::operation(format!("there is no workflow '{reference}'"))
        .described("choose a workflow that is there, by its id or name, or import it first")
}

/// Carries something out as often as it takes, until it is done or refused.
async fn persist<T, F>(carry_out: impl Fn() -> F) -> Result<T, NodeError>
where
    F: Future<Output = Result<T, CommandError>>,
{
    let mut pause = FAULT_PAUSE;
    loop {
        match carry_out().await {
            Ok(done) => return Ok(done),
            Err(CommandError::Refused(refusal)) => return Err(NodeError::operation(refusal.message)),
            Err(error) => wait_out(&error, &mut pause).await,
        }
    }
}
