//! Segments, and logs whose old events are in them.
#![expect(clippy::unwrap_used, reason = "what tests are helped by may stop at anything, as tests do")]

mod archiving;
mod cold;
mod crash;
mod format;
mod postgres;
mod restoring;
#[cfg(feature = "s3")]
mod s3;

use std::path::Path;
use std::sync::Arc;

use serde_json::value::RawValue;
use timeloom_archive::{Archiver, Job, Places, SegmentReader};
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_store::archive::Archivable;
use timeloom_store::{Append, EventLog, Expected, Metadata, NewEvent, Payload, Position, StreamKey, SystemClock};
use timeloom_store_sqlite::{SqliteBlobs, SqliteLog, SqliteOptions};
use uuid::Uuid;

/// Where the segments of a test's log are, within its folder.
const PLACE: &str = "archive";

fn options(folder: &Path) -> SqliteOptions {
    SqliteOptions {
        segments: Arc::new(SegmentReader::new(Places::new(folder))),
        ..SqliteOptions::new(Uuid::from_u128(7), Arc::new(SystemClock))
    }
}

fn open(folder: &Path) -> (Arc<SqliteLog>, Arc<SqliteBlobs>) {
    SqliteLog::open(folder, options(folder)).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test needs no repeatable ids")]
fn new_id() -> Uuid {
    Uuid::now_v7()
}

fn archiver(log: &Arc<SqliteLog>, folder: &Path) -> Archiver {
    let rows = Arc::clone(log) as Arc<dyn Archivable>;
    Archiver::new(Arc::clone(log) as Arc<dyn EventLog>, rows, Places::new(folder), new_id)
}

fn job(up_to: u64, place: &str) -> Job {
    let actor = Actor::System("archiver".to_owned());
    Job { up_to: Position(up_to), place: place.to_owned(), segments_max: u64::MAX, actor }
}

fn stream(id: &str) -> StreamKey {
    StreamKey::new(TenantId(1), "order", id)
}

/// An append whose command id is `first_id` and whose event ids follow it.
fn append(id: &str, first_id: u128, count: u128) -> Append {
    let command_id = CommandId(Uuid::from_u128(first_id));
    let metadata = Arc::new(Metadata::new(Actor::System("test".to_owned()), command_id));
    let event = |number: u128| {
        let payload = format!(r#"{{"first":{first_id},"number":{number},"customer":"Zoë","total":12.50}}"#);
        NewEvent {
            id: EventId(Uuid::from_u128(first_id + 1 + number)),
            event_type: if number.is_multiple_of(2) { "Happened".into() } else { "HappenedToo".into() },
            event_version: 1,
            payload: Payload::from(RawValue::from_string(payload).unwrap()),
            metadata: Arc::clone(&metadata),
        }
    };
    Append::new(stream(id), Expected::Any, (0..count).map(event).collect(), command_id)
}
