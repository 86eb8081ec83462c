//! An execution that ended while a node waited for a sub-workflow: the sub-workflow ends with it.

use timeloom_domain::execution::{ExecutionEvent, NodeFacts, TriggerFacts};
use timeloom_store::{Direction, LogError, Revision, codec};

use super::{Ended, ReactionsParts};
use crate::node::Caller;

/// Newest events of a stream among which the start of the node run is that was under way.
const NEWEST_EVENTS: usize = 64;
/// How often a node may be tried, at most.
const ATTEMPTS_MAX: u32 = 5;

/// Cancels what the execution waited for. One that waited for nothing has begun nothing under such an id.
pub(super) async fn cancel(parts: &ReactionsParts, ended: &Ended) -> Result<(), LogError> {
    for execution_index in open_runs(parts, ended).await? {
        let caller = Caller {
            tenant: ended.event.stream.tenant,
            workflow_id: ended.start.workflow_id,
            execution_id: ended.root,
            execution_index,
            attempt: 1,
            attempts_max: ATTEMPTS_MAX,
            mode: ended.start.mode,
            depth: match ended.start.trigger {
                Some(TriggerFacts::SubWorkflow { depth, .. }) => depth,
                _ => 0,
            },
        };
        parts.sub_workflows.abandon(&caller).await;
    }
    Ok(())
}

/// The node runs that had begun and had not come to their end.
async fn open_runs(parts: &ReactionsParts, ended: &Ended) -> Result<Vec<usize>, LogError> {
    let (stream, before) = (&ended.event.stream, Revision(ended.event.revision.0.saturating_sub(1)));
    let newest = parts.log.read_stream(stream, before, Direction::Backward, NEWEST_EVENTS).await?;
    let (mut open, mut closed) = (Vec::new(), Vec::new());
    for event in &newest {
        if !matches!(&*event.event_type, "NodeStarted" | "NodeCompleted" | "NodeFailed") {
            continue;
        }
        match codec::decode(event)? {
            ExecutionEvent::NodeCompleted { run: NodeFacts { execution_index, .. }, .. }
            | ExecutionEvent::NodeFailed { run: NodeFacts { execution_index, .. }, .. } => closed.push(execution_index),
            ExecutionEvent::NodeStarted { run: NodeFacts { execution_index, .. }, .. }
                if !closed.contains(&execution_index) && !open.contains(&execution_index) =>
            {
                open.push(execution_index);
            }
            _ => {}
        }
    }
    Ok(open)
}
