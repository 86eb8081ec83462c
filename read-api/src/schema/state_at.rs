//! The exact state of anything at any moment, and what changed between two. The folding is in the history library.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Result, SimpleObject};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use timeloom_history::{self as history, BetweenEvent, Change, Difference, HistoryError, Kind, Look, Point};
use timeloom_store::StreamKey;
use timeloom_store::codec::json_bytes;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedSemaphorePermit};

use super::budget::PayloadBudget;
use super::event::StreamInput;
use super::faults::{bad_input, fault};
use super::permitted::check_categories;
use super::reading::{Moment, not_there};
use super::scalars::PositionScalar;
use super::time::{EventReference, written_by};
use crate::state::ApiState;

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum EntityKind {
    /// A workflow.
    Workflow,
    /// An execution.
    Execution,
    /// A plugin.
    Plugin,
    /// A model.
    Model,
    /// A credential: its fields are sealed.
    Credential,
    /// A replay check.
    ReplayCheck,
    /// The test cases of a workflow.
    TestCases,
    /// An evaluation.
    Evaluation,
    /// The watch over the drift of a model; its id is the model's name.
    DriftWatch,
    /// A set of cases, without the cases: they are in the events of its versions.
    EvaluationSet,
    /// An account, with digests of its keys and links.
    Account,
    /// A session.
    Session,
    /// A subject: what is decided about the data of a person.
    Subject,
    /// How long the data of a category is kept; its id is the category, such as `execution`.
    Retention,
    /// A tenant.
    Tenant,
    /// An agent.
    Agent,
    /// A run of an agent.
    AgentRun,
    /// What an agent remembers of a session.
    AgentMemory,
    /// A trigger that listens for messages.
    Listener,
    /// What nodes remember from one execution to the next.
    Recall,
    /// A collection of texts with their vectors.
    VectorCollection,
    /// The data tables of the tenant; its id is `tables`.
    DataTables,
    /// The rows of a data table, by its id.
    DataTable,
    /// Who looked, and who was not let in.
    Audit,
    /// The inferences of one worker, in sums; by the worker's id.
    Inferences,
    /// An inference worker.
    InferenceWorker,
    /// For whom a feature is on; by the feature.
    FeatureFlag,
    /// The set-up of the gateway to language models; its id is `configuration`.
    Gateway,
    /// The calls to language models of one worker, in sums; by the worker's id.
    ModelCalls,
    /// The ranges of the log that are in the archive; its id is `log`.
    Archive,
}

impl From<Kind> for EntityKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Workflow => Self::Workflow,
            Kind::Execution => Self::Execution,
            Kind::Plugin => Self::Plugin,
            Kind::Model => Self::Model,
            Kind::Credential => Self::Credential,
            Kind::ReplayCheck => Self::ReplayCheck,
            Kind::TestCases => Self::TestCases,
            Kind::Evaluation => Self::Evaluation,
            Kind::DriftWatch => Self::DriftWatch,
            Kind::EvaluationSet => Self::EvaluationSet,
            Kind::Account => Self::Account,
            Kind::Session => Self::Session,
            Kind::Subject => Self::Subject,
            Kind::Retention => Self::Retention,
            Kind::Tenant => Self::Tenant,
            Kind::FeatureFlag => Self::FeatureFlag,
            Kind::Agent => Self::Agent,
            Kind::AgentRun => Self::AgentRun,
            Kind::AgentMemory => Self::AgentMemory,
            Kind::Listener => Self::Listener,
            Kind::Recall => Self::Recall,
            Kind::Vectors => Self::VectorCollection,
            Kind::DataTables => Self::DataTables,
            Kind::DataTable => Self::DataTable,
            Kind::Audit => Self::Audit,
            Kind::Inferences => Self::Inferences,
            Kind::InferenceWorker => Self::InferenceWorker,
            Kind::Gateway => Self::Gateway,
            Kind::ModelCalls => Self::ModelCalls,
            Kind::Archive => Self::Archive,
        }
    }
}

