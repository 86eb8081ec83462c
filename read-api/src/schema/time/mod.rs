//! Time travel over the API: from where values come, executions side by side. What is told is in the history library;
//! nothing is computed here that the log does not say.

mod between;
mod bisection;
mod comparison;
mod explanation;
mod fork;
mod in_force;
mod preview;
mod provenance;
mod reach;
mod replay;
mod watch;
mod watched;

use async_graphql::{Context, Object, Result};
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_store::StreamKey;
use uuid::Uuid;

use self::between::ChangesBetween;
use self::bisection::{BeginBisectionInput, Bisection, BisectionPayload, EndBisectionInput, TakeBisectionStepInput};
use self::comparison::ExecutionComparison;
use self::explanation::{ExplainInput, ValueExplanation};
pub(crate) use self::fork::ForkPoint;
use self::fork::{ForkExecutionInput, ForkPreview};
use self::in_force::InForce;
use self::preview::{ExpressionPreview, ExpressionPreviewInput};
pub(crate) use self::provenance::{EventReference, written_by};
use self::replay::{ReplayCheck, StartReplayCheckInput, StartReplayCheckPayload};
pub(crate) use self::replay::{ReplayGateInput, ReplayedChange, gate};
use self::watch::{WatchInput, WatchedExecution};
use super::mutation::ExecutionPayload;
use super::paging::{Pages, Paging, page_cost};
use super::reading::{Moment, state};
use super::scalars::{AsOf, PositionScalar};
use crate::state::ApiState;

/// The reads of time travel.
#[derive(Debug, Default)]
pub struct TimeQuery;

#[Object]
impl TimeQuery {
    /// How an execution differs from another one, node run by node run: what differs, where that begins, and because of
    /// what. A retry or a fork is compared with what it goes on from.
    #[graphql(complexity = "child_complexity + 200")]
    async fn compare_executions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The one.")] left: Uuid,
        #[graphql(desc = "The moment of the one; absent = now.")] left_as_of: Option<AsOf>,
        #[graphql(desc = "The other.")] right: Uuid,
        #[graphql(desc = "The moment of the other; absent = now.")] right_as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<ExecutionComparison> {
        let state = state(context)?;
        let moments = (Moment::new(left_as_of, wait_for), Moment::new(right_as_of, None));
        comparison::compare(state, (stream(state, left), moments.0), (stream(state, right), moments.1)).await
    }

    /// What was in force at a moment: workflows with their versions, models, agents, routes, flags, credentials and accounts, all
    /// as of the same place of the log. Each part needs what it needs by itself.
    #[graphql(complexity = "child_complexity + 5")]
    async fn in_force(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The moment: a position or a time; absent = now.")] as_of: Option<AsOf>,
        wait_for: Option<PositionScalar>,
    ) -> Result<InForce> {
        InForce::at(state(context)?, Moment::new(as_of, wait_for)).await
    }

    /// What was changed between two executions of a workflow, the earlier one first: its definition, models and plugins.
    #[graphql(complexity = "child_complexity + 500")]
    async fn changes_between(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The execution that ran first.")] earlier: Uuid,
        #[graphql(desc = "The execution that ran after it.")] later: Uuid,
    ) -> Result<ChangesBetween> {
        between::between(context, earlier, later).await
    }

    /// A search for the change that made a run bad; null when there is none with this id.
    #[graphql(complexity = "child_complexity + 5")]
    async fn bisection(&self, context: &Context<'_>, id: Uuid) -> Result<Option<Bisection>> {
        bisection::bisection(state(context)?, id).await
    }

    /// Searches for the change that made a run bad, those first that were begun last.
    #[graphql(complexity = "page_cost(first, None, child_complexity) + 50")]
    async fn bisections(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100; 20 when it is not said.")] first: Option<i32>,
        #[graphql(
            desc = "Only those that were begun before this place in the log: that of the last one of a page goes on behind it."
        )]
        before: Option<PositionScalar>,
    ) -> Result<Vec<Bisection>> {
        bisection::bisections(state(context)?, first, before).await
    }

    /// From where a value in an item comes: through the workflows that nodes called, back to the nodes that called them, and into
    /// the runs of agents, up to what started the first execution.
    #[graphql(complexity = "child_complexity + 200")]
    async fn explain(&self, context: &Context<'_>, input: ExplainInput) -> Result<ValueExplanation> {
        explanation::explanation(context, input).await
    }

    /// What an expression gives for an item of a past execution. Nothing happens: it sees no clock and no chance.
    #[graphql(complexity = "child_complexity + 100")]
    async fn expression_preview(
        &self,
        context: &Context<'_>,
        input: ExpressionPreviewInput,
    ) -> Result<ExpressionPreview> {
        preview::expression_preview(context, state(context)?, input).await
    }

    /// What a fork would come to: from where it would go on, and which effects would really happen. Nothing is begun.
    #[graphql(complexity = "child_complexity + 100")]
    async fn fork_preview(&self, context: &Context<'_>, input: ForkExecutionInput) -> Result<ForkPreview> {
        fork::preview(state(context)?, input).await
    }

    /// An expression over executions of the past: where it was true, or what it gave, node run by node run. A page has the
    /// executions that were looked at, the newest first; one that finds much has fewer.
    #[graphql(complexity = "page_cost(first, None, child_complexity) + 500")]
    async fn watch_executions(
        &self,
        context: &Context<'_>,
        input: WatchInput,
        #[graphql(desc = "How many executions are looked at, at most 100; 20 when it is not said.")] first: Option<i32>,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
    ) -> Result<Pages<WatchedExecution>> {
        watch::watch(context, state(context)?, input, &Paging::new(first, after, None, None)).await
    }

    /// A replay check; null when there is none.
    #[graphql(complexity = "child_complexity + 5")]
    async fn replay_check(&self, context: &Context<'_>, id: Uuid) -> Result<Option<ReplayCheck>> {
        replay::replay_check(state(context)?, id).await
    }
}

/// The changes that belong to time travel.
#[derive(Debug, Default)]
pub struct TimeMutation;

#[Object]
impl TimeMutation {
    /// Lets a new execution go on from an event of another one, with something changed or nothing. No effect happens that is
    /// not lifted.
    async fn fork_execution(&self, context: &Context<'_>, input: ForkExecutionInput) -> Result<ExecutionPayload> {
        fork::fork(state(context)?, input).await
    }

    /// Writes down that somebody searches for the change between two executions of a workflow that made the later one bad.
    /// Nothing is tried by that: whoever searches does, and tells.
    async fn begin_bisection(&self, context: &Context<'_>, input: BeginBisectionInput) -> Result<BisectionPayload> {
        bisection::begin(state(context)?, input).await
    }

    /// Writes down what came of a try of such a search.
    async fn take_bisection_step(
        &self,
        context: &Context<'_>,
        input: TakeBisectionStepInput,
    ) -> Result<BisectionPayload> {
        bisection::take_step(state(context)?, input).await
    }

    /// Writes down what such a search came to, or that nobody goes on with it.
    async fn end_bisection(&self, context: &Context<'_>, input: EndBisectionInput) -> Result<BisectionPayload> {
        bisection::end(state(context)?, input).await
    }

    /// Asks for executions to be run again without touching the world. A worker does it; its report is an event.
    async fn start_replay_check(
        &self,
        context: &Context<'_>,
        input: StartReplayCheckInput,
    ) -> Result<StartReplayCheckPayload> {
        replay::start(state(context)?, input).await
    }
}

fn stream(state: &ApiState, execution: Uuid) -> StreamKey {
    StreamKey::new(state.tenant(), ExecutionEvent::CATEGORY, execution.to_string())
}
