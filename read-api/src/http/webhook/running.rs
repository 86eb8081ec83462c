//! The workflow of an execution under way, as that one runs it.

use std::sync::Arc;

use timeloom_commands::directory::{TriggerKind, TriggerNode};
use timeloom_domain::event::{Aggregate as _, Event as _};
use timeloom_domain::execution::StartFacts;
use timeloom_domain::workflow::{Workflow, WorkflowEvent};
use timeloom_store::{Direction, READ_EVENTS_MAX, Revision, StreamKey, codec};

use super::refusal::Refusal;
use crate::state::ApiState;

/// The workflow in which `start.workflow_version` is what the execution runs.
pub(super) async fn workflow_of(state: &ApiState, start: &StartFacts) -> Result<Workflow, Refusal> {
    match start.workflow_version {
        // A version never changes: what is kept of the workflow has it.
        Some(_) => {
            let current = state.commands().current_workflow(&state.context(None), start.workflow_id).await?;
            Ok(current.aggregate.clone())
        }
        None => draft(state, start).await,
    }
}

/// The node of that name, as one that takes requests.
pub(super) fn node_of(workflow: &Workflow, start: &StartFacts, name: &str) -> Option<Arc<TriggerNode>> {
    let definition = workflow.definition(start.workflow_version)?;
    let node = definition.nodes.iter().find(|node| node.name == name)?;
    let kind = TriggerKind::of(&node.node_type).unwrap_or(TriggerKind::Webhook);
    Some(Arc::new(TriggerNode::of_kind(kind, node)))
}

/// The workflow as it was when the execution began.
async fn draft(state: &ApiState, start: &StartFacts) -> Result<Workflow, Refusal> {
    let stream = StreamKey::new(state.tenant(), WorkflowEvent::CATEGORY, start.workflow_id.to_string());
    let (mut workflow, mut after) = (Workflow::default(), Revision::default());
    while after.0 < start.workflow_revision {
        let limit = usize::try_from(start.workflow_revision - after.0).unwrap_or(READ_EVENTS_MAX).min(READ_EVENTS_MAX);
        let read = state.log().read_stream(&stream, after, Direction::Forward, limit).await;
        let read = read.map_err(|error| Refusal::fault(&error))?;
        let Some(last) = read.last() else { break };
        after = last.revision;
        for recorded in &read {
            workflow.apply(&codec::decode::<WorkflowEvent>(recorded).map_err(|error| Refusal::fault(&error))?);
        }
    }
    Ok(workflow)
}
