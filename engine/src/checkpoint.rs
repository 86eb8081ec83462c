//! Where the engine begins to look for unfinished executions when it starts.

use async_trait::async_trait;
use timeloom_store::{LogError, Position};

/// Remembers a position. Losing it costs time at the next start, never an execution.
#[async_trait]
pub trait CheckpointStore: Send + Sync + 'static {
    /// The remembered position; the start of the log when there is none.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn load(&self) -> Result<Position, LogError>;

    /// Remembers a position: every execution that began at or before it has ended.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn save(&self, position: Position) -> Result<(), LogError>;
}

/// Remembers nothing: for logs that end with their process.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoCheckpoint;

#[async_trait]
impl CheckpointStore for NoCheckpoint {
    async fn load(&self) -> Result<Position, LogError> {
        Ok(Position::START)
    }

    async fn save(&self, _position: Position) -> Result<(), LogError> {
        Ok(())
    }
}
