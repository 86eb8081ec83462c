//! An execution that ended while a node waited for a sub-workflow: the sub-workflow ends with it.

use std::sync::Arc;

use serde::Deserialize;
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::{ExecutionEvent, TriggerFacts};
use timeloom_domain::trace::Sampling;
use timeloom_store::{Direction, Filter, LogError, RecordedEvent, Revision, StreamKey, TenantScope};

use super::{Ended, ReactionsParts};
use crate::node::Caller;
use crate::sub_workflows::call_id;

/// Most node runs of one execution that may be under way at the same time, and one more.
const STARTS_MAX: usize = 17;
/// Ends of node runs that are looked at after the start of one.
const ENDS_MAX: usize = 20;
/// How often a node may be tried, at most.
const ATTEMPTS_MAX: u32 = 5;

/// Cancels what the execution waited for. One that waited for nothing has begun nothing under such an id.
pub(super) async fn cancel(parts: &ReactionsParts, ended: &Ended) -> Result<(), LogError> {
    for execution_index in open_runs(parts, ended).await? {
        parts.sub_workflows.abandon(&caller(ended, execution_index)).await;
    }
    Ok(())
}

/// The place of a node run in the order of all: no more of an event is read than that.
#[derive(Deserialize)]
struct Place {
    run: Run,
}

#[derive(Deserialize)]
struct Run {
    execution_index: usize,
}

fn place(event: &RecordedEvent) -> Result<usize, LogError> {
    let place = serde_json::from_str::<Place>(event.payload.get());
    let corrupt = |error: serde_json::Error| LogError::Corrupt { position: event.position, detail: error.to_string() };
    place.map(|place| place.run.execution_index).map_err(corrupt)
}

/// The node runs that had begun an effect and had not come to their end.
async fn open_runs(parts: &ReactionsParts, ended: &Ended) -> Result<Vec<usize>, LogError> {
    let stream = &ended.event.stream;
    let scope = TenantScope::One(stream.tenant);
    let of_types = |types: &[&str]| Filter {
        categories: Vec::new(),
        event_types: types.iter().copied().map(Arc::from).collect(),
        stream: Some(stream.clone()),
    };
    let (starts, ends) = (of_types(&["NodeStarted"]), of_types(&["NodeCompleted", "NodeFailed"]));
    let to = ended.event.position;
    let mut open = Vec::new();
    for start in parts.log.read_all(scope, to, Direction::Backward, &starts, STARTS_MAX).await? {
        let started = place(&start)?;
        if open.contains(&started) || !has_call(parts, ended, started).await? {
            continue;
        }
        let after = parts.log.read_all(scope, start.position, Direction::Forward, &ends, ENDS_MAX).await?;
        let places: Vec<usize> = after.iter().map(|end| place(end)).collect::<Result<_, _>>()?;
        if !places.contains(&started) {
            open.push(started);
        }
    }
    Ok(open)
}

/// Whether a node run has called another workflow: only then is it worth to look further.
async fn has_call(parts: &ReactionsParts, ended: &Ended, execution_index: usize) -> Result<bool, LogError> {
    let call = call_id(&caller(ended, execution_index), 0, 0);
    let stream = StreamKey::new(ended.event.stream.tenant, ExecutionEvent::CATEGORY, call.to_string());
    Ok(!parts.log.read_stream(&stream, Revision::default(), Direction::Forward, 1).await?.is_empty())
}

/// What the node run looks like to those that it called.
fn caller(ended: &Ended, execution_index: usize) -> Caller {
    Caller {
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
        // Nothing is begun in its name any more: whether it is recorded matters to nobody.
        span: ended.trace.within(ended.trace.node_run(execution_index), Sampling::ALL),
    }
}
