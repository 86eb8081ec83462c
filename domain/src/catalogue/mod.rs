//! The node catalogue: node definitions as data. `engine/nodes` fills it; commands and the read API are handed it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::definition::{Node, Problem};

mod parameter;
mod shown;

pub use parameter::{
    Choice, Condition, Constant, CredentialDefinition, Language, Operator, ParameterDefinition, ParameterKind,
    ResourceDefinition, ResourceMode, Section, Values, Versions,
};
pub use shown::Level;

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
    /// Parameters, for checks, for help and for forms.
    pub parameters: &'static [ParameterDefinition],
    /// How people find it.
    pub palette: Palette,
    /// What its inputs and outputs are called.
    pub port_names: PortNames,
    /// The credentials that it takes.
    pub credentials: &'static [CredentialDefinition],
}

impl NodeDefinition {
    /// A definition that says nothing: what a node type has nothing to say about is taken from here.
    pub const BLANK: Self = Self {
        node_type: "",
        display_name: "",
        description: "",
        versions: &[],
        role: NodeRole::Pure,
        ports: Ports { inputs: 0, outputs: 0, closes_loops: false },
        parameters: &[],
        palette: Palette { group: NodeGroup::Flow, icon: "", aliases: &[] },
        port_names: PortNames { inputs: &[], outputs: &[], vary: None },
        credentials: &[],
    };
}

/// How people find a node type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Palette {
    /// The group in which it stands.
    pub group: NodeGroup,
    /// A word for its picture.
    pub icon: &'static str,
    /// Other words under which people look for it.
    pub aliases: &'static [&'static str],
}

/// A group of node types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeGroup {
    /// What starts executions.
    Triggers,
    /// What decides where items go, and when.
    Flow,
    /// What changes items.
    Data,
    /// What speaks with others by HTTP, and what reads and writes files.
    HttpAndFiles,
    /// What asks models.
    Ai,
    /// What serves those that ask models: language models, memories, tools.
    AiParts,
    /// What keeps data elsewhere and finds them again.
    Databases,
    /// What newer node types do better: workflows of before have them.
    Older,
}

/// What the inputs and outputs of a node type are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PortNames {
    /// Names of inputs; empty when they have none.
    pub inputs: &'static [&'static str],
    /// Names of outputs; empty when they have none.
    pub outputs: &'static [&'static str],
    /// What decides about their number, where it is not always the same: a sentence for people.
    pub vary: Option<&'static str>,
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

/// Says what is wrong with a node before its workflow becomes active: what no kind of parameter can say.
pub type NodeCheck = Arc<dyn Fn(&Node) -> Vec<Problem> + Send + Sync>;

/// Tells how a node meets helpers.
pub type HelperPortsOf = Arc<dyn Fn(&Node) -> HelperPorts + Send + Sync>;

/// Tells how many main inputs and outputs a node has.
pub type PortsOf = Arc<dyn Fn(&Node) -> Ports + Send + Sync>;

/// Tells what the main outputs of a node are called, in order; an empty text is no name.
pub type OutputNamesOf = Arc<dyn Fn(&Node) -> Vec<String> + Send + Sync>;

/// Says of each expression, a parameter's text without its leading `=`, why it cannot be read; `None` where it can. May take
/// its time: nobody calls it where something waits.
pub type ExpressionCheck = Arc<dyn Fn(&[&str]) -> Vec<Option<String>> + Send + Sync>;

/// All node types that this build can run, by type name.
#[derive(Clone, Default)]
pub struct NodeCatalogue {
    by_type: BTreeMap<&'static str, NodeDefinition>,
    checks: BTreeMap<&'static str, NodeCheck>,
    helper_ports: BTreeMap<&'static str, HelperPortsOf>,
    ports: BTreeMap<&'static str, PortsOf>,
    output_names: BTreeMap<&'static str, OutputNamesOf>,
    expressions: Option<ExpressionCheck>,
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

    /// The same, with how many inputs and outputs a node has, by type.
    #[must_use]
    pub fn with_ports(mut self, ports: impl IntoIterator<Item = (&'static str, PortsOf)>) -> Self {
        self.ports.extend(ports);
        self
    }

    /// The same, with what the main outputs of a node are called, by type.
    #[must_use]
    pub fn with_output_names(mut self, names: impl IntoIterator<Item = (&'static str, OutputNamesOf)>) -> Self {
        self.output_names.extend(names);
        self
    }

    /// What the main outputs of a node are called: as many as it has, an empty text where one has no name.
    pub fn output_names(&self, node: &Node) -> Vec<String> {
        let count = self.ports(node).map_or(0, |ports| ports.outputs);
        let mut names = self.output_names.get(node.node_type.as_str()).map(|names| names(node)).unwrap_or_default();
        names.resize_with(count, String::new);
        names
    }

    /// The same, with a check of expressions.
    #[must_use]
    pub fn with_expression_check(mut self, check: ExpressionCheck) -> Self {
        self.expressions = Some(check);
        self
    }

    /// Of each expression, a parameter's text without its leading `=`, why it cannot be read. Blocks while it looks.
    pub fn broken_expressions(&self, templates: &[&str]) -> Vec<Option<String>> {
        match &self.expressions {
            Some(check) if !templates.is_empty() => check(templates),
            _ => vec![None; templates.len()],
        }
    }

    /// How many inputs and outputs a node has; `None` when its type is not known.
    pub fn ports(&self, node: &Node) -> Option<Ports> {
        let known = self.get(&node.node_type)?;
        Some(self.ports.get(node.node_type.as_str()).map_or(known.ports, |ports| ports(node)))
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
