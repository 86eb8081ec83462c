//! The ReplayCheck aggregate: executions that ended, and test cases, are run again without touching the world, and what came
//! of it.
//!
//! A worker runs them; its report is an event. Invariant: a report is bounded, however many executions it is about.
//!
//! A search for the change that made a run bad is written down here as well, a stream for each: it is that one execution, run
//! again under one definition after the other.

mod bisection;
mod event;
mod state;

pub use bisection::{
    BISECTION_CANDIDATES_MAX, BISECTION_CHECK_CHARACTERS_MAX, BISECTION_REASON_CHARACTERS_MAX, BISECTION_STEPS_MAX,
    Bisection, BisectionCommand, BisectionOutcome, BisectionOver, BisectionRefusal, BisectionRequest, BisectionStep,
    BisectionVerdict,
};
pub use event::{
    CaseVerdict, ReplayAgainst, ReplayCase, ReplayCheckEvent, ReplayDifference, ReplayReport, ReplayRequest,
    ReplayedCase, ReplayedChange,
};
pub use state::{ReplayCheck, ReplayCheckCommand, ReplayCheckRefusal, ReplayCheckStatus};

/// Most executions that one check is about.
pub const REPLAYS_MAX: usize = 1_000;
/// Most executions whose differences a report tells: the first ones.
pub const REPORTED_MAX: usize = 20;
/// Most changes that a report tells of one execution.
pub const REPORTED_CHANGES_MAX: usize = 10;
/// Longest text of a value that a report tells, in characters.
pub const REPORTED_CHARACTERS_MAX: usize = 500;
