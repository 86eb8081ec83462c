//! The protocol of Anthropic's messages, on the side that asks.

mod answer;
mod error;
mod message;
mod request;
mod stream;

pub use answer::decode_answer;
pub use error::decode_error;
pub(crate) use message::arguments_of;
pub use request::encode_request;
pub use stream::StreamDecoder;

/// The version of the protocol that is spoken.
pub const VERSION: &str = "2023-06-01";
/// Most tokens of an answer where nobody said how many: the protocol wants a number.
pub const OUTPUT_TOKENS_DEFAULT: u64 = 4096;
