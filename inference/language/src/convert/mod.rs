//! Language models of the format GGUF made into ONNX, once, when they are added: the graph with all weights, and what its
//! tokenizer needs in files beside it.
//!
//! Models of the llama architecture are taken. The same file gives the same bytes, always.

mod graph;
mod onnx;
mod tokens;

pub use graph::CONTEXT_TOKENS_MAX;

use crate::gguf::{Gguf, InvalidGguf};

/// What a model is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// The model, as ONNX.
    pub model: Vec<u8>,
    /// Its tokenizer, as [`crate::files::TOKENIZER`].
    pub tokenizer: Vec<u8>,
    /// How chats are written for it, as [`crate::files::CHAT`].
    pub chat: Vec<u8>,
}

/// Makes ONNX of a file.
///
/// # Errors
/// When it is no model that is taken, in words for whoever has the file.
pub fn convert(bytes: &[u8]) -> Result<Converted, InvalidGguf> {
    let file = Gguf::read(bytes)?;
    let (tokenizer, chat) = (tokens::tokenizer(&file)?, tokens::chat(&file)?);
    Ok(Converted { model: graph::model(&file)?, tokenizer, chat })
}
