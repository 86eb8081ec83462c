//! Capsules: an execution taken out of a log with everything that it takes to look at it, to prove it and to run it again; and
//! a capsule as a log that is only read.
//!
//! The form, and the check of what comes from outside, are in `timeloom_verify::capsule`. Never: a key, a secret, or the content
//! of a sealed field. Invariant: what is in a capsule is what is stored, byte for byte, or it is named as left out.

mod gather;
mod log;
mod make;

use timeloom_store::proofs::ProofsError;
use timeloom_store::{LogError, StreamKey};
use timeloom_verify::CapsuleError;

pub use log::CapsuleLog;
pub use make::{CapsuleOptions, CapsuleSource, make};

/// Bytes of attachments in a capsule, when nothing else is said.
pub const ATTACHMENT_BYTES_DEFAULT: u64 = 32 << 20;
/// Most executions of one capsule: links, those from which it goes on, and those that were called.
pub const EXECUTIONS_MAX: usize = 1_000;

/// Why there is no capsule of an execution.
#[derive(Debug, thiserror::Error)]
pub enum CapsuleMakeError {
    /// There is none of that name.
    #[error("there is nothing called {0}: check its id")]
    Unknown(StreamKey),
    /// Whoever had the capsule could make it go on.
    #[error("{0} has not ended: whoever has a capsule of it could make it go on, so wait for its end, or cancel it")]
    NotEnded(StreamKey),
    /// What it goes on from, or ran, is gone.
    #[error("{0}, without which the execution cannot be understood, is not in the log any more")]
    Gone(StreamKey),
    /// It is too large.
    #[error(
        "the execution has more {what} than a capsule holds ({max}): export the range of the log with `timeloom audit export`"
    )]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        max: u64,
    },
    /// The log is not what was recorded, or a payload beside it.
    #[error("the event at position {position} cannot be taken along: {detail}")]
    Damaged {
        /// Where.
        position: u64,
        /// What is wrong.
        detail: String,
    },
    /// Nothing proves it, or not yet.
    #[error(transparent)]
    Proofs(#[from] ProofsError),
    /// It cannot be put together.
    #[error(transparent)]
    Capsule(#[from] CapsuleError),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
}
