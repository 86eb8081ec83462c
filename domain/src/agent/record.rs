//! What a version of an agent is.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{AgentLimits, AgentTool, TOOLS_MAX, ToolAction};
use crate::chat::Sampling;
use crate::inference::{Gpu, hexadecimal};
use crate::item::JsonObject;

/// Most bytes of a record, as JSON.
pub const RECORD_BYTES_MAX: usize = 512 << 10;
/// Longest prompt, in bytes.
pub const PROMPT_BYTES_MAX: usize = 64 << 10;
/// Most capabilities, and most things that an agent depends on.
const WORDS_MAX: usize = 64;
/// Longest of them, in characters.
const WORD_CHARACTERS_MAX: usize = 200;
/// Most exchanges that an agent remembers.
const EXCHANGES_MAX: u32 = 100;
/// What a record may have in it.
const FIELDS: [&str; 14] = [
    "kind",
    "capabilities",
    "input_schema",
    "output_schema",
    "config_schema",
    "config",
    "requirements",
    "model",
    "fallback",
    "prompt",
    "sampling",
    "tools",
    "memory",
    "limits",
];
/// What is said of how words are chosen.
const SAMPLING: &[&str] = &[
    "temperature",
    "top_p",
    "top_k",
    "output_tokens_max",
    "stop",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "choices",
];
/// What its parts may have in them.
const PARTS: [(&str, &[&str]); 5] = [
    ("memory", &["exchanges_max"]),
    ("fallback", &["model", "sampling"]),
    ("fallback.sampling", SAMPLING),
    ("requirements", &["memory_bytes", "gpu", "gpu_memory_bytes", "min_compute_capability", "dependencies"]),
    ("sampling", SAMPLING),
];
/// What a tool may have in it.
const TOOL_FIELDS: [&str; 10] = [
    "name",
    "description",
    "does",
    "parameters",
    "fixed",
    "approval",
    "repeatable",
    "calls_max",
    "result_bytes_max",
    "time_ms_max",
];

/// What kind of agent it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentKind {
    /// It speaks by a language model.
    #[default]
    Llm,
    /// It predicts from numbers.
    Ml,
    /// It sees.
    Cv,
    /// It reads texts.
    Nlp,
    /// Something else.
    Custom,
}

impl AgentKind {
    /// The word for it, as records write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Llm => "llm",
            Self::Ml => "ml",
            Self::Cv => "cv",
            Self::Nlp => "nlp",
            Self::Custom => "custom",
        }
    }
}

/// A version of an agent: everything that decides what its runs do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentRecord {
    /// What kind of agent it is.
    #[serde(default)]
    pub kind: AgentKind,
    /// What it can do, in words by which it is found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// JSON Schema of what a run is given; absent = anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Value>,
    /// JSON Schema of what a run gives; absent = a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// JSON Schema of its configuration; absent = anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<Value>,
    /// Its configuration to begin with. The prompt names values of it as `{{config.name}}`.
    #[serde(default, skip_serializing_if = "JsonObject::is_empty")]
    pub config: JsonObject,
    /// What it needs of a machine.
    #[serde(default, skip_serializing_if = "AgentRequirements::is_none")]
    pub requirements: AgentRequirements,
    /// The route of the gateway by which its model is asked.
    #[serde(default)]
    pub model: String,
    /// Who is asked in its place when it cannot answer; absent = nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Box<AgentFallback>>,
    /// What it is told to be and do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prompt: String,
    /// How its model chooses words.
    #[serde(default)]
    pub sampling: Sampling,
    /// What it may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<AgentTool>,
    /// What it remembers from run to run; absent = nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<AgentMemorySettings>,
    /// How far a run may go.
    #[serde(default)]
    pub limits: AgentLimits,
}

/// The model that is asked a question which the agent's own cannot answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentFallback {
    /// The route of the gateway by which it is asked.
    pub model: String,
    /// How it chooses words.
    #[serde(default)]
    pub sampling: Sampling,
}

/// What an agent remembers of a session: of the runs that were started with the same session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentMemorySettings {
    /// Exchanges that are remembered, the newest ones.
    pub exchanges_max: u32,
}

/// What an agent needs of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentRequirements {
    /// Memory, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Whether it wants a GPU.
    pub gpu: Gpu,
    /// Memory of the GPU, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_memory_bytes: Option<u64>,
    /// The oldest GPU that will do, as its maker numbers them, such as `8.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_compute_capability: Option<String>,
    /// What must be there besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<String>,
}

impl AgentRequirements {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A record cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} {what}")]
pub struct InvalidAgent {
    /// Where in the record.
    pub place: String,
    /// What is wrong there, and what to do.
    pub what: String,
}

