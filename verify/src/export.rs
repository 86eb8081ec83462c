//! What lies in the folder of an export, and what its manifest says. Frozen forms.
//!
//! ```text
//! manifest.json      what this is, and the hashes that tie the events to the tree
//! checkpoint.note    the signed checkpoint whose tree the events are in
//! checkpoints.jsonl  checkpoints of before, each `{"size":…,"note":"…"}`, in the order of their size
//! events-NUMBER.jsonl  events, from the one at position NUMBER on
//! blobs/HASH         payloads that are too large for events, where they were asked for
//! ```

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::hexadecimal;
use crate::tree::Hash;

/// Name of the manifest.
pub const MANIFEST: &str = "manifest.json";
/// Name of the checkpoint.
pub const CHECKPOINT: &str = "checkpoint.note";
/// Name of the checkpoints of before.
pub const CHECKPOINTS: &str = "checkpoints.jsonl";
/// Name of the folder of payloads.
pub const BLOBS: &str = "blobs";
/// What a manifest says that it is.
pub const FORMAT: &str = "timeloom-export";
/// The version of exports that this build writes and reads.
pub const VERSION: u32 = 1;
/// Events of a file. Files begin at positions that follow multiples of it, whatever the range is.
pub const PART_EVENTS: u64 = 65_536;
/// Most checkpoints of before; more are thinned out evenly.
pub const CHECKPOINTS_MAX: usize = 10_000;
/// Most proofs of older trees.
pub const CONSISTENCY_MAX: usize = 100;
/// Largest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 64 << 20;
/// Bytes of a file that are read at a time to hash it.
const HASH_BYTES: usize = 1 << 20;

/// What an export is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// Id of the log.
    pub log_id: Uuid,
    /// Position of the first event.
    pub from: u64,
    /// Position of the last event.
    pub to: u64,
    /// Size of the tree that the events are in.
    pub tree_size: u64,
    /// Its root.
    #[serde(with = "hexadecimal")]
    pub root: Hash,
    /// Roots of the full parts of the tree before the first event, from left to right.
    #[serde(with = "hexadecimal::list")]
    pub left: Vec<Hash>,
    /// Roots of the full parts of the tree after the last event, from left to right.
    #[serde(with = "hexadecimal::list")]
    pub right: Vec<Hash>,
    /// Proofs that older trees are the beginning of this one, or this one of a newer.
    pub consistency: Vec<Consistency>,
    /// Which way the events are written.
    pub events: EventsFormat,
    /// Whether payloads that are too large for events are there.
    pub payloads: Payloads,
    /// The other files.
    pub files: Vec<File>,
}

/// A proof that one tree is the beginning of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// Size of the smaller tree.
    pub from: u64,
    /// Size of the larger tree.
    pub to: u64,
    /// The proof.
    #[serde(with = "hexadecimal::list")]
    pub path: Vec<Hash>,
}

/// Which way events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventsFormat {
    /// As lines of [`crate::line`]: the one form that can be proved.
    Jsonl,
    /// As events of CloudEvents 1.0, a JSON object a line.
    CloudEvents,
    /// As comma-separated values.
    Csv,
    /// As Apache Parquet.
    Parquet,
}

/// Whether payloads that are too large for events are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Payloads {
    /// Their hashes are.
    Referenced,
    /// They are, in [`BLOBS`].
    Included,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name in the folder.
    pub name: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// Its SHA-256.
    #[serde(with = "hexadecimal")]
    pub sha256: Hash,
}

/// A line of [`CHECKPOINTS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlierCheckpoint {
    /// The size of its tree.
    pub size: u64,
    /// The signed note.
    pub note: String,
}

impl Manifest {
    /// The text of the file.
    ///
    /// # Errors
    /// Never for what this build makes.
    pub fn to_text(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Reads the text of the file, which says everything in one way alone.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if manifest.format != FORMAT {
            return Err(format!("it says that it is '{}', not '{FORMAT}'", manifest.format));
        }
        if manifest.version != VERSION {
            return Err(format!(
                "it is of version {}, and this program reads {VERSION}: get a newer one",
                manifest.version
            ));
        }
        match manifest.to_text() {
            Ok(same) if same == text => Ok(manifest),
            _ => Err("it is not written as an export writes it: it was changed".to_owned()),
        }
    }

    /// Names and first positions of the files with events.
    pub fn parts(&self) -> impl Iterator<Item = (String, Part)> {
        let extension = self.events.extension();
        parts(self.from, self.to).map(move |part| (part.name(extension), part))
    }
}

impl EventsFormat {
    /// What the names of files end with.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jsonl | Self::CloudEvents => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// The events of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Position of the first.
    pub first: u64,
    /// Position of the last.
    pub last: u64,
}

impl Part {
    /// The name of its file.
    pub fn name(&self, extension: &str) -> String {
        format!("events-{:012}.{extension}", self.first)
    }
}

/// Which files the events from one position to another are in.
pub fn parts(from: u64, to: u64) -> impl Iterator<Item = Part> {
    let end = |first: u64| ((first - 1) / PART_EVENTS + 1).saturating_mul(PART_EVENTS);
    std::iter::successors((from >= 1 && from <= to).then_some(from), move |first| {
        Some(end(*first) + 1).filter(|next| *next <= to)
    })
    .map(move |first| Part { first, last: end(first).min(to) })
}

/// How many bytes something has, and their SHA-256.
///
/// # Errors
/// When it cannot be read.
pub fn digest(mut from: impl std::io::Read) -> std::io::Result<(u64, Hash)> {
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; HASH_BYTES]);
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok((bytes, hash.finalize().into()));
        }
        bytes += read as u64;
        hash.update(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_begin_at_the_same_positions_whatever_the_range_is() {
        let ranges = |from, to| parts(from, to).map(|part| (part.first, part.last)).collect::<Vec<_>>();
        assert_eq!(ranges(1, 65_536), [(1, 65_536)]);
        assert_eq!(ranges(5, 131_073), [(5, 65_536), (65_537, 131_072), (131_073, 131_073)]);
        assert_eq!(ranges(7, 7), [(7, 7)]);
        assert!(ranges(8, 7).is_empty() && ranges(0, 7).is_empty());
        assert_eq!(Part { first: 65_537, last: 65_540 }.name("jsonl"), "events-000000065537.jsonl");
    }

    #[test]
    fn a_manifest_that_is_written_in_another_way_is_refused() {
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            version: VERSION,
            log_id: Uuid::from_u128(1),
            from: 1,
            to: 2,
            tree_size: 3,
            root: [1; 32],
            left: Vec::new(),
            right: vec![[2; 32]],
            consistency: vec![Consistency { from: 1, to: 3, path: vec![[3; 32]] }],
            events: EventsFormat::Jsonl,
            payloads: Payloads::Referenced,
            files: vec![File { name: "checkpoint.note".to_owned(), bytes: 5, sha256: [4; 32] }],
        };
        let text = manifest.to_text().unwrap();
        assert_eq!(Manifest::parse(&text).unwrap(), manifest);
        for (from, to) in [("  \"from\"", " \"from\""), ("\"version\": 1", "\"version\": 2"), ("-export", "-other")] {
            assert!(Manifest::parse(&text.replacen(from, to, 1)).is_err(), "{to}");
        }
    }
}
