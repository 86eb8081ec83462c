//! Whether a log's file and blobs are what was recorded. Only reads.
//!
//! Rows and blobs are checked as those of every backend; of the file itself SQLite checks its pages, and that each index
//! has what its table has.

use async_trait::async_trait;
use timeloom_store::verify::{VerifyReport, verify};
use timeloom_store::{BlobStore, LogError, LogIdentity, LogTransfer, Position, StoredEvent};

use crate::error::log_error;
use crate::export::OfDamaged;
use crate::log::SqliteLog;
use crate::readers::Readers;
use crate::transfer::SqliteSource;

/// Most faults of the file that SQLite is asked for.
const FILE_FAULTS_MAX: u32 = 100;
/// What SQLite says of a file without faults.
const WHOLE: &str = "ok";

impl SqliteLog {
    /// Reads everything that is there now, while appends go on. Faults of the file that belong to no event are told at
    /// position 0. The write-ahead log grows as long as the file is looked at.
    ///
    /// # Errors
    /// [`LogError`] when rows cannot be read at all.
    pub async fn verify(
        &self,
        blobs: &dyn BlobStore,
        progress: impl FnMut(Position) + Send,
    ) -> Result<VerifyReport, LogError> {
        verify_with_file(self, self.readers(), blobs, progress).await
    }
}

impl SqliteSource {
    /// Reads everything that is there. Faults of the file that belong to no event are told at position 0.
    ///
    /// # Errors
    /// [`LogError`] when rows cannot be read at all.
    pub async fn verify(
        &self,
        blobs: &dyn BlobStore,
        progress: impl FnMut(Position) + Send,
    ) -> Result<VerifyReport, LogError> {
        verify_with_file(self, self.readers(), blobs, progress).await
    }
}

/// Rows of a log that is looked at: one whose texts are damaged is given without them, so that its leaf tells.
struct LookedAt {
    identity: LogIdentity,
    readers: Readers,
}

#[async_trait]
impl LogTransfer for LookedAt {
    async fn identity(&self) -> Result<LogIdentity, LogError> {
        Ok(self.identity)
    }

    async fn export(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, LogError> {
        self.readers.export(after, limit, OfDamaged::Row).await
    }
}

async fn verify_with_file(
    source: &dyn LogTransfer,
    readers: &Readers,
    blobs: &dyn BlobStore,
    progress: impl FnMut(Position) + Send,
) -> Result<VerifyReport, LogError> {
    let looked_at = LookedAt { identity: source.identity().await?, readers: readers.clone() };
    let mut report = verify(&looked_at, blobs, progress).await?;
    let said = readers.read(|connection| {
        let mut statement =
            connection.prepare(&format!("PRAGMA integrity_check({FILE_FAULTS_MAX})")).map_err(log_error)?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0)).map_err(log_error)?;
        lines.map(|line| line.map_err(log_error)).collect::<Result<Vec<_>, LogError>>()
    });
    for line in said.await?.into_iter().filter(|line| line != WHOLE) {
        report.fault(Position::START, format!("the file: {line}"));
    }
    Ok(report)
}
