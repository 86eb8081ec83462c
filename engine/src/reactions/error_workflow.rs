//! The workflow that is started when an execution of another one fails.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_commands::{CommandContext, CommandError, StartExecution};
use timeloom_domain::definition::{Node, WorkflowDefinition};
use timeloom_domain::execution::{ExecutionMode, TriggerFacts};
use timeloom_domain::ids::{Actor, CommandId, ExecutionId, WorkflowId};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_store::RequestFacts;
use uuid::Uuid;

use super::{Ended, ReactionError, ReactionsParts};

/// The trigger of a workflow that is started so.
const ERROR_TRIGGER: &str = "n8n-nodes-base.errorTrigger";

/// The id of the execution that the failure of another one starts: the same in every process.
pub fn failure_id(failed: ExecutionId) -> ExecutionId {
    ExecutionId(Uuid::new_v5(&failed.0, b"failure"))
}

/// Starts the error workflow of an execution that failed in production. Executions that a failure started have none, so
/// that no failure goes round in circles.
pub(super) async fn start(
    parts: &ReactionsParts,
    ended: &Ended,
    failed_node: Option<&str>,
    error: &Value,
) -> Result<(), ReactionError> {
    let facts = &ended.start;
    if facts.mode != ExecutionMode::Production || matches!(facts.trigger, Some(TriggerFacts::Failure { .. })) {
        return Ok(());
    }
    let id = failure_id(ended.root);
    let context = CommandContext {
        causation_id: Some(ended.event.id),
        correlation_id: ended.event.metadata.correlation_id,
        request: Some(Arc::new(RequestFacts::within(ended.trace.within(ended.trace.span(), parts.sampling)))),
        ..CommandContext::trusted(ended.event.stream.tenant, Actor::System("engine".to_owned()), CommandId(id.0))
    };
    let workflow = parts.commands.current_workflow(&context, facts.workflow_id).await?;
    let workflow = &workflow.aggregate;
    let Some(definition) = workflow.definition(facts.workflow_version) else { return Ok(()) };
    let (failed, workflow_id) = (ended.root, facts.workflow_id);
    let Some(handler) = handler(parts, &context, workflow_id, definition).await? else { return Ok(()) };
    let begun = async {
        let target = parts.commands.current_workflow(&context, handler).await?;
        let target = &target.aggregate;
        let version = target.production_version(id);
        let trigger = version.and_then(|version| target.definition(Some(version))).and_then(|found| trigger(found));
        let Some(trigger) = trigger else {
            tracing::warn!(execution = %failed, error_workflow = %handler, "the error workflow has no published version with an Error Trigger: it is not started");
            return Ok(());
        };
        let item = Item::new(item(parts, ended, definition, failed_node, error));
        let start = StartExecution {
            execution_id: Some(id),
            version,
            start_node: Some(trigger.name.clone()),
            items: Some(vec![item]),
            ..StartExecution::by_trigger(handler, TriggerFacts::Failure { execution: failed })
        };
        parts.commands.start_execution(&context, start).await.map(|_| ())
    };
    match begun.await {
        Err(CommandError::Refused(refusal)) => {
            tracing::warn!(execution = %failed, error_workflow = %handler, %refusal, "the error workflow is not started");
            Ok(())
        }
        other => Ok(other?),
    }
}

/// The error workflow: the one that the settings name, or else the workflow itself, if it has an Error Trigger.
async fn handler(
    parts: &ReactionsParts,
    context: &CommandContext,
    own: WorkflowId,
    definition: &WorkflowDefinition,
) -> Result<Option<WorkflowId>, ReactionError> {
    let Some(reference) = definition.settings.error_workflow.as_deref().filter(|reference| !reference.is_empty())
    else {
        return Ok(trigger(definition).map(|_| own));
    };
    let listing = parts.directory.caught_up().await?;
    if let Some(entry) = listing.find(context.tenant, reference) {
        return Ok(Some(entry.id));
    }
    // A process that looks at the log with a delay knows ids before it knows names.
    if let Ok(id) = reference.parse::<Uuid>()
        && parts.commands.current_workflow(context, WorkflowId(id)).await?.aggregate.draft.is_some()
    {
        return Ok(Some(WorkflowId(id)));
    }
    tracing::warn!(workflow = %own, reference, "the error workflow is not there: nothing is started");
    Ok(None)
}

fn trigger(definition: &WorkflowDefinition) -> Option<&Node> {
    definition.nodes.iter().find(|node| !node.disabled && node.node_type == ERROR_TRIGGER)
}

/// What the error workflow is told.
fn item(
    parts: &ReactionsParts,
    ended: &Ended,
    definition: &WorkflowDefinition,
    failed_node: Option<&str>,
    error: &Value,
) -> JsonObject {
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let message = text("message").unwrap_or_default();
    let mut told = error.as_object().cloned().unwrap_or_default();
    let name = text("name").unwrap_or("Error").to_owned();
    told.entry("stack").or_insert_with(|| json!(format!("{name}: {message}")));
    let node = failed_node.and_then(|name| definition.nodes.iter().find(|node| node.name == name));
    if let Some(node) = node {
        let node = json!({
            "id": node.id, "name": node.name, "type": node.node_type, "typeVersion": node.type_version,
            "position": node.position,
        });
        told.insert("node".to_owned(), node);
    }
    let mut execution = JsonObject::new();
    execution.insert("id".to_owned(), json!(ended.root));
    execution.insert("url".to_owned(), json!(format!("{}/executions/{}", parts.public_url, ended.root)));
    if let Some(TriggerFacts::Retry { of }) = &ended.start.trigger {
        execution.insert("retryOf".to_owned(), json!(of));
    }
    execution.insert("error".to_owned(), Value::Object(told));
    if let Some(node) = failed_node {
        execution.insert("lastNodeExecuted".to_owned(), json!(node));
    }
    execution.insert("mode".to_owned(), json!(mode(ended.start.trigger.as_ref())));
    let workflow = json!({ "id": ended.start.workflow_id, "name": definition.name });
    JsonObject::from_iter([("execution".to_owned(), Value::Object(execution)), ("workflow".to_owned(), workflow)])
}

/// The word that people know for how an execution was started.
fn mode(trigger: Option<&TriggerFacts>) -> &'static str {
    match trigger {
        Some(TriggerFacts::Webhook { .. }) => "webhook",
        Some(TriggerFacts::SubWorkflow { .. }) => "integrated",
        Some(TriggerFacts::Retry { .. }) => "retry",
        Some(TriggerFacts::Failure { .. }) => "error",
        Some(TriggerFacts::Schedule { .. } | TriggerFacts::Message { .. }) | None => "trigger",
    }
}
