//! Routes: which provider is asked, what is done when it fails, and which are left alone for a while.
//!
//! The same key of a call falls to the same target of a split, on every machine and at any time. Otherwise chance and time
//! come in by ports.

mod breaker;
mod budget;
mod choose;
mod config;
mod run;
mod target;

pub use breaker::{BreakerConfig, CircuitState};
pub use config::{Balance, InvalidRoute, Retry, RouteConfig, Target, Tier};
pub use run::{Asking, Attempt, Route, RouteError, Routed};
pub use target::{Health, TargetHealth};
