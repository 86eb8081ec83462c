//! What the gateway promises, beside what the modules hold themselves.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod across;
mod aimock;
mod anthropic;
mod fronts;
mod gateway;
mod mutated;
mod ollama;
mod openai;
mod provider;
mod routes;
mod secured;
mod support;
mod upstream;
