//! The protocol of Anthropic's messages: both the side that asks and the side that answers.

mod answer;
mod asked;
mod blocks;
mod error;
mod events;
mod message;
mod request;
mod stream;
mod write;

pub use answer::decode_answer;
pub use asked::{MESSAGES_MAX, TOOLS_MAX, decode_count_request, decode_request};
pub use error::{decode_error, encode_error, status_of};
pub use events::EventWriter;
pub(crate) use message::arguments_of;
pub use request::encode_request;
pub use stream::StreamDecoder;
pub use write::{About, encode_answer};

/// Where a provider's cache may cut, as a client of this protocol said it. It is kept under a name of its own: providers of
/// other protocols refuse it.
pub(crate) const CLIENTS_CACHE_CUT: &str = "anthropic:cache_control";

/// The version of the protocol that is spoken.
pub const VERSION: &str = "2023-06-01";
/// Most tokens of an answer where nobody said how many: the protocol wants a number.
pub const OUTPUT_TOKENS_DEFAULT: u64 = 4096;
