//! Time travel: the exact state of any stream at any moment, and what changed between two moments.
//!
//! One library call that every way in uses. It reads the log and folds with the domain's own `apply`; it needs no row and
//! carries nothing out. Never: a clock, a write, a guess about an event that this build does not know. Such an event is
//! left out of the fold and told, by position, type and version.
//!
//! Invariant: the same stream and the same moment give the same state for ever, whatever is appended later.

mod bare;
mod between;
mod bisect;
pub mod capsule;
mod compare;
mod diff;
pub mod drift;
mod error;
mod executions;
mod fold;
mod kind;
mod moment;
mod pages;
mod part;
mod past;
mod provenance;
mod state;
mod story;

pub use between::{
    Between, CHANGES_BETWEEN_MAX, ChangeBetween, ChangedKind, NODE_TYPES_MAX, PluginChange, changes_between,
};
pub use bisect::{Bisection, Found, Next, TRIES_MAX, Verdict};
pub use compare::{Comparison, OWN_ID, compare};
pub use diff::{BETWEEN_EVENTS_MAX, BetweenEvent, Change, Difference, Point, diff};
pub use error::HistoryError;
pub use executions::{
    Cause, CauseReason, ComparedAttempt, ComparedStep, ExecutionComparison, SideTimes, StepOutcome, compare_executions,
    inputs,
};
pub use fold::{FOLD_BYTES_MAX, FOLD_EVENTS_MAX, UNKNOWN_EVENTS_MAX, UnknownEvent, UnknownEvents};
pub use kind::{Kind, is_known};
pub use moment::{Moment, position_of};
pub use past::{KEPT_BYTES_MAX, Kept, Past};
pub use provenance::{
    AskedAgent, Border, CHAPTERS_MAX, Chapter, Explanation, ItemValue, Origin, Provenance, STEPS_MAX, Step,
    WRITERS_MAX, ancestor, explain, provenance, writers,
};
pub use state::{Look, RAW_EVENTS_MAX, StateAt, look_at, state_at};
pub use story::{EventPlace, STORY_DEEP_MAX, Story, StoryRun, workflow_at};
