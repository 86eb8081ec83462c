//! The pure machine: what an execution does next, as a function of its plan and its events.
//!
//! It does nothing itself: [`Machine::next`] names the action, a runner carries it out and tells the result as an
//! event, [`Machine::apply`] folds that event. Folding the same events gives the same machine, which is how an
//! execution goes on after a crash and how its history is replayed without touching the world.

mod continuation;
mod control;
mod enqueue;
mod kept;
mod parallel;
mod run_data;
mod waiting;

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::definition::ExecutionOrder;
use timeloom_domain::execution::{ExecutionEvent, ExecutionMode, NodeFacts, StartFacts};
use timeloom_domain::item::{Items, Outputs, Source};

use crate::attempt::place_inputs;
use crate::plan::Plan;
use crate::stub::Stubs;
pub use continuation::run_counts;
use control::Control;
pub use control::DueWait;
pub use kept::{Fetch, HELD_BYTES_MAX, Place, Written};
use parallel::InFlight;
pub use run_data::{NodeRunData, RunData};
use waiting::Waiting;

/// Most node runs in one execution.
pub const NODE_RUNS_MAX: usize = 100_000;

/// What to do next.
#[derive(Debug, Clone)]
pub enum Action {
    /// Run a node.
    Run(Task),
    /// Take down that a node was reached without items.
    Skip {
        /// Name of the node.
        node: String,
    },
    /// Nothing until one of the nodes under way ends.
    Await,
    /// Every branch ended.
    Complete,
    /// The execution fails.
    Fail {
        /// The node to blame.
        node: Option<String>,
        /// What went wrong.
        error: Value,
    },
    /// Nothing until somebody lets it go on.
    Rest,
    /// Nothing: it has ended.
    Nothing,
}

/// A node run that is due.
#[derive(Debug, Clone)]
pub struct Task {
    /// Index of the node in the definition.
    pub node: usize,
    /// Which run of which node.
    pub facts: NodeFacts,
    /// Items by input; `None` for an input without data.
    pub inputs: Vec<Option<Items>>,
    /// Attempts that were begun already.
    pub attempts: u32,
}

/// A node that is to run, with its input.
#[derive(Debug, Clone)]
struct Entry {
    node: usize,
    inputs: Vec<Option<Items>>,
    sources: Vec<Option<Source>>,
}

#[derive(Debug, Clone)]
enum Phase {
    Running,
    Failed { node: Option<String>, error: Value },
    Ended,
}

/// An execution between two of its node runs.
pub struct Machine {
    plan: Arc<Plan>,
    start: Arc<StartFacts>,
    data: Arc<RunData>,
    stack: VecDeque<Entry>,
    waiting: Waiting,
    phase: Phase,
    execution_index: usize,
    /// Whether events have told of the node run that is due.
    is_announced: bool,
    attempts: u32,
    /// Node runs that overlap, where branches run at the same time.
    in_flight: Vec<InFlight>,
    control: Control,
    wait: Option<DueWait>,
    has_waited: bool,
    last_run: Option<(usize, usize)>,
    /// What stands in for effects, in a fork or a replay.
    stubs: Option<Box<Stubs>>,
}

impl Machine {
    /// The machine right after its execution's first event.
    pub fn new(plan: Arc<Plan>, start: Arc<StartFacts>) -> Self {
        let data = Arc::new(RunData::new(Arc::clone(&plan), Arc::clone(&start)));
        let mut machine = Self {
            data,
            stack: VecDeque::new(),
            waiting: Waiting::default(),
            phase: Phase::Running,
            execution_index: 0,
            is_announced: false,
            attempts: 0,
            in_flight: Vec::new(),
            control: Control::new(&start),
            wait: None,
            has_waited: false,
            last_run: None,
            stubs: None,
            plan,
            start,
        };
        match machine.plan.graph.index(&machine.start.start_node) {
            Some(node) => {
                let inputs = vec![Some(Arc::new(machine.start.items.clone()))];
                machine.stack.push_back(Entry { node, inputs, sources: Vec::new() });
            }
            None => {
                let message = format!("the start node '{}' is not in the workflow", machine.start.start_node);
                machine.phase = Phase::Failed { node: None, error: json!({"name": "Error", "message": message}) };
            }
        }
        machine
    }

