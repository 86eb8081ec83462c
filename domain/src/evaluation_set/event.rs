//! What happens to a set of cases.

use serde::{Deserialize, Serialize};

use super::EvaluationCase;
use crate::event::Event;
use crate::ids::Slug;

/// A fact about one set of cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EvaluationSetEvent {
    /// It came to be.
    EvaluationSetCreated {
        /// Its name.
        name: Slug,
        /// What it is for.
        description: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// It got a version.
    EvaluationSetVersionAdded {
        /// The version; 1 is the first.
        version: u32,
        /// How many cases it has: it is told though they may be erased.
        count: u32,
        /// Bytes of them as JSON, about.
        bytes: u64,
        /// All of its cases, in their order.
        cases: Vec<EvaluationCase>,
        /// Whom they are about; absent where they are about nobody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
}

impl Event for EvaluationSetEvent {
    const CATEGORY: &'static str = "evaluation-set";
    const TYPES: &'static [(&'static str, u16)] = &[("EvaluationSetCreated", 1), ("EvaluationSetVersionAdded", 1)];

    fn subject(&self, _: &str) -> Option<String> {
        match self {
            Self::EvaluationSetCreated { .. } => None,
            Self::EvaluationSetVersionAdded { subject, .. } => subject.clone(),
        }
    }

    fn event_type(&self) -> &'static str {
        match self {
            Self::EvaluationSetCreated { .. } => "EvaluationSetCreated",
            Self::EvaluationSetVersionAdded { .. } => "EvaluationSetVersionAdded",
        }
    }
}
