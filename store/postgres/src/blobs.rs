//! Blobs in a table, by the hash of their content. Never changes one.
//!
//! What comes in pieces waits in a temporary file until its hash is known, and goes to the database from there, so that
//! neither is in memory as a whole.

use std::io::{Read as _, Seek as _, Write as _};

use async_trait::async_trait;
use bytes::{BufMut as _, Bytes, BytesMut};
use deadpool_postgres::Pool;
use futures::{SinkExt as _, pin_mut};
use tempfile::SpooledTempFile;
use timeloom_store::{
    BLOB_BYTES_MAX, BLOB_PART_BYTES, BlobError, BlobHash, BlobMeter, BlobStore, BlobWriter, LogError, WrittenBlob,
};

use crate::error::{Kind, kind, log_error, pool_error};
use crate::readers::query;

/// What the binary form of `COPY` begins with: its signature, no flags, no extension.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with, in place of another row.
const COPY_END: &[u8] = b"\xff\xff";
/// Bytes of a hash.
const HASH_BYTES: i32 = 32;

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

    async fn writer(&self) -> Result<Box<dyn BlobWriter>, BlobError> {
        let spool = Some(SpooledTempFile::new(BLOB_PART_BYTES));
        Ok(Box::new(TableWriter { pool: self.pool.clone(), meter: BlobMeter::default(), spool }))
    }

    async fn part(&self, hash: BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, BlobError> {
        // The first byte is 1. No blob is as long as what is cut off here.
        let from = i32::try_from(offset.saturating_add(1)).unwrap_or(i32::MAX);
        let length = i32::try_from(bytes_max).unwrap_or(i32::MAX).min(i32::MAX - from);
        let sql = "SELECT substring(content FROM $2 FOR $3) FROM blobs WHERE hash = $1";
        let rows = query(&self.pool, sql, &vec![&hash.as_bytes().as_slice(), &from, &length]).await?;
        let row = rows.first().ok_or(BlobError::Missing(hash))?;
        let part: Vec<u8> = row.try_get(0).map_err(log_error)?;
        Ok(part.into())
    }

    async fn remove(&self, hash: BlobHash) -> Result<(), BlobError> {
        query(&self.pool, "DELETE FROM blobs WHERE hash = $1", &vec![&hash.as_bytes().as_slice()]).await?;
        Ok(())
    }
}

/// A blob on its way into the table.
struct TableWriter {
    pool: Pool,
    meter: BlobMeter,
    /// In memory as long as it is short. Away while a thread works on it, and for good after that failed.
    spool: Option<SpooledTempFile>,
}

impl TableWriter {
    /// Works on the spool where blocking is allowed.
    async fn spooled<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut SpooledTempFile) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, LogError> {
        let mut spool = self.spool.take().ok_or(LogError::Closed)?;
        let worked = tokio::task::spawn_blocking(move || work(&mut spool).map(|answer| (spool, answer)));
        let (spool, answer) = worked.await.map_err(LogError::storage)?.map_err(LogError::storage)?;
        self.spool = Some(spool);
        Ok(answer)
    }

    /// Adds the row, from the spool. The rest of the statement is what makes it safe, as with every other.
    async fn copy(&mut self, written: WrittenBlob) -> Result<(), CopyError> {
        self.spooled(|spool| spool.rewind()).await?;
        let client = self.pool.get().await.map_err(pool_error)?;
        let sink = client.copy_in::<_, Bytes>("COPY blobs (hash, content) FROM STDIN BINARY").await?;
        pin_mut!(sink);
        let mut head = BytesMut::from(COPY_HEADER);
        head.put_i16(2);
        head.put_i32(HASH_BYTES);
        head.extend_from_slice(written.hash.as_bytes());
        head.put_i32(i32::try_from(written.bytes).unwrap_or(i32::MAX));
        sink.feed(head.freeze()).await?;
        loop {
            let read = |spool: &mut SpooledTempFile| {
                let mut part = Vec::new();
                spool.take(BLOB_PART_BYTES as u64).read_to_end(&mut part).map(|_| part)
            };
            let part = self.spooled(read).await?;
            if part.is_empty() {
                break;
            }
            sink.send(part.into()).await?;
        }
        sink.feed(Bytes::from_static(COPY_END)).await?;
        sink.finish().await?;
        Ok(())
    }
}

/// Why a row could not be copied.
enum CopyError {
    Database(tokio_postgres::Error),
    Log(LogError),
}

impl From<tokio_postgres::Error> for CopyError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<LogError> for CopyError {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

#[async_trait]
impl BlobWriter for TableWriter {
    async fn write(&mut self, content: Bytes) -> Result<(), BlobError> {
        self.meter.add(&content)?;
        Ok(self.spooled(move |spool| spool.write_all(&content)).await?)
    }

    async fn finish(mut self: Box<Self>) -> Result<WrittenBlob, BlobError> {
        let written = self.meter.written();
        for last in [false, true] {
            let sql = "SELECT 1 FROM blobs WHERE hash = $1";
            if !query(&self.pool, sql, &vec![&written.hash.as_bytes().as_slice()]).await?.is_empty() {
                break;
            }
            match self.copy(written).await {
                Ok(()) => break,
                // Somebody else stored the same at this moment: it was committed, or this would have waited for it.
                Err(CopyError::Database(error)) if kind(&error) == Kind::Taken => break,
                Err(CopyError::Database(error)) if kind(&error) == Kind::Connection && !last => {}
                Err(CopyError::Database(error)) => return Err(log_error(error).into()),
                Err(CopyError::Log(error)) => return Err(error.into()),
            }
        }
        Ok(written)
    }
}
