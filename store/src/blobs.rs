//! Blobs beside the log: payloads over [`BLOB_THRESHOLD_BYTES`], by the hash of their content.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::log::LogError;

/// Payloads larger than this many bytes go into a blob; see [`crate::spill`].
pub const BLOB_THRESHOLD_BYTES: usize = 64 << 10;
/// Largest blob, in bytes.
pub const BLOB_BYTES_MAX: usize = 256 << 20;
/// Bytes of a blob that are read at a time where it is read in parts.
pub const BLOB_PART_BYTES: usize = 1 << 20;

/// What the `id` of an attachment begins with whose content is a blob; its hash follows. A frozen format.
const ATTACHMENT_START: &str = "blob:";

/// BLAKE3 hash of a blob's content, 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobHash([u8; 32]);

impl BlobHash {
    /// The hash of `content`.
    pub fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }

    /// The blob that an attachment's `id` names; `None` when that names something else.
    pub fn of_attachment(id: &str) -> Option<Self> {
        id.strip_prefix(ATTACHMENT_START)?.parse().ok()
    }

    /// The `id` of an attachment whose content this blob has.
    pub fn attachment_id(&self) -> String {
        format!("{ATTACHMENT_START}{self}")
    }

    /// The blobs that attachments in the text of a payload name, those that only look like it too.
    pub fn of_attachments(payload: &str) -> impl Iterator<Item = Self> {
        let names = payload.match_indices(ATTACHMENT_START);
        names.filter_map(|(at, start)| payload.get(at + start.len()..at + start.len() + 64)?.parse().ok())
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

    /// Begins a blob whose content comes piece by piece and is never in memory as a whole.
    ///
    /// # Errors
    /// The storage failed.
    async fn writer(&self) -> Result<Box<dyn BlobWriter>, BlobError>;

    /// At most `bytes_max` bytes of a blob's content from `offset` on; none at its end. A part cannot be checked against
    /// the hash: [`BlobReader`] checks the whole while it reads the parts.
    ///
    /// # Errors
    /// [`BlobError::Missing`], or the storage failed.
    async fn part(&self, hash: BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, BlobError>;

    /// Removes a blob that no event names any more; does nothing when it is not there.
    ///
    /// # Errors
    /// The storage failed.
    async fn remove(&self, hash: BlobHash) -> Result<(), BlobError>;
}

/// A blob that is being written. Dropped unfinished, it leaves nothing.
#[async_trait]
pub trait BlobWriter: Send {
    /// Adds to the content.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`], or the storage failed. The writer is of no more use then.
    async fn write(&mut self, content: Bytes) -> Result<(), BlobError>;

    /// Makes the content a blob, durably.
    ///
    /// # Errors
    /// The storage failed.
    async fn finish(self: Box<Self>) -> Result<WrittenBlob, BlobError>;
}

/// A blob that was written piece by piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenBlob {
    /// Hash of its content.
    pub hash: BlobHash,
    /// Length of its content.
    pub bytes: u64,
}

/// Hashes and counts a content that comes piece by piece; what every [`BlobWriter`] has at its heart.
#[derive(Debug, Default)]
pub struct BlobMeter {
    hasher: blake3::Hasher,
    bytes: usize,
}

impl BlobMeter {
    /// Takes the next piece in.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`] when there are more than [`BLOB_BYTES_MAX`] bytes with it.
    pub fn add(&mut self, content: &[u8]) -> Result<(), BlobError> {
        self.bytes = self.bytes.saturating_add(content.len());
        if self.bytes > BLOB_BYTES_MAX {
            return Err(BlobError::TooLarge(self.bytes));
        }
        self.hasher.update(content);
        Ok(())
    }

    /// The blob that the pieces are so far.
    pub fn written(&self) -> WrittenBlob {
        WrittenBlob { hash: BlobHash(*self.hasher.finalize().as_bytes()), bytes: self.bytes as u64 }
    }
}

/// Reads a blob in parts of [`BLOB_PART_BYTES`], and checks at the end that they were its content.
pub struct BlobReader {
    store: Arc<dyn BlobStore>,
    hash: BlobHash,
    meter: BlobMeter,
    ended: bool,
}

impl BlobReader {
    /// A reader that has read nothing yet.
    pub fn new(store: Arc<dyn BlobStore>, hash: BlobHash) -> Self {
        Self { store, hash, meter: BlobMeter::default(), ended: false }
    }

    /// The next part; `None` behind the last one.
    ///
    /// # Errors
    /// [`BlobError::Missing`], [`BlobError::Damaged`] in place of the end, or the storage failed.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        if self.ended {
            return Ok(None);
        }
        let part = self.store.part(self.hash, self.meter.bytes as u64, BLOB_PART_BYTES).await?;
        self.meter.add(&part)?;
        if !part.is_empty() {
            return Ok(Some(part));
        }
        self.ended = true;
        if self.meter.written().hash == self.hash { Ok(None) } else { Err(BlobError::Damaged(self.hash)) }
    }
}
