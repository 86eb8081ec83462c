//! The past of streams in a log in memory: states, differences, unknown events, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod between;
mod diffs;
mod executions;
mod kept;
mod laws;
mod provenance;
mod runs;
mod states;
mod unknown;
mod world;
