//! Nodes with several inputs that wait for the rest of them.

use std::collections::BTreeMap;

use timeloom_domain::definition::ExecutionOrder;
use timeloom_domain::item::{Items, Source};

use super::{Entry, Machine};

/// Gathered inputs, in the order in which nodes began to wait. A node may wait several times over (in loops).
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting {
    nodes: Vec<(usize, BTreeMap<usize, Gathered>)>,
}

/// Inputs that came in so far.
#[derive(Debug, Clone)]
pub(super) struct Gathered {
    pub(super) inputs: Vec<Option<Items>>,
    pub(super) sources: Vec<Option<Source>>,
}

impl Waiting {
    pub(super) fn contains(&self, node: usize) -> bool {
        self.nodes.iter().any(|(waiting, _)| *waiting == node)
    }

    /// Adds data for one input; answers all inputs once they are complete.
    pub(super) fn add(
        &mut self,
        node: usize,
        input: usize,
        input_count: usize,
        items: Items,
        source: Source,
    ) -> Option<Gathered> {
        let at = self.nodes.iter().position(|(waiting, _)| *waiting == node).unwrap_or_else(|| {
            self.nodes.push((node, BTreeMap::new()));
            self.nodes.len() - 1
        });
        let entries = &mut self.nodes[at].1;
        let free = entries.iter().find(|(_, entry)| entry.inputs.get(input).is_none_or(Option::is_none));
        let index = free.map_or_else(|| entries.keys().next_back().map_or(0, |last| last + 1), |(index, _)| *index);
        let entry = entries
            .entry(index)
            .or_insert_with(|| Gathered { inputs: vec![None; input_count], sources: vec![None; input_count] });
        if entry.inputs.len() <= input {
            entry.inputs.resize(input + 1, None);
            entry.sources.resize(input + 1, None);
        }
        entry.inputs[input] = Some(items);
        entry.sources[input] = Some(source);
        if entry.inputs.iter().any(Option::is_none) {
            return None;
        }
        let complete = entries.remove(&index)?;
        self.nodes.retain(|(_, entries)| !entries.is_empty());
        Some(complete)
    }

    /// Every gathering, in the order in which nodes began to wait: the node, which of its gatherings, the inputs so far.
    pub(super) fn gatherings(&self) -> impl Iterator<Item = (usize, usize, &Gathered)> {
        self.nodes
            .iter()
            .flat_map(|(node, entries)| entries.iter().map(move |(gathering, gathered)| (*node, *gathering, gathered)))
    }

    /// Puts a gathering back; they come in the order of [`Self::gatherings`].
    pub(super) fn restore(&mut self, node: usize, gathering: usize, gathered: Gathered) {
        match self.nodes.iter_mut().find(|(waiting, _)| *waiting == node) {
            Some((_, entries)) => {
                entries.insert(gathering, gathered);
            }
            None => self.nodes.push((node, BTreeMap::from([(gathering, gathered)]))),
        }
    }

    fn first(&self, node: usize) -> Option<&Gathered> {
        self.nodes.iter().find(|(waiting, _)| *waiting == node)?.1.values().next()
    }

    fn take_first(&mut self, node: usize) -> Option<Gathered> {
        let entries = &mut self.nodes.iter_mut().find(|(waiting, _)| *waiting == node)?.1;
        let taken = entries.pop_first().map(|(_, entry)| entry);
        self.nodes.retain(|(_, entries)| !entries.is_empty());
        taken
    }
}

impl Machine {
    /// Nothing else is left to run: nodes that can do with the inputs they have are put on the stack, one at a time.
    pub(super) fn release_waiting(&mut self) {
        let mut at = 0;
        while let Some(&(node, _)) = self.waiting.nodes.get(at) {
            if !self.may_release(node) {
                at += 1;
                continue;
            }
            let Some(entry) = self.waiting.take_first(node) else { return };
            let mut inputs: Vec<Option<Items>> =
                entry.inputs.into_iter().map(|items| Some(items.unwrap_or_default())).collect();
            if inputs.iter().flatten().any(|items| !items.is_empty()) {
                let count = inputs.len().max(self.plan.shape(node).inputs);
                inputs.resize_with(count, || Some(Items::default()));
                self.stack.push_back(Entry { node, inputs, sources: entry.sources });
                return;
            }
            // An entry without any item is dropped, and the search begins again.
            at = 0;
        }
    }

    fn may_release(&self, node: usize) -> bool {
        let required = match self.plan.order {
            ExecutionOrder::V1 => self.plan.required_inputs(node),
            ExecutionOrder::V0 => None,
        };
        if required.is_some_and(|count| count == self.plan.shape(node).inputs) && self.plan.shape(node).inputs > 1 {
            return false;
        }
        if self.plan.parents(node).into_iter().any(|parent| self.waiting.contains(parent)) {
            return false;
        }
        let with_data =
            self.waiting.first(node).map_or(0, |entry| entry.inputs.iter().filter(|items| items.is_some()).count());
        required.is_none_or(|count| with_data >= count)
    }
}
