//! The TestCases aggregate: recorded executions of a workflow that every new definition of it is held against.
//!
//! One stream a workflow, whose id is the workflow's. What was recorded is a capsule: it lies in the blobs under the name that
//! its case has here. Invariants: names of cases are told apart, a capsule is kept once, and neither changes any more.

mod event;
mod state;

pub use event::{TestCase, TestCaseEvent};
pub use state::{KeptCase, TestCases, TestCasesCommand, TestCasesRefusal};

/// Most cases of one workflow.
pub const CASES_MAX: usize = 50;
/// Largest capsule of a case, in bytes.
pub const CASE_BYTES_MAX: usize = 8 << 20;
/// Most bytes that the capsule of a case unpacks to.
pub const CASE_UNPACKED_BYTES_MAX: u64 = 64 << 20;
/// Longest name of a case, in characters.
pub const CASE_NAME_CHARACTERS_MAX: usize = 100;
