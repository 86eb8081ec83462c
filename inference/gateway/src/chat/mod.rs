//! The words in which the gateway speaks of chats and embeddings, whatever protocol they came in or go out by.
//!
//! Never knows a protocol. What a protocol says and these words do not is kept as it is in `extra`, so that it comes out
//! again where the same protocol is spoken.

mod answer;
mod delta;
mod embed;
mod message;
mod request;

pub use answer::{ChatAnswer, Choice, FinishReason, Usage};
pub use delta::{Assembler, Delta, Overfull};
pub use embed::{EmbedAnswer, EmbedInput, EmbedRequest, Encoding};
pub use message::{ImageSource, Message, Part, Role};
pub use request::{ChatRequest, Format, Sampling, Thinking, Tool, ToolChoice};
