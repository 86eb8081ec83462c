//! Where a run starts, and who comes before whom.

use serde_json::{Value, json};
use timeloom_domain::definition::{Graph, TriggerError};

use crate::samples::{catalogue, link, node, read};

fn start_of(nodes: Value, wanted: Option<&str>) -> Result<String, TriggerError> {
    let definition = read(&json!({"nodes": nodes}));
    let start = Graph::new(&definition).start_node(&definition, &catalogue(), wanted)?;
    Ok(definition.nodes[start].name.clone())
}

fn disabled(mut node: Value) -> Value {
    node["disabled"] = json!(true);
    node
}

#[test]
fn a_workflow_without_a_trigger_does_not_start() {
    let set = |name| node(name, "n8n-nodes-base.set");
    let error = start_of(json!([set("A"), set("B")]), None).unwrap_err();
    assert_eq!(error.to_string(), "the workflow has no enabled trigger node: add a Manual Trigger");
    let off = disabled(node("Start", "n8n-nodes-base.manualTrigger"));
    assert_eq!(start_of(json!([off, set("A")]), None), Err(TriggerError::None));
}

#[test]
fn by_hand_it_starts_at_the_manual_trigger_whatever_else_may_begin_it() {
    let (manual, hook) = (node("Start", "n8n-nodes-base.manualTrigger"), node("Hook", "n8n-nodes-base.webhook"));
    let form = node("Form", "n8n-nodes-base.formTrigger");
    assert_eq!(start_of(json!([hook, form, manual]), None).unwrap(), "Start");
    assert_eq!(start_of(json!([hook, manual]), Some("Hook")).unwrap(), "Hook", "another one can be named");
    assert_eq!(start_of(json!([disabled(manual.clone()), form, hook]), None).unwrap(), "Hook");
    assert_eq!(start_of(json!([disabled(manual), form, disabled(hook)]), None).unwrap(), "Form");
}

#[test]
fn the_only_node_starts_whatever_it_is_and_notes_do_not_count() {
    let (set, note) = (node("Set", "n8n-nodes-base.set"), node("Note", "n8n-nodes-base.stickyNote"));
    assert_eq!(start_of(json!([note, set]), None).unwrap(), "Set");
}

#[test]
fn a_named_start_node_must_be_there_and_enabled() {
    let nodes = json!([node("Start", "n8n-nodes-base.manualTrigger"), disabled(node("Off", "n8n-nodes-base.set"))]);
    assert_eq!(start_of(nodes.clone(), Some("Start")).unwrap(), "Start");
    for name in ["Off", "Nobody"] {
        assert_eq!(start_of(nodes.clone(), Some(name)), Err(TriggerError::Unknown(name.to_owned())));
    }
}

#[test]
fn ancestors_are_all_nodes_before_and_a_loop_comes_before_itself() {
    let nodes: Vec<Value> = ["A", "B", "C", "D"].map(|name| node(name, "n8n-nodes-base.set")).into();
    let connections = link(&[("A", "B"), ("B", "C"), ("C", "B"), ("C", "D")]);
    let definition = read(&json!({"nodes": nodes, "connections": connections}));
    let graph = Graph::new(&definition);
    let before = |name: &str| -> Vec<&str> {
        let found = graph.ancestors(graph.index(name).unwrap());
        found.into_iter().map(|index| definition.nodes[index].name.as_str()).collect()
    };
    assert_eq!(before("A"), Vec::<&str>::new());
    assert_eq!(before("B"), ["A", "B", "C"]);
    assert_eq!(before("D"), ["A", "B", "C"]);
    assert_eq!(graph.outputs(0)[0][0].node, 1);
    assert_eq!(graph.inputs(1)[0], [(0, 0), (2, 0)]);
}
