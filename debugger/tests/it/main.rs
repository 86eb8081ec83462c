//! The debugger in a real pseudo-terminal: what a person sees, key by key, and what is left of it afterwards.
//!
//! The screens that are compared are in `golden/`; `UPDATE_GOLDEN=1` writes them anew.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod sample;
mod screens;
mod terminal;