impl From<EntityKind> for Kind {
    fn from(kind: EntityKind) -> Self {
        match kind {
            EntityKind::Workflow => Self::Workflow,
            EntityKind::Execution => Self::Execution,
            EntityKind::Plugin => Self::Plugin,
            EntityKind::Model => Self::Model,
            EntityKind::Credential => Self::Credential,
            EntityKind::ReplayCheck => Self::ReplayCheck,
            EntityKind::TestCases => Self::TestCases,
            EntityKind::Evaluation => Self::Evaluation,
            EntityKind::DriftWatch => Self::DriftWatch,
            EntityKind::EvaluationSet => Self::EvaluationSet,
            EntityKind::Account => Self::Account,
            EntityKind::Session => Self::Session,
            EntityKind::Subject => Self::Subject,
            EntityKind::Retention => Self::Retention,
            EntityKind::Tenant => Self::Tenant,
            EntityKind::FeatureFlag => Self::FeatureFlag,
            EntityKind::Agent => Self::Agent,
            EntityKind::AgentRun => Self::AgentRun,
            EntityKind::AgentMemory => Self::AgentMemory,
            EntityKind::Listener => Self::Listener,
            EntityKind::Recall => Self::Recall,
            EntityKind::VectorCollection => Self::Vectors,
            EntityKind::DataTables => Self::DataTables,
            EntityKind::DataTable => Self::DataTable,
            EntityKind::Audit => Self::Audit,
            EntityKind::Inferences => Self::Inferences,
            EntityKind::InferenceWorker => Self::InferenceWorker,
            EntityKind::Gateway => Self::Gateway,
            EntityKind::ModelCalls => Self::ModelCalls,
            EntityKind::Archive => Self::Archive,
        }
    }
}

/// One thing whose history is in the log.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct EntityInput {
    /// What kind of thing it is.
    pub kind: EntityKind,
    /// Its id; the name for plugins and models.
    pub id: ID,
}

/// The stream that is asked about, by the thing or by its name: exactly one of the two.
pub(crate) fn asked_stream(
    state: &ApiState,
    entity: Option<EntityInput>,
    stream: Option<StreamInput>,
) -> Result<StreamKey> {
    let stream = match (entity, stream) {
        (Some(entity), None) => StreamKey::new(state.tenant(), Kind::from(entity.kind).category(), entity.id.as_str()),
        (None, Some(stream)) => StreamKey::new(state.tenant(), stream.category, stream.id.as_str()),
        _ => return Err(bad_input("say what it is about: give entity, or stream, but not both")),
    };
    check_categories(state, [&*stream.category])?;
    Ok(stream)
}

/// An event that this build does not know.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct UnknownEvent {
    /// Its place in the log.
    pub position: PositionScalar,
    /// Its place in the stream.
    pub revision: u64,
    /// Its type.
    #[graphql(name = "type")]
    pub event_type: String,
    /// Version of the payload's shape.
    pub schema_version: u16,
}

impl From<&history::UnknownEvent> for UnknownEvent {
    fn from(event: &history::UnknownEvent) -> Self {
        Self {
            position: PositionScalar(event.position),
            revision: event.revision.0,
            event_type: event.event_type.to_string(),
            schema_version: event.event_version,
        }
    }
}

/// A state and the turn in which it was folded, both kept until everything that is shown of it is there.
#[derive(Debug)]
struct Held(Option<(Look, Option<OwnedSemaphorePermit>)>);

impl Drop for Held {
    fn drop(&mut self) {
        // Letting go of a large state takes as long as folding it, and nobody is to wait for it.
        if let (Some(held), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            drop(runtime.spawn_blocking(move || drop(held)));
        }
    }
}

/// The state of a thing right after one of its events.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub(crate) struct StateView {
    /// The state, in the turn in which it was folded. Who does more in the turn locks it: a second turn could be one that
    /// waits for this one.
    #[graphql(skip)]
    held: Arc<Mutex<Held>>,
    /// What kind of thing it is; absent when this build has no state for its category.
    pub kind: Option<EntityKind>,
    /// Category of its stream.
    pub category: String,
    /// Its id.
    pub id: ID,
    /// Position of its last event by then.
    pub position: PositionScalar,
    /// How many events it had.
    pub revision: u64,
    /// When that last event was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Type of that last event.
    pub last_event_type: String,
    /// In one word how it is, for example `completed`; absent when this build has no state for its category.
    pub status: Option<&'static str>,
    /// How many of its events were not folded in, because this build does not know their type or version.
    pub unknown_event_count: u64,
    /// The first hundred of them.
    pub unknown_events: Vec<UnknownEvent>,
}

