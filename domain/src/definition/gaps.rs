//! What a definition needs and this build lacks: node types, and versions of them.
//!
//! A file with gaps is taken in, so that its author sees them here and can fill them; it is neither published nor run.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{Node, Problem, WorkflowDefinition};
use crate::catalogue::NodeCatalogue;
use crate::service::{REQUEST_TYPE, REQUEST_VERSION, Replacement, service_of};

/// Most gaps that are told of one definition.
const GAPS_MAX: usize = 100;
/// Most characters of a word of the file that a message repeats.
const SHOWN_CHARACTERS_MAX: usize = 100;

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
    /// The service that it talks to, where the table of services has it.
    pub service: Option<GapService>,
    /// An HTTP Request that does the same, where the table or the node itself says what it asks for.
    pub replacement: Option<Replacement>,
    /// What is missing and what to do.
    pub message: String,
}

/// A service that a node talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapService {
    /// Its name.
    pub name: &'static str,
    /// Where its interface begins.
    pub base_url: &'static str,
    /// Where its interface is described.
    pub documentation: &'static str,
    /// Why no HTTP Request is offered; `None` where one is.
    pub refusal: Option<String>,
}

impl Gap {
    /// The gap as a problem of the definition.
    pub fn problem(&self) -> Problem {
        let field = if self.known_versions.is_empty() { "type" } else { "typeVersion" };
        Problem { node: Some(self.node.clone()), field: field.to_owned(), message: self.message.clone() }
    }

    /// The HTTP Request that the table of services offers.
    pub fn service_replacement(&self) -> Option<&Replacement> {
        self.service.as_ref().and(self.replacement.as_ref())
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
    let helped = helped(definition);
    let active = definition.nodes.iter().filter(|node| !node.disabled);
    active.filter_map(|node| gap(node, catalogue, &helped)).take(GAPS_MAX).collect()
}

/// The nodes to which others are attached: models, tools, memories.
fn helped(definition: &WorkflowDefinition) -> HashSet<&str> {
    let kinds = definition.connections.values().flatten().filter(|(kind, _)| *kind != "main");
    let targets = kinds.flat_map(|(_, outputs)| outputs.iter().flatten().flatten());
    targets.map(|connection| connection.node.as_str()).collect()
}

fn gap(node: &Node, catalogue: &NodeCatalogue, helped: &HashSet<&str>) -> Option<Gap> {
    let known_versions = match catalogue.get(&node.node_type) {
        Some(known) if known.versions.contains(&node.type_version) => return None,
        Some(known) => known.versions.to_vec(),
        None => Vec::new(),
    };
    let (mut service, mut replacement) = (None, None);
    if known_versions.is_empty() && can_request(catalogue) {
        (service, replacement) = offer(node, helped);
    }
    let message = match known_versions.is_empty() {
        true => missing_type(node, service.as_ref(), replacement.is_some()),
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
        service,
        replacement,
        message,
    })
}

fn can_request(catalogue: &NodeCatalogue) -> bool {
    catalogue.get(REQUEST_TYPE).is_some_and(|known| known.versions.contains(&REQUEST_VERSION))
}

fn offer(node: &Node, helped: &HashSet<&str>) -> (Option<GapService>, Option<Replacement>) {
    let Some(service) = service_of(node) else { return (None, by_address(node)) };
    let offered = match helped.contains(node.name.as_str()) {
        true => Err("other nodes are attached to it, such as tools".to_owned()),
        false => service.replace(node),
    };
    let (replacement, refusal) = match offered {
        Ok(replacement) => (Some(replacement), None),
        Err(refusal) => (None, Some(refusal)),
    };
    let (name, base_url, documentation) = (&service.service, &service.base_url, &service.documentation);
    (Some(GapService { name, base_url, documentation, refusal }), replacement)
}

