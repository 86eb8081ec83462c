//! The connections of a workflow as a graph: who follows whom, who comes before, where a run starts.

use std::collections::{BTreeSet, HashMap};

use super::{Node, WorkflowDefinition};
use crate::catalogue::{NodeCatalogue, NodeRole};

/// The kind of connection that items flow along.
const MAIN: &str = "main";

/// The type that starts a manual run wherever it is.
const MANUAL_TYPE: &str = "n8n-nodes-base.manualTrigger";

/// Types that start a manual run when no other trigger does, in order of preference.
const START_TYPES: [&str; 4] = [
    "n8n-nodes-base.executeWorkflowTrigger",
    "n8n-nodes-base.errorTrigger",
    "n8n-nodes-base.evaluationTrigger",
    "n8n-nodes-base.formTrigger",
];

/// Where one output leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Index of the target node in the definition.
    pub node: usize,
    /// Index of its input.
    pub input: usize,
}

/// A node that serves another one instead of running by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Helper {
    /// As what, in the word of the connection: `ai_languageModel`, `ai_tool`.
    pub kind: String,
    /// Index of the helper in the definition.
    pub node: usize,
    /// Place among those of its kind, where that matters: a second model stands in for the first.
    pub place: usize,
}

/// A definition's nodes by index, with their connections in both directions.
#[derive(Debug, Clone)]
pub struct Graph {
    by_name: HashMap<String, usize>,
    outputs: Vec<Vec<Vec<Target>>>,
    inputs: Vec<Vec<Vec<(usize, usize)>>>,
    helpers: Vec<Vec<Helper>>,
}

/// Why no trigger could be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TriggerError {
    /// Nothing can start this workflow.
    #[error("the workflow has no enabled trigger node: add a Manual Trigger")]
    None,
    /// The named trigger is not there.
    #[error("the workflow has no enabled node named '{0}' to start from")]
    Unknown(String),
}

impl Graph {
    /// The graph of `definition`. Connections to nodes that do not exist are left out; `validate` reports them.
    pub fn new(definition: &WorkflowDefinition) -> Self {
        let by_name: HashMap<String, usize> =
            definition.nodes.iter().enumerate().map(|(index, node)| (node.name.clone(), index)).collect();
        let mut graph = Self {
            outputs: vec![Vec::new(); definition.nodes.len()],
            inputs: vec![Vec::new(); definition.nodes.len()],
            helpers: vec![Vec::new(); definition.nodes.len()],
            by_name,
        };
        graph.attach_all(definition);
        for (name, kinds) in &definition.connections {
            let (Some(&from), Some(outputs)) = (graph.by_name.get(name), kinds.get(MAIN)) else {
                continue;
            };
            for (output, connections) in outputs.iter().enumerate() {
                for connection in connections.iter().flatten().filter(|connection| connection.kind == MAIN) {
                    let Some(&to) = graph.by_name.get(&connection.node) else {
                        continue;
                    };
                    graph.connect((from, output), Target { node: to, input: connection.index });
                }
            }
        }
        graph
    }

    fn attach_all(&mut self, definition: &WorkflowDefinition) {
        for (name, kinds) in &definition.connections {
            let Some(&node) = self.by_name.get(name) else { continue };
            let others = kinds.values().flatten().flatten().flatten().filter(|connection| connection.kind != MAIN);
            for connection in others {
                if let Some(&to) = self.by_name.get(&connection.node) {
                    let (kind, place) = (connection.kind.clone(), connection.index);
                    self.helpers[to].push(Helper { kind, node, place });
                }
            }
        }
        for helpers in &mut self.helpers {
            helpers.sort_by_key(|helper| (helper.place, helper.node));
            helpers.dedup();
        }
    }

    fn connect(&mut self, (from, output): (usize, usize), target: Target) {
        let outputs = &mut self.outputs[from];
        outputs.resize_with(outputs.len().max(output + 1), Vec::new);
        outputs[output].push(target);
        let inputs = &mut self.inputs[target.node];
        inputs.resize_with(inputs.len().max(target.input + 1), Vec::new);
        inputs[target.input].push((from, output));
    }

    /// Index of the node of that name.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// What follows each output of a node.
    pub fn outputs(&self, node: usize) -> &[Vec<Target>] {
        &self.outputs[node]
    }

    /// What leads to each connected input of a node: `(node, output)`.
    pub fn inputs(&self, node: usize) -> &[Vec<(usize, usize)>] {
        &self.inputs[node]
    }

    /// The nodes that serve a node, those that are switched off as well: by place, then in the order of the file.
    pub fn helpers(&self, node: usize) -> &[Helper] {
        &self.helpers[node]
    }

    /// The same, and those that serve them in their turn; each node once.
    pub fn all_helpers(&self, node: usize) -> Vec<&Helper> {
        let (mut found, mut seen, mut open) = (Vec::new(), BTreeSet::from([node]), vec![node]);
        while let Some(next) = open.pop() {
            for helper in &self.helpers[next] {
                if seen.insert(helper.node) {
                    found.push(helper);
                    open.push(helper.node);
                }
            }
        }
        found
    }

    /// All nodes from which `node` can be reached, itself only when it lies on a loop.
    pub fn ancestors(&self, node: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open: Vec<usize> = vec![node];
        while let Some(next) = open.pop() {
            for &(parent, _) in self.inputs[next].iter().flatten() {
                if found.insert(parent) {
                    open.push(parent);
                }
            }
        }
        found
    }

    /// The node with which a manual run starts: `wanted`, or the only node, or the Manual Trigger, or the first other trigger
    /// in file order.
    ///
    /// # Errors
    /// [`TriggerError`] when there is none.
    pub fn start_node(
        &self,
        definition: &WorkflowDefinition,
        catalogue: &NodeCatalogue,
        wanted: Option<&str>,
    ) -> Result<usize, TriggerError> {
        let enabled = |node: &Node| !node.disabled;
        if let Some(name) = wanted {
            let found = self.index(name).filter(|&index| enabled(&definition.nodes[index]));
            return found.ok_or_else(|| TriggerError::Unknown(name.to_owned()));
        }
        let runs = |node: &Node| !matches!(catalogue.role(node), NodeRole::Annotation | NodeRole::Helper);
        let mut runnable = definition.nodes.iter().enumerate().filter(|(_, node)| runs(node));
        if let (Some((index, node)), None) = (runnable.next(), runnable.next())
            && enabled(node)
        {
            return Ok(index);
        }
        let first = |is: &dyn Fn(&Node) -> bool| definition.nodes.iter().position(|node| enabled(node) && is(node));
        let is_of = |node: &Node, node_type: &str| node.node_type == node_type;
        // Whoever runs it by hand means the trigger that is there for that, whatever else may begin it.
        first(&|node| is_of(node, MANUAL_TYPE))
            .or_else(|| first(&|node| catalogue.role(node) == NodeRole::Trigger && !is_start_type(node)))
            .or_else(|| START_TYPES.iter().find_map(|node_type| first(&|node| is_of(node, node_type))))
            .ok_or(TriggerError::None)
    }
}

fn is_start_type(node: &Node) -> bool {
    START_TYPES.contains(&node.node_type.as_str())
}
