//! Writes an export that an auditor can check without us. Files of events are written one after the other, each whole or
//! not at all: what was cut off goes on at the first that is missing. The manifest comes last.
//!
//! Invariant: the same range of the same log under the same checkpoint gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use timeloom_store::leaf::record_of;
use timeloom_store::proofs::{ProofLog, ProofsError};
use timeloom_store::spill::PayloadReference;
use timeloom_store::stored::EXPORT_EVENTS_MAX;
use timeloom_store::{BlobError, BlobStore, Direction, LogError, LogTransfer, Position, StoredEvent};
use timeloom_verify::export::{
    self as form, BLOBS, CHECKPOINT, CHECKPOINTS, CHECKPOINTS_MAX, CONSISTENCY_MAX, Consistency, EarlierCheckpoint,
    EventsFormat, MANIFEST, Manifest, PART_EVENTS, Part, Payloads, digest,
};
use timeloom_verify::{Checkpoint, Frontier};

use super::part_file::{PartFile, UNFINISHED};

/// What is to be exported.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// Position of the first event; the first of the log when absent.
    pub from: Option<u64>,
    /// Position of the last event; the last that a checkpoint covers when absent.
    pub to: Option<u64>,
    /// Which way events are written.
    pub format: EventsFormat,
    /// Whether payloads that are too large for events are written as well.
    pub with_payloads: bool,
    /// Sizes of trees of which is to be proved that they are the beginning of this one.
    pub older: Vec<u64>,
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportReport {
    /// What the manifest says.
    pub manifest: Manifest,
    /// Files of events that an earlier run had written.
    pub files_kept: usize,
}

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// What is asked for cannot be given.
    #[error("{0}")]
    Refused(String),
    /// Nothing of it is proved, or not yet.
    #[error(transparent)]
    Proofs(#[from] ProofsError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log has an event that is not what was recorded.
    #[error("the event at position {0} is not what was recorded: `timeloom log verify` says what else is wrong")]
    Damaged(Position),
    /// The log has other events than the tree.
    #[error(
        "history was changed: the events from position {from} to {to} are not those of which the tree was made; \
         `timeloom log verify` says what else is wrong"
    )]
    HistoryChanged {
        /// Position of the first that may be another.
        from: u64,
        /// Position of the last.
        to: u64,
    },
    /// A payload cannot be read.
    #[error("the payload of the event at position {position} cannot be read: {error}")]
    Payload {
        /// Where.
        position: Position,
        /// Why.
        error: BlobError,
    },
    /// A file cannot be written.
    #[error("{} cannot be written: {error}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// Where an export comes from.
#[derive(Clone, Copy)]
pub struct ExportSource<'log> {
    /// Its events.
    pub log: &'log dyn LogTransfer,
    /// Its payloads.
    pub blobs: &'log dyn BlobStore,
    /// Its proofs.
    pub proofs: &'log ProofLog,
}

