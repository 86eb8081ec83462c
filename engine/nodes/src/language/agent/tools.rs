//! The nodes that are attached as tools, as tools of an agent.

use serde_json::{Value, json};
use timeloom_domain::agent::mcp_tool::GRANT_CHARACTERS_MAX;
use timeloom_domain::agent::{AgentTool, GIVEN_ARGUMENT, ToolAction};
use timeloom_domain::definition::Node;
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{NodeError, NodeRun};

use super::inline::{Maker, node, workflow};
use super::{mcp, request};
use crate::language::schema;

/// Longest description of a tool, in characters.
const DESCRIPTION_CHARACTERS_MAX: usize = 4_000;
/// Longest name of a tool, in bytes.
const NAME_BYTES_MAX: usize = 64;
const CODE: &str = "n8n-nodes-base.code";
const PACKAGE: &str = "@n8n/n8n-nodes-langchain.";
/// The arithmetic that the calculator knows.
const CALCULATOR: &str = include_str!("calculator.js");

/// What a tool does, the schema of its arguments, and the arguments that are fixed.
pub(super) struct Does {
    pub(super) action: ToolAction,
    pub(super) schema: Value,
    pub(super) fixed: JsonObject,
}

/// The tool that an attached node is.
///
/// # Errors
/// [`NodeError`] where it cannot be one.
pub(super) fn tool_of(run: &mut NodeRun<'_>, of: &Node, index: usize) -> Result<AgentTool, NodeError> {
    let does = match of.node_type.strip_prefix(PACKAGE) {
        Some("mcpClientTool") => mcp::tools(run, of, index)?,
        Some("toolCalculator") => calculator(of),
        Some("toolCode") => code(run, of, index)?,
        Some("toolHttpRequest") => request::tool(run, of, index)?,
        Some("toolWorkflow") => called_workflow(run, of, index)?,
        Some("vectorStoreInMemory") => vector_store(run, of, index)?,
        _ => any_node(run, of, index)?,
    };
    let mut description = described(run, of, index)?;
    description
        .truncate(description.char_indices().nth(DESCRIPTION_CHARACTERS_MAX).map_or(description.len(), |at| at.0));
    let mut name = named(run, of, index)?;
    let mut tool = json!({
        "description": description, "does": does.action, "parameters": does.schema, "fixed": does.fixed,
    });
    if matches!(does.action, ToolAction::Mcp(_)) {
        // The names of its tools begin with it.
        name.truncate(GRANT_CHARACTERS_MAX);
        tool["time_ms_max"] = json!(mcp::time_ms(run, of, index)?);
    }
    tool["name"] = json!(name);
    serde_json::from_value(tool).map_err(|error| NodeError::operation(format!("the tool '{}': {error}", of.name)))
}

/// The name by which the model calls it: the one that the node gives, else the node's own.
fn named(run: &mut NodeRun<'_>, of: &Node, index: usize) -> Result<String, NodeError> {
    let mut name = of.name.clone();
    for parameter in ["name", "toolName"] {
        // Other nodes have parameters of that name that mean something else.
        if of.node_type.starts_with(PACKAGE) {
            let given = run.text_of(of, parameter, index, "")?;
            name = if given.is_empty() { name } else { given };
        }
    }
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
    let mut name: String = name.chars().map(plain).collect();
    name.truncate(NAME_BYTES_MAX);
    Ok(name)
}

fn described(run: &mut NodeRun<'_>, of: &Node, index: usize) -> Result<String, NodeError> {
    for parameter in ["toolDescription", "description"] {
        let given = run.text_of(of, parameter, index, "")?;
        if !given.trim().is_empty() {
            return Ok(given);
        }
    }
    Ok(match of.node_type.strip_prefix(PACKAGE) {
        Some("toolCalculator") => "Computes arithmetic, such as 2 * (3 + 4) or sqrt(2).".to_owned(),
        _ => format!("Does what its name says: {}.", of.name),
    })
}

fn calculator(of: &Node) -> Does {
    let code = node(&of.name, CODE, 2.0, json!({ "jsCode": CALCULATOR }), None);
    Does {
        action: ToolAction::Inline { source: workflow(&of.name, code, Vec::new()) },
        schema: one_text("input", "The arithmetic to compute."),
        fixed: JsonObject::new(),
    }
}

fn code(run: &mut NodeRun<'_>, of: &Node, index: usize) -> Result<Does, NodeError> {
    if run.text_of(of, "language", index, "javaScript")? != "javaScript" {
        let message = format!("the tool '{}' is written in Python, which does not run here", of.name);
        return Err(NodeError::operation(message).described("write it in JavaScript"));
    }
    let given = of.parameters.get("jsCode").and_then(Value::as_str).unwrap_or_default();
    let own = own_schema(run, of, index)?;
    let query = if own.is_some() { "$input.first().json" } else { "$input.first().json.query" };
    // Its code gives a text, where a Code node gives items.
    let script = format!(
        "const query = {query};\nconst response = await (async () => {{\n{given}\n}})();\nreturn [{{ json: {{ response }} }}];"
    );
    let code = node(&of.name, CODE, 2.0, json!({ "jsCode": script }), None);
    Ok(Does {
        action: ToolAction::Inline { source: workflow(&of.name, code, Vec::new()) },
        schema: own.unwrap_or_else(|| one_text("query", "What is asked of the tool.")),
        fixed: JsonObject::new(),
    })
}

