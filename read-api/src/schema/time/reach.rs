//! Which effects may come after an event of an execution: more rather than fewer, since it is told as a warning.

use std::collections::{BTreeSet, HashSet};

use timeloom_domain::definition::{Graph, Node, WorkflowDefinition};
use timeloom_domain::execution::ForkFacts;
use timeloom_history::Story;

/// The nodes with effects that may come, each with how many of its later runs were recorded. `touches` says which types have
/// effects.
pub(super) fn effects_ahead<'d>(
    definition: &'d WorkflowDefinition,
    story: &Story,
    facts: &ForkFacts,
    touches: impl Fn(&str) -> bool,
) -> Vec<(&'d Node, usize)> {
    let graph = Graph::new(definition);
    let is_later = |place: usize| story.runs[place].execution_index >= facts.earlier_runs;
    let mut open: Vec<usize> = Vec::new();
    for (place, run) in story.runs.iter().enumerate() {
        let Some(node) = graph.index(&run.state.node) else { continue };
        if is_later(place) {
            open.push(node);
        } else {
            // What follows it may be due still.
            open.extend(graph.outputs(node).iter().flatten().map(|target| target.node));
        }
    }
    open.extend(graph.index(&facts.start.start_node).filter(|_| facts.earlier_runs == 0));
    let mut seen = HashSet::new();
    while let Some(node) = open.pop() {
        if seen.insert(node) {
            open.extend(graph.outputs(node).iter().flatten().map(|target| target.node));
        }
    }
    let reached: BTreeSet<usize> = seen.into_iter().collect();
    let nodes = reached.into_iter().map(|node| &definition.nodes[node]);
    let effects = nodes.filter(|node| !node.disabled && touches(&node.node_type));
    let recorded = |node: &Node| {
        (0..story.runs.len()).filter(|place| is_later(*place) && story.runs[*place].state.node == node.name).count()
    };
    effects.map(|node| (node, recorded(node))).collect()
}
