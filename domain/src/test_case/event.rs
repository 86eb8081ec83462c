//! What can happen to the test cases of a workflow.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::Event;
use crate::ids::{Actor, ExecutionId};

/// A fact about the test cases of one workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TestCaseEvent {
    /// What was recorded of an execution is a test case from now on.
    WorkflowTestCaseAdded {
        /// The case.
        case: Box<TestCase>,
        /// Who added it.
        by: Actor,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// It is none any more.
    WorkflowTestCaseRemoved {
        /// The case.
        id: Uuid,
        /// Who removed it.
        by: Actor,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
}

/// An execution that was recorded, which is to do the same under every definition of its workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCase {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// The execution that was recorded.
    pub execution: ExecutionId,
    /// Its capsule, as attachments are named: `blob:` and 64 hexadecimal digits.
    pub capsule: String,
    /// Length of the capsule, in bytes.
    pub bytes: u64,
    /// How many events the capsule has.
    pub events: u64,
    /// How many of them have fields that are sealed: what follows from these cannot be judged.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sealed_events: u64,
    /// The log in which it was recorded.
    pub log_id: Uuid,
    /// The key that signed the capsule's checkpoint, as `NAME+ID`.
    pub signed_by: String,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Event for TestCaseEvent {
    const CATEGORY: &'static str = "test-cases";
    const TYPES: &'static [(&'static str, u16)] = &[("WorkflowTestCaseAdded", 1), ("WorkflowTestCaseRemoved", 1)];

    fn event_type(&self) -> &'static str {
        match self {
            Self::WorkflowTestCaseAdded { .. } => "WorkflowTestCaseAdded",
            Self::WorkflowTestCaseRemoved { .. } => "WorkflowTestCaseRemoved",
        }
    }
}
