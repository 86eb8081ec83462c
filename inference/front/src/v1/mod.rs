//! The door at which language models are asked by OpenAI's protocol: chats whole and piece by piece, vectors, the list of
//! what can be asked.
//!
//! It translates and nothing else: who may ask, and what answers, is decided behind the port [`Speaking`]. Before a body is
//! read it is known who sent it.

mod refusal;
mod routes;
mod speaking;

pub use refusal::{Refusal, error_body};
pub use routes::routes;
pub use speaking::{Asked, Said, Speaking};

/// Most bytes of the body of a request.
pub const BODY_BYTES_MAX: usize = timeloom_gateway::openai::BODY_BYTES_MAX;
