//! The check of an export by what whoever checks knows: keys, and checkpoints that they kept. No server, no network.
//!
//! Goes on after a finding, so that one check finds them all. Memory is bounded by a few files' events without their
//! texts, and by a few bytes for each stream.

mod anchors;
mod fold;
mod part;
mod report;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use self::anchors::Anchors;
use self::fold::Fold;
pub use self::report::{FINDINGS_TOLD_MAX, Finding, Kind, Report};
use crate::checkpoint::{Checkpoint, cosignatures, origin, signer};
use crate::export::{
    BLOBS, CHECKPOINT, CHECKPOINTS, EventsFormat, MANIFEST, MANIFEST_BYTES_MAX, Manifest, Part, Payloads, digest,
};
use crate::key::PublicKey;
use crate::note::{NOTE_BYTES_MAX, Note};

/// Largest file of checkpoints of before, in bytes.
const CHECKPOINTS_BYTES_MAX: usize = 256 << 20;

/// What whoever checks knows without the export.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Keys of the log.
    pub keys: Vec<PublicKey>,
    /// Checkpoints that were kept, each with what it is called.
    pub kept: Vec<(String, String)>,
    /// Keys of witnesses.
    pub witnesses: Vec<PublicKey>,
    /// How many of them must have seen the checkpoint.
    pub witnesses_min: usize,
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A file cannot be read.
    #[error("{} cannot be read: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The events are in a form that cannot be proved.
    #[error("the events are written for other programs ({0}), which cannot be proved: ask for an export as jsonl")]
    NotProvable(&'static str),
    /// The export holds none.
    #[error("{} has no {MANIFEST}: name the folder of an export", .0.display())]
    NoExport(PathBuf),
}

/// Checks the export in `folder`. `progress` is told how many events of how many were checked.
///
/// # Errors
/// [`CheckError`] when there is no export, or it cannot be read. What is wrong with it is in the report.
pub fn check(folder: &Path, known: &Known, mut progress: impl FnMut(u64, u64)) -> Result<Report, CheckError> {
    let mut report = Report::default();
    let path = folder.join(MANIFEST);
    if !path.exists() {
        return Err(CheckError::NoExport(folder.to_owned()));
    }
    let manifest = match read(&path, MANIFEST_BYTES_MAX)?.map(|text| Manifest::parse(&text)) {
        Some(Ok(manifest)) => manifest,
        Some(Err(detail)) => return Ok(report.with(Kind::File, None, format!("{MANIFEST}: {detail}"))),
        None => return Ok(report.with(Kind::File, None, format!("{MANIFEST}: it is not text, or too large"))),
    };
    match manifest.events {
        EventsFormat::Jsonl => {}
        EventsFormat::CloudEvents => return Err(CheckError::NotProvable("CloudEvents")),
        EventsFormat::Csv => return Err(CheckError::NotProvable("CSV")),
        EventsFormat::Parquet => return Err(CheckError::NotProvable("Parquet")),
    }
    report.begin(&manifest);
    let anchors = Checking { folder, known, manifest: &manifest, report: &mut report }.signed()?;
    if manifest.from == 0 || manifest.from > manifest.to || manifest.to > manifest.tree_size {
        let detail = "its range is none of its tree".to_owned();
        return Ok(report.with(Kind::File, None, format!("{MANIFEST}: {detail}")));
    }
    let mut fold = Fold::new(&manifest, anchors, &mut report);
    let parts: Vec<(String, Part)> = manifest.parts().collect();
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    for round in parts.chunks(workers) {
        for (read, (_, part)) in part::read_all(folder, &manifest, round).into_iter().zip(round) {
            fold.part(*part, read?, folder, manifest.payloads == Payloads::Included);
            progress(part.last + 1 - manifest.from, manifest.to + 1 - manifest.from);
        }
    }
    fold.end(&manifest);
    Ok(report)
}

struct Checking<'run> {
    folder: &'run Path,
    known: &'run Known,
    manifest: &'run Manifest,
    report: &'run mut Report,
}

