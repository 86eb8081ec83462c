//! The protocol of OpenAI's chat completions and embeddings, which many providers and engines speak: both the side that
//! asks and the side that answers.

mod answer;
mod body;
mod embed;
mod error;
mod message;
mod request;
mod stream;
mod write;

pub use answer::decode_answer;
pub use body::{BODY_BYTES_MAX, ChatBody, Head, InvalidBody};
pub use embed::{decode_embed_answer, decode_embed_request, encode_embed_answer, encode_embed_request};
pub(crate) use error::{class_of_status, told};
pub use error::{decode_error, encode_error};
pub use request::{decode_request, encode_request};
pub use stream::StreamDecoder;
pub use write::{ChunkWriter, encode_answer};

/// In which ways a provider departs from the protocol, or adds to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// The field for the most tokens of an answer.
    pub output_tokens: OutputTokens,
    /// Whether thoughts of earlier answers are sent back, as some engines want them.
    pub thinking: bool,
    /// Whether a stream may be asked to end with the tokens it took.
    pub stream_usage: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self { output_tokens: OutputTokens::MaxCompletionTokens, thinking: false, stream_usage: true }
    }
}

/// The field for the most tokens of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputTokens {
    /// `max_completion_tokens`: today's name.
    MaxCompletionTokens,
    /// `max_tokens`: the name that engines of others know.
    MaxTokens,
}

/// What was asked and the protocol has no word for: told, never left out in silence.
pub type LeftOut = std::collections::BTreeSet<&'static str>;
