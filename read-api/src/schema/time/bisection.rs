//! Searches for the change that made a run bad, over the API: begun, told step by step, ended, and shown.
//!
//! Whoever asks tries by themselves. Invariant: what is shown of a search is what its events say.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_commands::{BeginBisection, CommandError, Outcome, TriedPoint};
use timeloom_domain::access::Permission;
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::model::MILLION;
use timeloom_domain::replay::{self as domain, BisectionOutcome, ReplayCheck, ReplayCheckEvent};
use timeloom_history::changes_between;
use timeloom_store::{Direction, Filter, Position, RecordedEvent, Revision, StreamKey, TenantScope};
use uuid::Uuid;

use crate::schema::evaluations::millionths;
use crate::schema::event::Actor;
use crate::schema::execution::time;
use crate::schema::faults::{bad_input, coded, fault};
use crate::schema::paging::{PAGE_DEFAULT, PAGE_MAX};
use crate::schema::payloads::{UserError, Written, refused, settle};
use crate::schema::reading::{not_there, state};
use crate::schema::scalars::PositionScalar;
use crate::state::ApiState;

/// Name of the event with which a search begins.
const BEGUN: &str = "BisectionBegun";

/// Which changes are searched through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "timeloom_domain::replay::BisectionOver")]
pub(crate) enum BisectionOver {
    /// Those of the workflow's definition, and of plugins that it uses.
    Definitions,
    /// Those of which versions of models answer.
    ModelVersions,
}

/// How it is after so many of the changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "timeloom_domain::replay::BisectionVerdict")]
pub(crate) enum BisectionVerdict {
    /// As it should be.
    Good,
    /// As it should not be.
    Bad,
    /// That cannot be told.
    Untestable,
}

/// What a search for a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum BisectionFound {
    /// One change did it: `first`, which is `last`.
    Change,
    /// One of the changes from `first` to `last` did it: what lies between them cannot be tried.
    OneOf,
    /// It was bad before all changes already.
    NoneOfThem,
    /// One of the changes from `first` to `last` did it, and it was tried often enough.
    GaveUp,
    /// Nobody goes on with it, for `reason`.
    Abandoned,
}

/// One try of a search for a change.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct BisectionStep {
    /// After how many of the changes; 0 is before all of them.
    pub point: u32,
    /// How it is there.
    pub verdict: BisectionVerdict,
    /// Why that cannot be told; null where it can.
    pub reason: Option<String>,
    /// When that was told.
    pub at: Option<DateTime<Utc>>,
}

/// A search for the change that made a run bad, as it was written down.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Bisection {
    /// Its id.
    pub id: Uuid,
    /// The workflow that both executions ran.
    pub workflow_id: Uuid,
    /// The execution that did what it should.
    pub good_execution_id: Uuid,
    /// The later one that did not.
    pub bad_execution_id: Uuid,
    /// Which changes are searched through.
    pub over: BisectionOver,
    /// What is bad, as an expression that is true of it; null: that the same comes of it.
    pub check: Option<String>,
    /// How far answers of models may be apart, relative to the larger number or 1.
    pub tolerance: Option<f64>,
    /// How many changes there are.
    pub candidates: u32,
    /// SHA-256 over the positions of the changes in their order, each in decimal digits with a line feed after it.
    pub digest: String,
    /// What came of each try, in their order.
    pub steps: Vec<BisectionStep>,
    /// What it came to; null while it is not over.
    pub found: Option<BisectionFound>,
    /// Place in the log of the first change that may have done it.
    pub first: Option<PositionScalar>,
    /// Place in the log of the last change that may have done it.
    pub last: Option<PositionScalar>,
    /// Why nobody goes on with it.
    pub reason: Option<String>,
    /// Who began it.
    pub by: Actor,
    /// Place in the log where it was begun.
    pub position: PositionScalar,
    /// When it was begun.
    pub begun_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

impl Bisection {
    fn of(id: Uuid, begun: &RecordedEvent, known: &domain::Bisection) -> Self {
        let request = &known.request;
        let outcome = known.outcome.as_ref();
        let (found, (first, last)) = (outcome.map(found), outcome.and_then(places).unzip());
        let place = |place: Option<u64>| place.map(|place| PositionScalar(Position(place)));
        let reason = outcome.and_then(|outcome| match outcome {
            BisectionOutcome::Abandoned { reason } => Some(reason.clone()),
            _ => None,
        });
        Self {
            id,
            workflow_id: request.workflow_id.0,
            good_execution_id: request.good.0,
            bad_execution_id: request.bad.0,
            over: request.over.into(),
            check: request.check.clone(),
            tolerance: request.tolerance.map(|tolerance| tolerance as f64 / MILLION as f64),
            candidates: request.candidates,
            digest: request.digest.clone(),
            steps: known.steps.iter().map(BisectionStep::from).collect(),
            found,
            first: place(first),
            last: place(last),
            reason,
            by: Actor::from(&begun.metadata.actor),
            position: PositionScalar(begun.position),
            begun_at: time(request.at_ms),
            ended_at: known.ended_at_ms.and_then(time),
        }
    }
}

