//! Messages and what they are made of.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::item::JsonObject;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Whoever set the model up.
    System,
    /// The same, as newer models call it.
    Developer,
    /// Whoever asks.
    User,
    /// The model.
    Assistant,
    /// A tool that the model called.
    Tool,
}

/// What one of them says at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// The name of whoever speaks, where several have the same role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is said, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// What else the protocol said of the message.
    #[serde(default, skip_serializing_if = "JsonObject::is_empty")]
    pub extra: JsonObject,
}

impl Message {
    /// A message of one text.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, name: None, parts: vec![Part::text(text)], extra: JsonObject::new() }
    }

    /// All its texts, one after the other.
    pub fn joined_text(&self) -> String {
        joined_text(&self.parts)
    }
}

/// All texts of `parts`, one after the other.
pub(super) fn joined_text(parts: &[Part]) -> String {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A text.
    Text {
        /// The text.
        text: String,
        /// What else the protocol said of it, such as where a cache may cut.
        #[serde(default, skip_serializing_if = "JsonObject::is_empty")]
        extra: JsonObject,
    },
    /// A picture.
    Image {
        /// Where it is.
        source: ImageSource,
        /// How closely it is to be looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// The model wants a tool called.
    ToolCall {
        /// Its id, by which the result refers to it.
        id: String,
        /// Name of the tool.
        name: String,
        /// The arguments: JSON as the model wrote it, which need not be valid.
        arguments: String,
    },
    /// What a tool gave.
    ToolResult {
        /// Id of the call.
        call: String,
        /// What it gave: texts and pictures.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<Part>,
        /// Whether it failed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        failed: bool,
    },
    /// What the model thought before it spoke.
    Thinking {
        /// The thought.
        text: String,
        /// By which the provider knows it again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// A thought that the provider keeps sealed.
    SealedThinking {
        /// The sealed thought.
        data: String,
    },
    /// The model will not say it.
    Refusal {
        /// Its words.
        text: String,
    },
    /// Content of a kind that has no word here, as the protocol said it.
    Other(Value),
    /// A call of a kind that has no word here, as the protocol said it.
    OtherCall(Value),
}

impl Part {
    /// Bytes that it takes, about.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Text { text, .. } | Self::Thinking { text, .. } | Self::Refusal { text } => text.len(),
            Self::ToolCall { name, arguments, .. } => name.len() + arguments.len(),
            Self::ToolResult { parts, .. } => parts.iter().map(Self::bytes).sum(),
            Self::SealedThinking { data } => data.len(),
            Self::Image { source: ImageSource::Url(text) | ImageSource::Data { base64: text, .. }, .. } => text.len(),
            Self::Other(value) | Self::OtherCall(value) => value.to_string().len(),
        }
    }

    /// A plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), extra: JsonObject::new() }
    }
}

/// Where a picture is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageSource {
    /// At an address, which the provider fetches.
    Url(String),
    /// Here.
    Data {
        /// Its type, such as `image/png`.
        media_type: String,
        /// Its bytes, in base64.
        base64: String,
    },
}
