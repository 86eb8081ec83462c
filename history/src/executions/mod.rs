//! How two executions differ: their node runs side by side, the first that differ, and the earliest run upstream because of
//! which they do.
//!
//! Runs are paired by the name of their node and by which of its runs they are. What no two executions have in common is
//! left out: their own ids, and the times, which are told beside. Invariant: what is alike is never walked through twice.

mod cause;
mod inputs;

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::definition::Node;
use timeloom_domain::item::{Item, Outputs};
use timeloom_store::StreamKey;

pub use cause::{Cause, CauseReason};
pub use inputs::inputs;

use crate::compare::replace_id;
use crate::diff::{Change, changes};
use crate::error::HistoryError;
use crate::moment::Moment;
use crate::past::Past;
use crate::story::{Story, StoryRun};

/// Two executions side by side.
#[derive(Debug, Clone)]
pub struct ExecutionComparison {
    /// The one.
    pub left: Arc<Story>,
    /// The other.
    pub right: Arc<Story>,
    /// Node runs, in the order of the one, with those of the other where they come in its own.
    pub steps: Vec<ComparedStep>,
    /// The first step that is not the same, by its place.
    pub first_divergence: Option<usize>,
    /// Why that one is not.
    pub cause: Option<Cause>,
}

/// One run of one node in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedStep {
    /// Name of the node.
    pub node: String,
    /// Which of its runs; 0 is the first.
    pub run_index: usize,
    /// Its place among the runs of the one.
    pub left: Option<usize>,
    /// Its place among the runs of the other.
    pub right: Option<usize>,
    /// How what it gave compares.
    pub outcome: StepOutcome,
    /// Whether the node was given something else.
    pub inputs_differ: bool,
    /// Whether the node is written down otherwise: its type, version, parameters or settings.
    pub node_differs: bool,
}

/// How what a node run gave compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    /// The same items, or the same failure.
    Same,
    /// Something else.
    Changed,
    /// Only the one has it.
    OnlyLeft,
    /// Only the other has it.
    OnlyRight,
}

/// When a step ran, and for how long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SideTimes {
    /// After how long it began, in milliseconds.
    pub began_after_ms: Option<i64>,
    /// How long it took, in microseconds.
    pub duration_us: Option<u64>,
}

/// One attempt at a step in both.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparedAttempt {
    /// 1 for the first.
    pub number: u32,
    /// What went wrong in the one; `None` when nothing did, or it was not made.
    pub left: Option<Value>,
    /// What went wrong in the other.
    pub right: Option<Value>,
}

/// How `right` differs from `left`, each at a moment.
///
/// # Errors
/// [`HistoryError`], whose message says what to ask instead.
pub async fn compare_executions<'p>(
    past: impl Into<Past<'p>>,
    left: (&StreamKey, Moment),
    right: (&StreamKey, Moment),
) -> Result<ExecutionComparison, HistoryError> {
    let past = past.into();
    let left = Story::load(past, left.0, left.1).await?;
    let right = Story::load(past, right.0, right.1).await?;
    Ok(ExecutionComparison::of(Arc::new(left), Arc::new(right)))
}

impl ExecutionComparison {
    /// Two stories side by side.
    pub fn of(left: Arc<Story>, right: Arc<Story>) -> Self {
        let mut comparison = Self { steps: Vec::new(), first_divergence: None, cause: None, left, right };
        comparison.steps = comparison.aligned();
        comparison.first_divergence = comparison.steps.iter().position(|step| step.outcome != StepOutcome::Same);
        comparison.cause = comparison.first_divergence.map(|step| comparison.cause_of(step));
        comparison
    }

    /// How many steps compare so.
    pub fn count(&self, outcome: StepOutcome) -> usize {
        self.steps.iter().filter(|step| step.outcome == outcome).count()
    }

    /// Whether both did the same and ended alike.
    pub fn is_same(&self) -> bool {
        self.first_divergence.is_none() && self.left.status == self.right.status && self.same_error()
    }

