//! All workflows at a glance: what is active, what starts it, and who is meant by a reference. A live fold of the log.
//!
//! It never changes anything and never holds a definition, only what starts workflows and what others ask of them. What
//! `Directory::now` gives is a moment that stays as it is; whoever needs what an append brought waits for its position
//! first. A workflow with an event that this build does not know is left out from then on: what it has become is not known.

mod entry;
mod listing;
mod routes;

use crate::live::Live;

pub use entry::{ActiveVersion, RolloutEntry, TestListening, TriggerKind, TriggerNode, WorkflowEntry, WorkflowFacts};
pub use listing::Listing;
pub use routes::{PATH_BYTES_MAX, Route, RouteMatch, Routes, WebhookAddress};

/// The directory of all workflows of one log. Cheap to clone.
pub type Directory = Live<Listing>;
