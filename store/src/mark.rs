//! Remembers how far something came, over the end of the process.

use crate::log::LogError;
use async_trait::async_trait;

/// Remembers one number that grows: a position, or a time. Losing it costs a second look, never an execution.
#[async_trait]
pub trait Mark: Send + Sync + 'static {
    /// The number; `None` when none was saved yet.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn load(&self) -> Result<Option<u64>, LogError>;

    /// Remembers a number. Of several processes that share the mark, the greatest stays.
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn save(&self, number: u64) -> Result<(), LogError>;
}

/// Remembers nothing: for logs that end with their process.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoMark;

#[async_trait]
impl Mark for NoMark {
    async fn load(&self) -> Result<Option<u64>, LogError> {
        Ok(None)
    }

    async fn save(&self, _number: u64) -> Result<(), LogError> {
        Ok(())
    }
}
