//! Models computed by the real library, which `make setup` fetches.

#[path = "../support/mod.rs"]
mod support;

mod computing;
mod keeping;
mod opening;
mod placement;
mod sharing;
mod stepping;
mod stopping;
mod validating;
