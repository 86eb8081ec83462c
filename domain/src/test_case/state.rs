//! The test cases of a workflow as their events tell them, and what they decide.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{CASE_BYTES_MAX, CASE_NAME_CHARACTERS_MAX, CASES_MAX, TestCase, TestCaseEvent};
use crate::event::Aggregate;
use crate::ids::Actor;

/// The test cases of a workflow, in the order in which they were added.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TestCases {
    /// The cases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<KeptCase>,
}

/// A case that is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptCase {
    /// The case.
    pub case: TestCase,
    /// Who added it.
    pub by: Actor,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// A request to the test cases of one workflow.
#[derive(Debug, Clone, PartialEq)]
pub enum TestCasesCommand {
    /// Add a case.
    Add {
        /// The case.
        case: Box<TestCase>,
        /// Who asks.
        by: Actor,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Remove a case.
    Remove {
        /// The case.
        id: Uuid,
        /// Who asks.
        by: Actor,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
}

/// Why the test cases of a workflow say no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TestCasesRefusal {
    /// It cannot be called that.
    #[error("a test case has a name of 1 to {CASE_NAME_CHARACTERS_MAX} characters, none of them a control character")]
    InvalidName,
    /// Another case is called that.
    #[error("another test case of this workflow is called '{0}': give this one another name, or remove that one first")]
    NameTaken(String),
    /// The capsule is a case already.
    #[error("this capsule is the test case '{0}' already: it need not be kept twice")]
    CapsuleTaken(String),
    /// The capsule is too large.
    #[error(
        "the capsule has {0} bytes, and that of a test case has at most {CASE_BYTES_MAX}: make it without attachments"
    )]
    TooLarge(u64),
    /// There are too many.
    #[error("a workflow has at most {CASES_MAX} test cases: remove one that the others cover")]
    TooMany,
    /// There is none.
    #[error("the workflow has no such test case: `timeloom workflow tests list` shows those that it has")]
    NotFound,
}

impl TestCasesRefusal {
    /// The word for it, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidName => "INVALID_TEST_CASE_NAME",
            Self::NameTaken(_) | Self::CapsuleTaken(_) => "TEST_CASE_EXISTS",
            Self::TooLarge(_) => "CAPSULE_TOO_LARGE",
            Self::TooMany => "TOO_MANY_TEST_CASES",
            Self::NotFound => "TEST_CASE_NOT_FOUND",
        }
    }
}

impl Aggregate for TestCases {
    const FOLD_VERSION: u32 = 1;

    type Event = TestCaseEvent;
    type Command = TestCasesCommand;
    type Refusal = TestCasesRefusal;

    fn apply(&mut self, event: &TestCaseEvent) {
        match event {
            TestCaseEvent::WorkflowTestCaseAdded { case, by, at_ms } => {
                self.cases.push(KeptCase { case: TestCase::clone(case), by: by.clone(), at_ms: *at_ms });
            }
            TestCaseEvent::WorkflowTestCaseRemoved { id, .. } => self.cases.retain(|kept| kept.case.id != *id),
        }
    }

    fn decide(&self, command: &TestCasesCommand) -> Result<Vec<TestCaseEvent>, TestCasesRefusal> {
        match command {
            TestCasesCommand::Add { case, by, at_ms } => {
                let is_new = self.may_be_added(case)?;
                let (case, by, at_ms) = (case.clone(), by.clone(), *at_ms);
                Ok(Vec::from_iter(is_new.then_some(TestCaseEvent::WorkflowTestCaseAdded { case, by, at_ms })))
            }
            TestCasesCommand::Remove { id, by, at_ms } => {
                self.find(*id).ok_or(TestCasesRefusal::NotFound)?;
                Ok(vec![TestCaseEvent::WorkflowTestCaseRemoved { id: *id, by: by.clone(), at_ms: *at_ms }])
            }
        }
    }
}

impl TestCases {
    /// The case with an id.
    pub fn find(&self, id: Uuid) -> Option<&KeptCase> {
        self.cases.iter().find(|kept| kept.case.id == id)
    }

    /// Whether a case would be a new one. Under the same name, the same capsule is there already.
    fn may_be_added(&self, case: &TestCase) -> Result<bool, TestCasesRefusal> {
        let name = &case.name;
        let is_sound = (1..=CASE_NAME_CHARACTERS_MAX).contains(&name.chars().count())
            && !name.chars().any(char::is_control)
            && name.trim() == name;
        if !is_sound {
            return Err(TestCasesRefusal::InvalidName);
        }
        if case.bytes > CASE_BYTES_MAX as u64 {
            return Err(TestCasesRefusal::TooLarge(case.bytes));
        }
        if let Some(same) = self.cases.iter().find(|kept| kept.case.capsule == case.capsule) {
            let refusal = || TestCasesRefusal::CapsuleTaken(same.case.name.clone());
            return if same.case.name == *name { Ok(false) } else { Err(refusal()) };
        }
        if self.cases.iter().any(|kept| kept.case.name == *name) {
            return Err(TestCasesRefusal::NameTaken(name.clone()));
        }
        if self.cases.len() >= CASES_MAX {
            return Err(TestCasesRefusal::TooMany);
        }
        Ok(true)
    }
}
