//! What models compute with, and what happens where they compute: types and shapes of tensors, what models need of a
//! machine, who computed; the events of inference workers and of each inference.
//!
//! Only words, their checks and folds. What runs a model is in `inference/`. Invariant: every answer names the bytes of the
//! model and of the inputs that it was computed from, and the way in which it was.

mod compare;
mod fingerprint;
pub mod port;
mod record;
mod tensor;
mod value;
mod worker;

use serde::{Deserialize, Serialize};

pub use compare::{OutputComparison, apart};
pub use fingerprint::{Fingerprint, digest_of_all, hexadecimal};
pub use record::{
    FailureClass, InferenceAnswer, InferenceEvent, InferenceRefusal, InferenceRequest, InferenceWindow, Inferences,
    RejectedCounts, RejectionClass, TensorContent, TensorRecord,
};
pub use tensor::{ElementType, InvalidElementType, Signature, TensorSpec};
pub use value::{DIMENSIONS_MAX, TENSOR_BYTES_MAX, Tensor, TensorError};
pub use worker::{InferenceWorker, InferenceWorkerEvent, InferenceWorkerRefusal, ModelLoad, WorkerMachine};

/// Whether a model wants a GPU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gpu {
    /// It is computed by the CPU.
    #[default]
    None,
    /// By a GPU where there is one. Where there is none the CPU does it, and that is written down.
    Optional,
    /// By a GPU, or not at all.
    Required,
}

/// Who computed an answer, as it was seen to be, never as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// The CPU.
    Cpu,
    /// A GPU, by CUDA.
    Cuda,
}
