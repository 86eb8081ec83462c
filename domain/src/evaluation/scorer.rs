//! Scorers: how an output is judged, from 0 (bad) to 1 (good).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::judge::RUBRIC_CHARACTERS_MAX;
use super::score::Prepared;
use crate::gateway::ROUTE_NAME_CHARACTERS_MAX;
use crate::ids::WorkflowId;
use crate::model::MILLION;

/// Most scorers of an evaluation.
pub const SCORERS_MAX: usize = 8;
/// Most characters of the name of a scorer.
pub const SCORER_NAME_CHARACTERS_MAX: usize = 100;
/// Most characters of a JSON pointer of a scorer.
const POINTER_CHARACTERS_MAX: usize = 500;
/// Most characters of a pattern.
const PATTERN_CHARACTERS_MAX: usize = 2_000;

/// A scorer of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedScorer {
    /// Its name, which no other scorer of the evaluation has.
    pub name: String,
    /// What of the output it looks at: a JSON pointer, empty for all of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub at: String,
    /// What of the expected value it looks at: a JSON pointer, empty for all of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expected_at: String,
    /// How it judges.
    pub scorer: Scorer,
}

/// How an output is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Scorer {
    /// 1 when it is the expected value: numbers by their value, fields in any order.
    Equal,
    /// How much of what is expected is in it: a text in a text, the values of a list in a list, the fields of an object in
    /// an object.
    Contains,
    /// 1 when a regular expression matches its text.
    Matches {
        /// The regular expression.
        pattern: String,
    },
    /// How many of its numbers are near the expected ones: no further apart than so many millionths of the larger one or of
    /// 1.
    Near {
        /// So many millionths.
        tolerance: u64,
    },
    /// 1 when its likeliest class is the expected one: the place of the largest number of a list, the name of the largest
    /// number of an object, the `label` of the largest `score` of a list of such; a text or whole number is a class by
    /// itself.
    TopClass,
    /// 1 when it fits a JSON Schema of draft 2020-12.
    Schema {
        /// The schema.
        schema: Value,
    },
    /// What a workflow says: it is given `input`, `expected` and `output`, and its last item has the number `score`.
    Workflow {
        /// The workflow.
        workflow: WorkflowId,
        /// Its version.
        version: u32,
    },
    /// What a language model says, by a rubric: it is given the input, what is expected and the output, and has no tools.
    Judge {
        /// The route of the gateway by which it is asked.
        route: String,
        /// What is good and what is bad.
        rubric: String,
    },
}

/// Why a scorer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the scorer '{name}' cannot be used: {why}")]
pub struct InvalidScorer {
    /// Its name.
    pub name: String,
    /// Why, and what to do.
    pub why: String,
}

impl Scorer {
    /// The word for it, as events and APIs write it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Contains => "contains",
            Self::Matches { .. } => "matches",
            Self::Near { .. } => "near",
            Self::TopClass => "top_class",
            Self::Schema { .. } => "schema",
            Self::Workflow { .. } => "workflow",
            Self::Judge { .. } => "judge",
        }
    }

    /// Whether there is something to judge only where the case says what is expected.
    pub fn needs_expected(&self) -> bool {
        matches!(self, Self::Equal | Self::Contains | Self::Near { .. } | Self::TopClass)
    }
}

impl NamedScorer {
    /// A scorer that looks at all of both.
    pub fn of_all(name: impl Into<String>, scorer: Scorer) -> Self {
        Self { name: name.into(), at: String::new(), expected_at: String::new(), scorer }
    }

    /// Checks it and makes it ready to judge many outputs. A workflow and a judge are asked by others: there is nothing to
    /// make ready.
    ///
    /// # Errors
    /// [`InvalidScorer`] when its pattern is none, its schema is none, its pointers are none, or a judge has no rubric.
    pub fn prepare(&self) -> Result<Prepared, InvalidScorer> {
        let invalid = |why: String| {
            let name = self.name.chars().take(SCORER_NAME_CHARACTERS_MAX).collect();
            InvalidScorer { name, why }
        };
        if !(1..=SCORER_NAME_CHARACTERS_MAX).contains(&self.name.chars().count()) {
            return Err(invalid(format!("its name must have 1 to {SCORER_NAME_CHARACTERS_MAX} characters")));
        }
        for pointer in [&self.at, &self.expected_at] {
            let is_one = pointer.is_empty() || pointer.starts_with('/');
            if !is_one || pointer.chars().count() > POINTER_CHARACTERS_MAX {
                let why = "a JSON pointer begins with '/', such as /label, and is not long; an empty one is all of it";
                return Err(invalid(why.to_owned()));
            }
        }
        match &self.scorer {
            Scorer::Near { tolerance } if *tolerance > MILLION => {
                return Err(invalid("a tolerance is from 0 to 1: it is relative to the larger number or 1".to_owned()));
            }
            Scorer::Matches { pattern } if pattern.chars().count() > PATTERN_CHARACTERS_MAX => {
                return Err(invalid(format!("its pattern has more than {PATTERN_CHARACTERS_MAX} characters")));
            }
            Scorer::Judge { route, .. } if !(1..=ROUTE_NAME_CHARACTERS_MAX).contains(&route.chars().count()) => {
                return Err(invalid("a judge is asked by a route of the gateway: name one".to_owned()));
            }
            Scorer::Judge { rubric, .. }
                if rubric.trim().is_empty() || rubric.chars().count() > RUBRIC_CHARACTERS_MAX =>
            {
                let why = format!("a judge judges by a rubric of 1 to {RUBRIC_CHARACTERS_MAX} characters: write one");
                return Err(invalid(why));
            }
            _ => {}
        }
        Prepared::new(self.clone()).map_err(invalid)
    }
}
