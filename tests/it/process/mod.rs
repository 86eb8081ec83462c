//! The `timeloom` program itself, as people start, stop and kill it.

mod access;
mod backups;
mod bad_input;
mod called;
mod canaries;
mod conformance;
mod control;
mod crash;
mod credentials;
mod databases;
mod first_steps;
mod gate;
mod graphql_conformance;
mod history;
mod large_payloads;
mod long_executions;
mod matrix;
mod projections;
mod replays;
mod schedules;
pub(crate) mod server;
mod service_nodes;
mod signing_in;
mod stub;
mod time_travel;
mod webhooks;
mod workers;
