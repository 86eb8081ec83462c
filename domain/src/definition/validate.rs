//! Reading and checking of workflow files. Every problem names the node and the field and says what to do.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::problems::{PROBLEMS_MAX, incomplete};
use super::settings::{check_settings, read_settings};
use super::{CONNECTIONS_MAX, DEFINITION_BYTES_MAX, DEFINITION_DEPTH_MAX, NODES_MAX, Node, WorkflowDefinition};
use crate::catalogue::NodeCatalogue;

/// Highest index of an input to which a connection leads.
const INPUT_INDEX_MAX: usize = 99;

/// One thing that is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Name of the node, where it is about one.
    pub node: Option<String>,
    /// The field in the file.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    /// About a parameter of a node.
    pub fn of_parameter(node: &Node, name: &str, message: impl Into<String>) -> Self {
        Self { node: Some(node.name.clone()), field: format!("parameters.{name}"), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Some(node) => write!(formatter, "node '{node}', {}: {}", self.field, self.message),
            None => write!(formatter, "{}: {}", self.field, self.message),
        }
    }
}

/// Why a definition is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum DefinitionError {
    /// The file cannot be read as a workflow at all.
    #[error("not a workflow file: {0}")]
    Unreadable(String),
    /// The file can be read, but would not run.
    #[error("the workflow has {} problem(s): {}", .0.len(), joined(.0))]
    Invalid(Vec<Problem>),
}

