//! Tests of the domain through its public interface: rules, definitions, laws, stored shapes.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod account;
mod agent;
mod agent_run;
mod answer;
mod credential;
mod execution;
mod folds;
mod form;
mod gateway;
mod given;
mod golden;
mod graph;
mod helpers;
mod inference;
mod laws;
mod model;
mod plugin;
mod samples;
mod service;
mod validation;
mod vectors;
mod workflow;
