//! The JavaScript sandbox: runs expressions and Code nodes in QuickJS, compiled to WebAssembly.
//!
//! It implements the expression port. It never lets a script reach files, the network, the real clock or the
//! memory of the server: the guest imports nothing but the questions in `guest/wit/sandbox.wit`.
//! Calls block, for as long as their limit at most, and want a thread with 2 MiB of stack.
//! Invariant: whatever a script does, a call ends within its limits and the next session starts clean.

mod answer;
pub mod config;
mod engine;
mod host;
mod request;
mod session;
mod ticker;
mod zones;

pub use engine::SandboxEngine;
