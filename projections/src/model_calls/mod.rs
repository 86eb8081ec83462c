//! Calls to language models: a row each, and what they took in sums.
//!
//! Nothing that was said is in any row: it is read from the events, whose positions the rows have. Invariant: a row never
//! changes, since a call is written down once, when it has ended.

mod call;
mod questions;
mod spend;
mod table;

pub use call::{ModelCallFilter, ModelCallRow, ModelCallStatus};
pub use spend::{ModelSpendRow, SPEND_GROUPS_MAX, SpendBy, SpendFilter, SpendKey};
pub(crate) use table::ModelCalls;
