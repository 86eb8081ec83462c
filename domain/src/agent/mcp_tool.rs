//! Tools of a server of the Model Context Protocol: which of them an agent was granted, and what a run makes of the list that the
//! server gives.
//!
//! What a server says of its tools is other people's text. It is bounded before it is written down, it can take no name that is
//! taken, and what the server says of itself (that a tool only reads, for example) grants nothing and asks nobody less.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{AgentTool, TOOLS_MAX, ToolAction, ToolCredential};
use crate::inference::hexadecimal;

/// The type of the node by which servers are asked.
pub const MCP_NODE: &str = "timeloom.mcp";
/// Between the name of the grant and that of a tool, in the name by which the model calls it.
const SEPARATOR: &str = "__";
/// Longest name of a grant, in characters: those of its tools begin with it.
pub const GRANT_CHARACTERS_MAX: usize = 32;
/// Longest name of a tool as the model calls it, in characters.
const NAME_CHARACTERS_MAX: usize = 64;
/// Longest name of a server, in bytes: its address, or the name of a command.
const SERVER_BYTES_MAX: usize = 2_048;
/// Longest name of a tool as the server has it, in characters.
pub const LISTED_NAME_CHARACTERS_MAX: usize = 128;
/// Most bytes of what a server says of one tool.
pub const LISTED_DESCRIPTION_BYTES_MAX: usize = 16 << 10;
/// Most bytes of all tools of a grant, with their schemas, as JSON.
pub const LISTED_BYTES_MAX: usize = 256 << 10;
/// Characters of a digest.
const DIGEST_CHARACTERS: usize = 64;

/// Tools of a server that an agent was granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct McpTools {
    /// The server's address, or the name of a command that the operator set up.
    pub server: String,
    /// The credential by which the server lets us in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<ToolCredential>,
    /// Which of its tools.
    #[serde(default)]
    pub tools: McpChoice,
    /// The list for which the grant was made.
    #[serde(default)]
    pub pin: McpPin,
    /// What follows where the list is another one.
    #[serde(default, skip_serializing_if = "McpChange::is_refused")]
    pub on_change: McpChange,
}

/// Which tools of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum McpChoice {
    /// All that it lists: `"all"`.
    #[default]
    All,
    /// Those of these names, as the server has them: a list.
    Named(BTreeSet<String>),
    /// All but those: `{"except": […]}`.
    Except(BTreeSet<String>),
}

/// The list of tools for which a grant was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum McpPin {
    /// None: whatever the server lists when a run begins. Written as `false`.
    #[default]
    Off,
    /// The one with this digest, see [`digest`].
    Digest(String),
}

/// What follows where a server lists other tools than those for which the grant was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum McpChange {
    /// The run fails, before the model is told anything of them.
    #[default]
    Refuse,
    /// Somebody is asked first.
    Ask,
}

impl McpChange {
    fn is_refused(&self) -> bool {
        *self == Self::Refuse
    }
}

/// One tool as a server lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListedTool {
    /// Its name there.
    pub name: String,
    /// What the server says that it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
    /// JSON Schema of what it gives; absent = anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
}

/// One tool of a server as a run found it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct McpTool {
    /// The server's address, or the name of a command.
    pub server: String,
    /// The credential by which the server lets us in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<ToolCredential>,
    /// Its name there.
    pub tool: String,
    /// JSON Schema of what it gives; absent = anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
}

impl McpTools {
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn check(&self, of: &AgentTool) -> Result<(), String> {
        if of.name.len() > GRANT_CHARACTERS_MAX {
            return Err(format!(
                "has a name that is too long: those of its tools begin with it, and it may have \
                 {GRANT_CHARACTERS_MAX} characters"
            ));
        }
        if !of.fixed.is_empty() || of.parameters != super::tool::no_arguments() {
            return Err("has parameters or fixed arguments: the server says what its tools take".to_owned());
        }
        let server = self.server.trim();
        if server.is_empty() || server.len() > SERVER_BYTES_MAX {
            return Err("names no server: give its address, or the name of a command of this deployment".to_owned());
        }
        if let McpChoice::Named(names) = &self.tools
            && (names.is_empty() || names.len() > TOOLS_MAX)
        {
            return Err(format!(
                "names no tools, or more than {TOOLS_MAX}: name those that the agent needs, or \"all\""
            ));
        }
        Ok(())
    }

    /// The tools of a list that were granted, in the order of their names.
    ///
    /// # Errors
    /// What is wrong with the list, in words.
    pub fn chosen(&self, listed: Vec<ListedTool>) -> Result<Vec<ListedTool>, String> {
        if let McpChoice::Named(names) = &self.tools
            && let Some(missing) = names.iter().find(|name| !listed.iter().any(|tool| tool.name == **name))
        {
            return Err(format!("it has no tool '{}' any more", shortened(missing)));
        }
        let is_chosen = |tool: &ListedTool| match &self.tools {
            McpChoice::All => true,
            McpChoice::Named(names) => names.contains(&tool.name),
            McpChoice::Except(names) => !names.contains(&tool.name),
        };
        let mut chosen: Vec<ListedTool> = listed.into_iter().filter(is_chosen).collect();
        chosen.sort_by(|one, other| one.name.cmp(&other.name));
        check_listed(&chosen)?;
        Ok(chosen)
    }

    /// Whether that list is another one than the grant was made for.
    pub fn is_changed(&self, digest: &str) -> bool {
        matches!(&self.pin, McpPin::Digest(pinned) if pinned != digest)
    }

