//! Snapshots of folded streams: a cache that saves reading a long stream from its first event. Never authoritative.
//!
//! Invariant: whoever uses a snapshot checks it first. It counts only when its checksum is right, when the fold that made
//! it is the fold of this build, and when the stream has, at its revision, the very event that it says it folded last.
//! Anything else is as if there were none, and the stream is folded from its start. So a store of snapshots may lose, keep
//! or damage what it likes, and may be deleted at any time.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::ids::EventId;

use crate::envelope::{Position, RecordedEvent, Revision, StreamKey};
use crate::log::LogError;

/// Largest state in one snapshot, in bytes. A larger one is folded from the log each time.
pub const SNAPSHOT_BYTES_MAX: usize = 16 << 20;
/// Snapshots kept of one stream, the newest: two, so that two builds with different folds can share a store.
pub const SNAPSHOTS_PER_STREAM_MAX: usize = 2;
/// Bytes of states that a store keeps when nothing else is said; the oldest snapshots make room.
pub const SNAPSHOT_STORE_BYTES_MAX: u64 = 512 << 20;

/// Says how a state was folded: of which category, by which version of the fold, out of which types of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FoldHash(pub [u8; 32]);

impl FoldHash {
    /// The fold of `A` in this build.
    ///
    /// ```
    /// use timeloom_domain::{model::Model, plugin::Plugin};
    /// use timeloom_store::FoldHash;
    ///
    /// assert_ne!(FoldHash::of::<Model>(), FoldHash::of::<Plugin>());
    /// ```
    pub fn of<A: Aggregate>() -> Self {
        Self::from_parts(A::Event::CATEGORY, A::FOLD_VERSION, A::Event::TYPES)
    }

    fn from_parts(category: &str, fold_version: u32, types: &[(&str, u16)]) -> Self {
        let mut hasher = blake3::Hasher::new();
        let mut text = |text: &str| {
            hasher.update(&(text.len() as u64).to_be_bytes());
            hasher.update(text.as_bytes());
        };
        text(category);
        text(&fold_version.to_string());
        for (event_type, version) in types {
            text(event_type);
            text(&version.to_string());
        }
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Display for FoldHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// The event that a snapshot folded last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotPlace {
    /// The stream.
    pub stream: StreamKey,
    /// Revision of the event.
    pub revision: Revision,
    /// Position of the event.
    pub position: Position,
    /// Id of the event: of a log that was restored from a backup it tells whether history went on the same way.
    pub event_id: EventId,
}

impl SnapshotPlace {
    /// Whether `event` is that event.
    pub fn is_of(&self, event: &RecordedEvent) -> bool {
        self.revision == event.revision
            && self.position == event.position
            && self.event_id == event.id
            && self.stream == event.stream
    }
}

/// A folded stream as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Up to where it was folded.
    pub place: SnapshotPlace,
    /// By which fold.
    pub fold_hash: FoldHash,
    /// The state, in the form that its maker reads again.
    pub state: Bytes,
    /// BLAKE3 hash over all of the above.
    pub checksum: [u8; 32],
}

impl Snapshot {
    /// A snapshot with its checksum.
    pub fn new(place: SnapshotPlace, fold_hash: FoldHash, state: Bytes) -> Self {
        let checksum = checksum(&place, fold_hash, &state);
        Self { place, fold_hash, state, checksum }
    }

    /// Whether it is what was saved.
    pub fn is_whole(&self) -> bool {
        self.checksum == checksum(&self.place, self.fold_hash, &self.state)
    }
}

