//! The suite against the log and the snapshots in memory, and what only they have.

#![expect(clippy::unwrap_used, reason = "what tests are helped by may stop at anything, as tests do")]

mod retained;
mod sealed;
mod subjects;
mod verify;

use std::sync::Arc;

use timeloom_store::conformance::{FRESH_SNAPSHOTS_BYTES, Fresh, FreshSnapshots};
use timeloom_store::{
    MemoryBlobs, MemoryLog, MemorySnapshots, SystemClock, event_log_conformance, snapshot_store_conformance,
};

async fn fresh() -> Fresh {
    let log = MemoryLog::new(Arc::new(SystemClock));
    std::future::ready(Fresh::new(log, MemoryBlobs::new())).await
}

async fn fresh_snapshots() -> FreshSnapshots {
    let store = Arc::new(MemorySnapshots::new(FRESH_SNAPSHOTS_BYTES));
    std::future::ready(FreshSnapshots { store, keep: Box::new(()) }).await
}

event_log_conformance!(fresh);
snapshot_store_conformance!(fresh_snapshots);
