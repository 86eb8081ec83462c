//! Calls to language models by the gateway: each is one question with all its attempts, written into the stream of the
//! worker that asked when it has ended.
//!
//! Invariant: who got an answer finds it here, with what was asked, who answered and what it cost.

mod record;
mod state;

pub use record::{CallAnswer, CallAttempt, CallContent, CallFailure, CallKind, CallRequest, ModelCall, ModelCallEvent};
pub use state::{ModelCallRefusal, ModelCalls};
