//! The engine over a log in memory, with small node types made for these tests.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
mod continuation;
mod control;
mod crash;
mod credentials;
mod failures;
mod fold;
mod forks;
mod holding;
mod listeners;
mod machine;
mod node_types;
mod outputs;
mod paired;
mod parallel;
mod reactions;
mod recovery;
mod replays;
mod retry;
mod schedule;
mod scheduler;
mod shares;
mod sub_workflows;