impl From<&domain::BisectionStep> for BisectionStep {
    fn from(step: &domain::BisectionStep) -> Self {
        let (verdict, reason) = (step.verdict.into(), step.reason.clone());
        Self { point: step.point, verdict, reason, at: time(step.at_ms) }
    }
}

fn found(outcome: &BisectionOutcome) -> BisectionFound {
    match outcome {
        BisectionOutcome::Change { .. } => BisectionFound::Change,
        BisectionOutcome::OneOf { .. } => BisectionFound::OneOf,
        BisectionOutcome::NoneOfThem => BisectionFound::NoneOfThem,
        BisectionOutcome::GaveUp { .. } => BisectionFound::GaveUp,
        BisectionOutcome::Abandoned { .. } => BisectionFound::Abandoned,
    }
}

/// Where the first and the last change are that may have done it.
fn places(outcome: &BisectionOutcome) -> Option<(u64, u64)> {
    match outcome {
        BisectionOutcome::Change { position } => Some((*position, *position)),
        BisectionOutcome::OneOf { first, last } | BisectionOutcome::GaveUp { first, last } => Some((*first, *last)),
        BisectionOutcome::NoneOfThem | BisectionOutcome::Abandoned { .. } => None,
    }
}

/// A search for a change to begin, between two executions of a workflow.
#[derive(Debug, InputObject)]
pub(crate) struct BeginBisectionInput {
    /// Makes this the same command as an earlier one with this id; it is the search's id, too.
    command_id: Option<Uuid>,
    /// The execution that did what it should.
    good_execution_id: Uuid,
    /// The later one that did not.
    bad_execution_id: Uuid,
    /// Which changes are searched through.
    #[graphql(default_with = "BisectionOver::Definitions")]
    over: BisectionOver,
    /// What is bad, as an expression that is true of it, at most 10,000 characters; absent: that the same comes of it.
    check: Option<String>,
    /// How far answers of models may be apart, relative to the larger number or 1.
    tolerance: Option<f64>,
    /// How many changes there are, at most ten thousand.
    candidates: u32,
    /// SHA-256 over the positions of the changes in their order, each in decimal digits with a line feed after it; hexadecimal.
    digest: String,
}

/// What came of one try of a search for a change.
#[derive(Debug, InputObject)]
pub(crate) struct TakeBisectionStepInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// The search.
    bisection_id: Uuid,
    /// After how many of the changes; 0 is before all of them.
    point: u32,
    /// How it is there.
    verdict: BisectionVerdict,
    /// Why that cannot be told; 500 characters of it are kept.
    reason: Option<String>,
}

/// What a search for a change came to.
#[derive(Debug, InputObject)]
pub(crate) struct EndBisectionInput {
    /// Makes this the same command as an earlier one with this id.
    command_id: Option<Uuid>,
    /// The search.
    bisection_id: Uuid,
    /// What it came to.
    found: BisectionFound,
    /// Place in the log of the first change that may have done it, where some may.
    first: Option<PositionScalar>,
    /// The same of the last; absent = the first.
    last: Option<PositionScalar>,
    /// Why nobody goes on with it, at most 500 characters.
    reason: Option<String>,
}

impl EndBisectionInput {
    fn outcome(self) -> std::result::Result<BisectionOutcome, UserError> {
        let first = self.first.map(|first| first.0.0);
        let last = self.last.map(|last| last.0.0).or(first);
        let missing = || refused("INVALID_INPUT", "give first, the position of the change that did it");
        let places = first.zip(last).ok_or_else(missing);
        Ok(match self.found {
            BisectionFound::Change => BisectionOutcome::Change { position: places?.0 },
            BisectionFound::OneOf => places.map(|(first, last)| BisectionOutcome::OneOf { first, last })?,
            BisectionFound::GaveUp => places.map(|(first, last)| BisectionOutcome::GaveUp { first, last })?,
            BisectionFound::NoneOfThem => BisectionOutcome::NoneOfThem,
            BisectionFound::Abandoned => BisectionOutcome::Abandoned { reason: self.reason.unwrap_or_default() },
        })
    }
}

/// What a command on a search for a change came to.
#[derive(Debug, Default)]
pub(crate) struct BisectionPayload {
    id: Option<Uuid>,
    written: Written,
}

impl BisectionPayload {
    fn of(result: std::result::Result<Outcome<Uuid>, CommandError>) -> Result<Self> {
        let (id, written) = Written::of(settle(result)?);
        Ok(Self { id, written })
    }
}

impl From<UserError> for BisectionPayload {
    fn from(error: UserError) -> Self {
        Self { written: Written { errors: vec![error], ..Written::default() }, ..Self::default() }
    }
}

