//! What models compute with: types and shapes of tensors, what they need of a machine, and who computed.
//!
//! Only words and their checks. What runs a model is in `inference/`.

mod tensor;

use serde::{Deserialize, Serialize};

pub use tensor::{ElementType, Signature, TensorSpec};

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
