//! The door at which language models are asked by OpenAI's protocol: chats whole and piece by piece, vectors, the list of
//! what can be asked.

mod refusal;
mod routes;

pub use refusal::error_body;
pub use routes::routes;

/// Most bytes of the body of a request.
pub const BODY_BYTES_MAX: usize = crate::body::BODY_BYTES_MAX;
