//! Evaluations: asked for, waited for, told and listed. A worker carries them out; nothing is computed here.

mod recorded;
mod scored;
mod sets;
mod shown;

use std::time::Duration;

use async_graphql::{Context, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use timeloom_commands::StartEvaluation;
use timeloom_domain::evaluation::{
    EvaluationCases, EvaluationEvent, EvaluationSubject, InferenceSelection, NamedScorer, compare,
};
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{InferenceId, Slug, WorkflowId};
use timeloom_projections::EvaluationFilter;
use timeloom_store::{Filter, Position, StreamKey, SubscriptionMessage, TenantScope};
use uuid::Uuid;

pub(crate) use self::scored::millionths;
use self::scored::{EvaluationComparison, EvaluationScorerInput};
pub use self::sets::{EvaluationSetMutation, EvaluationSetQuery};
pub(crate) use self::shown::Evaluation;
use self::shown::EvaluationStatus;
use super::faults::bad_input;
use super::paging::{Pages, Paging, page_cost};
use super::payloads::{UserError, Written, refused, settle, taken, user_error};
use super::reading::{Moment, rows, state};
use super::rows::{page, row_pages};
use super::scalars::{AsOf, PositionScalar};
use crate::state::ApiState;

/// Longest time that somebody waits for a report, in milliseconds.
const TIMEOUT_MAX_MS: u64 = 300_000;
/// Events of one evaluation that may wait to be looked at.
const QUEUE_EVENTS_MAX: usize = 16;

/// Recorded inferences to compute by another version of their model.
#[derive(Debug, InputObject)]
pub(crate) struct StartBacktestInput {
    /// Makes this the same command as an earlier one with this id; it is the evaluation's id, too.
    command_id: Option<Uuid>,
    /// The model.
    model: String,
    /// The version that is tried.
    version: u32,
    /// The inferences, at most a thousand; absent = the newest that meet the rest.
    #[graphql(default)]
    inference_ids: Vec<Uuid>,
    /// Only those that this version answered.
    of_version: Option<u32>,
    /// Only those that came in at or after this.
    from: Option<DateTime<Utc>>,
    /// Only those that came in before this.
    until: Option<DateTime<Utc>>,
    /// Only those for which this workflow asked.
    workflow_id: Option<Uuid>,
    /// Only those for which this agent asked.
    agent: Option<String>,
    /// How many of the newest, 1 to 1,000.
    #[graphql(default = 100)]
    last: u32,
    /// How far numbers may be apart and still be near, relative to the larger one or 1.
    #[graphql(default = 0.001)]
    tolerance: f64,
    /// How long to wait for the report, in milliseconds; at most 300,000.
    #[graphql(default = 0)]
    timeout_ms: u64,
}

/// Something to try on the cases of a set. What is tried is one of model, workflow and agent.
#[derive(Debug, InputObject)]
pub(crate) struct StartEvaluationInput {
    /// Makes this the same command as an earlier one with this id; it is the evaluation's id, too.
    command_id: Option<Uuid>,
    /// The set.
    set: String,
    /// Its version; absent = the newest.
    set_version: Option<u32>,
    /// The model that is tried.
    model: Option<String>,
    /// The workflow that is tried: an execution for each case, as by hand and without pinned items.
    workflow_id: Option<Uuid>,
    /// The agent that is tried: a run for each case.
    agent: Option<String>,
    /// The version that is tried.
    version: u32,
    /// How outputs are judged, 1 to 8.
    scorers: Vec<EvaluationScorerInput>,
    /// How long to wait for the report, in milliseconds; at most 300,000.
    #[graphql(default = 0)]
    timeout_ms: u64,
}

macro_rules! started {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $name {
            id: Option<Uuid>,
            timed_out: bool,
            written: Written,
        }

        #[Object]
        impl $name {
            /// The evaluation; absent when none was asked for.
            #[graphql(complexity = "child_complexity + 5")]
            async fn evaluation(&self, context: &Context<'_>) -> Result<Option<Evaluation>> {
                let Some(id) = self.id else { return Ok(None) };
                let state = state(context)?;
                super::reading::wait_for_rows(state, state.log().head()).await?;
                evaluation(state, id, None).await
            }

            /// Whether the time was up before it had a report: it goes on.
            async fn timed_out(&self) -> bool {
                self.timed_out
            }

            /// The position of the request.
            async fn position(&self) -> Option<PositionScalar> {
                self.written.position()
            }

            /// Whether this command had been carried out before.
            async fn repeated(&self) -> bool {
                self.written.repeated
            }

            /// Why it was not asked for; empty when it was.
            async fn errors(&self) -> &[UserError] {
                &self.written.errors
            }
        }

        impl From<UserError> for $name {
            fn from(error: UserError) -> Self {
                Self { written: Written { errors: vec![error], ..Written::default() }, ..Self::default() }
            }
        }

        impl From<Started> for $name {
            fn from(Started { id, timed_out, written }: Started) -> Self {
                Self { id, timed_out, written }
            }
        }
    };
}

