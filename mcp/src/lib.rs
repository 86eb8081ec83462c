//! The Model Context Protocol over the GraphQL API: programs that let language models work list workflows and executions, look
//! at the past, and run workflows, on standard input and output ([`stdio`]) or over HTTP ([`http`]).
//!
//! Every tool asks one of a few fixed documents as whoever calls it: who may see and do what, and in whose name it is done, is
//! decided behind the port [`Api`] alone. Nothing of a caller is kept between two messages, so that any process can answer.
//! Invariant: what came out of executions is data in an answer, and never part of what tells a model what to do.

mod api;
mod arguments;
mod bound;
pub mod http;
mod message;
mod outcome;
mod resources;
mod schema;
mod server;
pub mod stdio;
#[cfg(test)]
mod testing;
mod tools;

pub use api::{Api, Question, Unreachable};
pub use bound::ANSWER_BYTES_MAX;
pub use server::{Broken, Offer, Server};
