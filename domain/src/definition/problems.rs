//! What keeps a draft from being whole. A draft may be kept with any of it; each problem says what is refused while it is
//! there.
//!
//! Never about the structure of a definition: what lacks that is not kept at all, see [`check_structure`](super::check_structure).
//! Invariant: a definition without problems that hinder its publication passes [`validate`](super::validate()).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use serde_json::Value;

use super::settings::check_time_limit;
use super::validate::problem;
use super::{Gap, Graph, Node, OnError, Problem, References, WorkflowDefinition, gaps, helper_problems};
use crate::catalogue::{Level, NodeCatalogue, NodeRole};

/// Most problems that are told of one definition.
pub const PROBLEMS_MAX: usize = 100;
/// Most expressions of one definition whose syntax is looked at.
const EXPRESSIONS_MAX: usize = 2_000;

/// A step that is refused while a problem is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Running the draft, where the run can reach the node.
    Run,
    /// Making the draft a version.
    Publish,
    /// Letting a version take calls and schedules.
    Activate,
}

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The draft is not published while it is there.
    Error,
    /// The draft is published all the same, and something of it may not be as it was meant.
    Warning,
}

/// One thing that is missing in a draft, or wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftProblem {
    /// What, and of which node.
    pub problem: Problem,
    /// What is refused while it is there; none for a hint.
    pub hinders: &'static [Step],
}

impl DraftProblem {
    /// A problem with which the draft is neither run nor published.
    pub fn incomplete(problem: Problem) -> Self {
        Self { problem, hinders: &[Step::Run, Step::Publish, Step::Activate] }
    }

    /// One with which it is run, so that one sees what comes of it, and not published.
    pub fn unpublishable(problem: Problem) -> Self {
        Self { problem, hinders: &[Step::Publish, Step::Activate] }
    }

    /// One with which it takes no calls and schedules.
    pub fn inactive(problem: Problem) -> Self {
        Self { problem, hinders: &[Step::Activate] }
    }

    /// Something that is probably not as it was meant.
    pub fn hint(problem: Problem) -> Self {
        Self { problem, hinders: &[] }
    }

    /// Whether a step is refused while it is there.
    pub fn hinders(&self, step: Step) -> bool {
        self.hinders.contains(&step)
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        if self.hinders(Step::Publish) { Severity::Error } else { Severity::Warning }
    }
}

impl fmt::Display for DraftProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(formatter)
    }
}

/// Everything that is missing in a definition, or wrong: what matters most first, then by node in the order of the file; at
/// most [`PROBLEMS_MAX`].
///
/// ```
/// use timeloom_domain::catalogue::NodeCatalogue;
/// use timeloom_domain::definition::{Severity, draft_problems, parse};
///
/// let draft = parse(br#"{"nodes": []}"#)?;
/// let found = draft_problems(&draft, &NodeCatalogue::default());
/// assert_eq!(found[0].to_string(), "nodes: there is no node: add at least a trigger");
/// assert_eq!(found[0].severity(), Severity::Error);
/// # Ok::<(), timeloom_domain::definition::DefinitionError>(())
/// ```
pub fn draft_problems(definition: &WorkflowDefinition, catalogue: &NodeCatalogue) -> Vec<DraftProblem> {
    let incomplete = incomplete(definition, catalogue).into_iter().map(DraftProblem::incomplete);
    let gaps = gaps(definition, catalogue);
    let mut problems: Vec<DraftProblem> =
        incomplete.chain(gaps.iter().map(Gap::problem).map(DraftProblem::incomplete)).collect();
    problems.extend(broken_expressions(definition, catalogue).into_iter().map(DraftProblem::unpublishable));
    problems.extend(start_problem(definition, catalogue));
    let enabled = definition.nodes.iter().filter(|node| !node.disabled);
    problems.extend(enabled.flat_map(|node| catalogue.problems(node)).map(DraftProblem::inactive));
    problems.extend(helper_problems(definition, catalogue).into_iter().map(DraftProblem::inactive));
    problems.extend(unknown_references(definition).into_iter().map(DraftProblem::hint));
    problems.extend(unreached(definition, catalogue).into_iter().map(DraftProblem::hint));
    sort(&mut problems, definition);
    problems.truncate(PROBLEMS_MAX);
    problems
}

/// What keeps a run of a draft from beginning with the node at `start`: problems of the nodes that it can reach, of those that
/// serve them, and of nodes that this build cannot run at all.
pub fn run_problems(definition: &WorkflowDefinition, catalogue: &NodeCatalogue, start: usize) -> Vec<Problem> {
    let reached = reached(&Graph::new(definition), [start]);
    let is_reached = |problem: &Problem| {
        let node = problem.node.as_deref();
        node.is_none_or(|name| reached.iter().any(|index| definition.nodes[*index].name == name))
    };
    let mut problems: Vec<Problem> =
        incomplete(definition, catalogue).into_iter().filter(|problem| is_reached(problem)).collect();
    problems.extend(gaps(definition, catalogue).iter().map(Gap::problem));
    problems.truncate(PROBLEMS_MAX);
    problems
}

