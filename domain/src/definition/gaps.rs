//! What a definition needs and this build lacks: node types, and versions of them.
//!
//! A file with gaps is taken in, so that its author sees them here and can fill them; it is neither published nor run.

use serde_json::{Value, json};

use super::{Node, Problem, WorkflowDefinition};
use crate::catalogue::NodeCatalogue;

/// The type that stands in for a service's own node.
const REQUEST_TYPE: &str = "n8n-nodes-base.httpRequest";
/// Most gaps that are told of one definition.
const GAPS_MAX: usize = 100;

/// A node that this build cannot run.
#[derive(Debug, Clone, PartialEq)]
pub struct Gap {
    /// Name of the node.
    pub node: String,
    /// Its type.
    pub node_type: String,
    /// Its version.
    pub type_version: f64,
    /// The versions that run here; empty when the type is not known at all.
    pub known_versions: Vec<f64>,
    /// An HTTP Request that does the same, where the node itself says what it asks for.
    pub replacement: Option<Node>,
    /// What is missing and what to do.
    pub message: String,
}

impl Gap {
    /// The gap as a problem of the definition.
    pub fn problem(&self) -> Problem {
        let field = if self.known_versions.is_empty() { "type" } else { "typeVersion" };
        Problem { node: Some(self.node.clone()), field: field.to_owned(), message: self.message.clone() }
    }
}

/// The nodes of a definition that this build cannot run, at most 100. Nodes that are switched off pass their items on,
/// whatever they are.
///
/// ```
/// use timeloom_domain::catalogue::NodeCatalogue;
/// use timeloom_domain::definition::{gaps, parse};
///
/// let file = br#"{"nodes": [{"name": "Chat", "type": "n8n-nodes-base.chatty", "parameters": {"operation": "post"}}]}"#;
/// let found = gaps(&parse(file)?, &NodeCatalogue::default());
/// assert_eq!(found[0].node_type, "n8n-nodes-base.chatty");
/// assert!(found[0].message.contains("operation 'post'"));
/// # Ok::<(), timeloom_domain::definition::DefinitionError>(())
/// ```
pub fn gaps(definition: &WorkflowDefinition, catalogue: &NodeCatalogue) -> Vec<Gap> {
    let active = definition.nodes.iter().filter(|node| !node.disabled);
    active.filter_map(|node| gap(node, catalogue)).take(GAPS_MAX).collect()
}

fn gap(node: &Node, catalogue: &NodeCatalogue) -> Option<Gap> {
    let known_versions = match catalogue.get(&node.node_type) {
        Some(known) if known.versions.contains(&node.type_version) => return None,
        Some(known) => known.versions.to_vec(),
        None => Vec::new(),
    };
    let replacement = if known_versions.is_empty() { replacement(node, catalogue) } else { None };
    let message = match known_versions.is_empty() {
        true => missing_type(node, replacement.is_some()),
        false => {
            let versions = known_versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            format!("version {} of '{}' is not known: use one of {versions}", node.type_version, node.node_type)
        }
    };
    Some(Gap {
        node: node.name.clone(),
        node_type: node.node_type.clone(),
        type_version: node.type_version,
        known_versions,
        replacement,
        message,
    })
}

fn missing_type(node: &Node, has_replacement: bool) -> String {
    let text = |name: &str| node.parameters.get(name).and_then(Value::as_str);
    let asked: Vec<String> = ["resource", "operation"]
        .into_iter()
        .filter_map(|name| text(name).map(|value| format!("{name} '{value}'")))
        .collect();
    let what = if asked.is_empty() { String::new() } else { format!(" ({})", asked.join(", ")) };
    let advice = if has_replacement {
        "replace it by an HTTP Request to the same address"
    } else {
        "remove it, or replace it by an HTTP Request to the service"
    };
    format!("unknown node type '{}'{what}: this build has no such node; {advice}", node.node_type)
}

/// An HTTP Request to the address that the node holds; `None` when it holds none.
fn replacement(node: &Node, catalogue: &NodeCatalogue) -> Option<Node> {
    let text = |name: &str| node.parameters.get(name).and_then(Value::as_str);
    let url = ["url", "endpoint", "uri", "requestUrl", "baseUrl"].into_iter().find_map(|name| {
        text(name).filter(|url| url.starts_with("http://") || url.starts_with("https://") || url.starts_with('='))
    })?;
    let method = ["method", "requestMethod", "httpMethod"].into_iter().find_map(text).unwrap_or("GET");
    let versions = catalogue.get(REQUEST_TYPE)?.versions;
    Some(Node {
        node_type: REQUEST_TYPE.to_owned(),
        type_version: versions.last().copied()?,
        parameters: json!({"method": method.to_uppercase(), "url": url, "options": {}}),
        ..node.clone()
    })
}
