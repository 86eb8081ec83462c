//! Drafts that are not whole: what is kept all the same, what is told of it, and what is refused while it is so.

use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::definition::{
    DraftProblem, PROBLEMS_MAX, Severity, Step, WorkflowDefinition, check_structure, draft_problems, run_problems,
    validate,
};

use crate::samples::{catalogue, link, node, read};

fn trigger() -> Value {
    node("Start", "n8n-nodes-base.manualTrigger")
}

fn fetch(name: &str, parameters: Value) -> Value {
    let mut fetch = node(name, "n8n-nodes-base.httpRequest");
    fetch["parameters"] = parameters;
    fetch
}

fn file(nodes: Value, links: &[(&str, &str)]) -> WorkflowDefinition {
    read(&json!({"nodes": nodes, "connections": link(links)}))
}

/// What is told, after the draft was kept.
fn told(definition: &WorkflowDefinition) -> Vec<DraftProblem> {
    check_structure(definition).unwrap();
    draft_problems(definition, &catalogue())
}

/// Node, field and what is hindered of everything that is told.
fn places(problems: &[DraftProblem]) -> Vec<(Option<&str>, &str, &[Step])> {
    problems.iter().map(|told| (told.problem.node.as_deref(), told.problem.field.as_str(), told.hinders)).collect()
}

const ALL: &[Step] = &[Step::Run, Step::Publish, Step::Activate];

#[test]
fn a_whole_draft_has_no_problems() {
    let whole = file(json!([trigger(), fetch("Get", json!({"url": "http://a"}))]), &[("Start", "Get")]);
    assert_eq!(told(&whole), []);
}

#[test]
fn a_draft_without_nodes_is_kept_and_told_to_have_none() {
    let empty = file(json!([]), &[]);
    assert_eq!(places(&told(&empty)), [(None, "nodes", ALL)]);
}

#[test]
fn what_is_not_filled_in_is_told_at_its_node_and_field() {
    for parameters in [json!({}), json!({"url": ""}), json!({"url": null}), json!({"url": "="})] {
        let draft = file(json!([trigger(), fetch("Get", parameters.clone())]), &[("Start", "Get")]);
        let problems = told(&draft);
        assert_eq!(places(&problems), [(Some("Get"), "parameters.url", ALL)], "{parameters}");
        assert_eq!(problems[0].severity(), Severity::Error);
        assert!(problems[0].to_string().contains("Where to."), "{}", problems[0]);
        validate(&draft, &catalogue()).unwrap_err();
    }
    let mut off = fetch("Get", json!({}));
    off["disabled"] = json!(true);
    assert_eq!(told(&file(json!([trigger(), off]), &[("Start", "Get")])), [], "what is switched off reads nothing");
}

#[test]
fn connections_of_nodes_that_are_gone_are_kept_and_told() {
    let draft = file(json!([trigger()]), &[("Start", "Gone"), ("Lost", "Start")]);
    assert_eq!(
        places(&told(&draft)),
        [(Some("Lost"), "connections", ALL), (Some("Start"), "connections.main[0]", ALL)]
    );
    assert_eq!(draft.connections.len(), 2);
}

#[test]
fn a_node_that_this_build_lacks_is_told_with_its_type() {
    let draft = file(json!([trigger(), node("Odd", "n8n-nodes-base.telepathy")]), &[("Start", "Odd")]);
    assert_eq!(places(&told(&draft)), [(Some("Odd"), "type", ALL)]);
}

#[test]
fn a_node_to_which_no_trigger_leads_is_a_hint() {
    let draft =
        file(json!([trigger(), node("Set", "n8n-nodes-base.set"), node("Note", "n8n-nodes-base.stickyNote")]), &[]);
    let problems = told(&draft);
    assert_eq!(places(&problems), [(Some("Set"), "connections", &[][..])]);
    assert_eq!(problems[0].severity(), Severity::Warning);
}

