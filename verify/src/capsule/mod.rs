//! A capsule: one execution in one file, with everything that it takes to look at it, to prove it and to run it again. Frozen
//! form: a ZIP archive of
//!
//! ```text
//! manifest.json     what this is about, what was in force, what was left out, and the other files with their hashes
//! checkpoint.note   the signed checkpoint whose tree the events are in
//! events.jsonl      the events as lines of [`crate::line`], in the order of the log
//! proofs.jsonl      for each of them that it is in the tree: `{"position":…,"path":[…]}`
//! blobs/HASH        payloads that are too large for events, and attachments, by their BLAKE3 hash
//! ```
//!
//! A capsule comes from anywhere. Nothing of it is unpacked to a disk, and nothing is read beyond the bounds below. Invariant:
//! a [`Capsule`] that was read is whole: every byte of it has the hash that its manifest says, every event the leaf that its
//! content gives, and every leaf is in the tree of its checkpoint. Who signed that is another question: [`Capsule::signer`].

mod check;
mod read;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::checkpoint::{Checkpoint, Untrusted, signer};
use crate::export::File;
use crate::hexadecimal;
use crate::key::PublicKey;
use crate::line::{Line, LineError};
use crate::note::Note;
use crate::tree::Hash;

/// Name of the manifest.
pub const MANIFEST: &str = "manifest.json";
/// Name of the checkpoint.
pub const CHECKPOINT: &str = "checkpoint.note";
/// Name of the events.
pub const EVENTS: &str = "events.jsonl";
/// Name of the proofs.
pub const PROOFS: &str = "proofs.jsonl";
/// What the names of blobs begin with; their hash follows.
pub const BLOBS: &str = "blobs/";
/// What a manifest says that it is.
pub const FORMAT: &str = "timeloom-capsule";
/// The version of capsules that this build writes and reads.
pub const VERSION: u32 = 1;
/// Largest capsule, in bytes.
pub const CAPSULE_BYTES_MAX: u64 = 256 << 20;
/// Most bytes that a capsule unpacks to.
pub const UNPACKED_BYTES_MAX: u64 = 512 << 20;
/// Largest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: u64 = 16 << 20;
/// Most events of a capsule.
pub const EVENTS_MAX: usize = 50_000;
/// Most payloads and attachments of a capsule.
pub const BLOBS_MAX: usize = 4_096;

/// What a capsule is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// Id of the log.
    pub log_id: Uuid,
    /// Whose events they are.
    pub tenant: u32,
    /// The execution.
    pub execution: Uuid,
    /// Size of the tree that the events are in.
    pub tree_size: u64,
    /// Its root.
    #[serde(with = "hexadecimal")]
    pub root: Hash,
    /// The streams of the events; each is whole from its first event on.
    pub streams: Vec<Stream>,
    /// Events whose personal fields are sealed. The keys are in no capsule.
    pub sealed_events: u64,
    /// What belongs to the execution and is not here.
    pub left_out: Vec<LeftOut>,
    /// What was run.
    pub in_force: InForce,
    /// The other files.
    pub files: Vec<File>,
}

/// The events of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Kind of the thing.
    pub category: String,
    /// Its id.
    pub id: String,
    /// Why it is here.
    pub role: Role,
    /// How many events it has here, from its first one on.
    pub events: u64,
}

/// Why a stream is in a capsule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It is the execution, or a link of it.
    Execution,
    /// The execution goes on from it: it is a retry or a fork.
    Earlier,
    /// A node of the execution, or of one that it called, called it.
    Called,
    /// It is a workflow that was run.
    Workflow,
}

/// Something that is not in a capsule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// What it is.
    pub what: LeftOutKind,
    /// Its hash or id.
    pub name: String,
    /// Why it is not here.
    pub reason: String,
}

/// What may be missing in a capsule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeftOutKind {
    /// A file of an item.
    Attachment,
    /// An execution that was called.
    Execution,
}

/// What was run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InForce {
    /// The program that made the capsule.
    pub program: String,
    /// The workflows, as they were run.
    pub workflows: Vec<WorkflowInForce>,
    /// The node types that they name.
    pub node_types: Vec<NodeTypeInForce>,
    /// The credentials that they name. What is in them is in no capsule.
    pub credentials: Vec<CredentialNamed>,
}

impl InForce {
    /// Everything once, in order.
    pub fn tidy(&mut self) {
        self.workflows.sort_unstable();
        self.workflows.dedup();
        self.node_types.sort_unstable();
        self.node_types.dedup();
        self.credentials.sort_unstable();
        self.credentials.dedup();
    }
}

/// A workflow that was run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkflowInForce {
    /// Its id.
    pub id: String,
    /// What it was called.
    pub name: String,
    /// The revision of its stream that was run.
    pub revision: u64,
    /// The published version; absent: the draft of that revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// A node type that was run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeTypeInForce {
    /// Its name, such as `n8n-nodes-base.set`.
    pub name: String,
    /// Its version, such as `3.4`.
    pub version: String,
}

