//! The event log's port: envelope, append, reads, subscriptions, blobs. Backends implement it.
//!
//! Invariants: positions are gapless and their order is the order of visibility; one append is one stream and is
//! atomic; what was acknowledged is never lost; payload bytes are stored as they came in.

pub mod blobs;
pub mod codec;
pub mod envelope;
pub mod log;

pub use blobs::{BlobError, BlobHash, BlobStore};
pub use envelope::{Metadata, NewEvent, Position, RecordedEvent, Revision, StreamKey};
pub use log::{
    Append, AppendError, Appended, Direction, EventLog, Expected, Filter, LogError, Subscription, SubscriptionMessage,
    TenantScope,
};
