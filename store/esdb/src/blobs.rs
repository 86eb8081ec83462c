//! Blobs on the server: a stream each, named by the hash of its content, with a part of it in each event and an event at its
//! end that says so. A blob without its end is not there.
//!
//! Whoever writes a blob that somebody began goes on where they ended: the content is the same, or its hash would not be.
//!
//! A blob that is removed is a deleted stream. The server does not begin a deleted stream at 0 again, so no part of a blob is
//! looked for by its revision alone.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use eventstore::{EventData, ExpectedRevision, RecordedEvent};
use serde::{Deserialize, Serialize};
use tempfile::tempfile;
use timeloom_store::{BLOB_BYTES_MAX, BlobError, BlobHash, BlobMeter, BlobStore, BlobWriter, LogError, WrittenBlob};

use crate::error::EsdbError;
use crate::server::{Sent, Server};

/// Bytes of one part. Frozen: where a part begins follows from it.
const PART_BYTES: usize = 256 << 10;
/// Parts of one append, which stays under what a server takes at most if nobody told it otherwise.
const PARTS_AT_ONCE: usize = 2;
/// Parts of one read.
const PARTS_READ_MAX: usize = 64;

const PART: &str = "BlobPart";
const END: &str = "BlobEnded";

#[derive(Debug, Serialize, Deserialize)]
struct Ended {
    bytes: u64,
}

/// A [`BlobStore`] on a server.
#[derive(Clone)]
pub struct EsdbBlobs {
    server: Server,
}

impl std::fmt::Debug for EsdbBlobs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EsdbBlobs").finish_non_exhaustive()
    }
}

/// Where a blob's stream stands.
enum Found {
    /// The server shows no event of it: it never was, or was removed.
    Nothing,
    /// It has parts up to a revision, and no end.
    Begun { first: u64, next: u64 },
    /// It is whole.
    Whole(Whole),
}

/// A blob that has its end.
#[derive(Clone, Copy)]
struct Whole {
    /// The revision of its first part.
    first: u64,
    bytes: u64,
}

impl EsdbBlobs {
    pub(crate) fn new(server: Server) -> Self {
        Self { server }
    }

    async fn find(&self, hash: BlobHash) -> Result<Found, BlobError> {
        let last = self.server.last(&stream(hash)).await.map_err(fault)?;
        let Some(last) = last else { return Ok(Found::Nothing) };
        let event = last.get_original_event();
        if let Some(bytes) = ended(event)? {
            let first = event.revision.checked_sub(parts(bytes)).ok_or(damaged(hash))?;
            return Ok(Found::Whole(Whole { first, bytes }));
        }
        let first = self.server.first(&stream(hash)).await.map_err(fault)?;
        // Removed in between.
        let Some(first) = first else { return Ok(Found::Nothing) };
        Ok(Found::Begun { first: first.get_original_event().revision, next: event.revision + 1 })
    }

    /// Writes what is missing of a blob, whose parts `part` gives.
    async fn write(
        &self,
        hash: BlobHash,
        bytes: u64,
        mut part: impl FnMut(u64) -> Result<Bytes, BlobError> + Send,
    ) -> Result<(), BlobError> {
        let stream = stream(hash);
        let parts = parts(bytes);
        loop {
            let (mut there, mut expected) = match self.find(hash).await? {
                Found::Nothing => (0, ExpectedRevision::NoStream),
                Found::Begun { first, next } => (next.saturating_sub(first), ExpectedRevision::Exact(next - 1)),
                Found::Whole(_) => return Ok(()),
            };
            loop {
                let mut events = Vec::with_capacity(PARTS_AT_ONCE + 1);
                let end = parts.min(there + PARTS_AT_ONCE as u64);
                for index in there..end {
                    events.push(EventData::binary(PART, part(index)?));
                }
                if end == parts {
                    let end = EventData::json(END, &Ended { bytes });
                    events.push(end.map_err(|error| fault(LogError::storage(error).into()))?);
                }
                match self.server.append_after(&stream, expected, &events).await.map_err(fault)? {
                    Sent::Done(_) if end == parts => return Ok(()),
                    Sent::Done(revision) => (there, expected) = (end, ExpectedRevision::Exact(revision)),
                    Sent::Elsewhere => break,
                }
            }
        }
    }

