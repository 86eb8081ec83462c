//! The pool as its callers see it: real threads, real arithmetic, and a clock that the test winds.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod breakdown;
mod chaos;
mod deadlines;
mod life;
mod memory;
mod support;
mod tuning;
