//! What changed in a stream between two moments: a JSON Patch (RFC 6902) from the one state to the other, the same
//! changes with what was there before, and the events that brought them about.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use json_patch::{Patch, PatchOperation};
use serde_json::Value;
use timeloom_domain::account::Account;
use timeloom_domain::agent::Agent;
use timeloom_domain::agent_memory::AgentMemory;
use timeloom_domain::agent_run::AgentRun;
use timeloom_domain::archive::Archive;
use timeloom_domain::audit::Audit;
use timeloom_domain::credential::Credential;
use timeloom_domain::data_table::{DataTables, TableRows};
use timeloom_domain::drift::DriftWatch;
use timeloom_domain::evaluation::Evaluation;
use timeloom_domain::evaluation_set::EvaluationSet;
use timeloom_domain::feature_flag::FeatureFlag;
use timeloom_domain::gateway::GatewayConfiguration;
use timeloom_domain::inference::{InferenceWorker, Inferences};
use timeloom_domain::listener::Listener;
use timeloom_domain::model::Model;
use timeloom_domain::model_call::ModelCalls;
use timeloom_domain::plugin::Plugin;
use timeloom_domain::recall::Recall;
use timeloom_domain::replay::ReplayCheck;
use timeloom_domain::retention::Retention;
use timeloom_domain::session::Session;
use timeloom_domain::subject::Subject;
use timeloom_domain::tenant::Tenant;
use timeloom_domain::test_case::TestCases;
use timeloom_domain::vectors::VectorCollection;
use timeloom_domain::workflow::Workflow;
use timeloom_store::{Direction, Filter, LogError, Position, Revision, StreamKey, TenantScope};

use crate::bare::BareExecution;
use crate::error::HistoryError;
use crate::fold::UnknownEvents;
use crate::kind::{Kind, Shown};
use crate::moment::{Moment, absent, position_of};
use crate::pages::Place;
use crate::past::Past;
use crate::state::{StateAt, new_fold, raw};

/// Most events that are listed between two moments: the first ones.
pub const BETWEEN_EVENTS_MAX: usize = 1_000;
/// Events of a stream without an aggregate are read so many at a time, as each may have a large payload.
const PAGE_EVENTS: usize = 10;

/// Where a stream was at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Position of its last event by then; 0 when it had none.
    pub position: Position,
    /// How many events it had.
    pub revision: Revision,
    /// When the last of them was recorded.
    pub recorded_at: Option<DateTime<Utc>>,
}

impl Point {
    pub(crate) fn of(state: &StateAt) -> Self {
        Self { position: state.position, revision: state.revision, recorded_at: Some(state.recorded_at) }
    }
}

/// One change, in words.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// `add`, `remove` or `replace`.
    pub operation: &'static str,
    /// Where in the state, as a JSON pointer.
    pub path: String,
    /// What was there.
    pub before: Option<Value>,
    /// What is there now.
    pub after: Option<Value>,
}

/// An event between two moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BetweenEvent {
    /// Its place in the log.
    pub position: Position,
    /// Its place in the stream.
    pub revision: Revision,
    /// Name of its type.
    pub event_type: Arc<str>,
    /// Version of its payload's shape.
    pub event_version: u16,
    /// When the log took it.
    pub recorded_at: DateTime<Utc>,
    /// Whether this build knows it; otherwise it changed nothing.
    pub known: bool,
}

/// What changed between two moments.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The stream.
    pub stream: StreamKey,
    /// What it folds to; `None` when this build has no aggregate for its category.
    pub kind: Option<Kind>,
    /// The moment that the patch leads from. The state of a stream that had not come to be is null.
    pub from: Point,
    /// The moment that it leads to; it may be the earlier one.
    pub to: Point,
    /// The changes as a JSON Patch.
    pub patch: Patch,
    /// The same changes with what was there before each.
    pub changes: Vec<Change>,
    /// The events after the earlier moment up to the later one, oldest first.
    pub events: Vec<BetweenEvent>,
    /// How many more there are than are listed.
    pub events_omitted: u64,
    /// Everything up to the later moment that was not folded.
    pub unknown: UnknownEvents,
}