#[test]
fn a_draft_that_nothing_starts_is_not_run() {
    let sets = json!([node("A", "n8n-nodes-base.set"), node("B", "n8n-nodes-base.set")]);
    let problems = told(&file(sets, &[("A", "B")]));
    assert_eq!(places(&problems), [(None, "nodes", &[Step::Run, Step::Activate][..])]);
    assert!(problems[0].to_string().contains("add a Manual Trigger"), "{}", problems[0]);
}

#[test]
fn an_expression_that_reads_a_node_which_is_gone_is_a_hint() {
    let get = fetch("Get", json!({"url": "={{ $('Gone').item.json.url }}"}));
    let problems = told(&file(json!([trigger(), get]), &[("Start", "Get")]));
    assert_eq!(places(&problems), [(Some("Get"), "parameters.url", &[][..])]);
    assert!(problems[0].to_string().contains("'Gone'"), "{}", problems[0]);
}

#[test]
fn an_expression_that_cannot_be_read_is_run_and_not_published() {
    let mut get = fetch("Get", json!({"url": "={{ 1 + }}", "headers": {"list": ["={{ 2 }}", "=bad {{ ) }}"]}}));
    get["parameters"]["unread"] = json!("={{ 3 + }}");
    let draft = file(json!([trigger(), get]), &[("Start", "Get")]);
    let catalogue = catalogue().with_expression_check(Arc::new(|templates| {
        let is_broken = |template: &str| template.contains("+ }}") || template.contains(") }}");
        templates.iter().map(|template| is_broken(template).then(|| "no".to_owned())).collect()
    }));
    let problems = draft_problems(&draft, &catalogue);
    let hindered = &[Step::Publish, Step::Activate][..];
    assert_eq!(places(&problems), [(Some("Get"), "parameters.url", hindered)], "the node reads `url` alone");
    assert!(problems[0].to_string().contains("cannot be read: no"), "{}", problems[0]);
    assert_eq!(run_problems(&draft, &catalogue, 0), [], "the run shows what comes of it");
}

#[test]
fn a_run_needs_only_what_it_reaches() {
    let nodes = json!([
        trigger(),
        fetch("Reached", json!({"url": "http://a"})),
        node("Hook", "n8n-nodes-base.webhook"),
        fetch("Bare", json!({})),
    ]);
    let draft = file(nodes, &[("Start", "Reached"), ("Hook", "Bare")]);
    let index = |name: &str| draft.nodes.iter().position(|node| node.name == name).unwrap();
    assert_eq!(run_problems(&draft, &catalogue(), index("Start")), []);
    let hindered = run_problems(&draft, &catalogue(), index("Hook"));
    assert_eq!((hindered.len(), hindered[0].node.as_deref()), (1, Some("Bare")));
}

#[test]
fn what_matters_most_is_told_first_and_not_more_than_a_page() {
    let mut nodes = vec![node("Alone", "n8n-nodes-base.set"), trigger()];
    nodes.extend((0..PROBLEMS_MAX + 5).map(|number| fetch(&format!("Get {number}"), json!({}))));
    let problems = told(&file(json!(nodes), &[]));
    assert_eq!(problems.len(), PROBLEMS_MAX);
    assert!(problems.iter().all(|told| told.severity() == Severity::Error));
    assert_eq!(problems[0].problem.node.as_deref(), Some("Get 0"));
}

#[test]
fn what_lacks_structure_is_not_kept() {
    for (nodes, part) in [
        (json!([trigger(), node("Start", "n8n-nodes-base.set")]), "two nodes have this name"),
        (json!([node("", "n8n-nodes-base.set")]), "the name is empty"),
    ] {
        let error = check_structure(&file(nodes, &[])).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let zone = read(&json!({"nodes": [], "settings": {"timezone": "Berlin time"}}));
    assert!(check_structure(&zone).unwrap_err().to_string().contains("settings.timezone"));
}