/// A credential that a node names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialNamed {
    /// Its type.
    #[serde(rename = "type")]
    pub credential_type: String,
    /// Its name.
    pub name: String,
}

/// That an event is in the tree. A line of [`PROOFS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The event.
    pub position: u64,
    /// The hashes beside the way from its leaf to the root.
    #[serde(with = "hexadecimal::list")]
    pub path: Vec<Hash>,
}

/// Why a file is not taken for a capsule, or cannot be made one.
#[derive(Debug, thiserror::Error)]
pub enum CapsuleError {
    /// It cannot be read or written.
    #[error("the capsule cannot be read or written: {0}")]
    Io(#[from] std::io::Error),
    /// It is no archive, or only the beginning of one.
    #[error("this is no whole capsule: it was cut off or changed on its way, or is another kind of file ({0})")]
    NotWhole(String),
    /// There is more in it than is read.
    #[error("{what} has more than {max} bytes, which no capsule has: it is not read any further")]
    TooLarge {
        /// What is too large.
        what: String,
        /// How large it may be.
        max: u64,
    },
    /// There are more things in it than are read.
    #[error("it has more than {max} {what}, which no capsule has")]
    TooMany {
        /// What there is too many of.
        what: &'static str,
        /// How many there may be.
        max: usize,
    },
    /// A newer build wrote it.
    #[error("it is a capsule of version {found}, and this program reads {VERSION}: get a newer one")]
    Newer {
        /// Its version.
        found: u64,
    },
    /// A file of it is not what the manifest says.
    #[error("{name}: {detail}")]
    File {
        /// Its name.
        name: String,
        /// What is wrong.
        detail: String,
    },
    /// An event of it is not what was recorded.
    #[error("the event at position {position} {detail}")]
    Event {
        /// Its place in the log.
        position: u64,
        /// What is wrong.
        detail: String,
    },
}

impl CapsuleError {
    fn file(name: &str, detail: impl Into<String>) -> Self {
        Self::File { name: name.to_owned(), detail: detail.into() }
    }

    fn event(position: u64, detail: impl Into<String>) -> Self {
        Self::Event { position, detail: detail.into() }
    }
}

/// One execution with everything that belongs to it, in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capsule {
    manifest: Manifest,
    note: String,
    /// Lines of events, each with its end.
    events: String,
    proofs: Vec<Proof>,
    /// By the digits of their hash.
    blobs: BTreeMap<String, Vec<u8>>,
}

/// What a capsule is put together from.
#[derive(Debug)]
pub struct Parts {
    /// What it is about; the list of its files is made here.
    pub manifest: Manifest,
    /// The signed checkpoint.
    pub note: String,
    /// Lines of events, each with its end.
    pub events: String,
    /// A proof for each of them, in the same order.
    pub proofs: Vec<Proof>,
    /// Payloads and attachments by the digits of their hash.
    pub blobs: BTreeMap<String, Vec<u8>>,
}

impl Capsule {
    /// Puts a capsule together. It is checked as one that was read is.
    ///
    /// # Errors
    /// [`CapsuleError`] when the parts do not belong together, or are too large.
    pub fn try_new(parts: Parts) -> Result<Self, CapsuleError> {
        let Parts { manifest, note, events, proofs, blobs } = parts;
        let mut capsule = Self { manifest, note, events, proofs, blobs };
        capsule.list_files()?;
        capsule.check()?;
        Ok(capsule)
    }

    /// What it is about.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The signed checkpoint.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Its events, in the order of the log.
    ///
    /// # Errors
    /// None of a capsule that was read: its lines were read before.
    pub fn events(&self) -> impl Iterator<Item = Result<Line<'_>, LineError>> {
        self.events.lines().map(Line::parse)
    }

    /// How many events it has.
    pub fn event_count(&self) -> usize {
        self.proofs.len()
    }

    /// Its payloads and attachments, by the digits of their BLAKE3 hash.
    pub fn blobs(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.blobs
    }

    /// The key by which its checkpoint is signed, of those that are believed.
    ///
    /// # Errors
    /// [`Untrusted`] when none of them signed it, or a signature is wrong.
    pub fn signer<'keys>(&self, keys: &'keys [PublicKey]) -> Result<&'keys PublicKey, Untrusted> {
        // It was read once: what cannot be read is signed by nobody.
        let nobody = || Untrusted::OtherKey { signed: Vec::new(), given: Vec::new() };
        let (checkpoint, note) = self.checkpoint().map_err(|_| nobody())?;
        signer(&checkpoint, &note, keys)
    }

    fn checkpoint(&self) -> Result<(Checkpoint, Note), CapsuleError> {
        Checkpoint::parse(&self.note).map_err(|error| CapsuleError::file(CHECKPOINT, error.to_string()))
    }
}
