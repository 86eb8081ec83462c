//! What callers ask of models, and how they are answered.

use std::time::Duration;

use timeloom_domain::ids::{ExecutionId, InferenceId, ModelLoadId, Slug, WorkflowId};
use timeloom_domain::inference::{FailureClass, Provider, RejectionClass};
use timeloom_domain::model::{ModelReference, ModelRefusal};
use timeloom_inference::pool::{NotComputed, Priority};
use timeloom_inference::{NotTheInputs, Tensor};

use crate::recorder::{Cause, NotRecorded};

/// What a model is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// For whom, by whom and because of what.
    pub cause: Cause,
    /// The model.
    pub model: ModelReference,
    /// Its inputs, by their names, in any order.
    pub inputs: Vec<(String, Tensor)>,
    /// Who goes first.
    pub priority: Priority,
    /// Within which time the answer is of use; absent = what the model's settings say.
    pub within: Option<Duration>,
    /// The key under which it may be asked again: during a rollout the same key is answered by the same version.
    pub key: Option<String>,
    /// The execution that asks.
    pub execution: Option<ExecutionId>,
    /// The node of it that asks.
    pub node: Option<String>,
    /// The workflow that asks.
    pub workflow: Option<WorkflowId>,
    /// The agent that asks.
    pub agent: Option<Slug>,
}

/// What a model answered. It is written down already, as the model's recording says.
#[derive(Debug, Clone)]
pub struct Inferred {
    /// The inference, to find it by.
    pub inference: InferenceId,
    /// The version that answered.
    pub version: u32,
    /// The load of it that computed.
    pub load: ModelLoadId,
    /// The outputs with their names, in the order of the model's signature.
    pub outputs: Vec<(String, Tensor)>,
    /// Who computed.
    pub provider: Provider,
    /// Digest of its fingerprint, hexadecimal.
    pub fingerprint: String,
}

/// Why a model did not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotInferred {
    /// No version of it answers.
    #[error(transparent)]
    Refused(#[from] ModelRefusal),
    /// The inputs are not those of the model.
    #[error(transparent)]
    Inputs(#[from] NotTheInputs),
    /// The version could not be loaded.
    #[error("version {version} of '{model}' could not be loaded: {reason}")]
    NotLoaded {
        /// The model.
        model: Slug,
        /// The version.
        version: u32,
        /// What is in the way, as a word.
        code: &'static str,
        /// Why.
        reason: String,
    },
    /// It was not computed.
    #[error(transparent)]
    NotComputed(#[from] NotComputed),
    /// It was computed and could not be written down, so that it is not answered.
    #[error(transparent)]
    NotRecorded(#[from] NotRecorded),
    /// The worker ends.
    #[error("the worker ends and takes no more requests: ask again")]
    Draining,
}

/// How an inference ended that was not computed, as it is written down.
pub(crate) enum Ending {
    Failed(FailureClass, String),
    Rejected(RejectionClass, Option<Duration>),
    Cancelled,
}

impl From<&NotComputed> for Ending {
    fn from(why: &NotComputed) -> Self {
        match why {
            NotComputed::QueueFull { retry_after } => Self::Rejected(RejectionClass::QueueFull, Some(*retry_after)),
            NotComputed::DeadlineMissed => Self::Rejected(RejectionClass::DeadlineMissed, None),
            NotComputed::Unloaded => Self::Rejected(RejectionClass::Draining, None),
            NotComputed::Cancelled => Self::Cancelled,
            NotComputed::Unfit(detail) => Self::Failed(FailureClass::Unfit, detail.clone()),
            NotComputed::OutOfMemory => Self::Failed(FailureClass::OutOfMemory, why.to_string()),
            NotComputed::Failed(detail) => Self::Failed(FailureClass::Runtime, detail.clone()),
        }
    }
}
