//! Behaviour of expressions as a workflow's author sees it.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod evaluator;
mod native;
mod support;
mod time;
