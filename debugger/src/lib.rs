//! The debugger in a terminal: one execution, event by event, as it was right after each of them.
//!
//! It shows what a [`Source`] tells, wherever that has it from, and changes nothing. Invariant: however it ends, by a key, a
//! signal or a fault of its own, the terminal is as it was before.

mod changes;
mod keys;
mod lines;
mod model;
mod source;
mod terminal;
mod view;

pub use source::{About, EventRow, Source, SourceError};
pub use terminal::{Options, RunError, run};
