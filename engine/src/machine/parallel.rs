//! Branches at the same time, where the workflow asks for it: which node is due while others are under way.
//!
//! Pure nodes still run one after the other; what overlaps is the time that nodes spend with the outside world.
//!
//! Invariant: the events alone say which node runs are under way, so that a machine made from them begins those again.

use timeloom_domain::execution::{ExecutionEvent, NodeFacts};

use super::{Entry, Machine, Task};
use crate::node::Behaviour;

/// A node run that has begun and not ended.
#[derive(Debug, Clone)]
pub(super) struct InFlight {
    pub(super) entry: Entry,
    facts: NodeFacts,
    attempts: u32,
}

impl Machine {
    /// Whether branches run at the same time.
    pub fn is_parallel(&self) -> bool {
        self.plan.parallel_branches
    }

    /// The node runs that have begun and not ended, oldest first.
    pub fn in_flight(&self) -> impl Iterator<Item = Task> {
        self.in_flight.iter().map(InFlight::task)
    }

    /// The node run with that place in the order of all, if it is under way.
    pub fn in_flight_at(&self, execution_index: usize) -> Option<Task> {
        self.in_flight.iter().find(|run| run.facts.execution_index == execution_index).map(InFlight::task)
    }

    /// Place on the stack of the node that is due; `None` when nothing is, or everything has to wait for what is under way.
    pub(super) fn due(&self) -> Option<usize> {
        if !self.is_parallel() {
            return (!self.stack.is_empty()).then_some(0);
        }
        if self.is_announced || self.wait.is_some() {
            // The node at the front is between two attempts, or waits.
            return Some(0);
        }
        let may_begin = |entry: &Entry| {
            let is_wait = matches!(self.plan.node_type(entry.node).behaviour(), Behaviour::Wait(_));
            !is_wait && self.in_flight.iter().all(|run| run.entry.node != entry.node)
        };
        let first = self.stack.iter().position(may_begin);
        // A wait holds everything up, so it comes when nothing else is left to do.
        first.or_else(|| (self.in_flight.is_empty() && !self.stack.is_empty()).then_some(0))
    }

    /// Takes the due node off the stack.
    pub(super) fn take_due(&mut self) -> Option<Entry> {
        let place = self.due()?;
        self.stack.remove(place)
    }

    /// Brings the due node to the front of the stack: it stays due, whatever comes on the stack before it is done.
    pub(super) fn hold_due(&mut self) {
        if let Some(entry) = self.take_due() {
            self.stack.push_front(entry);
        }
    }

    /// Folds an event of a node run in that overlaps others; false when it is one that runs alone.
    pub(super) fn apply_in_flight(&mut self, event: &ExecutionEvent) -> bool {
        match event {
            ExecutionEvent::NodeScheduled { run } => {
                let Some(entry) = self.take_due() else { return true };
                self.in_flight.push(InFlight { entry, facts: run.clone(), attempts: 0 });
                self.execution_index = run.execution_index + 1;
            }
            ExecutionEvent::NodeStarted { run, attempt, .. } | ExecutionEvent::NodeRetried { run, attempt, .. } => {
                let Some(flying) = self.flying(run) else { return false };
                flying.attempts = *attempt;
            }
            _ => return false,
        }
        true
    }

    fn flying(&mut self, run: &NodeFacts) -> Option<&mut InFlight> {
        self.in_flight.iter_mut().find(|flying| flying.facts.execution_index == run.execution_index)
    }

    /// Brings everything under way back to the front of the stack, as if it had not begun.
    pub(super) fn ground(&mut self) {
        while let Some(run) = self.in_flight.pop() {
            self.stack.push_front(run.entry);
        }
    }

    /// A node run under way failed for good: it is due again, should somebody try the execution again.
    pub(super) fn land_failed(&mut self, run: &NodeFacts) {
        if let Some(place) =
            self.in_flight.iter().position(|flying| flying.facts.execution_index == run.execution_index)
        {
            let failed = self.in_flight.remove(place);
            self.stack.push_front(failed.entry);
        }
    }

    /// The entry of a node run that ended: one under way, or the due one.
    pub(super) fn take_ended(&mut self, run: &NodeFacts) -> Option<Entry> {
        let place = self.in_flight.iter().position(|flying| flying.facts.execution_index == run.execution_index);
        match place {
            Some(place) => Some(self.in_flight.remove(place).entry),
            None => {
                let entry = self.take_due()?;
                self.execution_index = run.execution_index + 1;
                self.is_announced = false;
                self.attempts = 0;
                self.wait = None;
                Some(entry)
            }
        }
    }
}

impl InFlight {
    fn task(&self) -> Task {
        Task {
            node: self.entry.node,
            facts: self.facts.clone(),
            inputs: self.entry.inputs.clone(),
            attempts: self.attempts,
        }
    }
}
