//! Nodes that serve other nodes instead of running by themselves: language models, memories, tools. Whether they are attached
//! where they fit, and whether two definitions attach the same.

use super::validate::problem;
use super::{Graph, Node, Problem, WorkflowDefinition};
use crate::catalogue::{NodeCatalogue, NodeRole};

/// What helpers of a kind are, for people.
pub fn helper_name(kind: &str) -> &str {
    match kind {
        "ai_languageModel" => "language model",
        "ai_memory" => "memory",
        "ai_tool" => "tool",
        "ai_outputParser" => "output parser",
        "ai_embedding" => "embedding",
        "ai_vectorStore" => "vector store",
        "ai_document" => "document loader",
        "ai_textSplitter" => "text splitter",
        "ai_retriever" => "retriever",
        "ai_reranker" => "reranker",
        other => other,
    }
}

/// What is wrong with the helpers of a definition: one that is missing, one that does not fit, one that is to run by itself.
pub fn helper_problems(definition: &WorkflowDefinition, catalogue: &NodeCatalogue) -> Vec<Problem> {
    let graph = Graph::new(definition);
    let mut problems = Vec::new();
    for (index, node) in definition.nodes.iter().enumerate().filter(|(_, node)| !node.disabled) {
        check_places(definition, &graph, index, catalogue, &mut problems);
        let leads_here = graph.inputs(index).iter().any(|sources| !sources.is_empty());
        if leads_here && catalogue.role(node) == NodeRole::Helper {
            let message = "items lead to it, and it does not run by itself: attach it to a node that it serves instead";
            problems.push(problem(Some(&node.name), "connections", message));
        }
    }
    problems
}

fn check_places(
    definition: &WorkflowDefinition,
    graph: &Graph,
    index: usize,
    catalogue: &NodeCatalogue,
    problems: &mut Vec<Problem>,
) {
    let node = &definition.nodes[index];
    let Some(ports) = catalogue.helper_ports(node) else { return };
    let attached = || graph.helpers(index).iter().filter(|helper| !definition.nodes[helper.node].disabled);
    let mut tell = |node: &Node, kind: &str, message: String| {
        problems.push(problem(Some(&node.name), &format!("connections.{kind}"), &message));
    };
    for place in ports.takes.iter().filter(|place| place.required) {
        if !attached().any(|helper| helper.kind == place.kind) {
            let name = helper_name(place.kind);
            tell(
                node,
                place.kind,
                format!("it has no {name}: attach one, with a connection of the kind {}", place.kind),
            );
        }
    }
    for helper in attached() {
        let (by, name) = (&definition.nodes[helper.node], helper_name(&helper.kind));
        if !ports.takes.iter().any(|place| place.kind == helper.kind) {
            let message = format!("is attached to '{}' as its {name}, which it does not take: remove it", node.name);
            tell(by, &helper.kind, message);
            continue;
        }
        let serves = catalogue.helper_ports(by).is_none_or(|ports| ports.serves.contains(&helper.kind.as_str()));
        if !serves {
            let message = format!("is attached to '{}' as its {name}, which it is not: remove it", node.name);
            tell(by, &helper.kind, message);
        }
    }
}

/// Whether a node of one definition does the same as the one of that name in another: by itself, and with the same helpers.
pub fn works_like_with_helpers(
    (one, graph): (&WorkflowDefinition, &Graph),
    (other, other_graph): (&WorkflowDefinition, &Graph),
    name: &str,
) -> bool {
    let of = |definition: &WorkflowDefinition, graph: &Graph| -> Option<Vec<(String, Node)>> {
        let index = graph.index(name)?;
        let helpers = graph.all_helpers(index).into_iter();
        let helpers = helpers.map(|helper| (helper.kind.clone(), definition.nodes[helper.node].clone()));
        Some([(String::new(), definition.nodes[index].clone())].into_iter().chain(helpers).collect())
    };
    match (of(one, graph), of(other, other_graph)) {
        (Some(one), Some(other)) => {
            let is_same = |((kind, node), (other_kind, other)): (&(String, Node), &(String, Node))| {
                kind == other_kind && node.name == other.name && node.works_like(other)
            };
            one.len() == other.len() && one.iter().zip(&other).all(is_same)
        }
        _ => false,
    }
}
