//! Tests of the worker: what is written down, and when.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod answers;
mod recording;
mod tensors;
mod verifying;
mod world;