/// Writes an export into `folder`. `progress` is told how many events of how many are written.
///
/// # Errors
/// [`ExportError`], whose message says what to do. Another run goes on where this one ended.
pub async fn export(
    source: ExportSource<'_>,
    folder: &Path,
    options: &ExportOptions,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<ExportReport, ExportError> {
    let proofs = source.proofs;
    let newest = proofs.newest_checkpoint().await?.map_or(0, |newest| newest.size);
    let (from, to) = (options.from.unwrap_or(1), options.to.unwrap_or(newest));
    if newest == 0 {
        return Err(ProofsError::NoCheckpoint { asked: from, newest }.into());
    }
    if from == 0 || from > to {
        return Err(ExportError::Refused(format!(
            "there are no events from {from} to {to}: give --from 1 or more, and --to no less"
        )));
    }
    let kept = proofs.checkpoint_over(to).await?;
    let (checkpoint, _) = Checkpoint::parse(&kept.note).map_err(|error| {
        ExportError::Refused(format!("the checkpoint of {} events cannot be read: {error}", kept.size))
    })?;
    let log_id = source.log.identity().await?.log_id;
    let surroundings = proofs.surroundings(from, to, kept.size).await?;
    let mut run = Run { source, folder, options, files: BTreeMap::new(), payloads: BTreeSet::new(), files_kept: 0 };
    run.begin(from, to)?;
    for part in form::parts(from, to) {
        run.part(part, |position| progress(position + 1 - from, to + 1 - from)).await?;
    }
    run.write(CHECKPOINT, kept.note.as_bytes())?;
    let earlier = run.earlier(from, to).await?;
    run.write(CHECKPOINTS, earlier.as_bytes())?;
    let consistency = run.consistency(kept.size).await?;
    let manifest = Manifest {
        format: form::FORMAT.to_owned(),
        version: form::VERSION,
        log_id,
        from,
        to,
        tree_size: kept.size,
        root: checkpoint.root,
        left: surroundings.left,
        right: surroundings.right,
        consistency,
        events: options.format,
        payloads: if options.with_payloads { Payloads::Included } else { Payloads::Referenced },
        files: run.files.values().cloned().collect(),
    };
    let text = manifest.to_text().map_err(LogError::storage)?;
    run.write(MANIFEST, text.as_bytes())?;
    Ok(ExportReport { manifest, files_kept: run.files_kept })
}

struct Run<'run> {
    source: ExportSource<'run>,
    folder: &'run Path,
    options: &'run ExportOptions,
    files: BTreeMap<String, form::File>,
    /// Payloads that were written.
    payloads: BTreeSet<String>,
    files_kept: usize,
}

