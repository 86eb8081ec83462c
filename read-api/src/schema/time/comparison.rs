//! Two executions side by side. What a step gave is compared when somebody asks for it.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use serde_json::Value;
use timeloom_history::{self as history, Change, SideTimes, StepOutcome, Story};
use timeloom_projections::Side;
use timeloom_store::StreamKey;
use timeloom_store::codec::json_bytes;

use crate::schema::budget::PayloadBudget;
use crate::schema::paging::{Pages, Paging, page_cost};
use crate::schema::reading::{Moment, not_there};
use crate::schema::scalars::{ExecutionStatus, NodeRunStatus};
use crate::schema::state_at::StateChange;
use crate::state::ApiState;

/// How a step of two executions compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "timeloom_history::StepOutcome")]
pub(crate) enum ComparisonOutcome {
    /// The same items, or the same failure.
    Same,
    /// Something else.
    Changed,
    /// Only the one has it.
    OnlyLeft,
    /// Only the other has it.
    OnlyRight,
}

/// What is other about the step at which two executions part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "timeloom_history::CauseReason")]
pub(crate) enum DivergenceReason {
    /// The executions were given other items.
    GivenItems,
    /// The node is written down otherwise: its type, version, parameters or settings.
    Node,
    /// From the same input the same node gave something else: the outside world, chance, time or variables.
    Output,
    /// The way to the node is another, or the node is only in one of the workflows.
    Way,
    /// One of them did not come so far: it ended, or goes on.
    NotReached,
}

/// Compares two executions, each at a moment.
pub(super) async fn compare(
    state: &ApiState,
    left: (StreamKey, Moment),
    right: (StreamKey, Moment),
) -> Result<ExecutionComparison> {
    left.1.wait(state).await?;
    let _turn = state.turn_to_fold().await;
    let (one, other) = ((&left.0, left.1.as_of()), (&right.0, right.1.as_of()));
    let found = history::compare_executions(state.past(), one, other).await.map_err(|error| not_there(&error))?;
    Ok(ExecutionComparison(Arc::new(found)))
}

/// Two executions side by side.
#[derive(Debug, Clone)]
pub(crate) struct ExecutionComparison(Arc<history::ExecutionComparison>);

#[Object]
impl ExecutionComparison {
    /// Whether both did the same and ended alike.
    async fn same(&self) -> bool {
        self.0.is_same()
    }

    /// How far the one is.
    async fn left_status(&self) -> ExecutionStatus {
        self.0.left.status.into()
    }

    /// How far the other is.
    async fn right_status(&self) -> ExecutionStatus {
        self.0.right.status.into()
    }

    /// How many steps are the same.
    async fn same_count(&self) -> usize {
        self.0.count(StepOutcome::Same)
    }

    /// How many gave something else.
    async fn changed_count(&self) -> usize {
        self.0.count(StepOutcome::Changed)
    }

    /// How many only the one has.
    async fn only_left_count(&self) -> usize {
        self.0.count(StepOutcome::OnlyLeft)
    }

    /// How many only the other has.
    async fn only_right_count(&self) -> usize {
        self.0.count(StepOutcome::OnlyRight)
    }

    /// The first step that is not the same; absent when all are.
    async fn first_divergence(&self) -> Option<ComparedStep> {
        self.0.first_divergence.map(|step| self.step(step))
    }

    /// Because of which step that one is not the same: the earliest upstream that differs.
    async fn cause(&self) -> Option<DivergenceCause> {
        self.0.cause.map(|cause| self.cause_of(cause))
    }

    /// The steps: a run of a node each, in the order of the one.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn steps(
        &self,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(default, desc = "Only those that are not the same.")] differing: bool,
    ) -> Result<Pages<ComparedStep>> {
        let window = Paging::new(first, after, last, before).window()?;
        let number = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
        let from = window.after.map_or(0, |after| number(after).saturating_add(1));
        let to = window.before.map_or(usize::MAX, number).min(self.0.steps.len());
        let wanted = |place: &usize| !differing || self.0.steps[*place].outcome != StepOutcome::Same;
        let places = (from..to).filter(wanted);
        let found: Vec<usize> = match window.side {
            Side::First => places.take(window.size + 1).collect(),
            Side::Last => places.rev().take(window.size + 1).collect(),
        };
        Ok(window.pages(found.into_iter().map(|place| (place as u64, self.step(place))).collect()))
    }
}

impl ExecutionComparison {
    fn step(&self, place: usize) -> ComparedStep {
        ComparedStep { comparison: self.clone(), place }
    }

    fn cause_of(&self, cause: history::Cause) -> DivergenceCause {
        DivergenceCause { step: self.step(cause.step), reason: cause.reason.into() }
    }
}

/// Because of which step another one is not the same.
#[derive(Debug, SimpleObject)]
pub(crate) struct DivergenceCause {
    /// The step.
    pub step: ComparedStep,
    /// What is other about it.
    pub reason: DivergenceReason,
}

/// A run of a node in one of two executions, or in both.
#[derive(Debug, Clone)]
pub(crate) struct ComparedStep {
    comparison: ExecutionComparison,
    place: usize,
}

