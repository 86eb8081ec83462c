//! One case of a set.

use std::collections::HashSet;

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

/// Cases that are kept, and behind them others: one of these without an id gets its place, or the next number that is no
/// case's that is kept, for some may have been left out.
pub fn numbered_behind(mut kept: Vec<EvaluationCase>, added: Vec<EvaluationCase>) -> Vec<EvaluationCase> {
    let known: HashSet<String> = kept.iter().map(|case| case.id.clone()).collect();
    let mut number = kept.len();
    for mut case in added {
        number += 1;
        if case.id.is_empty() {
            while known.contains(&number.to_string()) {
                number += 1;
            }
            case.id = number.to_string();
        }
        kept.push(case);
    }
    kept
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn case(id: &str) -> EvaluationCase {
        EvaluationCase::by_hand(id, json!(1), None)
    }

    fn ids(cases: &[EvaluationCase]) -> Vec<&str> {
        cases.iter().map(|case| case.id.as_str()).collect()
    }

    #[test]
    fn a_case_without_an_id_gets_its_place() {
        assert_eq!(ids(&numbered(vec![case(""), case("b"), case("")])), ["1", "b", "3"]);
        assert_eq!(ids(&numbered_behind(vec![case("1"), case("b")], vec![case("x"), case("")])), ["1", "b", "x", "4"]);
    }

    #[test]
    fn a_case_behind_others_gets_no_number_that_one_of_them_has() {
        let kept = vec![case("1"), case("3"), case("4")];
        assert_eq!(ids(&numbered_behind(kept, vec![case(""), case("")])), ["1", "3", "4", "5", "6"]);
    }
}