/// What keeps a definition from running, gaps apart, at most [`PROBLEMS_MAX`].
pub(super) fn incomplete(definition: &WorkflowDefinition, catalogue: &NodeCatalogue) -> Vec<Problem> {
    let mut problems = Vec::new();
    if definition.nodes.is_empty() {
        problems.push(problem(None, "nodes", "there is no node: add at least a trigger"));
    }
    for node in &definition.nodes {
        check_time_limit(node, &mut problems);
        check_parameters(node, catalogue, &mut problems);
    }
    check_targets(definition, &mut problems);
    check_loops(definition, catalogue, &mut problems);
    problems.truncate(PROBLEMS_MAX);
    problems
}

/// Where two problems stand to each other: by what they hinder, then by node.
fn sort(problems: &mut [DraftProblem], definition: &WorkflowDefinition) {
    let places: HashMap<&str, usize> =
        definition.nodes.iter().enumerate().map(|(index, node)| (node.name.as_str(), index)).collect();
    problems.sort_by_key(|found| {
        let place = found.problem.node.as_deref().and_then(|node| places.get(node));
        (std::cmp::Reverse(found.hinders.len()), place.copied())
    });
}

/// What this build cannot run is a gap, see [`gaps`]: nothing is known of its parameters. A node that is switched off passes
/// its items on and reads none.
fn check_parameters(node: &Node, catalogue: &NodeCatalogue, problems: &mut Vec<Problem>) {
    if node.disabled {
        return;
    }
    let known = catalogue.get(&node.node_type).filter(|known| known.versions.contains(&node.type_version));
    let level = known.map(|known| Level::of(known, node.type_version, &node.parameters));
    for parameter in level.into_iter().flat_map(Level::shown).filter(|parameter| parameter.required) {
        if node.parameters.get(parameter.name).is_none_or(says_nothing) {
            let message = format!("the parameter is missing: {}", parameter.description);
            problems.push(Problem::of_parameter(node, parameter.name, message));
        }
    }
}

/// What a field of a form holds that was never filled in, or emptied again.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() || text == "=",
        Value::Object(fields) if fields.contains_key("__rl") => fields.get("value").is_none_or(says_nothing),
        _ => false,
    }
}

/// Connections of nodes that are not there: they are kept as they are, and lead nowhere.
fn check_targets(definition: &WorkflowDefinition, problems: &mut Vec<Problem>) {
    let names: HashSet<&str> = definition.nodes.iter().map(|node| node.name.as_str()).collect();
    for (from, kinds) in &definition.connections {
        if !names.contains(from.as_str()) {
            problems.push(problem(
                Some(from),
                "connections",
                "a connection leaves a node that does not exist: remove it",
            ));
        }
        for (kind, outputs) in kinds {
            for (output, connections) in outputs.iter().enumerate() {
                let gone = connections.iter().flatten().filter(|target| !names.contains(target.node.as_str()));
                problems.extend(gone.map(|target| {
                    let field = format!("connections.{kind}[{output}]");
                    problem(Some(from), &field, &format!("leads to '{}', which does not exist: remove it", target.node))
                }));
            }
        }
    }
}

