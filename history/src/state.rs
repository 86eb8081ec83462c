//! The state of a stream at a moment.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
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
use timeloom_store::{Direction, Filter, LogError, Position, RecordedEvent, Revision, StreamKey, TenantScope};

use crate::bare::BareExecution;
use crate::error::HistoryError;
use crate::fold::{FOLD_BYTES_MAX, Fold, UnknownEvents};
use crate::kind::{Kind, Shown};
use crate::moment::{Moment, absent, position_of};
use crate::past::Past;

/// Most events that stand for the state of a stream of an unknown category: the newest ones.
pub const RAW_EVENTS_MAX: usize = 100;
/// Bytes of payloads after which no more of these are given.
const RAW_BYTES_MAX: usize = 4 << 20;
/// These events are read so many at a time, as each may have a large payload.
const RAW_PAGE_EVENTS: usize = 10;

/// A stream as it was at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct StateAt {
    /// The stream.
    pub stream: StreamKey,
    /// What it folds to; `None` when this build has no aggregate for its category.
    pub kind: Option<Kind>,
    /// Place of its last event in the log.
    pub position: Position,
    /// Place of that event in the stream: how many events it had.
    pub revision: Revision,
    /// When that event was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Type of that event.
    pub last_event_type: Arc<str>,
    /// In one word how it is; `None` when nothing was folded.
    pub status: Option<&'static str>,
    /// Everything about it. Without an aggregate: `events`, the newest ones as they were written, oldest first, and
    /// `omitted`, how many came before them.
    pub state: Value,
    /// What was not folded, because this build does not know it.
    pub unknown: UnknownEvents,
}

/// A stream as it was at a moment, whose state is not written down yet: it may be large, and often only a part of it or
/// nothing is wanted.
pub struct Look {
    /// All about it; its state is null.
    about: StateAt,
    state: Box<dyn Written>,
}

impl Look {
    /// All about it but its state, which is null here.
    pub fn about(&self) -> &StateAt {
        &self.about
    }

    /// Everything about it.
    ///
    /// # Errors
    /// [`HistoryError::Log`] when it cannot be written down as JSON.
    pub fn state(&self) -> Result<Value, HistoryError> {
        self.state.whole()
    }

    /// What is at a JSON pointer into the state.
    ///
    /// # Errors
    /// [`HistoryError::Log`] when it cannot be read or written down as JSON.
    pub fn part(&self, path: &str) -> Result<Option<Value>, HistoryError> {
        self.state.part(path)
    }
}

impl fmt::Debug for Look {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Look").field("about", &self.about).finish_non_exhaustive()
    }
}

/// A state that can be written down.
trait Written: Send + Sync {
    fn whole(&self) -> Result<Value, HistoryError>;
    fn part(&self, path: &str) -> Result<Option<Value>, HistoryError>;
}

/// What stands for a state where there is none.
struct Raw(Value);

impl Written for Raw {
    fn whole(&self) -> Result<Value, HistoryError> {
        Ok(self.0.clone())
    }

    fn part(&self, path: &str) -> Result<Option<Value>, HistoryError> {
        Ok(self.0.pointer(path).cloned())
    }
}

struct Folded<A>(A);

impl<A: Shown + Send + Sync> Written for Folded<A> {
    fn whole(&self) -> Result<Value, HistoryError> {
        self.0.json()
    }

    fn part(&self, path: &str) -> Result<Option<Value>, HistoryError> {
        self.0.part(path)
    }
}

/// The state of `stream` at a moment.
///
/// # Errors
/// [`HistoryError`], whose message says what to ask instead.
pub async fn state_at<'p>(
    past: impl Into<Past<'p>>,
    stream: &StreamKey,
    moment: Moment,
) -> Result<StateAt, HistoryError> {
    let Look { about, state } = look_at(past.into(), stream, moment).await?;
    Ok(StateAt { state: state.whole()?, ..about })
}

