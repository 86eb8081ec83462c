//! Makes a capsule: rows as they are stored, a proof for each, and the blobs that they name within a bound.

use std::collections::{BTreeMap, BTreeSet};

use timeloom_domain::ids::{ExecutionId, TenantId};
use timeloom_store::leaf::record_of;
use timeloom_store::proofs::ProofLog;
use timeloom_store::spill::PayloadReference;
use timeloom_store::stored::EXPORT_EVENTS_MAX;
use timeloom_store::subjects::is_sealed_text;
use timeloom_store::{BlobError, BlobHash, BlobStore, EventLog, LogTransfer, Position, StoredEvent};
use timeloom_verify::capsule::{
    BLOBS_MAX, Capsule, FORMAT, LeftOut, LeftOutKind, Manifest, Parts, Proof, UNPACKED_BYTES_MAX, VERSION,
};
use timeloom_verify::{Checkpoint, line};

use super::gather::{Gathered, gather};
use super::{ATTACHMENT_BYTES_DEFAULT, CapsuleMakeError};

/// Where the execution is.
#[derive(Clone, Copy)]
pub struct CapsuleSource<'log> {
    /// The log, to find out what belongs to the execution.
    pub log: &'log dyn EventLog,
    /// The same log as it is stored: what is sealed is seen sealed.
    pub stored: &'log dyn LogTransfer,
    /// Payloads and attachments.
    pub blobs: &'log dyn BlobStore,
    /// What proves it.
    pub proofs: &'log ProofLog,
}

/// What goes into a capsule.
#[derive(Debug, Clone)]
pub struct CapsuleOptions {
    /// Bytes of attachments at most; what is longer is named as left out.
    pub attachment_bytes_max: u64,
    /// The program that makes it, as it calls itself.
    pub program: String,
}

impl CapsuleOptions {
    /// As many attachments as usual.
    pub fn made_by(program: impl Into<String>) -> Self {
        Self { attachment_bytes_max: ATTACHMENT_BYTES_DEFAULT, program: program.into() }
    }
}

/// Makes a capsule of an execution that has ended. The same execution gives the same capsule while nothing comes to it.
///
/// # Errors
/// [`CapsuleMakeError`], whose message says what to do.
pub async fn make(
    source: CapsuleSource<'_>,
    tenant: TenantId,
    execution: ExecutionId,
    options: &CapsuleOptions,
) -> Result<Capsule, CapsuleMakeError> {
    let Gathered { streams, positions, left_out, mut in_force } = gather(source.log, tenant, execution).await?;
    options.program.clone_into(&mut in_force.program);
    let last = positions.last().map_or(0, |last| last.0);
    let kept = source.proofs.checkpoint_over(last).await?;
    let (checkpoint, _) = Checkpoint::parse(&kept.note)
        .map_err(|error| CapsuleMakeError::Damaged { position: kept.size, detail: error.to_string() })?;
    let mut making = Making {
        source,
        tree_size: kept.size,
        events: String::new(),
        proofs: Vec::new(),
        blobs: BTreeMap::new(),
        blob_bytes: 0,
        attachments: BTreeSet::new(),
        sealed_events: 0,
        sealed_attachments: BTreeSet::new(),
        left_out,
    };
    making.rows(&positions).await?;
    making.attachments(options.attachment_bytes_max).await?;
    let Making { events, proofs, blobs, sealed_events, left_out, .. } = making;
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        version: VERSION,
        log_id: source.stored.identity().await?.log_id,
        tenant: tenant.0,
        execution: execution.0,
        tree_size: kept.size,
        root: checkpoint.root,
        streams,
        sealed_events,
        left_out,
        in_force,
        files: Vec::new(),
    };
    Ok(Capsule::try_new(Parts { manifest, note: kept.note, events, proofs, blobs })?)
}

struct Making<'log> {
    source: CapsuleSource<'log>,
    tree_size: u64,
    events: String,
    proofs: Vec<Proof>,
    blobs: BTreeMap<String, Vec<u8>>,
    blob_bytes: u64,
    /// What items name.
    attachments: BTreeSet<BlobHash>,
    sealed_events: u64,
    /// What items name that are sealed.
    sealed_attachments: BTreeSet<BlobHash>,
    left_out: Vec<LeftOut>,
}

