//! The built-in node types, with the behaviour that n8n workflow files expect of them.
//!
//! No node reads a clock, chance or the log: what it needs comes in through the run. [`registry::all`] lists them.

mod chance;
mod code;
mod compression;
mod conditions;
mod conversion;
mod crypto;
mod date_time;
mod debug_helper;
mod describe;
mod files;
mod filter;
mod http_request;
mod if_node;
mod lenient_json;
mod merge;
mod move_binary_data;
mod no_op;
mod pattern;
pub mod registry;
mod respond_to_webhook;
mod set;
mod split_in_batches;
mod sticky_note;
mod stop_and_error;
mod switch;
#[cfg(test)]
mod testing;
mod transform;
mod values;
mod wait;
mod xml;
