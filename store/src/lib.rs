//! The event log's port: envelope, append, reads, subscriptions, blobs. Backends implement it.
//!
//! Invariants: positions are gapless and their order is the order of visibility; one append is one stream and is
//! atomic; what was acknowledged is never lost; payload bytes are stored as they came in.

pub mod admission;
pub mod archive;
#[cfg(feature = "bench")]
pub mod bench;
pub mod blobs;
pub mod claims;
pub mod clock;
pub mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod envelope;
pub mod heads;
pub mod leaf;
pub mod leases;
pub mod log;
pub mod mark;
pub mod memory;
pub mod proofs;
pub mod queue;
pub mod replica;
pub mod shared;
pub mod snapshots;
pub mod spill;
pub mod stored;
pub mod subjects;
mod subscription;
pub mod tail;
pub mod transfer;
pub mod verify;

pub use blobs::{
    BLOB_BYTES_MAX, BLOB_PART_BYTES, BLOB_THRESHOLD_BYTES, BlobError, BlobHash, BlobMeter, BlobReader, BlobStore,
    BlobWriter, WrittenBlob,
};
pub use clock::{Clock, SystemClock};
pub use envelope::{Metadata, NewEvent, Payload, Position, RecordedEvent, RequestFacts, Revision, StreamKey};
pub use leases::Leases;
pub use log::{
    APPEND_BYTES_MAX, APPEND_EVENTS_MAX, APPEND_SPILLED_BYTES_MAX, Append, AppendError, Appended, AskedDurability,
    Direction, Durability, DurabilityChoice, EventLog, Expected, Filter, LogError, READ_EVENTS_MAX, Subscription,
    SubscriptionMessage, TenantScope, Wanted,
};
pub use memory::{MemoryBlobs, MemoryLog};
pub use replica::{FollowedClock, Replica};
pub use snapshots::{FoldHash, MemorySnapshots, Snapshot, SnapshotError, SnapshotPlace, SnapshotStore};
pub use stored::{Begun, ImportError, LogIdentity, LogImport, LogTransfer, StoredAppend, StoredEvent, StoredLeaf};
pub use subjects::{
    FoundKey, KeyId, MemorySubjectKeys, NoSubjectKeys, SealingLog, SubjectKey, SubjectKeyError, SubjectKeys,
};
