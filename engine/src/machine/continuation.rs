//! The machine at the seam between two links of a chain: what the next link must know, and the machine made from it.
//!
//! Invariant: a machine that went through a seam wants and gives what it would have without one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::json;
use timeloom_domain::execution::{ChainPlace, Continuation, DueNode, StartFacts, WaitingNode};
use timeloom_domain::ids::ExecutionId;
use uuid::Uuid;

use super::control::Control;
use super::waiting::{Gathered, Waiting};
use super::{Entry, Machine, Phase, RunData};
use crate::plan::Plan;

impl Machine {
    /// Whether it stands between two node runs and has more to do: only there may a chain have a seam.
    pub fn may_continue(&self) -> bool {
        let is_between = matches!(self.phase, Phase::Running) && !self.is_announced && self.wait.is_none();
        is_between
            && self.in_flight.is_empty()
            && !self.stack.is_empty()
            && !self.control.is_paused
            && !self.is_stepping()
    }

    /// What the next link of the chain begins with.
    pub fn continuation(&self, place: ChainPlace, at_ms: i64) -> Continuation {
        let name = |node: usize| self.plan.node(node).name.clone();
        let ChainPlace { previous, root, link } = place;
        let due = |entry: &Entry| DueNode {
            node: name(entry.node),
            inputs: entry.inputs.clone(),
            sources: entry.sources.clone(),
        };
        let waiting = |(node, gathering, gathered): (usize, usize, &Gathered)| WaitingNode {
            node: name(node),
            gathering,
            inputs: gathered.inputs.clone(),
            sources: gathered.sources.clone(),
        };
        let nodes = 0..self.plan.definition.nodes.len();
        let memory = nodes.clone().filter_map(|node| Some((name(node), self.data.memory(node)?.clone())));
        Continuation {
            previous,
            root,
            link,
            start: self.start_of_next(),
            earlier_runs: self.execution_index,
            run_counts: run_counts(&self.plan, &self.data),
            due: self.stack.iter().map(due).collect(),
            waiting: self.waiting.gatherings().map(waiting).collect(),
            memory: memory.collect(),
            // Whoever is no fork has nothing that stands in for effects.
            is_fork: self.stubs.is_some(),
            at_ms,
        }
    }

    /// The machine right after the first event of a link. `data` is what the nodes gave in the links before.
    pub fn continued(plan: Arc<Plan>, continuation: &Continuation, mut data: RunData) -> Self {
        for (node, memory) in &continuation.memory {
            if let Some(node) = plan.graph.index(node) {
                data.set_memory(node, memory.clone());
            }
        }
        let mut machine = Self {
            start: Arc::new(continuation.start.clone()),
            data: Arc::new(data),
            stack: VecDeque::new(),
            waiting: Waiting::default(),
            phase: Phase::Running,
            execution_index: continuation.earlier_runs,
            is_announced: false,
            attempts: 0,
            in_flight: Vec::new(),
            control: Control::new(&continuation.start),
            wait: None,
            has_waited: false,
            last_run: None,
            stubs: None,
            plan,
        };
        if let Err(unknown) = machine.restore(continuation) {
            let message = format!("the node '{unknown}', which was due, is not in the workflow");
            machine.phase = Phase::Failed { node: None, error: json!({"name": "Error", "message": message}) };
        }
        machine
    }

    /// The machine of an execution that tries this one again from where it ended, under a plan that may be newer.
    #[must_use]
    pub fn retried(mut self, plan: Arc<Plan>, start: &StartFacts, earlier_runs: usize) -> Self {
        self.ground();
        let nobody = ExecutionId(Uuid::nil());
        let place = ChainPlace { previous: nobody, root: nobody, link: 0 };
        let stood = Continuation { start: start.clone(), earlier_runs, ..self.continuation(place, start.at_ms) };
        let data = self.into_data().moved(&plan, &Arc::new(start.clone()));
        Self::continued(plan, &stood, data)
    }

    /// Node runs so far: the next one has this place in the order of all.
    pub(crate) fn runs_so_far(&self) -> usize {
        self.execution_index
    }

    /// What the nodes gave so far, for good.
    pub fn into_data(self) -> RunData {
        Arc::unwrap_or_clone(self.data)
    }

    /// How the execution began, as the next link has it: with the breakpoints that count now.
    fn start_of_next(&self) -> StartFacts {
        let mut start = self.start.without_items();
        start.options.breakpoints.clone_from(&self.control.breakpoints);
        start
    }

    /// Puts back what was due and what waited; `Err` names a node that is not in the workflow.
    fn restore(&mut self, continuation: &Continuation) -> Result<(), String> {
        let plan = Arc::clone(&self.plan);
        let index = |node: &String| plan.graph.index(node).ok_or_else(|| node.clone());
        for DueNode { node, inputs, sources } in &continuation.due {
            let (inputs, sources) = (inputs.clone(), sources.clone());
            self.stack.push_back(Entry { node: index(node)?, inputs, sources });
        }
        for WaitingNode { node, gathering, inputs, sources } in &continuation.waiting {
            let gathered = Gathered { inputs: inputs.clone(), sources: sources.clone() };
            self.waiting.restore(index(node)?, *gathering, gathered);
        }
        Ok(())
    }
}

/// Finished runs by name of the node, nodes without any left out.
pub fn run_counts(plan: &Plan, data: &RunData) -> BTreeMap<String, usize> {
    let counts = (0..plan.definition.nodes.len()).map(|node| (plan.node(node).name.clone(), data.runs(node).len()));
    counts.filter(|(_, count)| *count > 0).collect()
}
