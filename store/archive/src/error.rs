//! What can go wrong with a segment, in words that name it and say what to do.

use std::sync::Arc;

use timeloom_store::{LogError, Position};

/// Why something was not archived, or cannot be read from the archive.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ArchiveError {
    /// A place that this build cannot use.
    #[error("'{place}' is no place for an archive: {detail}")]
    BadPlace {
        /// As it was given.
        place: String,
        /// What is wrong, and what to give.
        detail: String,
    },
    /// The place did not do what it was asked for.
    #[error("the archive in {place} cannot be used: {detail}")]
    Place {
        /// Where.
        place: String,
        /// Why.
        detail: String,
    },
    /// A segment is not there.
    #[error("the archive's segment {name} is missing in {place}: bring it back from a copy of the archive")]
    Missing {
        /// Its name.
        name: String,
        /// Where it should be.
        place: String,
    },
    /// A segment is there, and is not what was written.
    #[error("the archive's segment {name} in {place} is damaged ({detail}): replace it by a copy of the archive")]
    Damaged {
        /// Its name.
        name: String,
        /// Where it is.
        place: String,
        /// What is wrong.
        detail: String,
    },
    /// A row that no segment can have.
    #[error("the event at position {position} cannot be archived: {detail}")]
    Row {
        /// Where.
        position: Position,
        /// Why not.
        detail: String,
    },
    /// The range that was asked for.
    #[error("{0}")]
    Refused(String),
    /// What was read back is not what is in the log. Nothing was dropped.
    #[error("the segment that was written differs from the log at position {0}: nothing was dropped; check the disk")]
    Differs(Position),
    /// Rows that came back are not what was archived. The segment is kept.
    #[error(
        "what came back from the archive differs from what was archived at position {0}: nothing was forgotten; check the disk"
    )]
    DiffersBack(Position),
    /// The compression failed.
    #[error("a segment cannot be compressed: {0}")]
    Compression(Arc<std::io::Error>),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl From<ArchiveError> for LogError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Log(error) => error,
            error => Self::storage(error),
        }
    }
}
