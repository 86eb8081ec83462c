//! The gateway to language models: one way to ask, whatever provider answers and whatever protocol it speaks.
//!
//! It computes and tells what it did, as a list of facts; it never writes an event, reads no clock and draws no chance of
//! its own. Keys of providers come in by a port and never show in what it tells.

pub mod anthropic;
pub mod cache;
pub mod cost;
pub mod error;
pub mod facts;
pub mod gateway;
pub mod limits;
pub mod ollama;
pub mod openai;
pub mod ports;
pub mod provider;
pub mod route;
pub mod schema;
pub mod upstream;
pub mod wire;

pub use error::CallError;
pub use gateway::{Ask, AskEmbed, Gateway, GatewayError, Reply, Setup};
