//! The node catalogue: node definitions as data. `engine/nodes` fills it; commands and the read API are handed it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::definition::{Node, Problem};

/// What is known about one node type without running it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeDefinition {
    /// Type name, for example `n8n-nodes-base.set`.
    pub node_type: &'static str,
    /// Name for people.
    pub display_name: &'static str,
    /// One sentence: what it does.
    pub description: &'static str,
    /// Versions that run here, ascending.
    pub versions: &'static [f64],
    /// What part it plays in a workflow.
    pub role: NodeRole,
    /// How many main inputs and outputs it has.
    pub ports: Ports,
    /// Parameters, for checks and for help.
    pub parameters: &'static [ParameterDefinition],
}

/// What part a node type plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeRole {
    /// Starts an execution by hand.
    ManualTrigger,
    /// Starts an execution from outside.
    Trigger,
    /// Computes from its input alone: may be computed again after a crash.
    Pure,
    /// Touches the outside world: its start is recorded before, its result after.
    Effect,
    /// Never runs by itself: serves the nodes that it is attached to, as their language model, their memory, a tool.
    Helper,
    /// Never runs: notes on the canvas.
    Annotation,
}

/// How a node meets helpers: nodes that serve another one instead of running by themselves. A kind is the word of its
/// connection, such as `ai_languageModel`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HelperPorts {
    /// As what it can be attached to other nodes.
    pub serves: Vec<&'static str>,
    /// What can be attached to it.
    pub takes: Vec<HelperPlace>,
}

/// A place of a node at which helpers of one kind are attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HelperPlace {
    /// Their kind.
    pub kind: &'static str,
    /// Whether the node cannot run without one.
    pub required: bool,
}

impl HelperPorts {
    /// Those of a node that is attached to others as `kind`, and takes nothing itself.
    pub fn serving(kind: &'static str) -> Self {
        Self { serves: vec![kind], takes: Vec::new() }
    }

    /// The same, with a place that must be filled.
    #[must_use]
    pub fn requiring(mut self, kind: &'static str) -> Self {
        self.takes.push(HelperPlace { kind, required: true });
        self
    }

    /// The same, with a place that may be filled.
    #[must_use]
    pub fn taking(mut self, kind: &'static str) -> Self {
        self.takes.push(HelperPlace { kind, required: false });
        self
    }
}

/// How many main inputs and outputs a node type has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ports {
    /// Inputs; a node with a variable number says how many at least.
    pub inputs: usize,
    /// Outputs; a node with a variable number says how many at least.
    pub outputs: usize,
    /// Whether the node returns items to an earlier node on purpose: a loop may pass through it.
    pub closes_loops: bool,
}

/// One parameter of a node type.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParameterDefinition {
    /// Name in the file.
    pub name: &'static str,
    /// Kind of value.
    pub kind: ParameterKind,
    /// Whether a run without it fails.
    pub required: bool,
    /// One sentence for people.
    pub description: &'static str,
}

/// Kind of value that a parameter takes. Expressions are allowed everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterKind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// One of these words.
    Options(&'static [&'static str]),
    /// An object or array of the node's own shape.
    Structure,
    /// JavaScript.
    Code,
}

/// Says what is wrong with a node before its workflow becomes active: what no kind of parameter can say.
pub type NodeCheck = Arc<dyn Fn(&Node) -> Vec<Problem> + Send + Sync>;

/// Tells how a node meets helpers.
pub type HelperPortsOf = Arc<dyn Fn(&Node) -> HelperPorts + Send + Sync>;

/// All node types that this build can run, by type name.
#[derive(Clone, Default)]
pub struct NodeCatalogue {
    by_type: BTreeMap<&'static str, NodeDefinition>,
    checks: BTreeMap<&'static str, NodeCheck>,
    helper_ports: BTreeMap<&'static str, HelperPortsOf>,
}

impl fmt::Debug for NodeCatalogue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.by_type.keys()).finish()
    }
}

impl NodeCatalogue {
    /// A catalogue of these definitions.
    pub fn new(definitions: impl IntoIterator<Item = NodeDefinition>) -> Self {
        let by_type = definitions.into_iter().map(|definition| (definition.node_type, definition)).collect();
        Self { by_type, ..Self::default() }
    }

    /// The same, with checks of nodes by type.
    #[must_use]
    pub fn with_checks(mut self, checks: impl IntoIterator<Item = (&'static str, NodeCheck)>) -> Self {
        self.checks.extend(checks);
        self
    }

    /// The same, with how nodes meet helpers, by type.
    #[must_use]
    pub fn with_helper_ports(mut self, ports: impl IntoIterator<Item = (&'static str, HelperPortsOf)>) -> Self {
        self.helper_ports.extend(ports);
        self
    }

    /// How a node meets helpers; `None` when its type is not known.
    pub fn helper_ports(&self, node: &Node) -> Option<HelperPorts> {
        self.get(&node.node_type)?;
        Some(self.helper_ports.get(node.node_type.as_str()).map(|ports| ports(node)).unwrap_or_default())
    }

    /// What keeps a node from working in an active workflow.
    pub fn problems(&self, node: &Node) -> Vec<Problem> {
        self.checks.get(node.node_type.as_str()).map(|check| check(node)).unwrap_or_default()
    }

    /// The definition of a type.
    pub fn get(&self, node_type: &str) -> Option<&NodeDefinition> {
        self.by_type.get(node_type)
    }

    /// The role of a node; unknown types count as effects.
    pub fn role(&self, node: &Node) -> NodeRole {
        self.get(&node.node_type).map_or(NodeRole::Effect, |definition| definition.role)
    }

    /// All definitions, by type name.
    pub fn iter(&self) -> impl Iterator<Item = &NodeDefinition> {
        self.by_type.values()
    }
}
