//! Why an execution cannot be driven on, and whether another try may help.

use timeloom_store::{AppendError, LogError, StreamKey};

use crate::chain::ChainError;
use crate::restore::RestoreError;
use crate::stub::RecordingError;
use crate::writer::WriteError;

/// Why an execution cannot be driven on.
#[derive(Debug, thiserror::Error)]
pub(super) enum DriveError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Restore(#[from] RestoreError),
    #[error("the id of the execution is not one: {0}")]
    Id(StreamKey),
    #[error("the computation was torn down: {0}")]
    Torn(#[from] tokio::task::JoinError),
}

impl DriveError {
    /// Whether the same would happen again.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Restore(error) => match error {
                RestoreError::Log(_) | RestoreError::Chain(ChainError::Log(_)) => false,
                RestoreError::Chain(ChainError::Broken(_)) => true,
                RestoreError::Recording(RecordingError::Log(_)) => false,
                RestoreError::Recording(RecordingError::TooLarge) => true,
                RestoreError::Plan(_)
                | RestoreError::NoWorkflow(_)
                | RestoreError::NoSource(_)
                | RestoreError::TooDeep => true,
            },
            Self::Write(WriteError::Append(AppendError::TooLarge { .. })) => true,
            Self::Log(_) | Self::Write(_) | Self::Id(_) | Self::Torn(_) => false,
        }
    }

    /// Whether the log is out of reach, and may be back at any time.
    pub(super) fn is_outage(&self) -> bool {
        let error = match self {
            Self::Log(error)
            | Self::Restore(
                RestoreError::Log(error)
                | RestoreError::Chain(ChainError::Log(error))
                | RestoreError::Recording(RecordingError::Log(error)),
            )
            | Self::Write(WriteError::Log(error) | WriteError::Append(AppendError::Log(error))) => error,
            _ => return false,
        };
        matches!(error, LogError::Storage(_))
    }
}
