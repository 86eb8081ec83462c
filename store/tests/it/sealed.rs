//! The suite against a log in which personal fields are sealed: nobody sees a difference.

use std::sync::Arc;

use timeloom_store::conformance::Fresh;
use timeloom_store::{MemoryBlobs, MemoryLog, SealingLog, SystemClock, event_log_conformance};

use crate::subjects::keys;

async fn fresh() -> Fresh {
    let log = MemoryLog::new(Arc::new(SystemClock));
    std::future::ready(Fresh::new(SealingLog::new(log, keys(), Arc::new(SystemClock), true), MemoryBlobs::new())).await
}

event_log_conformance!(fresh);
