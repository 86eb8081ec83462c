//! The `timeloom` program itself, as people start, stop and kill it.

mod backups;
mod bad_input;
mod conformance;
mod crash;
mod databases;
mod first_steps;
mod history;
mod large_payloads;
mod long_executions;
mod projections;
pub(crate) mod server;
mod time_travel;