    /// The bytes from `offset` on, at most `bytes_max`, of a blob that is whole.
    async fn range(&self, hash: BlobHash, whole: Whole, offset: u64, bytes_max: usize) -> Result<Bytes, BlobError> {
        let until = whole.bytes.min(offset.saturating_add(bytes_max as u64));
        if offset >= until {
            return Ok(Bytes::new());
        }
        let first = offset / PART_BYTES as u64;
        let end = until.div_ceil(PART_BYTES as u64);
        let mut content = BytesMut::new();
        let (mut next, end) = (whole.first + first, whole.first + end);
        while next < end {
            let limit = usize::try_from(end - next).unwrap_or(usize::MAX).min(PARTS_READ_MAX);
            let read = self.server.read(&stream(hash), next, limit).await.map_err(fault)?;
            for event in &read {
                let event = event.get_original_event();
                if event.revision != next || event.event_type != PART {
                    return Err(damaged(hash));
                }
                content.extend_from_slice(&event.data);
                next += 1;
            }
            if read.is_empty() {
                return Err(damaged(hash));
            }
        }
        let skipped = usize::try_from(offset - first * PART_BYTES as u64).unwrap_or(usize::MAX);
        let length = usize::try_from(until - offset).unwrap_or(usize::MAX);
        let content = content.freeze();
        if content.len() < skipped.saturating_add(length) {
            return Err(damaged(hash));
        }
        Ok(content.slice(skipped..skipped + length))
    }

    async fn whole(&self, hash: BlobHash) -> Result<Whole, BlobError> {
        match self.find(hash).await? {
            Found::Whole(whole) => Ok(whole),
            Found::Nothing | Found::Begun { .. } => Err(BlobError::Missing(hash)),
        }
    }
}

#[async_trait]
impl BlobStore for EsdbBlobs {
    async fn put(&self, content: Bytes) -> Result<BlobHash, BlobError> {
        if content.len() > BLOB_BYTES_MAX {
            return Err(BlobError::TooLarge(content.len()));
        }
        let hash = BlobHash::of(&content);
        let part = |index: u64| {
            let from = usize::try_from(index).unwrap_or(usize::MAX).saturating_mul(PART_BYTES).min(content.len());
            Ok(content.slice(from..from.saturating_add(PART_BYTES).min(content.len())))
        };
        self.write(hash, content.len() as u64, part).await?;
        Ok(hash)
    }

    async fn get(&self, hash: BlobHash) -> Result<Bytes, BlobError> {
        let whole = self.whole(hash).await?;
        let content = self.range(hash, whole, 0, usize::MAX).await?;
        if BlobHash::of(&content) == hash { Ok(content) } else { Err(damaged(hash)) }
    }

    async fn writer(&self) -> Result<Box<dyn BlobWriter>, BlobError> {
        // The name is known at the end alone: until then the content waits on this machine.
        let file = tempfile().map_err(|error| fault(LogError::storage(error).into()))?;
        Ok(Box::new(Writer { blobs: self.clone(), meter: BlobMeter::default(), file }))
    }

    async fn part(&self, hash: BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, BlobError> {
        let whole = self.whole(hash).await?;
        self.range(hash, whole, offset, bytes_max).await
    }

    async fn remove(&self, hash: BlobHash) -> Result<(), BlobError> {
        self.server.delete(&stream(hash)).await.map_err(fault)
    }
}

struct Writer {
    blobs: EsdbBlobs,
    meter: BlobMeter,
    file: std::fs::File,
}

#[async_trait]
impl BlobWriter for Writer {
    async fn write(&mut self, content: Bytes) -> Result<(), BlobError> {
        self.meter.add(&content)?;
        // Into the system's cache: short enough to be done here.
        self.file.write_all(&content).map_err(|error| fault(LogError::storage(error).into()))
    }

    async fn finish(self: Box<Self>) -> Result<WrittenBlob, BlobError> {
        let Self { blobs, meter, mut file } = *self;
        let written = meter.written();
        let bytes = written.bytes;
        let read = move |index: u64| -> Result<Bytes, BlobError> {
            let from = index.saturating_mul(PART_BYTES as u64);
            let length = usize::try_from(bytes.saturating_sub(from)).unwrap_or(usize::MAX).min(PART_BYTES);
            let mut part = vec![0; length];
            let read = file.seek(SeekFrom::Start(from)).and_then(|_| file.read_exact(&mut part));
            read.map_err(|error| fault(LogError::storage(error).into()))?;
            Ok(part.into())
        };
        blobs.write(written.hash, bytes, read).await?;
        Ok(written)
    }
}

fn stream(hash: BlobHash) -> String {
    format!("timeloom_blob-{hash}")
}

fn parts(bytes: u64) -> u64 {
    bytes.div_ceil(PART_BYTES as u64)
}

/// How many bytes a blob has, of its last event.
fn ended(event: &RecordedEvent) -> Result<Option<u64>, BlobError> {
    if event.event_type != END {
        return Ok(None);
    }
    let ended: Ended = event.as_json().map_err(|error| fault(LogError::storage(error).into()))?;
    Ok(Some(ended.bytes))
}

fn fault(error: EsdbError) -> BlobError {
    BlobError::Log(error.into())
}

fn damaged(hash: BlobHash) -> BlobError {
    BlobError::Damaged(hash)
}
