//! What a model answers.

use serde::{Deserialize, Serialize};

use super::delta::Delta;
use super::message::{Part, joined_text};
use crate::item::JsonObject;

/// An answer that is whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatAnswer {
    /// The provider's name for it.
    pub id: String,
    /// The model that answered, as the provider says.
    pub model: String,
    /// When it was made, seconds since 1970, if the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_s: Option<i64>,
    /// The answers; mostly one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// Tokens that it took, if the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What the provider says of the software and settings that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_fingerprint: Option<String>,
    /// What else the protocol said.
    #[serde(default, skip_serializing_if = "JsonObject::is_empty")]
    pub extra: JsonObject,
}

impl ChatAnswer {
    /// The text of the first choice.
    pub fn text(&self) -> String {
        self.choices.first().map(|choice| joined_text(&choice.parts)).unwrap_or_default()
    }

    /// Why the first choice ended.
    pub fn finish(&self) -> Option<&FinishReason> {
        self.choices.first().and_then(|choice| choice.finish.as_ref())
    }

    /// The pieces of which a stream would have made it.
    pub fn deltas(&self) -> Vec<Delta> {
        let mut deltas = vec![Delta::Started {
            id: self.id.clone(),
            model: self.model.clone(),
            created_s: self.created_s,
            system_fingerprint: self.system_fingerprint.clone(),
        }];
        for choice in &self.choices {
            let mut calls = 0;
            deltas.extend(choice.parts.iter().flat_map(|part| pieces(choice.index, part, &mut calls)));
            deltas.extend(choice.finish.clone().map(|reason| Delta::Finished { choice: choice.index, reason }));
        }
        deltas.extend(self.usage.map(Delta::Usage));
        deltas
    }
}

fn pieces(choice: u32, part: &Part, calls: &mut u32) -> Vec<Delta> {
    match part {
        Part::Text { text, .. } => vec![Delta::Text { choice, text: text.clone() }],
        Part::Refusal { text } => vec![Delta::Refusal { choice, text: text.clone() }],
        Part::Thinking { text, signature } => {
            let mut deltas = vec![Delta::Thinking { choice, text: text.clone() }];
            let signature = signature.clone().map(|signature| Delta::Signature { choice, signature });
            deltas.extend(signature);
            deltas
        }
        Part::SealedThinking { data } => vec![Delta::SealedThinking { choice, data: data.clone() }],
        Part::ToolCall { id, name, arguments } => {
            let call = *calls;
            *calls += 1;
            let started = Delta::ToolCallStarted { choice, call, id: id.clone(), name: name.clone() };
            vec![started, Delta::ToolCallArguments { choice, call, fragment: arguments.clone() }]
        }
        Part::Image { .. } | Part::ToolResult { .. } | Part::Other(_) | Part::OtherCall(_) => Vec::new(),
    }
}

/// One of the answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Which.
    pub index: u32,
    /// What it is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Why it ended there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<FinishReason>,
    /// What else the protocol said of it.
    #[serde(default, skip_serializing_if = "JsonObject::is_empty")]
    pub extra: JsonObject,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// All was said.
    Stop,
    /// One of the texts came up before which it was to end.
    StopSequence,
    /// It may not be longer.
    Length,
    /// Tools are to be called.
    ToolCalls,
    /// The provider held it back.
    ContentFilter,
    /// The model will not say it.
    Refusal,
    /// A word of the provider's own.
    Other(String),
}

impl FinishReason {
    /// In a word, for facts and metrics.
    pub fn name(&self) -> &str {
        match self {
            Self::Stop => "stop",
            Self::StopSequence => "stop_sequence",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::Other(word) => word,
        }
    }
}

/// Tokens that a call took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Those that the model read, whether from a cache or not.
    pub input_tokens: u64,
    /// Those that it wrote, thoughts included.
    pub output_tokens: u64,
    /// Of the input: those that the provider had in its cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input_tokens: Option<u64>,
    /// Of the input: those that the provider put into its cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<u64>,
    /// Of the output: thoughts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking_tokens: Option<u64>,
}

impl Usage {
    /// All of them.
    pub fn total_tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// Both calls together.
    pub fn plus(self, other: Self) -> Self {
        let sum = |one: Option<u64>, two: Option<u64>| match (one, two) {
            (None, None) => None,
            (one, two) => Some(one.unwrap_or(0).saturating_add(two.unwrap_or(0))),
        };
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cached_input_tokens: sum(self.cached_input_tokens, other.cached_input_tokens),
            cache_write_tokens: sum(self.cache_write_tokens, other.cache_write_tokens),
            thinking_tokens: sum(self.thinking_tokens, other.thinking_tokens),
        }
    }
}
