//! The engine: the node trait, the pure machine that says what an execution does next, and the runner that does it.
//!
//! Nothing here reads a projection or answers a query. Invariant: an effect begins only after the log holds the event
//! that says so.

mod answer;
mod attempt;
mod burst;
pub mod chain;
pub mod checkpoint;
mod drive;
mod fetch;
pub mod lookup;
pub mod machine;
pub mod node;
mod open;
pub mod plan;
mod restore;
pub mod runner;
pub mod writer;

pub use chain::ContinueAsNew;
pub use runner::{Engine, EngineOptions, EngineParts};
