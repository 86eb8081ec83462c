//! Inferences: each with what came of it and how, sums over those that were not written down one by one, the workers that
//! computed them, and what these had in memory.
//!
//! No tensor is in any row: inputs and outputs are read from the events, whose positions the rows have. Invariant: a row of
//! an inference names the version and the bytes of the model that answered, whatever its name was to mean later.

mod inference;
mod loads;
mod questions;
mod table;
mod windows;
mod workers;

pub use inference::{InferenceAnswerRow, InferenceFilter, InferenceRow, InferenceStatus, Unanswered};
pub(crate) use loads::ModelLoads;
pub use loads::{ModelLoadFilter, ModelLoadRow};
pub(crate) use table::Inferences;
pub(crate) use windows::InferenceWindows;
pub use windows::{InferenceWindowFilter, InferenceWindowRow};
pub(crate) use workers::InferenceWorkers;
pub use workers::{InferenceWorkerFilter, InferenceWorkerRow, LoadFailure};
