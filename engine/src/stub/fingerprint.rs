//! Fingerprints of what nodes gave: enough to tell whether a node would read the same again, without keeping the items.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use timeloom_domain::definition::References;
use timeloom_domain::execution::NodeFacts;
use timeloom_domain::item::{Item, Outputs, Source};

use crate::machine::RunData;

/// A fingerprint.
pub(crate) type Fingerprint = [u8; 32];

/// Fingerprints of what the nodes of one execution gave so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fingerprints {
    /// Of each output of each run.
    outputs: HashMap<(String, usize), Vec<Fingerprint>>,
    /// Of everything that a node gave, in order.
    nodes: HashMap<String, Fingerprint>,
}

impl Fingerprints {
    /// Of everything in `data`. What cannot be read is as if it had not been given: then nothing is taken for the same.
    pub(crate) fn of(data: &RunData) -> Self {
        let mut all = Self::default();
        for node in 0..data.plan().definition.nodes.len() {
            let name = &data.plan().node(node).name;
            for run in 0..data.runs(node).len() {
                if let Some(Ok(outputs)) = data.outputs(node, run) {
                    all.add(name, run, &outputs);
                }
            }
        }
        all
    }

    /// Takes in what a node gave.
    pub(crate) fn take(&mut self, run: &NodeFacts, outputs: &Outputs) {
        self.add(&run.node, run.run_index, outputs);
    }

    fn add(&mut self, node: &str, run_index: usize, outputs: &Outputs) {
        let each: Vec<Fingerprint> = outputs.iter().map(|items| of_items(items)).collect();
        let mut whole = Sha256::new();
        whole.update(self.nodes.get(node).copied().unwrap_or_default());
        each.iter().for_each(|output| whole.update(output));
        self.nodes.insert(node.to_owned(), whole.finalize().into());
        self.outputs.insert((node.to_owned(), run_index), each);
    }

    /// Of everything that a node run reads: its inputs, and what the nodes gave that its expressions name.
    pub(crate) fn read(&self, run: &NodeFacts, references: &References) -> Fingerprint {
        let mut all = Sha256::new();
        for source in &run.sources {
            all.update(source.as_ref().and_then(|source| self.source(source)).unwrap_or_default());
        }
        let named: BTreeSet<&str> = match references.is_open {
            // Any of them may be meant.
            true => self.nodes.keys().map(String::as_str).collect(),
            false => references.nodes(),
        };
        for node in named {
            all.update(node.as_bytes());
            all.update(self.nodes.get(node).copied().unwrap_or_default());
        }
        all.finalize().into()
    }

    fn source(&self, source: &Source) -> Option<Fingerprint> {
        let run = self.outputs.get(&(source.previous_node.clone(), source.previous_node_run))?;
        run.get(source.previous_node_output).copied()
    }
}

/// From what an item was made does not count: nodes do not read it.
fn of_items(items: &[Item]) -> Fingerprint {
    let mut all = Sha256::new();
    for item in items {
        add_object(&mut all, &item.json);
        if let Some(binary) = &item.binary {
            add(&mut all, &serde_json::to_value(binary).unwrap_or_default());
        }
        all.update(b"\n");
    }
    all.finalize().into()
}

/// The order of fields does not count, since no expression can tell it from another by their values.
fn add_object(all: &mut Sha256, object: &Map<String, Value>) {
    let mut fields: Vec<_> = object.iter().collect();
    fields.sort_unstable_by_key(|(name, _)| *name);
    all.update(b"{");
    for (name, value) in fields {
        all.update((name.len() as u64).to_le_bytes());
        all.update(name.as_bytes());
        add(all, value);
    }
    all.update(b"}");
}

/// Nesting is bounded: items come of JSON, whose depth its reader bounds.
fn add(all: &mut Sha256, value: &Value) {
    match value {
        Value::Object(fields) => add_object(all, fields),
        Value::Array(values) => {
            all.update(b"[");
            values.iter().for_each(|value| add(all, value));
            all.update(b"]");
        }
        Value::String(text) => {
            all.update(b"\"");
            all.update((text.len() as u64).to_le_bytes());
            all.update(text.as_bytes());
        }
        plain => {
            all.update(plain.to_string().as_bytes());
            all.update(b",");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(items: Value) -> Fingerprint {
        let items = items.as_array().unwrap().iter();
        of_items(&items.map(|json| Item::new(json.as_object().unwrap().clone())).collect::<Vec<_>>())
    }

    #[test]
    fn what_reads_the_same_has_the_same_fingerprint_and_nothing_else_has() {
        assert_eq!(of(json!([{ "a": 1, "b": [true, null] }])), of(json!([{ "b": [true, null], "a": 1 }])));
        let all = [
            json!([]),
            json!([{}]),
            json!([{}, {}]),
            json!([{ "a": 1 }]),
            json!([{ "a": "1" }]),
            json!([{ "a": [1, 2] }]),
            json!([{ "a": [[1], 2] }]),
            json!([{ "a": ["12"] }]),
            json!([{ "a": ["1", "2"] }]),
            json!([{ "a": 1, "b": 2 }]),
            json!([{ "a": 1 }, { "b": 2 }]),
            json!([{ "a": { "b": 2 } }]),
        ];
        let fingerprints: BTreeSet<Fingerprint> = all.iter().map(|items| of(items.clone())).collect();
        assert_eq!(fingerprints.len(), all.len());
    }
}
