//! The suite against the log in a PostgreSQL database, and what only a server has: many processes, restarts, lost
//! connections, foreign programs.
#![expect(clippy::unwrap_used, reason = "what tests are helped by may stop at anything, as tests do")]

mod claims;
mod external;
mod full_disk;
mod leases;
mod outages;
mod processes;
mod relaxed;
mod schema;
mod secured;
mod stock;
mod subject_keys;
mod transfer;
mod tree;

use std::sync::Arc;

use serde_json::value::RawValue;
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_postgres_testing::Database;
use timeloom_store::conformance::{FRESH_SNAPSHOTS_BYTES, Fresh, FreshSnapshots};
use timeloom_store::{
    Append, BlobStore, Direction, EventLog, Expected, Filter, Metadata, NewEvent, Payload, Position, RecordedEvent,
    StreamKey, SystemClock, TenantScope, event_log_conformance, snapshot_store_conformance,
};
use timeloom_store_postgres::{Address, OpenError, PostgresBlobs, PostgresLog, PostgresOptions};
use uuid::Uuid;

async fn fresh() -> Fresh {
    let database = Database::create().await;
    let (log, blobs) = open(database.url()).await;
    let url = database.url().to_owned();
    let reopen = move || {
        let url = url.clone();
        async move {
            let (log, blobs) = open(&url).await;
            (log as Arc<dyn EventLog>, blobs as Arc<dyn BlobStore>)
        }
    };
    Fresh::new(log, blobs).keeping(database).reopened_by(reopen)
}

event_log_conformance!(fresh);

async fn fresh_snapshots() -> FreshSnapshots {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    let store = Arc::new(log.snapshots_with(FRESH_SNAPSHOTS_BYTES));
    FreshSnapshots { store, keep: Box::new((log, database)) }
}

snapshot_store_conformance!(fresh_snapshots);

async fn open(url: &str) -> (Arc<PostgresLog>, Arc<PostgresBlobs>) {
    try_open(url).await.unwrap()
}

async fn try_open(url: &str) -> Result<(Arc<PostgresLog>, Arc<PostgresBlobs>), OpenError> {
    let options = PostgresOptions::new(Uuid::from_u128(7), Arc::new(SystemClock));
    PostgresLog::open(&Address::parse(url).unwrap(), options).await
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

async fn read_everything(log: &dyn EventLog) -> Vec<Arc<RecordedEvent>> {
    let mut all: Vec<Arc<RecordedEvent>> = Vec::new();
    loop {
        let after = all.last().map_or(Position::START, |event| event.position);
        let page = log.read_all(TenantScope::All, after, Direction::Forward, &Filter::default(), 1_000).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}