    /// The tools of a list as tools of an agent, each with what the grant `of` says of all of them.
    ///
    /// # Errors
    /// What is wrong with the list, in words.
    pub fn granted(&self, of: &AgentTool, listed: &[ListedTool]) -> Result<Vec<AgentTool>, String> {
        check_listed(listed)?;
        let mut names = BTreeSet::new();
        let made = |tool: &ListedTool| {
            let name = name_of(&of.name, &tool.name)?;
            if !names.insert(name.clone()) {
                return Err(format!("two of its tools would be called '{name}': leave one of them out"));
            }
            let McpTools { server, credential, .. } = self.clone();
            let (output, called) = (tool.output.clone(), tool.name.clone());
            Ok(AgentTool {
                name,
                description: described(&tool.description),
                does: ToolAction::McpTool(McpTool { server, credential, tool: called, output }),
                parameters: tool.parameters.clone(),
                ..of.clone()
            })
        };
        listed.iter().map(made).collect()
    }
}

/// SHA-256 over the names, descriptions and schemas of tools, hexadecimal: neither the order of the tools nor that of the fields
/// in their schemas changes it.
pub fn digest(tools: &[ListedTool]) -> String {
    let mut sorted: Vec<&ListedTool> = tools.iter().collect();
    sorted.sort_by(|one, other| one.name.cmp(&other.name));
    let mut text = String::new();
    let listed: Value =
        sorted.into_iter().map(|tool| json!([tool.name, tool.description, tool.parameters, tool.output])).collect();
    write_sorted(&listed, &mut text);
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

/// JSON with the fields of objects in the order of their names. As deep as the value was read, which serde bounds.
fn write_sorted(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (name, value) in sorted {
                text.push_str(&Value::String(name.clone()).to_string());
                text.push(':');
                write_sorted(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for value in values {
                write_sorted(value, text);
                text.push(',');
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}

fn check_listed(listed: &[ListedTool]) -> Result<(), String> {
    if listed.is_empty() {
        return Err("it has none of the tools that were granted".to_owned());
    }
    if listed.len() > TOOLS_MAX {
        return Err(format!(
            "it has {} tools, at most {TOOLS_MAX} are taken: name those that are needed",
            listed.len()
        ));
    }
    for tool in listed {
        let name = shortened(&tool.name);
        if tool.name.is_empty() || tool.name.chars().count() > LISTED_NAME_CHARACTERS_MAX {
            return Err(format!("the name of its tool '{name}' is empty or too long"));
        }
        if tool.description.len() > LISTED_DESCRIPTION_BYTES_MAX {
            return Err(format!("it says more than {LISTED_DESCRIPTION_BYTES_MAX} bytes of its tool '{name}'"));
        }
        if tool.parameters.get("type").and_then(Value::as_str) != Some("object") {
            return Err(format!("the arguments of its tool '{name}' are no object"));
        }
    }
    let bytes: usize =
        listed.iter().map(|tool| serde_json::to_string(tool).map_or(usize::MAX, |json| json.len())).sum();
    if bytes > LISTED_BYTES_MAX {
        return Err(format!(
            "it says {bytes} bytes of its tools, at most {LISTED_BYTES_MAX} are taken: name fewer of them"
        ));
    }
    Ok(())
}

/// The name by which the model calls a tool: that of the grant, and that of the tool with other characters than providers take
/// replaced.
fn name_of(grant: &str, tool: &str) -> Result<String, String> {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
    let name: String = [grant, SEPARATOR].into_iter().flat_map(str::chars).chain(tool.chars().map(plain)).collect();
    if name.len() > NAME_CHARACTERS_MAX {
        let message = "would be longer than 64 characters: give the grant a shorter name, or leave the tool out";
        return Err(format!("the name of its tool '{}' {message}", shortened(tool)));
    }
    Ok(name)
}

/// What the model is told that a tool does, as what the server says and not whoever set the agent up.
fn described(said: &str) -> String {
    if said.trim().is_empty() { String::new() } else { format!("As its server describes it: {said}") }
}

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

impl TryFrom<Value> for McpChoice {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let names = |value: &Value| serde_json::from_value::<BTreeSet<String>>(value.clone()).ok();
        let except = value.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.get("except"));
        match (&value, except) {
            (Value::String(word), _) if word == "all" => Some(Self::All),
            (_, Some(except)) => names(except).map(Self::Except),
            (list, None) => names(list).map(Self::Named),
        }
        .ok_or_else(|| "tools is neither \"all\" nor a list of names, nor {\"except\": [names]}".to_owned())
    }
}

impl From<McpChoice> for Value {
    fn from(choice: McpChoice) -> Self {
        match choice {
            McpChoice::All => json!("all"),
            McpChoice::Named(names) => json!(names),
            McpChoice::Except(names) => json!({ "except": names }),
        }
    }
}

impl TryFrom<Value> for McpPin {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::Bool(false) => Ok(Self::Off),
            Value::String(digest)
                if digest.len() == DIGEST_CHARACTERS
                    && digest.chars().all(|letter| matches!(letter, '0'..='9' | 'a'..='f')) =>
            {
                Ok(Self::Digest(digest))
            }
            _ => {
                Err("pin is neither false nor a digest of 64 characters, as `timeloom mcp tools` prints it".to_owned())
            }
        }
    }
}

impl From<McpPin> for Value {
    fn from(pin: McpPin) -> Self {
        match pin {
            McpPin::Off => json!(false),
            McpPin::Digest(digest) => json!(digest),
        }
    }
}