    /// The workflow that it runs.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// How the execution began.
    pub fn start(&self) -> &Arc<StartFacts> {
        &self.start
    }

    /// Lets `stubs` stand in for effects from here on.
    pub(crate) fn follow(&mut self, mut stubs: Stubs) {
        stubs.begin(&self.data);
        self.stubs = Some(Box::new(stubs));
    }

    /// What stands in for effects.
    pub(crate) fn stubs(&self) -> Option<&Stubs> {
        self.stubs.as_deref()
    }

    /// Lets `from` fetch what nodes gave, so that not all of it need be in memory.
    pub fn fetch_from(&mut self, from: Arc<dyn Fetch>) {
        Arc::make_mut(&mut self.data).fetch_from(from);
    }

    /// The log has these node runs now.
    pub fn written(&mut self, written: Vec<Written>) {
        if !written.is_empty() {
            Arc::make_mut(&mut self.data).written(written);
        }
    }

    /// What the nodes gave so far.
    pub fn data(&self) -> &Arc<RunData> {
        &self.data
    }

    /// The node that ran last, and which of its runs that was.
    pub fn last_run(&self) -> Option<(usize, usize)> {
        self.last_run
    }

    /// Whether it has waited for a time, a request or a person.
    pub fn has_waited(&self) -> bool {
        self.has_waited
    }

    /// Items that stand in for a node's output.
    pub fn pinned(&self, node: usize) -> Option<&Vec<timeloom_domain::item::Item>> {
        (self.start.mode == ExecutionMode::Manual).then(|| self.start.pins.get(&self.plan.node(node).name)).flatten()
    }

    /// Makes the input of the node that is due name its own places. Where nobody else has it, that takes no copy of it. It is
    /// what the node gets in any case, so that it is the same whether this was called or not.
    pub(crate) fn place_inputs(&mut self) {
        let Some(entry) = self.stack.front_mut() else { return };
        if !self.plan.node(entry.node).execute_once {
            place_inputs(&mut entry.inputs);
        }
    }

    /// Lets go of the input of the node that is due: only its run has it then. That run must be the node's end.
    pub(crate) fn let_input_go(&mut self) {
        if let Some(entry) = self.due().and_then(|place| self.stack.get_mut(place)) {
            entry.inputs.clear();
        }
    }

    /// What to do next.
    pub fn next(&self) -> Action {
        match &self.phase {
            Phase::Ended => return Action::Nothing,
            // What is under way comes to its end first: its effect may have happened.
            Phase::Failed { .. } if !self.in_flight.is_empty() => return Action::Await,
            Phase::Failed { node, error } => return Action::Fail { node: node.clone(), error: error.clone() },
            Phase::Running => {}
        }
        if self.control.is_paused {
            return Action::Rest;
        }
        let Some(entry) = self.due().and_then(|place| self.stack.get(place)) else {
            return if self.in_flight.is_empty() { Action::Complete } else { Action::Await };
        };
        if self.execution_index >= NODE_RUNS_MAX {
            let message = format!("stopped after {NODE_RUNS_MAX} node runs: the workflow does not seem to end");
            return self.fail_at(entry.node, &message);
        }
        let node = self.plan.node(entry.node);
        if self.has_no_items(entry) && !node.always_output_data && self.pinned(entry.node).is_none() {
            return Action::Skip { node: node.name.clone() };
        }
        Action::Run(Task {
            node: entry.node,
            facts: NodeFacts {
                node: node.name.clone(),
                run_index: self.data.runs(entry.node).len(),
                execution_index: self.execution_index,
                sources: entry.sources.clone(),
            },
            inputs: entry.inputs.clone(),
            attempts: self.attempts,
        })
    }

    fn fail_at(&self, node: usize, message: &str) -> Action {
        Action::Fail {
            node: Some(self.plan.node(node).name.clone()),
            error: json!({"name": "Error", "message": message}),
        }
    }

    /// Whether a node that needs items has none on the input that its expressions read.
    fn has_no_items(&self, entry: &Entry) -> bool {
        if entry.sources.is_empty() || self.plan.is_trigger(entry.node) {
            return false;
        }
        expression_input(self.plan.order, &entry.inputs).is_none_or(|items| items.is_empty())
    }

