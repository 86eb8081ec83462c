//! What expressions learn about the other nodes of a run: their items, and which of them an item was made from.

use std::sync::Arc;

use serde_json::Value;
use timeloom_domain::item::{Item, Items, Outputs, PairedItem, PairedReference, Source};
use timeloom_expressions::scope::{Found, Lookup, LookupError, NodeLookup};
use timeloom_store::LogError;

use crate::machine::RunData;

/// Most steps from an item back to its origin.
const PAIRED_STEPS_MAX: usize = 10_000;

/// An item that a node gave: its run, output and place.
type Origin = (usize, usize, usize);

/// The run so far, as one node run sees it.
pub struct RunLookup {
    data: Arc<RunData>,
    current: usize,
    inputs: Vec<Items>,
    sources: Vec<Option<Source>>,
}

impl RunLookup {
    /// The run `data` as node `current` sees it, which has these inputs from these sources.
    pub fn new(data: Arc<RunData>, current: usize, inputs: Vec<Items>, sources: Vec<Option<Source>>) -> Self {
        Self { data, current, inputs, sources }
    }

    fn node(&self, name: &str) -> Result<usize, LookupError> {
        self.data.plan().graph.index(name).ok_or_else(|| LookupError::UnknownNode(name.to_owned()))
    }

    fn items(&self, name: &str, output: Option<usize>, run: Option<usize>) -> Result<Items, LookupError> {
        let node = self.node(name)?;
        let runs = self.data.runs(node);
        if runs.is_empty() {
            let pinned = self.data.start().pins.get(name);
            return pinned
                .map(|items| Arc::new(items.clone()))
                .ok_or_else(|| LookupError::NotExecuted(name.to_owned()));
        }
        let run = run.unwrap_or(runs.len() - 1);
        if run >= runs.len() {
            let message = format!("run {run} of node '{name}' doesn't exist: it ran {} times", runs.len());
            return Err(LookupError::NoPairedItem(message));
        }
        let output = output.or_else(|| self.data.plan().output_towards(node, self.current)).unwrap_or(0);
        Ok(self.given(node, run)?.get(output).cloned().unwrap_or_default())
    }

    /// What a run gave, by output.
    fn given(&self, node: usize, run: usize) -> Result<Outputs, LookupError> {
        let unreadable = |error: LogError| LookupError::Unreadable {
            node: self.data.plan().node(node).name.clone(),
            reason: error.to_string(),
        };
        self.data.outputs(node, run).unwrap_or_else(|| Ok(Outputs::new())).map_err(unreadable)
    }

    fn paired_item(&self, name: &str, item_index: usize) -> Result<Item, LookupError> {
        let wanted = self.node(name)?;
        if self.data.runs(wanted).is_empty() {
            if let Some(item) = self.data.start().pins.get(name).and_then(|items| items.get(item_index)) {
                return Ok(item.clone());
            }
            return Err(LookupError::NotExecuted(name.to_owned()));
        }
        let item = self
            .inputs
            .iter()
            .find_map(|items| items.get(item_index))
            .ok_or_else(|| LookupError::NoPairedItem(format!("there is no input item {item_index}")))?;
        let mut origins = self.trace(wanted, item.paired_item.as_ref())?;
        origins.sort_unstable();
        origins.dedup();
        let mut items = origins.into_iter().map(|origin| self.item(wanted, origin));
        let first = items.next().ok_or_else(|| unavailable(name))??;
        for other in items {
            if other? != first {
                return Err(LookupError::NoPairedItem(format!(
                    "multiple items of node '{name}' match item {item_index}: use .first(), .last() or .all()[index]"
                )));
            }
        }
        Ok(first)
    }

    fn item(&self, node: usize, (run, output, item): Origin) -> Result<Item, LookupError> {
        let given = self.given(node, run)?;
        let found = given.get(output).and_then(|items| items.get(item));
        found.cloned().ok_or_else(|| unavailable(&self.data.plan().node(node).name))
    }

    /// The items of node `wanted` from which an item of this node's input was made: its references, followed back. In a
    /// loop they lead through every round, so the way is kept in memory and not on the thread's stack.
    fn trace(&self, wanted: usize, paired: Option<&PairedItem>) -> Result<Vec<Origin>, LookupError> {
        let references =
            |paired: Option<&PairedItem>| paired.map(PairedItem::references).unwrap_or_default().into_iter();
        let (mut found, mut steps) = (Vec::new(), 0);
        let mut way = vec![(references(paired), self.sources.as_slice())];
        while let Some((open, sources)) = way.last_mut() {
            let Some(reference) = open.next() else {
                way.pop();
                continue;
            };
            let Some((node, origin, paired)) = self.referenced(&reference, sources) else { continue };
            if node == wanted {
                found.push(origin);
                continue;
            }
            let Some(run) = self.data.runs(node).get(origin.0) else { continue };
            steps += 1;
            if steps >= PAIRED_STEPS_MAX {
                return Err(LookupError::NoPairedItem(format!(
                    "the item's origin lies more than {PAIRED_STEPS_MAX} steps back"
                )));
            }
            way.push((references(paired.as_ref()), run.sources.as_slice()));
        }
        Ok(found)
    }

    /// The node and item that `reference` names, and from what that was made.
    fn referenced(
        &self,
        reference: &PairedReference,
        sources: &[Option<Source>],
    ) -> Option<(usize, Origin, Option<PairedItem>)> {
        let source = match &reference.source_overwrite {
            Some(source) => source,
            None => sources.get(reference.input.unwrap_or(0))?.as_ref()?,
        };
        let node = self.data.plan().graph.index(&source.previous_node)?;
        let origin = (source.previous_node_run, source.previous_node_output, reference.item);
        let paired = self.data.paired(node, origin.0, origin.1, origin.2)?;
        Some((node, origin, paired))
    }

    /// The item from which `reference` says an output item was made, for error outputs.
    pub fn origin(&self, reference: &PairedReference) -> Option<&Item> {
        self.inputs.get(reference.input.unwrap_or(0))?.get(reference.item)
    }
}

fn unavailable(name: &str) -> LookupError {
    LookupError::NoPairedItem(format!(
        "paired item data for node '{name}' is unavailable: a node between gave no pairedItem; use .first(), .last() or .all()[index]"
    ))
}

impl NodeLookup for RunLookup {
    fn look_up(&self, lookup: &Lookup) -> Result<Found, LookupError> {
        match lookup {
            Lookup::Items { node, output, run } => self.items(node, *output, *run).map(Found::Items),
            Lookup::PairedItem { node, item_index } => {
                self.paired_item(node, *item_index).map(|item| Found::Item(Box::new(item)))
            }
            Lookup::IsExecuted { node } => {
                let index = self.node(node)?;
                Ok(Found::Value(Value::Bool(!self.data.runs(index).is_empty())))
            }
            Lookup::Parameters { node } => {
                let index = self.node(node)?;
                Ok(Found::Value(self.data.plan().node(index).parameters.clone()))
            }
            Lookup::Context { node } => {
                let index = self.node(node)?;
                Ok(Found::Value(Value::Object(self.data.memory(index).cloned().unwrap_or_default())))
            }
        }
    }
}