/// The same, with its state left to be written down.
///
/// # Errors
/// [`HistoryError`], whose message says what to ask instead.
pub async fn look_at<'p>(past: impl Into<Past<'p>>, stream: &StreamKey, moment: Moment) -> Result<Look, HistoryError> {
    let past = past.into();
    let position = position_of(past, Some(stream), moment).await?;
    let found = match Kind::of_category(&stream.category) {
        None => raw(past, stream, position).await?.map(|mut about| {
            let state = Box::new(Raw(about.state.take()));
            Look { about, state }
        }),
        Some(Kind::Workflow) => folded::<Workflow>(past, stream, position).await?,
        Some(Kind::Execution) => folded::<BareExecution>(past, stream, position).await?,
        Some(Kind::Plugin) => folded::<Plugin>(past, stream, position).await?,
        Some(Kind::Model) => folded::<Model>(past, stream, position).await?,
        Some(Kind::Credential) => folded::<Credential>(past, stream, position).await?,
        Some(Kind::ReplayCheck) => folded::<ReplayCheck>(past, stream, position).await?,
        Some(Kind::TestCases) => folded::<TestCases>(past, stream, position).await?,
        Some(Kind::Evaluation) => folded::<Evaluation>(past, stream, position).await?,
        Some(Kind::DriftWatch) => folded::<DriftWatch>(past, stream, position).await?,
        Some(Kind::EvaluationSet) => folded::<EvaluationSet>(past, stream, position).await?,
        Some(Kind::Account) => folded::<Account>(past, stream, position).await?,
        Some(Kind::Session) => folded::<Session>(past, stream, position).await?,
        Some(Kind::Subject) => folded::<Subject>(past, stream, position).await?,
        Some(Kind::Retention) => folded::<Retention>(past, stream, position).await?,
        Some(Kind::Tenant) => folded::<Tenant>(past, stream, position).await?,
        Some(Kind::FeatureFlag) => folded::<FeatureFlag>(past, stream, position).await?,
        Some(Kind::Vectors) => folded::<VectorCollection>(past, stream, position).await?,
        Some(Kind::DataTables) => folded::<DataTables>(past, stream, position).await?,
        Some(Kind::DataTable) => folded::<TableRows>(past, stream, position).await?,
        Some(Kind::Agent) => folded::<Agent>(past, stream, position).await?,
        Some(Kind::AgentRun) => folded::<AgentRun>(past, stream, position).await?,
        Some(Kind::AgentMemory) => folded::<AgentMemory>(past, stream, position).await?,
        Some(Kind::Listener) => folded::<Listener>(past, stream, position).await?,
        Some(Kind::Recall) => folded::<Recall>(past, stream, position).await?,
        Some(Kind::Audit) => folded::<Audit>(past, stream, position).await?,
        Some(Kind::Inferences) => folded::<Inferences>(past, stream, position).await?,
        Some(Kind::InferenceWorker) => folded::<InferenceWorker>(past, stream, position).await?,
        Some(Kind::Gateway) => folded::<GatewayConfiguration>(past, stream, position).await?,
        Some(Kind::ModelCalls) => folded::<ModelCalls>(past, stream, position).await?,
        Some(Kind::Archive) => folded::<Archive>(past, stream, position).await?,
    };
    match found {
        Some(look) => Ok(look),
        None => Err(absent(past, stream).await?),
    }
}

async fn folded<A>(past: Past<'_>, stream: &StreamKey, position: Position) -> Result<Option<Look>, HistoryError>
where
    A: Shown + Send + Sync + 'static,
{
    let mut fold = new_fold::<A>(past, stream);
    fold.advance(position, |_, _, _| {}).await?;
    let Some(newest) = fold.newest else { return Ok(None) };
    let about = StateAt {
        stream: stream.clone(),
        kind: Kind::of_category(&stream.category),
        position: newest.position,
        revision: newest.revision,
        recorded_at: newest.recorded_at,
        last_event_type: newest.event_type,
        status: Some(fold.aggregate.status()),
        state: Value::Null,
        unknown: fold.unknown,
    };
    Ok(Some(Look { about, state: Box::new(Folded(fold.aggregate)) }))
}

/// A fold that is bounded as its aggregate needs it.
pub(crate) fn new_fold<'a, A: Shown>(past: Past<'a>, stream: &'a StreamKey) -> Fold<'a, A> {
    Fold::new(past, stream, if A::KEEPS_DATA { FOLD_BYTES_MAX } else { usize::MAX })
}

pub(crate) fn as_json<A: serde::Serialize>(aggregate: &A) -> Result<Value, HistoryError> {
    serde_json::to_value(aggregate).map_err(|error| LogError::storage(error).into())
}

fn about(newest: &RecordedEvent) -> StateAt {
    StateAt {
        stream: newest.stream.clone(),
        kind: None,
        position: newest.position,
        revision: newest.revision,
        recorded_at: newest.recorded_at,
        last_event_type: Arc::clone(&newest.event_type),
        status: None,
        state: Value::Null,
        unknown: UnknownEvents::default(),
    }
}

/// The newest events up to a position in place of a state.
pub(crate) async fn raw(
    past: Past<'_>,
    stream: &StreamKey,
    position: Position,
) -> Result<Option<StateAt>, HistoryError> {
    let filter = Filter { stream: Some(stream.clone()), ..Filter::default() };
    let mut events: Vec<Arc<RecordedEvent>> = Vec::new();
    let mut bytes = 0;
    while events.len() < RAW_EVENTS_MAX && bytes < RAW_BYTES_MAX {
        let from = events.last().map_or(position, |oldest| Position(oldest.position.0 - 1));
        let scope = TenantScope::One(stream.tenant);
        let page = past.log.read_all(scope, from, Direction::Backward, &filter, RAW_PAGE_EVENTS).await?;
        if page.is_empty() {
            break;
        }
        bytes += page.iter().map(|event| event.payload.get().len()).sum::<usize>();
        events.extend(page);
    }
    let (Some(newest), Some(oldest)) = (events.first().cloned(), events.last().cloned()) else { return Ok(None) };
    let shown: Result<Vec<Value>, HistoryError> = events.iter().rev().map(|event| event_json(event)).collect();
    let unknown = UnknownEvents { count: newest.revision.0, first: Vec::new() };
    let state = json!({ "events": shown?, "omitted": oldest.revision.0.saturating_sub(1) });
    Ok(Some(StateAt { state, unknown, ..about(&newest) }))
}

fn event_json(event: &RecordedEvent) -> Result<Value, HistoryError> {
    let payload: Value = serde_json::from_str(event.payload.get()).map_err(|error| LogError::Corrupt {
        position: event.position,
        detail: format!("the payload is not JSON: {error}"),
    })?;
    Ok(json!({
        "position": event.position,
        "revision": event.revision,
        "type": &*event.event_type,
        "version": event.event_version,
        "recordedAt": event.recorded_at,
        "payload": payload,
    }))
}