#[Object]
impl BisectionPayload {
    /// The search as it is now; absent when nothing was written down.
    #[graphql(complexity = "child_complexity + 5")]
    async fn bisection(&self, context: &Context<'_>) -> Result<Option<Bisection>> {
        match self.id {
            Some(id) => bisection(state(context)?, id).await,
            None => Ok(None),
        }
    }

    /// The position of what was written down.
    async fn position(&self) -> Option<PositionScalar> {
        self.written.position()
    }

    /// Whether this command had been carried out before.
    async fn repeated(&self) -> bool {
        self.written.repeated
    }

    /// Why nothing was written down; empty when it was.
    async fn errors(&self) -> &[UserError] {
        &self.written.errors
    }
}

/// A search; `None` when there is none.
pub(super) async fn bisection(state: &ApiState, id: Uuid) -> Result<Option<Bisection>> {
    let stream = StreamKey::new(state.tenant(), ReplayCheckEvent::CATEGORY, id.to_string());
    let first = state.log().read_stream(&stream, Revision(0), Direction::Forward, 1).await;
    match first.map_err(|error| fault(&error))?.first() {
        Some(begun) if &*begun.event_type == BEGUN => told(state, begun).await,
        _ => Ok(None),
    }
}

/// The search that began with an event.
async fn told(state: &ApiState, begun: &RecordedEvent) -> Result<Option<Bisection>> {
    let Ok(id) = begun.stream.id.parse::<Uuid>() else { return Ok(None) };
    match state.commands().load::<ReplayCheck>(&begun.stream).await {
        Ok(loaded) => Ok(loaded.aggregate.bisection.as_ref().map(|known| Bisection::of(id, begun, known))),
        Err(CommandError::Fault(error)) => Err(fault(&error)),
        Err(error) => Err(coded("UNKNOWN_EVENT", error.to_string())),
    }
}

/// Searches, those first that were begun last.
pub(super) async fn bisections(
    state: &ApiState,
    first: Option<i32>,
    before: Option<PositionScalar>,
) -> Result<Vec<Bisection>> {
    let first = first.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&first) {
        return Err(bad_input(format!("first is {first}, it must be 1 to {PAGE_MAX}: read on with before")));
    }
    let head = state.log().head();
    let from = before.map_or(head, |before| Position(before.0.0.saturating_sub(1)).min(head));
    let filter = Filter {
        categories: vec![ReplayCheckEvent::CATEGORY.into()],
        event_types: vec![BEGUN.into()],
        ..Filter::default()
    };
    let scope = TenantScope::One(state.tenant());
    let limit = usize::try_from(first).unwrap_or(1);
    let events: Vec<Arc<RecordedEvent>> = match from {
        Position(0) => Vec::new(),
        from => {
            let found = state.log().read_all(scope, from, Direction::Backward, &filter, limit).await;
            found.map_err(|error| fault(&error))?
        }
    };
    let mut searches = Vec::with_capacity(events.len());
    for begun in &events {
        searches.extend(told(state, begun).await?);
    }
    Ok(searches)
}

/// Writes down that a search was begun.
pub(super) async fn begin(state: &ApiState, input: BeginBisectionInput) -> Result<BisectionPayload> {
    if let Err(forbidden) = state.require(Permission::ExecutionRun) {
        return Ok(refused("FORBIDDEN", forbidden.to_string()).into());
    }
    let tolerance = match input.tolerance.map(millionths).transpose() {
        Ok(tolerance) => tolerance,
        Err(error) => return Ok(error.into()),
    };
    // Both are there and ran the same workflow, or there is nothing to search between.
    let workflow_id = {
        let _turn = state.turn_to_fold().await;
        let (good, bad) = (super::stream(state, input.good_execution_id), super::stream(state, input.bad_execution_id));
        changes_between(state.past(), &good, &bad).await.map_err(|error| not_there(&error))?.workflow
    };
    let begin = BeginBisection {
        workflow_id,
        good: ExecutionId(input.good_execution_id),
        bad: ExecutionId(input.bad_execution_id),
        over: input.over.into(),
        check: input.check,
        tolerance,
        candidates: input.candidates,
        digest: input.digest,
    };
    BisectionPayload::of(state.commands().begin_bisection(&state.context(input.command_id), begin).await)
}

/// Writes down what came of a try.
pub(super) async fn take_step(state: &ApiState, input: TakeBisectionStepInput) -> Result<BisectionPayload> {
    let TakeBisectionStepInput { command_id, bisection_id, point, verdict, reason } = input;
    let tried = TriedPoint { point, verdict: verdict.into(), reason };
    let context = state.context(command_id);
    BisectionPayload::of(state.commands().take_bisection_step(&context, bisection_id, tried).await)
}

/// Writes down what a search came to.
pub(super) async fn end(state: &ApiState, input: EndBisectionInput) -> Result<BisectionPayload> {
    let (context, id) = (state.context(input.command_id), input.bisection_id);
    match input.outcome() {
        Ok(outcome) => BisectionPayload::of(state.commands().end_bisection(&context, id, outcome).await),
        Err(error) => Ok(error.into()),
    }
}
