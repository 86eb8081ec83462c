//! Copies a log from one backend to another, or adds to a copy what is new: the one mechanism under copy, backup and
//! restore. Never changes a row, and never writes one whose blobs are not there.
//!
//! Invariants: what is written is a log at every moment, cut after whole appends; a copy counts as finished only after
//! both sides were compared row by row; a run that was cut off is taken up at the last row that was written. Memory is
//! bounded by one page of rows and one blob.

use std::collections::HashSet;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::blobs::{BlobError, BlobHash, BlobStore};
use crate::envelope::Position;
use crate::log::LogError;
use crate::spill::PayloadReference;
use crate::stored::{EXPORT_EVENTS_MAX, ImportError, LogImport, LogTransfer, StoredEvent, check_page};

/// Hashes of blobs that are remembered as done; a blob that was forgotten is only put again.
const BLOBS_REMEMBERED_MAX: usize = 100_000;

/// Where a log is copied from.
#[derive(Clone, Copy)]
pub struct CopySource<'log> {
    /// Its rows.
    pub log: &'log dyn LogTransfer,
    /// Its blobs.
    pub blobs: &'log dyn BlobStore,
}

/// Where a log is copied to.
#[derive(Clone, Copy)]
pub struct CopyTarget<'log> {
    /// Its rows.
    pub log: &'log dyn LogImport,
    /// Its blobs.
    pub blobs: &'log dyn BlobStore,
}

/// What a copy is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyPhase {
    /// Reads again what a run that was cut off had written.
    Rereading,
    /// Writes rows.
    Copying,
    /// Reads the target and compares.
    Verifying,
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyProgress {
    /// What it is doing.
    pub phase: CopyPhase,
    /// Position after which the phase began.
    pub after: Position,
    /// Position that it has reached in this phase.
    pub position: Position,
    /// Position at which the phase ends.
    pub end: Position,
}

/// What a copy did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyReport {
    /// Id of the log, on both sides.
    pub log_id: Uuid,
    /// Head of the target now.
    pub head: Position,
    /// Events that were written.
    pub events: u64,
    /// Blobs that were written.
    pub blobs: u64,
    /// Bytes of texts and blobs that were written.
    pub bytes: u64,
    /// Both sides were compared after this position, up to the head.
    pub verified_after: Position,
    /// SHA-256 over all leaves that were compared, one after the other; it was the same on both sides.
    pub leaves: [u8; 32],
}

/// Why a copy was not finished. What was written stays, and another run goes on there once the cause is gone.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CopyError {
    /// The source could not be read.
    #[error("the source cannot be read: {0}")]
    Source(LogError),
    /// A blob of the source could not be read.
    #[error("the payload of the event at position {position} cannot be read: {error}; the source is damaged")]
    SourceBlob {
        /// Position of the event that names it.
        position: Position,
        /// Why.
        error: BlobError,
    },
    /// The source has a gap or an unreadable row.
    #[error("the source is damaged at position {position}: {detail}")]
    SourceDamaged {
        /// Where.
        position: Position,
        /// What is wrong.
        detail: String,
    },
    /// The target did not take the rows.
    #[error(transparent)]
    Target(#[from] ImportError),
    /// A blob could not be written, or not be read again.
    #[error("the target's blob for the event at position {position} failed: {error}")]
    TargetBlob {
        /// Position of the event that names it.
        position: Position,
        /// Why.
        error: BlobError,
    },
    /// The target has more than the source.
    #[error(
        "the target ends at position {target}, the source at {source_head}: this is not a copy of it; give an empty target"
    )]
    Ahead {
        /// Head of the target.
        target: Position,
        /// Head of the source.
        source_head: Position,
    },
    /// The target has something else than the source.
    #[error("the target's event at position {0} is not the source's: this is not a copy of it; give an empty target")]
    Diverged(Position),
}

