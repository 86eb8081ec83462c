//! What can go wrong here, in words that say what to do next.

use timeloom_store::{LogError, Position};

/// A read model could not be kept or asked.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// The read models' file failed.
    #[error("the read models' file failed: {0}")]
    Storage(#[from] rusqlite::Error),
    /// The folder of the file failed.
    #[error("the read models' folder failed: {0}")]
    Folder(#[from] std::io::Error),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Another process writes the same file.
    #[error(
        "the checkpoint of '{projection}' was moved by another writer: stop the other process that has this folder open"
    )]
    Fenced {
        /// Name of the projection.
        projection: &'static str,
    },
    /// The position that was asked about is not folded yet.
    #[error(transparent)]
    Behind(#[from] Behind),
    /// Closed, or never started.
    #[error("the read models are closed: start the server again")]
    Closed,
    /// A thread of this process could not be had.
    #[error("the read models' thread could not be started: {0}")]
    Thread(String),
}

/// The read models have not reached a position in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the read models are at position {reached}, not yet at {wanted}: ask again in a moment")]
pub struct Behind {
    /// Where they are.
    pub reached: Position,
    /// What was waited for.
    pub wanted: Position,
}

/// An event that a projection cannot fold: it parks that projection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The payload does not have the shape that its type and version say.
    #[error("the event at position {position} cannot be read: {detail}")]
    Undecodable {
        /// Where.
        position: Position,
        /// What is wrong.
        detail: String,
    },
    /// The stream's id is not one of this category.
    #[error("the event at position {position} is of a stream whose id '{id}' is not one of its category")]
    InvalidStream {
        /// Where.
        position: Position,
        /// The id.
        id: String,
    },
}