impl StateView {
    fn new(look: Look, turn: Option<OwnedSemaphorePermit>) -> Self {
        let about = look.about();
        Self {
            kind: about.kind.map(EntityKind::from),
            category: about.stream.category.to_string(),
            id: ID(about.stream.id.to_string()),
            position: PositionScalar(about.position),
            revision: about.revision.0,
            recorded_at: about.recorded_at,
            last_event_type: about.last_event_type.to_string(),
            status: about.status,
            unknown_event_count: about.unknown.count,
            unknown_events: about.unknown.first.iter().map(UnknownEvent::from).collect(),
            held: Arc::new(Mutex::new(Held(Some((look, turn))))),
        }
    }

    /// Waits until nothing else is done in its turn.
    pub(crate) async fn in_turn(&self) -> impl Sized {
        self.held.lock().await
    }

    /// What is written down of the state, within what an answer may hold.
    pub(crate) async fn written<T: Default + Serialize + Send + 'static>(
        &self,
        context: &Context<'_>,
        write: impl FnOnce(&Look) -> std::result::Result<T, HistoryError> + Send + 'static,
    ) -> Result<T> {
        let held = Arc::clone(&self.held).lock_owned().await;
        // A large state takes a while.
        let written = tokio::task::spawn_blocking(move || {
            let Held(Some((look, _))) = &*held else { return Ok((T::default(), 0)) };
            let written = write(look)?;
            let bytes = json_bytes(&written);
            Ok((written, bytes))
        });
        let (written, bytes) = written.await.map_err(|error| fault(&error))?.map_err(|error| not_there(&error))?;
        PayloadBudget::take(context, bytes)?;
        Ok(written)
    }
}

/// The state of `stream`; `None` when it had not come to be by then.
pub(crate) async fn state_at(state: &ApiState, stream: &StreamKey, moment: Moment) -> Result<Option<StateView>> {
    moment.wait(state).await?;
    let turn = state.turn_to_fold().await;
    match history::look_at(state.past(), stream, moment.as_of()).await {
        Ok(look) => Ok(Some(StateView::new(look, turn))),
        Err(HistoryError::UnknownStream(_) | HistoryError::NotYet { .. }) => Ok(None),
        Err(error) => Err(not_there(&error)),
    }
}

/// Where a stream was at a moment.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct StatePoint {
    /// Position of its last event by then; 0 when it had not come to be.
    pub position: PositionScalar,
    /// How many events it had.
    pub revision: u64,
    /// When the last of them was recorded.
    pub recorded_at: Option<DateTime<Utc>>,
}

impl From<Point> for StatePoint {
    fn from(point: Point) -> Self {
        Self { position: PositionScalar(point.position), revision: point.revision.0, recorded_at: point.recorded_at }
    }
}

/// One change of a state.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct StateChange {
    /// `add`, `remove` or `replace`.
    pub op: &'static str,
    /// Where in the state, as a JSON pointer, after the changes before it.
    pub path: String,
    /// What was there.
    pub before: Option<Value>,
    /// What is there now.
    pub after: Option<Value>,
    /// The event that brought it about, in `stateDiff`; of the first thousand changes.
    pub written_by: Option<EventReference>,
}

impl From<Change> for StateChange {
    fn from(change: Change) -> Self {
        Self { op: change.operation, path: change.path, before: change.before, after: change.after, written_by: None }
    }
}

/// An event between two moments.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct StateEvent {
    /// Its place in the log.
    pub position: PositionScalar,
    /// Its place in the stream.
    pub revision: u64,
    /// Its type.
    #[graphql(name = "type")]
    pub event_type: String,
    /// Version of the payload's shape.
    pub schema_version: u16,
    /// When the log took it.
    pub recorded_at: DateTime<Utc>,
    /// Whether this build knows it; otherwise it changed nothing.
    pub known: bool,
}

impl From<BetweenEvent> for StateEvent {
    fn from(event: BetweenEvent) -> Self {
        Self {
            position: PositionScalar(event.position),
            revision: event.revision.0,
            event_type: event.event_type.to_string(),
            schema_version: event.event_version,
            recorded_at: event.recorded_at,
            known: event.known,
        }
    }
}