/// Copies everything from `source` to `target` up to the source's head as it is at the begin, and compares both sides.
///
/// # Errors
/// [`CopyError`], whose message says what to do. The target is unfinished then, unless an earlier run had finished it.
pub async fn copy(
    source: CopySource<'_>,
    target: CopyTarget<'_>,
    mut progress: impl FnMut(CopyProgress) + Send,
) -> Result<CopyReport, CopyError> {
    let identity = source.log.identity().await.map_err(CopyError::Source)?;
    let begun = target.log.begin(identity.log_id).await?;
    check_same_history(source.log, target.log, begun.head, identity.head).await?;
    let mut run = Run {
        source,
        target,
        end: identity.head,
        progress: &mut progress,
        hash: Sha256::new(),
        buffer: Vec::new(),
        done_blobs: HashSet::new(),
        report: CopyReport {
            log_id: identity.log_id,
            head: identity.head,
            events: 0,
            blobs: 0,
            bytes: 0,
            verified_after: begun.verified,
            leaves: [0; 32],
        },
    };
    run.reread(begun.verified, begun.head).await?;
    run.copy_rows(begun.head).await?;
    run.verify().await?;
    target.log.finish(identity.head).await?;
    Ok(run.report)
}

/// What is in the target already must be the beginning of the source: each leaf covers its position and ids, so the last
/// row stands for all before it.
async fn check_same_history(
    source: &dyn LogTransfer,
    target: &dyn LogTransfer,
    head: Position,
    source_head: Position,
) -> Result<(), CopyError> {
    if head > source_head {
        return Err(CopyError::Ahead { target: head, source_head });
    }
    let Some(before) = head.0.checked_sub(1).map(Position) else { return Ok(()) };
    let theirs = source.export(before, 1).await.map_err(CopyError::Source)?;
    let ours = target.export(before, 1).await.map_err(ImportError::Log)?;
    if theirs.len() == 1 && theirs == ours { Ok(()) } else { Err(CopyError::Diverged(head)) }
}

/// One run of a copy.
struct Run<'log, 'progress> {
    source: CopySource<'log>,
    target: CopyTarget<'log>,
    end: Position,
    progress: &'progress mut (dyn FnMut(CopyProgress) + Send),
    /// Over the leaves of the source.
    hash: Sha256,
    buffer: Vec<u8>,
    done_blobs: HashSet<BlobHash>,
    report: CopyReport,
}

impl Run<'_, '_> {
    /// Takes the leaves of rows that an earlier run has written into the hash of the source.
    async fn reread(&mut self, after: Position, up_to: Position) -> Result<(), CopyError> {
        let mut at = after;
        while at < up_to {
            let page = self.source_page(at, up_to).await?;
            page.iter().for_each(|event| self.hash.update(event.leaf));
            at = page.last().map_or(up_to, |last| last.position);
            self.tell(CopyPhase::Rereading, after, at, up_to);
        }
        Ok(())
    }

    async fn copy_rows(&mut self, after: Position) -> Result<(), CopyError> {
        let mut at = after;
        while at < self.end {
            let mut page = self.source_page(at, self.end).await?;
            let whole = page.iter().rposition(|event| event.append.is_some()).map_or(0, |last| last + 1);
            page.truncate(whole);
            let Some(last) = page.last().map(|last| last.position) else {
                let detail = "an append has no end".to_owned();
                return Err(CopyError::SourceDamaged { position: Position(at.0 + 1), detail });
            };
            for event in &page {
                self.copy_blob(event).await?;
                self.hash.update(event.leaf);
                self.report.bytes += event.text_bytes() as u64;
            }
            self.report.events += page.len() as u64;
            self.target.log.import(page).await?;
            at = last;
            self.tell(CopyPhase::Copying, after, at, self.end);
        }
        Ok(())
    }

    /// Rows of the source, each checked: a damaged one is found before anything that it names is looked for.
    async fn source_page(&mut self, after: Position, up_to: Position) -> Result<Vec<StoredEvent>, CopyError> {
        let mut page = self.source.log.export(after, EXPORT_EVENTS_MAX).await.map_err(CopyError::Source)?;
        page.retain(|event| event.position <= up_to);
        if page.is_empty() {
            let detail = format!("its events end there, its head is {up_to}");
            return Err(CopyError::SourceDamaged { position: after, detail });
        }
        match check_page(after, &page, &mut self.buffer) {
            // A page may end anywhere.
            Ok(()) | Err(ImportError::AppendNotEnded(_)) => Ok(page),
            Err(ImportError::NotNext { head, found }) => Err(CopyError::SourceDamaged {
                position: Position(head.0 + 1),
                detail: format!("there is no event, the next one is at {found}"),
            }),
            Err(wrong) => Err(wrong.into()),
        }
    }