impl InvalidAgent {
    /// That is wrong at this place.
    pub fn at(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

impl AgentRecord {
    /// Reads a record as somebody wrote it: a word that it does not know is an error, and what it may cost may be a text
    /// such as `"0.50"`.
    ///
    /// # Errors
    /// [`InvalidAgent`], which says what is wrong and what to do.
    pub fn read(mut value: Value) -> Result<Self, InvalidAgent> {
        known("the record", &value, &FIELDS)?;
        for (part, fields) in PARTS {
            let found = part.split('.').try_fold(&value, |value, name| value.get(name));
            found.filter(|part| !part.is_null()).map_or(Ok(()), |value| known(part, value, fields))?;
        }
        for (place, tool) in value.get("tools").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let name = tool.get("name").and_then(Value::as_str).map_or_else(|| place.to_string(), str::to_owned);
            let place = format!("tools.{name}");
            known(&place, tool, &TOOL_FIELDS)?;
            ToolAction::check_words(&place, &tool["does"])?;
        }
        if let Some(limits) = value.get_mut("limits") {
            let read = AgentLimits::default().changed(limits.take())?;
            *limits = serde_json::to_value(read)
                .map_err(|error| InvalidAgent::at("limits", format!("cannot be written: {error}")))?;
        }
        let record: Self = serde_json::from_value(value)
            .map_err(|error| InvalidAgent::at("the record", format!("cannot be read: {error}")))?;
        record.check()?;
        Ok(record)
    }

    /// # Errors
    /// [`InvalidAgent`], which says what is wrong and what to do. Whether schemas are schemas is looked at elsewhere.
    pub fn check(&self) -> Result<(), InvalidAgent> {
        if self.model.trim().is_empty() {
            return Err(InvalidAgent::at("model", "is missing: name a route of the gateway"));
        }
        if self.fallback.as_ref().is_some_and(|fallback| fallback.model.trim().is_empty()) {
            return Err(InvalidAgent::at("fallback.model", "is missing: name a route of the gateway"));
        }
        if self.prompt.len() > PROMPT_BYTES_MAX {
            let what = format!("has {} bytes: at most {PROMPT_BYTES_MAX} are allowed", self.prompt.len());
            return Err(InvalidAgent::at("prompt", what));
        }
        if self.tools.len() > TOOLS_MAX {
            return Err(InvalidAgent::at("tools", format!("are too many: at most {TOOLS_MAX}")));
        }
        for (place, words) in [("capabilities", &self.capabilities), ("requirements", &self.requirements.dependencies)]
        {
            let long = words.iter().any(|word| word.chars().count() > WORD_CHARACTERS_MAX);
            if words.len() > WORDS_MAX || long {
                let what = format!("has too many words or too long ones: at most {WORDS_MAX} of {WORD_CHARACTERS_MAX}");
                return Err(InvalidAgent::at(place, what));
            }
        }
        for (place, tool) in self.tools.iter().enumerate() {
            tool.check()?;
            if self.tools.iter().take(place).any(|other| other.name == tool.name) {
                return Err(InvalidAgent::at(format!("tools.{}", tool.name), "is there twice: give each its own name"));
            }
        }
        if let Some(AgentMemorySettings { exchanges_max }) = self.memory
            && !(1..=EXCHANGES_MAX).contains(&exchanges_max)
        {
            return Err(InvalidAgent::at("memory.exchanges_max", format!("is not 1 to {EXCHANGES_MAX}")));
        }
        self.limits.check()?;
        let bytes = self.json().len();
        if bytes > RECORD_BYTES_MAX {
            return Err(InvalidAgent::at("the record", format!("has {bytes} bytes: at most {RECORD_BYTES_MAX}")));
        }
        Ok(())
    }

    /// SHA-256 of the record as JSON, hexadecimal.
    pub fn digest(&self) -> String {
        hexadecimal(&Sha256::digest(self.json().as_bytes()))
    }

    /// The prompt with the values that it names of `config`.
    ///
    /// # Errors
    /// [`InvalidAgent`] where it names one that is not there.
    pub fn prompt_with(&self, config: &JsonObject) -> Result<String, InvalidAgent> {
        let (mut prompt, mut rest) = (String::new(), self.prompt.as_str());
        while let Some((before, after)) = rest.split_once("{{config.") {
            let closed = after.split_once("}}");
            let (name, after) = closed.ok_or_else(|| InvalidAgent::at("prompt", "has a '{{' that is not closed"))?;
            let value = config.get(name.trim()).ok_or_else(|| {
                InvalidAgent::at(
                    "prompt",
                    format!("names {{{{config.{name}}}}}, which the configuration does not have"),
                )
            })?;
            prompt.push_str(before);
            match value {
                Value::String(text) => prompt.push_str(text),
                other => prompt.push_str(&other.to_string()),
            }
            rest = after;
        }
        prompt.push_str(rest);
        Ok(prompt)
    }

    fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

pub(super) fn known(place: &str, value: &Value, fields: &[&str]) -> Result<(), InvalidAgent> {
    let Some(object) = value.as_object() else {
        return Err(InvalidAgent::at(place, "is no JSON object"));
    };
    match object.keys().find(|key| !fields.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(InvalidAgent::at(place, format!("has no '{key}': it has {}", fields.join(", ")))),
    }
}