/// What changed in a thing between two moments.
#[derive(Debug, SimpleObject)]
pub(crate) struct StateDiff {
    /// What kind of thing it is; absent when this build has no state for its category.
    pub kind: Option<EntityKind>,
    /// Category of its stream.
    pub category: String,
    /// Its id.
    pub id: ID,
    /// The moment that the changes lead from.
    pub from: StatePoint,
    /// The moment that they lead to; it may be the earlier one.
    pub to: StatePoint,
    /// The changes as a JSON Patch (RFC 6902) from the one state to the other; the state before the first event is null.
    pub patch: Value,
    /// The same changes with what was there before each.
    pub changes: Vec<StateChange>,
    /// The events after the earlier moment up to the later one, oldest first; at most a thousand.
    pub events: Vec<StateEvent>,
    /// How many more events there are.
    pub events_omitted: u64,
    /// How many events up to the later moment were not folded in, because this build does not know their type or version.
    pub unknown_event_count: u64,
}

/// How two things of the same kind differ.
#[derive(Debug, SimpleObject)]
pub(crate) struct StateComparison {
    /// What kind of thing both are; absent when this build has no state for their category.
    pub kind: Option<EntityKind>,
    /// Where the one was.
    pub left: StatePoint,
    /// Where the other was.
    pub right: StatePoint,
    /// The JSON Patch (RFC 6902) that leads from the one to the other. Their own ids are left out, and of executions the
    /// times and the seed.
    pub patch: Value,
    /// The same changes with what the one has before each.
    pub changes: Vec<StateChange>,
}

/// How `right` differs from `left`.
pub(crate) async fn compare(
    context: &Context<'_>,
    state: &ApiState,
    left: (StreamKey, Moment),
    right: (StreamKey, Moment),
) -> Result<StateComparison> {
    left.1.wait(state).await?;
    let (one, other) = ((&left.0, left.1.as_of()), (&right.0, right.1.as_of()));
    let _turn = state.turn_to_fold().await;
    let found = history::compare(state.past(), one, other).await.map_err(|error| not_there(&error))?;
    Ok(StateComparison {
        kind: found.kind.map(EntityKind::from),
        left: found.left.into(),
        right: found.right.into(),
        patch: bounded(context, &found.patch, &found.changes)?,
        changes: found.changes.into_iter().map(StateChange::from).collect(),
    })
}

/// A patch as JSON, which together with its changes must fit into the answer.
fn bounded(context: &Context<'_>, patch: &json_patch::Patch, changes: &[Change]) -> Result<Value> {
    let patch = serde_json::to_value(patch).map_err(|error| fault(&error))?;
    let values = changes.iter().flat_map(|change| [&change.before, &change.after]).flatten();
    PayloadBudget::take(context, json_bytes(&patch) + values.map(json_bytes).sum::<usize>())?;
    Ok(patch)
}

/// What changed in `stream`.
pub(crate) async fn state_diff(
    context: &Context<'_>,
    state: &ApiState,
    stream: &StreamKey,
    from: Moment,
    to: Moment,
) -> Result<StateDiff> {
    from.wait(state).await?;
    let _turn = state.turn_to_fold().await;
    let found = history::diff(state.past(), stream, from.as_of(), to.as_of()).await;
    let Difference { stream, kind, from, to, patch, changes, events, events_omitted, unknown } =
        found.map_err(|error| not_there(&error))?;
    let patch = bounded(context, &patch, &changes)?;
    let later = from.position.max(to.position);
    let mut written_by = written_by(context, state, &stream, later, &changes).await?.into_iter();
    let changes = changes
        .into_iter()
        .map(|change| StateChange { written_by: written_by.next().flatten(), ..StateChange::from(change) });
    Ok(StateDiff {
        kind: kind.map(EntityKind::from),
        category: stream.category.to_string(),
        id: ID(stream.id.to_string()),
        from: from.into(),
        to: to.into(),
        patch,
        changes: changes.collect(),
        events: events.into_iter().map(StateEvent::from).collect(),
        events_omitted,
        unknown_event_count: unknown.count,
    })
}
