//! Embeddings: texts in, vectors out.

use serde::{Deserialize, Serialize};

use super::answer::Usage;
use crate::item::JsonObject;

/// What is to be embedded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbedRequest {
    /// The model, or the route to one.
    pub model: String,
    /// The texts.
    pub input: EmbedInput,
    /// How long the vectors are to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<u64>,
    /// How the caller wants the vectors written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// For whom, as the provider is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What else the protocol said.
    #[serde(default, skip_serializing_if = "JsonObject::is_empty")]
    pub extra: JsonObject,
}

/// Texts, or the tokens that they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmbedInput {
    /// One text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// One text, as tokens.
    Tokens(Vec<u32>),
    /// Several texts, as tokens.
    TokenLists(Vec<Vec<u32>>),
}

impl EmbedInput {
    /// How many vectors it asks for.
    pub fn count(&self) -> usize {
        match self {
            Self::Text(_) | Self::Tokens(_) => 1,
            Self::Texts(texts) => texts.len(),
            Self::TokenLists(lists) => lists.len(),
        }
    }

    /// Bytes of the texts, a token for four: tokens are guessed from it.
    pub fn text_bytes(&self) -> u64 {
        let bytes = match self {
            Self::Text(text) => text.len(),
            Self::Texts(texts) => texts.iter().map(String::len).sum(),
            Self::Tokens(tokens) => tokens.len() * 4,
            Self::TokenLists(lists) => lists.iter().map(|list| list.len() * 4).sum(),
        };
        bytes as u64
    }
}

/// How vectors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// As lists of numbers.
    Float,
    /// As base64 of their numbers, four bytes each, little-endian.
    Base64,
}

/// The vectors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EmbedAnswer {
    /// The model that made them, as the provider says.
    pub model: String,
    /// One for each text, in their order.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens that it took, if the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}
