//! Nodes of this crate that are attached to an agent as its tools: the agent runs the node of the same name without `Tool`.
//!
//! Never runs by itself. Invariant: what it can be told is what its node can be told, and a description for the model.

use timeloom_domain::catalogue::{HelperPorts, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::Node;
use timeloom_engine::node::{Behaviour, NodeError, NodeOutput, NodeRun, NodeType, PureNode};
use timeloom_nodes::describe::{long_text, palette, ports};

/// What the model is told, before the node's own parameters.
pub(crate) const TOLD: ParameterDefinition =
    long_text("toolDescription", "What the model is told of it, so that it knows when to use it.")
        .called("Description")
        .like("Call this tool to find the orders of a customer.");

/// A node type that serves as a tool.
pub(crate) struct Tool<N> {
    /// The node type that the agent runs.
    pub node: N,
    /// Its name with `Tool` at the end.
    pub node_type: &'static str,
    /// What people call it.
    pub display_name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// [`TOLD`], and the parameters of the node.
    pub parameters: &'static [ParameterDefinition],
}

impl<N: NodeType> NodeType for Tool<N> {
    fn definition(&self) -> NodeDefinition {
        let of_node = self.node.definition();
        NodeDefinition {
            node_type: self.node_type,
            display_name: self.display_name,
            description: self.description,
            versions: of_node.versions,
            role: NodeRole::Helper,
            ports: ports(0, 0),
            parameters: self.parameters,
            palette: palette(NodeGroup::AiParts, of_node.palette.icon, of_node.palette.aliases),
            credentials: of_node.credentials,
            ..NodeDefinition::BLANK
        }
    }

    fn helper_ports(&self, _node: &Node) -> HelperPorts {
        HelperPorts::serving("ai_tool")
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl<N: NodeType> PureNode for Tool<N> {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let message = format!("'{}' does not run by itself", run.node.name);
        Err(NodeError::operation(message).described("attach it to an agent as a tool, and lead no items to it"))
    }
}
