//! What was changed between two executions of a workflow: its definition, and what models and plugins answered with.

mod plugins;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use timeloom_domain::definition::WorkflowDefinition;
use timeloom_domain::event::{Aggregate as _, Event as _};
use timeloom_domain::execution::{ExecutionEvent, StartFacts};
use timeloom_domain::ids::{Actor, WorkflowId};
use timeloom_domain::model::ModelEvent;
use timeloom_domain::plugin::PluginEvent;
use timeloom_domain::workflow::{Workflow, WorkflowEvent};
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{Direction, Filter, Position, RecordedEvent, Revision, StreamKey, TenantScope, codec};

use crate::error::HistoryError;
use crate::fold::FOLD_EVENTS_MAX;
use crate::moment::{Moment, absent, position_of};
use crate::past::Past;

pub use self::plugins::{NODE_TYPES_MAX, PluginChange};
use self::plugins::{Plugins, Used};

/// Most changes that are told.
pub const CHANGES_BETWEEN_MAX: usize = 10_000;
/// Names of nodes that one change tells.
const NAMED_MAX: usize = 5;
/// What a worker does with a model's version is no change of what it answers.
const NO_CHANGE_OF_MODELS: [&str; 2] = ["ModelLoadRequested", "ModelUnloadRequested"];

/// What was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangedKind {
    /// The workflow's definition.
    Workflow,
    /// A model: which version answers, or how.
    Model,
    /// A plugin.
    Plugin,
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeBetween {
    /// Of what.
    pub kind: ChangedKind,
    /// The stream.
    pub stream: StreamKey,
    /// The event's place in the log.
    pub position: Position,
    /// Its place in its stream.
    pub revision: Revision,
    /// When.
    pub recorded_at: DateTime<Utc>,
    /// By whom.
    pub actor: Actor,
    /// Name of the event's type.
    pub event_type: Arc<str>,
    /// What is other, in a few words.
    pub what: String,
    /// What it is for a plugin; `None` for what is no change of a plugin.
    pub plugin: Option<PluginChange>,
}

/// What was changed between two executions.
#[derive(Debug, Clone, PartialEq)]
pub struct Between {
    /// The workflow that both ran.
    pub workflow: WorkflowId,
    /// The revision whose draft the earlier one ran.
    pub from: Revision,
    /// The revision whose draft the later one ran.
    pub to: Revision,
    /// The changes, in the order of the log.
    pub changes: Vec<ChangeBetween>,
}

/// How an execution began.
struct Began {
    position: Position,
    start: StartFacts,
}

/// The changes from what one execution ran to what a later one ran.
///
/// # Errors
/// [`HistoryError`] when they ran different workflows, or the other one is the later one.
pub async fn changes_between<'p>(
    past: impl Into<Past<'p>>,
    earlier: &StreamKey,
    later: &StreamKey,
) -> Result<Between, HistoryError> {
    let past = past.into();
    let (first, second) = (began(past, earlier).await?, began(past, later).await?);
    let workflow = first.start.workflow_id;
    if workflow != second.start.workflow_id {
        return Err(HistoryError::OtherWorkflow { left: earlier.clone(), right: later.clone() });
    }
    let stream = StreamKey::new(earlier.tenant, WorkflowEvent::CATEGORY, workflow.to_string());
    let (mut told, used) = of_workflow(past, &stream, &first.start, &second.start).await?;
    if told.from > told.to || first.position > second.position {
        return Err(HistoryError::OtherOrder { left: earlier.clone(), right: later.clone() });
    }
    told.changes.extend(of_others(past, earlier, (first.position, second.position), &used).await?);
    told.changes.sort_by_key(|change| change.position);
    if told.changes.len() > CHANGES_BETWEEN_MAX {
        return Err(HistoryError::TooManyEvents);
    }
    Ok(told)
}

async fn began(past: Past<'_>, stream: &StreamKey) -> Result<Began, HistoryError> {
    if &*stream.category != ExecutionEvent::CATEGORY {
        return Err(HistoryError::NotAnExecution(stream.clone()));
    }
    let first = past.log.read_stream(stream, Revision(0), Direction::Forward, 1).await?;
    let Some(first) = first.first() else { return Err(absent(past, stream).await?) };
    let start = match codec::decode::<ExecutionEvent>(first)? {
        ExecutionEvent::ExecutionStarted(start) => StartFacts::clone(&start),
        ExecutionEvent::ExecutionRetried(retry) => retry.start,
        ExecutionEvent::ExecutionForked(fork) => fork.start,
        ExecutionEvent::ExecutionContinued(continuation) => continuation.start,
        _ => return Err(HistoryError::NotAnExecution(stream.clone())),
    };
    Ok(Began { position: first.position, start })
}

