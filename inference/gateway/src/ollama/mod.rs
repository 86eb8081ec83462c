//! The protocol of Ollama: chats, texts to go on with, and embeddings; both the side that asks and the side that answers.

mod answer;
mod asked;
mod embed;
mod message;
mod request;
mod write;

pub use answer::{StreamDecoder, decode_answer, decode_error};
pub use asked::{MESSAGES_MAX, TOOLS_MAX, decode_chat, decode_generate};
pub use embed::{
    decode_embed_answer, decode_embed_request, decode_older_embed_request, encode_embed_answer, encode_embed_request,
    encode_older_embed_answer,
};
pub use request::{encode_generate, encode_request};
pub use write::{Form, LineWriter, Took};

/// What is said of a model's working beside how it chooses words, such as how many tokens it is made ready for.
const OPTIONS: &str = "options";
/// For how long a model is to stay loaded.
const KEEP_ALIVE: &str = "keep_alive";
/// Fields of requests that mean something to this protocol alone.
pub(crate) const OWN_FIELDS: [&str; 2] = [OPTIONS, KEEP_ALIVE];
