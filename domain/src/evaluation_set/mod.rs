//! The EvaluationSet aggregate: cases that are known, on which models, agents and workflows are tried again and again.
//!
//! A set has versions, each with all of its cases; a version never changes. Invariant: everything of a set is bounded, and
//! what an evaluation was about can be read for as long as the log is kept: from the event of the version.

mod case;
mod event;
mod items;
mod lines;
mod state;

pub use case::{CaseOrigin, EvaluationCase, numbered, numbered_behind};
pub use event::EvaluationSetEvent;
pub use items::{items_of, value_of};
pub use lines::{BadLine, cases_of_lines};
pub use state::{EvaluationSet, EvaluationSetCommand, EvaluationSetRefusal, EvaluationSetVersion};

/// Most versions of a set.
pub const SET_VERSIONS_MAX: usize = 100;
/// Most bytes of a case, as JSON.
pub const CASE_BYTES_MAX: usize = 256 << 10;
/// Most bytes of the cases of a version, as JSON: they are one event.
pub const SET_BYTES_MAX: usize = 2 << 20;
/// Most characters of a case's id.
pub const CASE_ID_CHARACTERS_MAX: usize = 100;
/// Most characters of what a set is said to be.
pub const SET_DESCRIPTION_CHARACTERS_MAX: usize = 1_000;