/// The changes of the draft between what the two ran, and the node types that its definitions have switched on.
async fn of_workflow(
    past: Past<'_>,
    stream: &StreamKey,
    earlier: &StartFacts,
    later: &StartFacts,
) -> Result<(Between, Used), HistoryError> {
    let newest = earlier.workflow_revision.max(later.workflow_revision);
    // What was run is there still, or else nothing can be told.
    position_of(past, Some(stream), Moment::Revision(Revision(newest))).await?;
    let (mut workflow, mut after, mut changes) = (Workflow::default(), Revision(0), Vec::new());
    let mut used = Used::default();
    let (mut from, mut to) = (Revision(earlier.workflow_revision), Revision(later.workflow_revision));
    while after.0 < newest {
        let limit = usize::try_from(newest - after.0).unwrap_or(READ_EVENTS_MAX).min(READ_EVENTS_MAX);
        let page = past.log.read_stream(stream, after, Direction::Forward, limit).await?;
        let Some(last) = page.last() else { break };
        after = last.revision;
        if after.0 > FOLD_EVENTS_MAX {
            return Err(HistoryError::TooManyEvents);
        }
        for recorded in &page {
            let event = codec::decode::<WorkflowEvent>(recorded)?;
            if let WorkflowEvent::WorkflowVersionPublished { version } = &event {
                // A version is the draft that it was made of.
                if earlier.workflow_version == Some(*version) {
                    from = recorded.revision;
                }
                if later.workflow_version == Some(*version) {
                    to = recorded.revision;
                }
            }
            let before = workflow.definition(None).cloned();
            workflow.apply(&event);
            let now = workflow.definition(None).map(|now| &**now);
            if (from..=to).contains(&recorded.revision) {
                now.into_iter().for_each(|definition| used.add(definition));
            }
            if let Some(what) = other_draft(&event, before.as_deref(), now) {
                changes.push(change(ChangedKind::Workflow, recorded, what));
            }
        }
    }
    changes.retain(|change| change.revision > from && change.revision <= to);
    Ok((Between { workflow: earlier.workflow_id, from, to, changes }, used))
}

/// What an event made other in the draft, in a few words; `None` where it leaves it as it is.
fn other_draft(
    event: &WorkflowEvent,
    before: Option<&WorkflowDefinition>,
    now: Option<&WorkflowDefinition>,
) -> Option<String> {
    match event {
        WorkflowEvent::WorkflowCreated { .. } => Some("it was made".to_owned()),
        WorkflowEvent::WorkflowUpdated { .. } => Some(other_nodes(before?, now?)),
        WorkflowEvent::WorkflowSettingsChanged { .. } => Some("its settings".to_owned()),
        WorkflowEvent::WorkflowPinsChanged { node, .. } => Some(format!("pinned items of '{node}'")),
        _ => None,
    }
}

fn other_nodes(before: &WorkflowDefinition, now: &WorkflowDefinition) -> String {
    let find = |definition: &'_ WorkflowDefinition, name: &str| {
        definition.nodes.iter().find(|node| node.name == name).cloned()
    };
    let mut told: Vec<String> = Vec::new();
    for node in &now.nodes {
        match find(before, &node.name) {
            None => told.push(format!("+ '{}'", node.name)),
            Some(old) if old != *node => told.push(format!("~ '{}'", node.name)),
            Some(_) => {}
        }
    }
    told.extend(
        before.nodes.iter().filter(|node| find(now, &node.name).is_none()).map(|node| format!("- '{}'", node.name)),
    );
    if before.connections != now.connections {
        told.push("connections".to_owned());
    }
    if before.settings != now.settings {
        told.push("settings".to_owned());
    }
    let more = told.len().saturating_sub(NAMED_MAX);
    told.truncate(NAMED_MAX);
    match (told.is_empty(), more) {
        (true, _) => "nothing that runs".to_owned(),
        (false, 0) => told.join(", "),
        (false, more) => format!("{}, and {more} more", told.join(", ")),
    }
}

/// The changes of models and plugins between two places of the log.
async fn of_others(
    past: Past<'_>,
    like: &StreamKey,
    (from, to): (Position, Position),
    used: &Used,
) -> Result<Vec<ChangeBetween>, HistoryError> {
    let categories = vec![ModelEvent::CATEGORY.into(), PluginEvent::CATEGORY.into()];
    let filter = Filter { categories, ..Filter::default() };
    let (mut changes, mut after, mut plugins) = (Vec::new(), from, Plugins::new(used));
    loop {
        let scope = TenantScope::One(like.tenant);
        let page = past.log.read_all(scope, after, Direction::Forward, &filter, READ_EVENTS_MAX).await?;
        let is_last = page.len() < READ_EVENTS_MAX || page.last().is_some_and(|last| last.position >= to);
        after = page.last().map_or(after, |last| last.position);
        for recorded in page.iter().filter(|event| event.position < to) {
            if NO_CHANGE_OF_MODELS.contains(&&*recorded.event_type) {
                continue;
            }
            let named = format!("{}: {}", recorded.stream.id, recorded.event_type);
            if *recorded.stream.category == *ModelEvent::CATEGORY {
                changes.push(change(ChangedKind::Model, recorded, named));
                continue;
            }
            let plugin = plugins.take(past, recorded).await?;
            let what = plugin.as_ref().and_then(|plugin| plugin.in_words(&recorded.stream.id)).unwrap_or(named);
            changes.push(ChangeBetween { plugin, ..change(ChangedKind::Plugin, recorded, what) });
        }
        if changes.len() > CHANGES_BETWEEN_MAX {
            return Err(HistoryError::TooManyEvents);
        }
        if is_last {
            return Ok(changes);
        }
    }
}

fn change(kind: ChangedKind, recorded: &RecordedEvent, what: String) -> ChangeBetween {
    ChangeBetween {
        kind,
        stream: recorded.stream.clone(),
        position: recorded.position,
        revision: recorded.revision,
        recorded_at: recorded.recorded_at,
        actor: recorded.metadata.actor.clone(),
        event_type: Arc::clone(&recorded.event_type),
        what,
        plugin: None,
    }
}
