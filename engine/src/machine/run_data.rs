//! What the nodes of an execution gave so far.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;
use timeloom_domain::execution::{ExecutionEvent, NodeFacts, StartFacts};
use timeloom_domain::item::{JsonObject, Outputs, PairedItem, Source};
use timeloom_store::LogError;

use super::kept::{Fetch, Fetched, HELD_BYTES_MAX, Kept, Place, Written};
use crate::plan::Plan;

/// One finished run of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRunData {
    /// Where each input came from; empty for the start node.
    pub sources: Vec<Option<Source>>,
    /// Items by output.
    kept: Kept,
    /// What went wrong, when the workflow went on all the same.
    pub error: Option<Value>,
    /// Place in the order of all node runs.
    pub execution_index: usize,
}

/// What the nodes of an execution gave so far. Shared with expressions; copied only when it changes meanwhile.
#[derive(Clone)]
pub struct RunData {
    plan: Arc<Plan>,
    start: Arc<StartFacts>,
    runs: Vec<Vec<NodeRunData>>,
    memory: Vec<Option<JsonObject>>,
    fetched: Fetched,
    /// Runs whose items are in memory although the log has them, oldest first.
    held: VecDeque<Held>,
    held_bytes: usize,
}

/// A run whose items may be let go.
#[derive(Clone)]
struct Held {
    node: usize,
    run: usize,
    place: Place,
    bytes: usize,
}

impl NodeRunData {
    pub(super) fn new(run: &NodeFacts, outputs: &Outputs, error: Option<Value>) -> Self {
        let (sources, execution_index) = (run.sources.clone(), run.execution_index);
        Self { sources, kept: Kept::Here(outputs.clone()), error, execution_index }
    }
}

impl RunData {
    /// An execution of which no node has run.
    pub fn new(plan: Arc<Plan>, start: Arc<StartFacts>) -> Self {
        let count = plan.definition.nodes.len();
        Self {
            plan,
            start,
            runs: vec![Vec::new(); count],
            memory: vec![None; count],
            fetched: Fetched::default(),
            held: VecDeque::new(),
            held_bytes: 0,
        }
    }

    /// The same under another plan, by the names of its nodes. What a node gave that is gone is left out.
    #[must_use]
    pub fn moved(mut self, plan: &Arc<Plan>, start: &Arc<StartFacts>) -> Self {
        let mut moved = Self::new(Arc::clone(plan), Arc::clone(start));
        moved.fetched = self.fetched.clone();
        for (old, node) in self.plan.definition.nodes.iter().enumerate() {
            if let Some(new) = plan.graph.index(&node.name) {
                moved.runs[new] = std::mem::take(&mut self.runs[old]);
                moved.memory[new] = self.memory[old].take();
            }
        }
        moved
    }

    pub(super) fn push(&mut self, node: usize, run: NodeRunData) {
        self.runs[node].push(run);
    }

    /// Takes in what an event of an earlier link says that a node gave.
    pub fn take(&mut self, event: &ExecutionEvent) {
        let (run, outputs, error) = match event {
            ExecutionEvent::NodeCompleted { run, outputs, .. } => (run, outputs, None),
            ExecutionEvent::NodeFailed { run, outputs: Some(outputs), error, .. } => {
                (run, outputs, Some(error.clone()))
            }
            _ => return,
        };
        if let Some(node) = self.plan.graph.index(&run.node) {
            self.push(node, NodeRunData::new(run, outputs, error));
        }
    }

    pub(super) fn set_memory(&mut self, node: usize, memory: JsonObject) {
        self.memory[node] = Some(memory);
    }

    /// The workflow.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// How the execution began.
    pub fn start(&self) -> &StartFacts {
        &self.start
    }

    /// Finished runs of a node, oldest first.
    pub fn runs(&self, node: usize) -> &[NodeRunData] {
        &self.runs[node]
    }

    /// Memory of a node.
    pub fn memory(&self, node: usize) -> Option<&JsonObject> {
        self.memory[node].as_ref()
    }

    /// How many items an output of a run has; `None` when there is no such run or output.
    pub fn count(&self, node: usize, run: usize, output: usize) -> Option<usize> {
        self.runs[node].get(run)?.kept.count(output)
    }

    /// From what an item was made; `None` when there is no such item.
    pub fn paired(&self, node: usize, run: usize, output: usize, item: usize) -> Option<Option<PairedItem>> {
        self.runs[node].get(run)?.kept.paired(output, item)
    }

    /// What a run gave, by output: from memory, or from the log. `None` when there is no such run.
    ///
    /// # Errors
    /// [`LogError`] when the log cannot be read.
    pub fn outputs(&self, node: usize, run: usize) -> Option<Result<Outputs, LogError>> {
        let run = self.runs[node].get(run)?;
        Some(self.fetched.outputs(run.execution_index, &run.kept))
    }

    /// Lets what is let go be fetched by `from`. Without that, nothing is.
    pub(super) fn fetch_from(&mut self, from: Arc<dyn Fetch>) {
        self.fetched = Fetched::from(from);
    }

    /// The log has these runs now: the oldest ones are let go where there are more than are held.
    pub(super) fn written(&mut self, written: Vec<Written>) {
        if !self.fetched.can_fetch() {
            return;
        }
        self.fetched.forget();
        for Written { node, run_index: run, execution_index, place, bytes } in written {
            let Some(node) = self.plan.graph.index(&node) else { continue };
            // What is found elsewhere than where it should be is kept: nothing is to be taken for another run.
            if self.runs[node].get(run).is_none_or(|found| found.execution_index != execution_index) {
                continue;
            }
            self.held.push_back(Held { node, run, place, bytes });
            self.held_bytes += bytes;
        }
        while self.held_bytes > HELD_BYTES_MAX {
            let Some(Held { node, run, place, bytes }) = self.held.pop_front() else { return };
            self.held_bytes -= bytes;
            if let Some(run) = self.runs[node].get_mut(run) {
                run.kept.leave(place);
            }
        }
    }
}