    fn same_error(&self) -> bool {
        alike(&self.left, self.left.error.as_ref(), &self.right, self.right.error.as_ref())
    }

    fn aligned(&self) -> Vec<ComparedStep> {
        let mut steps = Vec::with_capacity(self.left.runs.len());
        let mut of_right = (0..self.right.runs.len()).peekable();
        let partner = |run: &StoryRun, story: &Story| story.find(&run.state.node, run.state.run_index);
        for (left, run) in self.left.runs.iter().enumerate() {
            let right = partner(run, &self.right);
            while let Some(next) = of_right.next_if(|next| right.is_some_and(|right| *next <= right)) {
                if partner(&self.right.runs[next], &self.left).is_none() {
                    steps.push(self.step(None, Some(next)));
                }
            }
            steps.push(self.step(Some(left), right));
        }
        let rest = of_right.filter(|next| partner(&self.right.runs[*next], &self.left).is_none());
        steps.extend(rest.map(|next| self.step(None, Some(next))));
        steps
    }

    fn step(&self, left: Option<usize>, right: Option<usize>) -> ComparedStep {
        let of = |story: &Story, place: Option<usize>| {
            place.map(|place| (story.runs[place].state.node.clone(), story.runs[place].state.run_index))
        };
        let (node, run_index) = of(&self.left, left).or_else(|| of(&self.right, right)).unwrap_or_default();
        let (outcome, inputs_differ, node_differs) = match (left, right) {
            (Some(left), Some(right)) => {
                let outcome = if self.gave_same(left, right) { StepOutcome::Same } else { StepOutcome::Changed };
                (outcome, !self.same_inputs(left, right), self.node_differs(left, right))
            }
            (Some(_), None) => (StepOutcome::OnlyLeft, false, false),
            _ => (StepOutcome::OnlyRight, false, false),
        };
        ComparedStep { node, run_index, left, right, outcome, inputs_differ, node_differs }
    }

    fn gave_same(&self, left: usize, right: usize) -> bool {
        let (one, other) = (&self.left.runs[left].state, &self.right.runs[right].state);
        if one.status != other.status || !alike(&self.left, one.error.as_ref(), &self.right, other.error.as_ref()) {
            return false;
        }
        match (&one.outputs, &other.outputs) {
            (None, None) => true,
            (Some(one), Some(other)) => {
                let count = one.len().max(other.len());
                let empty = Vec::new();
                (0..count).all(|output| {
                    let items = |outputs: &Outputs| outputs.get(output).cloned();
                    let (one, other) = (items(one), items(other));
                    let (one, other) = (one.as_deref().unwrap_or(&empty), other.as_deref().unwrap_or(&empty));
                    self.same_items(one, other)
                })
            }
            _ => false,
        }
    }

    fn same_items(&self, one: &[Item], other: &[Item]) -> bool {
        let same = |(one, other): (&Item, &Item)| {
            one.json == other.json && one.binary == other.binary
                || without_ids(shown(one), &self.left) == without_ids(shown(other), &self.right)
        };
        one.len() == other.len() && one.iter().zip(other).all(same)
    }

    fn node_differs(&self, left: usize, right: usize) -> bool {
        match (self.left.node(left), self.right.node(right)) {
            (Some(one), Some(other)) => !one.works_like(other),
            (one, other) => one.is_some() != other.is_some(),
        }
    }

    /// What else a step gave in the other: paths are `/output/item/json/…`.
    ///
    /// # Errors
    /// [`HistoryError`] when a difference cannot be carried out, which is a fault.
    pub fn output_changes(&self, step: usize) -> Result<Vec<Change>, HistoryError> {
        let Some(step) = self.steps.get(step) else { return Ok(Vec::new()) };
        let left = step.left.map_or(Value::Null, |place| given(&self.left, place));
        let right = step.right.map_or(Value::Null, |place| given(&self.right, place));
        difference(left, &right)
    }