#[Object]
impl ComparedStep {
    /// Name of the node.
    async fn node(&self) -> &str {
        &self.found().node
    }

    /// Which of its runs; 0 is the first.
    async fn run_index(&self) -> usize {
        self.found().run_index
    }

    /// How what it gave compares.
    async fn outcome(&self) -> ComparisonOutcome {
        self.found().outcome.into()
    }

    /// Whether the node was given something else.
    async fn inputs_differ(&self) -> bool {
        self.found().inputs_differ
    }

    /// Whether the node is written down otherwise.
    async fn node_differs(&self) -> bool {
        self.found().node_differs
    }

    /// What else it gave: paths begin with the output and the item, such as /0/0/json/name.
    #[graphql(complexity = "child_complexity + 20")]
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn output_changes(&self, context: &Context<'_>) -> Result<Vec<StateChange>> {
        told(context, self.comparison.0.output_changes(self.place))
    }

    /// What else it was given: paths begin with the input and the item.
    #[graphql(complexity = "child_complexity + 20")]
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn input_changes(&self, context: &Context<'_>) -> Result<Vec<StateChange>> {
        told(context, self.comparison.0.input_changes(self.place))
    }

    /// How else the node is written down.
    #[graphql(complexity = "child_complexity + 20")]
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn node_changes(&self, context: &Context<'_>) -> Result<Vec<StateChange>> {
        told(context, self.comparison.0.node_changes(self.place))
    }

    /// The attempts that failed before it, in either.
    #[graphql(complexity = "child_complexity + 5")]
    async fn attempts(&self) -> Vec<ComparedAttempt> {
        let attempts = self.comparison.0.attempts(self.place).into_iter();
        let told = attempts.map(|history::ComparedAttempt { number, left, right }| ComparedAttempt {
            number,
            left_error: left,
            right_error: right,
        });
        told.collect()
    }

    /// The run in the one; absent when it has none.
    async fn left(&self) -> Option<ComparedRun> {
        let [times, _] = self.comparison.0.times(self.place);
        self.found().left.map(|place| run(&self.comparison.0.left, place, times))
    }

    /// The run in the other; absent when it has none.
    async fn right(&self) -> Option<ComparedRun> {
        let [_, times] = self.comparison.0.times(self.place);
        self.found().right.map(|place| run(&self.comparison.0.right, place, times))
    }

    /// How much longer it took in the other, in milliseconds; absent unless both ended.
    async fn duration_delta_ms(&self) -> Option<f64> {
        let [left, right] = self.comparison.0.times(self.place);
        left.duration_us.zip(right.duration_us).map(|(left, right)| (right as f64 - left as f64) / 1_000.0)
    }

    /// Because of which step it is not the same: the earliest upstream that differs. Absent when it is the same.
    #[graphql(complexity = "child_complexity + 20")]
    async fn cause(&self) -> Option<DivergenceCause> {
        let differs = self.found().outcome != StepOutcome::Same;
        differs.then(|| self.comparison.cause_of(self.comparison.0.cause_of(self.place)))
    }
}

impl ComparedStep {
    fn found(&self) -> &history::ComparedStep {
        &self.comparison.0.steps[self.place]
    }
}

/// One run of a step.
#[derive(Debug, SimpleObject)]
pub(crate) struct ComparedRun {
    /// Its place in the order of all runs of its execution.
    pub execution_index: usize,
    /// How far it is.
    pub status: NodeRunStatus,
    /// Attempts so far.
    pub attempts: u32,
    /// After how long it began, in milliseconds from the start of its execution.
    pub began_after_ms: Option<f64>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<f64>,
    /// How many items it gave, by output.
    pub item_counts: Vec<usize>,
}

/// One attempt that failed.
#[derive(Debug, SimpleObject)]
pub(crate) struct ComparedAttempt {
    /// 1 for the first.
    pub number: u32,
    /// What went wrong in the one; absent when nothing did.
    pub left_error: Option<Value>,
    /// What went wrong in the other.
    pub right_error: Option<Value>,
}

fn run(story: &Story, place: usize, times: SideTimes) -> ComparedRun {
    let run = &story.runs[place];
    ComparedRun {
        execution_index: run.execution_index,
        status: run.state.status.into(),
        attempts: run.state.attempts,
        began_after_ms: times.began_after_ms.map(|milliseconds| milliseconds as f64),
        duration_ms: times.duration_us.map(|microseconds| microseconds as f64 / 1_000.0),
        item_counts: run.state.outputs.iter().flatten().map(|items| items.len()).collect(),
    }
}

fn told(
    context: &Context<'_>,
    changes: std::result::Result<Vec<Change>, history::HistoryError>,
) -> Result<Vec<StateChange>> {
    let changes = changes.map_err(|error| not_there(&error))?;
    let values = changes.iter().flat_map(|change| [&change.before, &change.after]).flatten();
    PayloadBudget::take(context, values.map(json_bytes).sum())?;
    Ok(changes.into_iter().map(StateChange::from).collect())
}