/// What changed in `stream` from one moment to another.
///
/// # Errors
/// [`HistoryError`], whose message says what to ask instead.
pub async fn diff<'p>(
    past: impl Into<Past<'p>>,
    stream: &StreamKey,
    from: Moment,
    to: Moment,
) -> Result<Difference, HistoryError> {
    let past = past.into();
    let from = position_of(past, Some(stream), from).await?;
    let to = position_of(past, Some(stream), to).await?;
    let (earlier, later) = (from.min(to), from.max(to));
    let kind = Kind::of_category(&stream.category);
    let both = match kind {
        None => raw_both(past, stream, earlier, later).await?,
        Some(Kind::Workflow) => folded_both::<Workflow>(past, stream, earlier, later).await?,
        Some(Kind::Execution) => folded_both::<BareExecution>(past, stream, earlier, later).await?,
        Some(Kind::Plugin) => folded_both::<Plugin>(past, stream, earlier, later).await?,
        Some(Kind::Model) => folded_both::<Model>(past, stream, earlier, later).await?,
        Some(Kind::Credential) => folded_both::<Credential>(past, stream, earlier, later).await?,
        Some(Kind::ReplayCheck) => folded_both::<ReplayCheck>(past, stream, earlier, later).await?,
        Some(Kind::TestCases) => folded_both::<TestCases>(past, stream, earlier, later).await?,
        Some(Kind::Evaluation) => folded_both::<Evaluation>(past, stream, earlier, later).await?,
        Some(Kind::DriftWatch) => folded_both::<DriftWatch>(past, stream, earlier, later).await?,
        Some(Kind::EvaluationSet) => folded_both::<EvaluationSet>(past, stream, earlier, later).await?,
        Some(Kind::Account) => folded_both::<Account>(past, stream, earlier, later).await?,
        Some(Kind::Session) => folded_both::<Session>(past, stream, earlier, later).await?,
        Some(Kind::Subject) => folded_both::<Subject>(past, stream, earlier, later).await?,
        Some(Kind::Retention) => folded_both::<Retention>(past, stream, earlier, later).await?,
        Some(Kind::Tenant) => folded_both::<Tenant>(past, stream, earlier, later).await?,
        Some(Kind::FeatureFlag) => folded_both::<FeatureFlag>(past, stream, earlier, later).await?,
        Some(Kind::Vectors) => folded_both::<VectorCollection>(past, stream, earlier, later).await?,
        Some(Kind::DataTables) => folded_both::<DataTables>(past, stream, earlier, later).await?,
        Some(Kind::DataTable) => folded_both::<TableRows>(past, stream, earlier, later).await?,
        Some(Kind::Agent) => folded_both::<Agent>(past, stream, earlier, later).await?,
        Some(Kind::AgentRun) => folded_both::<AgentRun>(past, stream, earlier, later).await?,
        Some(Kind::AgentMemory) => folded_both::<AgentMemory>(past, stream, earlier, later).await?,
        Some(Kind::Listener) => folded_both::<Listener>(past, stream, earlier, later).await?,
        Some(Kind::Recall) => folded_both::<Recall>(past, stream, earlier, later).await?,
        Some(Kind::Audit) => folded_both::<Audit>(past, stream, earlier, later).await?,
        Some(Kind::Archive) => folded_both::<Archive>(past, stream, earlier, later).await?,
        Some(Kind::Inferences) => folded_both::<Inferences>(past, stream, earlier, later).await?,
        Some(Kind::InferenceWorker) => folded_both::<InferenceWorker>(past, stream, earlier, later).await?,
        Some(Kind::Gateway) => folded_both::<GatewayConfiguration>(past, stream, earlier, later).await?,
        Some(Kind::ModelCalls) => folded_both::<ModelCalls>(past, stream, earlier, later).await?,
    };
    if both.later.point.revision == Revision(0)
        && let unknown @ HistoryError::UnknownStream(_) = absent(past, stream).await?
    {
        return Err(unknown);
    }
    let (from, to) = if from <= to { (both.earlier, both.later) } else { (both.later, both.earlier) };
    let patch = json_patch::diff(&from.state, &to.state);
    let changes = changes(from.state, &patch)?;
    let Between { events, omitted } = both.between;
    Ok(Difference {
        stream: stream.clone(),
        kind,
        from: from.point,
        to: to.point,
        patch,
        changes,
        events,
        events_omitted: omitted,
        unknown: both.unknown,
    })
}

struct Side {
    point: Point,
    state: Value,
}

impl Side {
    /// Before the first event.
    const BEFORE: Self = Self {
        point: Point { position: Position::START, revision: Revision(0), recorded_at: None },
        state: Value::Null,
    };
}

struct Both {
    earlier: Side,
    later: Side,
    between: Between,
    unknown: UnknownEvents,
}

