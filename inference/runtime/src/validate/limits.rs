//! How much a file of a model may hold, and in which words it is refused.

use super::trial::TrialError;
use super::wire::Broken;

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 1_024;
/// Most dimensions.
pub(super) const DIMENSIONS_MAX: usize = 16;

/// How much a file may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of the file itself: the encoding holds no more than 2 GiB.
    pub bytes_max: u64,
    /// Most nodes, those of branches and functions too.
    pub nodes_max: usize,
    /// Most branches within each other.
    pub nesting_max: usize,
    /// Most weights.
    pub weights_max: usize,
    /// Most bytes of what it says of itself.
    pub metadata_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_max: (2 << 30) - 1,
            nodes_max: 200_000,
            nesting_max: 16,
            weights_max: 200_000,
            metadata_bytes_max: 4 << 20,
        }
    }
}

/// Why a file is no model that is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It is empty or too large.
    #[error("the file has {found} bytes: from 1 to {most} are allowed; put weights into a file beside it")]
    Size {
        /// Bytes that it has.
        found: u64,
        /// Bytes that are allowed.
        most: u64,
    },
    /// It is no ONNX.
    #[error("the file is no ONNX model: {0}")]
    NoModel(&'static str),
    /// Something of it is too much.
    #[error("the model has more than {most} {what}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much is allowed.
        most: usize,
    },
    /// The version of its format or of its operators is not served.
    #[error("the model is of {what} version {found}: {least} to {most} are served; export it for one of them")]
    Version {
        /// What has a version.
        what: String,
        /// The version.
        found: u64,
        /// The oldest served.
        least: u64,
        /// The newest served.
        most: u64,
    },
    /// It has operators that would have to be brought.
    #[error(
        "the operator '{operator}' of '{domain}' is not served: only those of ONNX, ai.onnx.ml and com.microsoft are"
    )]
    Operator {
        /// Where it is from.
        domain: String,
        /// Which.
        operator: String,
    },
    /// It has weights outside its folder, or elsewhere than it says.
    #[error("the weights '{path}' are not taken: {why}")]
    External {
        /// Where it says they are.
        path: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A weight does not have the length that it says.
    #[error("the weight '{0}' does not hold as many elements as its shape says")]
    Weight(String),
    /// An input or output cannot be sent.
    #[error("'{0}' is no tensor of a type that can be sent")]
    Slot(String),
    /// The runtime refused it, or did not live to say so.
    #[error("the model could not be loaded: {0}")]
    Trial(#[from] TrialError),
}

impl From<Broken> for Rejection {
    fn from(_: Broken) -> Self {
        Self::NoModel("it does not follow the format's encoding")
    }
}

/// A name of the file's.
pub(super) fn name(text: &[u8]) -> Result<String, Rejection> {
    bound("bytes in a name", text.len(), NAME_BYTES_MAX)?;
    let text = str::from_utf8(text).map_err(|_| Rejection::NoModel("a name in it is not UTF-8"))?;
    Ok(text.to_owned())
}

/// Refuses more than `most` of something.
pub(super) fn bound(what: &'static str, found: usize, most: usize) -> Result<(), Rejection> {
    if found > most { Err(Rejection::TooMuch { what, most }) } else { Ok(()) }
}
