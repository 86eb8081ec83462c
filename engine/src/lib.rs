//! The engine: the node trait, the pure machine that says what an execution does next, and the runner that does it.
//!
//! Nothing here reads a projection or answers a query. Invariant: an effect begins only after the log holds the event
//! that says so.

pub mod admission;
pub mod alone;
mod answer;
mod attempt;
mod burst;
pub mod chain;
pub mod checkpoint;
pub mod data_tables;
mod drive;
mod fetch;
mod flight;
mod follow;
mod hide;
mod lane;
pub mod listeners;
pub mod lookup;
pub mod machine;
pub mod node;
mod open;
mod places;
pub mod plan;
pub mod reactions;
pub mod recall;
pub mod replay;
mod restore;
pub mod runner;
pub mod schedule;
pub mod scheduler;
mod shards;
mod stub;
pub mod sub_workflows;
pub mod vectors;
mod writer;

pub use chain::ContinueAsNew;
pub use runner::{Engine, EngineOptions, EngineParts};
pub use stub::NOT_ANSWERED;
