//! Runs of agents, driven over a log in memory by a model that says what the test tells it.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
mod forks;
mod grants;
mod limits;
mod runs;
mod servers;
