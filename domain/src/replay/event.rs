//! What happens to a replay check.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{BisectionOutcome, BisectionRequest, BisectionStep};
use crate::event::Event;
use crate::ids::{ExecutionId, WorkflowId};

/// A fact about one replay check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ReplayCheckEvent {
    /// Somebody asked for it.
    ReplayCheckRequested(Box<ReplayRequest>),
    /// All executions were run again.
    ReplayCheckCompleted {
        /// What came of it.
        report: ReplayReport,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// It could not be carried out.
    ReplayCheckFailed {
        /// Why, in words that say what to do.
        reason: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Somebody began to search for the change that made a run bad.
    BisectionBegun(Box<BisectionRequest>),
    /// A point between the good run and the bad one was tried.
    BisectionStepTaken(BisectionStep),
    /// The search is over.
    BisectionEnded {
        /// What it came to.
        outcome: BisectionOutcome,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
}

/// What a check is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayRequest {
    /// The workflow whose executions they are.
    pub workflow_id: WorkflowId,
    /// The executions, by the ids with which they were started.
    pub executions: Vec<ExecutionId>,
    /// What they are run under.
    pub against: ReplayAgainst,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The test cases of the workflow that are run as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<ReplayCase>,
}

/// A test case that is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayCase {
    /// Its id.
    pub id: Uuid,
    /// What it is called.
    pub name: String,
    /// Its capsule, as attachments are named.
    pub capsule: String,
}

/// What executions are run under when they are run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReplayAgainst {
    /// What each of them ran.
    Same,
    /// A definition of their workflow.
    Definition {
        /// Revision of the workflow's stream.
        workflow_revision: u64,
        /// The published version; absent = the draft of that revision.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        workflow_version: Option<u32>,
    },
}

/// What came of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayReport {
    /// Executions that did the same again.
    pub same: u32,
    /// Executions that did something else.
    pub differ: u32,
    /// Executions that cannot be run again: they have not ended, or their events are not all there.
    pub skipped: u32,
    /// The first of those that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<ReplayDifference>,
    /// What came of each test case, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<ReplayedCase>,
}

impl ReplayReport {
    /// How many executions differ, and test cases do not come to what was recorded: what a gate counts.
    pub fn held_against(&self) -> u32 {
        let cases = self.cases.iter().filter(|case| case.verdict.is_held_against()).count();
        self.differ.saturating_add(u32::try_from(cases).unwrap_or(u32::MAX))
    }
}

/// What came of a test case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayedCase {
    /// Its id.
    pub id: Uuid,
    /// What it is called.
    pub name: String,
    /// How it compares with what was recorded.
    pub verdict: CaseVerdict,
    /// What is other, or why it cannot be told, in one sentence; absent when it does the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Where it begins to differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Box<ReplayDifference>>,
}

/// How a test case compares with what was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseVerdict {
    /// The same came of it.
    Same,
    /// Something else came of it.
    Changed,
    /// It fails where it did not, or cannot be run.
    Failed,
    /// As far as it can be told the same came of it; the rest follows from what is not in the capsule.
    CannotBeJudged,
}

impl CaseVerdict {
    /// Whether it says that the case does not hold.
    pub fn is_held_against(self) -> bool {
        matches!(self, Self::Changed | Self::Failed)
    }
}

/// How one execution differs when it is run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayDifference {
    /// The execution.
    pub execution: ExecutionId,
    /// The node at whose run it begins to differ; absent when only the end is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Which run of that node; 0 is the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_index: Option<u32>,
    /// What is other, in one sentence.
    pub summary: String,
    /// The first changes from what was recorded to what came now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ReplayedChange>,
}

/// One change, with its values as JSON text that may be cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayedChange {
    /// Where in what the node gave, as a JSON pointer.
    pub path: String,
    /// What was recorded there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What came now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Event for ReplayCheckEvent {
    const CATEGORY: &'static str = "replay-check";
    const TYPES: &'static [(&'static str, u16)] = &[
        ("ReplayCheckRequested", 2),
        ("ReplayCheckCompleted", 2),
        ("ReplayCheckFailed", 1),
        ("BisectionBegun", 1),
        ("BisectionStepTaken", 1),
        ("BisectionEnded", 1),
    ];

    /// Version 2 may have test cases.
    fn reads_as_current(event_type: &str, version: u16) -> bool {
        matches!((event_type, version), ("ReplayCheckRequested" | "ReplayCheckCompleted", 1))
    }

    fn event_type(&self) -> &'static str {
        match self {
            Self::ReplayCheckRequested(_) => "ReplayCheckRequested",
            Self::ReplayCheckCompleted { .. } => "ReplayCheckCompleted",
            Self::ReplayCheckFailed { .. } => "ReplayCheckFailed",
            Self::BisectionBegun(_) => "BisectionBegun",
            Self::BisectionStepTaken(_) => "BisectionStepTaken",
            Self::BisectionEnded { .. } => "BisectionEnded",
        }
    }
}
