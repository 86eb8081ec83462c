//! Takes requests to models, lets the runtime compute them, writes down what came of them, and only then answers.
//!
//! Invariant: an answer that somebody got is in the log, but where a model's recording says that only samples are.

mod afterwards;
mod ask;
mod asking;
pub mod language;
mod loads;
mod machine;
mod recorder;
mod tensors;
mod trying;
mod verify;
mod windows;
mod worker;

pub use ask::{Inferred, NotInferred, Question};
pub use asking::KEY_CHARACTERS_MAX;
pub use loads::ModelFiles;
pub use machine::OVERRIDES;
pub use recorder::{Cause, NotRecorded, Recorder};
pub use tensors::{INLINE_BYTES_MAX, NotRead, known, read, to_records};
pub use trying::Tried;
pub use verify::{NEAR, NotVerified, Recorded, Verified, Verifier};
pub use worker::{Described, Parts, Worker};
