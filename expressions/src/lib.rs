//! Expressions: the port, the data they may read, and the native evaluator of a closed subset of JavaScript.
//!
//! This crate never runs untrusted JavaScript: what the native subset cannot evaluate goes to a
//! [`port::ScriptEngine`], which `expressions/sandbox` implements in WebAssembly.

pub mod evaluator;
mod native;
pub mod port;
pub mod scope;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
