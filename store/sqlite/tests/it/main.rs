//! The suite against the log in a SQLite file, and what only a file has: reopening, crashes, locks, versions, full disks.
#![expect(clippy::unwrap_used, reason = "what tests are helped by may stop at anything, as tests do")]

mod bad_files;
mod blobs;
mod crash;
mod file;
mod folder;
#[cfg(target_os = "linux")]
mod full_disk;
mod large;
mod migration;
mod packed;
#[cfg(unix)]
mod power_loss;
mod relaxed;
mod snapshots;
mod subject_keys;
mod transfer;
mod tree;

use std::path::Path;
use std::sync::Arc;

use serde_json::value::RawValue;
use tempfile::TempDir;
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_store::conformance::Fresh;
use timeloom_store::{
    Append, BlobStore, EventLog, Expected, Metadata, NewEvent, Payload, StreamKey, SystemClock, event_log_conformance,
};
use timeloom_store_sqlite::{SqliteBlobs, SqliteLog, SqliteOptions};
use uuid::Uuid;

fn fresh_with(options: impl Fn() -> SqliteOptions + Send + Sync + 'static) -> Fresh {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_owned();
    let (log, blobs) = SqliteLog::open(&path, options()).unwrap();
    let reopen = move || {
        let (log, blobs) = SqliteLog::open(&path, options()).unwrap();
        std::future::ready((log as Arc<dyn EventLog>, blobs as Arc<dyn BlobStore>))
    };
    Fresh::new(log, blobs).keeping(folder).reopened_by(reopen)
}

async fn fresh() -> Fresh {
    std::future::ready(fresh_with(options)).await
}

event_log_conformance!(fresh);

fn options() -> SqliteOptions {
    SqliteOptions::new(Uuid::from_u128(7), Arc::new(SystemClock))
}

fn open(path: &Path) -> (Arc<SqliteLog>, Arc<SqliteBlobs>) {
    SqliteLog::open(path, options()).unwrap()
}

fn stream(id: &str) -> StreamKey {
    StreamKey::new(TenantId(1), "order", id)
}

/// An append whose command id is `first_id` and whose event ids follow it.
fn append(id: &str, first_id: u128, count: u128, payload: &str) -> Append {
    let command_id = CommandId(Uuid::from_u128(first_id));
    let metadata = Arc::new(Metadata {
        actor: Actor::System("test".to_owned()),
        command_id,
        causation_id: None,
        correlation_id: None,
        request: None,
    });
    let payload = Payload::from(RawValue::from_string(payload.to_owned()).unwrap());
    let event = |number: u128| NewEvent {
        id: EventId(Uuid::from_u128(first_id + 1 + number)),
        event_type: "Happened".into(),
        event_version: 1,
        payload: Arc::clone(&payload),
        metadata: Arc::clone(&metadata),
    };
    Append::new(stream(id), Expected::Any, (0..count).map(event).collect(), command_id)
}