impl Run<'_> {
    /// Makes the folder. What is there of another export is refused, never written over.
    fn begin(&self, from: u64, to: u64) -> Result<(), ExportError> {
        fs::create_dir_all(self.folder).map_err(|error| failed(self.folder, error))?;
        let extension = self.options.format.extension();
        let wanted: BTreeSet<String> = form::parts(from, to).map(|part| part.name(extension)).collect();
        let entries = fs::read_dir(self.folder).map_err(|error| failed(self.folder, error))?;
        for entry in entries {
            let name = entry.map_err(|error| failed(self.folder, error))?.file_name();
            let name = name.to_string_lossy();
            let is_ours = [MANIFEST, CHECKPOINT, CHECKPOINTS, BLOBS].contains(&&*name) || name.ends_with(UNFINISHED);
            if !is_ours && !wanted.contains(&*name) {
                let message = format!(
                    "{} has '{name}', which is not of this export: give an empty folder",
                    self.folder.display()
                );
                return Err(ExportError::Refused(message));
            }
        }
        // Until the new one is whole, there is none.
        match fs::remove_file(self.folder.join(MANIFEST)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(self.folder, error)),
            _ => Ok(()),
        }
    }

    /// Writes one file of events, or keeps the one that an earlier run wrote to its end.
    async fn part(&mut self, part: Part, mut progress: impl FnMut(u64) + Send) -> Result<(), ExportError> {
        let name = part.name(self.options.format.extension());
        let path = self.folder.join(&name);
        // Payloads are found by reading events again.
        let is_kept = path.exists() && !self.options.with_payloads;
        if is_kept {
            self.files_kept += 1;
        } else {
            self.write_part(part, &path, &mut progress).await?;
        }
        progress(part.last);
        self.note(name)
    }

    async fn write_part(
        &mut self,
        part: Part,
        path: &Path,
        progress: &mut (impl FnMut(u64) + Send),
    ) -> Result<(), ExportError> {
        let proofs = self.source.proofs;
        let before = proofs.surroundings(part.first, part.last, part.last).await?.left;
        let changed = ExportError::HistoryChanged { from: part.first, to: part.last };
        let Some(mut tree) = Frontier::from_parts(part.first - 1, before) else { return Err(changed) };
        let mut file = PartFile::begin(path, self.options.format).map_err(|error| failed(path, error))?;
        let (mut at, mut scratch) = (part.first - 1, Vec::new());
        while at < part.last {
            let limit = EXPORT_EVENTS_MAX.min(usize::try_from(part.last - at).unwrap_or(EXPORT_EVENTS_MAX));
            let page = self.source.log.export(Position(at), limit).await?;
            if page.is_empty() {
                let detail = "the log ends before it".to_owned();
                return Err(LogError::Corrupt { position: Position(at + 1), detail }.into());
            }
            for event in &page {
                let record = record_of(event);
                if event.position.0 != at + 1 || record.leaf(&mut scratch) != event.leaf {
                    return Err(ExportError::Damaged(event.position));
                }
                at += 1;
                tree.push(event.leaf);
                file.add(event, &record).map_err(|error| failed(path, error))?;
                self.payload(event).await?;
            }
            progress(at);
        }
        if tree.root() != proofs.root(part.last).await? {
            // Files of events are as large as what is looked at in one go, and begin at the same leaves.
            proofs.look_inside((part.first - 1) / PART_EVENTS).await?;
            return Err(changed);
        }
        file.end().map_err(|error| failed(path, error))
    }

    /// Writes the payload that an event refers to, if it is wanted and was not written.
    async fn payload(&mut self, event: &StoredEvent) -> Result<(), ExportError> {
        if !self.options.with_payloads {
            return Ok(());
        }
        let position = event.position;
        let found = PayloadReference::find(&event.payload);
        let Some(reference) = found.map_err(|detail| LogError::Corrupt { position, detail })? else { return Ok(()) };
        let name = format!("{BLOBS}/{}", reference.hash);
        if self.payloads.insert(name.clone()) {
            let content = self.source.blobs.get(reference.hash).await;
            let content = content.map_err(|error| ExportError::Payload { position, error })?;
            self.write(&name, &content)?;
        }
        Ok(())
    }

    /// The checkpoints that trees within the range have, thinned out evenly where there are many.
    async fn earlier(&self, from: u64, to: u64) -> Result<String, ExportError> {
        let (mut next, mut all) = (from.saturating_sub(1).max(1), Vec::new());
        while next <= to {
            let page = self.source.proofs.tree().checkpoints(next..=to, Direction::Forward, usize::MAX).await?;
            let Some(last) = page.last() else { break };
            next = last.size + 1;
            all.extend(page);
        }
        let every = all.len().div_ceil(CHECKPOINTS_MAX).max(1);
        let mut text = String::new();
        for kept in all.into_iter().step_by(every) {
            let line = EarlierCheckpoint { size: kept.size, note: kept.note };
            text.push_str(&serde_json::to_string(&line).map_err(LogError::storage)?);
            text.push('\n');
        }
        Ok(text)
    }

    async fn consistency(&self, tree_size: u64) -> Result<Vec<Consistency>, ExportError> {
        let sizes: BTreeSet<u64> = self.options.older.iter().copied().filter(|size| *size != tree_size).collect();
        if sizes.len() > CONSISTENCY_MAX {
            return Err(ExportError::Refused(format!(
                "at most {CONSISTENCY_MAX} older checkpoints can be proved at once"
            )));
        }
        let mut proofs = Vec::new();
        for size in sizes {
            let (from, to) = (size.min(tree_size), size.max(tree_size));
            proofs.push(Consistency { from, to, path: self.source.proofs.consistency(from, to).await? });
        }
        Ok(proofs)
    }

    /// Writes a file whole or not at all.
    fn write(&mut self, name: &str, content: &[u8]) -> Result<(), ExportError> {
        let path = self.folder.join(name);
        let unfinished = path.with_extension(UNFINISHED);
        let written = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut file = File::create(&unfinished)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)
        };
        written().map_err(|error| failed(&path, error))?;
        if name == MANIFEST { Ok(()) } else { self.note(name.to_owned()) }
    }

    /// Notes a file for the manifest.
    fn note(&mut self, name: String) -> Result<(), ExportError> {
        let path = self.folder.join(&name);
        let opened = File::open(&path).and_then(digest);
        let (bytes, sha256) = opened.map_err(|error| failed(&path, error))?;
        self.files.insert(name.clone(), form::File { name, bytes, sha256 });
        Ok(())
    }
}

fn failed(path: &Path, error: std::io::Error) -> ExportError {
    ExportError::Write { path: path.to_owned(), error }
}
