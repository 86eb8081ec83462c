//! Blobs in a table, by the hash of their content. Never changes one.

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_postgres::Pool;
use timeloom_store::{BLOB_BYTES_MAX, BlobError, BlobHash, BlobStore};

use crate::error::log_error;
use crate::readers::query;

/// A [`BlobStore`] in the database of the log.
#[derive(Debug, Clone)]
pub struct PostgresBlobs {
    pool: Pool,
}

impl PostgresBlobs {
    pub(crate) fn new(pool: Pool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl BlobStore for PostgresBlobs {
    async fn put(&self, content: Bytes) -> Result<BlobHash, BlobError> {
        if content.len() > BLOB_BYTES_MAX {
            return Err(BlobError::TooLarge(content.len()));
        }
        let hash = BlobHash::of(&content);
        // A statement is a transaction, and these connections wait for the disk: the blob is safe when it returns.
        let sql = "INSERT INTO blobs (hash, content) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING";
        query(&self.pool, sql, &vec![&hash.as_bytes().as_slice(), &&*content]).await?;
        Ok(hash)
    }

    async fn get(&self, hash: BlobHash) -> Result<Bytes, BlobError> {
        let rows =
            query(&self.pool, "SELECT content FROM blobs WHERE hash = $1", &vec![&hash.as_bytes().as_slice()]).await?;
        let row = rows.first().ok_or(BlobError::Missing(hash))?;
        let content: Vec<u8> = row.try_get(0).map_err(log_error)?;
        if BlobHash::of(&content) == hash { Ok(content.into()) } else { Err(BlobError::Damaged(hash)) }
    }
}
