//! What can go wrong here, in words that say what to do next.

use timeloom_store::{LogError, Position};

use crate::database::StorageError;

/// A read model could not be kept or asked.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// The database of the read models failed.
    #[error("the read models' database failed: {0}")]
    Storage(#[from] StorageError),
    /// The folder of the file failed.
    #[error("the read models' folder failed: {0}")]
    Folder(#[from] std::io::Error),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The database does not take what has to be written.
    #[error("the read models' database refuses what is to be written: {0}")]
    Refused(String),
    /// Another process has written since.
    #[error("the read models' checkpoints were moved by another writer: stop the other process that writes them")]
    Fenced,
    /// Another process writes.
    #[error("another process writes these read models: ask that one, or stop it")]
    NotWriter,
    /// No projection has this name.
    #[error("there is no projection '{name}': name one of {known}")]
    UnknownName {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// The rows are not there, or of another version.
    #[error("the rows of '{projection}' are not made by this version yet: ask again in a moment")]
    NotMade {
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

/// An event that a projection cannot fold, and parks.
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