    async fn copy_blob(&mut self, event: &StoredEvent) -> Result<(), CopyError> {
        let position = event.position;
        let Some(reference) = self.reference(event)? else {
            return self.copy_attachments(position, &event.payload).await;
        };
        let content = self.source.blobs.get(reference.hash).await;
        let content: Bytes = content.map_err(|error| CopyError::SourceBlob { position, error })?;
        if content.len() as u64 != reference.bytes {
            let detail = format!("its payload has {} bytes, not {}", content.len(), reference.bytes);
            return Err(CopyError::SourceDamaged { position, detail });
        }
        let put = self.target.blobs.put(content.clone()).await;
        put.map_err(|error| CopyError::TargetBlob { position, error })?;
        self.report.blobs += 1;
        self.report.bytes += reference.bytes;
        // A payload is JSON; what is none names nothing.
        self.copy_attachments(position, std::str::from_utf8(&content).unwrap_or_default()).await
    }

    /// Copies the content of attachments that a payload names. What only looks like such a name has no blob, and what was
    /// lost is not there to be copied: neither keeps the log from being copied.
    async fn copy_attachments(&mut self, position: Position, payload: &str) -> Result<(), CopyError> {
        let named: Vec<BlobHash> = BlobHash::of_attachments(payload).collect();
        for hash in named {
            if self.done_blobs.len() >= BLOBS_REMEMBERED_MAX {
                self.done_blobs.clear();
            }
            if !self.done_blobs.insert(hash) {
                continue;
            }
            let content = match self.source.blobs.get(hash).await {
                Ok(content) => content,
                Err(BlobError::Missing(_)) => continue,
                Err(error) => return Err(CopyError::SourceBlob { position, error }),
            };
            let bytes = content.len() as u64;
            let put = self.target.blobs.put(content).await;
            put.map_err(|error| CopyError::TargetBlob { position, error })?;
            self.report.blobs += 1;
            self.report.bytes += bytes;
        }
        Ok(())
    }

    /// The blob that the event names, if it was not met lately.
    fn reference(&mut self, event: &StoredEvent) -> Result<Option<PayloadReference>, CopyError> {
        let found = PayloadReference::find(&event.payload);
        let found = found.map_err(|detail| CopyError::SourceDamaged { position: event.position, detail })?;
        if self.done_blobs.len() >= BLOBS_REMEMBERED_MAX {
            self.done_blobs.clear();
        }
        Ok(found.filter(|reference| self.done_blobs.insert(reference.hash)))
    }

    /// Reads what was not verified before from the target: the same leaves as in the source, each the one that its row
    /// gives, and every blob whole.
    async fn verify(&mut self) -> Result<(), CopyError> {
        self.done_blobs.clear();
        let mut hash = Sha256::new();
        let mut at = self.report.verified_after;
        while at < self.end {
            let mut page = self.target.log.export(at, EXPORT_EVENTS_MAX).await.map_err(ImportError::Log)?;
            page.retain(|event| event.position <= self.end);
            match check_page(at, &page, &mut self.buffer) {
                Ok(()) | Err(ImportError::AppendNotEnded(_)) if !page.is_empty() => {}
                Err(ImportError::WrongLeaf(position)) => return Err(CopyError::Diverged(position)),
                _ => return Err(CopyError::Diverged(Position(at.0 + 1))),
            }
            for event in &page {
                hash.update(event.leaf);
                if let Some(reference) = self.reference(event)? {
                    let content = self.target.blobs.get(reference.hash).await;
                    content.map_err(|error| CopyError::TargetBlob { position: event.position, error })?;
                }
            }
            at = page.last().map_or(self.end, |last| last.position);
            self.tell(CopyPhase::Verifying, self.report.verified_after, at, self.end);
        }
        self.report.leaves = hash.finalize().into();
        let source: [u8; 32] = std::mem::take(&mut self.hash).finalize().into();
        if source == self.report.leaves { Ok(()) } else { Err(CopyError::Diverged(self.end)) }
    }

    fn tell(&mut self, phase: CopyPhase, after: Position, position: Position, end: Position) {
        (self.progress)(CopyProgress { phase, after, position, end });
    }
}
