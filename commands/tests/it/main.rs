//! Commands over a log in memory, through their public interface.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod activation;
mod bench;
mod credentials;
mod data_tables;
mod directory;
mod drafts;
mod erasure;
mod executions;
mod framework;
mod registries;
mod repeats;
mod retention;
mod rollouts;
mod snapshots;
mod together;
mod workflows;
