//! Tests of what an auditor relies on: that an honest export or capsule is proved, and that every lie is found.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod capsules;
mod honest;
mod lies;
mod world;