impl Checking<'_> {
    /// Checks everything but the events.
    fn signed(&mut self) -> Result<Anchors, CheckError> {
        self.files()?;
        self.newest()?;
        let mut anchors = Anchors::new(self.manifest);
        self.earlier(&mut anchors)?;
        self.kept(&mut anchors);
        Ok(anchors)
    }

    /// Files but those of events: which there are, and what is in them.
    fn files(&mut self) -> Result<(), CheckError> {
        let parts = self.manifest.parts().map(|(name, _)| name);
        let wanted: std::collections::BTreeSet<String> =
            parts.chain([CHECKPOINT, CHECKPOINTS].map(str::to_owned)).collect();
        for name in &wanted {
            if !self.manifest.files.iter().any(|file| file.name == *name) {
                self.report.add(Kind::File, None, format!("{MANIFEST} does not name {name}"));
            }
        }
        for file in &self.manifest.files {
            let is_payload = file.name.strip_prefix(BLOBS).is_some_and(is_blob_name);
            if !is_payload && !wanted.contains(&file.name) {
                self.report.add(
                    Kind::File,
                    None,
                    format!("{MANIFEST} names {}, which no export has", file.name.escape_debug()),
                );
            } else if file.name == CHECKPOINT || file.name == CHECKPOINTS || is_payload {
                let path = self.folder.join(&file.name);
                let found = match File::open(&path) {
                    Ok(opened) => Some(digest(opened).map_err(|error| CheckError::Read { path, error })?),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                    Err(error) => return Err(CheckError::Read { path, error }),
                };
                match found {
                    None => self.report.add(Kind::File, None, format!("{} is not there", file.name)),
                    Some(found) if found != (file.bytes, file.sha256) => {
                        self.report.add(Kind::File, None, format!("{} is not the file that was exported", file.name));
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(())
    }

    /// The checkpoint that everything is proved by.
    fn newest(&mut self) -> Result<(), CheckError> {
        let text = read_if_there(&self.folder.join(CHECKPOINT), NOTE_BYTES_MAX)?;
        let Some(text) = text else {
            self.report.add(Kind::File, None, format!("{CHECKPOINT} is not there, or is no text"));
            return Ok(());
        };
        let (checkpoint, note) = match Checkpoint::parse(&text) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.report.add(Kind::Signature, None, format!("{CHECKPOINT}: {error}"));
                return Ok(());
            }
        };
        let says = (&checkpoint.origin, checkpoint.size, checkpoint.root);
        if says != (&origin(self.manifest.log_id), self.manifest.tree_size, self.manifest.root) {
            self.report.add(Kind::File, None, format!("{CHECKPOINT} is of another tree than {MANIFEST} says"));
        }
        match signer(&checkpoint, &note, &self.known.keys) {
            Ok(key) => self.report.signed_by = Some(key.vkey()),
            Err(error) => self.report.untrusted(CHECKPOINT, &error),
        }
        self.report.recorded_at_us = Some(checkpoint.recorded_at_us);
        self.witnesses(&note);
        self.report.note = Some(text);
        Ok(())
    }

    fn witnesses(&mut self, note: &Note) {
        match cosignatures(note, &self.known.witnesses) {
            Ok(seen) => {
                let names: std::collections::BTreeSet<String> = seen.into_iter().map(|seen| seen.witness).collect();
                if names.len() < self.known.witnesses_min {
                    let (found, needed) = (names.len(), self.known.witnesses_min);
                    let detail =
                        format!("{found} witnesses of those that were given have seen it, {needed} are needed");
                    self.report.add(Kind::Witness, None, format!("{CHECKPOINT}: {detail}"));
                }
                self.report.witnesses = names.into_iter().collect();
            }
            Err(error) => self.report.untrusted(CHECKPOINT, &error),
        }
    }

    /// The checkpoints of before that the export brings along.
    fn earlier(&mut self, anchors: &mut Anchors) -> Result<(), CheckError> {
        let Some(text) = read_if_there(&self.folder.join(CHECKPOINTS), CHECKPOINTS_BYTES_MAX)? else { return Ok(()) };
        for (line, number) in text.lines().zip(1..) {
            let place = format!("line {number} of {CHECKPOINTS}");
            let read =
                serde_json::from_str::<crate::export::EarlierCheckpoint>(line).map_err(|error| error.to_string());
            let parsed = read.and_then(|earlier| {
                let parsed = Checkpoint::parse(&earlier.note).map_err(|error| error.to_string())?;
                if parsed.0.size == earlier.size {
                    Ok(parsed)
                } else {
                    Err("it is of another size than it says".to_owned())
                }
            });
            match parsed {
                Ok((checkpoint, note)) => match signer(&checkpoint, &note, &self.known.keys) {
                    Ok(_) => anchors.add_earlier(place, checkpoint, self.report),
                    Err(error) => self.report.untrusted(&place, &error),
                },
                Err(detail) => self.report.add(Kind::File, None, format!("{place}: {detail}")),
            }
        }
        Ok(())
    }

    /// The checkpoints that whoever checks kept.
    fn kept(&mut self, anchors: &mut Anchors) {
        for (name, text) in &self.known.kept {
            let place = format!("the checkpoint that was kept ({name})");
            match Checkpoint::parse(text) {
                Ok((checkpoint, note)) => match signer(&checkpoint, &note, &self.known.keys) {
                    Ok(_) if checkpoint.origin != origin(self.manifest.log_id) => {
                        let detail = format!("{place} is of another log, {}", checkpoint.origin);
                        self.report.add(Kind::Forked, None, detail);
                    }
                    Ok(_) => anchors.add_kept(place, checkpoint),
                    Err(error) => self.report.untrusted(&place, &error),
                },
                Err(error) => self.report.add(Kind::File, None, format!("{place}: {error}")),
            }
        }
    }
}

fn is_blob_name(name: &str) -> bool {
    name.strip_prefix('/').is_some_and(|hash| crate::hexadecimal::decode(hash).is_some())
}

/// The text of a file; `None` when it is none, or too large.
fn read(path: &Path, bytes_max: usize) -> Result<Option<String>, CheckError> {
    let failed = |error| CheckError::Read { path: path.to_owned(), error };
    let mut bytes = Vec::new();
    let opened = File::open(path).map_err(failed)?;
    opened.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(String::from_utf8(bytes).ok().filter(|text| text.len() <= bytes_max))
}

/// The same; `None` as well when it is not there.
fn read_if_there(path: &Path, bytes_max: usize) -> Result<Option<String>, CheckError> {
    if path.exists() { read(path, bytes_max) } else { Ok(None) }
}
