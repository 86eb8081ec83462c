//! What a node run was given: the items of those before it, or those with which the execution began.

use serde_json::Value;
use timeloom_domain::item::{Item, Source};

use super::{ExecutionComparison, shown as shown_item, without_ids};
use crate::story::Story;

/// The items of each input of a node run.
pub fn inputs(story: &Story, place: usize) -> Vec<Vec<&Item>> {
    let sources = &story.runs[place].state.sources;
    if sources.is_empty() {
        return vec![story.start.items.iter().collect()];
    }
    let items = |source: &Option<Source>| {
        let source = source.as_ref()?;
        let run = story.find(&source.previous_node, source.previous_node_run)?;
        Some(story.outputs(run)?.get(source.previous_node_output)?.iter().collect())
    };
    sources.iter().map(|source| items(source).unwrap_or_default()).collect()
}

/// What a node run was given, as JSON.
pub(super) fn shown(story: &Story, place: usize) -> Value {
    let inputs = inputs(story, place).into_iter();
    let shown = inputs.map(|items| Value::from(items.into_iter().map(shown_item).collect::<Vec<_>>())).collect();
    without_ids(Value::Array(shown), story)
}

impl ExecutionComparison {
    /// Whether a node run was given the same in both, whoever gave it.
    pub(super) fn same_inputs(&self, left: usize, right: usize) -> bool {
        let (one, other) = (inputs(&self.left, left), inputs(&self.right, right));
        let same = |(one, other): (&Vec<&Item>, &Vec<&Item>)| {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| self.same_items(std::slice::from_ref(*one), std::slice::from_ref(*other)))
        };
        one.len() == other.len() && one.iter().zip(&other).all(same)
    }
}
