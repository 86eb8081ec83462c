//! The Recall aggregate: what nodes remember from one execution to the next.
//!
//! It holds digests of keys, never the keys. Invariant: whoever remembered a key first is its owner, for as long as it is
//! remembered; that is how a node run that is computed again gets the answers that it got first.

mod event;
mod state;

pub use event::RecallEvent;
pub use state::{Recall, RecallCommand, RecallRefusal};
