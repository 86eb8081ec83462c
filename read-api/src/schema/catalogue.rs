//! The node catalogue, for editors and for help.

use async_graphql::{Enum, SimpleObject};
use timeloom_domain::catalogue::{self as domain, NodeCatalogue, ParameterKind as DomainKind};

/// What part a node type plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::NodeRole")]
pub(crate) enum NodeRole {
    /// Starts an execution by hand.
    ManualTrigger,
    /// Starts an execution from outside.
    Trigger,
    /// Computes from its input alone.
    Pure,
    /// Touches the outside world.
    Effect,
    /// Never runs by itself: serves the nodes that it is attached to, as their language model, their memory, a tool.
    Helper,
    /// Never runs: notes on the canvas.
    Annotation,
}

/// Kind of value that a parameter takes. Expressions are allowed everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ParameterKind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// One of the words in `options`.
    Options,
    /// An object or array of the node's own shape.
    Structure,
    /// JavaScript.
    Code,
}

/// One parameter of a node type.
#[derive(Debug, SimpleObject)]
pub(crate) struct NodeParameter {
    /// Name in the workflow file.
    pub name: &'static str,
    /// Kind of value.
    pub kind: ParameterKind,
    /// The words that are allowed, for options.
    pub options: Option<Vec<&'static str>>,
    /// Whether a run without it fails.
    pub required: bool,
    /// One sentence for people.
    pub description: &'static str,
}

/// A node type that this build runs.
#[derive(Debug, SimpleObject)]
pub(crate) struct NodeType {
    /// Type name, for example `n8n-nodes-base.set`.
    #[graphql(name = "type")]
    pub node_type: &'static str,
    /// Name for people.
    pub display_name: &'static str,
    /// One sentence: what it does.
    pub description: &'static str,
    /// Versions that run here, ascending.
    pub versions: Vec<f64>,
    /// What part it plays in a workflow.
    pub role: NodeRole,
    /// How many main inputs it has, at least.
    pub inputs: usize,
    /// How many main outputs it has, at least.
    pub outputs: usize,
    /// Whether a loop may pass through it.
    pub closes_loops: bool,
    /// Its parameters.
    pub parameters: Vec<NodeParameter>,
}

/// All node types, or the one named.
pub(crate) fn node_types(catalogue: &NodeCatalogue, node_type: Option<&str>) -> Vec<NodeType> {
    catalogue.iter().filter(|known| node_type.is_none_or(|wanted| known.node_type == wanted)).map(view).collect()
}

fn view(definition: &domain::NodeDefinition) -> NodeType {
    NodeType {
        node_type: definition.node_type,
        display_name: definition.display_name,
        description: definition.description,
        versions: definition.versions.to_vec(),
        role: definition.role.into(),
        inputs: definition.ports.inputs,
        outputs: definition.ports.outputs,
        closes_loops: definition.ports.closes_loops,
        parameters: definition.parameters.iter().map(parameter).collect(),
    }
}

fn parameter(definition: &domain::ParameterDefinition) -> NodeParameter {
    let (kind, options) = match definition.kind {
        DomainKind::Text => (ParameterKind::Text, None),
        DomainKind::Number => (ParameterKind::Number, None),
        DomainKind::Boolean => (ParameterKind::Boolean, None),
        DomainKind::Options(words) => (ParameterKind::Options, Some(words.to_vec())),
        DomainKind::Structure => (ParameterKind::Structure, None),
        DomainKind::Code => (ParameterKind::Code, None),
    };
    let (name, required, description) = (definition.name, definition.required, definition.description);
    NodeParameter { name, kind, options, required, description }
}