started! {
    /// What asking for a backtest came to.
    StartBacktestPayload
}

started! {
    /// What asking for an evaluation came to.
    StartEvaluationPayload
}

/// What asking for one came to, whatever it is called.
#[derive(Debug)]
struct Started {
    id: Option<Uuid>,
    timed_out: bool,
    written: Written,
}

async fn evaluation(state: &ApiState, id: Uuid, as_of: Option<Position>) -> Result<Option<Evaluation>> {
    let found = rows(state.read_models().evaluation(state.tenant(), id, as_of).await)?;
    Ok(found.map(|row| Evaluation { row }))
}

/// The reads of evaluations.
#[derive(Debug, Default)]
pub struct EvaluationQuery;

#[Object]
impl EvaluationQuery {
    /// An evaluation; null when there is none.
    #[graphql(complexity = "child_complexity + 1")]
    async fn evaluation(
        &self,
        context: &Context<'_>,
        id: Uuid,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<Evaluation>> {
        let state = state(context)?;
        let moment = Moment::new(as_of, wait_for).of_stream::<EvaluationEvent>(state, id);
        let as_of = moment.of_rows(state).await?;
        evaluation(state, id, as_of).await
    }

    /// Evaluations, newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "each argument is one of the field's in the schema")]
    async fn evaluations(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Only those of versions of this model.")] model: Option<String>,
        #[graphql(desc = "Only those on cases of this set.")] set: Option<String>,
        #[graphql(desc = "Only those that are so far.")] status: Option<EvaluationStatus>,
        as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<Pages<Evaluation>> {
        let state = state(context)?;
        let slug =
            |name: Option<String>| name.map(Slug::try_new).transpose().map_err(|error| bad_input(error.to_string()));
        let filter = EvaluationFilter { model: slug(model)?, set: slug(set)?, status: status.map(Into::into) };
        let as_of = Moment::new(as_of, wait_for).of_rows(state).await?;
        let page = page(&Paging::new(first, after, last, before))?;
        let found = rows(state.read_models().evaluations(state.tenant(), as_of, &page, &filter).await)?;
        Ok(row_pages(found, |row| (row.provenance.created_position, Evaluation { row })))
    }

    /// Two evaluations of one version of a set, side by side: what got better and what got worse; null when one of them is
    /// not there.
    #[graphql(complexity = "child_complexity + 20")]
    async fn compare_evaluations(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first one.")] before: Uuid,
        #[graphql(desc = "The second one.")] after: Uuid,
        wait_for: Option<PositionScalar>,
    ) -> Result<Option<EvaluationComparison>> {
        let state = state(context)?;
        let as_of = Moment::new(None, wait_for).of_rows(state).await?;
        let found = (evaluation(state, before, as_of).await?, evaluation(state, after, as_of).await?);
        let (Some(before), Some(after)) = found else { return Ok(None) };
        let compared = compare(&before.row.evaluation, &after.row.evaluation);
        let compared = compared.map_err(|why| bad_input(why.to_string()))?;
        let scorers = compared.into_iter().map(Into::into).collect();
        Ok(Some(EvaluationComparison { before, after, scorers }))
    }
}

/// What asks for evaluations.
#[derive(Debug, Default)]
pub struct EvaluationMutation;

#[Object]
impl EvaluationMutation {
    /// Asks for recorded inferences to be computed by another version of their model, and compared. Nothing is served: a
    /// worker does it, and its report is an event.
    async fn start_backtest(&self, context: &Context<'_>, input: StartBacktestInput) -> Result<StartBacktestPayload> {
        let state = state(context)?;
        let (timeout_ms, command_id) = (input.timeout_ms, input.command_id);
        let start = taken!(StartBacktestPayload, wanted(input));
        let started = start_and_wait(state, command_id, start, timeout_ms).await?;
        Ok(started.map_or_else(Into::into, Into::into))
    }

    /// Asks for something to be tried on the cases of a set, and judged. A worker does it, and its report is an event.
    async fn start_evaluation(
        &self,
        context: &Context<'_>,
        input: StartEvaluationInput,
    ) -> Result<StartEvaluationPayload> {
        let state = state(context)?;
        let (timeout_ms, command_id) = (input.timeout_ms, input.command_id);
        let start = taken!(StartEvaluationPayload, of_set(state, input).await?);
        let started = start_and_wait(state, command_id, start, timeout_ms).await?;
        Ok(started.map_or_else(Into::into, Into::into))
    }
}

/// Asks for an evaluation, and waits for its end where that is wanted.
async fn start_and_wait(
    state: &ApiState,
    command_id: Option<Uuid>,
    start: StartEvaluation,
    timeout_ms: u64,
) -> Result<std::result::Result<Started, UserError>> {
    if timeout_ms > TIMEOUT_MAX_MS {
        let message = format!("timeoutMs is {timeout_ms}, at most {TIMEOUT_MAX_MS} are allowed");
        return Ok(Err(refused("TIMEOUT_TOO_LONG", message)));
    }
    let before = state.log().head();
    let result = state.commands().start_evaluation(&state.context(command_id), start).await;
    let (id, written) = Written::of(settle(result)?);
    let Some(id) = id else { return Ok(Ok(Started { id: None, timed_out: false, written })) };
    let from = if written.repeated { Position::START } else { before };
    let timed_out = timeout_ms > 0 && !ended_within(state, id, from, timeout_ms).await;
    Ok(Ok(Started { id: Some(id), timed_out, written }))
}

fn slug(name: String) -> std::result::Result<Slug, UserError> {
    Slug::try_new(name).map_err(|error| refused("INVALID_NAME", error.to_string()))
}

/// What is asked for on a set, in the words of commands.
async fn of_set(
    state: &ApiState,
    input: StartEvaluationInput,
) -> Result<std::result::Result<StartEvaluation, UserError>> {
    let version = input.version;
    let subject = match (input.model, input.workflow_id, input.agent) {
        (Some(model), None, None) => slug(model).map(|model| EvaluationSubject::ModelVersion { model, version }),
        (None, Some(id), None) => Ok(EvaluationSubject::WorkflowVersion { workflow: WorkflowId(id), version }),
        (None, None, Some(agent)) => slug(agent).map(|agent| EvaluationSubject::AgentVersion { agent, version }),
        _ => Err(refused("INVALID_SUBJECT", "name one of model, workflowId and agent: it is what is tried")),
    };
    let scorers: std::result::Result<Vec<_>, UserError> =
        input.scorers.into_iter().map(NamedScorer::try_from).collect();
    let (subject, set, scorers) = match (subject, slug(input.set), scorers) {
        (Ok(subject), Ok(set), Ok(scorers)) => (subject, set, scorers),
        (Err(error), ..) | (_, Err(error), _) | (_, _, Err(error)) => return Ok(Err(error)),
    };
    let newest = match input.set_version {
        Some(version) => Ok(version),
        None => state.commands().newest_set_version(&state.context(None), &set).await,
    };
    let version = match newest {
        Ok(version) => version,
        Err(error) => return Ok(Err(user_error(error)?)),
    };
    Ok(Ok(StartEvaluation { subject, cases: EvaluationCases::Set { set, version }, tolerance: 0, scorers }))
}

/// What is asked for, in the words of commands.
fn wanted(input: StartBacktestInput) -> std::result::Result<StartEvaluation, UserError> {
    let tolerance = millionths(input.tolerance)?;
    let selection = InferenceSelection {
        inferences: input.inference_ids.into_iter().map(InferenceId).collect(),
        version: input.of_version,
        from_ms: input.from.map(|from| from.timestamp_millis()),
        until_ms: input.until.map(|until| until.timestamp_millis()),
        workflow: input.workflow_id.map(WorkflowId),
        agent: input.agent.map(slug).transpose()?,
        last: input.last,
    };
    Ok(StartEvaluation {
        subject: EvaluationSubject::ModelVersion { model: slug(input.model)?, version: input.version },
        cases: EvaluationCases::Inferences(selection),
        tolerance,
        scorers: Vec::new(),
    })
}

/// Whether an evaluation ends in so many milliseconds.
async fn ended_within(state: &ApiState, id: Uuid, from: Position, timeout_ms: u64) -> bool {
    let stream = StreamKey::new(state.tenant(), EvaluationEvent::CATEGORY, id.to_string());
    let filter = Filter { stream: Some(stream), ..Filter::default() };
    let mut events = state.log().subscribe(TenantScope::One(state.tenant()), from, filter, QUEUE_EVENTS_MAX);
    let end = async {
        loop {
            match events.next().await {
                Some(SubscriptionMessage::Event(event)) if &*event.event_type != "EvaluationRequested" => return true,
                Some(SubscriptionMessage::FellBehind(_) | SubscriptionMessage::Failed(_)) | None => return false,
                Some(_) => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_millis(timeout_ms), end).await.unwrap_or(false)
}
