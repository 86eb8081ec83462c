//! What is asked of a model.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::message::{Message, Part};
use crate::item::JsonObject;

/// Bytes of text whose tokens are about those of a picture.
const IMAGE_BYTES_GUESSED: usize = 4_500;

/// A chat to go on with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    /// The model, or the route to one.
    pub model: String,
    /// What was said so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
    /// Tools that the model may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// Whether it is to call one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// What the answer is to look like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// How words are chosen.
    pub sampling: Sampling,
    /// Whether and how much it is to think first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Thinking>,
    /// For whom it answers, as the provider is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether the answer is wanted piece by piece.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stream: bool,
    /// Whether a stream is to end with the tokens it took.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stream_usage: bool,
    /// What else the protocol said.
    #[serde(default, skip_serializing_if = "JsonObject::is_empty")]
    pub extra: JsonObject,
}

/// A tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// A function that the caller carries out.
    Function {
        /// Its name.
        name: String,
        /// What it does, told to the model.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// JSON Schema of its arguments.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parameters: Option<Value>,
        /// Whether the arguments must fit the schema.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
    /// A kind that has no word here, as the protocol said it.
    Other(Value),
}

/// Whether a tool is to be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As the model likes.
    Auto,
    /// None.
    Never,
    /// One at least.
    Required,
    /// This one.
    Named(String),
}

/// What an answer is to look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Text.
    Text,
    /// Any JSON object.
    Json,
    /// JSON that fits a schema.
    Schema {
        /// What the schema is called.
        name: String,
        /// What it is for, told to the model.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// The JSON Schema.
        schema: Value,
        /// Whether the provider is to hold the model to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
}

/// How words are chosen. What is not said the provider decides.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// How freely: 0 always takes the likeliest word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Only from the likeliest words that make up this share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Only from this many likeliest words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u64>,
    /// Most tokens of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens_max: Option<u64>,
    /// Texts before which the answer ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// Makes chance repeatable, as far as the provider can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Against words that were used often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// Against words that were used at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// How many answers are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choices: Option<u64>,
}

/// How much a model is to think first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thinking {
    /// In a word, such as `low`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<String>,
    /// In tokens at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_max: Option<u64>,
}

impl ChatRequest {
    /// Whether the same request gets the same answer, as far as the request decides it.
    pub fn is_deterministic(&self) -> bool {
        self.sampling.temperature == Some(0.0) && self.sampling.choices.is_none_or(|choices| choices <= 1)
    }

    /// Bytes of everything that the model reads, a picture for a few thousand: tokens are guessed from it.
    pub fn text_bytes(&self) -> u64 {
        let messages: usize = self.messages.iter().flat_map(|message| &message.parts).map(part_bytes).sum();
        let tools: usize = self.tools.iter().map(tool_bytes).sum();
        (messages + tools) as u64
    }
}

fn part_bytes(part: &Part) -> usize {
    match part {
        Part::Text { text, .. } | Part::Thinking { text, .. } | Part::Refusal { text } => text.len(),
        Part::ToolCall { name, arguments, .. } => name.len() + arguments.len(),
        Part::ToolResult { parts, .. } => parts.iter().map(part_bytes).sum(),
        Part::Image { .. } => IMAGE_BYTES_GUESSED,
        Part::SealedThinking { .. } | Part::Other(_) | Part::OtherCall(_) => 0,
    }
}

fn tool_bytes(tool: &Tool) -> usize {
    match tool {
        Tool::Function { name, description, parameters, .. } => {
            let schema = parameters.as_ref().map_or(0, |schema| schema.to_string().len());
            name.len() + description.as_ref().map_or(0, String::len) + schema
        }
        Tool::Other(value) => value.to_string().len(),
    }
}
