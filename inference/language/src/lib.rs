//! Language models on this machine: texts into vectors, and chats that are answered token by token, by models of the model
//! manager. They are a provider of the gateway like any other, that needs neither key nor internet.
//!
//! It computes and tells; it never writes an event. What a model can do is read from what it takes and gives, and from the
//! files beside it.

pub mod chat;
pub mod convert;
pub mod embed;
pub mod files;
pub mod gguf;
mod local;
pub mod task;
mod tokens;

pub use local::{Found, Local, Models};
