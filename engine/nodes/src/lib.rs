//! The built-in node types, with the behaviour that n8n workflow files expect of them.
//!
//! No node reads a clock, chance or the log: what it needs comes in through the run. [`registry::all`] lists them.

mod agent;
pub mod aws_signature;
mod chance;
mod chat_trigger;
mod code;
mod compression;
mod conditions;
mod conversion;
mod crypto;
mod data_table;
mod date_time;
mod debug_helper;
#[cfg(any(test, feature = "testing"))]
mod declared;
pub mod describe;
mod each;
mod edit_image;
mod execute_workflow;
mod execution_data;
mod files;
mod filter;
mod form;
mod graphql;
mod html;
mod http_request;
mod if_node;
mod jwt;
mod language;
mod lenient_json;
mod markdown;
mod merge;
mod models;
mod move_binary_data;
mod no_op;
mod pattern;
pub mod registry;
mod respond_to_webhook;
mod rss_feed_read;
mod schedule;
mod set;
mod signature;
mod split_in_batches;
mod sticky_note;
mod stop_and_error;
mod switch;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod totp;
mod transform;
pub mod values;
mod wait;
mod webhook;
mod xml;

pub use files::kinds::described as described_file;
pub use http_request::{Bearers, OAuth2, client_for, client_for_any_certificate};
pub use models::{JsonInputs, inputs_of_json, json_of_outputs};
