//! Files that lie beside a language model, by the names that they have on the hub.

/// The tokenizer.
pub const TOKENIZER: &str = "tokenizer.json";
/// How chats are written, and which words end an answer.
pub const CHAT: &str = "tokenizer_config.json";
