//! Takes requests to models, lets the runtime compute them, writes down what came of them, and only then answers.
//!
//! Invariant: an answer that somebody got is in the log, but where a model's recording says that only samples are.

mod recorder;
mod tensors;

pub use recorder::{Cause, NotRecorded, Recorder};
pub use tensors::{INLINE_BYTES_MAX, NotRead, read, to_records};
