//! Blobs beside the log: payloads over [`BLOB_THRESHOLD_BYTES`], by the hash of their content.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::log::LogError;

/// Payloads larger than this many bytes go into a blob; see [`crate::spill`].
pub const BLOB_THRESHOLD_BYTES: usize = 64 << 10;
/// Largest blob, in bytes.
pub const BLOB_BYTES_MAX: usize = 256 << 20;

/// BLAKE3 hash of a blob's content, 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobHash([u8; 32]);

impl BlobHash {
    /// The hash of `content`.
    pub fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a blob hash: 64 lower-case hexadecimal digits are needed")]
pub struct InvalidBlobHash(String);

impl FromStr for BlobHash {
    type Err = InvalidBlobHash;

    fn from_str(text: &str) -> Result<Self, InvalidBlobHash> {
        let invalid = || InvalidBlobHash(text.chars().take(64).collect());
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(invalid());
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| invalid())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| invalid())?;
        }
        Ok(Self(hash))
    }
}

impl TryFrom<String> for BlobHash {
    type Error = InvalidBlobHash;

    fn try_from(text: String) -> Result<Self, InvalidBlobHash> {
        text.parse()
    }
}

impl From<BlobHash> for String {
    fn from(hash: BlobHash) -> Self {
        hash.to_string()
    }
}

/// Why a blob could not be stored or read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BlobError {
    /// No blob of that hash.
    #[error("blob {0} is not in the store")]
    Missing(BlobHash),
    /// What is stored under the hash has another hash.
    #[error("blob {0} is damaged: its content has another hash")]
    Damaged(BlobHash),
    /// Larger than [`BLOB_BYTES_MAX`].
    #[error("a blob of {0} bytes is too large: at most {BLOB_BYTES_MAX} are allowed")]
    TooLarge(usize),
    /// The storage failed.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Content-addressed storage. A blob is durable when `put` returns; it must be put before the event that names it.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Stores `content` durably; storing the same content again does nothing.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`], or the storage failed.
    async fn put(&self, content: Bytes) -> Result<BlobHash, BlobError>;

    /// The content of a blob, checked against its hash.
    ///
    /// # Errors
    /// [`BlobError::Missing`] or [`BlobError::Damaged`], or the storage failed.
    async fn get(&self, hash: BlobHash) -> Result<Bytes, BlobError>;
}
