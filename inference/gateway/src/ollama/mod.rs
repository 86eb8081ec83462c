//! The protocol of Ollama: chats, texts to go on with, and embeddings, on the side that asks.

mod answer;
mod embed;
mod request;

pub use answer::{StreamDecoder, decode_answer, decode_error};
pub use embed::{decode_embed_answer, encode_embed_request};
pub use request::{encode_generate, encode_request};