fn called_workflow(run: &mut NodeRun<'_>, of: &Node, index: usize) -> Result<Does, NodeError> {
    let brought = run.text_of(of, "source", index, "database")? == "parameter";
    let action = match brought {
        true => ToolAction::Inline { source: run.text_of(of, "workflowJson", index, "")? },
        false => ToolAction::Workflow { workflow: reference(run, of, index)? },
    };
    let inputs = of.parameters.pointer("/workflowInputs/value").and_then(Value::as_object);
    if let Some(inputs) = inputs.filter(|inputs| of.type_version >= 2.0 && !inputs.is_empty() && !brought) {
        let mut maker = Maker::new(run, index);
        let value = maker.value(of, &Value::Object(inputs.clone()), "")?;
        let workflow_id = maker.value(of, of.parameters.get("workflowId").unwrap_or(&Value::Null), "")?;
        let mut parameters = json!({"source": "database", "workflowId": workflow_id});
        parameters["workflowInputs"] = mapped(of, inputs, value, &maker);
        let called = node(&of.name, "n8n-nodes-base.executeWorkflow", 1.2, parameters, None);
        let (schema, fixed) = maker.finish();
        return Ok(Does {
            action: ToolAction::Inline { source: workflow(&of.name, called, Vec::new()) },
            schema,
            fixed,
        });
    }
    let mut fixed = JsonObject::new();
    let listed = run.parameter_of(of, "fields.values", index)?;
    for field in listed.as_ref().and_then(Value::as_array).into_iter().flatten() {
        let Some(name) = field.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()) else { continue };
        let kind = field.get("type").and_then(Value::as_str).unwrap_or("stringValue");
        fixed.insert(name.to_owned(), field.get(kind).cloned().unwrap_or_default());
    }
    let schema = own_schema(run, of, index)?.unwrap_or_else(|| one_text("query", "What is asked of the workflow."));
    Ok(Does { action, schema, fixed })
}

/// The fields for a called workflow, and nothing else of what the tool is called with.
fn mapped(of: &Node, inputs: &JsonObject, value: Value, maker: &Maker<'_, '_>) -> Value {
    let mut mapped = of.parameters.get("workflowInputs").cloned().unwrap_or_default();
    let known = mapped.get("schema").and_then(Value::as_array).cloned().unwrap_or_default();
    let others = maker.arguments.names().chain([GIVEN_ARGUMENT]).filter(|name| !inputs.contains_key(*name));
    let removed = others.map(|name| json!({"id": name, "removed": true}));
    let schema: Value = known.into_iter().chain(removed).collect();
    (mapped["mappingMode"], mapped["value"], mapped["schema"]) = (json!("defineBelow"), value, schema);
    mapped
}

/// Which workflow a node names: a text, or an object with its value.
fn reference(run: &mut NodeRun<'_>, of: &Node, index: usize) -> Result<String, NodeError> {
    let named = match run.parameter_of(of, "workflowId", index)? {
        Some(Value::Object(fields)) => fields.get("value").and_then(Value::as_str).unwrap_or_default().to_owned(),
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    match named.trim() {
        "" => Err(NodeError::operation(format!("the tool '{}' names no workflow: choose one", of.name))),
        named => Ok(named.to_owned()),
    }
}

fn vector_store(run: &mut NodeRun<'_>, of: &Node, index: usize) -> Result<Does, NodeError> {
    let embedding = run.needed_by(of, "ai_embedding")?;
    let mut maker = Maker::new(run, index);
    let mut parameters = maker.parameters(of)?;
    (parameters["mode"], parameters["prompt"]) = (json!("load"), json!("={{ $json[\"input\"] }}"));
    let store = node(&of.name, &of.node_type, of.type_version, parameters, None);
    let served = maker.parameters(embedding)?;
    let embedding = node(&embedding.name, &embedding.node_type, embedding.type_version, served, None);
    let (_, fixed) = maker.finish();
    let source = workflow(&of.name, store, vec![("ai_embedding", embedding)]);
    let schema = one_text("input", "What to look for.");
    Ok(Does { action: ToolAction::Inline { source }, schema, fixed })
}

/// Any other node: the type without `Tool` at its end, with what the model fills by `$fromAI`.
fn any_node(run: &mut NodeRun<'_>, of: &Node, index: usize) -> Result<Does, NodeError> {
    let Some(node_type) = of.node_type.strip_suffix("Tool") else {
        let message = format!("'{}' of type {} cannot be a tool here", of.name, of.node_type);
        return Err(NodeError::operation(message).described("put a workflow tool in its place, which does the same"));
    };
    let mut maker = Maker::new(run, index);
    let mut parameters = maker.parameters(of)?;
    if let Some(fields) = parameters.as_object_mut() {
        fields.remove("toolDescription");
        fields.remove("descriptionType");
    }
    let made = node(&of.name, node_type, of.type_version, parameters, of.credentials.as_ref());
    let (schema, fixed) = maker.finish();
    Ok(Does { action: ToolAction::Inline { source: workflow(&of.name, made, Vec::new()) }, schema, fixed })
}

/// The schema that a tool brings along, where it does.
fn own_schema(run: &mut NodeRun<'_>, of: &Node, index: usize) -> Result<Option<Value>, NodeError> {
    if of.parameters.get("specifyInputSchema").and_then(Value::as_bool) != Some(true) {
        return Ok(None);
    }
    let is_example = run.text_of(of, "schemaType", index, "fromJson")? == "fromJson";
    let field = if is_example { "jsonSchemaExample" } else { "inputSchema" };
    Ok(Some(schema::read(run.parameter_of(of, field, index)?, field, is_example)?))
}

pub(super) fn one_text(name: &str, description: &str) -> Value {
    json!({"type": "object", "required": [name], "properties": {name: {"type": "string", "description": description}}})
}
