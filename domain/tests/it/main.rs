//! Tests of the domain through its public interface: rules, definitions, laws, stored shapes.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod account;
mod agent;
mod agent_run;
mod answer;
mod archive;
mod bisection;
mod credential;
mod data_table;
mod drafts;
mod drift;
mod evaluation;
mod evaluation_judge;
mod evaluation_scores;
mod evaluation_set;
mod execution;
mod feature_flag;
mod folds;
mod form;
mod gateway;
mod given;
mod golden;
mod graph;
mod helpers;
mod inference;
mod laws;
mod listener;
mod model;
mod plugin;
mod retention;
mod rollout;
mod samples;
mod service;
mod subject;
mod tenant;
mod test_case;
mod validation;
mod vectors;
mod workflow;
mod workflow_rollout;
