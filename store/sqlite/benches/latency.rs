//! From an append to a live subscriber, at 5,000 events a second that wait for nobody: the SQLite log, and the one in memory.
//!
//! `cargo bench -p timeloom-store-sqlite --bench latency`; `rate=` and `seconds=` change the load.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark is run by hand, prints, and may stop at anything"
)]

use std::sync::Arc;

use tempfile::TempDir;
use timeloom_store::bench::latency;
use timeloom_store::{DurabilityChoice, MemoryLog, SystemClock};
use timeloom_store_sqlite::{SqliteLog, SqliteOptions};
use uuid::Uuid;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("| log | events/s | subscribers | p50 ms | p99 ms | most ms |");
    println!("|---|---|---|---|---|---|");
    for (name, durability) in
        [("SQLite", DurabilityChoice::Strict), ("SQLite, relaxed", DurabilityChoice::Relaxed { flush_ms: 50 })]
    {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let options = SqliteOptions { durability, ..SqliteOptions::new(Uuid::from_u128(1), Arc::new(SystemClock)) };
        let (log, _blobs) = SqliteLog::open(folder.path(), options).unwrap();
        runtime.block_on(latency(name, log));
    }
    runtime.block_on(latency("in memory", MemoryLog::new(Arc::new(SystemClock))));
}
