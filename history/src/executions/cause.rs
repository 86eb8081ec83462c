//! Because of which node run two executions differ: back along the inputs to the earliest that differs.

use std::collections::BTreeSet;

use timeloom_domain::definition::References;
use timeloom_domain::execution::ExecutionStatus;

use super::{ComparedStep, ExecutionComparison, StepOutcome};
use crate::story::Story;

/// Because of which step another one differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// Its place among the steps.
    pub step: usize,
    /// What is other about it.
    pub reason: CauseReason,
}

/// What is other about the step at which two executions part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CauseReason {
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

impl ExecutionComparison {
    /// Because of which step a step is not the same: the earliest from which the difference comes.
    pub fn cause_of(&self, step: usize) -> Cause {
        let mut at = step;
        // Each look goes to an earlier step, so this ends.
        while let Some(before) = self.upstream(at).into_iter().find(|before| self.differs(*before)) {
            at = before;
        }
        Cause { step: at, reason: self.reason(at) }
    }

    fn differs(&self, step: usize) -> bool {
        self.steps.get(step).is_some_and(|step| step.outcome != StepOutcome::Same)
    }

    /// The steps before one whose items it was given or its expressions read, the earliest first.
    fn upstream(&self, at: usize) -> BTreeSet<usize> {
        let Some(step) = self.steps.get(at) else { return BTreeSet::new() };
        let mut found = BTreeSet::new();
        for (story, place) in [(&self.left, step.left), (&self.right, step.right)] {
            let Some(place) = place else { continue };
            found.extend(before(story, place));
        }
        let wanted = |step: &ComparedStep| found.contains(&(step.node.clone(), step.run_index));
        (0..at).filter(|before| wanted(&self.steps[*before])).collect()
    }

    fn reason(&self, at: usize) -> CauseReason {
        let Some(step) = self.steps.get(at) else { return CauseReason::Output };
        match (step.left, step.right) {
            (Some(left), Some(_)) if step.inputs_differ && self.left.runs[left].state.sources.is_empty() => {
                CauseReason::GivenItems
            }
            (Some(_), Some(_)) if step.node_differs => CauseReason::Node,
            (Some(_), Some(_)) => CauseReason::Output,
            (Some(left), None) => missing(&self.left, left, &self.right),
            (None, Some(right)) => missing(&self.right, right, &self.left),
            (None, None) => CauseReason::Output,
        }
    }
}

/// The node runs that a run was made from.
fn before(story: &Story, place: usize) -> Vec<(String, usize)> {
    let sources = story.runs[place].state.sources.iter().flatten();
    let mut found: Vec<_> = sources.map(|source| (source.previous_node.clone(), source.previous_node_run)).collect();
    if let Some(node) = story.node(place) {
        for name in References::of(&node.parameters).nodes() {
            let newest = story.newest_before(name, place);
            found.extend(newest.map(|run| (name.to_owned(), story.runs[run].state.run_index)));
        }
    }
    found
}

/// Why a run that one execution has is not in the other.
fn missing(having: &Story, place: usize, other: &Story) -> CauseReason {
    let sources: Vec<_> = having.runs[place].state.sources.iter().flatten().collect();
    let all_there = sources.iter().all(|source| other.find(&source.previous_node, source.previous_node_run).is_some());
    let has_completed = other.status == ExecutionStatus::Completed;
    if all_there && has_completed { CauseReason::Way } else { CauseReason::NotReached }
}