impl Making<'_> {
    /// Takes the rows at these places, those that follow each other in one read.
    async fn rows(&mut self, positions: &BTreeSet<Position>) -> Result<(), CapsuleMakeError> {
        let mut next = positions.iter().copied().peekable();
        while let Some(first) = next.peek().copied() {
            let following = positions.range(first..).zip(first.0..).take(EXPORT_EVENTS_MAX);
            let wanted = following.take_while(|(position, expected)| position.0 == *expected).count();
            let page = self.source.stored.export(Position(first.0 - 1), wanted).await?;
            if page.first().is_none_or(|row| row.position != first) {
                let detail = "it is not in the log".to_owned();
                return Err(CapsuleMakeError::Damaged { position: first.0, detail });
            }
            for row in page {
                next.next();
                self.row(row).await?;
            }
        }
        Ok(())
    }

    async fn row(&mut self, row: StoredEvent) -> Result<(), CapsuleMakeError> {
        let position = row.position.0;
        let damaged = |detail: String| CapsuleMakeError::Damaged { position, detail };
        if row.computed_leaf(&mut Vec::new()) != row.leaf {
            return Err(damaged(
                "it is not what was recorded; `timeloom log verify` says what else is wrong".to_owned(),
            ));
        }
        line::write(&record_of(&row), &row.leaf, &mut self.events);
        if self.events.len() as u64 + self.blob_bytes > UNPACKED_BYTES_MAX {
            return Err(CapsuleMakeError::TooLarge { what: "bytes", max: UNPACKED_BYTES_MAX });
        }
        let path = self.source.proofs.inclusion(position, self.tree_size).await?;
        self.proofs.push(Proof { position, path });
        let Some(reference) = PayloadReference::find(&row.payload).map_err(damaged)? else {
            self.look_into(&row.payload);
            return Ok(());
        };
        let content = self.source.blobs.get(reference.hash).await;
        let content = content.map_err(|error| damaged(error.to_string()))?.to_vec();
        self.look_into(&String::from_utf8_lossy(&content));
        self.blob(reference.hash, content)
    }

    fn blob(&mut self, hash: BlobHash, content: Vec<u8>) -> Result<(), CapsuleMakeError> {
        let bytes = content.len() as u64;
        if self.blobs.insert(hash.to_string(), content).is_none() {
            self.blob_bytes += bytes;
        }
        if self.blob_bytes > UNPACKED_BYTES_MAX {
            return Err(CapsuleMakeError::TooLarge { what: "bytes of payloads", max: UNPACKED_BYTES_MAX });
        }
        if self.blobs.len() > BLOBS_MAX {
            return Err(CapsuleMakeError::TooLarge { what: "large payloads", max: BLOBS_MAX as u64 });
        }
        Ok(())
    }

    /// Notes what a payload names.
    fn look_into(&mut self, payload: &str) {
        let named = BlobHash::of_attachments(payload);
        if is_sealed_text(payload) {
            self.sealed_events += 1;
            self.sealed_attachments.extend(named);
        } else {
            self.attachments.extend(named);
        }
    }

    /// Takes attachments along as far as they fit. What is about a person is sealed by its event alone, so its files stay.
    async fn attachments(&mut self, bytes_max: u64) -> Result<(), CapsuleMakeError> {
        for hash in std::mem::take(&mut self.sealed_attachments) {
            self.attachments.remove(&hash);
            self.leave_out(hash, "it belongs to data that is sealed".to_owned());
        }
        let mut left = bytes_max.min(UNPACKED_BYTES_MAX.saturating_sub(self.blob_bytes + self.events.len() as u64));
        for hash in std::mem::take(&mut self.attachments) {
            if self.blobs.contains_key(&hash.to_string()) {
                continue;
            }
            let part = usize::try_from(left).unwrap_or(usize::MAX).saturating_add(1);
            match self.source.blobs.part(hash, 0, part).await {
                Ok(content) if content.len() as u64 > left || self.blobs.len() >= BLOBS_MAX => {
                    self.leave_out(
                        hash,
                        format!("there is no room left for it: attachments have at most {bytes_max} bytes"),
                    );
                }
                Ok(content) if BlobHash::of(&content) != hash => {
                    self.leave_out(hash, BlobError::Damaged(hash).to_string());
                }
                Ok(content) => {
                    left -= content.len() as u64;
                    self.blob(hash, content.to_vec())?;
                }
                // A text may only look like the name of one.
                Err(BlobError::Missing(_)) => self.leave_out(hash, "there is no such file".to_owned()),
                Err(error) => self.leave_out(hash, error.to_string()),
            }
        }
        Ok(())
    }

    fn leave_out(&mut self, hash: BlobHash, reason: String) {
        self.left_out.push(LeftOut { what: LeftOutKind::Attachment, name: hash.to_string(), reason });
    }
}
