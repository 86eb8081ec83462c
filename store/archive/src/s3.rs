//! Segments in S3, or in what speaks its protocol. Credentials come from the environment, as those of every client of S3,
//! and are never shown or logged.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ObjectStore, PutPayload};

use crate::error::ArchiveError;
use crate::places::{Place, check_length, check_name};

/// A prefix in a bucket.
pub(crate) struct Bucket {
    shown: String,
    prefix: Path,
    store: AmazonS3,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Bucket").field(&self.shown).finish()
    }
}

impl Bucket {
    /// Reads `s3://BUCKET/PREFIX`.
    pub(crate) fn open(place: &str) -> Result<Self, ArchiveError> {
        let bad = |detail: String| ArchiveError::BadPlace { place: place.to_owned(), detail };
        let inner = place.strip_prefix("s3://").unwrap_or_default();
        let (bucket, prefix) = inner.split_once('/').unwrap_or((inner, ""));
        if bucket.is_empty() || bucket.contains(['@', '?', '#']) {
            return Err(bad("give s3://BUCKET/PREFIX; credentials come from AWS_ACCESS_KEY_ID and its kin".to_owned()));
        }
        let prefix = Path::parse(prefix.trim_end_matches('/')).map_err(|error| bad(error.to_string()))?;
        let store = AmazonS3Builder::from_env().with_bucket_name(bucket).build();
        let store = store.map_err(|error| bad(format!("{error}: check the variables AWS_…")))?;
        Ok(Self { shown: place.to_owned(), prefix, store })
    }

    fn at(&self, name: &str) -> Result<Path, ArchiveError> {
        check_name(name, &self.shown)?;
        Ok(self.prefix.child(name))
    }

    fn failed(&self, name: &str, error: object_store::Error) -> ArchiveError {
        let (name, place) = (name.to_owned(), self.shown.clone());
        match error {
            object_store::Error::NotFound { .. } => ArchiveError::Missing { name, place },
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                let detail =
                    "it does not let this program in: check AWS_ACCESS_KEY_ID and its kin, and what they may do";
                ArchiveError::Place { place, detail: detail.to_owned() }
            }
            error => ArchiveError::Place { place, detail: format!("{name}: {error}") },
        }
    }

    fn cut_off(&self, name: &str, found: usize, wanted: usize) -> ArchiveError {
        let detail = format!("it gives {found} bytes, not {wanted}");
        ArchiveError::Damaged { name: name.to_owned(), place: self.shown.clone(), detail }
    }
}

#[async_trait]
impl Place for Bucket {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), ArchiveError> {
        let put = self.store.put(&self.at(name)?, PutPayload::from_bytes(bytes)).await;
        put.map(drop).map_err(|error| self.failed(name, error))
    }

    async fn get(&self, name: &str, bytes: u64) -> Result<Bytes, ArchiveError> {
        let length = check_length(name, &self.shown, bytes)?;
        let found = self.store.get(&self.at(name)?).await.map_err(|error| self.failed(name, error))?;
        if found.meta.size != bytes {
            return Err(self.cut_off(name, usize::try_from(found.meta.size).unwrap_or(usize::MAX), length));
        }
        let content = found.bytes().await.map_err(|error| self.failed(name, error))?;
        if content.len() == length { Ok(content) } else { Err(self.cut_off(name, content.len(), length)) }
    }

    async fn part(&self, name: &str, offset: u64, bytes: usize) -> Result<Bytes, ArchiveError> {
        let range = offset..offset.saturating_add(bytes as u64);
        let part = self.store.get_range(&self.at(name)?, range).await.map_err(|error| self.failed(name, error))?;
        if part.len() == bytes { Ok(part) } else { Err(self.cut_off(name, part.len(), bytes)) }
    }
}
