//! What was acknowledged survives `kill -9` at any moment.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use timeloom_store::EventLog;
use timeloom_store::conformance::{acknowledged_events_survive_kills, append_until_killed};

use crate::open;

async fn open_log(path: impl AsRef<Path>) -> Arc<dyn EventLog> {
    let (log, _blobs) = open(path.as_ref());
    std::future::ready(log).await
}

/// Not a test of its own: the process that gets killed.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_appends_until_it_is_killed() {
    append_until_killed(open_log).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_events_survive_being_killed_in_the_middle_of_commits() {
    let folder = TempDir::new().unwrap();
    let target = folder.path().to_str().unwrap();
    let child = "crash::child_that_appends_until_it_is_killed";
    acknowledged_events_survive_kills(child, target, || open_log(&folder)).await;
}