/// A cycle is allowed only through a node whose type ends loops by itself, or that can leave the cycle by a choice.
fn check_loops(definition: &WorkflowDefinition, catalogue: &NodeCatalogue, problems: &mut Vec<Problem>) {
    let graph = Graph::new(definition);
    let breaks = |index: usize| {
        let node = &definition.nodes[index];
        // A disabled node passes everything on through one output, so it ends nothing.
        !node.disabled
            && (node.error_policy() == OnError::ContinueErrorOutput
                || catalogue
                    .get(&node.node_type)
                    .is_some_and(|known| known.ports.closes_loops || known.ports.outputs > 1))
    };
    let mut marks = vec![Mark::New; definition.nodes.len()];
    for start in 0..definition.nodes.len() {
        if let Some(closing) = find_cycle(&graph, start, &mut marks, &breaks) {
            let name = definition.nodes[closing].name.as_str();
            problems.push(problem(
                Some(name),
                "connections",
                "lies on a cycle that nothing ends: put a Loop Over Items, If or Switch node into the cycle",
            ));
            return;
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    Open,
    Done,
}

/// Depth-first search without recursion; answers a node on a cycle that passes no breaking node.
fn find_cycle(graph: &Graph, start: usize, marks: &mut [Mark], breaks: &dyn Fn(usize) -> bool) -> Option<usize> {
    if marks[start] != Mark::New || breaks(start) {
        return None;
    }
    let targets = |node: usize| graph.outputs(node).iter().flatten().map(|target| target.node).collect::<Vec<_>>();
    let mut path = vec![(start, targets(start))];
    marks[start] = Mark::Open;
    while let Some((node, open)) = path.last_mut() {
        let Some(next) = open.pop() else {
            marks[*node] = Mark::Done;
            path.pop();
            continue;
        };
        if breaks(next) {
            continue;
        }
        match marks[next] {
            Mark::Open => return Some(next),
            Mark::New => {
                marks[next] = Mark::Open;
                path.push((next, targets(next)));
            }
            Mark::Done => {}
        }
    }
    None
}

/// Expressions that are no JavaScript, in parameters that count: what a node does not read breaks nothing.
fn broken_expressions(definition: &WorkflowDefinition, catalogue: &NodeCatalogue) -> Vec<Problem> {
    let mut found: Vec<(&Node, String, &str)> = Vec::new();
    for node in definition.nodes.iter().filter(|node| !node.disabled) {
        let Some(known) = catalogue.get(&node.node_type) else { continue };
        for parameter in Level::of(known, node.type_version, &node.parameters).shown() {
            let Some(value) = node.parameters.get(parameter.name) else { continue };
            collect_expressions(value, format!("parameters.{}", parameter.name), &mut |path, template| {
                found.push((node, path, template));
            });
        }
    }
    found.truncate(EXPRESSIONS_MAX);
    let templates: Vec<&str> = found.iter().map(|(_, _, template)| *template).collect();
    let faults = catalogue.broken_expressions(&templates);
    let told = found.iter().zip(faults).filter_map(|((node, path, _), fault)| {
        let message = format!("the expression cannot be read: {}", fault?);
        Some(problem(Some(&node.name), path, &message))
    });
    told.collect()
}

/// Every text in a parameter that is an expression, without its `=`, and where it stands.
fn collect_expressions<'v>(value: &'v Value, path: String, take: &mut dyn FnMut(String, &'v str)) {
    match value {
        Value::String(text) => {
            if let Some(template) = text.strip_prefix('=') {
                take(path, template);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                collect_expressions(value, format!("{path}[{index}]"), take);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                collect_expressions(value, format!("{path}.{name}"), take);
            }
        }
        _ => {}
    }
}

/// Nothing says where a run by hand begins.
fn start_problem(definition: &WorkflowDefinition, catalogue: &NodeCatalogue) -> Option<DraftProblem> {
    if definition.nodes.is_empty() {
        return None;
    }
    let error = Graph::new(definition).start_node(definition, catalogue, None).err()?;
    // Its sub-workflows and its versions may be run from another node, which is named then.
    Some(DraftProblem { problem: problem(None, "nodes", &error.to_string()), hinders: &[Step::Run, Step::Activate] })
}

/// Expressions that read a node which is not there.
fn unknown_references(definition: &WorkflowDefinition) -> Vec<Problem> {
    let names: HashSet<&str> = definition.nodes.iter().map(|node| node.name.as_str()).collect();
    let mut problems = Vec::new();
    for node in definition.nodes.iter().filter(|node| !node.disabled) {
        for (name, value) in node.parameters.as_object().into_iter().flatten() {
            let references = References::of(value);
            for gone in references.nodes().into_iter().filter(|name| !names.contains(name)) {
                let message = format!("reads the node '{gone}', which does not exist: name one of this workflow");
                problems.push(Problem::of_parameter(node, name, message));
            }
        }
    }
    problems
}

/// Nodes to which no trigger leads: they never run.
fn unreached(definition: &WorkflowDefinition, catalogue: &NodeCatalogue) -> Vec<Problem> {
    let graph = Graph::new(definition);
    let starts = |node: &Node| matches!(catalogue.role(node), NodeRole::Trigger | NodeRole::ManualTrigger);
    let triggers = definition.nodes.iter().enumerate().filter(|(_, node)| !node.disabled && starts(node));
    let reached = reached(&graph, triggers.map(|(index, _)| index));
    if reached.is_empty() {
        return Vec::new();
    }
    let alone = definition.nodes.iter().enumerate().filter(|(index, node)| {
        !node.disabled && !reached.contains(index) && catalogue.role(node) != NodeRole::Annotation && !starts(node)
    });
    let message = "no trigger leads to it, so that it never runs: connect it, or disable it";
    alone.map(|(_, node)| problem(Some(&node.name), "connections", message)).collect()
}

/// The nodes at which items can arrive that begin at `starts`, these among them, and all that serve them.
fn reached(graph: &Graph, starts: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
    let mut found: BTreeSet<usize> = starts.into_iter().collect();
    let mut open: Vec<usize> = found.iter().copied().collect();
    while let Some(next) = open.pop() {
        let following = graph.outputs(next).iter().flatten().map(|target| target.node);
        let serving = graph.helpers(next).iter().map(|helper| helper.node);
        for node in following.chain(serving) {
            if found.insert(node) {
                open.push(node);
            }
        }
    }
    found
}
