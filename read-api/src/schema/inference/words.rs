//! Words about inferences.

use async_graphql::Enum;
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
