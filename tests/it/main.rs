//! Tests of the whole product, and of the house around the code.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod compose;
mod documents;
mod expressions;
mod floors;
mod licences;
mod packages;
mod process;
mod product;
mod repository;
mod tree;
mod workflows;
