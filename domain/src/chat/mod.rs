//! The words in which chats with models and embeddings are spoken of, whatever protocol they come in or go out by.
//!
//! Never knows a protocol. What a protocol says and these words do not is kept as it is in `extra`, so that it comes out
//! again where the same protocol is spoken.

mod answer;
mod delta;
mod embed;
mod error;
mod message;
mod request;

pub use answer::{ChatAnswer, Choice, FinishReason, Usage};
pub use delta::{Assembler, Delta, Overfull};
pub use embed::{EmbedAnswer, EmbedInput, EmbedRequest, Encoding};
pub use error::{ErrorClass, InvalidErrorClass};
pub use message::{ImageSource, Message, Part, Role};
pub use request::{ChatRequest, Format, Sampling, Thinking, Tool, ToolChoice};
