//! Runs models: files of models checked and kept, sessions of ONNX Runtime, and the pool that computes many callers'
//! inputs together. It computes and tells what it did; it never writes an event.

pub mod instance;
pub mod models;
pub mod onnx;
pub mod packages;
pub mod pool;
pub mod validate;

pub use instance::{During, End, Inputs, Instance, InstanceFacts, NotTheInputs, Ran, RunError, Stop};
pub use timeloom_domain::inference::{Tensor, TensorError};
