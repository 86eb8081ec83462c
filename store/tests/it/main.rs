//! The suite against the log in memory, and what only that log has.

#![expect(clippy::unwrap_used, reason = "what tests are helped by may stop at anything, as tests do")]

mod verify;

use std::sync::Arc;

use timeloom_store::conformance::Fresh;
use timeloom_store::{MemoryBlobs, MemoryLog, SystemClock, event_log_conformance};

async fn fresh() -> Fresh {
    let log = MemoryLog::new(Arc::new(SystemClock));
    std::future::ready(Fresh::new(log, MemoryBlobs::new())).await
}

event_log_conformance!(fresh);
