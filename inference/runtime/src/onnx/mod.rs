//! ONNX Runtime: the library found and opened, models loaded, batches computed, and who computed them told as it was seen
//! to be.
//!
//! The only module that names the binding: it is a release candidate whose interface changes with each, and whose habit of
//! going on with the CPU when a GPU is missing is undone here. Nothing here reads the environment. Its invariant: an
//! [`Instance`](crate::Instance) that says [`Provider::Cuda`](timeloom_domain::inference::Provider) has been seen to have
//! nodes there, and one that fell back says what was wanted and why it was not had.

mod batch;
mod bound;
#[cfg(feature = "cuda")]
mod copier;
#[cfg(feature = "cuda")]
mod cuda;
mod error;
mod facts;
mod free;
mod gpu;
mod library;
mod model;
mod options;
mod placement;
#[cfg(feature = "cuda")]
mod proof;
mod runtime;
mod session;
mod steps;
mod value;
mod views;
mod weights;

pub use error::{GpuError, LoadError, OpenError};
pub use facts::{FellBack, Loaded, Placement, Processor};
pub use gpu::{GpuFacts, GpuUse, gpus};
pub use library::{Library, NotFound, VERSION, find};
pub use model::Model;
pub use options::{Optimisation, Options};
pub use runtime::{Build, Runtime, silence};
pub use session::{Session, is_out_of_memory};
pub use steps::{Carried, Steps};
