//! Tests of the whole product, and of the house around the code.

mod compose;
mod documents;
mod floors;
mod licences;
mod packages;
mod product;
mod repository;
mod tree;
mod workflows;