fn missing_type(node: &Node, service: Option<&GapService>, has_replacement: bool) -> String {
    let text = |name: &str| node.parameters.get(name).and_then(Value::as_str);
    let asked: Vec<String> = ["resource", "operation"]
        .into_iter()
        .filter_map(|name| text(name).map(|value| format!("{name} '{}'", short(value))))
        .collect();
    let what = if asked.is_empty() { String::new() } else { format!(" ({})", asked.join(", ")) };
    let advice = match service {
        Some(GapService { name, refusal: None, .. }) => format!(
            "an HTTP Request to {name} can take its place: `timeloom workflow replace-service-nodes` or the mutation \
             `replaceServiceNodes` puts it there"
        ),
        Some(GapService { name, base_url, documentation, refusal: Some(refusal) }) => format!(
            "no HTTP Request to {name} is offered, because {refusal}; replace it by one that you write, to {base_url} \
             as {documentation} describes"
        ),
        None if has_replacement => "replace it by an HTTP Request to the same address".to_owned(),
        None if node.node_type.ends_with("Trigger") => {
            "remove it, or replace it by a Webhook that the service calls, or by a Schedule Trigger and an HTTP Request"
                .to_owned()
        }
        None => "remove it, or replace it by an HTTP Request to the service".to_owned(),
    };
    format!("unknown node type '{}'{what}: this build has no such node; {advice}", node.node_type)
}

fn short(word: &str) -> String {
    word.chars().take(SHOWN_CHARACTERS_MAX).collect()
}

/// An HTTP Request to the address that the node holds; `None` when it holds none.
fn by_address(node: &Node) -> Option<Replacement> {
    let text = |name: &str| node.parameters.get(name).and_then(Value::as_str);
    let places = ["url", "endpoint", "uri", "requestUrl", "baseUrl"];
    let (place, url) = places.into_iter().find_map(|name| {
        let url = text(name)?;
        let is_address = url.starts_with("http://") || url.starts_with("https://") || url.starts_with('=');
        is_address.then_some((name, url))
    })?;
    let methods = ["method", "requestMethod", "httpMethod"];
    let method = methods.into_iter().find_map(text).unwrap_or("GET");
    let others = node.parameters.as_object().into_iter().flat_map(|parameters| parameters.keys());
    let dropped = others.filter(|name| **name != place && !methods.contains(&name.as_str())).cloned().collect();
    let named = node.credentials.as_ref().and_then(Value::as_object);
    let needs = named
        .into_iter()
        .flat_map(|types| types.keys())
        .map(|name| format!("choose a credential in place of the one of type '{name}'"));
    Some(Replacement {
        needs: needs.collect(),
        dropped,
        differs: Vec::new(),
        node: Node {
            node_type: REQUEST_TYPE.to_owned(),
            type_version: REQUEST_VERSION,
            parameters: json!({"method": method.to_uppercase(), "url": url, "options": {}}),
            ..node.clone()
        },
    })
}

/// The HTTP Requests of the table of services in place of the nodes that this build lacks, and which nodes these were.
/// Without `names` all that are offered.
///
/// # Errors
/// A problem for each named node for which none is offered.
pub fn replace_service_nodes(
    definition: &WorkflowDefinition,
    catalogue: &NodeCatalogue,
    names: &[String],
) -> Result<Vec<Gap>, Vec<Problem>> {
    let gaps = gaps(definition, catalogue);
    let offered = |name: &String| gaps.iter().find(|gap| gap.node == *name && gap.service_replacement().is_some());
    let problems: Vec<Problem> = names
        .iter()
        .filter(|name| offered(name).is_none())
        .map(|name| match gaps.iter().find(|gap| gap.node == *name) {
            Some(gap) => gap.problem(),
            None => {
                let known = definition.nodes.iter().any(|node| node.name == *name);
                let message = if known { "the node needs no replacement" } else { "there is no such node" };
                Problem { node: Some(name.clone()), field: "name".to_owned(), message: message.to_owned() }
            }
        })
        .collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let is_wanted = |gap: &Gap| names.is_empty() || names.contains(&gap.node);
    Ok(gaps.into_iter().filter(|gap| gap.service_replacement().is_some() && is_wanted(gap)).collect())
}
