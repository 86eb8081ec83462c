//! Events a second out of the SQLite log and into typed values, against rows as they are stored and nothing more.
//!
//! `cargo bench -p timeloom-store-sqlite --bench replay`; `events=100000` fills a smaller log.
#![expect(clippy::unwrap_used, reason = "a benchmark is run by hand, and may stop at anything")]

use std::sync::Arc;
use std::time::Instant;

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;
use timeloom_store::bench::{argument, fill_with_executions, replay};
use timeloom_store::{DurabilityChoice, SystemClock};
use timeloom_store_sqlite::{SqliteLog, SqliteOptions};
use uuid::Uuid;

const EVENTS: u64 = 1_000_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run());
}

async fn run() {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let durability = DurabilityChoice::Relaxed { flush_ms: 1_000 };
    let options = SqliteOptions { durability, ..SqliteOptions::new(Uuid::from_u128(1), Arc::new(SystemClock)) };
    let (log, _blobs) = SqliteLog::open(folder.path(), options).unwrap();
    let events = fill_with_executions(&*log, argument("events").unwrap_or(EVENTS)).await;
    let file = folder.path().join("log.db");
    replay(log, events, async || {
        let file = file.clone();
        tokio::task::spawn_blocking(move || {
            let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
            let mut statement =
                connection.prepare("SELECT position, payload, packed FROM events ORDER BY position").unwrap();
            let began = Instant::now();
            let mut rows = statement.query([]).unwrap();
            let (mut count, mut bytes) = (0u64, 0);
            while let Some(row) = rows.next().unwrap() {
                count += 1;
                bytes += row.get_ref(1).unwrap().as_str().unwrap().len();
                bytes += row.get_ref(2).unwrap().as_blob_or_null().unwrap().map_or(0, <[u8]>::len);
            }
            std::hint::black_box(bytes);
            count as f64 / began.elapsed().as_secs_f64()
        })
        .await
        .unwrap()
    })
    .await;
}
