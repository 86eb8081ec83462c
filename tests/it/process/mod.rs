//! The `timeloom` program itself, as people start, stop and kill it.

mod backups;
mod bad_input;
mod conformance;
mod control;
mod crash;
mod credentials;
mod databases;
mod first_steps;
mod history;
mod long_executions;
mod projections;
pub(crate) mod server;
mod stub;
mod time_travel;
