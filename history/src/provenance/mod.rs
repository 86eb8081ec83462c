//! From where a value comes: the event that wrote it, and for a value in an item the chain of expressions and inputs back to
//! the trigger.
//!
//! Nothing is evaluated: what an expression reads is told from its text, and what an item was made from by what nodes noted.

mod explain;
mod trace;

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
use timeloom_store::{Position, StreamKey};

use crate::bare::BareExecution;
use crate::error::HistoryError;
use crate::kind::{Kind, Shown};
use crate::moment::{Moment, absent, position_of};
use crate::pages::Place;
use crate::part::ItemPlace;
use crate::past::Past;
use crate::state::new_fold;
use crate::story::{EventPlace, Story};

pub use explain::{AskedAgent, Border, CHAPTERS_MAX, Chapter, Explanation, ItemValue, explain};
pub use trace::{Origin, STEPS_MAX, Step, ancestor};

/// Most values whose events are looked for at once.
pub const WRITERS_MAX: usize = 1_000;

/// From where a value comes.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// The value.
    pub value: Value,
    /// The event that gave it its present form.
    pub written_by: EventPlace,
    /// For a value in an item: how it came to be, itself first, each with the steps that it was made from.
    pub steps: Vec<Step>,
    /// Whether there are more steps than are told.
    pub is_cut: bool,
}

/// From where the value at `path`, a JSON pointer into the state of `stream`, comes.
///
/// # Errors
/// [`HistoryError`], whose message says what to ask instead.
pub async fn provenance<'p>(
    past: impl Into<Past<'p>>,
    stream: &StreamKey,
    moment: Moment,
    path: &str,
) -> Result<Provenance, HistoryError> {
    let past = past.into();
    let position = position_of(past, Some(stream), moment).await?;
    let Traced { value, written_by } = traced(past, stream, position, &[path]).await?.pop().unwrap_or_default();
    let (Some(value), Some(written_by)) = (value, written_by) else {
        return Err(HistoryError::NoValue { stream: stream.clone(), path: path.to_owned() });
    };
    let (mut steps, mut is_cut) = (Vec::new(), false);
    if Kind::of_category(&stream.category) == Some(Kind::Execution)
        && let Some(place) = ItemPlace::of(path)
    {
        let story = Story::load(past, stream, Moment::Position(position)).await?;
        (steps, is_cut) = trace::steps(&story, stream, &place);
    }
    Ok(Provenance { value, written_by, steps, is_cut })
}

/// For each path, the event that gave the value there its form at `position`; at most [`WRITERS_MAX`] are looked for.
///
/// # Errors
/// [`HistoryError`], whose message says what to ask instead.
pub async fn writers<'p>(
    past: impl Into<Past<'p>>,
    stream: &StreamKey,
    position: Position,
    paths: &[&str],
) -> Result<Vec<Option<EventPlace>>, HistoryError> {
    let paths = &paths[..paths.len().min(WRITERS_MAX)];
    Ok(traced(past.into(), stream, position, paths).await?.into_iter().map(|traced| traced.written_by).collect())
}

/// A value and the event that wrote it.
#[derive(Default, Clone)]
struct Traced {
    value: Option<Value>,
    written_by: Option<EventPlace>,
}

async fn traced(
    past: Past<'_>,
    stream: &StreamKey,
    position: Position,
    paths: &[&str],
) -> Result<Vec<Traced>, HistoryError> {
    match Kind::of_category(&stream.category) {
        None => Err(HistoryError::NoState(stream.clone())),
        Some(Kind::Workflow) => traced_in::<Workflow>(past, stream, position, paths).await,
        Some(Kind::Execution) => traced_in::<BareExecution>(past, stream, position, paths).await,
        Some(Kind::Plugin) => traced_in::<Plugin>(past, stream, position, paths).await,
        Some(Kind::Model) => traced_in::<Model>(past, stream, position, paths).await,
        Some(Kind::Credential) => traced_in::<Credential>(past, stream, position, paths).await,
        Some(Kind::ReplayCheck) => traced_in::<ReplayCheck>(past, stream, position, paths).await,
        Some(Kind::TestCases) => traced_in::<TestCases>(past, stream, position, paths).await,
        Some(Kind::Evaluation) => traced_in::<Evaluation>(past, stream, position, paths).await,
        Some(Kind::DriftWatch) => traced_in::<DriftWatch>(past, stream, position, paths).await,
        Some(Kind::EvaluationSet) => traced_in::<EvaluationSet>(past, stream, position, paths).await,
        Some(Kind::Account) => traced_in::<Account>(past, stream, position, paths).await,
        Some(Kind::Session) => traced_in::<Session>(past, stream, position, paths).await,
        Some(Kind::Subject) => traced_in::<Subject>(past, stream, position, paths).await,
        Some(Kind::Retention) => traced_in::<Retention>(past, stream, position, paths).await,
        Some(Kind::Tenant) => traced_in::<Tenant>(past, stream, position, paths).await,
        Some(Kind::FeatureFlag) => traced_in::<FeatureFlag>(past, stream, position, paths).await,
        Some(Kind::Vectors) => traced_in::<VectorCollection>(past, stream, position, paths).await,
        Some(Kind::DataTables) => traced_in::<DataTables>(past, stream, position, paths).await,
        Some(Kind::DataTable) => traced_in::<TableRows>(past, stream, position, paths).await,
        Some(Kind::Agent) => traced_in::<Agent>(past, stream, position, paths).await,
        Some(Kind::AgentRun) => traced_in::<AgentRun>(past, stream, position, paths).await,
        Some(Kind::AgentMemory) => traced_in::<AgentMemory>(past, stream, position, paths).await,
        Some(Kind::Listener) => traced_in::<Listener>(past, stream, position, paths).await,
        Some(Kind::Recall) => traced_in::<Recall>(past, stream, position, paths).await,
        Some(Kind::Audit) => traced_in::<Audit>(past, stream, position, paths).await,
        Some(Kind::Archive) => traced_in::<Archive>(past, stream, position, paths).await,
        Some(Kind::Inferences) => traced_in::<Inferences>(past, stream, position, paths).await,
        Some(Kind::InferenceWorker) => traced_in::<InferenceWorker>(past, stream, position, paths).await,
        Some(Kind::Gateway) => traced_in::<GatewayConfiguration>(past, stream, position, paths).await,
        Some(Kind::ModelCalls) => traced_in::<ModelCalls>(past, stream, position, paths).await,
    }
}

async fn traced_in<A>(
    past: Past<'_>,
    stream: &StreamKey,
    position: Position,
    paths: &[&str],
) -> Result<Vec<Traced>, HistoryError>
where
    A: Shown + Send + Sync,
{
    let (mut found, mut failed) = (vec![Traced::default(); paths.len()], None);
    let mut fold = new_fold::<A>(past, stream);
    let seen = |state: &A, event: &Place, known: Option<&A::Event>| {
        let Some(known) = known else { return };
        for (traced, path) in found.iter_mut().zip(paths) {
            if !state.concerns(known, path) {
                continue;
            }
            match state.part(path) {
                Ok(value) if value == traced.value => {}
                Ok(value) => *traced = Traced { value, written_by: Some(event.into()) },
                Err(error) => failed = failed.take().or(Some(error)),
            }
        }
    };
    fold.advance(position, seen).await?;
    match (fold.newest, failed) {
        (Some(_), None) => Ok(found),
        (Some(_), Some(error)) => Err(error),
        (None, _) => Err(absent(past, stream).await?),
    }
}
