//! The door at which language models are asked by Ollama's protocol: chats, texts to go on with, vectors, the list of what can
//! be asked. Models are never changed here: what would change them says what to do instead.

mod lines;
mod listing;
mod refusal;
mod routes;

pub use refusal::error_body;
pub use routes::routes;
