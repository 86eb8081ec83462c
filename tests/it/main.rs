//! Tests of the whole product, and of the house around the code.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "tests of the program stand where its users stand: outside the ports")]

mod compose;
mod documents;
mod expressions;
mod floors;
mod hostile_files;
mod licences;
mod packages;
mod process;
mod product;
mod repository;
mod tree;
mod workflows;
