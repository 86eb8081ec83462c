//! The node types of this build, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use timeloom_domain::catalogue::{HelperPortsOf, NodeCatalogue, NodeCheck, OutputNamesOf, Ports, PortsOf};
use timeloom_domain::definition::Node;

use super::SharedNodeType;

/// The node types of this build, by name.
#[derive(Clone, Default)]
pub struct NodeRegistry {
    by_type: BTreeMap<String, SharedNodeType>,
}

impl NodeRegistry {
    /// A registry of these types.
    pub fn new(types: impl IntoIterator<Item = SharedNodeType>) -> Self {
        let mut registry = Self::default();
        for node_type in types {
            registry.insert(node_type);
        }
        registry
    }

    /// Adds a type, in place of one of the same name.
    pub fn insert(&mut self, node_type: SharedNodeType) {
        self.by_type.insert(node_type.definition().node_type.to_owned(), node_type);
    }

    /// The type of that name.
    pub fn get(&self, node_type: &str) -> Option<&SharedNodeType> {
        self.by_type.get(node_type)
    }

    /// The definitions as data, with the checks of the types.
    pub fn catalogue(&self) -> NodeCatalogue {
        let check = |node_type: &SharedNodeType| {
            let (name, node_type) = (node_type.definition().node_type, Arc::clone(node_type));
            (name, Arc::new(move |node: &Node| node_type.problems(node)) as NodeCheck)
        };
        let ports = |node_type: &SharedNodeType| {
            let (name, node_type) = (node_type.definition().node_type, Arc::clone(node_type));
            (name, Arc::new(move |node: &Node| node_type.helper_ports(node)) as HelperPortsOf)
        };
        let shape = |node_type: &SharedNodeType| {
            let (definition, node_type) = (node_type.definition(), Arc::clone(node_type));
            let (name, closes_loops) = (definition.node_type, definition.ports.closes_loops);
            let ports = move |node: &Node| {
                let shape = node_type.shape(node);
                Ports { inputs: shape.inputs, outputs: shape.outputs, closes_loops }
            };
            (name, Arc::new(ports) as PortsOf)
        };
        let names = |node_type: &SharedNodeType| {
            let (name, node_type) = (node_type.definition().node_type, Arc::clone(node_type));
            (name, Arc::new(move |node: &Node| node_type.output_names(node)) as OutputNamesOf)
        };
        let definitions = self.by_type.values().map(|node_type| node_type.definition());
        let catalogue = NodeCatalogue::new(definitions).with_checks(self.by_type.values().map(check));
        catalogue
            .with_helper_ports(self.by_type.values().map(ports))
            .with_ports(self.by_type.values().map(shape))
            .with_output_names(self.by_type.values().map(names))
    }
}
