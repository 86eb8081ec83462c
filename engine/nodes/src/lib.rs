//! The built-in node types, with the behaviour that n8n workflow files expect of them.
//!
//! No node reads a clock, chance or the log: what it needs comes in through the run. [`registry::all`] lists them.

#![expect(dead_code, reason = "the helpers are there before all the nodes that use them")]

mod describe;
mod no_op;
pub mod registry;
mod sticky_note;
#[cfg(test)]
mod testing;
mod values;