    /// Folds one event of this execution in.
    pub fn apply(&mut self, event: &ExecutionEvent) {
        if self.apply_control(event) {
            return;
        }
        if self.is_parallel() && self.apply_in_flight(event) {
            return;
        }
        match event {
            ExecutionEvent::NodeScheduled { .. } => self.is_announced = true,
            ExecutionEvent::NodeStarted { attempt, .. } | ExecutionEvent::NodeRetried { attempt, .. } => {
                self.hold_due();
                self.is_announced = true;
                self.attempts = *attempt;
            }
            ExecutionEvent::NodeCompleted { run, outputs, memory, .. } => {
                if let Some(memory) = memory {
                    self.remember(run, memory.to_object());
                }
                self.finish_run(run, outputs, None);
            }
            ExecutionEvent::NodeFailed { run, error, outputs, .. } => match outputs {
                Some(outputs) => self.finish_run(run, outputs, Some(error.clone())),
                None => {
                    self.land_failed(run);
                    self.phase = Phase::Failed { node: Some(run.node.clone()), error: error.clone() };
                }
            },
            ExecutionEvent::NodeSkipped { .. } => {
                self.take_due();
            }
            ExecutionEvent::ExecutionCompleted { .. }
            | ExecutionEvent::ExecutionFailed { .. }
            | ExecutionEvent::ExecutionCancelled { .. } => self.phase = Phase::Ended,
            // The machine goes on: the next stream begins with the state that this one left.
            ExecutionEvent::ExecutionContinuedAsNew { .. } | ExecutionEvent::ExecutionContinued(_) => {}
            // The rest is about how the execution is run, not about what it does.
            _ => {}
        }
    }

    fn remember(&mut self, run: &NodeFacts, memory: timeloom_domain::item::JsonObject) {
        if let Some(node) = self.plan.graph.index(&run.node) {
            Arc::make_mut(&mut self.data).set_memory(node, memory);
        }
    }

    /// A node gave its output: it leaves the stack, those that follow it come on.
    fn finish_run(&mut self, run: &NodeFacts, outputs: &Outputs, error: Option<Value>) {
        let Some(entry) = self.take_ended(run) else { return };
        if let Some(stubs) = &mut self.stubs {
            stubs.take(run, outputs);
        }
        let (node, run_index) = (entry.node, self.data.runs(entry.node).len());
        Arc::make_mut(&mut self.data).push(node, NodeRunData::new(run, outputs, error));
        self.last_run = Some((node, run_index));
        self.enqueue_followers(node, run_index, outputs);
        if self.stack.is_empty() && self.in_flight.is_empty() {
            self.release_waiting();
        }
        self.settle();
    }

    /// In order v0 a node whose inputs are incomplete goes to the back of the stack until they are there. When that
    /// is true of all of them, nothing will bring them any more.
    fn settle(&mut self) {
        for _ in 0..self.stack.len() {
            if self.stack.front().is_none_or(|entry| !self.is_incomplete(entry)) {
                return;
            }
            self.stack.rotate_left(1);
        }
        if let Some(entry) = self.stack.front() {
            let message = "stopped because it seems to be in an endless loop: an input never gets data";
            let node = Some(self.plan.node(entry.node).name.clone());
            self.phase = Phase::Failed { node, error: json!({"name": "Error", "message": message}) };
        }
    }

    fn is_incomplete(&self, entry: &Entry) -> bool {
        self.plan.order == ExecutionOrder::V0
            && (0..self.plan.graph.inputs(entry.node).len())
                .any(|input| entry.inputs.len() < input || entry.inputs.get(input).is_some_and(Option::is_none))
    }
}

/// The input that expressions read: input 0 in order v0, the first that has items in order v1.
pub fn expression_input(order: ExecutionOrder, inputs: &[Option<Items>]) -> Option<&Items> {
    let first = inputs.first().and_then(Option::as_ref);
    match order {
        ExecutionOrder::V0 => first,
        ExecutionOrder::V1 => inputs.iter().flatten().find(|items| !items.is_empty()).or(first),
    }
}
