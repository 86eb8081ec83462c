//! A workflow made ready to run: its definition, its graph, and what each node's type says about it.

use std::collections::VecDeque;
use std::sync::Arc;

use chrono_tz::Tz;
use timeloom_domain::catalogue::{NodeDefinition, NodeRole, Ports};
use timeloom_domain::definition::{
    ExecutionOrder, Graph, Node, References, WorkflowDefinition, works_like_with_helpers,
};
use timeloom_domain::ids::WorkflowId;

use crate::node::{Behaviour, NodeRegistry, NodeShape, NodeType, RequiredInputs, SharedNodeType};

/// A workflow made ready to run. Shared by all its executions.
pub struct Plan {
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// What it is made of.
    pub definition: Arc<WorkflowDefinition>,
    /// How its nodes are connected.
    pub graph: Graph,
    /// In which order its branches run.
    pub order: ExecutionOrder,
    /// Whether its branches run at the same time.
    pub parallel_branches: bool,
    /// The zone in which its expressions tell the time.
    pub timezone: Tz,
    nodes: Vec<PlannedNode>,
}

/// One node with its type.
struct PlannedNode {
    node_type: SharedNodeType,
    shape: NodeShape,
    role: NodeRole,
}

/// The definition cannot run in this build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A node type is missing.
    #[error("node '{node}' has the type '{node_type}', which this build does not have")]
    UnknownType {
        /// Name of the node.
        node: String,
        /// Its type.
        node_type: String,
    },
    /// The time zone is not known.
    #[error("the workflow's time zone '{0}' is not known: use an IANA name such as Europe/Berlin")]
    UnknownTimezone(String),
}

/// Stands in for a node of an unknown type that is switched off: its items pass.
struct SwitchedOff;

impl NodeType for SwitchedOff {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "timeloom.switchedOff",
            display_name: "Switched off",
            description: "Passes its items on.",
            versions: &[1.0],
            role: NodeRole::Pure,
            ports: Ports { inputs: 1, outputs: 1, closes_loops: false },
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

impl Plan {
    /// Makes a definition ready to run.
    ///
    /// # Errors
    /// [`PlanError`] when a node type or the time zone is not known.
    pub fn try_new(
        workflow_id: WorkflowId,
        definition: Arc<WorkflowDefinition>,
        registry: &NodeRegistry,
        default_timezone: Tz,
    ) -> Result<Self, PlanError> {
        let switched_off: SharedNodeType = Arc::new(SwitchedOff);
        let mut nodes = Vec::with_capacity(definition.nodes.len());
        for node in &definition.nodes {
            let node_type = match registry.get(&node.node_type) {
                Some(known) => known,
                None if node.disabled => &switched_off,
                None => {
                    let (node, node_type) = (node.name.clone(), node.node_type.clone());
                    return Err(PlanError::UnknownType { node, node_type });
                }
            };
            let (shape, role) = (node_type.shape(node), node_type.definition().role);
            nodes.push(PlannedNode { node_type: Arc::clone(node_type), shape, role });
        }
        let timezone = match definition.settings.timezone.as_deref() {
            None | Some("" | "DEFAULT") => default_timezone,
            Some(name) => name.parse().map_err(|_| PlanError::UnknownTimezone(name.to_owned()))?,
        };
        let graph = Graph::new(&definition);
        let order = definition.settings.order();
        // Order v0 has rules of its own about which branch brings what: there they run one after the other.
        let parallel_branches = order == ExecutionOrder::V1 && definition.settings.parallel_branches == Some(true);
        Ok(Self { workflow_id, definition, graph, order, parallel_branches, timezone, nodes })
    }

    /// The node at `index`.
    pub fn node(&self, index: usize) -> &Node {
        &self.definition.nodes[index]
    }

    /// The type of the node at `index`.
    pub fn node_type(&self, index: usize) -> &SharedNodeType {
        &self.nodes[index].node_type
    }

    /// Inputs and outputs of the node at `index`.
    pub fn shape(&self, index: usize) -> NodeShape {
        self.nodes[index].shape
    }

    /// Whether the node runs without items: a trigger starts something, it follows nothing.
    pub fn is_trigger(&self, index: usize) -> bool {
        matches!(self.nodes[index].role, NodeRole::Trigger | NodeRole::ManualTrigger)
    }

    /// Whether the node touches the outside world, waits for it, or remembers from one execution to the next: what it gives
    /// does not follow from what it reads.
    pub fn reaches_out(&self, index: usize) -> bool {
        let node_type = self.node_type(index);
        matches!(node_type.behaviour(), Behaviour::Effect(_) | Behaviour::Wait(_))
            || node_type.remembers(self.node(index))
    }

    /// What a node reads, and what the nodes read that serve it: their expressions are evaluated for it.
    pub fn references(&self, index: usize) -> References {
        let helpers = self.graph.all_helpers(index).into_iter().map(|helper| helper.node);
        References::of_all([index].into_iter().chain(helpers).map(|index| &self.node(index).parameters))
    }

    /// Whether the node of that name does the same in both, with what serves it.
    pub fn works_like(&self, other: &Self, name: &str) -> bool {
        works_like_with_helpers((&self.definition, &self.graph), (&other.definition, &other.graph), name)
    }

    /// How many inputs must have data before the node runs in order v1; `None` means one is enough.
    pub fn required_inputs(&self, index: usize) -> Option<usize> {
        match self.nodes[index].shape.required_inputs {
            RequiredInputs::Any => None,
            RequiredInputs::AtLeast(count) => Some(count),
            RequiredInputs::All => Some(self.nodes[index].shape.inputs),
        }
    }

    /// All nodes before `index`, the nearest first, each once.
    pub fn parents(&self, index: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut open = VecDeque::from([index]);
        let mut seen = vec![false; self.definition.nodes.len()];
        seen[index] = true;
        while let Some(next) = open.pop_front() {
            for &(parent, _) in self.graph.inputs(next).iter().flatten() {
                if !seen[parent] {
                    seen[parent] = true;
                    found.push(parent);
                    open.push_back(parent);
                }
            }
        }
        found
    }

    /// The output of `from` from which a path leads to `to`; the shortest path counts.
    pub fn output_towards(&self, from: usize, to: usize) -> Option<usize> {
        let mut open = VecDeque::from([to]);
        let mut seen = vec![false; self.definition.nodes.len()];
        while let Some(next) = open.pop_front() {
            for &(parent, output) in self.graph.inputs(next).iter().flatten() {
                if parent == from {
                    return Some(output);
                }
                if !seen[parent] {
                    seen[parent] = true;
                    open.push_back(parent);
                }
            }
        }
        None
    }
}
