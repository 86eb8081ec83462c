//! Facts and rules of Timeloom: events, aggregates, workflow definitions. No I/O, no clock, no made-up ids.

pub mod access;
pub mod account;
pub mod audit;
pub mod catalogue;
pub mod chance;
pub mod chat;
pub mod credential;
pub mod definition;
pub mod event;
pub mod execution;
pub mod form;
pub mod gateway;
pub mod ids;
pub mod inference;
pub mod item;
pub mod model;
pub mod model_call;
pub mod money;
pub mod plugin;
pub mod recall;
pub mod replay;
pub mod service;
pub mod session;
mod tagged;
pub mod tenant;
pub mod trace;
pub mod workflow;