    /// What else a step was given in the other: paths are `/input/item/json/…`.
    ///
    /// # Errors
    /// [`HistoryError`] when a difference cannot be carried out, which is a fault.
    pub fn input_changes(&self, step: usize) -> Result<Vec<Change>, HistoryError> {
        let Some(step) = self.steps.get(step) else { return Ok(Vec::new()) };
        let left = step.left.map_or(Value::Null, |place| inputs::shown(&self.left, place));
        let right = step.right.map_or(Value::Null, |place| inputs::shown(&self.right, place));
        difference(left, &right)
    }

    /// How else the node of a step is written down in the other.
    ///
    /// # Errors
    /// [`HistoryError`] when a difference cannot be carried out, which is a fault.
    pub fn node_changes(&self, step: usize) -> Result<Vec<Change>, HistoryError> {
        let Some(step) = self.steps.get(step).filter(|step| step.node_differs) else { return Ok(Vec::new()) };
        let written =
            |node: Option<&Node>| node.map_or(Value::Null, |node| serde_json::to_value(node).unwrap_or_default());
        let left = step.left.map_or(Value::Null, |place| written(self.left.node(place)));
        let right = step.right.map_or(Value::Null, |place| written(self.right.node(place)));
        difference(left, &right)
    }

    /// The attempts at a step that failed, in both.
    pub fn attempts(&self, step: usize) -> Vec<ComparedAttempt> {
        let Some(step) = self.steps.get(step) else { return Vec::new() };
        let failed = |story: &Story, place: Option<usize>| {
            place.map(|place| story.runs[place].failed_attempts.clone()).unwrap_or_default()
        };
        let (left, right) = (failed(&self.left, step.left), failed(&self.right, step.right));
        let mut numbers: Vec<u32> = left.iter().chain(&right).map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let error = |of: &[(u32, Value)], number: u32| {
            of.iter().find(|(attempt, _)| *attempt == number).map(|(_, error)| error.clone())
        };
        let compared = |number| ComparedAttempt { number, left: error(&left, number), right: error(&right, number) };
        numbers.into_iter().map(compared).collect()
    }

    /// When a step ran in the one and in the other, and for how long.
    pub fn times(&self, step: usize) -> [SideTimes; 2] {
        let Some(step) = self.steps.get(step) else { return [SideTimes::default(); 2] };
        let of = |story: &Story, place: Option<usize>| {
            let Some(run) = place.and_then(|place| story.runs.get(place)) else { return SideTimes::default() };
            let began = place.and_then(|place| story.start_of(place)).map(|start| start.at_ms);
            let began_after_ms = run.state.started_at_ms.zip(began).map(|(at_ms, began)| at_ms - began);
            SideTimes { began_after_ms, duration_us: run.state.duration_us }
        };
        [of(&self.left, step.left), of(&self.right, step.right)]
    }
}

fn difference(left: Value, right: &Value) -> Result<Vec<Change>, HistoryError> {
    let patch = json_patch::diff(&left, right);
    changes(left, &patch)
}

/// Whether two values are the same but for the ids of their executions.
fn alike(left: &Story, one: Option<&Value>, right: &Story, other: Option<&Value>) -> bool {
    one == other
        || one.map(|value| without_ids(value.clone(), left)) == other.map(|value| without_ids(value.clone(), right))
}

fn without_ids(mut value: Value, story: &Story) -> Value {
    story.ids.iter().for_each(|id| replace_id(&mut value, id));
    value
}

/// What is compared of an item: all but the note of what it was made from.
fn shown(item: &Item) -> Value {
    match &item.binary {
        Some(binary) => json!({ "json": item.json, "binary": binary }),
        None => json!({ "json": item.json }),
    }
}

fn given(story: &Story, place: usize) -> Value {
    let state = &story.runs[place].state;
    let shown = match (&state.outputs, &state.error) {
        (Some(outputs), _) => outputs.iter().map(|items| items.iter().map(shown).collect::<Vec<_>>()).collect(),
        (None, Some(error)) => json!({ "error": error }),
        (None, None) => Value::Null,
    };
    without_ids(shown, story)
}
