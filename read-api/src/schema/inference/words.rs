//! Words about inferences.

use async_graphql::{Enum, SimpleObject};
use timeloom_domain::inference::{FailureClass, Provider as DomainProvider, RejectionClass};
use timeloom_projections::Unanswered;

/// How far an inference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "timeloom_projections::InferenceStatus")]
pub(crate) enum InferenceStatus {
    /// It was asked for.
    Requested,
    /// It is computed.
    Computing,
    /// It was answered.
    Completed,
    /// It could not be answered.
    Failed,
    /// It was not begun.
    Rejected,
    /// Nobody waited for it any more.
    Cancelled,
}

/// Who computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "InferenceProvider")]
pub(crate) enum Provider {
    /// The CPU.
    Cpu,
    /// A GPU, by CUDA.
    Cuda,
}

impl From<DomainProvider> for Provider {
    fn from(provider: DomainProvider) -> Self {
        match provider {
            DomainProvider::Cpu => Self::Cpu,
            DomainProvider::Cuda => Self::Cuda,
        }
    }
}

/// Why an inference was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum InferenceProblem {
    /// The inputs do not fit the model.
    Unfit,
    /// Memory ran out.
    OutOfMemory,
    /// The model could not be loaded.
    NotLoaded,
    /// The runtime failed.
    Runtime,
    /// Too many waited.
    QueueFull,
    /// It was not wanted any more when it would have been begun.
    DeadlineMissed,
    /// The worker was ending.
    Draining,
}

impl From<Unanswered> for InferenceProblem {
    fn from(why: Unanswered) -> Self {
        match why {
            Unanswered::Failed(FailureClass::Unfit) => Self::Unfit,
            Unanswered::Failed(FailureClass::OutOfMemory) => Self::OutOfMemory,
            Unanswered::Failed(FailureClass::NotLoaded) => Self::NotLoaded,
            Unanswered::Failed(FailureClass::Runtime) => Self::Runtime,
            Unanswered::Rejected(RejectionClass::QueueFull) => Self::QueueFull,
            Unanswered::Rejected(RejectionClass::DeadlineMissed) => Self::DeadlineMissed,
            Unanswered::Rejected(RejectionClass::Draining) => Self::Draining,
        }
    }
}

/// On which side of a trial of a version a request was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "timeloom_domain::model::RolloutArm")]
pub(crate) enum RolloutArm {
    /// The version answered that answered before.
    Stable,
    /// The tried version answered.
    Candidate,
    /// The tried version computed a copy, whose answer nobody got.
    Shadow,
}

/// How one answer compares with another to the same inputs.
#[derive(Debug, Clone, Copy, SimpleObject)]
pub(crate) struct OutputComparison {
    /// Whether all outputs are the same to the last bit.
    same: bool,
    /// How far numbers are apart at most, relative to the larger one or 1; absent where they cannot be told apart like this.
    apart: Option<f64>,
    /// Whether another class is on top: the place of the largest of each row of numbers, or what an output of other elements
    /// holds.
    class_changed: bool,
}

impl From<timeloom_domain::inference::OutputComparison> for OutputComparison {
    fn from(compared: timeloom_domain::inference::OutputComparison) -> Self {
        let timeloom_domain::inference::OutputComparison { same, apart, class_changed } = compared;
        Self { same, apart, class_changed }
    }
}