fn joined(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Reads a workflow file: bounded in size and depth before anything is built from it.
///
/// ```
/// use timeloom_domain::definition::parse;
///
/// let file = br#"{"name": "Hello", "nodes": [{"name": "Start", "type": "n8n-nodes-base.manualTrigger"}]}"#;
/// let definition = parse(file)?;
/// assert_eq!(definition.nodes[0].type_version, 1.0);
///
/// let error = parse(b"{\"nodes\": 7}").unwrap_err();
/// assert_eq!(error.to_string(), "not a workflow file: the field 'nodes' is missing or is not a list");
/// # Ok::<(), timeloom_domain::definition::DefinitionError>(())
/// ```
///
/// # Errors
/// [`DefinitionError::Unreadable`] with line and column, or the limit that was met.
pub fn parse(text: &[u8]) -> Result<WorkflowDefinition, DefinitionError> {
    let unreadable = |message: String| DefinitionError::Unreadable(message);
    if text.len() > DEFINITION_BYTES_MAX {
        return Err(unreadable(format!(
            "it has {} bytes, at most {DEFINITION_BYTES_MAX} are allowed: move large pinned data out of the file",
            text.len()
        )));
    }
    check_depth(text)?;
    let value: Value = serde_json::from_slice(text).map_err(|error| unreadable(format!("malformed JSON: {error}")))?;
    from_value(value)
}

/// A definition from JSON that was read already. A file may wrap the workflow in a list of one.
///
/// # Errors
/// [`DefinitionError::Unreadable`] when the shape is wrong.
fn from_value(value: Value) -> Result<WorkflowDefinition, DefinitionError> {
    let value = match value {
        Value::Array(mut list) if list.len() == 1 => list.remove(0),
        Value::Array(list) => {
            return Err(DefinitionError::Unreadable(format!(
                "the file holds {} workflows: import them one by one",
                list.len()
            )));
        }
        other => other,
    };
    if !value.get("nodes").is_some_and(Value::is_array) {
        return Err(DefinitionError::Unreadable("the field 'nodes' is missing or is not a list".to_owned()));
    }
    serde_path(value)
}

/// Deserialises piece by piece, so that an error names the node.
fn serde_path(mut value: Value) -> Result<WorkflowDefinition, DefinitionError> {
    let Some(Value::Array(raw_nodes)) = value.get_mut("nodes").map(Value::take) else {
        return Err(DefinitionError::Unreadable("the field 'nodes' is not a list".to_owned()));
    };
    let mut nodes = Vec::with_capacity(raw_nodes.len().min(NODES_MAX));
    let mut problems = Vec::new();
    for (index, mut raw) in raw_nodes.into_iter().enumerate() {
        normalise_node(&mut raw);
        match Node::deserialize(&raw) {
            Ok(node) => nodes.push(node),
            Err(error) => problems.push(unreadable_node(&raw, index, &error)),
        }
    }
    if !problems.is_empty() {
        return Err(DefinitionError::Invalid(problems));
    }
    let mut settings = None;
    if let Some(fields) = value.as_object_mut() {
        for field in ["settings", "connections"] {
            if fields.get(field).is_some_and(Value::is_null) {
                fields.remove(field);
            }
        }
        settings = fields.remove("settings");
        fields.insert("nodes".to_owned(), Value::Array(Vec::new()));
    }
    let mut definition: WorkflowDefinition =
        serde_json::from_value(value).map_err(|error| DefinitionError::Unreadable(error.to_string()))?;
    definition.nodes = without_copies(nodes);
    definition.settings = settings.map(read_settings).transpose()?.unwrap_or_default();
    Ok(definition)
}

/// Real files hold copies of a node, equal but for their id: connections cannot tell them apart, so one is enough.
fn without_copies(nodes: Vec<Node>) -> Vec<Node> {
    let mut kept: Vec<Node> = Vec::with_capacity(nodes.len());
    let mut by_name: HashMap<String, usize> = HashMap::new();
    for node in nodes {
        let known = by_name.get(&node.name).and_then(|index| kept.get(*index));
        if known.is_some_and(|known| *known == Node { id: known.id.clone(), ..node.clone() }) {
            continue;
        }
        by_name.insert(node.name.clone(), kept.len());
        kept.push(node);
    }
    kept
}

/// Says which field of a node has the wrong shape: the one with which an otherwise right node cannot be read.
fn unreadable_node(raw: &Value, index: usize, error: &serde_json::Error) -> Problem {
    let name = raw.get("name").and_then(Value::as_str).map(str::to_owned);
    let wrong = raw.as_object().into_iter().flatten().find_map(|(field, value)| {
        let mut probe = json!({"name": "probe", "type": "probe"});
        probe[field] = value.clone();
        let error = Node::deserialize(&probe).err()?;
        Some(Problem { node: name.clone(), field: format!("nodes[{index}].{field}"), message: error.to_string() })
    });
    wrong.unwrap_or_else(|| Problem { node: name, field: format!("nodes[{index}]"), message: error.to_string() })
}

/// Fields that real files leave null or write in older forms.
fn normalise_node(raw: &mut Value) {
    let Some(fields) = raw.as_object_mut() else {
        return;
    };
    fields.retain(|_, value| !value.is_null());
    if fields.get("parameters").is_some_and(|parameters| !parameters.is_object()) {
        fields.remove("parameters");
    }
}

/// Refuses nesting deeper than [`DEFINITION_DEPTH_MAX`] with one pass over the bytes and no recursion.
fn check_depth(text: &[u8]) -> Result<(), DefinitionError> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (offset, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > DEFINITION_DEPTH_MAX {
                    return Err(DefinitionError::Unreadable(format!(
                        "nested deeper than {DEFINITION_DEPTH_MAX} levels at byte {offset}: flatten the data"
                    )));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Checks that a definition can be kept as a draft: its nodes can be told apart, and nothing is beyond its bounds. What it
/// lacks to run is told by [`draft_problems`](super::draft_problems).
///
/// # Errors
/// [`DefinitionError::Invalid`] with every problem that was found, at most 100.
pub fn check_structure(definition: &WorkflowDefinition) -> Result<(), DefinitionError> {
    settled(structure_problems(definition))
}

/// Checks that a definition is in order: its structure, and that nothing is missing for a run. What it needs beyond this build
/// is not checked here, see [`gaps`](super::gaps()).
///
/// # Errors
/// [`DefinitionError::Invalid`] with every problem that was found, at most 100.
pub fn validate(definition: &WorkflowDefinition, catalogue: &NodeCatalogue) -> Result<(), DefinitionError> {
    let mut problems = structure_problems(definition);
    problems.extend(incomplete(definition, catalogue));
    settled(problems)
}

fn settled(mut problems: Vec<Problem>) -> Result<(), DefinitionError> {
    problems.truncate(PROBLEMS_MAX);
    if problems.is_empty() { Ok(()) } else { Err(DefinitionError::Invalid(problems)) }
}

fn structure_problems(definition: &WorkflowDefinition) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_names(definition, &mut problems);
    check_connections(definition, &mut problems);
    check_settings(&definition.settings, &mut problems);
    problems
}

/// Connections and expressions refer to nodes by their names.
fn check_names(definition: &WorkflowDefinition, problems: &mut Vec<Problem>) {
    if definition.nodes.len() > NODES_MAX {
        let message = format!("{} nodes, at most {NODES_MAX} are allowed: split the workflow", definition.nodes.len());
        problems.push(Problem { node: None, field: "nodes".to_owned(), message });
    }
    let mut names = HashSet::new();
    for node in &definition.nodes {
        let name = Some(node.name.as_str());
        if node.name.is_empty() {
            problems.push(problem(name, "name", "the name is empty: give each node a name"));
        }
        if !names.insert(&node.name) {
            problems.push(problem(name, "name", "two nodes have this name: rename one"));
        }
    }
}

fn check_connections(definition: &WorkflowDefinition, problems: &mut Vec<Problem>) {
    let mut count = 0;
    for (from, kinds) in &definition.connections {
        for (kind, outputs) in kinds {
            for (output, connections) in outputs.iter().enumerate() {
                for connection in connections.iter().flatten() {
                    count += 1;
                    if connection.index > INPUT_INDEX_MAX {
                        let field = format!("connections.{kind}[{output}]");
                        problems.push(problem(
                            Some(from),
                            &field,
                            "input index over 99: nodes have at most 100 inputs",
                        ));
                    }
                }
            }
        }
    }
    if count > CONNECTIONS_MAX {
        let message = format!("{count} connections, at most {CONNECTIONS_MAX} are allowed: split the workflow");
        problems.push(Problem { node: None, field: "connections".to_owned(), message });
    }
}

pub(super) fn problem(node: Option<&str>, field: &str, message: &str) -> Problem {
    Problem { node: node.map(str::to_owned), field: field.to_owned(), message: message.to_owned() }
}
