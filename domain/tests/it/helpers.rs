//! Nodes that serve others: where they may be attached, and what is told of those that are missing or do not fit.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::catalogue::{HelperPorts, HelperPortsOf, NodeCatalogue, NodeDefinition, NodeRole, Ports};
use timeloom_domain::definition::{Graph, WorkflowDefinition, helper_problems, validate};

use crate::samples::{node, read};

const MODEL: &str = "ai_languageModel";
const MEMORY: &str = "ai_memory";

fn catalogue() -> NodeCatalogue {
    let known = |node_type, role| NodeDefinition {
        node_type,
        display_name: "Sample",
        description: "A node for tests.",
        versions: &[1.0],
        role,
        ports: Ports { inputs: 1, outputs: 1, closes_loops: false },
        ..NodeDefinition::BLANK
    };
    let types = [
        known("n8n-nodes-base.manualTrigger", NodeRole::ManualTrigger),
        known("test.chain", NodeRole::Effect),
        known("test.model", NodeRole::Helper),
    ];
    let chain: HelperPortsOf = Arc::new(|_| HelperPorts::default().requiring(MODEL));
    let model: HelperPortsOf = Arc::new(|_| HelperPorts::serving(MODEL));
    NodeCatalogue::new(types).with_helper_ports([("test.chain", chain), ("test.model", model)])
}

/// A trigger and a chain, with helpers attached to the chain, each as something.
fn served(helpers: &[(&str, &str)]) -> Value {
    let mut nodes = vec![node("Start", "n8n-nodes-base.manualTrigger"), node("Chain", "test.chain")];
    let mut connections = json!({"Start": {"main": [[{"node": "Chain", "type": "main", "index": 0}]]}});
    for (name, kind) in helpers {
        nodes.push(node(name, "test.model"));
        connections[name] = json!({*kind: [[{"node": "Chain", "type": kind, "index": 0}]]});
    }
    json!({"name": "served", "nodes": nodes, "connections": connections})
}

fn told(definition: &WorkflowDefinition) -> Vec<String> {
    validate(definition, &catalogue()).unwrap();
    helper_problems(definition, &catalogue()).iter().map(ToString::to_string).collect()
}

#[test]
fn a_node_without_what_it_needs_is_told() {
    assert_eq!(told(&read(&served(&[("Model", MODEL)]))), [""; 0]);
    let without = "node 'Chain', connections.ai_languageModel: it has no language model: attach one, with a connection of \
                   the kind ai_languageModel";
    assert_eq!(told(&read(&served(&[]))), [without]);
    let mut switched_off = served(&[("Model", MODEL)]);
    switched_off["nodes"][2]["disabled"] = json!(true);
    assert_eq!(told(&read(&switched_off)), [without]);
}

#[test]
fn a_helper_that_does_not_fit_or_is_to_run_by_itself_is_told() {
    let taken_for_another = told(&read(&served(&[("Model", MODEL), ("Other", MEMORY)])));
    assert!(taken_for_another[0].contains("node 'Other'") && taken_for_another[0].contains("does not take"));
    let mut file = served(&[("Model", MODEL), ("Chain 2", MODEL)]);
    file["nodes"][3]["type"] = json!("test.chain");
    let told_of_chain = told(&read(&file));
    assert!(
        told_of_chain.iter().any(|problem| problem.contains("node 'Chain 2'") && problem.contains("which it is not"))
    );
    let mut file = served(&[("Model", MODEL)]);
    file["connections"]["Chain"] = json!({"main": [[{"node": "Model", "type": "main", "index": 0}]]});
    assert!(told(&read(&file))[0].contains("does not run by itself"));
}

#[test]
fn helpers_are_found_by_place_and_through_helpers_and_circles_end() {
    let mut file = served(&[("Second", MODEL), ("First", MODEL)]);
    file["connections"]["Second"][MODEL][0][0]["index"] = json!(1);
    file["connections"]["Chain"] = json!({MEMORY: [[{"node": "First", "type": MEMORY, "index": 0}]]});
    let definition = read(&file);
    let graph = Graph::new(&definition);
    let name = |index: usize| definition.nodes[index].name.as_str();
    let of_chain: Vec<&str> = graph.helpers(1).iter().map(|helper| name(helper.node)).collect();
    assert_eq!(of_chain, ["First", "Second"]);
    assert_eq!(graph.all_helpers(1).len(), 2, "the chain does not help itself");
    let runs = graph.start_node(&definition, &catalogue(), None).unwrap();
    assert_eq!(name(runs), "Start");
}
