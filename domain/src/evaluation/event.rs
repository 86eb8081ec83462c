//! What happens to an evaluation.

use serde::{Deserialize, Serialize};

use super::{EvaluationReport, NamedScorer};
use crate::event::Event;
use crate::ids::{InferenceId, Slug, WorkflowId};

/// A fact about one evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EvaluationEvent {
    /// Somebody asked for it.
    EvaluationRequested(Box<EvaluationRequest>),
    /// All cases were tried.
    EvaluationCompleted {
        /// What came of it.
        report: Box<EvaluationReport>,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// It could not be carried out.
    EvaluationFailed {
        /// Why, in words that say what to do.
        reason: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
}

/// What an evaluation is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluationRequest {
    /// What is tried.
    pub subject: EvaluationSubject,
    /// What it is tried on.
    pub cases: EvaluationCases,
    /// How far numbers may be apart and still be near, in millionths of the larger one or of 1.
    pub tolerance: u64,
    /// How outputs are judged; none where recorded inferences are compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scorers: Vec<NamedScorer>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// What is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EvaluationSubject {
    /// A version of a model.
    ModelVersion {
        /// The model.
        model: Slug,
        /// The version.
        version: u32,
    },
    /// A published version of a workflow: an execution for each case.
    WorkflowVersion {
        /// The workflow.
        workflow: WorkflowId,
        /// The version.
        version: u32,
    },
    /// A published version of an agent: a run for each case.
    AgentVersion {
        /// The agent.
        agent: Slug,
        /// The version.
        version: u32,
    },
}

impl EvaluationSubject {
    /// The version that is tried.
    pub fn version(&self) -> u32 {
        let (Self::ModelVersion { version, .. }
        | Self::WorkflowVersion { version, .. }
        | Self::AgentVersion { version, .. }) = self;
        *version
    }
}

/// What it is tried on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EvaluationCases {
    /// The inputs of recorded inferences of the same model, whose answers are compared.
    Inferences(InferenceSelection),
    /// The cases of a version of a set, whose outputs are judged.
    Set {
        /// The set.
        set: Slug,
        /// The version.
        version: u32,
    },
}

/// Which recorded inferences of a model: those that are named, or the newest that were answered before the evaluation was
/// asked for and meet the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InferenceSelection {
    /// These; none = the newest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inferences: Vec<InferenceId>,
    /// Only those that this version answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Only those that came in at or after this, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<i64>,
    /// Only those that came in before this, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
    /// Only those for which this workflow asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowId>,
    /// Only those for which this agent asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Slug>,
    /// Most of them.
    pub last: u32,
}

impl Event for EvaluationEvent {
    const CATEGORY: &'static str = "evaluation";
    const TYPES: &'static [(&'static str, u16)] =
        &[("EvaluationRequested", 3), ("EvaluationCompleted", 3), ("EvaluationFailed", 1)];

    /// Sets of cases and scores came to what there was, and then judges.
    fn reads_as_current(event_type: &str, version: u16) -> bool {
        matches!(version, 1 | 2) && event_type != "EvaluationFailed"
    }

    fn event_type(&self) -> &'static str {
        match self {
            Self::EvaluationRequested(_) => "EvaluationRequested",
            Self::EvaluationCompleted { .. } => "EvaluationCompleted",
            Self::EvaluationFailed { .. } => "EvaluationFailed",
        }
    }
}