fn checksum(place: &SnapshotPlace, fold_hash: FoldHash, state: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&place.stream.tenant.0.to_be_bytes());
    for text in [&place.stream.category, &place.stream.id] {
        hasher.update(&(text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.update(&place.revision.0.to_be_bytes());
    hasher.update(&place.position.0.to_be_bytes());
    hasher.update(place.event_id.0.as_bytes());
    hasher.update(&fold_hash.0);
    hasher.update(state);
    *hasher.finalize().as_bytes()
}

/// Why a snapshot was not saved or read. Whoever meets it goes on without the snapshot.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SnapshotError {
    /// Larger than [`SNAPSHOT_BYTES_MAX`].
    #[error("a state of {0} bytes is too large for a snapshot: at most {SNAPSHOT_BYTES_MAX} are allowed")]
    TooLarge(usize),
    /// The storage failed.
    #[error("the snapshots cannot be used: {0}")]
    Storage(#[from] LogError),
}

/// Keeps snapshots, as far as it likes to: at most [`SNAPSHOTS_PER_STREAM_MAX`] of a stream, and a bounded sum of bytes.
#[async_trait]
pub trait SnapshotStore: Send + Sync + 'static {
    /// The snapshot of `stream` by that fold which was saved last.
    ///
    /// # Errors
    /// [`SnapshotError::Storage`].
    async fn load(&self, stream: &StreamKey, fold_hash: FoldHash) -> Result<Option<Snapshot>, SnapshotError>;

    /// Keeps a snapshot; older ones make room.
    ///
    /// # Errors
    /// [`SnapshotError`]; nothing was saved then.
    async fn save(&self, snapshot: Snapshot) -> Result<(), SnapshotError>;

    /// Drops every snapshot of `stream`.
    ///
    /// # Errors
    /// [`SnapshotError::Storage`].
    async fn forget(&self, stream: &StreamKey) -> Result<(), SnapshotError>;

    /// Drops every snapshot, so that nothing of them is left in the storage.
    ///
    /// # Errors
    /// [`SnapshotError::Storage`].
    async fn scrub(&self) -> Result<(), SnapshotError>;
}

/// A [`SnapshotStore`] in memory.
#[derive(Debug)]
pub struct MemorySnapshots {
    kept: Mutex<Kept>,
    bytes_max: u64,
}

#[derive(Debug, Default)]
struct Kept {
    /// By the order in which they were saved.
    snapshots: BTreeMap<u64, Snapshot>,
    /// Their numbers by stream, the oldest first.
    by_stream: HashMap<StreamKey, Vec<u64>>,
    bytes: u64,
    saved: u64,
}

impl Kept {
    fn remove(&mut self, number: u64) {
        let Some(snapshot) = self.snapshots.remove(&number) else { return };
        self.bytes -= snapshot.state.len() as u64;
        if let Some(numbers) = self.by_stream.get_mut(&snapshot.place.stream) {
            numbers.retain(|kept| *kept != number);
            if numbers.is_empty() {
                self.by_stream.remove(&snapshot.place.stream);
            }
        }
    }
}

impl MemorySnapshots {
    /// An empty store for at most so many bytes of states.
    pub fn new(bytes_max: u64) -> Self {
        Self { kept: Mutex::default(), bytes_max }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Every change is complete before anything in the critical section can fail.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SnapshotStore for MemorySnapshots {
    async fn load(&self, stream: &StreamKey, fold_hash: FoldHash) -> Result<Option<Snapshot>, SnapshotError> {
        let kept = self.lock();
        let numbers = kept.by_stream.get(stream).map(Vec::as_slice).unwrap_or_default();
        let mut newest_first = numbers.iter().rev().filter_map(|number| kept.snapshots.get(number));
        Ok(newest_first.find(|snapshot| snapshot.fold_hash == fold_hash).cloned())
    }

    async fn save(&self, snapshot: Snapshot) -> Result<(), SnapshotError> {
        if snapshot.state.len() > SNAPSHOT_BYTES_MAX {
            return Err(SnapshotError::TooLarge(snapshot.state.len()));
        }
        let mut kept = self.lock();
        kept.saved += 1;
        kept.bytes += snapshot.state.len() as u64;
        let (number, stream) = (kept.saved, snapshot.place.stream.clone());
        let numbers = kept.by_stream.entry(stream).or_default();
        numbers.push(number);
        let surplus = (numbers.len() > SNAPSHOTS_PER_STREAM_MAX).then(|| numbers.first().copied()).flatten();
        kept.snapshots.insert(number, snapshot);
        if let Some(oldest) = surplus {
            kept.remove(oldest);
        }
        while kept.bytes > self.bytes_max {
            let Some((&oldest, _)) = kept.snapshots.first_key_value() else { break };
            kept.remove(oldest);
        }
        Ok(())
    }

    async fn forget(&self, stream: &StreamKey) -> Result<(), SnapshotError> {
        let mut kept = self.lock();
        for number in kept.by_stream.get(stream).cloned().unwrap_or_default() {
            kept.remove(number);
        }
        Ok(())
    }

    async fn scrub(&self) -> Result<(), SnapshotError> {
        *self.lock() = Kept::default();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_decides_about_a_fold_changes_its_hash() {
        let known = FoldHash::from_parts("order", 1, &[("Placed", 1), ("Paid", 1)]);
        let others = [
            FoldHash::from_parts("orders", 1, &[("Placed", 1), ("Paid", 1)]),
            FoldHash::from_parts("order", 2, &[("Placed", 1), ("Paid", 1)]),
            FoldHash::from_parts("order", 1, &[("Placed", 1), ("Paid", 2)]),
            FoldHash::from_parts("order", 1, &[("Placed", 1)]),
            FoldHash::from_parts("order", 1, &[("Placed", 1), ("Pai", 1)]),
        ];
        assert!(others.iter().all(|other| *other != known));
        assert_eq!(known, FoldHash::from_parts("order", 1, &[("Placed", 1), ("Paid", 1)]));
    }
}
