//! The tools of an agent: what each does, what the model may fill of it, and when somebody is asked first.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::record::known;
use super::{HttpTool, InvalidAgent, McpTool, McpTools};
use crate::item::JsonObject;

/// Most tools of one agent.
pub const TOOLS_MAX: usize = 64;
/// The fixed argument of tools that nodes bring along: what of their parameters was evaluated before the run began. No model is
/// told it, whatever the tool gives.
pub const GIVEN_ARGUMENT: &str = "$given";
/// Longest name of a tool, in characters, as providers take them.
const NAME_CHARACTERS_MAX: usize = 64;
/// Longest description of a tool, in characters.
const DESCRIPTION_CHARACTERS_MAX: usize = 4_000;
/// Most bytes of what a tool gave that the model is shown.
const RESULT_BYTES_MAX: u32 = 256 << 10;
/// The same where a tool says nothing about it.
const RESULT_BYTES: u32 = 32 << 10;
/// Longest call, in milliseconds.
const TIME_MS_MAX: u64 = 3_600_000;
/// The same where a tool says nothing about it.
const TIME_MS: u64 = 60_000;

/// A tool that an agent was granted. Its model can call no other, and this one only as it says here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentTool {
    /// Its name, as the model calls it.
    pub name: String,
    /// What it does, told to the model.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What a call does.
    pub does: ToolAction,
    /// JSON Schema of the arguments that the model fills. It fills none that are not among its properties.
    #[serde(default = "no_arguments")]
    pub parameters: Value,
    /// Arguments that every call has and the model neither sees nor fills.
    #[serde(default, skip_serializing_if = "JsonObject::is_empty")]
    pub fixed: JsonObject,
    /// When somebody is asked before a call.
    #[serde(default)]
    pub approval: Approval,
    /// Whether a call that was cut off may be made again by itself; if not, somebody is asked.
    #[serde(default = "yes")]
    pub repeatable: bool,
    /// Most calls of it in one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_max: Option<u32>,
    /// Most bytes of what it gave that the model is shown; the rest is cut off.
    #[serde(default = "result_bytes")]
    pub result_bytes_max: u32,
    /// Longest call, in milliseconds.
    #[serde(default = "time_ms")]
    pub time_ms_max: u64,
}

/// What a call of a tool does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ToolAction {
    /// Sends a request.
    Http(HttpTool),
    /// Runs a workflow with the arguments as its one item, and gives what its last node gave.
    Workflow {
        /// The workflow: its id, the id in its file, or its name.
        workflow: String,
    },
    /// Runs a workflow that the tool brings along, in the same way. Only agents that nodes bring along have such tools.
    Inline {
        /// The workflow's file.
        source: String,
    },
    /// Runs one node by itself, with the arguments as its one item.
    Node(NodeTool),
    /// Is not one tool but those of a server of the Model Context Protocol: a run asks it which there are before all else.
    Mcp(McpTools),
    /// One of those, as a run found it. Nobody writes such a tool down.
    McpTool(McpTool),
}

impl ToolAction {
    /// Refuses words that what a tool does, as somebody wrote it at `place`, cannot have.
    pub(super) fn check_words(place: &str, does: &Value) -> Result<(), InvalidAgent> {
        let place = format!("{place}.does");
        let fields: &[&str] = match does["kind"].as_str() {
            Some("http") => &["kind", "method", "url", "hosts", "headers", "credential"],
            Some("workflow") => &["kind", "workflow"],
            Some("node") => &["kind", "node_type", "version", "parameters", "fills", "credential"],
            Some("inline") => &["kind", "source"],
            Some("mcp") => &["kind", "server", "credential", "tools", "pin", "on_change"],
            // There is none of that kind: reading it says so.
            _ => return Ok(()),
        };
        known(&place, does, fields)?;
        if does["kind"] == "mcp" && does["pin"].is_null() {
            let what =
                "has no pin: give the digest that `timeloom mcp tools` prints, or false for whatever the server lists";
            return Err(InvalidAgent::at(place, what));
        }
        match &does["credential"] {
            Value::Null => Ok(()),
            credential => known(&format!("{place}.credential"), credential, &["credential_type", "name"]),
        }
    }
}

