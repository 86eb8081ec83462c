//! One case of a set.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{ExecutionId, InferenceId};

/// One case of a set: what something is given, and what is to come out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationCase {
    /// Its id, which no other case of the version has.
    pub id: String,
    /// What is given.
    pub input: Value,
    /// What is to come out; absent where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// Where it is from.
    pub from: CaseOrigin,
}

/// Where a case is from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CaseOrigin {
    /// Somebody wrote it.
    #[default]
    Hand,
    /// An inference that was recorded.
    Inference {
        /// The inference.
        inference: InferenceId,
    },
    /// An execution that was recorded: the items it began with, and what its last node gave.
    Execution {
        /// The execution.
        execution: ExecutionId,
    },
}

/// The same cases with an id each: one without gets its place, counted from 1.
pub fn numbered(mut cases: Vec<EvaluationCase>) -> Vec<EvaluationCase> {
    for (place, case) in cases.iter_mut().enumerate().filter(|(_, case)| case.id.is_empty()) {
        case.id = (place + 1).to_string();
    }
    cases
}

impl EvaluationCase {
    /// A case that somebody wrote.
    pub fn by_hand(id: impl Into<String>, input: Value, expected: Option<Value>) -> Self {
        Self { id: id.into(), input, expected, from: CaseOrigin::Hand }
    }

    /// Bytes of it as JSON, about.
    pub fn bytes(&self) -> usize {
        let expected = self.expected.as_ref().map_or(0, |expected| expected.to_string().len());
        self.id.len() + self.input.to_string().len() + expected
    }
}
