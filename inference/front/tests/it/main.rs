//! The front as its clients see it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod documents;
mod http;
mod serving;
mod stock_client;
mod words;
