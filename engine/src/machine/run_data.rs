//! What the nodes of an execution gave so far.

use std::sync::Arc;

use serde_json::Value;
use timeloom_domain::execution::{ExecutionEvent, NodeFacts, StartFacts};
use timeloom_domain::item::{Items, JsonObject, Outputs, Source};

use crate::plan::Plan;

/// One finished run of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRunData {
    /// Where each input came from; empty for the start node.
    pub sources: Vec<Option<Source>>,
    /// Items by output.
    pub outputs: Outputs,
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
}

impl NodeRunData {
    pub(super) fn new(run: &NodeFacts, outputs: &Outputs, error: Option<Value>) -> Self {
        let (sources, execution_index) = (run.sources.clone(), run.execution_index);
        Self { sources, outputs: outputs.clone(), error, execution_index }
    }
}

impl RunData {
    /// An execution of which no node has run.
    pub fn new(plan: Arc<Plan>, start: Arc<StartFacts>) -> Self {
        let count = plan.definition.nodes.len();
        Self { plan, start, runs: vec![Vec::new(); count], memory: vec![None; count] }
    }

    /// The same under another plan, by the names of its nodes. What a node gave that is gone is left out.
    #[must_use]
    pub fn moved(mut self, plan: &Arc<Plan>, start: &Arc<StartFacts>) -> Self {
        let mut moved = Self::new(Arc::clone(plan), Arc::clone(start));
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

    /// Items of one output of one run.
    pub fn output(&self, node: usize, run: usize, output: usize) -> Option<&Items> {
        self.runs[node].get(run)?.outputs.get(output)
    }
}
