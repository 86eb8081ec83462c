//! The suite against a log whose server is this project's own front, over a log in memory; and that front under the client
//! that others wrote.
#![cfg(feature = "esdb")]
#![expect(clippy::unwrap_used, reason = "what tests are helped by may stop at anything, as tests do")]

mod client;
mod world;

use std::sync::Arc;

use timeloom_store::conformance::Fresh;
use timeloom_store::{BlobStore, EventLog, FollowedClock, MemoryLog, SystemClock, event_log_conformance};
use timeloom_store_esdb::{EsdbBlobs, EsdbLog, EsdbOptions};

use crate::world::World;

async fn open(address: &str) -> (Arc<EsdbLog>, EsdbBlobs) {
    let clock = FollowedClock::new();
    let replica = MemoryLog::new(Arc::new(Arc::clone(&clock)));
    let options = EsdbOptions { address: address.to_owned(), clock: Arc::new(SystemClock) };
    EsdbLog::open(options, replica, clock).await.unwrap()
}

/// A log on a server of its own, which is opened again with a replica that knows nothing.
async fn fresh() -> Fresh {
    let world = World::open_to_everybody().await;
    let address = world.address(None);
    let (log, blobs) = open(&address).await;
    let reopen = move || {
        let address = address.clone();
        async move {
            let (log, blobs) = open(&address).await;
            (log as Arc<dyn EventLog>, Arc::new(blobs) as Arc<dyn BlobStore>)
        }
    };
    // What the server has answered it has, for all that a client can know.
    Fresh::new(log, Arc::new(blobs)).keeping(world).reopened_by(reopen).always_strict()
}

event_log_conformance!(fresh);

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_deletes_nothing_is_told_so_and_the_blob_stays() {
    let world = World::open_to_everybody().await;
    let (log, blobs) = open(&world.address(None)).await;
    let hash = blobs.put("kept".into()).await.unwrap();
    let refused = blobs.remove(hash).await.unwrap_err();
    let causes = std::iter::successors(Some(&refused as &dyn std::error::Error), |error| error.source());
    let said: Vec<String> = causes.map(ToString::to_string).collect();
    let wanted =
        format!("the server of the log does not delete timeloom_blob-{hash}: events of this log are never deleted");
    assert!(said.iter().any(|said| said.contains(&wanted)), "{said:?}");
    assert_eq!(blobs.get(hash).await.unwrap(), "kept");
    // What is not there is removed already.
    blobs.remove(timeloom_store::BlobHash::of(b"never put")).await.unwrap();
    log.close().await;
}