/// A node as a tool. Expressions in its parameters are not evaluated: what a model wrote is never code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeTool {
    /// Its type, such as `n8n-nodes-base.dateTime`.
    pub node_type: String,
    /// Version of the type.
    pub version: f64,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "JsonObject::is_empty")]
    pub parameters: JsonObject,
    /// Which argument goes where into the parameters, as JSON pointers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fills: BTreeMap<String, String>,
    /// The credential that it uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<ToolCredential>,
}

/// A credential that a tool uses. The model never sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCredential {
    /// Its type, such as `httpHeaderAuth`.
    pub credential_type: String,
    /// Its name.
    pub name: String,
}

/// When somebody is asked before a tool is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// Never.
    #[default]
    Never,
    /// Before the first call of a run.
    First,
    /// Before every call.
    Always,
}

impl AgentTool {
    /// Whether the model may fill an argument of that name.
    pub fn may_fill(&self, argument: &str) -> bool {
        let properties = self.parameters.get("properties").and_then(Value::as_object);
        !self.fixed.contains_key(argument) && properties.is_some_and(|known| known.contains_key(argument))
    }

    /// The arguments of a call: those that the model filled, and those that are fixed.
    pub fn arguments(&self, filled: JsonObject) -> JsonObject {
        let mut arguments = filled;
        arguments.extend(self.fixed.clone());
        arguments
    }

    /// # Errors
    /// [`InvalidAgent`], which says what is wrong with it.
    pub fn check(&self) -> Result<(), InvalidAgent> {
        let wrong = |what: &str| Err(InvalidAgent::at(format!("tools.{}", self.name), what));
        let named = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        if self.name.is_empty() || self.name.len() > NAME_CHARACTERS_MAX || !self.name.chars().all(named) {
            return wrong("is no name for a tool: use 1 to 64 letters, digits, '_' and '-'");
        }
        if self.description.chars().count() > DESCRIPTION_CHARACTERS_MAX {
            return wrong("has a description that is too long: at most 4000 characters");
        }
        if self.parameters.get("type").and_then(Value::as_str) != Some("object") {
            return wrong("has parameters that are no object: give a JSON Schema with \"type\": \"object\"");
        }
        if let Some(fixed) =
            self.fixed.keys().find(|name| self.parameters.pointer(&format!("/properties/{name}")).is_some())
        {
            return wrong(&format!("fixes '{fixed}' and lets the model fill it: take it out of one of them"));
        }
        if self.result_bytes_max == 0 || self.result_bytes_max > RESULT_BYTES_MAX {
            return wrong("has a result_bytes_max that is not 1 to 262144");
        }
        if self.time_ms_max == 0 || self.time_ms_max > TIME_MS_MAX {
            return wrong("has a time_ms_max that is not 1 to 3600000");
        }
        match &self.does {
            ToolAction::Http(http) => http.check().or_else(|what| wrong(&what)),
            ToolAction::Workflow { workflow } if workflow.trim().is_empty() => wrong("names no workflow"),
            ToolAction::Workflow { .. } | ToolAction::Inline { .. } => Ok(()),
            ToolAction::Node(node) => match node.fills.values().find(|place| !place.starts_with('/')) {
                Some(place) => wrong(&format!("fills '{place}', which is no JSON pointer: begin with '/'")),
                None => Ok(()),
            },
            ToolAction::Mcp(mcp) => mcp.check(self).or_else(|what| wrong(&what)),
            ToolAction::McpTool(_) => wrong("is a tool as runs find it: grant those of a server by the kind \"mcp\""),
        }
    }
}

pub(super) fn no_arguments() -> Value {
    json!({"type": "object", "properties": {}})
}

fn yes() -> bool {
    true
}

fn result_bytes() -> u32 {
    RESULT_BYTES
}

fn time_ms() -> u64 {
    TIME_MS
}
