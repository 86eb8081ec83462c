//! What a check found.

use serde::Serialize;
use uuid::Uuid;

use crate::checkpoint::Untrusted;
use crate::export::Manifest;

/// Most findings that are told one by one.
pub const FINDINGS_TOLD_MAX: usize = 100;

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// An event is not what was recorded.
    Changed,
    /// An event is missing.
    Dropped,
    /// An event stands at another place.
    Reordered,
    /// An event is there that does not belong there.
    Inserted,
    /// The end is missing.
    Truncated,
    /// The history is not the one whose checkpoint was kept.
    Forked,
    /// The history is not the one that was signed.
    Rewritten,
    /// It is signed by a key that is not believed.
    WrongKey,
    /// It is signed by a key that may not be used for that time.
    ExpiredKey,
    /// A signature is wrong.
    Signature,
    /// Time does not go forward.
    Clock,
    /// The revisions of a stream have a gap.
    Revision,
    /// A payload beside the events is missing or changed.
    Payload,
    /// A file is not what was exported.
    File,
    /// Nothing proves that a checkpoint belongs to this history.
    Unlinked,
    /// Too few witnesses have seen it.
    Witness,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// The first position that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The last position that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// What it is.
    pub detail: String,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Id of the log.
    pub log_id: Option<Uuid>,
    /// Position of the first event of the export.
    pub from: u64,
    /// Position of the last.
    pub to: u64,
    /// How many events were read.
    pub events: u64,
    /// How many payloads beside them.
    pub payloads: u64,
    /// Size of the tree that they are in.
    pub tree_size: u64,
    /// The key by which its root is signed.
    pub signed_by: Option<String>,
    /// The time of the last event of the tree, in microseconds since 1970.
    pub recorded_at_us: Option<i64>,
    /// Sizes of the checkpoints that were kept and belong to this history.
    pub kept: Vec<u64>,
    /// How many checkpoints of before belong to this history.
    pub earlier: u64,
    /// Names of the witnesses that have seen it.
    pub witnesses: Vec<String>,
    /// How many things are wrong.
    pub finding_count: u64,
    /// The first [`FINDINGS_TOLD_MAX`] of them.
    pub findings: Vec<Finding>,
    /// The signed checkpoint, to be kept for the next check.
    #[serde(skip)]
    pub note: Option<String>,
}

impl Report {
    /// Whether everything is proved.
    pub fn is_proved(&self) -> bool {
        self.finding_count == 0
    }

    pub(super) fn begin(&mut self, manifest: &Manifest) {
        self.log_id = Some(manifest.log_id);
        (self.from, self.to, self.tree_size) = (manifest.from, manifest.to, manifest.tree_size);
    }

    pub(super) fn add(&mut self, kind: Kind, positions: Option<(u64, u64)>, detail: impl Into<String>) {
        self.finding_count += 1;
        if self.findings.len() < FINDINGS_TOLD_MAX {
            let (from, to) = positions.unzip();
            self.findings.push(Finding { kind, from, to, detail: detail.into() });
        }
    }

    pub(super) fn with(mut self, kind: Kind, positions: Option<(u64, u64)>, detail: impl Into<String>) -> Self {
        self.add(kind, positions, detail);
        self
    }

    pub(super) fn untrusted(&mut self, place: &str, why: &Untrusted) {
        let kind = match why {
            Untrusted::OtherKey { .. } => Kind::WrongKey,
            Untrusted::Signature(_) => Kind::Signature,
            Untrusted::Expired { .. } => Kind::ExpiredKey,
        };
        self.add(kind, None, format!("{place}: {why}"));
    }
}
