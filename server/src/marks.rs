//! Where parts of the program remember how far they came: a file of the data folder, or a mark in the database.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use timeloom_store::mark::Mark;
use timeloom_store::{LogError, Position};
use timeloom_store_postgres::PostgresLog;

/// A number in a file.
pub struct FileMark {
    /// The file.
    pub path: PathBuf,
}

#[async_trait]
impl Mark for FileMark {
    async fn load(&self) -> Result<Option<u64>, LogError> {
        match tokio::fs::read_to_string(&self.path).await {
            // A damaged file is one that is not there.
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LogError::storage(error)),
        }
    }

    async fn save(&self, number: u64) -> Result<(), LogError> {
        let next = self.path.with_extension("next");
        tokio::fs::write(&next, number.to_string()).await.map_err(LogError::storage)?;
        tokio::fs::rename(&next, &self.path).await.map_err(LogError::storage)
    }
}

/// A number in the log's database. Zero is what a database says that knows none, so it holds one more.
pub struct DatabaseMark {
    /// The database.
    pub log: Arc<PostgresLog>,
    /// Its name there.
    pub name: String,
}

#[async_trait]
impl Mark for DatabaseMark {
    async fn load(&self) -> Result<Option<u64>, LogError> {
        Ok(self.log.mark(&self.name).await?.0.checked_sub(1))
    }

    async fn save(&self, number: u64) -> Result<(), LogError> {
        self.log.set_mark(&self.name, Position(number.saturating_add(1))).await
    }
}
