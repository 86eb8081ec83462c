//! The `timeloom` program itself, as people start, stop and kill it.

mod bad_input;
mod conformance;
mod crash;
mod first_steps;
mod history;
pub(crate) mod server;
