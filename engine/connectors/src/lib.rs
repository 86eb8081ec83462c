//! Node types that speak with other programs: databases, files here and elsewhere, servers of the Model Context Protocol.
//!
//! Each group is a folder, and all but one are features of the build; a build without one does not know its node types. All
//! connections go through `timeloom-egress`, all files lie below the folder that the operator named. Invariant: whatever the
//! other side sends, a node ends within its time and with a bounded amount of data.

#[cfg(any(feature = "brokers", feature = "mail"))]
mod attachment;
#[cfg(feature = "brokers")]
mod brokers;
#[cfg(feature = "databases")]
mod databases;
mod fields;
#[cfg(feature = "files")]
mod files;
#[cfg(feature = "listening")]
mod listening;
#[cfg(feature = "mail")]
mod mail;
mod mcp;
#[cfg(feature = "databases")]
mod pool;
#[cfg(any(feature = "databases", feature = "files"))]
mod root;
#[cfg(feature = "ssh")]
mod ssh;
#[cfg(any(feature = "databases", feature = "files", feature = "listening"))]
mod stream;
#[cfg(any(feature = "brokers", feature = "databases", feature = "mail"))]
mod tool;
#[cfg(any(feature = "databases", feature = "listening"))]
mod tunnel;
#[cfg(any(feature = "brokers", feature = "listening", feature = "mail"))]
mod wire;

use std::path::PathBuf;

use timeloom_engine::node::{NodeRegistry, SharedNodeType};

pub use crate::mcp::{
    Discovered as McpSignIn, McpCommands, McpListing, discover as discover_mcp, list as list_mcp_tools,
    register as register_mcp,
};

/// What the operator of a deployment decides about these node types.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The folder in which nodes may read and write files; without one they are refused.
    pub files_root: Option<PathBuf>,
    /// Whether nodes may run commands, on this machine and by SSH on others.
    pub commands: bool,
    /// The programs of this machine that are servers of the Model Context Protocol, by the names under which nodes know them.
    pub mcp_commands: McpCommands,
}

/// The built-in node types and those of this crate.
pub fn registry(settings: &Settings) -> NodeRegistry {
    let mut registry = timeloom_nodes::registry::all();
    node_types(settings).into_iter().for_each(|node_type| registry.insert(node_type));
    registry
}

/// The node types of the groups in this build.
pub fn node_types(settings: &Settings) -> Vec<SharedNodeType> {
    let groups: &[fn(&Settings) -> Vec<SharedNodeType>] = &[
        #[cfg(feature = "brokers")]
        brokers::node_types,
        #[cfg(feature = "databases")]
        databases::node_types,
        #[cfg(feature = "files")]
        files::node_types,
        #[cfg(feature = "listening")]
        listening::node_types,
        #[cfg(feature = "mail")]
        mail::node_types,
        mcp::node_types,
    ];
    groups.iter().flat_map(|group| group(settings)).collect()
}

#[cfg(test)]
mod tests {
    use timeloom_domain::catalogue::{NodeDefinition, NodeRole};
    use timeloom_engine::node::Behaviour;

    use super::*;

    fn own() -> NodeRegistry {
        NodeRegistry::new(node_types(&Settings::default()))
    }

    #[test]
    fn what_the_node_types_declare_fits_together() {
        timeloom_nodes::testing::check_definitions(&own());
    }

    #[test]
    fn the_page_of_nodes_tells_every_type_and_version_and_no_other() {
        let page = include_str!("../../../docs/nodes.md");
        let registry = registry(&Settings::default());
        let row = |definition: &NodeDefinition| {
            let versions = definition.versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            format!("| `{}` | {versions} | {} |", definition.node_type, definition.description)
        };
        let rows: Vec<String> = registry.catalogue().iter().map(row).collect();
        let missing: Vec<&String> = rows.iter().filter(|row| !page.contains(row.as_str())).collect();
        assert!(missing.is_empty(), "docs/nodes.md lacks these rows, or tells them otherwise: {missing:#?}");
        // A build without a group has fewer types than the page.
        if cfg!(all(
            feature = "brokers",
            feature = "databases",
            feature = "listening",
            feature = "mail",
            feature = "ssh"
        )) {
            let told = page.lines().filter(|line| line.starts_with("| `")).count();
            assert_eq!(told, rows.len(), "docs/nodes.md has rows of types that are not there");
        }
    }

    #[test]
    fn what_listens_is_known_as_such_where_workflows_are_activated() {
        let registry = registry(&Settings::default());
        for definition in registry.catalogue().iter() {
            let listens = registry.get(definition.node_type).is_some_and(|node_type| node_type.listens().is_some());
            assert_eq!(listens, timeloom_domain::listener::listens(definition.node_type), "{}", definition.node_type);
        }
    }

    #[test]
    fn node_types_that_reach_outside_are_effects() {
        let own = own();
        for node_type in node_types(&Settings::default()) {
            let definition = node_type.definition();
            match node_type.listens() {
                // A tool is run by an agent, as the node that it is named after.
                None if definition.role == NodeRole::Helper => {
                    let of_node = definition.node_type.strip_suffix("Tool").and_then(|name| own.get(name));
                    let of_node = of_node.unwrap_or_else(|| panic!("{}: no node", definition.node_type)).definition();
                    assert_eq!(definition.versions, of_node.versions, "{}", definition.node_type);
                    assert_eq!(definition.parameters[1..], *of_node.parameters, "{}", definition.node_type);
                }
                None => {
                    assert!(definition.role == NodeRole::Effect, "{}", definition.node_type);
                    assert!(matches!(node_type.behaviour(), Behaviour::Effect(_)), "{}", definition.node_type);
                }
                Some(_) => assert!(definition.role == NodeRole::Trigger, "{}", definition.node_type),
            }
            assert!(definition.description.ends_with('.'), "{}", definition.node_type);
        }
    }
}
