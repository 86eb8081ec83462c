//! Which nodes follow a finished one, and in which order.

use std::sync::Arc;

use timeloom_domain::definition::{ExecutionOrder, Target};
use timeloom_domain::item::{Item, Items, Outputs, Source};

use super::waiting::Gathered;
use super::{Entry, Machine};

/// One connection that is followed.
struct Step<'o> {
    from: usize,
    run_index: usize,
    output: usize,
    target: Target,
    items: &'o Items,
}

impl Machine {
    /// Puts the nodes that follow `from` on the stack, or lets them wait for their other inputs.
    pub(super) fn enqueue_followers(&mut self, from: usize, run_index: usize, outputs: &Outputs) {
        let plan = Arc::clone(&self.plan);
        let mut steps = Vec::new();
        for (output, targets) in plan.graph.outputs(from).iter().enumerate() {
            let Some(items) = outputs.get(output) else { continue };
            for &target in targets {
                let follows = !items.is_empty() || (target.input > 0 && plan.order == ExecutionOrder::V0);
                if follows {
                    steps.push(Step { from, run_index, output, target, items });
                }
            }
        }
        if plan.order == ExecutionOrder::V1 {
            // The stack takes each at its front: the lowest and rightmost goes on first and so runs last.
            steps.sort_by(|left, right| {
                let ([left_x, left_y], [right_x, right_y]) =
                    (plan.node(left.target.node).position, plan.node(right.target.node).position);
                right_y.total_cmp(&left_y).then(right_x.total_cmp(&left_x))
            });
        }
        for step in steps {
            self.enqueue(&step);
        }
    }

    fn push(&mut self, entry: Entry) {
        match self.plan.order {
            ExecutionOrder::V1 => self.stack.push_front(entry),
            ExecutionOrder::V0 => self.stack.push_back(entry),
        }
    }

    fn enqueue(&mut self, step: &Step<'_>) {
        let target = step.target;
        let source = Source {
            previous_node: self.plan.node(step.from).name.clone(),
            previous_node_output: step.output,
            previous_node_run: step.run_index,
        };
        let input_count = self.plan.graph.inputs(target.node).len();
        if input_count <= 1 {
            let mut inputs = vec![None; target.input + 1];
            inputs[target.input] = Some(Arc::clone(step.items));
            let mut sources = vec![None; target.input + 1];
            sources[target.input] = Some(source);
            self.push(Entry { node: target.node, inputs, sources });
            return;
        }
        let was_waiting = self.waiting.contains(target.node);
        let complete = self.waiting.add(target.node, target.input, input_count, Arc::clone(step.items), source);
        match complete {
            Some(Gathered { inputs, sources }) => self.push(Entry { node: target.node, inputs, sources }),
            None if !was_waiting && self.plan.order == ExecutionOrder::V0 => self.force_parents(step),
            None => {}
        }
    }

    /// Order v0: parents of the other inputs of a waiting node run although nothing leads to them.
    fn force_parents(&mut self, step: &Step<'_>) {
        let plan = Arc::clone(&self.plan);
        let siblings: Vec<usize> = plan.graph.outputs(step.from).iter().flatten().map(|target| target.node).collect();
        for &(input_node, _) in plan.graph.inputs(step.target.node).iter().flatten() {
            if input_node == step.from
                || (siblings.contains(&input_node) && !self.incoming_is_empty(input_node, step.run_index))
                || self.is_on_stack(input_node)
                || !self.data.runs(input_node).is_empty()
            {
                continue;
            }
            let Some(node) = self.first_unexecuted(input_node, &siblings) else { continue };
            let is_child = plan.parents(node).contains(&step.from);
            if is_child && step.items.is_empty() {
                continue;
            }
            let has_inputs = !plan.graph.inputs(node).is_empty();
            if has_inputs && !self.incoming_is_empty(node, step.run_index) {
                continue;
            }
            let previous_node = plan.node(step.from).name.clone();
            let source = Source { previous_node, previous_node_output: 0, previous_node_run: 0 };
            let inputs = vec![Some(Arc::new(vec![Item::default()]))];
            self.push(Entry { node, inputs, sources: vec![Some(source)] });
        }
    }

    /// Walks up from `input_node` to the highest node that has not run; `None` when it will run anyway.
    fn first_unexecuted(&self, input_node: usize, siblings: &[usize]) -> Option<usize> {
        let mut candidate = input_node;
        for node in std::iter::once(input_node).chain(self.plan.parents(input_node)) {
            if (node != input_node && siblings.contains(&node)) || self.is_on_stack(node) {
                return None;
            }
            if !self.data.runs(node).is_empty() {
                break;
            }
            candidate = node;
        }
        Some(candidate)
    }

    fn is_on_stack(&self, node: usize) -> bool {
        self.stack.iter().any(|entry| entry.node == node)
    }

    /// Whether nothing came to input 0 of `node` in that run.
    fn incoming_is_empty(&self, node: usize, run_index: usize) -> bool {
        let Some(connections) = self.plan.graph.inputs(node).first() else { return true };
        connections
            .iter()
            .all(|&(parent, output)| self.data.count(parent, run_index, output).is_none_or(|count| count == 0))
    }
}