#[derive(Default)]
struct Between {
    events: Vec<BetweenEvent>,
    omitted: u64,
}

impl Between {
    fn add(&mut self, event: &Place) {
        if self.events.len() >= BETWEEN_EVENTS_MAX {
            self.omitted += 1;
            return;
        }
        self.events.push(BetweenEvent {
            position: event.position,
            revision: event.revision,
            event_type: Arc::clone(&event.event_type),
            event_version: event.event_version,
            recorded_at: event.recorded_at,
            known: event.known,
        });
    }
}

/// Both states by one fold that stops at the earlier moment on its way.
async fn folded_both<A>(
    past: Past<'_>,
    stream: &StreamKey,
    earlier: Position,
    later: Position,
) -> Result<Both, HistoryError>
where
    A: Shown + Clone + Send,
{
    let mut fold = new_fold::<A>(past, stream);
    fold.advance(earlier, |_, _, _| {}).await?;
    let (before, earlier) = (fold.newest.is_some().then(|| fold.aggregate.clone()), point(fold.newest.as_ref()));
    let mut between = Between::default();
    fold.advance(later, |_, event, _| between.add(event)).await?;
    let (after, later) = (fold.newest.is_some().then_some(&fold.aggregate), point(fold.newest.as_ref()));
    let (before, after) = match (&before, after) {
        // What is the same in both makes no difference, and need not be written down.
        (Some(before), Some(after)) => A::differing(before, after)?,
        (before, after) => (shown(before.as_ref())?, shown(after)?),
    };
    let (earlier, later) = (Side { point: earlier, state: before }, Side { point: later, state: after });
    Ok(Both { earlier, later, between, unknown: fold.unknown })
}

fn shown<A: Shown>(state: Option<&A>) -> Result<Value, HistoryError> {
    state.map_or(Ok(Value::Null), A::json)
}

/// Where a fold stands.
fn point(newest: Option<&Place>) -> Point {
    newest.map_or(Side::BEFORE.point, |newest| Point {
        position: newest.position,
        revision: newest.revision,
        recorded_at: Some(newest.recorded_at),
    })
}

async fn raw_both(
    past: Past<'_>,
    stream: &StreamKey,
    earlier: Position,
    later: Position,
) -> Result<Both, HistoryError> {
    let first = raw(past, stream, earlier).await?;
    let second = raw(past, stream, later).await?;
    let filter = Filter { stream: Some(stream.clone()), ..Filter::default() };
    let scope = TenantScope::One(stream.tenant);
    let mut between = Between::default();
    let mut after = earlier;
    while after < later && between.events.len() < BETWEEN_EVENTS_MAX {
        let page = past.log.read_all(scope, after, Direction::Forward, &filter, PAGE_EVENTS).await?;
        after = page.last().map_or(later, |last| last.position);
        page.iter().filter(|event| event.position <= later).for_each(|event| between.add(&Place::unknown(event)));
    }
    let unknown = second.as_ref().map(|state| state.unknown.clone()).unwrap_or_default();
    let (earlier, later) = (Side::from(first), Side::from(second));
    let added = later.point.revision.0 - earlier.point.revision.0;
    between.omitted = added.saturating_sub(between.events.len() as u64);
    Ok(Both { earlier, later, between, unknown })
}

impl From<Option<StateAt>> for Side {
    fn from(found: Option<StateAt>) -> Self {
        let Some(state) = found else { return Self::BEFORE };
        Self { point: Point::of(&state), state: state.state }
    }
}

/// Each operation of a patch with what it replaces, found by carrying the patch out step by step: a path is meant in the
/// state that the operations before it left.
pub(crate) fn changes(mut state: Value, patch: &Patch) -> Result<Vec<Change>, HistoryError> {
    let mut changes = Vec::with_capacity(patch.0.len());
    for operation in &patch.0 {
        let (name, after) = match operation {
            PatchOperation::Add(add) => ("add", Some(add.value.clone())),
            PatchOperation::Replace(replace) => ("replace", Some(replace.value.clone())),
            // A difference is made of these three.
            _ => ("remove", None),
        };
        let path = operation.path().to_string();
        let before = (name != "add").then(|| state.pointer(&path).cloned()).flatten();
        json_patch::patch(&mut state, std::slice::from_ref(operation)).map_err(LogError::storage)?;
        changes.push(Change { operation: name, path, before, after });
    }
    Ok(changes)
}
